"""Active sets: leaving out converged pixels keeps the answer, for any threads and tiles, and finds all that changes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from varconvex import Potts, TwoPhase, get_backend, pdhg
from varconvex.backends.numba_ import NumbaBackend
from varconvex.backends.numba_layout import EDGE, padded, spans
from varconvex.backends.numpy_ import NumpyBackend

NUMBA = get_backend("numba")
STEPS = {"tau": 0.25, "sigma": 0.5, "rho": 1.9, "finish": True}


def blob(rng, shape=(150, 210), labels=1, tv="isotropic"):
    """An object whose costs are clear but for a stripe: most of the image converges soon."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    cost = 3 * np.sign(np.hypot(y - 80, x - 90) - 35).astype(np.float32)
    unsure = abs(x - 100) < 12
    cost[unsure] = rng.normal(size=np.count_nonzero(unsure))
    energy = TwoPhase(cost, 2.0, tv=tv) if labels == 1 else Potts(np.stack([-cost, cost, 0 * cost]), 2.0, tv=tv)
    return energy.problem(NUMBA)


def state(problem):
    u = NUMBA.project(np.full(problem.cost.shape, 0.5, np.float32), problem)
    return u, np.zeros((len(problem.steps), *problem.cost.shape), np.float32)


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("tv", ["isotropic", "anisotropic", "octagonal"])
def test_leaving_out_converged_pixels_changes_next_to_nothing(rng, labels, tv):
    problem = blob(rng, labels=labels, tv=tv)
    u, p = state(problem)
    exact_u, exact_p = u.copy(), p.copy()
    active_set, left_out = NUMBA.new_active_set(problem), []
    for _ in range(12):
        NUMBA.iterate(problem, u, p, n=32, active_set=active_set, **STEPS)
        for done in range(0, 32, active_set.block):  # each block ends feasible
            NumpyBackend().iterate(problem, exact_u, exact_p, n=min(active_set.block, 32 - done), **STEPS)
        low, high = active_set.spans(16)
        assert (u >= problem.lower).all()
        assert (u <= problem.upper).all()
        length = np.sqrt((p * p).sum(axis=0)) if tv == "isotropic" else abs(p).max(axis=0)
        assert (length <= problem.dual_radius * (1 + 2e-6)).all()
        left_out.append(1 - np.maximum(high[0] - low[0], 0).mean() / problem.cost.shape[-1])
    assert max(left_out) > 0.3
    assert abs(u - exact_u).mean() < 1e-4
    primal, dual = NUMBA.values(problem, u, p)
    assert dual <= primal
    wanted = NumpyBackend().values(problem, exact_u, exact_p)
    np.testing.assert_allclose((primal, dual), wanted, rtol=2e-5)


def test_neither_threads_nor_the_clock_change_a_bit(set_threads, rng):
    problem = blob(rng, (331, 210))
    answers = []
    for threads, cuts in ((1, (140,)), (2, (140,)), (5, (60, 20, 60)), (3, (80, 60))):
        set_threads(threads)
        u, p = state(problem)
        active_set = NUMBA.new_active_set(problem)
        assert active_set.block == 20
        for n in (*cuts, 40):
            NUMBA.iterate(problem, u, p, n=n, active_set=active_set, **STEPS | {"finish": n == 40})
        answers.append((u, p, active_set.moved.copy()))
    for answer in answers[1:]:
        for one, first in zip(answer, answers[0], strict=True):
            np.testing.assert_array_equal(one, first)


@pytest.mark.parametrize("tv", ["isotropic", "octagonal"])
def test_tiles_of_columns_do_not_change_a_bit_either(monkeypatch, set_threads, rng, tv):
    problem = blob(rng, (240, 210), tv=tv)
    monkeypatch.setattr("varconvex.backends.numba_layout._DEPTHS", ((1000, 15),))
    answers = []
    for tile, threads in ((1000, 1), (33, 1), (50, 3), (100, 2)):
        set_threads(threads)
        monkeypatch.setattr("varconvex.backends.numba_layout._TILE", tile)
        mine, backend = replace(problem), NumbaBackend()
        active_set = backend.new_active_set(mine)
        assert active_set.block == 15
        u, p = state(problem)
        for k in range(8):
            backend.iterate(mine, u, p, n=30, active_set=active_set, **STEPS | {"finish": k == 7})
            answers.append((u.copy(), p.copy(), active_set.moved.copy()))
    assert (answers[7][2][:, 0] > answers[7][2][:, 1]).any()
    for k, answer in enumerate(answers[8:]):
        for one, first in zip(answer, answers[k % 8], strict=True):
            np.testing.assert_array_equal(one, first)


@pytest.mark.parametrize("n", [1, 8, 16])
def test_active_columns_hold_all_that_is_within_reach(rng, n):
    for _ in range(20):
        shape = tuple(rng.integers(1, 90, 2))
        moved = np.zeros((shape[0], 2), np.int64)
        moved[:, 0] = shape[1]
        for i in rng.integers(0, shape[0], 2):
            moved[i] = np.sort(rng.integers(0, shape[1] + 1, 2))
        mask = np.zeros(shape, bool)
        for i, (a, b) in enumerate(moved):
            mask[i, a:b] = True
        low, high = active = np.full((2, 3, shape[0]), -7)
        spans(active, moved, n, padded(shape[1]))
        columns = np.arange(shape[1])
        dual, primal, read = ((columns >= low[k][:, None]) & (columns < high[k][:, None]) for k in range(3))
        assert not (binary_dilation(mask, np.ones((2 * n + 1,) * 2)) & ~dual).any()
        # The dual step reads u_bar of its own row and the next, the primal step p of its own row and the last.
        assert not (binary_dilation(dual, [[0, 0, 0], [1, 1, 1], [1, 1, 1]]) & ~primal).any()
        assert not (binary_dilation(primal, [[1, 1, 1], [1, 1, 1], [0, 0, 0]]) & ~read).any()
        assert (low[high > low] % EDGE == 0).all()
        assert mask.any() or not read.any()


def test_reset_makes_all_pixels_active(rng):
    problem = blob(rng)
    u, p = state(problem)
    active_set = NUMBA.new_active_set(problem)
    NUMBA.iterate(problem, u, p, n=400, active_set=active_set, **STEPS)
    # Another cost where all had converged: only after `reset` is it taken into account.
    other = replace(problem, cost=problem.cost.copy())
    other.cost[0, 10:20, 180:200] = -9
    before = u.copy()
    NUMBA.iterate(other, u, p, n=16, active_set=active_set, **STEPS)
    assert (u[0, 10:20, 180:200] == before[0, 10:20, 180:200]).all()
    active_set.reset()
    NUMBA.iterate(other, u, p, n=160, active_set=active_set, **STEPS)
    assert (u[0, 12:18, 184:196] > 0.99).all()


def test_volumes_and_the_specification_have_no_active_set(rng):
    volume = TwoPhase(rng.normal(size=(6, 7, 8)), 1.0).problem(NUMBA)
    assert NUMBA.new_active_set(volume) is None
    assert NumpyBackend().new_active_set(volume) is None


def test_a_long_solve_still_meets_its_tolerance(rng):
    cost = rng.normal(size=(90, 120)).astype(np.float32) + np.where(np.arange(120) < 60, 0.3, -0.3)
    solution = pdhg(TwoPhase(cost, 3.0), tol=1e-6)
    assert solution.converged
    exact = pdhg(TwoPhase(cost, 3.0), tol=1e-6, backend="numpy")
    assert solution.primal == pytest.approx(exact.primal, rel=3e-6)
