import numpy as np
from scipy.ndimage import binary_fill_holes

from benchmarks._judges import has_holes, is_connected
from varconvex.geometry.holes import without_holes
from varconvex.geometry.pieces import best_piece

NOWHERE = np.zeros((9, 9), bool)


def solid(mask):
    return is_connected(mask) and not has_holes(mask)


def ring():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[3:6, 3:6] = False
    return mask


def test_a_dear_hole_is_opened_and_a_cheap_one_filled():
    mask = ring()
    dear, cheap = np.where(mask, -1.0, 5.0), np.where(mask, -1.0, 0.1)
    opened, filled = without_holes(mask, dear, NOWHERE, NOWHERE), without_holes(mask, cheap, NOWHERE, NOWHERE)
    assert opened.sum() == mask.sum() - 2
    assert solid(opened)
    assert filled.sum() == 49


def test_strokes_in_a_hole_open_it_and_a_ring_of_strokes_keeps_it():
    mask, middle = ring(), np.zeros((9, 9), bool)
    middle[4, 4] = True
    cheap = np.where(mask, -1.0, 0.1)
    opened = without_holes(mask, cheap, NOWHERE, middle)
    assert not opened[4, 4]
    assert solid(opened)
    assert without_holes(mask, cheap, mask, middle) is None


def test_many_holes_in_noise_are_opened_one_by_one():
    """Channels that would cut the set in two are left closed, and much is gained over filling all."""
    for seed in range(5):
        cost = np.where(np.random.default_rng(seed).random((50, 50)) < 0.5, -1.0, 1.0)
        nowhere = np.zeros(cost.shape, bool)
        piece = best_piece(cost, nowhere, nowhere)
        found = without_holes(piece, cost, nowhere, nowhere)
        filled = binary_fill_holes(piece, np.ones((3, 3)))
        assert solid(found)
        assert cost[piece].sum() <= cost[found].sum() < 0.8 * cost[filled].sum()


def test_a_cavity_of_a_volume_is_filled_or_opened():
    mask = np.zeros((7, 7, 7), bool)
    mask[1:6, 1:6, 1:6] = True
    mask[3, 3, 3] = False
    nowhere = np.zeros(mask.shape, bool)
    for price in (0.1, 50.0):
        found = without_holes(mask, np.where(mask, -1.0, price), nowhere, nowhere)
        assert found[3, 3, 3] == (price < 1)
        assert solid(found)
