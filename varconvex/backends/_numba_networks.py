"""A convex network with one hidden layer, compiled by Numba: its values, slopes and steps as `base.py` has them.

    G(x) = w . relu(W0 x + b0) + wx . x + b

A point goes forward and back at once, so that its activations never leave the first-level cache: five times faster than
products of matrices over many points. Two layers or more are such products, and stay with NumPy: compiled in this way
they took .9 to 1.6 times as long.
"""

import math
from typing import Any

import numpy as np

from ._numba_kernels import compiled, inlined, row_function
from .base import STEEPEST, Array, ArrayBackend


@row_function
def _forward_row(z, w0, w1, w2, b, w, x0, x1, x2):
    """The activations, and w . z."""
    zero = z.dtype.type(0)
    total = zero
    for j in range(z.size):
        z[j] = max(b[j] + w0[j] * x0 + w1[j] * x1 + w2[j] * x2, zero)
        total += w[j] * z[j]
    return total


@row_function
def _slope_row(z, w, w0, w1, w2):
    """Over the units that are active, w . (w0, w1, w2)."""
    zero = z.dtype.type(0)
    s0, s1, s2 = zero, zero, zero
    for j in range(z.size):
        mine = w[j] if z[j] > zero else zero
        s0 += mine * w0[j]
        s1 += mine * w1[j]
        s2 += mine * w2[j]
    return s0, s1, s2


@row_function
def _backward_row(d0, d1, d2, db, dw, z, w, s, x0, x1, x2):
    """Add a point's gradient, s = dL/dG."""
    zero = z.dtype.type(0)
    for j in range(z.size):
        dw[j] += s * z[j]
        mine = s * w[j] if z[j] > zero else zero
        db[j] += mine
        d0[j] += mine * x0
        d1[j] += mine * x1
        d2[j] += mine * x2


@inlined
def _rows(theta, width, dim):
    """W0 in columns, always three of them; and b0, w, and (wx, b) as they lie in theta."""
    columns = np.zeros((3, width), theta.dtype)
    for j in range(width):
        for k in range(dim):
            columns[k, j] = theta[j * dim + k]
    ends = width * dim, width * (dim + 1), width * (dim + 2)
    return columns, theta[ends[0] : ends[1]], theta[ends[1] : ends[2]], theta[ends[2] :]


@compiled
def _values(theta, width, dim, x, g, slope):
    """G, and its slopes unless `slope` is empty."""
    columns, b, w, last = _rows(theta, width, dim)
    w0, w1, w2 = columns[0], columns[1], columns[2]
    z = np.empty(width, theta.dtype)
    flat = theta.dtype.type(0)
    v2 = last[2] if dim == 3 else flat
    for i in range(len(x)):
        x0, x1, x2 = x[i, 0], x[i, 1], x[i, 2] if dim == 3 else flat
        g[i] = _forward_row(z, w0, w1, w2, b, w, x0, x1, x2) + last[0] * x0 + last[1] * x1 + v2 * x2 + last[dim]
        if len(slope):
            s0, s1, s2 = _slope_row(z, w, w0, w1, w2)
            slope[i, 0], slope[i, 1] = s0 + last[0], s1 + last[1]
            if dim == 3:
                slope[i, 2] = s2 + v2


@inlined
def _gradient(theta, width, dim, x, cost, sharpness, gradient):
    """L, and its gradient in `gradient`."""
    real = theta.dtype.type
    one, steepest, flat = real(1), real(STEEPEST), real(0)
    columns, b, w, last = _rows(theta, width, dim)
    w0, w1, w2 = columns[0], columns[1], columns[2]
    gradient[:] = 0
    _, db, dw, into_last = _rows(gradient, width, dim)
    sums = np.zeros_like(columns)
    d0, d1, d2 = sums[0], sums[1], sums[2]
    v2, s2 = last[2] if dim == 3 else flat, flat
    z = np.empty(width, theta.dtype)
    loss = 0.0
    for i in range(len(x)):
        x0, x1, x2 = x[i, 0], x[i, 1], x[i, 2] if dim == 3 else flat
        g = _forward_row(z, w0, w1, w2, b, w, x0, x1, x2) + last[0] * x0 + last[1] * x1 + v2 * x2 + last[dim]
        u = one / (one + math.exp(min(max(sharpness * g, -steepest), steepest)))
        loss += cost[i] * u
        s = cost[i] * u * (u - one)
        _backward_row(d0, d1, d2, db, dw, z, w, s, x0, x1, x2)
        into_last[0] += s * x0
        into_last[1] += s * x1
        s2 += s * x2
        into_last[dim] += s
    if dim == 3:
        into_last[2] = s2
    for j in range(width):
        for k in range(dim):
            gradient[j * dim + k] = sums[k, j]
    share = one / real(len(x))
    for k in range(gradient.size):
        gradient[k] *= share
    return loss / (sharpness * len(x))


