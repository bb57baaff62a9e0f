"""The best of a few convex sets of voxels, as a start for whatever moves it further.

Candidates are the ends of descents over half-spaces (`refine_3d`) on a grid of at most 32 cells a side, from several
sets: the best ball of each radius, which neither noise nor a distant blob moves, and the best component of the cost
smoothed a little, more, and not at all. First 6 half-spaces, as a box that can grow along its axes and turn to those of
what it covers; then 26, then 98, in a frame that makes the set as wide as it is long. The best end goes on to the
voxels themselves, with 98 half-spaces. Since cells are blind to what is thinner than they are, the hull of the best
component of the voxels is a candidate, too, and so is a given set. The best of them descends over polytopes of few
sides (`polytopes_3d`), which move and tilt freely.
"""

import math
from collections.abc import Iterator

import numpy as np

from .components import cheapest_piece
from .hulls import extreme_points, fill
from .polytopes_3d import descend, spiral
from .raster import cheapest_pixel, enlarged, grid_points, pool, total
from .refine_3d import coordinate_descent, directions, frame, moved, place, turned

_SIDE = 32
"""Cells along the longest side of the coarse grid."""

_TRIED = 4
"""Starts that are followed to their end, the cheapest after the first box."""

_LARGE = 100_000
"""Voxels of a set's bounding box up to which polytopes descend on the voxels themselves."""


def search(cost: np.ndarray, core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best end of several descents, or the hull of the best component: see `convex_sets.search`."""
    from scipy.ndimage import gaussian_filter

    factor = -(-max(cost.shape) // _SIDE)
    small = pool(np.asarray(cost, np.float64), factor)
    liked = gaussian_filter(small, 1.0) < 0
    boxes = []
    for seed in _seeds(small):
        box = _descend(small, seed, 6)
        # Turned to the axes of what it covers, and a little beyond.
        for _ in range(2):
            better = _descend(small, box, 6, _covered(box, liked))
            if not total(small, better) < total(small, box):
                break
            box = better
        boxes.append(box)
    boxes.sort(key=lambda box: total(small, box))
    found = [np.zeros(small.shape, bool)]
    for box in boxes[:_TRIED]:
        found += [box, _descend(small, _descend(small, box, 26), 98)]
    best = min(found, key=lambda set_: total(small, set_))
    mask = enlarged(best, factor, cost.shape)
    if mask.any():
        mask = moved(cost, mask, turned(np.argwhere(mask), directions(2)), factor + 1)
    candidates = [mask, core, fill(cheapest_piece(cost < 0, cost)), cheapest_pixel(cost)]
    mask = _descended(cost, min((set_ for set_ in candidates if set_.any()), key=lambda set_: total(cost, set_)))
    return _corners(mask), mask


def _descended(cost: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The end of the descent over polytopes from `mask`; of a large set on cells, then moved on the voxels."""
    size = np.prod([np.ptp(i) + 1 for i in np.nonzero(mask)], dtype=float)
    factor = math.ceil((size / _LARGE) ** (1 / 3))
    if factor == 1:
        return descend(cost, mask)
    cells = pool(mask.astype(np.float64), factor) > factor**3 / 2
    fine = enlarged(descend(pool(np.asarray(cost, np.float64), factor), fill(cells)), factor, mask.shape)
    fine = moved(cost, fine, turned(np.argwhere(fine), directions(2)), factor + 1)
    return min(mask, fine, key=lambda set_: total(cost, set_))


def _covered(box: np.ndarray, liked: np.ndarray) -> np.ndarray:
    """The pixels of `liked` in the box and within a third of its size around it; the box if there are none."""
    from scipy.ndimage import binary_dilation

    width = max(1, round(np.count_nonzero(box) ** (1 / 3) / 3))
    near = binary_dilation(box, iterations=width) & liked
    return near if near.any() else box


def _corners(mask: np.ndarray) -> np.ndarray:
    """The extreme voxels, each widened to a diamond that reaches halfway to the neighbours: (n, 3) float."""
    diamond = 0.5 * np.concatenate([np.eye(3), -np.eye(3)])
    return (extreme_points(mask)[:, None] + diamond).reshape(-1, 3)


def _seeds(cost: np.ndarray) -> Iterator[np.ndarray]:
    """Sets from which the descents begin."""
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


_NORMALS = {6: directions(1, 1), 26: directions(1), 98: directions(2)}
"""Normals of half-spaces, by their number."""


def _descend(cost: np.ndarray, seed: np.ndarray, count: int, shaped: np.ndarray | None = None) -> np.ndarray:
    """The end of the descent from `count` half-spaces around `seed`, in the frame of `shaped`; empty if `seed` is."""
    if not seed.any():
        return seed
    normals = frame(np.argwhere(seed if shaped is None else shaped)) @ _NORMALS[count].T
    bins = place(grid_points(cost.shape) @ normals)
    limits = bins[:, seed.ravel()].max(axis=1)
    coordinate_descent(bins, cost.ravel(), limits, np.zeros(len(bins), np.int32))
    return (bins <= limits[:, None]).all(axis=0).reshape(cost.shape)


def half_spaces_around(corners: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` half-spaces on the largest sides, then tangents where no normal is near: see `convex_sets`."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(corners)
    sides = corners[hull.simplices]
    areas = np.linalg.norm(np.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0]), axis=1)
    alike, which = np.unique(np.round(hull.equations[:, :3], 6), axis=0, return_inverse=True)
    largest = alike[np.argsort(-np.bincount(which.ravel(), areas), kind="stable")]
    # Evenly spread in the frame of the set, where it is as long as it is wide.
    spread = spiral(10 * count) @ frame(corners).T
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
