"""Is a mask digitally convex?  Exactly:  mask = conv(mask) intersected with Z^d,  and one connected piece.

A set of pixels S is digitally convex when every lattice point of its convex hull belongs to it. Hulls are found in
integers (`hulls_2d`, `hulls_3d`), and pieces are connected if they touch, at corners too: 8-connected in the plane,
26-connected in a volume. Nothing here is rounded: a certificate is a proof. Convexity does not depend on the pixels'
aspect ratio.

The functions here check their arguments; the package itself calls `hulls` with arrays that have been checked.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..errors import InvalidImageError
from ..keywords import known_keywords
from . import hulls, hulls_2d


@dataclass(frozen=True)
class Certificate:
    """Result of `certify_convexity`, in Python numbers; true in a condition when the mask is convex."""

    convex: bool
    """No lattice point of the hull is missing, and there is one component. False for an empty mask."""

    n_missing: int
    """Lattice points of the hull that the mask lacks."""

    n_components: int
    """8-connected components (26-connected in a volume); 0 for an empty mask."""

    n_pixels: int
    """Pixels of the mask."""

    shape: ClassVar[str] = "convex"
    """Name of the shape."""

    def __bool__(self) -> bool:
        return self.convex

    def __str__(self) -> str:
        if self.n_pixels == 0:
            return "empty: no pixels, nothing to certify"
        if self.convex:
            return f"convex: {self.n_pixels} pixels, exactly the lattice points of their hull, connected"
        return (
            f"not convex: {self.n_pixels} pixels in {self.n_components} component(s), "
            f"{self.n_missing} lattice point(s) of their hull missing"
        )


@known_keywords
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

    Examples
    --------
    >>> bool(certify_convexity(np.ones((3, 4), bool)))
    True
    """
    return certificate(as_mask(mask, (2, 3)))


def certificate(mask: np.ndarray) -> Certificate:
    """`certify_convexity` of a bool array that has been checked."""
    n_pixels = int(np.count_nonzero(mask))
    if n_pixels == 0:
        return Certificate(False, 0, 0, 0)
    n_missing, n_components = hulls.faults(mask)
    return Certificate(n_missing == 0 and n_components == 1, n_missing, n_components, n_pixels)


def certificate_of_runs(first: np.ndarray, last: np.ndarray) -> Certificate:
    """`certify_convexity` of the set of the pixels from `first` to `last` ((n,) int) of n rows in turn.

    No mask is made: for images that do not fit into memory.
    """
    left, right = hulls_2d.rows_of_runs(first, last)
    n_missing = int((right - left).sum() - (last - first).sum())  # no row of the hull is empty: it holds the run
    apart = (first[1:] > last[:-1] + 1) | (last[1:] < first[:-1] - 1)
    n_components = 1 + int(np.count_nonzero(apart))
    return Certificate(n_missing == 0 and n_components == 1, n_missing, n_components, int((last - first + 1).sum()))


@known_keywords
def fill_hull(mask: np.ndarray) -> np.ndarray:
    """The lattice points of the convex hull of `mask`: digitally convex, but a thin sliver may be in pieces.

    `mask` and errors are as for `certify_convexity`; the result is a new bool array of its shape.
    """
    return hulls.fill(as_mask(mask, (2, 3)))


@known_keywords
def hull_vertices(mask: np.ndarray) -> np.ndarray:
    """Corners of the convex hull of the pixel centres of `mask`, down the left side and up the right one.

    `mask` ((H, W)) and errors are as for `certify_convexity`. The corners are (n, 2) int, row and column, no three on a
    line: one for a pixel, two for a line, none for an empty mask.
    """
    mask = as_mask(mask)
    return hulls.extreme_points(mask) if mask.any() else np.empty((0, 2), np.int64)


@known_keywords
def hull_half_spaces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The convex hull of the pixel centres of `mask` as half-spaces, normals @ x <= offsets, in integers.

    `mask` holds at least one pixel; it and errors are as for `certify_convexity`. Normals ((k, d) int64) point
    outwards, offsets are (k,) int64.
    """
    mask = as_mask(mask, (2, 3))
    if not mask.any():
        raise InvalidImageError("the hull of a mask needs at least one pixel; got an empty mask: test mask.any() first")
    return hulls.half_spaces(hulls.extreme_points(mask))


def as_mask(mask: Any, dimensions: tuple[int, ...] = (2,), *, remark: bool = True) -> np.ndarray:
    """`mask` as a bool array of one of these numbers of dimensions, or an InvalidImageError that says why it isn't.

    A warning where it is taken as a volume and may have colours, unless `remark` is False, as beside another array of
    the same shape.
    """
    array = checks.host_array("mask", mask)
    if array.ndim not in dimensions or array.size == 0:
        known = {(2,): "two", (2, 3): "two or three"}[dimensions]
        raise InvalidImageError(
            f"a mask must have {known} dimensions and at least one pixel; got shape {array.shape}: pass one slice of it"
        )
    if remark:
        checks.taken_as_volume("mask", array.shape, mask=True)
    if array.dtype == bool:
        return array
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 1:
        raise InvalidImageError(
            "a mask must be boolean, or integers 0 and 1; "
            f"got other {array.dtype} values: compare with a threshold first"
        )
    return array.astype(bool)
