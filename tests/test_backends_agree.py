"""The specification obeys its laws, and every backend agrees with it."""

import copy
import pickle
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from varconvex.backends import ArrayBackend, Problem, get_backend
from varconvex.backends.numba_ import NumbaBackend, cut
from varconvex.backends.numba_layout import Layout
from varconvex.backends.numpy_ import NumpyBackend
from varconvex.errors import BackendUnavailableError, InvalidParameterError

SHAPES = [(53, 131), (200, 40), (7, 5), (1, 9), (9, 1), (2, 2), (1, 1)]


OCTAGON = ((1, 0), (0, 1), (1, 1), (1, -1))


def problem_of(rng, labels, shape, *, isotropic=True, weighted=True, quadratic_weight=0.0, huber=0.0, offsets=None):
    """A random problem with a few seeds."""
    f = np.float32
    lower = np.zeros((labels, *shape), f)
    upper = np.ones((labels, *shape), f)
    seeds = rng.integers(0, 3 * labels, shape)
    for k in range(labels):
        lower[k][seeds == k] = 1
    upper[0][(seeds == labels) & (lower[0] == 0)] = 0
    return Problem(
        cost=rng.normal(size=(labels, *shape)).astype(f),
        dual_radius=rng.uniform(0, 2, shape).astype(f) if weighted else np.full((1,) * len(shape), 1.5, f),
        lower=lower,
        upper=upper,
        steps=tuple(rng.uniform(0.5, 1.0, len(offsets or shape)).tolist()),
        offsets=offsets,
        isotropic=isotropic,
        simplex=labels > 1,
        quadratic_weight=quadratic_weight,
        huber=huber,
    )


def in_arrays_of(backend, problem):
    """The problem in the arrays of a backend."""
    fields = {name: backend.asarray(getattr(problem, name)) for name in ("cost", "dual_radius", "lower", "upper")}
    return replace(problem, **fields)


@pytest.mark.parametrize("shape", [(6, 7), (1, 5), (3, 4, 5)])
def test_divergence_is_the_negative_adjoint(backend, rng, shape):
    steps = tuple(rng.uniform(0.5, 2, len(shape)))
    u = backend.asarray(rng.normal(size=(2, *shape)))
    p = backend.asarray(rng.normal(size=(len(shape), 2, *shape)))
    left = float((backend.gradient(u, steps) * p).sum())
    right = -float((u * backend.divergence(p, steps)).sum())
    assert abs(left - right) <= 1e-12 * max(1, abs(left))


def test_gradient_is_that_of_a_ramp(backend):
    u = backend.asarray(np.add.outer(3.0 * np.arange(4), 5.0 * np.arange(6))[None])
    g = backend.to_numpy(backend.gradient(u, (2.0, 0.5)))
    np.testing.assert_array_equal(g[0, 0, :-1], 6.0)
    np.testing.assert_array_equal(g[0, 0, -1], 0.0)
    np.testing.assert_array_equal(g[1, 0, :, :-1], 2.5)
    np.testing.assert_array_equal(g[1, 0, :, -1], 0.0)


@pytest.mark.parametrize("isotropic", [True, False])
def test_ball_projection_is_firm_and_inside(backend, rng, isotropic):
    radius = rng.uniform(0, 2, (5, 6))
    radius[0, 0] = 0
    a, b = (backend.asarray(3 * rng.normal(size=(2, 1, 5, 6))) for _ in range(2))
    r = backend.asarray(radius)
    pa, pb = (backend.to_numpy(backend.project_ball(x, r, isotropic)) for x in (a, b))
    longest = np.hypot(pa[0], pa[1]) if isotropic else np.abs(pa).max(axis=0)
    assert (longest <= radius * (1 + 1e-12)).all()
    a, b = backend.to_numpy(a), backend.to_numpy(b)
    assert ((pa - pb) ** 2).sum() <= ((pa - pb) * (a - b)).sum() + 1e-12


