"""Convex sets of voxels, refined: an intersection of half-spaces, one offset at a time,

    min over h of   sum of cost over {x : a_k . x <= h_k  for all k}.

With the others given, the cost of an offset is a running sum over the voxels ordered by a_k . x: its best value is
found at once among all there are. Descent of this kind has local minima (`search_3d` begins it from several sets); on
the voxels near the boundary of a set it moves and tilts the set's sides, and cuts it from all directions.
"""

import numpy as np

from ..compiling import compiled
from .hulls import extreme_points, fill, half_spaces, is_convex
from .raster import primitive_vectors, total

_BINS = 1024
"""Number of values that an offset can take."""

_SIDES, _TILTED, _SAMPLED = 100, 8, 20_000
"""Most sides that may move, and that may be tilted, the largest; most voxels by which the size of sides is measured."""

_CHUNK = 65536
"""Voxels whose places among all half-spaces are held in memory at once."""


def refine(mask: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """`mask` with its largest sides moved and tilted, and cut from all directions: see `convex_sets.refine`."""
    if not is_convex(mask):
        return mask
    energy, vectors = total(cost, mask), [turned(np.argwhere(mask), directions(3))]
    for _ in range(4):
        before = energy
        mask = moved(cost, mask, np.concatenate([*vectors, _own_sides(mask)]), 2)
        energy, vectors = total(cost, mask), []
        if before - energy <= 2e-3 * abs(before):
            break
    return mask


def _own_sides(mask: np.ndarray) -> np.ndarray:
    """Unit normals of the largest sides of `mask`, and of the very largest tilted a little each way: (n, 3)."""
    inside = np.argwhere(mask)
    normals, offsets = half_spaces(extreme_points(mask))
    sample = inside[:: max(1, len(inside) // _SAMPLED)]
    # A side is as large as it has voxels in it and just behind it.
    size = np.linalg.norm(normals, axis=1)
    behind = (sample @ normals.T > offsets - size).sum(axis=0)
    largest = np.argsort(-behind, kind="stable")[:_SIDES]
    sides = normals[largest] / size[largest, None]
    tilted = [sides[:_TILTED] + by * step for by in (0.03, 0.1) for step in directions(1)]
    sides = np.concatenate([sides, *tilted])
    return sides / np.linalg.norm(sides, axis=1)[:, None]


def turned(points: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(k, 3): directions `vectors` in the frame of `points` (n, 3), of length one."""
    found = vectors @ frame(points).T
    return found / np.linalg.norm(found, axis=1)[:, None]


def moved(cost: np.ndarray, mask: np.ndarray, vectors: np.ndarray, reach: int) -> np.ndarray:
    """The descent on voxels within `reach` of the boundary of `mask`, with normals `vectors`; `mask` if no better."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return mask
    inside = np.argwhere(mask)
    low = np.maximum(inside.min(axis=0) - reach - 1, 0)
    window = tuple(slice(a, b) for a, b in zip(low, inside.max(axis=0) + reach + 2, strict=True))
    part = mask[window]
    normals = vectors.T
    most = ((inside - low) @ normals).max(axis=0)
    deep = distance_transform_edt(np.pad(part, 1, mode="edge"))[1:-1, 1:-1, 1:-1] > reach
    if deep.all():
        return mask
    points = np.argwhere(~deep)
    near = [points[i : i + _CHUNK] for i in range(0, len(points), _CHUNK)]
    points = np.concatenate([p[(p @ normals <= most + reach).all(axis=1)] for p in near])
    held, along = np.argwhere(deep), points @ normals
    bins = place(along)
    inner = part[tuple(points.T)]
    limits = bins[:, inner].max(axis=1)
    least = np.zeros(len(limits), np.int32)
    if len(held):
        # Voxels deep inside stay: an offset ends where it would reach one of them.
        floor = (held @ normals).max(axis=0)
        step = np.maximum(np.ptp(along, axis=0), 1e-9) / (_BINS - 1)
        least = np.ceil((floor - along.min(axis=0)) / step).astype(np.int32)
    prices = cost[window][tuple(points.T)].astype(np.float64)
    coordinate_descent(bins, prices, limits, np.minimum(least, limits))
    result = deep.copy()
    result[tuple(points[(bins <= limits[:, None]).all(axis=0)].T)] = True
    whole = np.zeros_like(mask)
    whole[window] = fill(result)
    better = total(cost, whole) < total(cost, mask)
    return whole if better and is_convex(whole) else mask


def directions(entries: int, steps: int | None = None) -> np.ndarray:
    """(n, 3): unit vectors along the primitive integer vectors with entries up to `entries`, 1-norms up to `steps`."""
    vectors = primitive_vectors(entries, 3)
    if steps is not None:
        vectors = vectors[np.abs(vectors).sum(axis=1) <= steps]
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def frame(points: np.ndarray) -> np.ndarray:
    """(3, 3): maps directions so that half-spaces around a ball become such around the ellipsoid of `points` (n, 3)."""
    away = points - points.mean(axis=0)
    # A solid ellipsoid has a fifth of its squared half-axes for variances; a voxel is no thinner than itself.
    values, vectors = np.linalg.eigh(5 * (away.T @ away) / len(points) + 0.25 * np.eye(3))
    return vectors / np.sqrt(values)


def place(along: np.ndarray) -> np.ndarray:
    """Positions along each direction, (n, k) float, as bins: (k, n) int16."""
    low, high = along.min(axis=0), along.max(axis=0)
    return np.ascontiguousarray(((along - low) * ((_BINS - 1) / np.maximum(high - low, 1e-9))).astype(np.int16).T)


@compiled(error_model="numpy", nogil=True)
def coordinate_descent(bins: np.ndarray, cost: np.ndarray, limits: np.ndarray, lowest: np.ndarray) -> None:
    """Move each of the offsets `limits` ((k,) bins) to its best bin with the others given, in turns, till none moves.

    `bins` ((k, n) int16) are the positions of the points along each normal, `cost` is (n,) float64, and no offset goes
    below `lowest` ((k,) bins). `limits` is changed in place.
    """
    count, n = bins.shape
    violated = np.zeros(n, np.int32)
    for k in range(count):
        for i in range(n):
            violated[i] += bins[k, i] > limits[k]
    for _ in range(20):
        moved = False
        for k in range(count):
            totals = np.zeros(_BINS)
            for i in range(n):
                if violated[i] == (bins[k, i] > limits[k]):
                    totals[bins[k, i]] += cost[i]
            best, least, now = _least_sum(totals, limits[k], lowest[k])
            if least < now - 1e-9 * abs(now):
                for i in range(n):
                    violated[i] += np.int32(bins[k, i] > best) - np.int32(bins[k, i] > limits[k])
                limits[k] = best
                moved = True
        if not moved:
            break


@compiled(error_model="numpy", nogil=True)
def _least_sum(totals: np.ndarray, limit: int, lowest: int) -> tuple[int, float, float]:
    """The bin from `lowest` on with the least sum of `totals` up to it, this sum, and the sum up to `limit`."""
    here, least, best, now = 0.0, 0.0, -1, 0.0
    for b in range(len(totals)):
        here += totals[b]
        if b == limit:
            now = here
        if b >= lowest and (best < 0 or here < least):
            least, best = here, b
    return best, least, now
