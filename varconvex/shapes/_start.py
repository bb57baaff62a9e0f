"""A convex start for the network: half-planes around the best of a few convex sets.

A start is its corners. Whatever directions are asked for, their half-planes follow from the support function

    h(n) = max over corners v of  n . v.
"""

import numpy as np

from ..certify import fill_hull, hull_vertices
from ._polygon import best_polygon
from ._training import pool

_TANGENT = 0.3

_SIDE = 128
"""Pixels along the longer side of what the dynamic program looks at."""


def convex_start(cost, core):
    """Corners of the best convex set among polygons on a lattice, and the hull of the best component.

    Parameters
    ----------
    cost : (H, W) float, negative favours the object
    core : (H, W) bool
        A digitally convex set, a candidate as well; may be empty.

    Returns
    -------
    corners : (n, 2) float
        Row and column with pixel centres at integers.
    mask : (H, W) bool, digitally convex, the pixels within; empty if no candidate costs less than nothing
    """
    candidates = [_hull_start(_best_component(cost) | core), *_polygon_starts(cost)]
    if core.any():
        candidates.append(_hull_start(core))
    energies = [float(cost[mask].sum(dtype=np.float64)) for _, mask in candidates]
    return candidates[int(np.argmin(energies))]


def _hull_start(mask):
    """The corners, each widened to its pixel's diamond: what is halfway to the neighbours."""
    diamond = 0.5 * np.array([[-1, 0], [0, -1], [0, 1], [1, 0]])
    corners = hull_vertices(mask)
    return (corners[:, None] + diamond).reshape(-1, 2), fill_hull(mask)


def _best_component(cost):
    from scipy import ndimage

    labels, count = ndimage.label(cost < 0, structure=np.ones((3, 3)))
    if count == 0:
        return np.zeros(cost.shape, bool)
    totals = np.bincount(labels.ravel(), weights=cost.ravel(), minlength=count + 1)[1:]
    return labels == 1 + int(totals.argmin())


def _polygon_starts(cost):
    """The best polygon in the image, then in ever smaller windows around it while that sharpens the lattice."""
    found = []
    top, left, (height, width) = 0, 0, cost.shape
    for _ in range(5):
        window = cost[top : top + height, left : left + width]
        factor = -(-max(height, width) // _SIDE)
        corners, _ = best_polygon(pool(window, factor))
        if not len(corners):
            break
        corners = corners * factor + [top, left] - 0.5
        found.append((corners, _polygon_mask(corners, cost.shape)))
        low, high = corners.min(axis=0), corners.max(axis=0)
        pad = 0.25 * (high - low).max() + 2 * factor
        start = np.maximum(np.floor(low - pad).astype(int), 0)
        stop = np.minimum(np.ceil(high + pad).astype(int) + 1, cost.shape)
        smaller = max(stop - start) <= 0.7 * max(height, width)
        if not smaller:
            break
        (top, left), (height, width) = start.tolist(), (stop - start).tolist()
    return found


def _polygon_mask(corners, shape):
    """Pixels whose centres are in the polygon."""
    normals, _ = edge_normals(corners)
    offsets = (normals @ corners.T).max(axis=1) + 1e-9
    mask = np.zeros(shape, bool)
    rows = np.arange(max(int(corners[:, 0].min()), 0), min(int(corners[:, 0].max()) + 2, shape[0]))
    across, along = normals[:, :1], normals[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = (offsets[:, None] - across * rows) / along
    last = np.where(along > 1e-12, bound, np.inf).min(axis=0)
    first = np.where(along < -1e-12, bound, -np.inf).max(axis=0)
    columns = np.arange(shape[1])
    mask[rows] = (columns >= first[:, None]) & (columns <= last[:, None])
    level = np.abs(along[:, 0]) <= 1e-12
    allowed = (across[level] * rows <= offsets[level, None]).all(axis=0)
    mask[rows] &= allowed[:, None]
    return fill_hull(mask)


def edge_normals(corners):
    """Outward unit normals of the hull of `corners`, by angle, and the length of each edge."""
    from scipy.spatial import ConvexHull

    corners = corners[ConvexHull(corners).vertices]
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(*edges.T)
    # The vertices turn from the first axis to the second, so the inside is on the left of an edge.
    normals = edges[:, ::-1] * [1, -1] / lengths[:, None]
    order = np.argsort(np.arctan2(normals[:, 0], normals[:, 1]), kind="stable")
    return normals[order], lengths[order]


def half_planes(corners, count):
    """`count` half-planes around the hull of `corners`: its longest edges, then tangents in the widest gaps.

    Returns
    -------
    normals : (count, 2) float, of length one
    offsets : (count,) float
    """
    normals, lengths = edge_normals(corners)
    angles = np.arctan2(normals[:, 0], normals[:, 1])
    kept = np.argsort(-lengths, kind="stable")[: max(3, 2 * count // 3)][:count]
    chosen = sorted((angle, 1.0) for angle in angles[kept].tolist())
    while len(chosen) < count:
        turned = [angle for angle, _ in chosen]
        gaps = np.diff([*turned, turned[0] + 2 * np.pi])
        widest = int(gaps.argmax())
        chosen.insert(widest + 1, (turned[widest] + gaps[widest] / 2, _TANGENT))
    turned, weights = np.array(chosen).T
    directions = np.stack([np.sin(turned), np.cos(turned)], axis=1)
    return directions, (directions @ corners.T).max(axis=1), weights
