"""Sets of a shape in images whose axes wrap around: panorama, unrolled vessel, one period of a texture (eq. 4).

    min over S      sum over S of (1 - 2 target),        S of the shape where the cylinder or torus is cut open

The image is cut open where little of the object is, the shape is fitted there, and the set is rolled back: an object
that crosses the border of the image comes out in one piece. G is the fitted set's, of places that are wrapped to the
image as it was cut open, and so periodic.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.random import Generator

from .. import checks
from ..backends import ArrayBackend
from ..errors import InvalidParameterError, ScribbleConflictError
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import checked_points
from ..geometry.wrapping import cuts, rolled, rolled_pixels, unrolled, wrapped
from ..keywords import known_keywords
from .base import Array, Callback, FittedShape, Shape, grid_shape
from .connected import ConnectedShape
from .convex import ConvexShape
from .ellipse import EllipseShape
from .rectangle import RectangleShape
from .star import StarShape
from .symmetric import SymmetricShape

__all__ = ["FittedPeriodic", "PeriodicShape"]

Kind = Literal["convex", "star", "connected", "symmetric", "ellipse", "rectangle"]
"""Shapes that have a name here."""

_SHAPES: dict[Any, Any] = {
    "convex": ConvexShape, "star": StarShape, "connected": ConnectedShape, "symmetric": SymmetricShape,
    "ellipse": EllipseShape, "rectangle": RectangleShape,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class FittedPeriodic:
    """A set that has its shape where the axes that wrap around are cut open."""

    part: FittedShape
    """The set in the image that is cut open, with what its shape tells of it (there): `centre`, `parameters`, ..."""

    cut: tuple[int, ...]
    """Index along each axis at which it is cut open, so that this pixel is the first one; 0 where it does not wrap."""

    axes: tuple[int, ...]
    """Axes that wrap around."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cut", tuple(self.cut))
        object.__setattr__(self, "axes", tuple(self.axes))

    @cached_property
    def mask(self) -> Array:
        """(H, W) or (D, H, W) bool: the set, or empty."""
        return rolled(self.part.mask, self.cut)

    @property
    def energy(self) -> float:
        """sum of 1 - 2 target over `mask`."""
        return float(self.part.energy)  # type: ignore[attr-defined]

    @property
    def n_filled(self) -> int:
        """Pixels that were added or removed after rasterisation."""
        return self.part.n_filled

    @property
    def certificate(self) -> ShapeCertificate:
        """That of `part`, with indices of the image's pixels: `certify(mask, "periodic", cut=cut, kind=..., ...)`."""
        own = getattr(self.part, "certificate", None)
        if not isinstance(own, ShapeCertificate):
            own = certificate_of("convex", self.part.mask)
        pixels = rolled_pixels(np.array(own.pixels, np.int64), self.mask.shape, self.cut)
        return ShapeCertificate("periodic", own.holds, own.n_pixels, tuple(map(tuple, pixels.tolist())))

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, d) float, in the target's pixels), with the image's period: (n,) float."""
        places = checks.host(checked_points(points, len(self.cut)))
        return self.part(wrapped(places, self.mask.shape, self.cut, self.axes))

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The set on a grid of `shape` pixels over the same field of view: bool of this shape.

        The cut is moved to the nearest border of two pixels of that grid. Raises an InvalidParameterError unless
        `shape` is one positive integer for each axis.
        """
        grid = grid_shape(shape, len(self.cut))
        cut = [round(c * n / old) % n for c, n, old in zip(self.cut, grid, self.mask.shape, strict=True)]
        return rolled(self.part.rasterize(grid), tuple(cut))


