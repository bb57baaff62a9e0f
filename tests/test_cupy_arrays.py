"""CuPy arrays in, CuPy arrays out, with a device that is pretended (see `cuda_on_host`) or real."""

import sys
import types
import warnings

import numpy as np
import pytest
from cuda_on_host import COMPILER, no_gpu

from varconvex import Potts, TwoPhase, get_backend, pdhg, pdhg_batch, segment
from varconvex.errors import (
    BackendUnavailableError,
    ConvergenceWarning,
    DeviceMemoryWarning,
    InvalidImageError,
    InvalidParameterError,
)


def test_there_is_a_gpu():
    if no_gpu():
        pytest.skip(f"the tests of `backend` also run on a GPU where there is one: {no_gpu()}")


def test_there_is_a_compiler_for_cuda_on_the_host():
    if COMPILER is None:
        pytest.skip("the tests of `backend` also run the CUDA kernels on the CPU where g++ is installed")


OPTIONS = [{}, {"weight": True, "lower": True, "upper": True, "quadratic_weight": 0.3, "target": True}]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_cupy_cost_is_solved_where_it_lives(device_backend, rng, options):
    cupy = device_backend.xp
    cost = rng.normal(size=(70, 75)).astype(np.float32)
    fields = {n: rng.uniform(0.2, 0.4, cost.shape) if v is True else v for n, v in options.items()}
    if "upper" in fields:
        fields["upper"] = 1 - fields["upper"]
    there = {n: cupy.asarray(v) if isinstance(v, np.ndarray) else v for n, v in fields.items()}
    expected = pdhg(TwoPhase(cost, 1.0, **fields))
    found = pdhg(TwoPhase(cupy.asarray(cost), 1.0, **there))
    for name in ("u", "p", "binary", "mask", "labels"):
        assert isinstance(getattr(found, name), cupy.ndarray), name
    assert found.dual <= expected.primal
    assert expected.dual <= found.primal
    assert found.energy == pytest.approx(expected.energy, rel=3e-3)


def test_cupy_costs_of_several_labels(device_backend, rng):
    cupy = device_backend.xp
    cost = rng.random((3, 65, 66))
    lower = np.zeros(cost.shape)
    lower[2, 3:6, 3:6] = 1
    expected = pdhg(Potts(cost, 0.3, lower=lower))
    found = pdhg(Potts(cupy.asarray(cost), 0.3, lower=cupy.asarray(lower)))
    assert isinstance(found.labels, cupy.ndarray)
    assert found.dual <= expected.primal
    assert expected.dual <= found.primal
    assert (found.labels.get() == expected.labels).mean() > 0.99


def test_faults_in_cupy_arrays_are_named(device_backend, rng):
    cupy = device_backend.xp
    cost = rng.normal(size=(8, 9))
    cost[2, 3] = np.nan
    with pytest.raises(InvalidImageError, match=r"cost must be finite .* first at index \(2, 3\)"):
        TwoPhase(cupy.asarray(cost), 1.0)
    cost[2, 3] = 0
    with pytest.raises(InvalidImageError, match="weight must be non-negative"):
        TwoPhase(cupy.asarray(cost), 1.0, weight=cupy.asarray(-np.ones(cost.shape)))
    with pytest.raises(InvalidParameterError, match="lower must not exceed upper"):
        TwoPhase(cupy.asarray(cost), 1.0, lower=cupy.asarray(np.ones(cost.shape)), upper=0.5)


def test_a_named_backend_moves_the_data(device_backend, rng):
    cupy = device_backend.xp
    cost = rng.normal(size=(20, 21))
    assert isinstance(pdhg(TwoPhase(cost, 1.0), backend="cupy").mask, cupy.ndarray)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        on_host = pdhg(TwoPhase(cupy.asarray(cost), 1.0), backend="numba", max_iter=8)
    assert isinstance(on_host.mask, np.ndarray)


def test_iterations_do_not_synchronise_between_gap_evaluations(fake_cupy, rng, monkeypatch):
    backend = get_backend("cupy")
    problem = TwoPhase(rng.normal(size=(60, 60)), 1.0).problem(backend)
    u, p = (fake_cupy.zeros(shape, np.float32) for shape in ((1, 60, 60), (2, 1, 60, 60)))
    for name in ("get", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(fake_cupy.ndarray, name, lambda self: pytest.fail("waited for the device"))
    backend.iterate(problem, u, p, n=48, tau=0.2, sigma=0.3, rho=1.9, finish=True)
    assert len(fake_cupy.launches) == 6


def test_segment_on_a_gpu_is_segment(device_backend, two_blobs):
    cupy = device_backend.xp
    image, scribbles, _ = two_blobs
    expected = segment(image, scribbles)
    for picture, options in ((image, {"backend": "cupy"}), (cupy.asarray(image), {})):
        found = segment(picture, scribbles, **options)
        assert (found.labels == expected.labels).mean() > 0.999
        assert found.energy == pytest.approx(expected.energy, rel=1e-3)
        assert found.dual <= expected.primal
    convex = segment(image, scribbles, shape="convex", backend="cupy")
    assert convex.certificate.convex


def test_a_gpu_that_is_too_small_hands_over_to_the_cpu(fake_cupy, rng):
    cost = rng.normal(size=(90, 70))
    expected = pdhg(TwoPhase(cost, 1.0))
    energy = TwoPhase(fake_cupy.asarray(cost), 1.0, weight=fake_cupy.asarray(np.ones(cost.shape)))
    fake_cupy.memory = 8 * cost.size - 1
    with pytest.warns(DeviceMemoryWarning, match=r"the GPU's memory must hold .* allocating 50400 bytes") as caught:
        found = pdhg(energy)
    assert len(caught) == 1
    np.testing.assert_array_equal(found.u, expected.u)
    with pytest.warns(DeviceMemoryWarning):
        both = pdhg_batch([energy, energy])
    np.testing.assert_array_equal(both[1].u, expected.u)


def test_any_other_lack_of_memory_is_not_hidden(monkeypatch, rng):
    def full(*args, **kwargs):
        raise MemoryError("the host's")

    monkeypatch.setattr(sys.modules["varconvex.solvers.pdhg"], "get_backend", full)
    with pytest.raises(MemoryError, match="the host's"):
        pdhg(TwoPhase(rng.normal(size=(8, 9)), 1.0))


def test_a_compiler_that_is_broken_is_named_with_its_remedy(fake_cupy, monkeypatch):
    def broken(name):
        raise RuntimeError("libnvrtc.so.12: cannot open shared object file")

    monkeypatch.setattr(fake_cupy, "RawModule", lambda **_: types.SimpleNamespace(get_function=broken), raising=False)
    with pytest.raises(BackendUnavailableError, match=r"compile its kernels; .*libnvrtc.*; install CuPy for your dri"):
        get_backend("cupy")
