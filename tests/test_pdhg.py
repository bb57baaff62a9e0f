"""The solver against maximum flow, enumeration and the laws of a certified minimiser."""

import sys
import time
import warnings

import numpy as np
import pytest
from oracles import best_labelling, mask_energy, minimum_cut

from varconvex import Potts, TwoPhase, get_backend, pdhg, warm_up
from varconvex.errors import (
    ConvergenceWarning,
    InvalidImageError,
    InvalidParameterError,
    UnsupportedTypeError,
)
from varconvex.solvers.solution import StoppingRules
from varconvex.solvers.steps import AverageIterate


@pytest.mark.parametrize("seed", range(6))
def test_anisotropic_masks_are_minimum_cuts(backend, seed):
    rng = np.random.default_rng(seed)
    shape = [(16, 17), (40, 23), (70, 80), (1, 30), (5, 64), (33, 33)][seed]
    cost = rng.integers(-10, 11, shape)
    alpha = int(rng.integers(1, 8))
    with warnings.catch_warnings():
        # Whether the gap reaches the tolerance is not the point: the mask must be exact.
        warnings.simplefilter("ignore", ConvergenceWarning)
        solution = pdhg(TwoPhase(cost, alpha, tv="anisotropic"), tol=1e-6, max_iter=3000, backend=backend)
    mask = backend.to_numpy(solution.mask)
    assert mask_energy(cost, mask, alpha, isotropic=False) == minimum_cut(cost, alpha)
    assert solution.energy == minimum_cut(cost, alpha)


@pytest.mark.parametrize("tv", ["isotropic", "anisotropic"])
def test_the_bound_is_below_and_the_energy_is_what_it_says(backend, rng, tv):
    cost = rng.normal(size=(30, 41))
    weight = rng.uniform(0.1, 1, cost.shape)
    solution = pdhg(TwoPhase(cost, 1.5, weight=weight, tv=tv), tol=1e-4, backend=backend)
    assert solution.converged
    assert all(primal >= dual for _, _, primal, dual in solution.history)
    energy = mask_energy(cost, backend.to_numpy(solution.mask), 1.5, weight, tv == "isotropic")
    assert solution.energy == pytest.approx(energy, rel=1e-5)
    assert solution.dual <= energy


def test_the_minimiser_of_a_disc_is_the_disc_or_nothing():
    # For cost -1 in a disc of radius r and big outside, the disc is kept while alpha * 2 pi r < pi r^2.
    rows, columns = np.mgrid[-30:31, -30:31]
    disc = np.hypot(rows, columns) < 20
    cost = np.where(disc, -1.0, 5.0)
    assert (pdhg(TwoPhase(cost, 8.0)).mask & disc).sum() > 0.9 * disc.sum()
    assert not pdhg(TwoPhase(cost, 12.0)).mask.any()


def test_flips_and_transposes_keep_the_energy(backend, rng):
    cost = rng.normal(size=(64, 70))
    bound = []
    for turned in (cost, cost.T, cost.T.copy()):
        solution = pdhg(TwoPhase(turned, 2.0, tv="anisotropic"), tol=1e-5, backend=backend)
        bound.append((solution.primal, solution.dual))
    for turned in (cost[::-1], cost[:, ::-1]):
        solution = pdhg(TwoPhase(turned, 2.0, tv="anisotropic"), tol=1e-5, backend=backend)
        bound.append((solution.primal, solution.dual))
    assert max(dual for _, dual in bound) <= min(primal for primal, _ in bound) + 1e-9


@pytest.mark.parametrize("factor", [2.0**-10, 2.0**13])
def test_scaling_cost_and_alpha_scales_the_energy(backend, rng, factor):
    cost = rng.normal(size=(40, 40))
    one = pdhg(TwoPhase(cost, 1.0), tol=1e-4, backend=backend)
    two = pdhg(TwoPhase(cost * factor, factor), tol=1e-4, backend=backend)
    assert two.primal == pytest.approx(one.primal * factor, rel=3e-4)
    assert two.iterations == one.iterations


def test_seeds_are_bounds(backend, rng):
    cost = np.full((20, 30), 1.0)
    lower, upper = np.zeros(cost.shape), np.ones(cost.shape)
    lower[10, 5:25] = 1
    upper[12, 5:25] = 0
    u = backend.to_numpy(pdhg(TwoPhase(cost, 0.2, lower=lower, upper=upper), backend=backend).u)
    assert (u[10, 5:25] == 1).all()
    assert (u[12, 5:25] == 0).all()


