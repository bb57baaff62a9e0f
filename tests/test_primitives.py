"""Laws of the generic problem's proximal steps: Moreau's identity by brute force, firmness, bounds that are bounds."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from varconvex import Potts, TwoPhase
from varconvex.backends import ArrayBackend, Problem
from varconvex.backends.base import next_steps
from varconvex.backends.pairs import pairwise_length, project_pairs

SPEC = ArrayBackend()
DUALS = [
    {"coupling": "separate"},
    {"coupling": "separate", "isotropic": False},
    {"coupling": "separate", "huber": 0.3},
    {"coupling": "separate", "huber": 0.3, "isotropic": False},
    {"coupling": "joint"},
    {"coupling": "joint", "isotropic": False},
    {"coupling": "joint", "huber": 0.5},
    {"coupling": "joint", "huber": 0.5, "truncated": True},
    {"coupling": "separate", "huber": 0.2, "truncated": True},
    {"coupling": "separate", "huber": 0.2, "truncated": True, "isotropic": False},
    {"coupling": "pairwise"},
    {"coupling": "pairwise", "isotropic": False},
]
CONVEX = [options for options in DUALS if not options.get("truncated")]


def pixel(labels, radius=0.8, **options):
    """A problem of one pixel."""
    shape = (labels, 1, 1)
    return Problem(
        cost=np.zeros(shape), dual_radius=np.full((1, 1), radius), lower=np.zeros(shape), upper=np.ones(shape),
        steps=(1.0, 1.0), **options,
    )  # fmt: skip


def charge(g, problem):
    """The regulariser of one pixel's gradient (2, L), in plain Python."""
    lengths = {
        ("separate", True): [np.hypot(*g[:, k]) for k in range(g.shape[1])],
        ("separate", False): list(np.abs(g).ravel()),
        ("joint", True): [np.sqrt((g**2).sum())],
        ("joint", False): [np.sqrt((row**2).sum()) for row in g],
    }
    radius = float(problem.dual_radius.ravel()[0])
    if problem.coupling == "pairwise":
        return radius * fermat(g) if problem.isotropic else radius * np.maximum(g, 0).sum()
    total, h = 0.0, problem.huber
    for t in lengths[problem.coupling, problem.isotropic]:
        if problem.truncated:
            total += min(t * t / (2 * h), 1.0)
        elif h:
            total += t * t / (2 * h) if t < h else t - h / 2
        else:
            total += t
    return radius * total


def fermat(g):
    """Least |x| + |x - g_0| + |x + g_1|: what three labels' gradients that sum to 0 cost, by a general optimiser."""
    corners = np.stack([np.zeros(2), g[:, 0], -g[:, 1]])
    starts = [*corners, corners.mean(axis=0)]
    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 2000}
    length = lambda x: np.hypot(*(x - corners).T).sum()  # noqa: E731
    return min(minimize(length, start, method="Nelder-Mead", options=options).fun for start in starts)


@pytest.mark.parametrize("options", DUALS, ids=str)
def test_dual_steps_satisfy_moreaus_identity_by_brute_force(rng, options):
    # p_new = p - sigma g, where g minimises sigma/2 |g - p/sigma|^2 + R(g): no other g that is tried is better.
    sigma = 0.7
    for trial in range(6):
        problem = pixel(3, **options)
        p = rng.normal(size=(2, 3, 1, 1)) * (0.3, 1.0, 3.0)[trial % 3]
        if options["coupling"] == "pairwise":  # its length is that of fields which sum to 0
            p -= p.mean(axis=1, keepdims=True)
            new = project_pairs(np, p, problem.dual_radius, problem.isotropic, sweeps=150)
        else:
            new = SPEC.project_dual(p, problem, sigma)
        p, g = p[..., 0, 0], ((p - new) / sigma)[..., 0, 0]
        least = sigma / 2 * ((g - p / sigma) ** 2).sum() + charge(g, problem)
        tries = [g * s for s in (0, 0.5, 0.9, 1.1)] + [p / sigma * s for s in (0.25, 0.5, 1.0)]
        for size in (1e-3, 1e-2, 0.1, 1.0):
            noise = rng.normal(size=(20, *g.shape)) * size
            tries += list(g + noise - noise.mean(axis=2, keepdims=True) * (options["coupling"] == "pairwise"))
        for other in tries if problem.coupling != "pairwise" else tries[::8]:
            assert least <= sigma / 2 * ((other - p / sigma) ** 2).sum() + charge(other, problem) + 1e-6