@compiled
def _loss(theta, width, dim, x, cost, sharpness, gradient):
    return _gradient(theta, width, dim, x, cost, sharpness, gradient)


@compiled
def _descend(theta, width, dim, nonnegative, m, v, t, beta1, beta2, x, cost, n, rate, sharpness):
    """Steps t + 1 to t + n of Adam (`shapes.training.Adam`), with Wz held at zero or above."""
    real = theta.dtype.type
    gradient = np.empty_like(theta)
    for step in range(t + 1, t + n + 1):
        _gradient(theta, width, dim, x, cost, sharpness, gradient)
        mean, square = real(1 / (1 - beta1**step)), real(1 / (1 - beta2**step))
        for k in range(theta.size):
            g = gradient[k]
            m[k] += real(1 - beta1) * (g - m[k])
            v[k] += real(1 - beta2) * (g * g - v[k])
            theta[k] -= rate * (m[k] * mean) / (math.sqrt(v[k] * square) + real(1e-10))
            if nonnegative[k] and theta[k] < 0:
                theta[k] = 0


class NumbaNetworks(ArrayBackend):
    """Networks with one hidden layer, on planes and volumes, in compiled kernels; others as in the specification."""

    def network_value(self, network: Any, points: Array) -> Array:
        """As in the specification, point by point."""
        if not _fits(network, points):
            return super().network_value(network, points)
        g = np.empty(len(points), network.dtype)
        _values(*_of(network), points, g, np.empty((0, network.dim), network.dtype))
        return g

    def network_slope(self, network: Any, points: Array) -> tuple[Array, Array]:
        """As in the specification, point by point."""
        if not _fits(network, points):
            return super().network_slope(network, points)
        g, slope = np.empty(len(points), network.dtype), np.empty_like(points)
        _values(*_of(network), points, g, slope)
        return g, slope

    def network_loss(self, network: Any, points: Array, cost: Array, sharpness: float) -> tuple[Array, Array]:
        """As in the specification, point by point."""
        if not _fits(network, points, cost):
            return super().network_loss(network, points, cost, sharpness)
        gradient = np.empty_like(network.theta)
        loss = _loss(*_of(network), points, cost, network.dtype.type(sharpness), gradient)
        return loss, gradient

    def network_descend(
        self, network: Any, adam: Any, points: Array, cost: Array, *, n: int, rate: float, sharpness: float
    ) -> None:
        """As in the specification, all steps in one call."""
        if not (_fits(network, points, cost) and adam.m.dtype == network.dtype):
            super().network_descend(network, adam, points, cost, n=n, rate=rate, sharpness=sharpness)
            return
        real = network.dtype.type
        moments = adam.m, adam.v, adam.t, adam.beta1, adam.beta2
        _descend(*_of(network), network.nonnegative, *moments, points, cost, n, real(rate), real(sharpness))
        adam.t += n


def _of(network: Any) -> tuple[np.ndarray, int, int]:
    return network.theta, network.hidden[0], network.dim


def _fits(network: Any, *arrays: Array) -> bool:
    known = len(network.hidden) == 1 and network.dim in (2, 3) and network.dtype in (np.float32, np.float64)
    return known and all(a.dtype == network.dtype and a.flags.c_contiguous for a in arrays)
