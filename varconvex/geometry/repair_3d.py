"""Makes a nearly convex volume exactly convex, with scribbles held:

    inside <= S,    S and outside disjoint,    S = conv(S) intersected with Z^3,    S 26-connected

in integers only. As in the plane a digitally convex set stays so when it is cut by a half-space; but not so its pieces,
and what joins them is searched for among a few ways, not all. What cannot be had is said, never returned.
"""

import itertools

import numpy as np

from .certify import certify_convexity, fill_hull, hull_half_spaces
from .raster import grid_points

_NORMALS = grid_points((5, 5, 5)) - 2
_NORMALS = _NORMALS[np.gcd.reduce(_NORMALS, axis=1) == 1]
"""Directions a cut may take besides those of the sides of what it must keep."""

_SAMPLED = 20_000
"""Voxels at most whose cost chooses among cuts."""


def joined(hull, blocked):
    """A digitally convex, connected set that holds the digitally convex `hull` and avoids `blocked`; None if not found.

    Tried are the hulls of `hull` and of itself moved by a step in each of 26 directions, or by those of a unit cube:
    the lattice points of the sum of a convex set and a unit cube are connected.
    """
    steps = [(step,) for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
    steps += [tuple(s * grid_points((2, 2, 2))) for s in itertools.product((-1, 1), repeat=3)]
    found = []
    for group in steps:
        wider = hull.copy()
        for step in group:
            wider |= _moved(hull, step)
        wider = fill_hull(wider)
        if not (wider & blocked).any() and certify_convexity(wider):
            found.append(wider)
    return min(found, key=np.count_nonzero, default=None)


def repair_solid(mask, core, outside, cost):
    """The exact set near to `mask`: contains `core`, avoids `outside`, digitally convex, connected.

    Parameters
    ----------
    mask : (D, H, W) bool
    core : (D, H, W) bool
        Digitally convex and connected, free of `outside`, or empty.
    outside : (D, H, W) bool
    cost : (D, H, W) float
        Chooses among possible cuts: the set that stays is to cost little.

    Returns
    -------
    (D, H, W) bool
        Empty only if `core` is, and nothing of `mask` is left outside of `outside`.
    """
    mask = fill_hull(mask | core)
    if not core.any():
        core = deepest(mask & ~outside)
    if not core.any():
        return core
    if (mask & outside).any():
        mask = _cut(mask, core, outside, cost)
    from scipy import ndimage

    while not certify_convexity(mask):
        labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        piece = fill_hull(labels == labels[core].max())
        if np.array_equal(piece, mask):
            return core
        mask = piece
    return mask


def deepest(mask):
    """The pixel of `mask` farthest from all that is not, the image's border included; empty for empty."""
    from scipy import ndimage

    pixel = np.zeros_like(mask)
    if mask.any():
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[(slice(1, -1),) * mask.ndim]
        pixel[np.unravel_index(depth.argmax(), mask.shape)] = True
    return pixel


def _moved(mask, step):
    """`mask` one voxel further along each axis that `step` names; what leaves the volume is lost."""
    moved = np.zeros_like(mask)
    to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(step, mask.shape, strict=True))
    fro = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(step, mask.shape, strict=True))
    moved[to] = mask[fro]
    return moved


def _cut(mask, core, outside, cost):
    """`mask` without `outside`: cut by half-spaces that contain `core`, the nearest voxel first."""
    sides, _ = hull_half_spaces(core)
    normals = np.unique(np.concatenate([_NORMALS, sides]), axis=0)
    held = np.argwhere(core)
    reach = (normals @ held.T).max(axis=1)
    centre = held.mean(axis=0)
    mask = mask.copy()
    while True:
        there = np.argwhere(mask & outside)
        if not len(there):
            return mask
        target = there[((there - centre) ** 2).sum(axis=1).argmin()]
        limits = normals @ target - 1
        useful = np.flatnonzero(limits >= reach)
        points = np.argwhere(mask)
        sample = points[:: max(1, len(points) // _SAMPLED)]
        price = cost[tuple(sample.T)]
        costs = [float(price[sample @ normals[k] <= limits[k]].sum()) for k in useful]
        best = useful[int(np.argmin(costs))]
        mask[tuple(points[points @ normals[best] > limits[best]].T)] = False
