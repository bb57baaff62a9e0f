"""Training of the convex network from a convex start, through a pyramid:

    min over theta of   <cost, sigma(-s G_theta)>,      cost = 1 - 2 target

For a hard set C this is |target - 1_C|^2 up to a constant; for a soft one it is linear where the square would prefer
sigma = target, flatten G on noise and drift away. Only pixels near the boundary have a gradient, so only they are
sampled. Gradients are written by hand, for any depth and width: `network_descend` of the backends takes the steps.

A step longer than the set is deep can empty it, and an empty set has no gradient. Hence steps are a tenth of the depth
of the network's floor, the best set so far is kept, and a descent that has lost much returns to it with half the step.

Points, costs and the network are a backend's arrays; the host waits for its device only where the energy is evaluated.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from ..backends import ArrayBackend
from ..geometry.raster import grid_points, pool
from .icnn import ICNN

Array = Any
Callback = Callable[[ICNN], object] | None

_LEVEL_SIDES = {2: 96, 3: 32}
"""Least number of pixels along the longest side of the coarsest level, if the image or volume has as many."""

_SHARPNESS = 2.5
"""s times the size of a pixel: sigma(-s G) falls from .9 to .1 within 1.8 pixels of the level."""

_RATE, _DECAY = 0.01, 0.45
"""A step at the coarsest level as a share of the start's inradius, and its factor from level to level."""

_SATURATED = 7.0
"""Beyond |s G| = 7 the sigmoid's slope is below a thousandth: no gradient is lost there."""

_BATCH = 2048
"""Most pixels a step; more help little, since the outline is refined to the pixel afterwards (`geometry.refine_2d`)."""

_ROUND = 5
"""Steps between two exact evaluations of the energy."""


class Adam:
    """Adam (Kingma and Ba, ICLR 2015, arXiv:1412.6980), for the networks of shapes and of predictors.

    m += (1 - beta1) (g - m),   v += (1 - beta2) (g^2 - v),   step = (m / (1 - beta1^t)) / sqrt(v / (1 - beta2^t))

    Arrays are NumPy's or, with `xp`, CuPy's. `network_descend` of the compiled backends takes these steps in their
    kernels.
    """

    def __init__(self, size: int, beta1: float = 0.9, beta2: float = 0.99, xp: Any = np, dtype: Any = np.float32):
        self.beta1, self.beta2, self.t = beta1, beta2, 0
        self.m, self.v = xp.zeros(size, dtype), xp.zeros(size, dtype)

    def step(self, gradient: Any) -> Any:
        """The step for a gradient ((P,)), to be multiplied by the rate and subtracted."""
        self.t += 1
        self.m += (1 - self.beta1) * (gradient - self.m)
        self.v += (1 - self.beta2) * (gradient * gradient - self.v)
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        return m / (v**0.5 + 1e-10)


def train(
    backend: ArrayBackend, network: ICNN, cost: Array, scale: Array, shift: Array, depth: float, rng: Generator, *,
    steps: tuple[int, ...] = (25, 20, 10, 5), callback: Callback = None,
) -> list[float]:  # fmt: skip
    """Descend from `network`, which is changed in place; it is float32, in frame coordinates and `backend`'s arrays.

    `cost` ((h, w) or (d, h, w) float32) is negative where it favours the object; scale * index + shift is the place of
    its pixels in the frame ((2,) or (3,) float), in whose units `depth` is the start's inradius. `rng` chooses the
    pixels of a batch; `steps` are those at each level from the coarsest, the last for further ones as well. `callback`
    is called with the network after every round.

    Returned is the hard energy, sum of `cost` over {G <= 0} on the sampled pixels, at the end of every round.
    """

    def placed(points: Array, factor: int) -> Array:
        """The centres of a level's pixels, in the frame."""
        return backend.asarray(scale * (factor * (points + 0.5) - 0.5) + shift, np.float32)

    # The side of a cube as large as a pixel.
    pixel = float(np.prod(scale) ** (1 / len(scale)))
    factor = 1
    while max(cost.shape) >= 2 * factor * _LEVEL_SIDES[cost.ndim] and 2 * factor * pixel <= 0.5 * depth:
        factor *= 2
    history: list[float] = []
    level, small = 0, None
    while factor >= 1:
        coarse, small = small, pool(cost, factor)
        if coarse is None:
            points = grid_points(small.shape)
        else:
            # Within about six pixels of the boundary, found on the next coarser level.
            points = grid_points(coarse.shape)
            g, slope = backend.network_slope(network, placed(points, 2 * factor))
            near = backend.to_numpy(abs(g) <= 3 * (2 * factor * pixel) * _typical_slope(backend.xp, g, slope))
            points = (2 * points[near][:, None] + grid_points((2,) * coarse.ndim)).reshape(-1, coarse.ndim)
        points = points[(points < small.shape).all(axis=1)]
        if len(points):
            count = steps[min(level, len(steps) - 1)]
            rate = _RATE * depth * _DECAY**level
            where, around = placed(points, factor), backend.asarray(small[tuple(points.T)])
            history += _descend(backend, network, where, around, factor * pixel, rate, count, rng, callback)
        factor //= 2
        level += 1
    return history