def test_simplex_projection_satisfies_the_optimality_conditions(backend, rng):
    v = rng.normal(size=(5, 40))
    total = rng.uniform(0, 2, 40)
    w = backend.to_numpy(backend.project_simplex(backend.asarray(v), backend.asarray(total)))
    np.testing.assert_allclose(w.sum(axis=0), total, atol=1e-12)
    assert (w >= 0).all()
    # v - w is one number where w > 0 and at most that number elsewhere: the normal cone of the simplex.
    theta = (v - w).max(axis=0)
    np.testing.assert_allclose(np.where(w > 1e-12, v - w, theta), np.broadcast_to(theta, v.shape), atol=1e-9)


CASES = [
    {"labels": 1},
    {"labels": 1, "isotropic": False, "weighted": False},
    {"labels": 1, "weighted": False, "quadratic_weight": 0.7},
    {"labels": 3},
    {"labels": 2, "isotropic": False, "weighted": False},
    {"labels": 1, "huber": 0.2},
    {"labels": 2, "huber": 0.2, "isotropic": False},
    {"labels": 1, "offsets": OCTAGON, "isotropic": False},
    {"labels": 3, "offsets": OCTAGON, "isotropic": False, "huber": 0.1},
    {"labels": 2, "offsets": OCTAGON},
]


def with_shapes(shapes):
    """Every case with every shape; diagonal differences exist for images only."""
    pairs = [(case, shape) for case in CASES for shape in shapes if len(shape) == 2 or "offsets" not in case]
    return pytest.mark.parametrize(("case", "shape"), pairs, ids=str)


@with_shapes([*SHAPES, (4, 5, 6), (40, 3, 9), (1, 1, 5), (7, 1, 1)])
def test_iterations_agree_with_the_specification(backend, rng, shape, case):
    problem = problem_of(rng, shape=shape, **case)
    answers = []
    for one in (NumpyBackend(), backend):
        here = in_arrays_of(one, problem)
        u = one.project(one.asarray(np.full(problem.cost.shape, 0.3, np.float32)), here)
        p = one.asarray(np.zeros((len(problem.steps), *problem.cost.shape), np.float32))
        one.iterate(here, u, p, n=37, tau=0.2, sigma=0.2, rho=1.9, finish=True)
        answers.append((one.to_numpy(u), one.to_numpy(p), one.values(here, u, p)))
    (u0, p0, v0), (u1, p1, v1) = answers
    np.testing.assert_allclose(u1, u0, atol=2e-5)
    np.testing.assert_allclose(p1, p0, atol=2e-5)
    np.testing.assert_allclose(v1, v0, rtol=1e-5, atol=1e-3)