def test_the_pull_draws_towards_its_target():
    target = np.zeros((20, 20), np.float32)
    target[5:15, 5:15] = 1
    solution = pdhg(TwoPhase(np.zeros((20, 20)), 0.0, quadratic_weight=2.0, target=target), tol=1e-6)
    np.testing.assert_allclose(solution.u, target, atol=1e-4)
    assert solution.primal == pytest.approx(0, abs=1e-3)


def test_alpha_zero_is_the_data_terms_own_answer(backend, rng):
    cost = rng.normal(size=(9, 11))
    solution = pdhg(TwoPhase(cost, 0), tol=1e-6, backend=backend)
    np.testing.assert_array_equal(backend.to_numpy(solution.mask), cost < 0)
    assert solution.converged


def test_a_huge_alpha_ends():
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solution = pdhg(TwoPhase(rng.normal(size=(40, 40)) + 0.3, 1e12), max_iter=400)
    assert np.isfinite(solution.energy)
    assert not solution.mask.any()


@pytest.mark.parametrize(
    ("options", "status"),
    [({"max_iter": 1}, "max_iter"), ({"tol": 0, "max_iter": 60}, "max_iter"), ({"time_limit": 1e-9}, "time_limit")],
)
def test_out_of_patience_is_said_and_the_best_so_far_returned(rng, options, status):
    energy = TwoPhase(rng.normal(size=(80, 80)), 3.0)
    with pytest.warns(ConvergenceWarning, match="the relative gap is"):
        solution = pdhg(energy, **{"tol": 1e-9, **options})
    assert solution.status == status
    assert not solution.converged
    assert np.isfinite(solution.u).all()
    assert solution.gap >= 0


@pytest.mark.parametrize("coarse_to_fine", [False, True])
@pytest.mark.parametrize("make", [lambda c: TwoPhase(c, 3.0), lambda c: Potts(np.stack([c, -c, 0 * c]), 3.0)])
def test_no_iterations_evaluate_the_start(backend, rng, make, coarse_to_fine, monkeypatch):
    energy = make(rng.normal(size=(80, 90)))
    first = pdhg(energy, tol=1e-2, backend=backend)
    monkeypatch.setattr(backend, "iterate", None, raising=False)  # calling it would fail
    seen = []
    cold = pdhg(energy, max_iter=0, backend=backend, coarse_to_fine=coarse_to_fine, callback=seen.append)
    assert (cold.status, cold.iterations, cold.converged, len(seen)) == ("max_iter", 0, False, 1)
    start = energy.start(backend, energy.problem(backend))
    np.testing.assert_array_equal(backend.to_numpy(cold.u), backend.to_numpy(energy.present(start)))
    assert not backend.to_numpy(cold.p).any()
    assert cold.dual <= first.dual <= first.primal <= cold.primal
    warm = pdhg(energy, max_iter=0, tol=0, backend=backend, start=first, coarse_to_fine=coarse_to_fine)
    np.testing.assert_allclose(backend.to_numpy(warm.u), backend.to_numpy(first.u), atol=1e-6)
    assert (warm.primal, warm.dual) == pytest.approx((first.primal, first.dual), rel=1e-5)


@pytest.mark.parametrize(("gap", "tol"), [(1.0000001e-6, 1e-6), (1e-6 * (1 + 2**-52), 1e-6), (2e-6, 1e-6), (1.0, 0.0)])
def test_a_warning_shows_digits_that_differ(gap, tol):
    with pytest.warns(ConvergenceWarning) as caught:
        StoppingRules(10, tol, np.inf, None).warn("max_iter", "{found} for {tol}", gap, "")
    found, asked = str(caught[0].message).split(";")[0].split(" for ")
    assert found != asked
    assert float(found) == pytest.approx(gap, rel=0.1)


def test_a_callback_sees_copies_and_may_stop(rng):
    energy = TwoPhase(rng.normal(size=(64, 64)), 3.0)
    quiet = pdhg(energy, tol=1e-5)

    def spoil(progress):
        progress.u[:] = np.nan
        return "rubbish"

    np.testing.assert_array_equal(pdhg(energy, tol=1e-5, callback=spoil).u, quiet.u)
    stopped = pdhg(energy, tol=1e-9, callback=lambda progress: np.True_)
    assert stopped.status == "stopped"
    assert stopped.iterations == 0

    def fail(progress):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        pdhg(energy, callback=fail)


