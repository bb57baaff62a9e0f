import numpy as np
import pytest

from varconvex.geometry.axis_search import costs_in_pairs, search
from varconvex.geometry.mirrors import axes_of, axis_of, best_symmetric, symmetric_cost


@pytest.mark.parametrize("axis", [(1, 0, 9), (0, 1, 12), (1, 1, 20), (1, -1, 2)])
def test_pairs_are_classes_where_pixels_mirror_each_other(axis):
    cost = np.random.default_rng(0).normal(size=(11, 11))
    places, value = np.argwhere(cost < 0).astype(np.int32), np.zeros(1)
    costs_in_pairs(cost, places, 0, len(places), np.array([axis]), value, 0, 1)
    assert value[0] == pytest.approx(symmetric_cost(cost, axis))


def test_axes_of_many_are_those_of_one():
    angles, rows, columns = np.random.default_rng(1).uniform(0, 3, (3, 20))
    many = axes_of(angles, 10 * rows, 10 * columns)
    assert [tuple(a) for a in many.tolist()] == [
        axis_of(*one) for one in zip(angles, 10 * rows, 10 * columns, strict=True)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_in_noise_no_axis_of_the_grid_is_better(seed):
    """The axis that noise prefers is found on the pixels; a blurred image does not show it."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((60, 60))
    half = (np.hypot(rows - 31, columns - 28) < 18) & (rows + columns < 59)
    cost = np.where(half ^ (rng.random(half.shape) < 0.3), -1.0, 1.0)
    found = symmetric_cost(cost, search(cost)[0])
    along = [(1, 0, o) for o in range(20, 100)] + [(0, 1, o) for o in range(20, 100)]
    along += [(1, s, o) for s in (1, -1) for o in range(-40, 160, 2)]
    assert found <= min(symmetric_cost(cost, axis) for axis in along) + 1e-9


def test_pixels_that_must_be_held_decide():
    cost = np.ones((40, 40))
    cost[5:15, 5:15] = cost[5:15, 25:35] = -1
    cost[30, 19:21] = -1e4
    mask = best_symmetric(cost, search(cost)[0])
    assert np.array_equal(mask, cost < 0)


def test_nothing_in_favour_has_no_axis():
    assert search(np.ones((5, 5))) == []
