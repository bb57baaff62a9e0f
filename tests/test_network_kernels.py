"""A convex network on every backend: gradients by finite differences, and agreement with the specification."""

import numpy as np
import pytest
from scipy.special import expit

from varconvex import get_backend, project
from varconvex.backends import cuda_networks
from varconvex.backends.numpy_ import NumpyBackend
from varconvex.errors import DeviceMemoryWarning, InvalidParameterError
from varconvex.shapes.convex import ConvexShape
from varconvex.shapes.icnn import ICNN
from varconvex.shapes.training import Adam

WIDTHS = [(7,), (48,), (6, 5), (4, 6, 5)]
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-13}


def case(rng, dim=2, hidden=(48,), n=50, dtype=np.float64):
    """A network with no weight Wz at its bound, points, and costs."""
    network = ICNN.random(dim, hidden, rng, dtype)
    theta = network.pack()
    theta[network.nonnegative] += 0.01
    network.unpack(theta)
    return network, rng.uniform(-1, 1, (n, dim)).astype(dtype), rng.normal(size=n).astype(dtype)


def clear(network, points):
    """The points at which no unit bends within a small step."""
    z, ahead = points @ network.wx[0].T + network.b[0], np.ones(len(points), bool)
    for wz, wx, b in zip(network.wz[1:], network.wx[1:], network.b[1:], strict=True):
        ahead &= np.abs(z).min(axis=1) > 1e-3
        z = np.maximum(z, 0) @ wz.T + points @ wx.T + b
    return ahead


def there(backend, *arrays):
    return tuple(backend.asarray(array) for array in arrays)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("hidden", WIDTHS)
def test_gradients_and_slopes_are_those_of_finite_differences(backend, rng, dim, hidden):
    network, points, cost = case(rng, dim, hidden, 300)
    keep = clear(network, points)
    points, cost = points[keep], cost[keep]
    assert len(points) > 32  # more than one block of the CUDA kernel
    moved, s, step = network.to(backend.xp), 2.5, 1e-6
    loss, gradient = backend.network_loss(moved, *there(backend, points, cost), s)
    theta = network.pack()

    def value(parameters):
        network.unpack(parameters)
        return float((cost * expit(-s * network(points))).sum()) / (s * len(points))

    assert float(loss) == pytest.approx(value(theta), rel=1e-12)
    numeric = [(value(theta + e) - value(theta - e)) / (2 * step) for e in step * np.eye(theta.size)]
    np.testing.assert_allclose(backend.to_numpy(gradient), numeric, atol=1e-6, rtol=0)
    network.unpack(theta)
    g, slope = map(backend.to_numpy, backend.network_slope(moved, *there(backend, points)))
    np.testing.assert_allclose(g, network(points), atol=1e-13)
    numeric = [(network(points + e) - network(points - e)) / (2 * step) for e in step * np.eye(dim)]
    np.testing.assert_allclose(slope.T, numeric, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("dim", "hidden", "n"), [(2, (48,), 1), (3, (5,), 31), (2, (1,), 32), (2, (9, 4), 2500),
                                                   (1, (6,), 70), (4, (6, 3), 33), (2, (), 40)])  # fmt: skip
def test_every_backend_takes_the_specifications_steps(backend, rng, dtype, dim, hidden, n):
    network, points, cost = case(rng, dim, hidden, n, dtype)
    moved, plain = network.to(backend.xp), NumpyBackend()
    adam, adam_there = Adam(network.pack().size, dtype=dtype), Adam(network.pack().size, xp=backend.xp, dtype=dtype)
    tolerance = TOLERANCE[dtype]
    for steps in (1, 5, 5, 5):  # the last ones are replayed from a CUDA graph, with other points and step sizes
        size = max(1, n - steps)
        options = {"n": steps, "rate": 0.001 * steps, "sharpness": 2.0 + steps}
        plain.network_descend(network, adam, points[:size], cost[:size], **options)
        backend.network_descend(moved, adam_there, *there(backend, points[:size], cost[:size]), **options)
    assert adam_there.t == adam.t == 16
    theta = backend.to_numpy(moved.pack())
    assert theta.dtype == dtype
    np.testing.assert_allclose(theta, network.pack(), atol=100 * tolerance)  # a step divides by the gradient's size
    moved.unpack(backend.asarray(network.pack()))
    for ours, theirs in zip(
        (backend.network_value(moved, backend.asarray(points)), *backend.network_slope(moved, backend.asarray(points))),
        (plain.network_value(network, points), *plain.network_slope(network, points)),
        strict=True,
    ):
        assert ours.dtype == dtype
        np.testing.assert_allclose(backend.to_numpy(ours), theirs, atol=tolerance * max(1, abs(theirs).max()))
    ours, theirs = (b.network_loss(m, *there(b, points, cost), 2.0) for b, m in ((backend, moved), (plain, network)))
    assert float(ours[0]) == pytest.approx(float(theirs[0]), abs=tolerance)
    np.testing.assert_allclose(backend.to_numpy(ours[1]), theirs[1], atol=tolerance)


def test_weights_that_must_not_be_negative_never_are(backend, rng):
    network, points, _ = case(rng, 2, (9, 4), 100)
    moved = network.to(backend.xp)
    adam = Adam(network.pack().size, xp=backend.xp, dtype=np.float64)
    # Where everything is to be outside, weights grow; where everything is to be inside, they shrink to 0.
    backend.network_descend(moved, adam, *there(backend, points, -np.ones(100)), n=60, rate=0.1, sharpness=0.5)
    theta = backend.to_numpy(moved.pack())
    assert (theta[network.nonnegative] >= 0).all()
    assert (theta[network.nonnegative] == 0).any()


