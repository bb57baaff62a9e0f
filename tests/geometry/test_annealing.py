"""Annealing keeps what it must keep, and finds what single steps do not."""

import numpy as np
import pytest
from scipy.ndimage import label

from benchmarks._judges import has_holes, is_connected
from varconvex.geometry.annealing import annealed, changes
from varconvex.geometry.pieces import best_piece, hole_pixels


def start_in(cost, inside, outside, holes):
    """A set in one piece, without holes where none may be."""
    found = best_piece(cost, inside, outside)
    return found if holes else found | hole_pixels(found)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_keeps_piece_holes_and_strokes_and_never_costs_more(seed, holes):
    rng = np.random.default_rng(seed)
    cost = rng.normal(size=(150, 97)) * np.where(rng.random((150, 1)) < 0.5, 1, 3)
    inside, outside = rng.random((2, *cost.shape)) < 0.01
    outside &= ~inside
    start = start_in(cost, inside, outside, holes)
    fixed = inside | outside
    before = start.copy(), cost.copy()
    found = annealed(start, cost, fixed, holes, np.random.default_rng(0))
    assert is_connected(found)
    assert holes or not has_holes(found)
    assert np.array_equal(found[fixed], start[fixed])
    assert cost[found].sum() < cost[start].sum()
    assert np.array_equal(start, before[0])
    assert np.array_equal(cost, before[1])


def test_the_answer_depends_on_the_seed_and_not_on_the_threads(monkeypatch):
    cost = np.random.default_rng(1).choice([-1.0, 1.0], (200, 60))
    start = start_in(cost, cost > 2, cost > 2, False)
    found = []
    for n, seed in ((1, 0), (2, 0), (3, 0), (2, 1)):
        monkeypatch.setattr("varconvex.threads.n_threads", lambda n=n: n)
        found.append(annealed(start, cost, cost > 2, False, np.random.default_rng(seed)))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[3])


def test_scale_does_not_matter_and_what_is_best_stays():
    disc = np.hypot(*(np.indices((60, 60)) - 30)) < 20
    cost = np.where(disc, -1.0, 1.0)
    assert annealed(disc, cost, disc & False, False, np.random.default_rng(0)) is disc
    noisy = cost * np.random.default_rng(2).choice([-1.0, 1.0], cost.shape, p=[0.3, 0.7])
    start = start_in(noisy, disc & False, disc & False, False)
    one, other = (annealed(start, noisy * s, disc & False, False, np.random.default_rng(0)) for s in (1.0, 2.0**60))
    assert np.array_equal(one, other)


def test_much_is_gained_in_noise():
    """Beside single steps that each make it cheaper, which are what is left at no temperature."""
    rng = np.random.default_rng(3)
    cost = np.where(np.hypot(*(np.indices((120, 120)) - 60)) < 45, -1.0, 1.0) * rng.choice(
        [-1, 1], (120, 120), p=[0.3, 0.7]
    )
    nowhere = np.zeros(cost.shape, bool)
    start = start_in(cost, nowhere, nowhere, False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("varconvex.geometry.annealing._WORTH", np.inf)
        greedy = annealed(start, cost, nowhere, False, rng)
    found = annealed(start, cost, nowhere, False, rng)
    assert cost[found].sum() < 1.1 * cost[greedy].sum()


def test_the_rule_by_parts_of_the_ring():
    """A pixel of a set may go where its neighbours stay joined without it, a new one come where it touches one part."""
    never, freely = changes(False), changes(True)
    turns = ((1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0), (0, 1), (0, 2))
    for bits in range(256):
        ring = np.zeros((3, 3), bool)
        for k, place in enumerate(turns):
            ring[place] = bits >> k & 1
        labels, _ = label(ring)
        parts = len(set(labels[(0, 1, 1, 2), (1, 0, 2, 1)].tolist()) - {0})
        assert list(never[:, bits]) == [parts == 1 and bits < 255] * 2
        assert list(freely[:, bits]) == [parts > 0, parts == 1]
