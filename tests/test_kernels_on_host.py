"""The CUDA kernels without a GPU: compiled for the host they agree with the specification, and NVRTC takes them."""

import configparser
import re
import weakref
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import nvrtc
import pytest
from cuda_on_host import Stream

import varconvex
from varconvex.backends import Problem, cuda, cupy_, get_backend
from varconvex.backends.numpy_ import NumpyBackend

OCTAGONAL = ((1, 0), (0, 1), (1, 1), (1, -1))
STAR = ((0, 0, 1), (0, 1, 0), (1, 0, -1), (-1, 2, 0))


def random_problem(rng, labels, shape, **options):
    """A random problem with seeds, in NumPy's arrays; the bounds of several labels leave room on the simplex."""
    f = np.float32
    kind = rng.integers(0, 4, shape)
    lower, upper = np.zeros((labels, *shape), f), np.ones((labels, *shape), f)
    lower[0][kind == 0] = 1
    lower[-1][kind == 1] = 0.3
    if labels == 1:
        upper[0][kind == 2] = 0
    return Problem(
        cost=rng.normal(size=(labels, *shape)).astype(f),
        dual_radius=np.where(rng.random(shape) < 0.1, 0, rng.uniform(0, 2, shape)).astype(f),
        lower=lower,
        upper=np.maximum(lower, upper),
        **{
            "steps": tuple(rng.uniform(0.5, 1, len(options.get("offsets", shape)))),
            "simplex": labels > 1,
            "cost_unit": 0.25,
            "constant": 3.0,
            "rounding_slack": 0.01,
            **options,
        },
    )


def moved(problem, backend):
    """The problem in the arrays of a backend."""
    fields = {n: backend.asarray(getattr(problem, n)) for n in ("cost", "dual_radius", "lower", "upper")}
    return replace(problem, **fields)


def solved(backend, problem, start, n, **options):
    """u, p and their values after n iterations."""
    here = moved(problem, backend)
    u, p = (backend.asarray(array.copy()) for array in start)
    backend.iterate(here, u, p, n=n, **{"tau": 0.2, "sigma": 0.3, "rho": 1.9, "finish": True, **options})
    return backend.to_numpy(u), backend.to_numpy(p), backend.values(here, u, p)


def random_pair(rng, problem, labels, shape):
    """Any u, and any p that is 0 where the image ends and no flow can go, as it is in every solve."""
    u = rng.random((labels, *shape)).astype(np.float32)
    p = rng.normal(scale=0.3, size=(len(problem.steps), *u.shape))
    p *= NumpyBackend().gradient(u, problem.steps, problem.offsets) != 0
    return u, p.astype(np.float32)


