"""Is a mask digitally convex?  Exactly:  mask = conv(mask) intersected with Z^d,  and one connected piece.

A set of pixels S is digitally convex when every lattice point of its convex hull belongs to it. In the plane
the hull is bounded by two chains through the first and last pixel of every row, so one integer division a row
and side lists its lattice points; in a volume by planes with integer normals (`_solid_hulls`). Pieces are
connected if they touch, at corners too: 8-connected in the plane, 26-connected in a volume. Nothing here is
rounded: a certificate is a proof. Convexity does not depend on the pixels' aspect ratio.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import InvalidImageError


@dataclass(frozen=True)
class Certificate:
    """What `certify_convexity` found; true in a condition when the mask is convex."""

    convex: bool
    """No lattice point of the hull is missing, and there is one component. False for an empty mask."""

    n_missing: int
    """Lattice points of the hull that the mask lacks."""

    n_components: int
    """8-connected components (26-connected in a volume); 0 for an empty mask."""

    n_pixels: int
    """Pixels of the mask."""

    def __bool__(self):
        return self.convex

    def __str__(self):
        if self.n_pixels == 0:
            return "empty: no pixels, nothing to certify"
        if self.convex:
            return f"convex: {self.n_pixels} pixels, exactly the lattice points of their hull, connected"
        return (
            f"not convex: {self.n_pixels} pixels in {self.n_components} component(s), "
            f"{self.n_missing} lattice point(s) of their hull missing"
        )


def certify_convexity(mask: np.ndarray) -> Certificate:
    """Prove or refute that `mask` is digitally convex and connected, in integer arithmetic.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) bool, or integers 0 and 1

    Returns
    -------
    Certificate
        An empty mask is not convex: there is nothing to certify.

    Raises
    ------
    InvalidImageError
        If `mask` has neither two nor three dimensions, no pixels, or values other than 0 and 1.

    References
    ----------
    A. M. Andrew, "Another efficient algorithm for convex hulls in two dimensions", Information Processing
    Letters 9(5), 1979, doi:10.1016/0020-0190(79)90072-3

    Examples
    --------
    >>> bool(certify_convexity(np.ones((3, 4), bool)))
    True
    """
    mask = as_mask(mask, (2, 3))
    n_pixels = int(np.count_nonzero(mask))
    if n_pixels == 0:
        return Certificate(False, 0, 0, 0)
    if mask.ndim == 3:
        n_missing, n_components = int(np.count_nonzero(fill_hull(mask))) - n_pixels, _count_components(mask)
        return Certificate(n_missing == 0 and n_components == 1, n_missing, n_components, n_pixels)
    _, first, last = hull_rows(mask)
    n_missing = int(np.maximum(last - first + 1, 0).sum()) - n_pixels
    n_components = _count_runs(first, last) if n_missing == 0 else _count_components(mask)
    return Certificate(n_missing == 0 and n_components == 1, n_missing, n_components, n_pixels)


def fill_hull(mask: np.ndarray) -> np.ndarray:
    """The lattice points of the convex hull of `mask`: digitally convex, but a thin sliver may be in pieces.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) bool, or integers 0 and 1

    Returns
    -------
    bool array of the same shape
        A new array.

    Raises
    ------
    InvalidImageError
        As `certify_convexity`.
    """
    mask = as_mask(mask, (2, 3))
    filled = np.zeros_like(mask)
    if mask.any() and mask.ndim == 3:
        window = tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(mask))
        from .hulls_3d import lattice_points

        normals, offsets = hull_half_spaces(mask[window])
        filled[window] = lattice_points(normals, offsets, mask[window].shape)
    elif mask.any():
        top, first, last = hull_rows(mask)
        columns = np.arange(mask.shape[1])
        filled[top : top + len(first)] = (columns >= first[:, None]) & (columns <= last[:, None])
    return filled


def hull_vertices(mask: np.ndarray) -> np.ndarray:
    """Corners of the convex hull of the pixel centres of `mask`, down the left side and up the right one.

    Parameters
    ----------
    mask : (H, W) bool, or integers 0 and 1

    Returns
    -------
    (n, 2) int
        Row and column, no three on a line; one vertex for a pixel, two for a line, none for an empty mask.

    Raises
    ------
    InvalidImageError
        As `certify_convexity`.
    """
    mask = as_mask(mask)
    if not mask.any():
        return np.empty((0, 2), np.int64)
    left, right = _chains(mask)
    corners = dict.fromkeys([*left, *((row, -negated) for row, negated in reversed(right))])
    return np.array(list(corners), np.int64)


def hull_half_spaces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The convex hull of the pixel centres of `mask` as half-spaces, normals @ x <= offsets, in integers.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) bool, or integers 0 and 1; at least one pixel

    Returns
    -------
    normals : (k, d) int64, pointing outwards
    offsets : (k,) int64

    Raises
    ------
    InvalidImageError
        As `certify_convexity`.
    """
    mask = as_mask(mask, (2, 3))
    if mask.ndim == 3:
        from .hulls_3d import extreme_points, half_spaces

        return half_spaces(extreme_points(mask))
    corners = hull_vertices(mask)
    edges = np.roll(corners, -1, axis=0) - corners
    edges = edges[edges.any(axis=1)]
    edges //= np.gcd(edges[:, 0], edges[:, 1])[:, None]
    normals = np.concatenate([edges[:, ::-1] * [1, -1], [[1, 0], [-1, 0], [0, 1], [0, -1]]])
    normals = np.unique(normals, axis=0)
    return normals, (normals @ corners.T).max(axis=1)