def test_no_points_have_no_values(backend):
    network = ICNN.random(2, (5,), 0).to(backend.xp)
    g, slope = backend.network_slope(network, backend.asarray(np.empty((0, 2))))
    assert (g.shape, slope.shape) == ((0,), (0, 2))
    assert backend.network_value(network, backend.asarray(np.empty((0, 2)))).shape == (0,)


def test_the_kernels_are_what_computes(fake_cupy, rng):
    backend = get_backend("cupy")
    network, points, cost = case(rng, 2, (48,), 100, np.float32)
    moved, adam = network.to(fake_cupy), Adam(network.pack().size, xp=fake_cupy)
    points, cost = there(backend, points, cost)
    for _ in range(3):
        backend.network_descend(moved, adam, points, cost, n=2, rate=0.01, sharpness=2.0)
    step = ["network_gradient_float", "network_step_float"]
    assert fake_cupy.launches == 3 * ["network_tell", *step, *step]
    fake_cupy.launches.clear()
    backend.network_value(moved, points)
    backend.network_slope(moved, points)
    assert fake_cupy.launches == 2 * ["network_tell", "network_values_float"]


def test_what_the_kernels_cannot_hold_is_left_to_the_specification(fake_cupy, rng, monkeypatch):
    backend = get_backend("cupy")
    monkeypatch.setattr(cuda_networks, "_MOST_SHARES", 100)
    large = (case(rng, 2, (400,), 40, np.float32), case(rng, 2, (200, 100), 40), case(rng, 2, (9,), 100))
    for network, points, cost in large:
        found = backend.network_loss(network.to(fake_cupy), *there(backend, points, cost), 2.0)[1]
        expected = NumpyBackend().network_loss(network, points, cost, 2.0)[1]
        np.testing.assert_allclose(found.get(), expected, atol=1e-6)
    assert not fake_cupy.launches


def test_training_the_network_does_not_synchronise(fake_cupy, rng, monkeypatch):
    backend = get_backend("cupy")
    network, points, cost = case(rng, 2, (48,), 100, np.float32)
    moved, adam = network.to(fake_cupy), Adam(network.pack().size, xp=fake_cupy)
    points, cost = there(backend, points, cost)
    for name in ("get", "set", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(fake_cupy.ndarray, name, lambda *_: pytest.fail("waited for the device"))
    for _ in range(3):
        backend.network_descend(moved, adam, points, cost, n=5, rate=0.01, sharpness=2.0)
        backend.network_value(moved, points)
    assert adam.t == 15


def test_networks_of_many_widths_do_not_pile_up(fake_cupy, rng):
    backend = get_backend("cupy")
    for width in range(1, 30):
        network, points, _ = case(rng, 2, (width,), 5)
        found = backend.network_value(network.to(fake_cupy), backend.asarray(points))
        np.testing.assert_allclose(found.get(), network(points), atol=1e-13)
    assert len(backend._plans) <= 8


def blob(shape=(90, 80), noise=0.1, seed=0):
    rows, columns = np.indices(shape)
    inside = ((rows - 40) / 30) ** 2 + ((columns - 38) / 20) ** 2 < 1
    return inside ^ (np.random.default_rng(seed).random(shape) < noise)


@pytest.mark.parametrize("hidden", [(48,), (12, 8)])
def test_a_fit_is_as_good_on_every_backend(backend, hidden):
    target = blob()
    expected = ConvexShape(hidden, backend="numpy").fit(target)
    seen = []
    found = ConvexShape(hidden, backend=backend).fit(target, callback=lambda mask: seen.append(mask.sum()))
    assert found.certificate.convex
    assert np.count_nonzero(found.mask ^ expected.mask) <= 0.01 * np.count_nonzero(expected.mask)
    assert found.energy == pytest.approx(expected.energy, rel=0.005)
    assert len(found.history) == len(expected.history)
    assert len(seen) > 3
    assert all(isinstance(a, np.ndarray) for a in (found.mask, found.network.pack(), found.history))
    again = ConvexShape(hidden, backend=backend).fit(target)
    np.testing.assert_array_equal(again.mask, found.mask)


def test_volumes_are_fitted_on_every_backend(backend):
    where = np.indices((16, 18, 20)) - np.array([8, 9, 10])[:, None, None, None]
    target = (where**2).sum(axis=0) < 36
    found = ConvexShape(backend=backend).fit(target)
    assert found.certificate.convex
    assert np.count_nonzero(found.mask ^ target) <= 0.03 * np.count_nonzero(target)


def test_project_computes_on_the_given_backend(fake_cupy):
    target = blob()
    there = (project(target, backend="cupy"), project(fake_cupy.asarray(target)))
    steps = [name for name in fake_cupy.launches if "network_step" in name]
    assert len(steps) > 20
    for found in there:
        assert found.certificate.convex
        assert found.energy == pytest.approx(project(target, backend="numpy").energy, rel=0.005)
    fake_cupy.launches.clear()
    project(fake_cupy.asarray(target), ConvexShape(backend="numba"), backend="cupy")  # the shape's own word counts
    assert not any("network" in name for name in fake_cupy.launches)
    with pytest.raises(InvalidParameterError, match="backend must be one of cupy, numba, numpy; got 'cuda'"):
        project(target, backend="cuda")


def test_a_fit_on_a_gpu_that_is_too_small_goes_to_the_cpu(fake_cupy):
    target = blob()
    fake_cupy.memory = 4000
    with pytest.warns(DeviceMemoryWarning, match="the GPU's memory must hold the problem") as caught:
        found = ConvexShape(backend="cupy").fit(target)
    assert len(caught) == 1
    assert found.certificate.convex
