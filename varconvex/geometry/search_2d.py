"""A convex start for the network: half-planes around the best of a few convex sets.

A start is its corners. Whatever directions are asked for, their half-planes follow from the support function

    h(n) = max over corners v of  n . v.
"""

import numpy as np

from .._threads import run
from .certify import certify_convexity, fill_hull, hull_vertices
from .lattice_polygon import best_polygon
from .raster import pool
from .rectangles import LARGEST, best_boxes
from .refine_2d import refine
from .small_window import best_nearby

_SIDE = 128
"""Cells along the longer side of what the dynamic program looks at."""

_BOXES = 2
"""Rectangles to begin from besides the best polygon."""

_RIVAL = 0.5
"""A rectangle is none unless it costs less than this share of the polygon."""

SMALL = 5000
"""Pixels of a set whose refinement is a matter of milliseconds."""


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

    def price(candidate):
        return float(cost[candidate[1]].sum(dtype=np.float64))

    candidates = [_hull_start(_best_component(cost) | core), *_polygon_starts(cost)]
    if core.any():
        candidates.append(_hull_start(core))
    candidates = sorted(candidates, key=price)
    candidates += [_hull_start(mask) for mask in _moved([mask for _, mask in candidates], cost)]
    corners, mask = min(candidates, key=price)
    better = best_nearby(mask, cost)
    return (corners, mask) if better is mask else _hull_start(better)


def _moved(masks, cost):
    """The first ones, as many as are small together, with their outlines moved to the best pixels around.

    Of small sets the best one is not known before that.
    """
    unlike = {mask.tobytes(): mask for mask in masks}.values()
    small = zip(unlike, np.cumsum([np.count_nonzero(mask) for mask in unlike]), strict=True)
    whole = [mask for mask, pixels in small if pixels <= SMALL and certify_convexity(mask)]
    return [refine(mask, cost, band=2, sweeps=10, least=0) for mask in whole]


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
    """The best polygon in the image and, where they may be better, the best rectangles, each then in its own frame."""
    factor = -(-max(cost.shape) // _SIDE)
    cells = pool(cost, factor)
    corners, energy = best_polygon(cells)
    starts = [corners] if len(corners) else []
    # No rectangle costs less than as many of the least cells.
    bound = np.partition(cells, min(LARGEST, cells.size - 1), axis=None)[:LARGEST].sum(dtype=np.float64)
    if bound < _RIVAL * energy:
        starts += [box for cost_of_box, box in best_boxes(cells, _BOXES) if cost_of_box < _RIVAL * energy]
    found = run(_in_own_frames, [(cost, start * factor - 0.5) for start in starts]) if starts else []
    return [pair for pairs in found for pair in pairs]


def _in_own_frames(cost, corners):
    """The polygon, then the best one in its frame while that makes it better: corners and masks."""
    node = np.full(2, max(cost.shape) / 32)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    energy = 0.0
    while len(corners):
        mask = _polygon_mask(corners, cost.shape)
        previous, energy = energy, float(cost[mask].sum(dtype=np.float64))
        if found and energy > 1.01 * previous:
            break
        found.append((corners, mask))
        corners, node = _in_own_frame(cost, corners, node)
    return found


def _in_own_frame(cost, corners, node):
    """The best polygon on a lattice that is turned, stretched and moved to fit `corners`.

    Convexity does not mind an affine map, and what is long and thin on the image fills its own box.

    Returns
    -------
    corners : (n, 2) float
    node : (2,) float
        Pixels between nodes along the two axes of the box.
    """
    normals, _ = edge_normals(corners)
    frames = np.stack([normals, normals[:, ::-1] * [-1, 1]], axis=1)
    turned = frames @ corners.T
    frame = frames[np.ptp(turned, axis=2).prod(axis=1).argmin()]
    box = corners @ frame.T
    size = np.ptp(box, axis=0)
    low = box.min(axis=0) - 0.25 * size - node.min()
    size = 1.5 * size + 2 * node.min()

    outline = (low + size * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])) @ frame
    start = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
    stop = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, cost.shape)
    window = cost[start[0] : stop[0], start[1] : stop[1]]
    rows, columns = np.ogrid[start[0] : stop[0], start[1] : stop[1]]
    cell = [
        np.floor(((a[0] * rows + a[1] * columns) - offset) * (_SIDE / length)).astype(np.int64)
        for a, offset, length in zip(frame, low, size, strict=True)
    ]
    there = (cell[0] >= 0) & (cell[0] < _SIDE) & (cell[1] >= 0) & (cell[1] < _SIDE)
    cells = np.bincount(cell[0][there] * _SIDE + cell[1][there], window[there], minlength=_SIDE**2)
    found, _ = best_polygon(cells.reshape(_SIDE, _SIDE))
    return (low + found * size / _SIDE) @ frame, size / 32


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
    chosen = sorted(angles[kept].tolist())
    while len(chosen) < count:
        gaps = np.diff([*chosen, chosen[0] + 2 * np.pi])
        widest = int(gaps.argmax())
        chosen.insert(widest + 1, chosen[widest] + gaps[widest] / 2)
    turned = np.array(chosen)
    directions = np.stack([np.sin(turned), np.cos(turned)], axis=1)
    return directions, (directions @ corners.T).max(axis=1)


def inradius(normals, offsets):
    """About the depth of the deepest point in the half-spaces, by subgradient steps from the origin."""
    x, best = np.zeros(normals.shape[1]), 0.0
    for t in range(1, 101):
        depth = offsets - normals @ x
        nearest = int(depth.argmin())
        best = max(best, float(depth[nearest]))
        x = x - normals[nearest] * (depth.max() - depth[nearest]) / (2 * t)
    return best
