"""Polytopes of few sides in a volume, moved side by side to a lower cost:

    min over K, a_k, h_k of   sum of cost over {x : a_k . x <= h_k  for all k}.

With the other sides given, the cost of all offsets of a direction is a running sum over the voxels that no other side
excludes, so the best one is found at once. A side takes the best of its own direction and of a few tilted ones; between
rounds of this, sides that exclude nothing by themselves are dropped, and the best cuts in 200 directions are added.
Unlike with many fixed directions (`refine_3d`) no idle side is in the way of one that would move outwards.

Directions are compared in a frame in which the set is as long as it is wide, so that neither flat bodies nor voxels of
unequal sides are special.
"""

import numpy as np

from ..compiling import compiled
from ..threads import checkpoint
from .hulls import extreme_points, fill, is_convex
from .raster import total
from .refine_3d import directions, frame

_BINS = 128
"""Offsets that are told apart around a side's present one."""

_COARSE, _FINE = (0.6, (0.3, 0.1, 0.03)), (0.15, (0.06, 0.02))
"""How far a side may move either way, in radii of the set, and tangents of the angles by which it may tilt, six times
each, in the first rounds and in the others."""

_FIRST, _ROUNDS, _SWEEPS, _MOST, _ADDED = 3, 40, 4, 120, 8
"""First rounds and all of them; at most so many sweeps over all sides in a round, sides, cuts added after a round."""

_LITTLE = 3e-4
"""Share of the energy: a round and the cuts after it that gain less are the last."""

_APART = 0.8
"""Greatest cosine between two cuts that are added together."""

_MARGIN = 0.3
"""Free space around a set in which its sides may move, as a share of its extent along each axis."""


def descend(cost: np.ndarray, mask: np.ndarray, vectors: np.ndarray | None = None) -> np.ndarray:
    """The end of the descent from the sides of `mask` along `vectors` ((n, 3), 26 by default), or `mask` if no better.

    `cost` ((D, H, W) float) is negative where it favours the set; `mask` is bool. The set is digitally convex and
    connected if `mask` is.
    """
    for _ in range(4):
        better, cramped = _within_window(cost, mask, vectors)
        if better is mask or not cramped:
            return better
        mask, vectors = better, None
    return mask