@pytest.mark.parametrize("labels", [1, 3])
def test_the_clock_and_the_threads_do_not_change_the_answer(monkeypatch, set_threads, rng, labels):
    cost = rng.normal(size=(labels, 300, 70))
    energy = TwoPhase(cost[0], 2.0) if labels == 1 else Potts(cost, 1.0)
    answers = []
    for seconds, threads in [(0.1, 1), (0.0, 2), (1e-4, 3)]:
        monkeypatch.setattr(sys.modules["varconvex.solvers.pdhg"], "_CHUNK_SECONDS", seconds)
        set_threads(threads)
        answers.append(pdhg(energy, tol=1e-4))
    for other in answers[1:]:
        np.testing.assert_array_equal(other.u, answers[0].u)
        assert (other.energy, other.primal, other.dual) == (answers[0].energy, answers[0].primal, answers[0].dual)


@pytest.mark.parametrize("offset", [3.0, 100.0, 1e4])
def test_what_all_labels_cost_in_common_changes_nothing_but_the_energy(backend, rng, offset):
    cost = rng.random((3, 40, 50))
    one, two = pdhg(Potts(cost, 0.3), backend=backend), pdhg(Potts(cost + offset, 0.3), backend=backend)
    assert (one.labels == two.labels).mean() > 0.999
    assert two.energy == pytest.approx(one.energy + offset * 2000, rel=1e-6)
    assert all(primal >= dual for _, _, primal, dual in two.history)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e20])
def test_no_scale_of_the_numbers_is_special(backend, scale):
    cost = np.where(np.hypot(*np.mgrid[-9:9, -9:9]) < 5, -1.0, 1.0)
    one, two = (pdhg(TwoPhase(cost * s, s), backend=backend) for s in (1.0, scale))
    np.testing.assert_array_equal(*(backend.to_numpy(solution.mask) for solution in (one, two)))
    assert two.energy / scale == pytest.approx(one.energy, rel=1e-5)
    assert two.dual <= two.energy


def test_the_bound_holds_for_costs_that_float32_cannot_tell():
    cost = np.full((8, 8), -16777217.0)
    solution = pdhg(TwoPhase(cost, 0.0))
    assert solution.dual <= cost.sum()


