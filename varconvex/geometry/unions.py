"""Unions of a few convex sets: those of least cost, and how strokes are shared among them.

    min over convex P_1, ..., P_k     sum of cost over their union,      inside <= union,  union and outside disjoint

Given the others, the best P_i is a convex set of least cost where what the others have costs nothing: so the parts take
turns while the union gets cheaper. There are three starts: parts found one after the other; the same where what is
against the object counts four times, so that the first parts lie within it; and the first part cut in clusters of what
favours the object in it. The last, and the better of the others, are followed. All of it on a small grid; on the full
one the outlines are refined in turns.
"""

from collections.abc import Sequence

import numpy as np

from ..errors import ScribbleConflictError
from ..threads import checkpoint
from .convex_sets import check_hulls, refine, repair
from .lattice_polygon import best_polygon
from .raster import cheapest_pixel, enlarged, polygon_mask, pool
from .rectangles import best_boxes

Array = np.ndarray

_SIDE = 128
"""Pixels along the longer side of the small grid."""

_NODES = 17
"""Nodes of the lattice on which a part is searched for."""

_WITHIN = 4.0
"""Factor on what is against the object, so that parts lie within it."""

_TURNS = 4
"""Most turns of all parts: in the first each is searched for anew, then they are refined."""

_BLUR = 2.0
"""Standard deviation of the average by which noise within a set is told from what it has too much."""

_CLUSTERINGS = 6
"""Ways in which strokes are clustered, if no other way to share them among parts is found."""


def shared(inside: Array, outside: Array, k: int) -> list[Array]:
    """The strokes `inside` as at most `k` groups, each within a convex set that avoids `outside`: those sets.

    Tried are all strokes in one, each stroke by itself, and clusters of their pixels. A ScribbleConflictError if none
    of these will do: its pixels are those of `outside` in the way in the last of them.
    """
    from scipy import ndimage

    if not inside.any():
        return []
    points = np.argwhere(inside)
    strokes, count = ndimage.label(inside, np.ones((3,) * inside.ndim))
    groupings = [np.zeros(len(points), int)]
    if 1 < count <= k:
        groupings.append(strokes[inside] - 1)
    for size in range(2, k + 1):
        groupings += [_clusters(points.astype(float), size, seed) for seed in range(_CLUSTERINGS)]
        groupings += [_clusters(points.astype(float), size, seed, strokes[inside]) for seed in range(_CLUSTERINGS)]
    conflict: ScribbleConflictError | None = None
    for grouping in groupings:
        masks = []
        for group in range(int(grouping.max()) + 1):
            mask = np.zeros(inside.shape, bool)
            mask[tuple(points[grouping == group].T)] = True
            masks.append(mask)
        try:
            return [check_hulls(mask, outside) for mask in masks if mask.any()]
        except ScribbleConflictError as error:
            conflict = error
    assert conflict is not None
    raise ScribbleConflictError(
        f"{k} convex part(s) must hold the object's strokes without the background's; no way to share them out was "
        f"found, {len(conflict.pixels)} background pixel(s) are in the way, the first at "
        f"{tuple(conflict.pixels[0].tolist())}: erase one of the two strokes there, or allow more parts",
        conflict.pixels,
    )


