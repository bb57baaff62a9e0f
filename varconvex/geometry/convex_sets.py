"""Digitally convex sets of least cost, in the plane and in volumes: conflicts of scribbles, search, repair, refinement.

    min over digitally convex, connected S    sum of cost over S      subject to   inside <= S,   S and outside disjoint

Search and refinement choose by the number of dimensions between `*_2d` and `*_3d`. Repair is in integers only. A
digitally convex set stays so when it is cut by a half-space. In the plane its components are digitally convex as well;
in a volume they need not be, and ways to join them are a few that are tried, not all. If none is found, None is
returned, never a set that breaks the promise.
"""

import itertools

import numpy as np

from ..errors import InvalidScribblesError, ScribbleConflictError
from . import polytopes_3d, refine_2d, refine_3d, search_2d, search_3d
from .components import cheapest_piece
from .hulls import extreme_points, fill, half_spaces, is_convex
from .hulls_2d import hull_rows
from .raster import cheapest_pixel, grid_points, holding, primitive_vectors, row_sums
from .search_2d import SMALL

__all__ = ["SMALL", "check_hulls", "half_spaces_around", "inradius", "least_solid", "refine", "repair", "search"]

Array = np.ndarray

REACH = {2: 4, 3: 2}
"""Largest entry of the normals of cuts by the number of dimensions, besides those of a hull's own sides."""

_TRIES = 1000
"""Most ways to join a sliver that are tried; only scribbles drawn to defeat the search need more than a few."""

_SEEDED = 1000.0
"""Cost of a scribbled voxel on the wrong side in a search, as in a projection."""

_SAMPLED = 20_000
"""Most voxels whose costs are summed to choose among cuts."""


def check_hulls(inside: Array, outside: Array) -> Array:
    """The smallest connected convex set found that holds `inside` and avoids `outside` (bool, of one shape).

    It is digitally convex; empty if `inside` is. A ScribbleConflictError if the hull of `inside` contains pixels of
    `outside`, or is thinner than a pixel and cannot be joined between them (in a volume: no way to join it was found);
    its `pixels` are those of `outside` in the way. An InvalidScribblesError if the shapes differ.
    """
    if inside.shape != outside.shape:
        raise InvalidScribblesError(
            f"inside and outside must have one shape; got {inside.shape} and {outside.shape}: pass masks of one image"
        )
    hull = fill(inside)
    in_the_way = np.argwhere(hull & outside)
    if len(in_the_way):
        raise ScribbleConflictError(
            "the convex hull of the object scribbles must be free of background scribbles; it contains "
            f"{len(in_the_way)} background pixel(s), the first at {_place(in_the_way[0])}: "
            "erase one of the two strokes there, or choose a shape that need not be convex",
            in_the_way,
        )
    if not hull.any() or is_convex(hull):
        return hull
    wider, hit = join(hull, outside)
    if wider is None:
        in_the_way = np.argwhere(hit)
        raise ScribbleConflictError(
            "object scribbles whose hull is thinner than a pixel need a free pixel beside it to be joined; "
            f"background scribbles block both sides, the first at {_place(in_the_way[0])}: "
            "draw the object's stroke a pixel wider, or erase the background's there",
            in_the_way,
        )
    return wider


def _place(index: Array) -> str:
    return ", ".join(f"{name} {i}" for name, i in zip(("slice", "row", "column")[-len(index) :], index, strict=True))


def search(cost: Array, core: Array) -> tuple[Array, Array]:
    """The best of several convex sets, searched for among all places and sizes.

    `cost` ((*spatial) float) is negative where it favours the object; `core` (bool, digitally convex, may be empty) is
    a candidate as well. Returned are points whose convex hull is the set ((n, d) float, in pixels with centres at
    integers), and its pixels, at least one, as a digitally convex mask.
    """
    return (search_2d if cost.ndim == 2 else search_3d).search(cost, core)


def half_spaces_around(corners: Array, count: int) -> tuple[Array, Array]:
    """`count` half-spaces around the hull of `corners` ((n, d)): its largest sides, then tangents where none is near.

    normals : (count, d) float, of length one, pointing outwards
    offsets : (count,) float, normals @ x <= offsets in the hull
    """
    return (search_2d if corners.shape[1] == 2 else search_3d).half_spaces_around(corners, count)


def inradius(normals: Array, offsets: Array) -> float:
    """About the largest distance of a point in the half-spaces from their sides, by subgradient steps from 0."""
    x, best = np.zeros(normals.shape[1]), 0.0
    for t in range(1, 101):
        depth = offsets - normals @ x
        nearest = int(depth.argmin())
        best = max(best, float(depth[nearest]))
        x = x - normals[nearest] * (depth.max() - depth[nearest]) / (2 * t)
    return best


def refine(mask: Array, cost: Array) -> Array:
    """A convex set that costs no more than the convex `mask` (bool), by moving its outline to pixels near.

    `cost` is a float array, negative where it favours the object; the set is digitally convex and connected.
    """
    return (refine_2d if mask.ndim == 2 else refine_3d).refine(mask, cost)


def least_solid(cost: Array, inside: Array, outside: Array, start: Array | None = None) -> Array:
    """The convex set of voxels of least cost that is found from `start`, or among all places and sizes without one.

    `cost` ((D, H, W) float, nats) is negative where it favours the object; the set holds `inside`, avoids `outside`
    (bool) and has at least a voxel. Raises what `check_hulls` raises.
    """
    core = check_hulls(inside, outside)
    exact = holding(cost, core, outside)
    if start is None:
        start = search(np.clip(exact, -_SEEDED, _SEEDED), core)[1]
    mask = repair(start, core, outside, exact)
    if not mask.any():
        mask = repair(cheapest_pixel(np.where(outside, np.inf, cost)), core, outside, exact)
    return polytopes_3d.descend(exact, mask)


