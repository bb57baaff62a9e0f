"""Convex hulls of pixels, exact: two chains through the first and the last pixel of every row.

The lattice points of a hull follow from one integer division a row and side.

A. M. Andrew, "Another efficient algorithm for convex hulls in two dimensions", Information Processing Letters 9(5),
1979, doi:10.1016/0020-0190(79)90072-3
"""

import numpy as np

Chain = list[tuple[int, int]]


def pixels_between(first: np.ndarray, last: np.ndarray, width: int) -> np.ndarray:
    """The pixels from column `first` to column `last` ((*rows)) of each row of `width` pixels: (*rows, width) bool."""
    columns = np.arange(width)
    return (columns >= first[..., None]) & (columns <= last[..., None])


def extreme_points(mask: np.ndarray) -> np.ndarray:
    """Vertices of the hull of a non-empty mask, down the left side and up the right one: (n, 2) int."""
    left, right = _chains(mask)
    corners = dict.fromkeys([*left, *((row, -negated) for row, negated in reversed(right))])
    return np.array(list(corners), np.int64)


def half_spaces(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half-planes along the edges of a hull and along the axes, from its vertices in turn: see `hulls.half_spaces`."""
    edges = np.roll(corners, -1, axis=0) - corners
    edges = edges[edges.any(axis=1)]
    edges //= np.gcd(edges[:, 0], edges[:, 1])[:, None]
    normals = np.concatenate([edges[:, ::-1] * [1, -1], [[1, 0], [-1, 0], [0, 1], [0, -1]]])
    normals = np.unique(normals, axis=0)
    return normals, (normals @ corners.T).max(axis=1)


def hull_rows(mask: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """First row of the hull of a non-empty mask, and the first and the last lattice column in each of its rows.

    First is greater than last where the hull passes between two pixels.
    """
    left, right = _chains(mask)
    return left[0][0], _ceil_rows(left), -_ceil_rows(right)


def rows_of_runs(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`hull_rows` of the pixels from `first` to `last` ((n,) int, first <= last) of n rows in turn."""
    rows = list(range(len(first)))
    return _ceil_rows(_lower_chain(rows, first.tolist())), -_ceil_rows(_lower_chain(rows, (-last).tolist()))


def _chains(mask: np.ndarray) -> tuple[Chain, Chain]:
    """Left and right chain of the hull from top to bottom, as (row, column) and (row, -column)."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    return _lower_chain(rows.tolist(), first.tolist()), _lower_chain(rows.tolist(), (-last).tolist())


def _lower_chain(rows: list[int], values: list[int]) -> Chain:
    """Corners of the greatest convex function of the row that is nowhere above `values` (monotone chain)."""
    chain: Chain = []
    for row, value in zip(rows, values, strict=True):
        while len(chain) > 1:
            (r0, v0), (r1, v1) = chain[-2], chain[-1]
            if (v1 - v0) * (row - r0) < (value - v0) * (r1 - r0):
                break
            chain.pop()
        chain.append((row, value))
    return chain


def _ceil_rows(chain: Chain) -> np.ndarray:
    """The least integer not below the chain, for every row from its top to its bottom."""
    corners = np.array(chain, np.int64)
    if len(corners) == 1:
        return corners[:, 1]
    rows = np.arange(corners[0, 0], corners[-1, 0] + 1)
    piece = np.minimum(np.searchsorted(corners[:, 0], rows, side="right") - 1, len(corners) - 2)
    (r0, v0), (r1, v1) = corners[piece].T, corners[piece + 1].T
    # Integer division rounds down; the negated quotient of the negated numerator rounds up.
    return v0 - ((v0 - v1) * (rows - r0)) // (r1 - r0)
