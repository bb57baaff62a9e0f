"""The best of a few convex sets of the plane, as a start for whatever moves it further.

Candidates are the best polygon on a lattice, in a frame of its own while that makes it better; where they may be
better, the best rectangles; the hull of the best component; and a given set. A candidate is its corners, and the
half-planes of any directions n around it follow from the support function

    h(n) = max over corners v of  n . v.
"""

import numpy as np

from ..threads import run
from .components import cheapest_piece
from .hulls import extreme_points, fill, is_convex
from .lattice_polygon import best_nearby, best_polygon
from .raster import edge_normals, polygon_mask, pool, total
from .rectangles import LARGEST, best_boxes
from .refine_2d import refine

Start = tuple[np.ndarray, np.ndarray]
"""Corners (n, 2) float and mask (H, W) bool."""

_SIDE = 128
"""Cells along the longer side of the grid on which polygons are searched for."""

_BOXES = 2
"""Most rectangles that are candidates."""

_RIVAL = 0.5
"""A rectangle is a candidate only if it costs less than this share of the best polygon's (negative) cost."""

SMALL = 5000
"""Pixels of a set up to which refining it takes milliseconds."""


def search(cost: np.ndarray, core: np.ndarray) -> Start:
    """The best polygon on a lattice, rectangle, or hull of the best component: see `convex_sets.search`."""

    def energy(candidate: Start) -> float:
        return total(cost, candidate[1])

    candidates = [_hull_start(cheapest_piece(cost < 0, cost) | core), *_polygon_starts(cost)]
    if core.any():
        candidates.append(_hull_start(core))
    candidates = sorted(candidates, key=energy)
    candidates += [_hull_start(mask) for mask in _moved([mask for _, mask in candidates], cost)]
    corners, mask = min(candidates, key=energy)
    better = best_nearby(mask, cost)
    return (corners, mask) if better is mask else _hull_start(better)


def _moved(masks: list[np.ndarray], cost: np.ndarray) -> list[np.ndarray]:
    """The first of the masks, as many as are small together, refined: only then is the best of small sets known."""
    unlike = {mask.tobytes(): mask for mask in masks}.values()
    pixels = np.cumsum([np.count_nonzero(mask) for mask in unlike])
    small = [mask for mask, n in zip(unlike, pixels, strict=True) if n <= SMALL and is_convex(mask)]
    return [refine(mask, cost, band=2, sweeps=10, least=0) for mask in small]


def _hull_start(mask: np.ndarray) -> Start:
    """The hull of a mask; each corner is widened to a diamond that reaches halfway to the neighbours."""
    diamond = 0.5 * np.array([[-1, 0], [0, -1], [0, 1], [1, 0]])
    corners = extreme_points(mask) if mask.any() else np.empty((0, 2))
    return (corners[:, None] + diamond).reshape(-1, 2), fill(mask)


def _polygon_starts(cost: np.ndarray) -> list[Start]:
    """The best polygon in the image and, where they may be better, the best rectangles, each then in its own frame."""
    factor = -(-max(cost.shape) // _SIDE)
    cells = pool(cost, factor)
    corners, energy = best_polygon(cells)
    starts = [corners] if len(corners) else []
    # No rectangle costs less than as many cells of least cost.
    bound = np.partition(cells, min(LARGEST, cells.size - 1), axis=None)[:LARGEST].sum(dtype=np.float64)
    if bound < _RIVAL * energy:
        starts += [box for cost_of_box, box in best_boxes(cells, _BOXES) if cost_of_box < _RIVAL * energy]
    found = run(_in_own_frames, [(cost, start * factor - 0.5) for start in starts]) if starts else []
    return [pair for pairs in found for pair in pairs]


def _in_own_frames(cost: np.ndarray, corners: np.ndarray) -> list[Start]:
    """The polygon, then the best one in its frame while that makes it better."""
    node = np.full(2, max(cost.shape) / 32)
    found: list[Start] = []
    energy = 0.0
    while len(corners):
        mask = polygon_mask(corners, cost.shape)
        previous, energy = energy, total(cost, mask)
        if found and energy > 1.01 * previous:
            break
        found.append((corners, mask))
        corners, node = _in_own_frame(cost, corners, node)
    return found


def _in_own_frame(cost: np.ndarray, corners: np.ndarray, node: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best polygon on a lattice that is turned, stretched and moved to fit `corners`; pixels between its nodes
    (2,).

    An affine map keeps convexity, and a set that is long and thin in the image fills its own box.
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


def half_spaces_around(corners: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` half-planes along the longest edges, then tangents in the widest gaps: see `convex_sets`."""
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
