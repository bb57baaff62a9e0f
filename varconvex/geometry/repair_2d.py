"""Makes a nearly convex mask exactly convex, with scribbles held:

    inside <= S,    S and outside disjoint,    S = conv(S) intersected with Z^2,    S 8-connected

in integers only. Two facts carry everything: a digitally convex set stays so when it is cut by a half-plane,
and its components are digitally convex.
"""

import math

import numpy as np

from ..errors import InvalidScribblesError, ScribbleConflictError
from .certify import certify_convexity, fill_hull, hull_rows, hull_vertices
from .repair_3d import deepest, joined

_NORMALS = np.array([(r, c) for r in range(-4, 5) for c in range(-4, 5) if math.gcd(r, c) == 1])
"""Directions a cut may take besides those of the edges of what it must keep."""

_TRIES = 1000
"""Ways to join a sliver to be tried, at most; only scribbles drawn to defeat the search need more than a
few."""


def check_hulls(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Can a connected convex set hold `inside` and avoid `outside`?  The smallest such set found, or a named
    error.

    Parameters
    ----------
    inside, outside : (H, W) or (D, H, W) bool
        Pixels that must be in the set and out of it.

    Returns
    -------
    bool array of the same shape
        Digitally convex, connected, contains `inside`, avoids `outside`; empty if `inside` is.

    Raises
    ------
    ScribbleConflictError
        If the hull of `inside` contains pixels of `outside`, or is thinner than a pixel and cannot be joined
        between them (in a volume: no way to join it was found); `pixels` are those of `outside` in the way.
    InvalidScribblesError
        If the shapes differ.
    """
    if inside.shape != outside.shape:
        raise InvalidScribblesError(
            f"inside and outside must have one shape; got {inside.shape} and {outside.shape}: pass masks of one image"
        )
    hull = fill_hull(inside)
    in_the_way = np.argwhere(hull & outside)
    if len(in_the_way):
        raise ScribbleConflictError(
            "the convex hull of the object scribbles must be free of background scribbles; it contains "
            f"{len(in_the_way)} background pixel(s), the first at {_place(in_the_way[0])}: "
            "erase one of the two strokes there, or choose a shape that need not be convex",
            in_the_way,
        )
    if not hull.any() or certify_convexity(hull):
        return hull
    wider, hit = _join(hull, outside) if hull.ndim == 2 else (joined(hull, outside), outside)
    if wider is None:
        in_the_way = np.argwhere(hit)
        raise ScribbleConflictError(
            "object scribbles whose hull is thinner than a pixel need a free pixel beside it to be joined; "
            f"background scribbles block both sides, the first at {_place(in_the_way[0])}: "
            "draw the object's stroke a pixel wider, or erase the background's there",
            in_the_way,
        )
    return wider


def _place(index):
    return ", ".join(f"{name} {i}" for name, i in zip(("slice", "row", "column")[-len(index) :], index, strict=True))


def repair(mask, core, outside, cost):
    """The exact set nearest to `mask`: contains `core`, avoids `outside`, digitally convex, connected.

    Parameters
    ----------
    mask : (H, W) bool
    core : (H, W) bool
        What `check_hulls` returned.
    outside : (H, W) bool
    cost : (H, W) float
        Chooses among possible cuts: the set that stays is to cost little.

    Returns
    -------
    (H, W) bool
        Empty only if `core` is, and nothing of `mask` is left outside of `outside`.
    """
    mask = fill_hull(mask | core)
    if (mask & outside).any():
        if not core.any():
            core = deepest(mask & ~outside)
        if not core.any():
            return core
        mask = _cut(mask, core, outside, cost)
    if not mask.any() or certify_convexity(mask):
        return mask
    if not core.any():
        wider, _ = _join(mask, outside)
        if wider is not None:
            return wider
    return cheapest_piece(mask, cost, core)


def _join(mask, blocked):
    """A digitally convex, connected set that contains the digitally convex `mask` and avoids `blocked`.

    Between two rows that do not touch, every such set contains one of two pixels (see `_bridges`); so trying
    both, and the hull of what results, misses none. The smaller hull is tried first.

    Returns
    -------
    joined : (H, W) bool, or None if there is none, or none was found in a thousand tries
    hit : (H, W) bool
        Pixels of `blocked` that were in the way.
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
            more = fill_hull(more)
            hit |= more & blocked
            if not (more & blocked).any():
                wider.append(more)
        untried += sorted(wider, key=np.count_nonzero, reverse=True)
    return None, hit


def _bridges(mask):
    """Two pixels of which a connected, digitally convex superset of `mask` needs one; none if it is
    connected.

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


def _cut(mask, core, outside, cost):
    """`mask` without `outside`: cut by half-planes that contain `core`, the nearest pixel first."""
    corners = hull_vertices(core)
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


def _cheapest(mask, normals, limits, prefix):
    """The half-plane {normal . x <= limit} that leaves the part of `mask` of least cost."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)[None]
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)[None]
    across, along = normals[:, 0, None], normals[:, 1, None]
    room = limits[:, None] - across * rows
    bound = room // np.where(along == 0, 1, np.abs(along))
    last_kept = np.where(along > 0, bound + 1, np.where((along < 0) | (room >= 0), last, first))
    first_kept = np.where(along < 0, -bound, first)
    start = np.clip(first_kept, first, last)
    stop = np.clip(last_kept, start, last)
    costs = (prefix[rows, stop] - prefix[rows, start]).sum(axis=1)
    best = int(costs.argmin())
    return normals[best], limits[best]


def cheapest_piece(mask, cost, core=None):
    """The component of `mask` of least cost, or the one that holds `core` if that is not empty.

    Components of a digitally convex set are digitally convex.
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if core is not None and core.any():
        return labels == labels[core].max()
    costs = np.bincount(labels.ravel(), weights=cost.ravel(), minlength=count + 1)[1:]
    return labels == 1 + int(costs.argmin())