def repair(mask: Array, core: Array | None = None, outside: Array | None = None, cost: Array | None = None) -> Array:
    """A digitally convex, connected set near to `mask` (bool) that contains `core` and avoids `outside`.

    `core` is what `check_hulls` returned; it and `outside` are empty by default. `cost` (float) chooses among possible
    cuts, so that the set costs little; -1 a pixel by default. The set is empty only if `core` is, and nothing of `mask`
    is left outside of `outside`; in the plane it is the exact set nearest to `mask`.
    """
    from scipy.ndimage import distance_transform_edt

    core = np.zeros_like(mask) if core is None else core
    outside = np.zeros_like(mask) if outside is None else outside
    cost = -np.ones(mask.shape) if cost is None else cost
    mask = fill(mask | core)
    crossed = (mask & outside).any()
    if not core.any() and (crossed or mask.ndim == 3):
        core = np.zeros_like(mask)
        if not (mask & ~outside).any():
            return core
        # The pixel farthest from all others and from the border.
        depth = distance_transform_edt(np.pad(mask & ~outside, 1))[(slice(1, -1),) * mask.ndim]
        core[np.unravel_index(depth.argmax(), mask.shape)] = True
    if crossed:
        mask = _cut(mask, core, outside, cost)
    if not mask.any():
        return mask
    if not core.any() and (wider := join(mask, outside)[0]) is not None:
        return wider
    while not is_convex(mask):
        piece = fill(cheapest_piece(mask, cost, core))
        if np.array_equal(piece, mask):
            return core
        mask = piece
    return mask


def join(mask: Array, blocked: Array) -> tuple[Array | None, Array]:
    """A digitally convex, connected set that contains the digitally convex `mask` and avoids `blocked`, or None.

    Returned as well are the pixels of `blocked` that were in the way (in a volume all: any of them may have been).
    """
    return (_join_pixels if mask.ndim == 2 else _join_voxels)(mask, blocked)


def _join_pixels(mask: Array, blocked: Array) -> tuple[Array | None, Array]:
    """`join` in the plane, which misses no set.

    Between two rows that do not touch, every such set contains one of two pixels (see `_bridges`); so trying
    both, and the hull of what results, misses none. The smaller hull is tried first, `_TRIES` at most.
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


def _join_voxels(hull: Array, blocked: Array) -> tuple[Array | None, Array]:
    """`join` in a volume: the smallest of a few sets that are tried.

    These are the hulls of `hull` and its copy moved by a step in each of 26 directions, or its copies moved to the
    corners of a unit cube: the lattice points of the sum of a convex set and a unit cube are connected.
    """
    steps: list[tuple] = [(step,) for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
    steps += [tuple(s * grid_points((2, 2, 2))) for s in itertools.product((-1, 1), repeat=3)]
    found, points = [], np.argwhere(hull)
    for group in steps:
        wider = hull.copy()
        for step in group:
            # Without the voxels that leave the volume.
            there = points + step
            there = there[((there >= 0) & (there < hull.shape)).all(axis=1)]
            wider[tuple(there.T)] = True
        wider = fill(wider)
        if not (wider & blocked).any() and is_convex(wider):
            found.append(wider)
    return min(found, key=np.count_nonzero, default=None), blocked


def _cut(mask: Array, core: Array, outside: Array, cost: Array) -> Array:
    """`mask` cut by half-spaces that contain `core` till it avoids `outside`, the nearest pixel first."""
    held = extreme_points(core)
    sides, _ = half_spaces(held)
    if mask.ndim == 2:
        # Along a side as well as across it: a core that is a segment has nothing across at its ends.
        sides = np.concatenate([s * side for side in (sides, sides[:, ::-1] * [1, -1]) for s in (1, -1)])
        remaining, cost = _costs_of_pixels, row_sums(cost)
    else:
        held, remaining = np.argwhere(core), _costs_of_voxels
    normals = np.unique(np.concatenate([primitive_vectors(REACH[mask.ndim], mask.ndim), sides]), axis=0)
    reach, centre = (normals @ held.T).max(axis=1), held.mean(axis=0)
    mask = mask.copy()
    while len(there := np.argwhere(mask & outside)):
        target = there[((there - centre) ** 2).sum(axis=1).argmin()]
        limits = normals @ target - 1
        useful = np.flatnonzero(limits >= reach)
        points = np.argwhere(mask)
        best = useful[np.argmin(remaining(mask, points, normals[useful], limits[useful], cost))]
        mask[tuple(points[points @ normals[best] > limits[best]].T)] = False
    return mask


def _costs_of_pixels(mask: Array, points: Array, normals: Array, limits: Array, prices: Array) -> Array:
    """(n,): cost of the part of `mask` in each half-plane {normal . x <= limit}, by the sums `prices` of each row."""
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
    return (prices[rows, stop] - prices[rows, start]).sum(axis=1)


def _costs_of_voxels(mask: Array, points: Array, normals: Array, limits: Array, prices: Array) -> Array:
    """As `_costs_of_pixels` for half-spaces, over a sample of the voxels `points` of `mask`."""
    sample = points[:: max(1, len(points) // _SAMPLED)]
    sampled = prices[tuple(sample.T)]
    return np.array([float(sampled[sample @ n <= limit].sum()) for n, limit in zip(normals, limits, strict=True)])
