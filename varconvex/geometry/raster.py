"""Grids of pixels: their indices, sums over rows and blocks of them, and the pixels of a convex polygon."""

from typing import Any

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from .hulls import fill
from .hulls_2d import pixels_between

ON_EDGE = 1e-9
"""Pixels beyond an edge at which a pixel's centre still counts as within the polygon, against rounding."""

FARTHEST = 1e15
"""Largest coordinate of a point, in pixels: float64 still tells one from the next."""


def grid_points(shape: tuple[int, ...]) -> np.ndarray:
    """The indices of all pixels of a grid: (n, d) int."""
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, len(shape))


def checked_points(value: Any, ndim: int) -> Any:
    """Places as an (n, `ndim`) array on the device that holds them; an empty list is no place."""
    array = checks.as_numeric("points", value)
    if array.shape == (0,):
        array = array.reshape(0, ndim)
    if array.ndim != 2 or array.shape[1] != ndim:
        raise InvalidParameterError(
            f"points must have the shape (n, {ndim}), a row a point; got shape {array.shape}. Pass e.g. {[[0] * ndim]}."
        )
    checks.finite("points", array, "Leave them out.")
    if array.size and not max(-float(array.min()), float(array.max())) <= FARTHEST:
        raise InvalidParameterError(f"points must be within {FARTHEST:g} pixels; got one farther out. Leave it out.")
    return array


def primitive_vectors(reach: int, ndim: int) -> np.ndarray:
    """Integer vectors with entries up to `reach`, none the multiple of another: (n, ndim) int."""
    vectors = grid_points((2 * reach + 1,) * ndim) - reach
    return vectors[np.gcd.reduce(vectors, axis=1) == 1]


def row_sums(cost: np.ndarray) -> np.ndarray:
    """Sums of `cost` ((H, W)) over each row up to each column: (H, W + 1) float64."""
    prefix = np.zeros((cost.shape[0], cost.shape[1] + 1))
    np.cumsum(cost, axis=1, out=prefix[:, 1:])
    return prefix


def cost_of_runs(prefix: np.ndarray, first: np.ndarray, last: np.ndarray) -> float:
    """Cost of the pixels from `first` to `last` of each row; `prefix` are the `row_sums` of these rows."""
    rows = np.arange(len(first))
    return float((prefix[rows, last + 1] - prefix[rows, first]).sum())


def pool(cost: np.ndarray, factor: int) -> np.ndarray:
    """Sums of `cost` over blocks of `factor` pixels a side; blocks that reach over the border are padded with zeros."""
    if factor == 1:
        return cost
    blocks = [-(-size // factor) for size in cost.shape]
    padded = np.zeros([n * factor for n in blocks], cost.dtype)
    padded[tuple(slice(size) for size in cost.shape)] = cost
    return padded.reshape([k for n in blocks for k in (n, factor)]).sum(axis=tuple(range(1, 2 * cost.ndim, 2)))


def enlarged(cells: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    """The hull of the pixels in `cells` (bool), a set on the grid of `pool`, on a grid of `shape`."""
    for axis in range(cells.ndim):
        cells = cells.repeat(factor, axis)
    return fill(np.ascontiguousarray(cells[tuple(slice(n) for n in shape)]))


def holding(cost: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """`cost` in float64, where no gain elsewhere outweighs a pixel of `inside` or `outside` on the wrong side."""
    exact = cost.astype(np.float64)
    exact[inside], exact[outside] = np.array([-1, 1]) * (1 + 2 * float(np.abs(exact).sum()))
    return exact


def total(cost: np.ndarray, mask: np.ndarray) -> float:
    """Sum of `cost` over `mask`, in float64."""
    return float(cost[mask].sum(dtype=np.float64))


def cheapest_pixel(cost: np.ndarray) -> np.ndarray:
    """The pixel of least cost, as a mask."""
    pixel = np.zeros(cost.shape, bool)
    pixel[np.unravel_index(cost.argmin(), cost.shape)] = True
    return pixel


def edge_normals(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outward unit normals of the edges of the hull of `corners` ((n, 2)), by angle (k, 2), and their lengths (k,)."""
    from scipy.spatial import ConvexHull

    corners = corners[ConvexHull(corners).vertices]
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(*edges.T)
    # The vertices turn from the first axis to the second, so the inside is on the left of an edge.
    normals = edges[:, ::-1] * [1, -1] / lengths[:, None]
    order = np.argsort(np.arctan2(normals[:, 0], normals[:, 1]), kind="stable")
    return normals[order], lengths[order]


def polygon_mask(corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels of a grid whose centres are in the hull of `corners` ((n, 2), row and column): (H, W) bool."""
    mask = np.zeros(shape, bool)
    rows, first, last, allowed = _row_bounds(corners, shape)
    mask[rows] = pixels_between(first, last, shape[1])
    mask[rows] &= allowed[:, None]
    return fill(mask)


def polygon_runs(corners: np.ndarray, shape: tuple[int, ...]) -> tuple[int, np.ndarray, np.ndarray]:
    """First row of `polygon_mask` before its gaps are filled, and first and last column of each of its rows.

    Rows are in turn: where a thin polygon passes between pixels, the longest part of it.
    """
    rows, left, right, allowed = _row_bounds(corners, shape)
    first = np.ceil(np.maximum(left, 0)).astype(np.int64)
    last = np.floor(np.minimum(right, shape[1] - 1)).astype(np.int64)
    there = np.flatnonzero(allowed & (first <= last))
    parts = np.split(there, np.flatnonzero(np.diff(there) > 1) + 1)
    mine = max(parts, key=len)
    if not mine.size:
        raise InvalidParameterError("a polygon must hold a pixel's centre; it holds none. Draw a larger one.")
    return int(rows[mine[0]]), first[mine], last[mine]


def _row_bounds(corners: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Rows that the hull of `corners` touches, its left and right bound on them, and whether its level edges do."""
    normals, _ = edge_normals(corners)
    offsets = (normals @ corners.T).max(axis=1) + ON_EDGE
    rows = np.arange(max(int(corners[:, 0].min()), 0), min(int(corners[:, 0].max()) + 2, shape[0]))
    across, along = normals[:, :1], normals[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = (offsets[:, None] - across * rows) / along
    last = np.where(along > 1e-12, bound, np.inf).min(axis=0)
    first = np.where(along < -1e-12, bound, -np.inf).max(axis=0)
    level = np.abs(along[:, 0]) <= 1e-12
    return rows, first, last, (across[level] * rows <= offsets[level, None]).all(axis=0)
