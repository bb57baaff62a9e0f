"""Descents of the squared distance of a map to sigma(-G), for an input convex network G, with Wz >= 0.

Levenberg-Marquardt for networks of a few hundred parameters, on the normal equations; L-BFGS for larger ones. See
`soft` for the problem.
"""

import time
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, solve
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize
from scipy.special import expit

from ..geometry.raster import grid_points, pool
from ..threads import checkpoint, deadline
from .icnn import ICNN

Array = Any

MOST_PARAMETERS = 600
"""Of a network whose normal equations are solved, at a tenth of a second a step; larger ones descend by L-BFGS."""

PRECISION = 2.5e-7
"""Mean square below which a fit ends: half a thousandth in each pixel."""

_SLOPE = 1e-4
"""Where sigma's slope is below this, a pixel has no part in the normal equations."""

_ROWS = 8192
"""Most pixels in a Jacobian, and in a piece of a sum."""


class Grid:
    """Pixels of a level of the pyramid: their places in the frame, where the longest side is [-1, 1], and the map."""

    def __init__(self, target: Array, scale: Array, shift: Array, factor: int = 1):
        values = pool(target, factor) / pool(np.ones(target.shape), factor)
        self.factor, self.shape = factor, values.shape
        self.points = scale * (factor * (grid_points(values.shape) + 0.5) - 0.5) + shift
        self.target, self.smooth = values.ravel(), gaussian_filter(values, 1.0).ravel()

    def residual(self, network: ICNN) -> tuple[Array, Array]:
        """sigma(-G) - N, and the derivative of sigma(-G) by G: (n,) each."""
        s = expit(-network(self.points))
        return s - self.target, -s * (1 - s)

    def squared(self, network: ICNN) -> float:
        """The squared distance."""
        return float(np.sum(self.residual(network)[0] ** 2))


def descended(network: ICNN, grid: Grid, steps: int, tolerance: float = 1e-4) -> ICNN:
    """`network` after steps of the method that suits its size."""
    if network.theta.size <= MOST_PARAMETERS:
        return marquardt(network, grid, steps, tolerance)
    return lbfgs(network, grid, steps)


def marquardt(network: ICNN, grid: Grid, steps: int, tolerance: float = 1e-4) -> ICNN:
    """Levenberg-Marquardt on all pixels of `grid`, with Wz >= 0; never worse than `network`.

    It ends when three steps in succession have lowered the squared distance by less than `tolerance` of it.
    """
    network = network.to(np)  # a copy, whose parameters are the step that is tried
    theta, bounded = network.pack(), network.nonnegative
    residual, slope = grid.residual(network)
    now, damping, slow = float(residual @ residual), 1e-2, 0
    for _ in range(steps):
        checkpoint()
        normal, gradient = _normal_equations(network, grid, residual, slope)
        for _ in range(8):
            after = theta + _step(normal, gradient, damping, bounded & (theta <= 0))
            after[bounded] = np.maximum(after[bounded], 0)
            network.unpack(after)
            new_residual, new_slope = grid.residual(network)
            new = float(new_residual @ new_residual)
            if new < now:
                break
            damping *= 4
        else:
            network.unpack(theta)
            break
        moved = after - theta
        expected = -(2 * gradient @ moved + moved @ normal @ moved)
        if now - new > 0.5 * expected:
            damping = max(damping / 3, 1e-7)
        elif now - new < 0.1 * expected:
            damping *= 2
        slow = slow + 1 if now - new < tolerance * now else 0
        theta, residual, slope, now = after, new_residual, new_slope, new
        if slow == 3 or now < PRECISION * len(residual) or time.perf_counter() >= deadline():
            break
    return network


def _normal_equations(network: ICNN, grid: Grid, residual: Array, slope: Array) -> tuple[Array, Array]:
    """J^T J and J^T r, for J the derivatives of sigma(-G) at the pixels where they are not about zero.

    J^T r is exact; of more pixels than `_ROWS` J^T J is estimated from as many.
    """
    steep = np.nonzero(np.abs(slope) > _SLOPE)[0]
    seen = steep if len(steep) <= _ROWS else np.random.default_rng(0).choice(steep, _ROWS, replace=False)
    points = grid.points[seen]
    jacobian = network.jacobian(points, network.forward(points)[1])
    jacobian *= slope[seen, None]
    if seen is steep:
        return jacobian.T @ jacobian, residual[seen] @ jacobian
    gradient = np.zeros(network.theta.size)
    for part in _pieces(len(grid.points)):
        points = grid.points[part]
        gradient += network.backward(points, network.forward(points)[1], (residual * slope)[part])[0]
    return (len(steep) / len(seen)) * (jacobian.T @ jacobian), gradient


def _pieces(count: int) -> list[slice]:
    """Slices of `_ROWS` of so many."""
    return [slice(i, i + _ROWS) for i in range(0, count, _ROWS)]


def _step(normal: Array, gradient: Array, damping: float, at_bound: Array) -> Array:
    """The damped step, in which no parameter at its bound becomes negative."""
    diagonal = np.diag(normal)
    damped = normal + np.diag(damping * (diagonal + 1e-3 * diagonal.mean()) + 1e-12)
    free = ~(at_bound & (gradient > 0))
    for _ in range(3):
        step = np.zeros_like(gradient)
        try:
            step[free] = -solve(damped[np.ix_(free, free)], gradient[free], assume_a="pos")
        except LinAlgError:  # by rounding: more damping follows
            return -gradient / np.diag(damped)
        crossing = free & at_bound & (step < 0)
        if not crossing.any():
            break
        free &= ~crossing
    return step


def lbfgs(network: ICNN, grid: Grid, steps: int) -> ICNN:
    """L-BFGS (Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1995, doi:10.1137/0916069), with Wz >= 0."""
    network = network.to(np)

    def value(theta: Array) -> tuple[float, Array]:
        checkpoint()
        network.unpack(theta)
        squared, gradient = 0.0, np.zeros_like(theta)
        for part in _pieces(len(grid.points)):
            g, z = network.forward(grid.points[part])
            s = expit(-g)
            residual = s - grid.target[part]
            squared += float(residual @ residual)
            gradient += network.backward(grid.points[part], z, -2 * residual * s * (1 - s))[0]
        return squared, gradient

    def stop_in_time(_: Array) -> None:
        if time.perf_counter() >= deadline():
            raise StopIteration

    bounds = [(0 if bounded else None, None) for bounded in network.nonnegative]
    options = {"maxiter": steps, "maxcor": 20}
    found = minimize(
        value, network.pack(), jac=True, method="L-BFGS-B", bounds=bounds, options=options, callback=stop_in_time
    )
    network.unpack(found.x)
    return network