@pytest.mark.parametrize("options", CONVEX, ids=str)
def test_convex_dual_steps_are_firmly_non_expansive(rng, options):
    problem = pixel(4, **options)
    a, b = (2 * rng.normal(size=(2, 4, 50, 1)) for _ in range(2))
    if options["coupling"] == "pairwise":
        pa, pb = (project_pairs(np, x, problem.dual_radius, problem.isotropic, sweeps=300) for x in (a, b))
    else:
        pa, pb = (SPEC.project_dual(x, problem, 0.5) for x in (a, b))
    moved, wanted = pa - pb, a - b
    assert ((moved**2).sum(axis=(0, 1)) <= (moved * wanted).sum(axis=(0, 1)) + 1e-5).all()


@pytest.mark.parametrize("isotropic", [True, False])
@pytest.mark.parametrize("labels", [2, 3, 5])
def test_pairs_are_feasible_whatever_the_sweeps_left(rng, labels, isotropic):
    radius = rng.uniform(0, 1, (4, 5)).astype(np.float32)
    radius[0, 0] = 0
    p = (5 * rng.normal(size=(2, labels, 4, 5))).astype(np.float32)
    for sweeps in (1, 3):
        q = project_pairs(np, p, radius, isotropic, sweeps)
        for i, j in itertools.combinations(range(labels), 2):
            apart = q[:, i] - q[:, j]
            longest = np.hypot(*apart) if isotropic else np.abs(apart).max(axis=0)
            assert (longest <= radius * (1 + 1e-5) + 1e-7).all()


def test_what_is_inside_the_pairs_stays(rng):
    p = 0.1 * rng.normal(size=(2, 4, 3, 3))
    np.testing.assert_allclose(project_pairs(np, p, np.full((3, 3), 2.0), True), p, atol=1e-12)


def test_three_labels_meet_in_a_fermat_point(rng):
    for _ in range(8):
        g = rng.normal(size=(2, 3))
        g[:, 2] = -g[:, 0] - g[:, 1]
        assert pairwise_length(np, g[..., None], True)[0, 0] == pytest.approx(fermat(g), rel=1e-6)


def test_the_pairwise_length_is_the_supremum_for_three_labels_and_above_it_for_more(rng):
    for labels in (2, 3, 5):
        g = rng.normal(size=(2, labels, 1))
        g -= g.mean(axis=1, keepdims=True)
        p = np.zeros_like(g)
        for _ in range(100):  # ascent on a linear function over the dual set
            p = project_pairs(np, p + 0.2 * g, np.ones(1), True, sweeps=40)
        value, bound = float((p * g).sum()), float(pairwise_length(np, g, True)[0, 0])
        assert value <= bound + 1e-9
        if labels <= 3:
            assert value == pytest.approx(bound, rel=2e-3)


