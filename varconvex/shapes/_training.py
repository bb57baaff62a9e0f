"""Fits the network from a convex start, through a pyramid:

    min over theta of   <cost, sigma(-s G_theta)>,      cost = 1 - 2 target

For a hard set C this is |target - 1_C|^2 up to a constant; for a soft one it is linear where the square would
prefer sigma = target, flatten G on noise and drift off. Only pixels near the boundary have a gradient, so
only they are asked.

A step longer than the set is deep can empty it, and an empty set has no gradient to come back by. Hence steps
are a tenth of the depth of the network's floor, the best set so far is kept, and what went astray goes back
to it with half the step.

Points, costs and the network are a backend's arrays; between two looks at the energy nobody waits for its device.
"""

import numpy as np

from .._adam import Adam
from ..geometry.raster import grid_points, pool

_LEVEL_SIDES = {2: 96, 3: 32}
"""The coarsest level has at least so many pixels along its longest side, where an image, or a volume, has."""

_SHARPNESS = 2.5
"""s times the size of a pixel: sigma(-s G) goes from .9 to .1 within 1.8 pixels of the level."""

_RATE, _DECAY = 0.01, 0.45
"""A step at the coarsest level as a share of the start's inradius, and its factor from level to level."""

_SATURATED = 7.0
"""Beyond |s G| = 7 the sigmoid's slope is below a thousandth: no gradient is lost there."""

_BATCH = 2048
"""Pixels a step, at most; more help little, since the boundary is what they sample, and its last pixel is not the
network's to find (`_chains`)."""

_ROUND = 5
"""Steps between two exact looks at the energy."""


def train(backend, network, cost, scale, shift, depth, rng, *, steps=(25, 20, 10, 5), callback=None):
    """Descend from `network`, which is changed in place.

    Parameters
    ----------
    backend : ArrayBackend
        What computes; `network` is in its arrays.
    network : ICNN, float32, in frame coordinates
    cost : (h, w) or (d, h, w) float32, negative favours the object
    scale, shift : (2,) or (3,) float
        From pixels of `cost` to the frame: scale * index + shift.
    depth : float
        Inradius of the start, in frame units.
    rng : Generator
        Chooses the pixels of a batch.
    steps : tuple of int
        Steps at each level from the coarsest; the last repeats for further ones.
    callback : callable, optional
        Called with the network after every round.

    Returns
    -------
    list of float
        Hard energy, sum of `cost` over {G <= 0} on the pixels looked at, at the end of every round.
    """
    pixel = _pixel(scale)
    factor = 1
    while max(cost.shape) >= 2 * factor * _LEVEL_SIDES[cost.ndim] and 2 * factor * pixel <= 0.5 * depth:
        factor *= 2
    history, level, small = [], 0, None
    while factor >= 1:
        coarse, small = small, pool(cost, factor)
        if coarse is None:
            points = grid_points(small.shape)
        else:
            points = _near_boundary(backend, network, scale, shift, factor, coarse.shape)
        points = points[(points < small.shape).all(axis=1)]
        if len(points):
            where = backend.asarray(scale * _centres(points, factor) + shift, np.float32)
            count = steps[min(level, len(steps) - 1)]
            rate = _RATE * depth * _DECAY**level
            around = backend.asarray(small[tuple(points.T)])
            history += _descend(backend, network, where, around, factor * pixel, rate, count, rng, callback)
        factor //= 2
        level += 1
    return history


def _pixel(scale):
    """The side of a cube as large as a pixel."""
    return float(np.prod(scale) ** (1 / len(scale)))


def _centres(points, factor):
    """Of pixels of a level, in pixels of the finest."""
    return factor * (points + 0.5) - 0.5


def _near_boundary(backend, network, scale, shift, factor, coarse):
    """Pixels within about six of the boundary, found on the next coarser level."""
    points = grid_points(coarse)
    where = backend.asarray(scale * _centres(points, 2 * factor) + shift, np.float32)
    g, slope = backend.network_slope(network, where)
    pixel = 2 * factor * _pixel(scale)
    near = backend.to_numpy(abs(g) <= 3 * pixel * _typical_slope(backend.xp, g, slope))
    return (2 * points[near][:, None] + grid_points((2,) * len(coarse))).reshape(-1, len(coarse))


def _typical_slope(xp, g, slope):
    """|grad G| at the boundary: the median over the pixels nearest to it."""
    steep = xp.sqrt((slope**2).sum(axis=1))
    rising = steep > 0
    if not rising.any():
        return 1.0
    distance = abs(g[rising]) / steep[rising]
    nearest = xp.argsort(distance, kind="stable")[: max(16, len(distance) // 50)]
    return float(xp.median(steep[rising][nearest]))


def _descend(backend, network, points, cost, pixel, rate, count, rng, callback):
    """`count` steps of Adam at one level; ends at the best set seen."""
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


def _shift_to_best_level_set(backend, network, g, cost):
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
    # Brought home together: a device is waited for only once.
    best, now, low, high, floor = backend.to_numpy(xp.stack([energies[k], now, below[k], above[k], ranked[0]])).tolist()
    # The whole floor has one value: a level at it would be its edge, not a level set of the slope.
    if best >= now or low <= floor:
        return g, now
    shift = (low + high) / 2
    theta = network.pack()
    theta[-1] -= shift
    network.unpack(theta)
    return g - shift, best
