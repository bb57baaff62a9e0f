"""Makes a nearly convex mask exactly convex, with scribbles held:

    inside <= S,    S and outside disjoint,    S = conv(S) intersected with Z^2,    S 8-connected

in integers only. Two facts carry everything: a digitally convex set stays so when it is cut by a half-plane,
and its components are digitally convex.
"""

import math

import numpy as np

from .components import cheapest_piece
from .hulls import extreme_points, fill, is_convex
from .hulls_2d import hull_rows
from .repair_3d import deepest

Array = np.ndarray

_NORMALS = np.array([(r, c) for r in range(-4, 5) for c in range(-4, 5) if math.gcd(r, c) == 1])
"""Normals of cuts, besides those of the edges of the set that must be kept."""

_TRIES = 1000
"""Most ways to join a sliver that are tried; only scribbles drawn to defeat the search need more than a few."""


def repair(mask: Array, core: Array, outside: Array, cost: Array) -> Array:
    """The exact set nearest to `mask` ((H, W) bool): see `convex_sets.repair`."""
    mask = fill(mask | core)
    if (mask & outside).any():
        if not core.any():
            core = deepest(mask & ~outside)
        if not core.any():
            return core
        mask = _cut(mask, core, outside, cost)
    if not mask.any() or is_convex(mask):
        return mask
    if not core.any():
        wider, _ = join(mask, outside)
        if wider is not None:
            return wider
    return cheapest_piece(mask, cost, core)


def join(mask: Array, blocked: Array) -> tuple[Array | None, Array]:
    """A digitally convex, connected set that contains the digitally convex `mask` and avoids `blocked`, or None.

    Between two rows that do not touch, every such set contains one of two pixels (see `_bridges`); so trying
    both, and the hull of what results, misses none. The smaller hull is tried first, `_TRIES` at most. Returned as well
    are the pixels of `blocked` that were in the way ((H, W) bool).
    """
    hit = np.zeros_like(mask)
    untried = [mask]
    for _ in range(_TRIES):
        if not untried:
            break
        mask = untried.pop()
        bridges = _bridges(mask)
        if not bridges:
            return mask, hit
        wider = []
        for pixel in bridges:
            more = mask.copy()
            more[pixel] = True
            more = fill(more)
            hit |= more & blocked
            if not (more & blocked).any():
                wider.append(more)
        untried += sorted(wider, key=np.count_nonzero, reverse=True)
    return None, hit


def _bridges(mask: Array) -> list[tuple[int, int]]:
    """Two pixels of which a connected, digitally convex superset of `mask` needs one; none if it is connected.

    Every row of such a set is one run, with a pixel in each row between. A row whose piece of the hull lies
    between two pixels needs one of the two; of two rows with a gap between, one must reach a step further.
    """
    top, first, last = hull_rows(mask)
    hollow = np.flatnonzero(first > last)
    if len(hollow):
        row = int(hollow[len(hollow) // 2])
        return [(top + row, int(last[row])), (top + row, int(first[row]))]
    apart = np.flatnonzero((first[1:] > last[:-1] + 1) | (last[1:] < first[:-1] - 1))
    if not len(apart):
        return []
    row = int(apart[len(apart) // 2])
    if first[row + 1] > last[row]:
        return [(top + row, int(last[row]) + 1), (top + row + 1, int(first[row + 1]) - 1)]
    return [(top + row, int(first[row]) - 1), (top + row + 1, int(last[row + 1]) + 1)]


def _cut(mask: Array, core: Array, outside: Array, cost: Array) -> Array:
    """`mask` cut by half-planes that contain `core` till it avoids `outside`, the nearest pixel first."""
    corners = extreme_points(core)
    edges = np.roll(corners, -1, axis=0) - corners
    edges //= np.maximum(np.gcd(edges[:, 0], edges[:, 1]), 1)[:, None]
    across = edges[:, ::-1] * [1, -1]
    # Along an edge as well as across it: a core that is a segment has nothing across at its ends.
    normals = np.unique(np.concatenate([_NORMALS, across, -across, edges, -edges]), axis=0)
    normals = normals[normals.any(axis=1)]
    reach = (normals @ corners.T).max(axis=1)
    prefix = np.pad(np.cumsum(cost, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    centre = corners.mean(axis=0)
    while True:
        there = np.argwhere(mask & outside)
        if not len(there):
            return mask
        target = there[((there - centre) ** 2).sum(axis=1).argmin()]
        limits = normals @ target - 1
        useful = limits >= reach
        normal, limit = _cheapest(mask, normals[useful], limits[useful], prefix)
        rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
        mask = mask & (normal[0] * rows + normal[1] * columns <= limit)


def _cheapest(mask: Array, normals: Array, limits: Array, prefix: Array) -> tuple[Array, Array]:
    """The half-plane {normal . x <= limit} that leaves the part of `mask` of least cost."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)[None]
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)[None]
    across, along = normals[:, 0, None], normals[:, 1, None]
    slack = limits[:, None] - across * rows
    bound = slack // np.where(along == 0, 1, np.abs(along))
    last_kept = np.where(along > 0, bound + 1, np.where((along < 0) | (slack >= 0), last, first))
    first_kept = np.where(along < 0, -bound, first)
    start = np.clip(first_kept, first, last)
    stop = np.clip(last_kept, start, last)
    costs = (prefix[rows, stop] - prefix[rows, start]).sum(axis=1)
    best = int(costs.argmin())
    return normals[best], limits[best]