def as_mask(mask: np.ndarray, dimensions: tuple[int, ...] = (2,)) -> np.ndarray:
    """`mask` as a bool array of one of these numbers of dimensions, or an InvalidImageError that says why it isn't."""
    array = np.asarray(mask)
    if array.ndim not in dimensions or array.size == 0:
        known = {(2,): "two", (2, 3): "two or three"}[dimensions]
        raise InvalidImageError(
            f"a mask must have {known} dimensions and at least one pixel; got shape {array.shape}: pass one slice of it"
        )
    if array.dtype == bool:
        return array
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 1:
        raise InvalidImageError(
            "a mask must be boolean, or integers 0 and 1; "
            f"got other {array.dtype} values: compare with a threshold first"
        )
    return array.astype(bool)


def _chains(mask):
    """Left and right chain of the hull from top to bottom, as (row, column) and (row, -column)."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    return _lower_chain(rows.tolist(), first.tolist()), _lower_chain(rows.tolist(), (-last).tolist())


def _lower_chain(rows, values):
    """Corners of the greatest convex function of the row that is nowhere above `values` (monotone chain)."""
    chain: list[tuple[int, int]] = []
    for row, value in zip(rows, values, strict=True):
        while len(chain) > 1:
            (r0, v0), (r1, v1) = chain[-2], chain[-1]
            if (v1 - v0) * (row - r0) < (value - v0) * (r1 - r0):
                break
            chain.pop()
        chain.append((row, value))
    return chain


def hull_rows(mask):
    """The first row of the hull of a mask, and the first and last lattice column in each of its rows.

    First is greater than last where the hull passes between two pixels.
    """
    left, right = _chains(mask)
    return left[0][0], _ceil_rows(left), -_ceil_rows(right)


def _ceil_rows(chain):
    """The least integer not below the chain, for every row from its top to its bottom."""
    corners = np.array(chain, np.int64)
    if len(corners) == 1:
        return corners[:, 1]
    rows = np.arange(corners[0, 0], corners[-1, 0] + 1)
    piece = np.minimum(np.searchsorted(corners[:, 0], rows, side="right") - 1, len(corners) - 2)
    (r0, v0), (r1, v1) = corners[piece].T, corners[piece + 1].T
    # Integer division rounds down; the negated quotient of the negated numerator rounds up.
    return v0 - ((v0 - v1) * (rows - r0)) // (r1 - r0)


def _count_runs(first, last):
    """8-connected components of a set whose every row is one run, or none."""
    there = first <= last
    touching = (first[1:] <= last[:-1] + 1) & (last[1:] >= first[:-1] - 1) & there[1:] & there[:-1]
    return int(np.count_nonzero(there) - np.count_nonzero(touching))


def _count_components(mask):
    from scipy import ndimage

    return int(ndimage.label(mask, structure=np.ones((3,) * mask.ndim))[1])