CASES = {
    "plane": (1, (70, 131), {}),
    "plane, ragged": (1, (49, 97), {}),
    "plane, one tile to the pixel": (1, (48, 48), {}),
    "row": (1, (1, 200), {}),
    "column": (1, (200, 1), {}),
    "pixel": (1, (1, 1), {}),
    "anisotropic": (1, (55, 60), {"isotropic": False}),
    "quadratic": (1, (20, 66), {"quadratic_weight": 0.7}),
    "Huber": (1, (53, 50), {"huber": 0.2}),
    "Huber, anisotropic, quadratic": (1, (51, 50), {"huber": 0.2, "isotropic": False, "quadratic_weight": 0.1}),
    "octagonal": (1, (33, 40), {"offsets": OCTAGONAL, "isotropic": False}),
    "octagonal, isotropic, Huber": (1, (12, 63), {"offsets": OCTAGONAL, "huber": 0.1}),
    "two labels": (2, (33, 40), {}),
    "five labels": (5, (17, 40), {"isotropic": False}),
    "twenty labels, octagonal": (20, (9, 40), {"offsets": OCTAGONAL, "isotropic": False}),
    "sixty labels": (60, (5, 18), {}),
    "labels, Huber": (3, (17, 20), {"huber": 0.3}),
    "volume": (1, (9, 10, 21), {}),
    "volume, thin": (1, (1, 3, 40), {"isotropic": False, "huber": 0.1}),
    "volume, labels": (3, (5, 11, 17), {}),
    "volume, ten labels": (10, (3, 5, 9), {}),
    "volume, star": (1, (7, 9, 20), {"offsets": STAR, "isotropic": False}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("finish", [True, False])
def test_the_kernels_agree_with_the_specification(fake_cupy, rng, case, finish):
    labels, shape, options = CASES[case]
    problem = random_problem(rng, labels, shape, **options)
    backend = get_backend("cupy")
    start = random_pair(rng, problem, labels, shape)
    for n in (1, 6 + finish):
        (u0, p0, v0), (u1, p1, v1) = (
            solved(one, problem, start, n, finish=finish) for one in (NumpyBackend(), backend)
        )
        np.testing.assert_allclose(u1, u0, atol=4e-6)
        np.testing.assert_allclose(p1, p0, atol=4e-6)
        np.testing.assert_allclose(v1, v0, rtol=1e-6, atol=1e-5)
    tiled = labels == 1 and len(shape) == 2 and "offsets" not in options
    assert set(fake_cupy.launches) == {cuda.tile_name(problem) if tiled else "fused", "values", "fold"}


def test_many_iterations_stay_with_the_specification(fake_cupy, rng):
    problem = random_problem(rng, 1, (90, 70))
    start = random_pair(rng, problem, 1, (90, 70))
    one, two = (solved(b, problem, start, 61) for b in (NumpyBackend(), get_backend("cupy")))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)


def test_the_tile_and_the_fused_pass_are_one_iteration(fake_cupy, rng, monkeypatch):
    problem = random_problem(rng, 1, (70, 60), huber=0.1, quadratic_weight=0.2)
    start = random_pair(rng, problem, 1, (70, 60))
    tiled = solved(get_backend("cupy"), problem, start, 19)
    monkeypatch.setattr(cuda, "tileable", lambda *_: False)
    fused = solved(get_backend("cupy"), problem, start, 19)
    assert fake_cupy.launches.count("fused") == 19
    for a, b in zip(tiled, fused, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("n", [8, 9])
def test_recorded_launches_do_the_same(fake_cupy, rng, n, monkeypatch):
    """The third time a CUDA graph is replayed, with other step sizes than it was recorded with."""
    problem = random_problem(rng, 3, (20, 30))
    answers, captures = [], []
    monkeypatch.setattr(fake_cupy.cuda, "Stream", lambda **_: captures.append(1) or Stream(fake_cupy))
    for small in (2**21, 0):
        monkeypatch.setattr(cupy_, "_SMALL", small)
        backend = get_backend("cupy")
        here = moved(problem, backend)
        u, p = map(backend.asarray, random_pair(np.random.default_rng(0), problem, 3, (20, 30)))
        for tau in (0.2, 0.3, 0.1, 0.25):
            backend.iterate(here, u, p, n=n, tau=tau, sigma=0.06 / tau, rho=1.9, finish=True)
        answers.append((u.get(), p.get()))
    assert len(captures) == 1
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_array_equal(answers[0][1], answers[1][1])
    assert fake_cupy.launches == ["fused"] * (2 * 4 * n)


def test_a_remembered_state_is_not_mistaken_for_another(fake_cupy, rng):
    backend = get_backend("cupy")
    for _ in range(4):
        problem = random_problem(rng, 2, (12, 13))
        start = random_pair(rng, problem, 2, (12, 13))
        one, two = (solved(b, problem, start, 9) for b in (NumpyBackend(), backend))
        np.testing.assert_allclose(two[0], one[0], atol=4e-6)


def test_memory_is_given_back_with_the_problem(fake_cupy, rng):
    backend = get_backend("cupy")
    problem = random_problem(rng, 1, (12, 13))
    here, u, p = moved(problem, backend), *map(backend.asarray, random_pair(rng, problem, 1, (12, 13)))
    backend.iterate(here, u, p, n=9, tau=0.2, sigma=0.3, rho=1.9, finish=True)
    scratch = weakref.ref(backend._state.scratch[0])
    assert backend._state.holds([here], u[None], p[None])
    del here
    assert scratch() is None
    assert not backend._state.holds([moved(problem, backend)], u[None], p[None])


def test_values_do_not_depend_on_the_order_of_the_blocks(fake_cupy, rng):
    problem = random_problem(rng, 1, (300, 400))
    backend = get_backend("cupy")
    u, p = map(backend.asarray, random_pair(rng, problem, 1, (300, 400)))
    here = moved(problem, backend)
    found = {backend.values(here, u, p) for _ in range(4)}  # the shim shuffles blocks and threads each time
    assert found == {(backend.primal_value(here, u), backend.dual_value(here, p))}


def test_coarse_grids_and_thresholds_take_a_launch_each(fake_cupy, rng):
    problem = random_problem(rng, 1, (33, 40))
    u, p = random_pair(rng, problem, 1, (17, 20))
    expected = NumpyBackend().spread(np.stack([u, u], 1), np.stack([p, p], 2), (33, 40), None)
    backend = get_backend("cupy")
    here = moved(problem, backend)
    backend.coarsen(here)
    fine, _ = backend.prolong(here, backend.asarray(u), backend.asarray(p))
    backend.threshold(here, fine, (0.2, 0.5))
    found = backend.spread(backend.asarray(np.stack([u, u], 1)), backend.asarray(np.stack([p, p], 2)), (33, 40), None)
    assert fake_cupy.launches == ["halve"] * 4 + ["spread", "values", "fold", "spread"]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.get(), b, atol=1e-6)


def test_fields_that_broadcast_are_read_as_they_are(fake_cupy, rng):
    full = random_problem(rng, 3, (20, 30))
    full = replace(full, dual_radius=np.full((20, 30), 0.7, np.float32), lower=np.full((3, 20, 30), 0.2, np.float32))
    backend = get_backend("cupy")
    thin = moved(replace(full, dual_radius=np.full((1, 1), 0.7, np.float32)), backend)
    thin = replace(thin, lower=fake_cupy.broadcast_to(backend.asarray([[[np.float32(0.2)]]]), (3, 1, 1)))
    start = random_pair(rng, full, 3, (20, 30))
    u, p = map(backend.asarray, start)
    backend.iterate(thin, u, p, n=7, tau=0.2, sigma=0.3, rho=1.9, finish=True)
    expected = solved(backend, full, start, 7)
    np.testing.assert_array_equal(u.get(), expected[0])
    assert backend.values(thin, u, p) == expected[2]


def test_what_the_kernels_cannot_say_is_left_to_the_specification(fake_cupy, rng):
    @dataclass(frozen=True)
    class Later(Problem):
        """A problem with a term that these kernels do not know."""

        twist: float = 0.0

    backend = get_backend("cupy")
    problem = random_problem(rng, 1, (9, 8))
    u = backend.asarray(np.zeros((1, 9, 8), np.float32))
    plain = moved(Later(**vars(problem)), backend)
    assert cuda.fits(plain, u)
    assert not cuda.fits(replace(plain, twist=0.5), u)
    assert not cuda.fits(replace(plain, twist=np.zeros(3)), u)
    assert not cuda.fits(plain, u.astype(np.float64))
    assert not cuda.fits(plain, u[:, :, ::2])
    assert not cuda.fits(replace(plain, steps=(1.0,) * 5, offsets=(*OCTAGONAL, (2, 1))), u)
    assert not cuda.fits(replace(plain, steps=(1.0,), offsets=((0, 40),)), u)
    assert not cuda.fits(plain, backend.asarray(np.zeros((2000, 9, 8), np.float32)))
    start = random_pair(rng, problem, 1, (9, 8))
    solved(backend, replace(Later(**vars(problem)), twist=0.5), start, 5)
    assert not fake_cupy.launches


def test_the_shim_sees_a_missing_barrier(fake_cupy, rng, monkeypatch):
    problem = random_problem(rng, 1, (60, 50))
    start = random_pair(rng, problem, 1, (60, 50))
    right = solved(get_backend("cupy"), problem, start, 8)[0]
    whole = cuda.source()
    after_primal = whole.index("__syncthreads();", whole.index("u_bar[row + k][i] = bar[k];"))
    monkeypatch.setattr(cuda, "source", lambda: whole[:after_primal] + whole[after_primal + 16 :])
    cupy_._kernels.cache_clear()
    assert abs(solved(get_backend("cupy"), problem, start, 8)[0] - right).max() > 1e-3
    cupy_._kernels.cache_clear()


@pytest.mark.parametrize(("features", "axes"), [(5, 2), (3, 2), (6, 3), (12, 2), (14, 2)])
def test_the_kernel_sum_is_that_of_the_specification_in_float64(backend, rng, features, axes):
    n, m = 700, 300
    points, seeds = rng.normal(size=(n, features)), rng.normal(size=(features, m))
    weight = rng.uniform(0.01, 30, n)
    points[0] *= 40  # so far off that every kernel underflows
    square = (points[:, :, None] - seeds) ** 2
    e = weight[:, None] * square[:, :axes].sum(axis=1) + square[:, axes:].sum(axis=1)
    expected = np.logaddexp.reduce(-e, axis=1) - np.log(m)
    f = np.float32
    found = backend.log_kernel_mean(*(backend.asarray(a.astype(f)) for a in (points, weight, seeds)), axes)
    np.testing.assert_allclose(backend.to_numpy(found), expected, rtol=2e-6, atol=2e-4)


@pytest.mark.parametrize(("architecture", "standard"), [("sm_80", "c++11"), ("sm_90", "c++17")])
def test_nvrtc_compiles_everything_without_a_spill(architecture, standard):
    """In whatever standard CuPy asks for: it differs between its releases."""
    compiler = nvrtc.library()
    if compiler is None:
        pytest.skip(f"compiling for a GPU needs NVRTC: {nvrtc.EXTRA}")
    binary, log = nvrtc.compile_for(
        compiler, architecture, cuda.source(), (*cuda.options(), f"-std={standard}", "--ptxas-options=-v")
    )
    kernels = ("fused", "values", "fold", "kernel_sum", "tile_isotropic", "tile_anisotropic_huber")
    kernels += ("network_tell", "network_values_double", "network_gradient_float", "network_step_float")
    assert all(name.encode() in binary for name in kernels)
    assert set(re.findall(r"(\d+) bytes spill stores", log)) == {"0"}


def test_a_broken_kernel_is_named_with_its_file_and_line():
    compiler = nvrtc.library()
    if compiler is None:
        pytest.skip(f"compiling for a GPU needs NVRTC: {nvrtc.EXTRA}")
    broken = cuda.source().replace("float least = ABSENT", "float least = UNKNOWN")
    with pytest.raises(AssertionError, match=r'kernel_sum.cu\(\d+\): error: identifier "UNKNOWN" is undefined'):
        nvrtc.compile_for(compiler, "sm_90", broken, cuda.options())


@pytest.mark.parametrize(("labels", "shape"), [(1, (60, 70)), (1, (9, 10, 11)), (3, (20, 21))])
def test_the_last_iteration_ends_within_the_bounds_to_the_last_bit(fake_cupy, rng, labels, shape):
    problem = random_problem(rng, labels, shape)
    u, p, _ = solved(get_backend("cupy"), problem, random_pair(rng, problem, labels, shape), 9)
    if labels == 1:
        assert ((problem.lower <= u) & (u <= problem.upper)).all()
    longest = np.sqrt((p.astype(np.float64) ** 2).sum(axis=0))
    assert (longest <= problem.dual_radius * (1 + 3e-7)).all()


def test_the_kernels_are_shipped():
    settings = configparser.ConfigParser()
    settings.read(Path(varconvex.__file__).parents[1] / "setup.cfg")
    shipped = settings["options.package_data"]["varconvex"].split()
    folder = Path(cuda.__file__).parent
    assert {path.stem for path in folder.glob("*.cu")} == set(cuda.FILES)
    assert "backends/*.cu" in shipped


def test_the_shim_sees_a_write_beyond_the_end(fake_cupy, rng, monkeypatch):
    problem = random_problem(rng, 1, (60, 50))
    start = random_pair(rng, problem, 1, (60, 50))
    wrong = cuda.source().replace("p_next[pixels + here] = px[k];", "p_next[pixels + here + 8] = px[k];")
    monkeypatch.setattr(cuda, "source", lambda: wrong)
    cupy_._kernels.cache_clear()
    with pytest.raises(AssertionError, match="tile_isotropic wrote beyond the end of an array"):
        solved(get_backend("cupy"), problem, start, 8)
    cupy_._kernels.cache_clear()
