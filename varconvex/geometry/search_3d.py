"""A convex start for the network in a volume: the best intersection of half-spaces,

    min over h of   sum of cost over {x : a_k . x <= h_k  for all k},

one offset at a time. With the others given, what an offset costs is a running sum over the voxels ordered by a_k . x:
its best value is found at once among all there are. Descent of this kind has local minima, so on a coarse grid it sets
out from several sets: the best ball of each radius, which no noise and no distant blob deceives, and the best component
of the cost smoothed a little, more, and not at all. First 6 half-spaces, as a box that can grow along its axes and turn
to those of what it covers; then 26, then 98, in a frame that makes the set as wide as it is long. The best end goes on
to the voxels themselves, with 98 half-spaces.
"""

import math

import numba
import numpy as np

from .certify import certify_convexity, fill_hull, hull_half_spaces
from .raster import grid_points, pool

_SIDE = 32
"""Cells along the longest side of the coarse grid."""

_BINS = 1024
"""Values that an offset can take."""

_TRIED = 4
"""Starts that are followed to their end, the cheapest after the first box."""

_SIDES, _TILTED, _SAMPLED = 100, 8, 20_000
"""Sides of a set that may move, and that may be tilted, the largest; voxels that tell which those are."""

_CHUNK = 65536
"""Voxels whose places among all half-spaces are held at once."""