def best_union(cost: Array, cores: Sequence[Array], outside: Array, k: int) -> list[Array]:
    """At most `k` digitally convex sets whose union costs little, holds `cores` and avoids `outside`.

    `cost` ((H, W) float) has what scribbles forbid and demand in it; each of `cores` is in one of the sets.
    """
    factor = max(-(-max(cost.shape) // _SIDE), 1)
    small = np.ascontiguousarray(pool(np.clip(cost, -30, 30), factor), np.float64)
    starts = [_one_by_one(small, k)]
    if k > 1 and starts[0]:
        cuts = _by_cuts(small, starts[0][0], k)
        starts.append(_one_by_one(np.where(small > 0, _WITHIN * small, small), k))
        starts = [min(starts, key=lambda parts: _union_cost(small, parts)), cuts]
    ends = [_in_turns(small, parts) for parts in starts]
    best = min(ends, key=lambda parts: _union_cost(small, parts))
    parts = best if factor == 1 else [enlarged(part, factor, cost.shape) for part in best]
    return _settled(cost, _with_cores(parts, cores, k, cost.shape), outside)


def _union_cost(cost: Array, parts: Sequence[Array]) -> float:
    return float(cost[np.any(parts, axis=0)].sum()) if len(parts) else 0.0


def _rest(cost: Array, parts: Sequence[Array]) -> Array:
    """The cost where what the parts have costs nothing."""
    return np.where(np.any(parts, axis=0), 0.0, cost) if len(parts) else cost


def _best_convex(cost: Array) -> Array:
    """A convex set of little cost, empty if none is below zero."""
    if not (cost < 0).any():
        return np.zeros(cost.shape, bool)
    checkpoint()
    corners, _ = best_polygon(cost, n_nodes=_NODES)
    masks = [polygon_mask(corners - 0.5, cost.shape)] if len(corners) else []
    masks += [polygon_mask(box - 0.5, cost.shape) for _, box in best_boxes(cost, 1)]
    mask = min(masks, key=lambda mask: float(cost[mask].sum())) if masks else cheapest_pixel(cost)
    mask = refine(repair(mask, cost=cost), cost)
    return mask if cost[mask].sum() < 0 else np.zeros(cost.shape, bool)


def _one_by_one(cost: Array, k: int) -> list[Array]:
    """The best convex set, then the best one of what is left, and so on."""
    parts: list[Array] = []
    for _ in range(k):
        part = _best_convex(_rest(cost, parts))
        if not part.any():
            break
        parts.append(part)
    return parts


def _by_cuts(cost: Array, first: Array, k: int) -> list[Array]:
    """The convex set `first` cut into clusters of what favours the object in it, where noise is averaged away."""
    from scipy.ndimage import gaussian_filter

    wanted = first & (gaussian_filter(cost, _BLUR) < 0)
    points = np.argwhere(wanted)
    if len(points) < 2 * k:
        return []
    groups = _clusters(points.astype(float), k, 0)
    parts: list[Array] = []
    for group in range(k):
        part = np.zeros(cost.shape, bool)
        part[tuple(points[groups == group].T)] = True
        part = refine(repair(part, cost=cost), cost)
        if part.any():
            parts.append(part)
    return parts


def _in_turns(cost: Array, parts: list[Array]) -> list[Array]:
    """Each part found anew for what the others leave, while the union gets cheaper."""
    value = _union_cost(cost, parts)
    for turn in range(_TURNS):
        before = value
        for i in range(len(parts)):
            others = parts[:i] + parts[i + 1 :]
            rest = _rest(cost, others)
            again = _best_convex(rest) if turn == 0 else refine(parts[i], rest)
            if _union_cost(cost, [*others, again]) < value - 1e-9:
                parts = [*parts[:i], again, *parts[i + 1 :]]
                value = _union_cost(cost, parts)
        if value > before - 1e-3 * abs(before):
            break
    return [part for part in parts if part.any()]


def _with_cores(
    parts: list[Array], cores: Sequence[Array], k: int, shape: tuple[int, ...]
) -> list[tuple[Array, Array]]:
    """Each part with the core that it must hold: a core goes to the free part that has most of it, or is nearest."""
    from scipy.ndimage import distance_transform_edt

    left = list(parts)
    paired = []
    for core in cores:
        if not left:
            paired.append((core, core))
            continue
        away = [float(distance_transform_edt(~part)[core].mean()) for part in left]
        paired.append((left.pop(int(np.argmin(away))), core))
    nothing = np.zeros(shape, bool)
    return paired + [(part, nothing) for part in left[: k - len(paired)]]


def _settled(cost: Array, paired: list[tuple[Array, Array]], outside: Array) -> list[Array]:
    """The parts repaired to hold their cores and avoid `outside`, and refined on the full grid in turns."""
    parts = []
    for part, core in paired:
        parts.append(repair(part, core, outside, cost))
    for _ in range(2):
        before = _union_cost(cost, parts)
        for i, (_, core) in enumerate(paired):
            if not parts[i].any():
                continue
            checkpoint()
            rest = _rest(cost, parts[:i] + parts[i + 1 :])
            # What scribbles demand of this part is not left to the others.
            rest[core] = min(float(cost.min()), -1.0)
            parts[i] = refine(parts[i], rest)
        if _union_cost(cost, parts) > before - 1e-3 * abs(before):
            break
    kept = list(range(len(parts)))
    for i in range(len(parts)):
        others = [parts[j] for j in kept if j != i]
        if not paired[i][1].any() and _union_cost(cost, others) <= _union_cost(cost, [*others, parts[i]]):
            kept.remove(i)
    return [parts[i] for i in kept if parts[i].any()]


def _clusters(points: Array, k: int, seed: int, whole: Array | None = None) -> Array:
    """k-means of points ((n, d) float): a number below k each; points of one of `whole` ((n,) int) stay together."""
    rng = np.random.default_rng(seed)
    place = points
    if whole is not None:
        _, whole = np.unique(whole, return_inverse=True)
        counts = np.bincount(whole)
        place = np.stack([np.bincount(whole, axis) / counts for axis in points.T], axis=1)
    centres = place[rng.integers(len(place))][None]
    while len(centres) < k:
        away = ((place[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
        centres = np.concatenate([centres, place[int(away.argmax())][None]])
    nearest = np.zeros(len(place), int)
    for _ in range(20):
        nearest = ((place[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        found = [place[nearest == j].mean(axis=0) if (nearest == j).any() else centres[j] for j in range(k)]
        if np.allclose(found, centres):
            break
        centres = np.array(found)
    return nearest if whole is None else nearest[whole]
