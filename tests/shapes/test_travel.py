"""Fitted shapes and what they hold survive pickle, deepcopy, a spawned process and JSON."""

import copy
import json
import multiprocessing
import pickle

import numpy as np
import pytest

from varconvex import project
from varconvex.geometry.certify import Certificate, certify_convexity
from varconvex.geometry.outline import Outline
from varconvex.shapes.convex import ConvexShape
from varconvex.shapes.hull import HullShape
from varconvex.shapes.icnn import ICNN
from varconvex.shapes.polygon import PolygonShape

COPIES = {"pickle": lambda value: pickle.loads(pickle.dumps(value)), "deepcopy": copy.deepcopy}


@pytest.fixture(scope="module")
def target():
    rows, columns = np.indices((40, 50))
    return (np.hypot(rows - 20, 0.8 * (columns - 24)) < 13) ^ (np.random.default_rng(0).random((40, 50)) < 0.1)


@pytest.fixture(params=COPIES)
def copied(request):
    return COPIES[request.param]


@pytest.mark.parametrize("shape", [ConvexShape(), HullShape(), PolygonShape(nodes=9)], ids=lambda s: type(s).__name__)
def test_fitted_shapes_are_copied_whole(shape, target, copied):
    fitted = shape.fit(target)
    again = copied(fitted)
    points = np.random.default_rng(1).uniform(0, 40, (60, 2))
    assert np.array_equal(again.mask, fitted.mask)
    assert np.array_equal(again(points), fitted(points))
    assert np.array_equal(again.rasterize((90, 70)), fitted.rasterize((90, 70)))
    assert again.energy == fitted.energy
    # Two fits are one only if they are the same object: their fields are arrays.
    assert fitted == fitted
    assert again != fitted
    assert len({fitted, again}) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [(), (5,), (130, 130)])
def test_networks_are_copied_with_views_of_their_own(hidden, dtype, copied):
    network = ICNN.random(2, hidden, 3, dtype)
    again = copied(network)
    theta = network.pack()
    assert again.dtype == dtype
    assert (again.dim, again.hidden) == (2, hidden)
    assert np.array_equal(again.pack(), theta)
    again.unpack(np.zeros_like(theta))
    assert all(not np.any(part) for layer in again.layers() for part in layer if part is not None)
    assert np.array_equal(network.pack(), theta)


def test_networks_of_a_device_come_to_the_host(fake_cupy, copied):
    network = ICNN.random(2, (6, 5), 0)
    again = copied(network.to(fake_cupy))
    assert again.xp is np
    assert type(again.pack()) is np.ndarray
    assert np.array_equal(again.pack(), network.pack())


@pytest.mark.parametrize("where", [None, "numpy", "numba"])
def test_shapes_are_copied_with_their_backend(where, target, copied):
    shape = ConvexShape((12,), steps=(5,), backend=where)
    again = copied(shape)
    assert (again.hidden, again.steps, type(again.backend)) == (shape.hidden, shape.steps, type(shape.backend))
    assert np.array_equal(again.fit(target).mask, shape.fit(target).mask)
    assert copied(PolygonShape(nodes=7, alpha=0.5)).nodes == 7


def test_outlines_are_copied(copied):
    outline = Outline(np.array([[3.0, 3.0], [3.0, 20.0], [15.0, 12.0]]), (20, 30), 1.5)
    mask = outline.mask
    assert outline.mask is mask
    again = copied(outline)
    assert np.array_equal(again.mask, mask)
    assert (again.energy, again.shape) == (1.5, (20, 30))
    assert again != outline


@pytest.mark.parametrize("mask", [np.zeros((1, 1), bool), np.eye(5, dtype=bool), np.ones((2, 3, 4), bool)])
def test_certificates_are_plain_numbers(mask, copied):
    found = certify_convexity(mask)
    assert [type(value) for value in vars(found).values()] == [bool, int, int, int]
    assert json.loads(json.dumps(vars(found))) == vars(found)
    assert copied(found) == found
    assert hash(copied(found)) == hash(found)
    assert isinstance(found, Certificate)
    assert json.loads(json.dumps(project(mask).certificate.__dict__))["n_pixels"] == np.count_nonzero(mask)


def test_fits_come_back_from_a_spawned_pool(target):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        shape, there = ConvexShape(steps=(5,), backend="numba"), target.astype(float)
        found = pool.apply_async(shape.fit, (there,)).get(timeout=300)
    assert np.array_equal(found.mask, shape.fit(there).mask)
    assert np.array_equal(found.network.pack(), shape.fit(there).network.pack())