def _typical_slope(xp: Any, g: Array, slope: Array) -> float:
    """|grad G| at the boundary: the median over the pixels nearest to it."""
    steep = xp.sqrt((slope**2).sum(axis=1))
    rising = steep > 0
    if not rising.any():
        return 1.0
    distance = abs(g[rising]) / steep[rising]
    nearest = xp.argsort(distance, kind="stable")[: max(16, len(distance) // 50)]
    return float(xp.median(steep[rising][nearest]))


def _descend(
    backend: ArrayBackend, network: ICNN, points: Array, cost: Array, pixel: float, rate: float, count: int,
    rng: Generator, callback: Callback,
) -> list[float]:  # fmt: skip
    """`count` steps of Adam at one level; ends at the best set so far."""
    xp = backend.xp
    g, slope = backend.network_slope(network, points)
    sharpness = _SHARPNESS / (pixel * _typical_slope(xp, g, slope))
    g, best_energy = _shift_to_best_level_set(backend, network, g, cost)
    best = network.pack()
    history = [best_energy]
    adam = Adam(best.size, xp=xp)
    for _ in range(count // _ROUND):
        band = xp.flatnonzero(abs(sharpness * g) < _SATURATED)
        if not len(band):
            break
        if len(band) > _BATCH:
            band = band[backend.asarray(np.sort(rng.choice(len(band), _BATCH, replace=False)))]
        x, c = points[band], cost[band] / abs(cost[band]).mean().clip(1e-12)
        backend.network_descend(network, adam, x, c, n=_ROUND, rate=rate, sharpness=sharpness)
        g, energy = _shift_to_best_level_set(backend, network, backend.network_value(network, points), cost)
        history.append(energy)
        if energy < best_energy:
            best_energy, best = energy, network.pack()
        elif not np.isfinite(energy) or energy > best_energy + 0.05 * abs(best_energy):
            network.unpack(best)
            g = backend.network_value(network, points)
            rate *= 0.5
            adam = Adam(best.size, xp=xp)
        if callback is not None:
            callback(network)
    network.unpack(best)
    return history


def _shift_to_best_level_set(backend: ArrayBackend, network: ICNN, g: Array, cost: Array) -> tuple[Array, float]:
    """Move the output's bias so that {G <= 0} is the best of G's level sets; returns G after it, and the energy.

    All level sets are convex, and sorting the values gives the energies of all of them at once.
    """
    xp = backend.xp
    now = (cost * (g <= 0)).sum(dtype=np.float64)
    if len(g) < 2:
        return g, float(now)
    order = xp.argsort(g)
    ranked = g[order]
    below, above = ranked[:-1], ranked[1:]
    energies = xp.where(below == above, np.inf, xp.cumsum(cost[order], dtype=np.float64)[:-1])
    k = xp.argmin(energies)
    # Copied to the host together: it waits for its device only once.
    best, now, low, high, floor = backend.to_numpy(xp.stack([energies[k], now, below[k], above[k], ranked[0]])).tolist()
    # The floor has one value: the level set at it is not that of a slope, and would jump.
    if best >= now or low <= floor:
        return g, now
    shift = (low + high) / 2
    theta = network.pack()
    theta[-1] -= shift
    network.unpack(theta)
    return g - shift, best