@with_shapes([(53, 131), (200, 41), (300, 8), (1, 9), (9, 1), (1, 1), (9, 6, 7)])
def test_grids_in_between_agree_with_the_specification(backend, rng, shape, case):
    problem = problem_of(rng, shape=shape, **case)
    half = tuple(-(-n // 2) for n in problem.cost.shape[1:])
    start = rng.uniform(size=(case["labels"], *half)).astype(np.float32)
    flow = 1.5 * rng.normal(size=(len(problem.steps), case["labels"], *half)).astype(np.float32)
    answers = []
    for one in (NumpyBackend(), backend):
        here = in_arrays_of(one, problem)
        coarse = one.coarsen(here)
        finer = one.prolong(here, one.project(one.asarray(start), coarse), one.asarray(flow))
        answers.append([one.to_numpy(a) for a in (coarse.cost, coarse.dual_radius, coarse.lower, *finer)])
        if case["labels"] == 1:
            mask, energy = one.threshold(here, finer[0], (0.2, 0.5, 0.8))
            assert energy == pytest.approx(one.primal_value(here, mask), rel=1e-6, abs=1e-6)
            answers[-1].append(one.to_numpy(mask))
    for a, b in zip(*answers, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "offsets"), [((8, 6), None), ((7, 9), None), ((4, 6, 8), None), ((8, 6), OCTAGON), ((7, 9), OCTAGON)]
)
def test_prolonging_repeats_the_divergence(backend, rng, shape, offsets):
    fine = problem_of(rng, 1, shape, weighted=False, isotropic=offsets is None, offsets=offsets)
    fine = in_arrays_of(
        backend, replace(fine, dual_radius=np.full((1,) * len(shape), 100, np.float32), steps=(1.0,) * len(fine.steps))
    )
    coarse = backend.coarsen(fine)
    shape_p = (len(fine.steps), *coarse.cost.shape)
    # What flows out over the border is no part of p: only differences that are there have flows.
    p = backend.gradient(backend.asarray(rng.normal(size=coarse.cost.shape).astype(np.float32)), fine.steps, offsets)
    assert p.shape == shape_p
    _, finer = backend.prolong(fine, coarse.lower, p)
    div = backend.to_numpy(backend.divergence(finer, fine.steps, offsets))
    wanted = backend.to_numpy(backend.divergence(p, fine.steps, offsets))
    for axis in range(1, wanted.ndim):
        wanted = wanted.repeat(2, axis=axis)
    inner = tuple(slice(0, n - n % 2) for n in wanted.shape[1:])
    whole = tuple(slice(0, n // 2 * 2) for n in shape)
    if all(n % 2 == 0 for n in shape):
        np.testing.assert_allclose(div[(0, *whole)], wanted[(0, *inner)], atol=1e-5)
    assert div.sum() == pytest.approx(0, abs=1e-3)


def test_the_last_iteration_ends_feasible(backend, rng):
    problem = problem_of(rng, 3, (30, 20))
    problem = in_arrays_of(backend, problem)
    u = backend.project(backend.asarray(np.full((3, 30, 20), 1 / 3, np.float32)), problem)
    p = backend.asarray(np.zeros((2, 3, 30, 20), np.float32))
    backend.iterate(problem, u, p, n=11, tau=0.3, sigma=0.3, rho=1.9, finish=True)
    u, p = backend.to_numpy(u), backend.to_numpy(p)
    np.testing.assert_allclose(u.sum(axis=0), 1, atol=1e-5)
    assert (u >= backend.to_numpy(problem.lower) - 1e-6).all()
    assert (np.hypot(p[0], p[1]) <= backend.to_numpy(problem.dual_radius) * (1 + 1e-5) + 1e-6).all()


@pytest.mark.parametrize("n", [1, 2, 8, 21])
@pytest.mark.parametrize(
    ("labels", "shape", "terms"),
    [
        (1, (331, 40), {}),
        (2, (200, 33), {"isotropic": False}),
        (1, (250, 21), {"offsets": OCTAGON, "isotropic": False}),
        (3, (200, 17), {"huber": 0.2}),
        (1, (150, 4, 19), {"quadratic_weight": 0.3}),
    ],
)
def test_any_number_of_threads_gives_the_same_bits(set_threads, rng, labels, shape, terms, n):
    problem = problem_of(rng, labels, shape, **terms)
    backend = get_backend("numba")
    answers = []
    for threads in (1, 2, 5):
        set_threads(threads)
        assert len(cut(np.ones(shape[0]), min(n, 8))) == min(threads, shape[0] // (6 * min(n, 8)))
        u = backend.project(np.full(problem.cost.shape, 0.5, np.float32), problem)
        p = np.zeros((len(problem.steps), *problem.cost.shape), np.float32)
        backend.iterate(problem, u, p, n=n, tau=0.3, sigma=0.3, rho=1.9, finish=True)
        answers.append((u, p))
    for u, p in answers[1:]:
        np.testing.assert_array_equal(u, answers[0][0])
        np.testing.assert_array_equal(p, answers[0][1])


@pytest.mark.parametrize("n", [1, 15, 37])
@pytest.mark.parametrize(
    ("shape", "terms"),
    [
        ((300, 150), {}),
        ((300, 211), {"weighted": False}),
        ((300, 150), {"huber": 0.2}),
        ((300, 157), {"isotropic": False, "quadratic_weight": 0.3}),
        ((300, 150), {"offsets": OCTAGON, "isotropic": False}),
    ],
)
def test_tiles_of_columns_do_not_change_a_bit(monkeypatch, set_threads, rng, shape, terms, n):
    problem = problem_of(rng, 1, shape, **terms)
    answers = []
    for tile, threads in ((1000, 1), (48, 1), (48, 5), (70, 2)):
        set_threads(threads)
        monkeypatch.setattr("varconvex.backends.numba_layout._TILE", tile)
        layout = Layout(replace(problem))
        assert len(layout.tiles(9)) == (round(shape[1] / tile) if tile < 1000 else 1)
        assert len(layout.tiles(8)) == 1
        assert tile == 1000 or layout.depth == (15 if "offsets" in terms else 16)
        mine, backend = replace(problem), NumbaBackend()
        u = backend.project(np.full(problem.cost.shape, 0.5, np.float32), mine)
        p = np.zeros((len(problem.steps), *problem.cost.shape), np.float32)
        for _ in range(2):
            backend.iterate(mine, u, p, n=n, tau=0.3, sigma=0.3, rho=1.9, finish=True)
        answers.append((u, p))
    for u, p in answers[1:]:
        np.testing.assert_array_equal(u, answers[0][0])
        np.testing.assert_array_equal(p, answers[0][1])


def test_the_operators_norm_is_bounded(rng):
    backend = NumpyBackend()
    for shape, offsets in [((9, 12), None), ((5, 6, 7), None), ((12, 12), OCTAGON)]:
        steps = tuple(rng.uniform(0.3, 2, len(offsets or shape)))
        problem = replace(problem_of(rng, 1, shape, offsets=offsets), steps=steps)
        u = rng.normal(size=(1, *shape))
        for _ in range(300):
            u /= np.linalg.norm(u)
            u = -backend.divergence(backend.gradient(u, steps, offsets), steps, offsets)
        assert 0.8 * problem.norm <= np.sqrt(np.linalg.norm(u)) <= problem.norm


def test_weak_duality_for_any_feasible_pair(backend, rng):
    for labels in (1, 3):
        problem = problem_of(rng, labels, (12, 9), quadratic_weight=0.0)
        problem = in_arrays_of(backend, problem)
        for _ in range(20):
            u = backend.project(backend.asarray(rng.normal(size=(labels, 12, 9)).astype(np.float32)), problem)
            p = backend.asarray(3 * rng.normal(size=(2, labels, 12, 9)).astype(np.float32))
            p = backend.project_ball(p, problem.dual_radius, problem.isotropic)
            primal, dual = backend.values(problem, u, p)
            assert primal >= dual


def test_backends_by_name():
    assert get_backend().name == "numba"
    assert get_backend("numpy").name == "numpy"
    own = ArrayBackend()
    assert get_backend(own) is own
    with pytest.raises(
        InvalidParameterError, match=r"must be one of cupy, numba, numpy; got 'nunba'\. Did you mean 'numba'"
    ):
        get_backend("nunba")
    with pytest.raises(InvalidParameterError, match="backend must be None or one of"):
        get_backend(3)


class OwnBackend(NumpyBackend):
    """A backend that is in no registry."""

    many = True


@pytest.mark.parametrize("kind", [NumpyBackend, NumbaBackend, OwnBackend])
@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_backends_survive_pickle_and_deepcopy(rng, kind, copied):
    backend, problem = kind(), problem_of(rng, 1, (20, 30))
    answers = []
    for _ in range(2):
        u, p = np.full((1, 20, 30), 0.5, np.float32), np.zeros((2, 1, 20, 30), np.float32)
        backend.iterate(problem, u, p, n=9, tau=0.3, sigma=0.3, rho=1.9, finish=True)
        answers.append((u, p, *backend.values(problem, u, p)))
        backend = copied(backend)
        assert type(backend) is kind
    for a, b in zip(*answers, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gpu_that_is_not_there_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(BackendUnavailableError, match=r"needs CuPy, which is not installed; .*cupy-cuda12x"):
        get_backend("cupy")


def test_cupy_without_a_device_is_named_with_its_remedy(monkeypatch):
    def no_driver():
        raise RuntimeError("CUDA driver version is insufficient")

    runtime = types.SimpleNamespace(getDeviceCount=no_driver)
    fake = types.SimpleNamespace(__version__="13.0", cuda=types.SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    with pytest.raises(BackendUnavailableError, match=r"driver version is insufficient\. Check `nvidia-smi`"):
        get_backend("cupy")
    runtime.getDeviceCount = lambda: 0
    with pytest.raises(BackendUnavailableError, match="CuPy found none"):
        get_backend("cupy")
