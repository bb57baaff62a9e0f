"""The two relaxations of Potts' model: which is tighter, that both are bounds, and where they are one."""

import itertools

import numpy as np
import pytest
from oracles import best_labelling, mask_energy

from varconvex import Potts, TwoPhase, get_backend, pdhg, segment, segment_potts
from varconvex.errors import InvalidParameterError


@pytest.mark.parametrize("seed", range(3))
def test_no_labelling_is_below_either_bound(seed):
    cost = np.random.default_rng(seed).random((3, 2, 3))
    backend = get_backend("numpy")
    least = np.inf
    for choice in itertools.product(range(3), repeat=6):
        least = min(least, Potts(cost, 0.4, relaxation="ccp").value(backend, np.reshape(choice, (2, 3))))
    for relaxation in ("zach", "ccp"):
        assert pdhg(Potts(cost, 0.4, relaxation=relaxation), tol=1e-4).dual <= least + 1e-6


def test_the_tighter_relaxation_has_the_higher_bound_at_a_triple_point(backend):
    # Three regions seeded on the rim of a disc that is free inside: Zach's mixes them, and thinks that it pays.
    rows, columns = np.mgrid[-14:15, -14:15]
    angle, distance = np.arctan2(rows, columns), np.hypot(rows, columns)
    sector = ((angle + np.pi) / (2 * np.pi / 3)).astype(int).clip(0, 2)
    lower = np.stack([(sector == k) & (distance > 11) for k in range(3)]).astype(float)
    cost = np.zeros(lower.shape)
    zach, ccp = (
        pdhg(Potts(cost, 1.0, lower=lower, relaxation=name), tol=2e-3, backend=backend) for name in ("zach", "ccp")
    )
    assert ccp.converged
    assert ccp.dual > zach.primal
    assert ccp.dual <= ccp.primal <= ccp.energy * (1 + 1e-6)
    share = np.sort(backend.to_numpy(ccp.u), axis=0)[-1] - np.sort(backend.to_numpy(zach.u), axis=0)[-1]
    assert share.mean() > 0  # labels are mixed less


def test_along_the_grid_both_are_one_and_exact_for_enumeration(rng):
    cost = rng.random((3, 2, 3))
    best = best_labelling(cost, 0.3)
    for relaxation in ("zach", "ccp"):
        solution = pdhg(Potts(cost, 0.3, tv="anisotropic", relaxation=relaxation), tol=1e-5)
        assert solution.dual <= best + 1e-6
        assert solution.energy >= best - 1e-6


def test_two_labels_need_no_tighter_relaxation(rng):
    cost = rng.normal(size=(2, 20, 21))
    one = pdhg(Potts(cost, 0.7, relaxation="ccp"), tol=1e-4)
    two = pdhg(TwoPhase(cost[1] - cost[0], 0.7), tol=1e-4)
    assert one.primal == pytest.approx(two.primal + cost[0].sum(), rel=1e-3, abs=0.05)


def test_labellings_cost_the_same_where_two_labels_meet(rng):
    # In a corner of forward differences the tighter one charges three labels a little differently; never less.
    backend = get_backend("numpy")
    index = np.zeros((8, 9), int)
    index[:, 4:] = 2
    cost = rng.random((3, 8, 9))
    zach, ccp = (Potts(cost, 0.5, relaxation=name).value(backend, index) for name in ("zach", "ccp"))
    assert zach == pytest.approx(ccp, rel=1e-6)
    data = np.take_along_axis(cost, index[None], axis=0).sum()
    assert ccp == pytest.approx(data + mask_energy(np.zeros((8, 9)), index == 2, 0.5), rel=1e-6)
    noise = rng.integers(0, 3, (8, 9))
    assert Potts(cost, 0.5, relaxation="ccp").value(backend, noise) >= Potts(cost, 0.5).value(backend, noise) - 1e-6


def test_the_fronts_take_a_relaxation(rng):
    cost = rng.random((3, 20, 22))
    labels = segment_potts(cost, 0.2, relaxation="ccp")
    assert (labels == segment_potts(cost, 0.2)).mean() > 0.95
    image = np.zeros((30, 40))
    image[:, 13:27] = 0.5
    image[:, 27:] = 1
    scribbles = np.zeros(image.shape, int)
    scribbles[10:20, 3], scribbles[10:20, 20], scribbles[10:20, 35] = 1, 2, 3
    result = np.asarray(segment(image, scribbles, relaxation="ccp"))
    np.testing.assert_array_equal(result, (image * 2).astype(int) + 1)
    for front, data in ((segment, (image, scribbles)), (segment_potts, (cost, 1.0))):
        with pytest.raises(InvalidParameterError, match="relaxation must be one of 'zach', 'ccp'"):
            front(*data, relaxation="x")
