"""The network against central differences, and against what convexity means."""

import numpy as np
import pytest

from varconvex.errors import InvalidParameterError
from varconvex.shapes.icnn import ICNN, widened, without_idle

WIDTHS = [(7,), (6, 5), (4, 6, 5)]


def away_from_kinks(network, rng, count):
    """Points where no activation is near zero, so that a small change crosses no kink."""
    points = rng.uniform(-1, 1, (400, network.dim))
    _, z = network.forward(points)
    pre = [points @ network.wx[0].T + network.b[0]]
    for i in range(1, len(network.hidden)):
        pre.append(z[i - 1] @ network.wz[i].T + points @ network.wx[i].T + network.b[i])
    clear = np.min([np.abs(a).min(axis=1) for a in pre], axis=0) > 1e-3
    assert clear.sum() >= count
    return points[clear][:count]


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("hidden", WIDTHS)
def test_gradients_equal_central_differences(dim, hidden):
    rng = np.random.default_rng(3)
    network = ICNN.random(dim, hidden, rng)
    theta = network.pack()
    # A weight at zero is clamped when stepped below; keep clear of that kink too.
    theta[network.nonnegative] += 0.01
    network.unpack(theta)
    x = away_from_kinks(network, rng, 20)
    dg = rng.standard_normal(len(x))
    dtheta, dx = network.backward(x, network.forward(x)[1], dg)
    np.testing.assert_allclose(dg @ network.jacobian(x, network.forward(x)[1]), dtheta, atol=1e-12)
    step = 1e-6

    def value(parameters, points):
        network.unpack(parameters)
        return float(dg @ network(points))

    for k in range(len(theta)):
        e = step * (np.arange(len(theta)) == k)
        assert dtheta[k] == pytest.approx((value(theta + e, x) - value(theta - e, x)) / (2 * step), abs=1e-6)
    for n in range(len(x)):
        for i in range(dim):
            e = np.zeros_like(x)
            e[n, i] = step
            assert dx[n, i] == pytest.approx((value(theta, x + e) - value(theta, x - e)) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("hidden", [*WIDTHS, (130, 130)])
def test_convex_along_random_segments(dim, hidden):
    rng = np.random.default_rng(0)
    network = ICNN.random(dim, hidden, rng)
    a, b = rng.uniform(-3, 3, (2, 2000, dim))
    t = rng.random((2000, 1))
    between = network(t * a + (1 - t) * b)
    assert (between <= t[:, 0] * network(a) + (1 - t[:, 0]) * network(b) + 1e-12).all()


def test_wz_is_never_negative():
    rng = np.random.default_rng(1)
    network = ICNN(2, (5, 4))
    for _ in range(20):
        theta = rng.standard_normal(network.pack().size)
        given = theta.copy()
        network.unpack(theta)
        assert np.array_equal(theta, given)
        assert all((wz >= 0).all() for wz in network.wz if wz is not None)
        assert np.array_equal(network.pack()[~network.nonnegative], theta[~network.nonnegative])
    with pytest.raises(ValueError, match="read-only"):
        network.wz[1][0, 0] = -1


def test_pack_and_unpack_are_inverse():
    network = ICNN.random(3, (6, 5), 0)
    other = ICNN(3, (6, 5))
    other.unpack(network.pack())
    x = np.random.default_rng(0).standard_normal((50, 3))
    assert np.array_equal(network(x), other(x))
    assert network.pack().size == 6 * 4 + 5 * (6 + 4) + (5 + 4)


@pytest.mark.parametrize("hidden", [(4,), (9,), (6, 3), (5, 8), (4, 4, 7)])
def test_half_spaces_pass_through_deeper_layers_unchanged(hidden):
    normals = np.array([[1, 0], [-1, 0], [0, 1], [0, -1.0]])
    offsets = np.array([1, 2, 3, 4.0])
    network = ICNN.from_half_spaces(normals, offsets, 0.5, hidden)
    x = np.random.default_rng(0).uniform(-6, 6, (500, 2))
    wanted = np.maximum(x @ normals.T - offsets + 0.5, 0).sum(axis=1) - 0.5
    np.testing.assert_allclose(network(x), wanted, atol=1e-12)
    assert (x[network(x) <= 0] @ normals.T <= offsets + 1e-12).all()


def test_compose_is_the_same_function_elsewhere():
    network = ICNN.random(2, (8, 5), 0)
    scale, shift = np.array([0.5, -2.0]), np.array([3.0, 1.0])
    x = np.random.default_rng(0).standard_normal((40, 2))
    np.testing.assert_allclose(network.compose(scale, shift)(x), network(scale * x + shift), rtol=1e-12)


def test_wider_networks_are_the_same_function():
    network = ICNN.random(2, (6, 5), 0)
    x = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    wider = widened(network, (130, 130))
    assert wider.hidden == (130, 130)
    np.testing.assert_allclose(wider(x), network(x), rtol=1e-12)
    np.testing.assert_allclose(widened(network, (7, 6, 3, 2))(x), network(x), atol=1e-12)
    back = without_idle(wider)
    assert back.hidden == network.hidden
    np.testing.assert_allclose(back.pack(), network.pack(), rtol=1e-12)
    split = widened(network, (12, 10), np.random.default_rng(1))
    assert split.hidden == (12, 10)
    assert np.abs(split(x) - network(x)).max() < 0.5 * np.abs(network(x)).max()


def test_many_points_and_none():
    network = ICNN.random(2, (8,), 0)
    x = np.random.default_rng(0).standard_normal((10_000, 2))
    np.testing.assert_allclose(network(x), network.forward(x)[0], rtol=1e-12, atol=1e-12)
    assert network(np.empty((0, 2))).shape == (0,)


def test_float32_stays_float32():
    network = ICNN.random(2, (8, 8), 0, np.float32)
    x = np.zeros((3, 2), np.float32)
    g, z = network.forward(x)
    dtheta, dx = network.backward(x, z, np.ones(3, np.float32))
    assert {a.dtype for a in (g, *z, dtheta, dx)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("arguments", [("x",), (0,), (2, 5), (2, "ab"), (2, (3.5,)), (2, (0,))])
def test_what_is_no_network_is_named(arguments):
    with pytest.raises(InvalidParameterError, match=r"(dim|hidden) must be"):
        ICNN(*arguments)