@pytest.mark.parametrize("quadratic_weight", [0.0, 1.3])
@pytest.mark.parametrize("l1_weight", [0.0, 0.6])
def test_the_primal_step_and_the_least_value_are_those_of_a_fine_grid(rng, quadratic_weight, l1_weight):
    grid = np.linspace(0.1, 0.9, 20_001)
    for _ in range(30):
        v, slope, target, tau = rng.normal(), rng.normal(), rng.uniform(-0.2, 1.2), rng.uniform(0.1, 2)
        full = lambda x: np.full((1, 1, 1), x)  # noqa: E731
        problem = Problem(
            cost=full(0.0), dual_radius=np.ones((1, 1)), lower=full(0.1), upper=full(0.9), steps=(1.0, 1.0),
            quadratic_weight=quadratic_weight,
            l1_weight=l1_weight, target=full(target) if l1_weight else None,
        )  # fmt: skip
        data = quadratic_weight / 2 * grid**2 + l1_weight * abs(grid - target)
        best = grid[((grid - v) ** 2 / (2 * tau) + data).argmin()]
        stepped = full(v) / (1 + tau * quadratic_weight)
        assert SPEC.prox(stepped, problem, tau)[0, 0, 0] == pytest.approx(best, abs=2e-4)
        if quadratic_weight or l1_weight:
            assert SPEC._least(problem, full(slope))[0, 0, 0] == pytest.approx((slope * grid + data).min(), abs=2e-4)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (data, options)
        for data in ("linear", "quadratic_weight", "l1_weight", "both")
        for options in CONVEX
        if data == "linear" or options["coupling"] != "pairwise"  # labels have a linear cost
    ],
    ids=str,
)
def test_no_dual_value_exceeds_a_primal_one(backend, rng, options, data):
    shape = (4, 7, 6)
    f = np.float32
    simplex = options["coupling"] == "pairwise"
    arrays = {
        "cost": rng.normal(size=shape), "dual_radius": rng.uniform(0, 1, shape[1:]), "lower": np.zeros(shape),
        "upper": np.ones(shape), "target": rng.uniform(-0.1, 1.1, shape),
    }  # fmt: skip
    problem = Problem(
        **{name: backend.asarray(value, f) for name, value in arrays.items()}, steps=(1.0, 0.7), simplex=simplex,
        quadratic_weight=0.8 * (data in ("quadratic_weight", "both")),
        l1_weight=0.5 * (data in ("l1_weight", "both")), **options,
    )  # fmt: skip
    best = [-np.inf, np.inf]
    for size in (0.1, 1.0, 3.0):
        u = backend.project(backend.asarray(rng.normal(size=shape).astype(f)), problem)
        p = backend.asarray((size * rng.normal(size=(2, *shape))).astype(f))
        p = backend.project_ball(p, problem.dual_radius, problem.isotropic, problem.coupling)
        p[0, :, -1], p[1, :, :, -1] = 0, 0  # there is no difference beyond the border
        for _ in range(2):
            primal, dual = backend.values(problem, u, p)
            best = [max(best[0], dual), min(best[1], primal)]
            backend.iterate(problem, u, p, n=60, tau=0.3, sigma=0.3, rho=1.7, finish=True)
    assert best[0] <= best[1]
    assert best[1] - best[0] <= 0.1 * abs(best[1])  # and the iterations bring them together


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [1.0, 4.0, -0.125])
@pytest.mark.parametrize("offset", [0.0, 0.1, -3.0])
def test_rounding_says_what_it_changes(backend, rng, dtype, unit, offset):
    array = rng.normal(size=(4, 5)).astype(dtype)
    found, error = backend.rounded(backend.asarray(array), unit, offset)
    exact = (array.astype(np.float64) - offset) / unit
    np.testing.assert_array_equal(backend.to_numpy(found), exact.astype(np.float32))
    assert error == pytest.approx(abs(exact.astype(np.float32) - exact).sum(), rel=1e-9)


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("tv", ["isotropic", "anisotropic"])
def test_slices_add_up_to_the_values(backend, rng, labels, tv):
    cost, lower = rng.normal(size=(labels, 6, 7)), np.where(rng.random((labels, 6, 7)) < 0.2, 0.3, 0)
    make, cost, lower = (Potts, cost, lower) if labels > 1 else (TwoPhase, cost[0], lower[0])
    problem = make(cost, 0.7, weight=rng.random((6, 7)), lower=lower, tv=tv).problem(backend)
    u = backend.project(backend.asarray(rng.random((labels, 6, 7)), np.float32), problem)
    field = backend.asarray(rng.normal(size=(labels, 6, 7)), np.float32)
    p = backend.gradient(field, problem.steps)  # 0 where there is no next pixel
    p = backend.project_ball(p, problem.dual_radius, problem.isotropic, problem.coupling)
    primal, dual = backend.primal_slices(problem, u), backend.dual_slices(problem, p)
    assert primal.shape == dual.shape == (6,)
    assert backend.primal_value(problem, u) == pytest.approx(
        problem.cost_unit * primal.sum() + problem.constant, rel=1e-6
    )
    expected = problem.cost_unit * (dual.sum() - problem.rounding_slack) + problem.constant
    assert backend.dual_value(problem, p) == pytest.approx(expected, rel=1e-6)


def test_a_truncated_problem_has_no_bound():
    assert SPEC.dual_value(pixel(2, huber=0.3, truncated=True), np.zeros((2, 2, 1, 1))) == -np.inf


def test_steps_keep_their_product():
    theta, tau, sigma = next_steps(0.25, 0.5, 2.0)
    assert tau * sigma == pytest.approx(0.125)
    assert theta == pytest.approx(1 / np.sqrt(2))
    assert next_steps(0.25, 0.5, 0.0) == (1.0, 0.25, 0.5)