def test_an_optimum_of_zero_is_recognised(backend):
    solution = pdhg(TwoPhase(np.array([[1, 2, 1]]), 5, tv="anisotropic"), tol=1e-3, backend=backend)
    assert solution.converged
    assert not backend.to_numpy(solution.mask).any()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_anisotropic_masks_are_minimum_cuts_at_random(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 14, 3)) if seed % 2 else tuple(rng.integers(1, 40, 2))
    cost = rng.integers(-10, 11, shape)
    alpha = int(rng.integers(1, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solution = pdhg(TwoPhase(cost, alpha, tv="anisotropic"), tol=1e-6, max_iter=4000)
    assert solution.energy == minimum_cut(cost, alpha)


@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_octagonal_masks_come_within_a_third_of_a_percent_of_the_bound(backend, rng, alpha):
    cost = np.where(np.hypot(*np.mgrid[-40:41, -50:51]) < 25, -1.0, 1.0) + rng.normal(size=(81, 101))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solution = pdhg(TwoPhase(cost, alpha, tv="octagonal"), tol=1e-5, max_iter=3000, backend=backend)
    assert 0 <= solution.energy - solution.dual <= 3e-3 * abs(solution.dual)


@pytest.mark.parametrize(("spacing", "within"), [((1.0, 1.0), 0.055), ((2.0, 1.0), 0.1)])
def test_octagonal_lengths_hold_in_every_direction(spacing, within):
    rows, columns = (s * (np.arange(-150, 151) + 0.5) for s in spacing)
    for angle in np.linspace(0, np.pi, 25):
        side = np.cos(angle) * rows[:, None] + np.sin(angle) * columns > 0.01
        inner = np.hypot(rows[:, None], columns) < 100 * min(spacing)
        energy = TwoPhase(np.zeros(side.shape), 1.0, tv="octagonal", weight=inner, spacing=spacing)
        length = energy.value(get_backend("numpy"), side) * np.prod(spacing) ** 0.5  # pixels have volume 1
        assert length == pytest.approx(200 * min(spacing), rel=within)


@pytest.mark.parametrize("labels", [1, 3])
def test_one_more_stroke_starts_from_the_last_answer(backend, rng, labels):
    rows, columns = np.mgrid[:120, :150]
    inside = np.hypot(rows - 60, columns - 75) < 35
    cost = np.stack([np.where(inside, 0.3 * (-1) ** k, -0.3 * (-1) ** k) for k in range(labels)])
    cost = (cost + rng.normal(size=cost.shape)).astype(np.float32)
    make = (lambda c, **kw: TwoPhase(c[0], 4.0, **kw)) if labels == 1 else (lambda c, **kw: Potts(c, 4.0, **kw))
    first = pdhg(make(cost), backend=backend)
    before = backend.to_numpy(first.u).copy(), backend.to_numpy(first.p).copy()
    lower = np.zeros((labels, *rows.shape), np.float32)
    lower[-1, 100:104, 40:60] = 1
    lower = lower[0] if labels == 1 else lower
    again = pdhg(make(cost, lower=lower), start=first, backend=backend)
    anew = pdhg(make(cost, lower=lower), backend=backend, coarse_to_fine=False)
    assert again.converged
    assert again.primal == pytest.approx(anew.primal, rel=3e-3)
    if labels == 1:  # the relaxation of several labels has plateaus: a start near one end may be slow
        assert again.iterations <= anew.iterations / 2
    np.testing.assert_array_equal(backend.to_numpy(first.u), before[0])
    np.testing.assert_array_equal(backend.to_numpy(first.p), before[1])


def test_a_finer_image_starts_from_half_the_size(rng):
    cost = rng.normal(size=(51, 60))
    fine = np.kron(cost, np.ones((2, 2)))[:101]
    half = pdhg(TwoPhase(cost, 2.0), tol=1e-4)
    warm = pdhg(TwoPhase(fine, 4.0), start=half)
    assert warm.primal == pytest.approx(pdhg(TwoPhase(fine, 4.0), tol=1e-4).primal, rel=2e-3)
    with pytest.raises(InvalidParameterError, match=r"start must be a Solution with p of shape \(2, 1, 30, 30\)"):
        pdhg(TwoPhase(np.zeros((30, 30)), 1.0), start=half)
    with pytest.raises(InvalidParameterError, match="start must be a Solution"):
        pdhg(TwoPhase(cost, 1.0), start=half.u)


def test_coarse_to_fine_gives_the_same_answer_sooner(rng):
    rows, columns = np.mgrid[:400, :400]
    cost = np.where(np.hypot(rows - 180, columns - 220) < 120, -0.3, 0.3) + rng.normal(size=rows.shape)
    energy = TwoPhase(cost, 6.0)
    cold, warm = (pdhg(energy, tol=1e-3, coarse_to_fine=flag) for flag in (False, True))
    assert warm.primal == pytest.approx(cold.primal, rel=2e-3)
    assert warm.iterations <= cold.iterations / 2


@pytest.mark.parametrize("shape", [(5, 8), (6, 7), (4, 5, 6)])
def test_halving_keeps_sums(backend, rng, shape):
    array = rng.normal(size=(2, *shape)).astype(np.float32)
    half = backend.to_numpy(backend.halve(backend.asarray(array), len(shape)))
    assert half.shape == (2, *(-(-n // 2) for n in shape))
    if all(n % 2 == 0 for n in shape):
        assert half.sum() * 2 ** len(shape) == pytest.approx(array.sum(), rel=1e-4)
    np.testing.assert_array_equal(backend.to_numpy(backend.halve(backend.asarray(np.ones(shape)), len(shape))), 1)


def test_potts_with_two_labels_is_the_two_phase_energy(backend, rng):
    cost = rng.normal(size=(24, 25))
    two = pdhg(TwoPhase(cost, 1.3), tol=1e-5, backend=backend)
    potts = pdhg(Potts(np.stack([np.zeros_like(cost), cost]), 1.3), tol=1e-5, backend=backend)
    assert potts.primal == pytest.approx(two.primal, rel=3e-5)
    assert (potts.mask == two.mask).mean() > 0.99


@pytest.mark.parametrize("seed", range(3))
def test_potts_bound_and_rounding_against_enumeration(backend, seed):
    cost = np.random.default_rng(seed).normal(size=(3, 2, 4))
    best = best_labelling(cost, 0.4)
    solution = pdhg(Potts(cost, 0.4, tv="anisotropic"), tol=1e-4, backend=backend)
    assert solution.dual <= best + 1e-5
    assert solution.energy >= best - 1e-5
    assert solution.energy == pytest.approx(best, abs=0.2)


def test_potts_seeds_hold(backend, rng):
    cost = rng.normal(size=(3, 20, 20))
    lower = np.zeros(cost.shape)
    lower[2, 3:6, 3:6] = 1
    solution = pdhg(Potts(cost, 1.0, lower=lower), backend=backend)
    assert (backend.to_numpy(solution.labels)[3:6, 3:6] == 2).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (3, 4, 5)])
def test_small_grids_and_volumes(backend, rng, shape):
    cost = rng.normal(size=shape)
    solution = pdhg(TwoPhase(cost, 0.5, spacing=(1e6,) + (1.0,) * (len(shape) - 1)), backend=backend)
    assert solution.u.shape == shape
    assert np.isfinite(backend.to_numpy(solution.u)).all()


def test_inputs_are_left_alone(rng):
    cost = rng.normal(size=(40, 50))
    before = cost.copy()
    cost.flags.writeable = False
    pdhg(TwoPhase(cost, 1.0))
    np.testing.assert_array_equal(cost, before)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (
            lambda c: TwoPhase(np.where(c > 2, np.nan, c), 1),
            InvalidImageError,
            r"cost must be finite .* first at index",
        ),
        (
            lambda c: TwoPhase(c.astype(complex), 1),
            UnsupportedTypeError,
            "bools, integers or floats; got dtype complex",
        ),
        (lambda c: TwoPhase(c[0], 1), InvalidImageError, "cost must be 2-D or 3-D; got shape"),
        (lambda c: TwoPhase(c[:0], 1), InvalidImageError, "an axis of length 0"),
        (lambda c: TwoPhase(c, -1), InvalidParameterError, "alpha must be a finite number, at least 0; got -1"),
        (lambda c: TwoPhase(c, np.nan), InvalidParameterError, "alpha must be a finite number"),
        (lambda c: TwoPhase(c, "1"), InvalidParameterError, "alpha must be a number, at least 0; got str '1'"),
        (lambda c: TwoPhase(c, c), InvalidParameterError, "alpha must be a number.*ndarray of shape"),
        (
            lambda c: TwoPhase(c, 1, weight=c[1:]),
            InvalidImageError,
            "weight must be non-negative with the spatial shape",
        ),
        (lambda c: TwoPhase(c, 1, weight=-np.ones_like(c)), InvalidImageError, "least value -1"),
        (lambda c: TwoPhase(c, 1, lower=c[1:]), InvalidImageError, "lower must be a number or have the cost's shape"),
        (lambda c: TwoPhase(c, 1, lower=1, upper=0), InvalidParameterError, "lower must not exceed upper"),
        (lambda c: TwoPhase(c, 1, quadratic_weight=1), InvalidParameterError, "target must have the cost's shape"),
        (
            lambda c: TwoPhase(c, 1, spacing=(1, 0)),
            InvalidParameterError,
            "spacing must be a finite number, more than 0",
        ),
        (lambda c: TwoPhase(c, 1, spacing=(1, 1, 1)), InvalidParameterError, "one positive number for each of the 2"),
        (lambda c: TwoPhase(c, 1, tv="huber"), InvalidParameterError, "tv must be one of 'isotropic', 'anisotropic'"),
        (lambda c: Potts(c[None], 1), InvalidImageError, "at least 2 labels"),
        (lambda c: Potts(np.stack([c, c]), 1, lower=1.0), InvalidParameterError, "sum to at most 1"),
        (lambda c: TwoPhase(c, 1, upper=2.0), InvalidParameterError, r"upper must lie in \[0, 1\]"),
        (lambda c: TwoPhase(c * 1e39, 1), InvalidParameterError, "must be at most"),
        (
            lambda c: TwoPhase(c, 1, quadratic_weight=1, target=np.full(c.shape, np.nan)),
            InvalidImageError,
            "target must be finite",
        ),
        (
            lambda c: TwoPhase(c, 1, quadratic_weight=1, target=np.where(c > 0, -1e31, 0)),
            InvalidParameterError,
            "target and quadratic_weight . target must be at most",
        ),
        (lambda c: Potts(np.stack([c, c]), 1, upper=c), InvalidParameterError, "upper must be left at 1"),
        (lambda c: pdhg(TwoPhase), InvalidParameterError, "energy must be an energy"),
        (lambda c: pdhg(TwoPhase(c, 1), callback=3), InvalidParameterError, "callback must be None or a function"),
        (lambda c: pdhg(c), InvalidParameterError, "energy must be an energy such as TwoPhase"),
        (lambda c: pdhg(TwoPhase(c, 1), max_iter=1.5), InvalidParameterError, "max_iter must be a whole number"),
        (lambda c: pdhg(TwoPhase(c, 1), tol=-1), InvalidParameterError, "tol must be a finite number, at least 0"),
    ],
)
def test_bad_energies_are_named(rng, make, error, match):
    cost = rng.normal(size=(8, 9))
    cost[0, 0] = 3
    with pytest.raises(error, match=match):
        make(cost)


def test_the_numba_kernels_take_a_cost_that_is_not_contiguous(rng):
    cost = rng.normal(size=(80, 90))
    plain = pdhg(TwoPhase(cost.copy(), 1.0), backend=get_backend("numba"))
    for odd in (np.asfortranarray(cost), cost[::-1][::-1], cost.astype(">f8"), np.repeat(cost, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(pdhg(TwoPhase(odd, 1.0), backend="numba").u, plain.u)


@pytest.mark.parametrize("ndim", [2, 3])
def test_warming_up_leaves_nothing_to_compile(ndim):
    warm_up(ndim=ndim)
    begin = time.perf_counter()
    pdhg(TwoPhase(np.linspace(-1, 1, 70**ndim).reshape((70,) * ndim), 0.1), max_iter=100)
    assert time.perf_counter() - begin < 2
    warm_up("numpy", ndim=ndim)


def test_where_costs_decide_little_restarts_from_the_average_stop_the_oscillation(monkeypatch):
    y, x = np.mgrid[:128, :128] / 128
    spot = {k: np.hypot(x - k, y - 0.5) < 0.06 for k in (0.2, 0.8)}
    energy = TwoPhase(np.where(spot[0.2], -5.0, np.where(spot[0.8], 5.0, 0.0)), alpha=3.0)
    with pytest.warns(ConvergenceWarning):
        restarted = pdhg(energy, tol=1e-4, max_iter=3000)
    monkeypatch.setattr("varconvex.solvers.steps._PATIENCE", 10**9)
    with pytest.warns(ConvergenceWarning):
        oscillating = pdhg(energy, tol=1e-4, max_iter=3000)
    # The least energy of all: both bounds are below it, and each energy is above both bounds.
    assert max(restarted.dual, oscillating.dual) <= min(restarted.energy, oscillating.energy)
    assert restarted.gap < 0.3 * oscillating.gap
    assert [h[0] for h in restarted.history] == sorted({h[0] for h in restarted.history})


def test_the_average_iterate_is_the_average_and_copies(rng):
    pairs = [(rng.normal(size=(1, 4, 5)).astype(np.float32), rng.normal(size=(2, 1, 4, 5))) for _ in range(5)]
    before = pairs[0][0].copy()
    average = AverageIterate()
    assert average.add(8, *pairs[-1]) is None  # too early to count
    for k, pair in enumerate(pairs):
        assert average.add(100 + 8 * k, *pair) is None  # too early for a trial
    for found, wanted in zip(average.pair(), zip(*pairs, strict=True), strict=True):
        np.testing.assert_allclose(found, np.mean(wanted, axis=0), atol=1e-6)
    np.testing.assert_array_equal(pairs[0][0], before)


def test_many_coupled_labels_end_in_time_and_say_what_an_iteration_takes(rng):
    energy = Potts(rng.random((30, 130, 140)).astype(np.float32), 0.3, relaxation="ccp")
    seconds = []
    for _ in range(3):  # the first ones compile
        begin = time.perf_counter()
        with pytest.warns(ConvergenceWarning, match=r"with 30 labels of relaxation='ccp' each takes .* s: use 'zach'"):
            solution = pdhg(energy, time_limit=0.3)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 1.5
    assert solution.status == "time_limit"
    assert 0 <= solution.gap < np.inf
