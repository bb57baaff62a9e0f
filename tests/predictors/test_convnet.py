"""The networks' forward and backward passes against finite differences, SciPy, and their own adjoint."""

import numpy as np
import pytest
from scipy.signal import correlate

from varconvex.predictors.appearance.convnet import ConvNet

KERNELS = [1, 3]


def small(kernel, rng, dtype=np.float64):
    network = ConvNet.random(5, (6, 7, 4), kernel, rng, dtype=dtype)
    side = 2 * network.reach
    return network, rng.normal(size=(3, side + 2, side + 3, 5)).astype(dtype)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_gradient_is_that_of_finite_differences(kernel, rng):
    network, x = small(kernel, rng)
    n, seen = network.forward(x)
    slope = rng.normal(size=n.shape)
    gradient = network.backward(seen, slope)
    theta = network.pack()

    def value(step):
        network.unpack(theta + step)
        return float((network.forward(x)[0] * slope).sum())

    step = 1e-6
    numeric = [(value(step * unit) - value(-step * unit)) / (2 * step) for unit in np.eye(theta.size)]
    np.testing.assert_allclose(gradient, numeric, atol=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_layer_is_a_correlation(kernel, rng):
    network = ConvNet.random(2, (), kernel, rng, dtype=np.float64)
    image = rng.normal(size=(9, 11, 2))
    window = network.w[0].reshape(kernel, kernel, 2)
    expected = sum(correlate(image[..., c], window[..., c], mode="valid") for c in range(2)) + network.b[0]
    np.testing.assert_allclose(network(image), expected, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_image_in_strips_is_the_image_at_once(kernel, rng, monkeypatch):
    network = ConvNet.random(3, (4, 4), kernel, rng)
    image = rng.normal(size=(40, 23, 3)).astype(np.float32)
    whole = network.forward(image[None])[0][0]
    monkeypatch.setattr("varconvex.predictors.appearance.convnet._CHUNK", 50)
    np.testing.assert_allclose(network(image), whole, rtol=1e-5, atol=1e-5)
    assert whole.shape == (40 - 2 * network.reach, 23 - 2 * network.reach)


def test_windows_and_their_adjoint(rng):
    network, x = small(3, rng)
    windows = network._windows(x, 0)
    other = rng.normal(size=windows.shape)
    assert np.vdot(windows, other) == pytest.approx(np.vdot(x, network._windows_adjoint(other, x, 0)))


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_backends_arrays_give_numpys_answer(kernel, backend):
    rng = np.random.default_rng(3)
    host = ConvNet.random(5, (6, 7), kernel, rng)
    x = rng.normal(size=(4, 2 * host.reach + 1, 2 * host.reach + 1, 5)).astype(np.float32)
    there = ConvNet(5, (6, 7), kernel, xp=backend.xp)
    there.unpack(backend.xp.asarray(host.pack()))
    n, seen = host.forward(x)
    n_there, seen_there = there.forward(backend.xp.asarray(x))
    np.testing.assert_allclose(backend.to_numpy(n_there), n, rtol=1e-5, atol=1e-6)
    gradient = there.backward(seen_there, backend.xp.ones_like(n_there))
    np.testing.assert_allclose(backend.to_numpy(gradient), host.backward(seen, np.ones_like(n)), rtol=1e-4, atol=1e-5)


def test_parameters_are_packed_and_unpacked_unchanged(rng):
    network = ConvNet.random(3, (4,), 3, rng)
    theta = network.pack()
    kept = theta.copy()
    network.unpack(theta)
    theta += 1
    np.testing.assert_array_equal(network.pack(), kept)
    assert kept.size == 3 * 9 * 4 + 4 + 4 * 9 + 1
