"""Networks that learn and predict on every backend give NumPy's answer, and stay where they learn."""

import numpy as np
import pytest

from varconvex import segment
from varconvex.inputs import prepare
from varconvex.predictors.base import ProximalTerm
from varconvex.predictors.cnn import CnnPredictor
from varconvex.predictors.fcn import FcnPredictor


def scene_of(rng):
    """A red disc on green, its scribbles, and the disc's mask; odd sizes."""
    rows, columns = np.mgrid[:41, :53]
    disc = np.hypot(rows - 20, columns - 22) < 12
    image = np.where(disc[..., None], (0.8, 0.2, 0.2), (0.2, 0.6, 0.2))
    scribbles = np.zeros(disc.shape, np.int64)
    scribbles[18:22, 16:28] = 2
    scribbles[2:4, 3:45] = scribbles[36:38, 3:40] = 1
    return np.clip(image + rng.normal(scale=0.05, size=image.shape), 0, 1), scribbles, disc


@pytest.mark.parametrize("predictor", [FcnPredictor, CnnPredictor])
def test_networks_learn_the_same_on_every_backend(backend, rng, predictor):
    image, scribbles, _ = scene_of(rng)
    scene = prepare(image, scribbles)
    options = {"hidden": (8, 5), "members": 2, "steps": 25, "energy": None}
    target = (scene.image[..., 0] > 0.5).astype(np.float32)
    answers = []
    for home in ("numpy", backend):
        taught = predictor(**options, backend=home)
        first = taught.predict(scene)
        ready = taught.ready(scene, first, first.index)
        further = ready.learn(scene, first.index).predict(scene, ProximalTerm(target, 1.0))
        answers.append((first, further))
    for ours, theirs in zip(*answers, strict=True):
        np.testing.assert_allclose(theirs.probability, ours.probability, atol=1e-4)
        assert isinstance(theirs.probability, np.ndarray)
        assert all(isinstance(vector, backend.xp.ndarray) for vector in theirs.theta.parameters)


def test_a_network_and_a_convex_shape_on_the_device_they_are_told(fake_cupy, rng):
    image, scribbles, disc = scene_of(rng)
    network = FcnPredictor(hidden=(8, 5), members=2, steps=150)
    found, expected = (
        segment(image, scribbles, predictor=network, shape="convex", backend=backend) for backend in ("cupy", "numpy")
    )
    assert found.certificate.convex
    assert np.count_nonzero(found.mask ^ expected.mask) <= 0.02 * disc.sum()
    assert np.count_nonzero(found.mask ^ disc) <= 0.05 * disc.sum()
    assert any("network_step" in name for name in fake_cupy.launches)
