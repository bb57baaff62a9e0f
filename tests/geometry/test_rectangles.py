"""The best rectangles against enumeration, and on bars that noise has nearly hidden."""

import numpy as np
import pytest

from varconvex.geometry.rectangles import SIZES, best_boxes


def least_upright(cells):
    """What the best upright rectangle of the family costs, over all places, by direct sums."""
    best = 0.0
    for size in SIZES:
        for height, width in (size, size[::-1]):
            for r in range(cells.shape[0] - height + 1):
                for c in range(cells.shape[1] - width + 1):
                    best = min(best, float(cells[r : r + height, c : c + width].sum()))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_no_upright_rectangle_of_the_family_is_better(seed):
    rng = np.random.default_rng(seed)
    cells = rng.normal(size=rng.integers(8, 32, 2)) + 0.2
    (cost, _), *_ = best_boxes(cells, 1)
    assert cost <= least_upright(cells) + 1e-9


def test_a_rectangle_costs_what_is_in_it():
    cells = np.ones((40, 50))
    cells[11:13, 20:32] = -1
    (cost, box), *_ = best_boxes(cells, 3)
    assert cost == pytest.approx(-24)
    assert np.allclose([box.min(axis=0), box.max(axis=0)], [[11, 20], [13, 32]])


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.3, 2.2])
def test_a_slanting_bar_in_noise_is_found(angle):
    rng = np.random.default_rng(3)
    rows, columns = np.indices((128, 128)) - np.array([50, 70])[:, None, None]
    along, across = np.cos(angle) * columns + np.sin(angle) * rows, np.cos(angle) * rows - np.sin(angle) * columns
    truth = (abs(along) <= 10) & (abs(across) <= 1.5)
    cells = 1 - 2.0 * (truth ^ (rng.random(truth.shape) < 0.25))
    (_, box), *_ = best_boxes(cells, 1)
    assert np.hypot(*(box.mean(axis=0) - 0.5 - [50, 70])) < 8


def test_rectangles_are_apart_below_zero_and_no_more_than_asked_for():
    cells = np.random.default_rng(0).normal(size=(60, 60))
    boxes = best_boxes(cells, 4)
    assert len(boxes) == 4
    assert [cost for cost, _ in boxes] == sorted(cost for cost, _ in boxes)
    centres = [box.mean(axis=0) for _, box in boxes]
    assert min(np.hypot(*(a - b)) for i, a in enumerate(centres) for b in centres[:i]) > 1
    assert best_boxes(np.ones((20, 30)), 2) == []