def _within_window(cost: np.ndarray, mask: np.ndarray, vectors: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """`descend` within a box around `mask`, and whether the set ends at a side of the box that is not the volume's."""
    if not mask.any():
        return mask, False
    inside = np.argwhere(mask)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    margin = np.maximum(3, np.ceil(_MARGIN * (high - low)).astype(int))
    first, last = np.maximum(low - margin, 0), np.minimum(high + margin, mask.shape)
    window = tuple(map(slice, first, last))
    part = mask[window]
    turned = frame(inside)
    deep = _deep(part)
    centre = inside.mean(axis=0) - first
    points = (np.argwhere(~deep) - centre) @ turned
    held = (extreme_points(deep) - centre) @ turned if deep.any() else np.empty((0, 3))
    normals = directions(1) if vectors is None else vectors
    limits = ((inside - first - centre) @ turned @ normals.T).max(axis=0)
    prices = cost[window][~deep].astype(np.float64)
    normals, limits = _moved(points, prices, normals, limits + 1e-9, held)
    found = deep.copy()
    found[~deep] = (points @ normals.T <= limits).all(axis=1)
    whole = np.zeros_like(mask)
    whole[window] = fill(found)
    if not total(cost, whole) < total(cost, mask) or not is_convex(whole):
        return mask, False
    there = np.argwhere(whole)
    stopped = ((there.min(axis=0) == first) & (first > 0)) | ((there.max(axis=0) == last - 1) & (last < mask.shape))
    return whole, bool(stopped.any())


def _deep(mask: np.ndarray) -> np.ndarray:
    """Voxels so deep inside that no side will reach them; none in a small set."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1, 1:-1]
    return np.asarray(depth > max(3.0, 0.25 * float(depth.max())))


def _moved(
    points: np.ndarray, cost: np.ndarray, normals: np.ndarray, limits: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Normals and offsets after the descent; arguments as in `_sweep`."""
    everywhere, energy = spiral(200), np.inf
    for n in range(_ROUNDS):
        reach, sizes = _COARSE if n < _FIRST else _FINE
        normals, limits = normals.copy(), limits.copy()
        changed = np.ones(len(normals), np.int64)
        violated = (points @ normals.T > limits).sum(axis=1).astype(np.int32)
        before = energy
        for k in range(_SWEEPS):
            checkpoint()
            gain = _sweep(points, cost, normals, limits, violated, held, _tilts(sizes, n * _SWEEPS + k), reach, changed)
            energy = float(cost[violated == 0].sum())
            if gain <= 1e-3 * abs(energy):
                break
        needed = _alone(points, normals, limits, violated) > 0
        if not needed.any():
            break
        normals, limits = normals[needed], limits[needed]
        if len(normals) >= _MOST:
            break
        offsets, gains = _cuts(points, cost, everywhere, violated, held)
        chosen = _best_apart(everywhere, gains)
        if not chosen or (n >= _FIRST and max(before - energy, gains[chosen].sum()) < _LITTLE * abs(energy)):
            break
        normals = np.concatenate([normals, everywhere[chosen]])
        limits = np.concatenate([limits, offsets[chosen]])
    return normals, limits


def _best_apart(vectors: np.ndarray, gains: np.ndarray) -> list[int]:
    """A few of `vectors` with the greatest gains, none near another."""
    chosen: list[int] = []
    for k in np.argsort(-gains, kind="stable"):
        if gains[k] <= 0 or len(chosen) == _ADDED:
            break
        if all(vectors[k] @ vectors[other] < _APART for other in chosen):
            chosen.append(int(k))
    return chosen


def _tilts(sizes: tuple[float, ...], turn: int) -> np.ndarray:
    """(n, 2): steps along two axes of a side; the first is none."""
    steps = [np.zeros((1, 2))]
    for k, size in enumerate(sizes):
        angle = np.arange(6) * (np.pi / 3) + 0.5 * k + 0.7 * turn
        steps.append(size * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return np.concatenate(steps)


def spiral(count: int) -> np.ndarray:
    """(count, 3): unit vectors spread evenly over the sphere, by the golden angle."""
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    around = np.sqrt(1 - height**2)
    return np.stack([height, around * np.cos(angle), around * np.sin(angle)], axis=1)


@compiled(error_model="numpy", nogil=True)
def _along(points: np.ndarray, i: int, normal: np.ndarray) -> float:
    return points[i, 0] * normal[0] + points[i, 1] * normal[1] + points[i, 2] * normal[2]


@compiled(error_model="numpy", nogil=True)
def _best_offset(
    points: np.ndarray,
    cost: np.ndarray,
    chosen: np.ndarray,
    normal: np.ndarray,
    limit: float,
    held: np.ndarray,
    reach: float,
) -> tuple[float, float]:
    """Least cost of the chosen points up to an offset near `limit`, and the offset; none excludes a held point."""
    low = limit - reach
    scale = _BINS / (2 * reach)
    totals = np.zeros(_BINS + 1)
    for i in chosen:
        place = (_along(points, i, normal) - low) * scale
        totals[min(max(int(np.ceil(place)), 0), _BINS)] += cost[i]
    floor = low
    for j in range(len(held)):
        floor = max(floor, _along(held, j, normal))
    here, least, best = 0.0, np.inf, -1
    for b in range(_BINS):
        here += totals[b]
        if here < least and low + b / scale >= floor:
            least, best = here, b
    if here + totals[_BINS] < least:  # no limit at all
        return here + totals[_BINS], np.inf
    return least, low + best / scale


@compiled(error_model="numpy", nogil=True)
def _axes(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors across `normal` and each other."""
    least = np.argmin(np.abs(normal))
    u = -normal[least] * normal
    u[least] += 1
    u /= np.sqrt((u * u).sum())
    v = np.empty(3)
    v[0] = normal[1] * u[2] - normal[2] * u[1]
    v[1] = normal[2] * u[0] - normal[0] * u[2]
    v[2] = normal[0] * u[1] - normal[1] * u[0]
    return u, v


@compiled(error_model="numpy", nogil=True)
def _sweep(
    points: np.ndarray,
    cost: np.ndarray,
    normals: np.ndarray,
    limits: np.ndarray,
    violated: np.ndarray,
    held: np.ndarray,
    tilts: np.ndarray,
    reach: float,
    changed: np.ndarray,
) -> float:
    """Give each side in turn the best of its direction and those tilted by `tilts`, and its best offset.

    `points` ((n, 3) float) have `cost` ((n,) float64); of the sides `normals` ((K, 3)) and `limits` ((K,)), which are
    changed in place, as many as `violated` ((n,) int32) exclude a point; `held` ((m, 3)) are never excluded. Sides are
    tried if they or one near have `changed` ((K,) int) before. Returns by how much the cost has fallen.
    """
    n, steep = len(points), np.sqrt((tilts * tilts).sum(axis=1).max())
    chosen, gained, tried = np.empty(n, np.int64), 0.0, changed.copy()
    changed[:] = 0
    for k in range(len(normals)):
        stale = True
        for j in range(len(normals)):
            stale &= not (tried[j] or changed[j]) or (normals[j] * normals[k]).sum() < 0.3
        if stale:
            continue
        normal, count, now = normals[k].copy(), 0, 0.0
        for i in range(n):
            if violated[i] <= 1:
                along = _along(points, i, normal)
                beyond = along > limits[k]
                # Farther inside nothing changes.
                if violated[i] == beyond and along > limits[k] - reach - 2 * steep:
                    chosen[count] = i
                    count += 1
                    now += 0.0 if beyond else cost[i]
        u, v = _axes(normal)
        least, limit, best = now, limits[k], normal
        for t in range(len(tilts)):
            turned = normal + tilts[t, 0] * u + tilts[t, 1] * v
            turned /= np.sqrt((turned * turned).sum())
            value, offset = _best_offset(points, cost, chosen[:count], turned, limits[k], held, reach)
            if value < least - 1e-9 * (1 + abs(least)):
                least, limit, best = value, offset, turned
        if least < now:
            for i in range(n):
                after = np.int32(_along(points, i, best) > limit)
                violated[i] += after - np.int32(_along(points, i, normal) > limits[k])
            normals[k], limits[k], changed[k] = best, limit, 1
            gained += now - least
    return gained


@compiled(error_model="numpy", nogil=True)
def _alone(points: np.ndarray, normals: np.ndarray, limits: np.ndarray, violated: np.ndarray) -> np.ndarray:
    """Number of points that each side excludes and no other one does: (K,) int."""
    counts = np.zeros(len(normals), np.int64)
    for i in range(len(points)):
        if violated[i] == 1:
            for k in range(len(normals)):
                if _along(points, i, normals[k]) > limits[k]:
                    counts[k] += 1
                    break
    return counts


@compiled(error_model="numpy", nogil=True)
def _cuts(
    points: np.ndarray, cost: np.ndarray, vectors: np.ndarray, violated: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Offset of the best cut along each vector, and by how much it lowers the cost: (n,) each."""
    chosen = np.flatnonzero(violated == 0)
    now = cost[chosen].sum()
    offsets, gains = np.empty(len(vectors)), np.empty(len(vectors))
    for k in range(len(vectors)):
        reach = -np.inf
        for i in chosen:
            reach = max(reach, _along(points, i, vectors[k]))
        value, offsets[k] = _best_offset(points, cost, chosen, vectors[k], reach - 0.3, held, 0.3)
        gains[k] = now - value if value < now - 1e-9 * (1 + abs(now)) else 0.0
    return offsets, gains