@known_keywords
class PeriodicShape(Shape[FittedPeriodic]):
    """A set of a shape on axes that wrap around, as a panorama's columns; in images and volumes.

    ``"periodic:star"`` is ``PeriodicShape("star")``. Promised: there is a place along each of the axes at which the
    image can be cut open, so that the mask has the shape there; it holds all of `inside` and nothing of `outside`. So a
    convex set has a convex copy in the plane that covers the cylinder or torus; it does not wind around, but for the
    rows that do so altogether. Not promised: that no other place to cut is better; two an axis are compared.

    Only the shape wraps: to the boundary cost of an energy and to distances from strokes the image ends at its border.
    With ``unify="sequential"`` a stroke on either side of the border is the remedy.

    Parameters
    ----------
    shape : {"convex", "star", "connected", "symmetric", "ellipse", "rectangle"} or Shape
        The shape where the axes are cut open; one that is told where an object is (`centre`, `axis`) is told the place
        there, which is not known before.
    axes : int or tuple of int
        Axes that wrap around; negative ones count from the last, which is the default.

    Raises
    ------
    InvalidParameterError
        If `shape` is neither, or `axes` are not different integers; in a fit also if the target has no such axis.

    Examples
    --------
    >>> target = np.zeros((20, 60))
    >>> target[5:15, 52:] = target[5:15, :9] = 1
    >>> fitted = PeriodicShape().fit(target)
    >>> bool(fitted.certificate), bool((fitted.mask == target).all())
    (True, True)
    """

    def __init__(self, shape: Any = "convex", axes: Any = -1):
        if isinstance(shape, Shape) and not isinstance(shape, PeriodicShape):
            self._part: Shape[Any] = shape
        elif isinstance(shape, str) and shape in _SHAPES:
            self._part = _SHAPES[shape]()
        else:
            known = ", ".join(map(repr, get_args(Kind)))
            raise InvalidParameterError(
                f"shape must be one of {known}, or a shape that does not wrap; got {shape!r:.80}. Choose one of them."
            )
        self.shape = shape
        self.axes = _axes(axes)

    def with_backend(self, backend: ArrayBackend) -> Self:
        """A copy whose shape computes on `backend`, unless it has one of its own."""
        placed = copy(self)
        placed._part = self._part.with_backend(backend)
        return placed

    def check_axes(self, shape: tuple[int, ...]) -> None:
        """Raise an InvalidImageError if the shape takes no targets of this shape, or it has not all `axes`."""
        self._part.check_axes(shape)
        self.wraps(len(shape))

    def wraps(self, ndim: int) -> tuple[int, ...]:
        """The axes that wrap around, in order; an InvalidParameterError if there are none such."""
        found = sorted({axis % ndim for axis in self.axes if -ndim <= axis < ndim})
        if len(found) < len(self.axes):
            raise InvalidParameterError(
                f"axes must be different axes of the target, from {-ndim} to {ndim - 1}; got {self.axes}. Pass e.g. -1."
            )
        return tuple(found)

    def check(self, inside: Array, outside: Array) -> list[tuple[int, ...]]:
        """Raise a ScribbleConflictError if no cut was found at which a set of the shape can hold `inside` alone.

        That is, and avoid `outside`. Returned are cuts that strokes allow, the better ones first.
        """
        return self._cuts(np.where(inside, -1.0, 1.0), inside, outside)

    def _cuts(self, cost: Array, inside: Array, outside: Array) -> list[tuple[int, ...]]:
        """The cuts to fit at."""
        tried, enough = cuts(cost, inside, self.wraps(inside.ndim))
        free, fewest = [], None
        for cut in tried:
            try:
                self._part.check(unrolled(inside, cut), unrolled(outside, cut))
            except ScribbleConflictError as error:
                pixels = rolled_pixels(np.array(error.pixels), inside.shape, cut)
                if fewest is None or len(pixels) < len(fewest):
                    fewest = pixels
                continue
            free.append(cut)
            if len(free) == enough:
                break
        if free or fewest is None:
            return free
        first = tuple(fewest[0].tolist()) if len(fewest) else "an unknown place"
        raise ScribbleConflictError(
            "an object on axes that wrap around needs a place where they can be cut open, so that strokes allow its "
            f"shape there; at the best that was tried {len(fewest)} pixel(s) of strokes do not, the first at {first}: "
            "erase one of the two strokes there, or choose a shape that may have more forms",
            fewest,
        )

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedPeriodic:
        cost = np.where(inside, -1.0, np.where(outside, 1.0, 1 - 2 * target.astype(np.float64)))
        axes = self.wraps(target.ndim)

        def fitted(cut: tuple[int, ...]) -> FittedPeriodic:
            opened, held, avoid = (unrolled(values, cut) for values in (target, inside, outside))
            watch = None if callback is None else lambda mask: callback(rolled(mask, cut))
            found = self._part.fit(
                opened, inside=held, outside=avoid, spacing=tuple(spacing), random_state=rng, callback=watch
            )
            return FittedPeriodic(found, cut, axes)

        return min(map(fitted, self._cuts(cost, inside, outside)), key=lambda one: one.energy)


def _axes(value: Any) -> tuple[int, ...]:
    """Integers, at least one, or an InvalidParameterError."""
    several = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    whole = all(isinstance(one, int | np.integer) and not isinstance(one, bool) for one in several)
    if not several or not whole or len(set(several)) < len(several):
        raise InvalidParameterError(
            f"axes must be an axis or different axes; got {value!r:.80}. Pass e.g. -1 or (0, 1)."
        )
    return tuple(map(int, several))
