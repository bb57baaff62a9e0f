"""Fixtures that the whole suite shares.

A test that takes `backend` runs on every backend this machine has: "numpy" is the specification, "numba" the CPU's
kernels, "cuda on the host" the CUDA kernels compiled by g++ (see `cuda_on_host`), "cupy" the same kernels on a GPU.
`device_backend` is the last two only. What a machine lacks is no parameter; `test_cupy_arrays` skips once for each.
"""

import sys

import numpy as np
import pytest
from cuda_on_host import COMPILER, FakeCupy, no_gpu

from varconvex import get_backend


@pytest.fixture
def fake_cupy(request, monkeypatch):
    """A CuPy without a device: the backend's kernels, compiled for the host."""
    if COMPILER is None:
        pytest.skip("compiling the CUDA kernels for the host needs g++, which is not installed")
    cupy = FakeCupy(request.config.cache.mkdir("cuda_on_host"))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy


HOST = "cuda on the host"


def pytest_generate_tests(metafunc):
    """Give `backend` and `device_backend` the backends that can run on this machine."""
    devices = ["cupy"] * (not no_gpu()) + [HOST] * (COMPILER is not None)
    for fixture, names in (("backend", ["numpy", "numba", *devices]), ("device_backend", devices)):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, names, indirect=True)


@pytest.fixture
def backend(request):
    """A backend, by its name."""
    if request.param == HOST:
        request.getfixturevalue("fake_cupy")
    return get_backend("cupy" if request.param == HOST else request.param)


device_backend = backend


@pytest.fixture
def set_threads(monkeypatch):
    """Sets how many threads kernels use, however little there is to do for each."""
    rooms = ("varconvex.backends.numba_", "varconvex.backends.numba_layout")

    def set_to(threads):
        for room in rooms:
            monkeypatch.setattr(f"{room}.n_threads", lambda: threads)
            monkeypatch.setattr(f"{room}.SHARE", 1)

    return set_to


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def two_blobs():
    """A colour image with a red disc and a red square on green noise, its scribbles, and the disc's mask."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:90, :120]
    disc = np.hypot(rows - 40, columns - 40) < 22
    square = (np.abs(rows - 60) < 12) & (np.abs(columns - 95) < 12)
    image = np.where((disc | square)[..., None], (0.8, 0.2, 0.2), (0.2, 0.6, 0.2))
    image = np.clip(image + rng.normal(scale=0.05, size=image.shape), 0, 1)
    scribbles = np.zeros(disc.shape, np.int64)
    scribbles[38:42, 30:50] = 2
    scribbles[5:8, 5:110] = 1
    scribbles[80:83, 5:70] = 1
    return image, scribbles, disc


@pytest.fixture
def data(tmp_path, two_blobs):
    """A folder of two samples."""
    from PIL import Image

    image, scribbles, disc = two_blobs
    root = tmp_path / "data"
    for part in ("images", "ground_truth", "scribbles"):
        (root / part).mkdir(parents=True)
    index = np.array([0, 2, 1], np.uint8)
    for name, shift in (("a", 0), ("b", 6)):
        moved = [np.roll(array, shift, axis=1) for array in (image, disc, scribbles)]
        Image.fromarray((moved[0] * 255).astype(np.uint8)).save(root / "images" / f"{name}.png")
        Image.fromarray(moved[1].astype(np.uint8) * 255).save(root / "ground_truth" / f"{name}.png")
        Image.fromarray(index[moved[2]]).save(root / "scribbles" / f"{name}.png")
    return root


@pytest.fixture
def brief_networks(monkeypatch):
    """Networks of the paper's tables learn for a moment: what is tested is the table."""
    from dataclasses import replace

    from varconvex.reproduce import table1

    made = table1.predictor_of

    def brief(*args):
        predictor = made(*args)
        return predictor if predictor == "energy" else replace(predictor, members=1, steps=8)

    monkeypatch.setattr(table1, "predictor_of", brief)
    monkeypatch.setattr("varconvex.reproduce.layout.predictor_of", brief)
