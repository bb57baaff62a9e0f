"""Corners restored to a convex set whose outline cuts them off:

    S  ->  S + cap,      cap = lattice points beyond the edges between two edges i and j, and within the lines of these

An intersection of half-planes stays convex when some of them are dropped. So any two edges of the hull, less than half
a turn apart, may be prolonged till they meet. An outline that may move only a pixel at a time (`refine_2d`) would need
as many steps as there are pixels in the corner, and noise stops it; here it is one step, and its cost is known exactly:
row by row, from prefix sums. The pair of edges of least cost comes first, then those that share no edge with it.
"""

import numpy as np

from ..compiling import compiled
from .components import cheapest_piece
from .hulls import extreme_points, is_convex
from .raster import cost_of_runs

Array = np.ndarray

_EDGES = 16
"""Edges between the two, at most: time grows with it."""


def with_corners(mask: Array, prefix: Array) -> Array:
    """A convex set that contains `mask` and costs no more; `mask` itself where no corner lowers the cost.

    `mask` (bool) and the result are digitally convex and connected. `prefix` ((H, W + 1) float) holds the sums of the
    cost over each row up to each column.
    """
    while True:
        corners = extreme_points(mask)
        if len(corners) < 3:
            return mask
        top, first, last = runs(mask)
        gains = cap_costs(prefix, corners, top, first, last, min(_EDGES, len(corners) - 2))
        caps = _caps(gains, corners, mask.shape)
        if not caps.any():
            return mask
        wider = mask | caps
        if not is_convex(wider):
            wider = cheapest_piece(wider, mask, mask)
        low, left, right = runs(wider)
        if cost_of_runs(prefix[low:], left, right) >= cost_of_runs(prefix[top:], first, last):
            return mask
        mask = wider


def runs(mask: Array) -> tuple[int, Array, Array]:
    """First row of a digitally convex, connected set, and the first and the last column of each of its rows."""
    rows = np.flatnonzero(mask.any(axis=1))
    there = mask[rows[0] : rows[-1] + 1]
    return int(rows[0]), there.argmax(axis=1), mask.shape[1] - 1 - there[:, ::-1].argmax(axis=1)


def _caps(gains: Array, corners: Array, shape: tuple[int, ...]) -> Array:
    """The caps of least cost that have no edge in common: (H, W) bool."""
    n = len(corners)
    taken = np.zeros(n, bool)
    caps = np.zeros(shape, bool)
    for k in np.argsort(gains, axis=None, kind="stable"):
        i, between = divmod(int(k), gains.shape[1])
        if gains[i, between] >= 0:
            break
        dropped = (i + 1 + np.arange(between + 1)) % n
        # A line that has been dropped cannot bound another cap.
        bounds = np.array([i, (i + between + 2) % n])
        if taken[dropped].any() or taken[bounds].any():
            continue
        taken[dropped] = taken[bounds] = True
        _fill(caps, corners, i, between)
    return caps


@compiled(error_model="numpy", nogil=True)
def cap_costs(prefix: Array, corners: Array, top: int, first: Array, last: Array, most: int) -> Array:
    """(n, most): cost of the cap between edge i and edge i + 2, i + 3, ...; infinite where the two do not meet."""
    n = len(corners)
    gains = np.full((n, most), np.inf)
    for i in range(n):
        for between in range(most):
            low, high = _row_range(corners, i, between, prefix.shape[0])
            total = 0.0
            for r in range(low, high + 1):
                a, b = _columns(corners, i, between, r, prefix.shape[1] - 1)
                if a <= b:
                    total += prefix[r, b + 1] - prefix[r, a]
                # Pixels that the set has already.
                if a <= b and 0 <= r - top < len(first):
                    a, b = max(a, first[r - top]), min(b, last[r - top])
                    total -= prefix[r, max(b + 1, a)] - prefix[r, a]
            if low <= high:
                gains[i, between] = total
    return gains


@compiled(error_model="numpy", nogil=True)
def _fill(mask: Array, corners: Array, i: int, between: int) -> None:
    """Set the pixels of a cap in `mask`."""
    low, high = _row_range(corners, i, between, mask.shape[0])
    for r in range(low, high + 1):
        a, b = _columns(corners, i, between, r, mask.shape[1])
        for c in range(a, b + 1):
            mask[r, c] = True


@compiled(error_model="numpy", nogil=True)
def _row_range(corners: Array, i: int, between: int, height: int) -> tuple[int, int]:
    """Rows of the triangle over the dropped edges; none where the two lines do not meet."""
    n = len(corners)
    a, b = corners[(i + 1) % n], corners[(i + between + 2) % n]
    e, f = a - corners[i], corners[(i + between + 3) % n] - b
    turn = e[0] * f[1] - e[1] * f[0]
    if turn <= 0:
        return 0, -1
    tip = a[0] + e[0] * (((b[0] - a[0]) * f[1] - (b[1] - a[1]) * f[0]) / turn)
    low, high = min(a[0], b[0], tip), max(a[0], b[0], tip)
    return max(int(np.ceil(low - 1e-9)), 0), min(int(np.floor(high + 1e-9)), height - 1)


@compiled(error_model="numpy", nogil=True)
def _columns(corners: Array, i: int, between: int, r: int, width: int) -> tuple[int, int]:
    """First and last column of the triangle in row r, without rounding."""
    n = len(corners)
    j = i + between + 2
    first, last = 0, width - 1
    for k in range(3):
        # Outward normals (e1, -e0) of the two edges, and the inward one of the chord.
        if k == 0:
            p, q = corners[i], corners[(i + 1) % n]
        elif k == 1:
            p, q = corners[j % n], corners[(j + 1) % n]
        else:
            p, q = corners[j % n], corners[(i + 1) % n]
        across, along = q[1] - p[1], p[0] - q[0]
        slack = across * (p[0] - r) + along * p[1]
        if along > 0:
            last = min(last, slack // along)
        elif along < 0:
            first = max(first, -(slack // -along))
        elif slack < 0:
            return 0, -1
    return first, last
