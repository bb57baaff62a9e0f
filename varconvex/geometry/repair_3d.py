"""Makes a nearly convex volume exactly convex, with scribbles held:

    inside <= S,    S and outside disjoint,    S = conv(S) intersected with Z^3,    S 26-connected

in integers only. As in the plane a digitally convex set stays so when it is cut by a half-space; its components need
not be digitally convex, though, and ways to join them are a few that are tried, not all. If none is found, None is
returned, never a set that breaks the promise.
"""

import itertools

import numpy as np

from .hulls import extreme_points, fill, half_spaces, is_convex
from .raster import grid_points

_NORMALS = grid_points((5, 5, 5)) - 2
_NORMALS = _NORMALS[np.gcd.reduce(_NORMALS, axis=1) == 1]
"""Normals of cuts, besides those of the sides of the set that must be kept."""

_SAMPLED = 20_000
"""Most voxels whose costs are summed to choose among cuts."""


def join(hull: np.ndarray, blocked: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """A digitally convex, connected set that holds the digitally convex `hull` and avoids `blocked`, or None if not
    found.

    Tried are the hulls of `hull` and its copy moved by a step in each of 26 directions, or its copies moved to the
    corners of a unit cube: the lattice points of the sum of a convex set and a unit cube are connected. `blocked` is
    returned as well: any of its voxels may have been in the way.
    """
    steps: list[tuple] = [(step,) for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
    steps += [tuple(s * grid_points((2, 2, 2))) for s in itertools.product((-1, 1), repeat=3)]
    found = []
    for group in steps:
        wider = hull.copy()
        for step in group:
            wider |= _moved(hull, step)
        wider = fill(wider)
        if not (wider & blocked).any() and is_convex(wider):
            found.append(wider)
    return min(found, key=np.count_nonzero, default=None), blocked


def repair(mask: np.ndarray, core: np.ndarray, outside: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """An exact set near to `mask` ((D, H, W) bool): see `convex_sets.repair`."""
    mask = fill(mask | core)
    if not core.any():
        core = deepest(mask & ~outside)
    if not core.any():
        return core
    if (mask & outside).any():
        mask = _cut(mask, core, outside, cost)
    from scipy import ndimage

    while not is_convex(mask):
        labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        piece = fill(labels == labels[core].max())
        if np.array_equal(piece, mask):
            return core
        mask = piece
    return mask


def deepest(mask: np.ndarray) -> np.ndarray:
    """The pixel of `mask` farthest from all others and from the border, as a mask; empty for an empty one."""
    from scipy import ndimage

    pixel = np.zeros_like(mask)
    if mask.any():
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[(slice(1, -1),) * mask.ndim]
        pixel[np.unravel_index(depth.argmax(), mask.shape)] = True
    return pixel


def _moved(mask: np.ndarray, step: np.ndarray | tuple[int, ...]) -> np.ndarray:
    """`mask` moved by `step` (entries -1, 0, 1), without the voxels that leave the volume."""
    moved = np.zeros_like(mask)
    to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(step, mask.shape, strict=True))
    fro = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(step, mask.shape, strict=True))
    moved[to] = mask[fro]
    return moved


def _cut(mask: np.ndarray, core: np.ndarray, outside: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """`mask` cut by half-spaces that contain `core` till it avoids `outside`, the nearest voxel first."""
    sides, _ = half_spaces(extreme_points(core))
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
        sampled = cost[tuple(sample.T)]
        costs = [float(sampled[sample @ normals[k] <= limits[k]].sum()) for k in useful]
        best = useful[int(np.argmin(costs))]
        mask[tuple(points[points @ normals[best] > limits[best]].T)] = False