def solid_start(cost, core):
    """Corners of the best set found, and its voxels.

    Parameters
    ----------
    cost : (D, H, W) float, negative favours the object
    core : (D, H, W) bool
        A digitally convex set, a candidate as well; may be empty.

    Returns
    -------
    corners : (n, 3) float
        In voxels with centres at integers.
    mask : (D, H, W) bool, digitally convex; empty if no candidate costs less than nothing
    """
    from scipy.ndimage import gaussian_filter

    factor = -(-max(cost.shape) // _SIDE)
    small = pool(np.asarray(cost, np.float64), factor)
    liked = gaussian_filter(small, 1.0) < 0
    boxes = []
    for seed in _seeds(small):
        box = _descend(small, seed, 1)
        # Turned to the axes of what it covers, and a little beyond.
        for _ in range(2):
            turned = _descend(small, box, 1, _covered(box, liked))
            if not _sum(small, turned) < _sum(small, box):
                break
            box = turned
        boxes.append(box)
    boxes.sort(key=lambda box: _sum(small, box))
    found = [np.zeros(small.shape, bool)]
    for box in boxes[:_TRIED]:
        found += [box, _descend(small, _descend(small, box, 2), 3)]
    best = min(found, key=lambda set_: _sum(small, set_))
    fine = best
    for axis in range(3):
        fine = fine.repeat(factor, axis)
    mask = fill_hull(fine[tuple(slice(n) for n in cost.shape)])
    if mask.any():
        mask = _refined(cost, mask, _turned(np.argwhere(mask), directions(2)), factor + 1)
    mask = min((mask, core), key=lambda set_: _sum(cost, set_))
    return _corners(mask), mask


def _sum(cost, mask):
    return float(cost[mask].sum(dtype=np.float64))


def _covered(box, liked):
    """What smoothing likes in the box and within a third of its size around it."""
    from scipy.ndimage import binary_dilation

    width = max(1, round(np.count_nonzero(box) ** (1 / 3) / 3))
    near = binary_dilation(box, iterations=width) & liked
    return near if near.any() else box


def _corners(mask):
    """The extreme voxels, each widened to its diamond: what is halfway to the neighbours."""
    from .hulls_3d import extreme_points

    diamond = 0.5 * np.concatenate([np.eye(3), -np.eye(3)])
    return (extreme_points(mask)[:, None] + diamond).reshape(-1, 3)


def _seeds(cost):
    """Sets to set out from."""
    from scipy import ndimage
    from scipy.signal import fftconvolve

    radius = 0.8
    while radius < max(cost.shape):
        reach = math.ceil(radius)
        ball = (grid_points((2 * reach + 1,) * 3) - reach) ** 2
        ball = (ball.sum(axis=1) <= radius**2).reshape((2 * reach + 1,) * 3)
        total = fftconvolve(cost, ball.astype(np.float64), mode="same") if radius > 1 else cost
        centre = np.unravel_index(total.argmin(), cost.shape)
        away = grid_points(cost.shape) - np.array(centre)
        yield ((away**2).sum(axis=1) <= radius**2).reshape(cost.shape)
        radius *= 1.4
    for sigma in (0, 1, 2):
        smooth = ndimage.gaussian_filter(cost, sigma) if sigma else cost
        labels, count = ndimage.label(smooth < 0)
        if count:
            yield labels == 1 + int(np.bincount(labels.ravel(), cost.ravel(), count + 1)[1:].argmin())


def directions(entries, steps=None):
    """Unit vectors along the primitive integer vectors with entries up to `entries`, and at most so many steps long."""
    vectors = grid_points((2 * entries + 1,) * 3) - entries
    vectors = vectors[np.gcd.reduce(vectors, axis=1) == 1]
    if steps is not None:
        vectors = vectors[np.abs(vectors).sum(axis=1) <= steps]
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


_STAGES = {1: directions(1, 1), 2: directions(1), 3: directions(2)}
"""6, 26 and 98 of them."""


def frame(points):
    """Columns that turn and stretch the plane of directions: what is as long as wide before fits `points` after."""
    away = points - points.mean(axis=0)
    # A solid ellipsoid has a fifth of its squared half-axes for variances; a voxel is no thinner than itself.
    values, vectors = np.linalg.eigh(5 * (away.T @ away) / len(points) + 0.25 * np.eye(3))
    return vectors / np.sqrt(values)


def _descend(cost, seed, stage, shaped=None):
    """The best set that single offsets lead to from around `seed`, in the frame of `shaped`; empty from empty."""
    if not seed.any():
        return seed
    turned = frame(np.argwhere(seed if shaped is None else shaped)) @ _STAGES[stage].T
    bins = _bins(grid_points(cost.shape) @ turned)
    limits = bins[:, seed.ravel()].max(axis=1)
    _coordinate_descent(bins, cost.ravel(), limits, np.zeros(len(bins), np.int32))
    return (bins <= limits[:, None]).all(axis=0).reshape(cost.shape)


def _bins(along):
    """Places along each direction, in whole steps: (k, n) int16."""
    low, high = along.min(axis=0), along.max(axis=0)
    return np.ascontiguousarray(((along - low) * ((_BINS - 1) / np.maximum(high - low, 1e-9))).astype(np.int16).T)


def refine_solid(mask, cost):
    """A convex set that costs no more than `mask`: its largest sides moved and tilted, and cut from all directions."""
    if not certify_convexity(mask):
        return mask
    energy, vectors = _sum(cost, mask), [_turned(np.argwhere(mask), directions(3))]
    for _ in range(4):
        before = energy
        mask = _refined(cost, mask, np.concatenate([*vectors, _own_sides(mask)]), 2)
        energy, vectors = _sum(cost, mask), []
        if before - energy <= 2e-3 * abs(before):
            break
    return mask


def _own_sides(mask):
    """The largest sides, and the very largest tilted a little each way."""
    inside = np.argwhere(mask)
    normals, offsets = hull_half_spaces(mask)
    sample = inside[:: max(1, len(inside) // _SAMPLED)]
    # A side is as large as it has voxels in it and just behind it.
    size = np.linalg.norm(normals, axis=1)
    behind = (sample @ normals.T > offsets - size).sum(axis=0)
    largest = np.argsort(-behind, kind="stable")[:_SIDES]
    sides = normals[largest] / size[largest, None]
    tilted = [sides[:_TILTED] + by * step for by in (0.03, 0.1) for step in directions(1)]
    sides = np.concatenate([sides, *tilted])
    return sides / np.linalg.norm(sides, axis=1)[:, None]


def _turned(points, vectors):
    """Directions in the frame of `points`, of length one."""
    turned = vectors @ frame(points).T
    return turned / np.linalg.norm(turned, axis=1)[:, None]


def _refined(cost, mask, vectors, reach):
    """The same descent on the voxels, whose boundary may move by `reach`; `mask` where that is no better."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return mask
    inside = np.argwhere(mask)
    low = np.maximum(inside.min(axis=0) - reach - 1, 0)
    window = tuple(slice(a, b) for a, b in zip(low, inside.max(axis=0) + reach + 2, strict=True))
    part = mask[window]
    turned = vectors.T
    most = ((inside - low) @ turned).max(axis=0)
    deep = distance_transform_edt(np.pad(part, 1, mode="edge"))[1:-1, 1:-1, 1:-1] > reach
    if deep.all():
        return mask
    points = np.argwhere(~deep)
    near = [points[i : i + _CHUNK] for i in range(0, len(points), _CHUNK)]
    points = np.concatenate([p[(p @ turned <= most + reach).all(axis=1)] for p in near])
    held, along = np.argwhere(deep), points @ turned
    bins = _bins(along)
    inner = part[tuple(points.T)]
    limits = bins[:, inner].max(axis=1)
    least = np.zeros(len(limits), np.int32)
    if len(held):
        # What is deep is no question: an offset ends where it would be reached.
        floor = (held @ turned).max(axis=0)
        step = np.maximum(np.ptp(along, axis=0), 1e-9) / (_BINS - 1)
        least = np.ceil((floor - along.min(axis=0)) / step).astype(np.int32)
    price = cost[window][tuple(points.T)].astype(np.float64)
    _coordinate_descent(bins, price, limits, np.minimum(least, limits))
    moved = deep.copy()
    moved[tuple(points[(bins <= limits[:, None]).all(axis=0)].T)] = True
    whole = np.zeros_like(mask)
    whole[window] = fill_hull(moved)
    better = _sum(cost, whole) < _sum(cost, mask)
    return whole if better and certify_convexity(whole) else mask


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _coordinate_descent(bins, cost, limits, lowest):
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
            here, least, best = 0.0, 0.0, -1
            for b in range(_BINS):
                here += totals[b]
                if b == limits[k]:
                    now = here
                if b >= lowest[k] and (best < 0 or here < least):
                    least, best = here, b
            if least < now - 1e-9 * abs(now):
                for i in range(n):
                    violated[i] += np.int32(bins[k, i] > best) - np.int32(bins[k, i] > limits[k])
                limits[k] = best
                moved = True
        if not moved:
            break


def half_spaces_around(corners, count):
    """`count` half-spaces around the hull of `corners`: its largest sides, then tangents where none is near.

    Returns
    -------
    normals : (count, 3) float, of length one
    offsets : (count,) float
    """
    from scipy.spatial import ConvexHull

    hull = ConvexHull(corners)
    sides = corners[hull.simplices]
    areas = np.linalg.norm(np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0]), axis=1)
    alike, which = np.unique(np.round(hull.equations[:, :3], 6), axis=0, return_inverse=True)
    largest = alike[np.argsort(-np.bincount(which.ravel(), areas), kind="stable")]
    # Evenly spread in the frame of the set, where it is as long as it is wide.
    spread = _spiral(10 * count) @ frame(corners).T
    spread /= np.linalg.norm(spread, axis=1)[:, None]
    chosen: list[np.ndarray] = []
    for normal in largest / np.linalg.norm(largest, axis=1)[:, None]:
        if len(chosen) >= max(4, count // 2):
            break
        if all(normal @ other < 0.99 for other in chosen):
            chosen.append(normal)
    nearest = np.max(spread @ np.array(chosen).T, axis=1)
    while len(chosen) < count:
        chosen.append(spread[nearest.argmin()])
        nearest = np.maximum(nearest, spread @ chosen[-1])
    normals = np.array(chosen[:count])
    return normals, (normals @ corners.T).max(axis=1)


def _spiral(count):
    """Directions spread over the sphere, by the golden angle."""
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.pi * (3 - math.sqrt(5)) * np.arange(count)
    around = np.sqrt(1 - height**2)
    return np.stack([height, around * np.cos(angle), around * np.sin(angle)], axis=1)
