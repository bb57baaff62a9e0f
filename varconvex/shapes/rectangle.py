"""The rectangle, in any direction, that is nearest to a target (eq. 4), as an exact set of pixels:

    min over rectangles S     sum over S of (1 - 2 target),     S = {k <= p y + q x <= l,  m <= p x - q y <= n}

with six integers, so that what is in it is no matter of rounding.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .. import checks
from ..geometry.conics import rectangle_pixels, sides_of
from ..geometry.enclosing import enclosing_rectangles, five_of_sides
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import checked_points
from ..keywords import known_keywords
from ._measured import FittedMeasured, MeasuredShape
from .base import Array

__all__ = ["FittedRectangle", "RectangleShape"]


@dataclass(frozen=True, eq=False)
class FittedRectangle(FittedMeasured):
    """A rectangle, and the pixels whose centres are in it."""

    sides: tuple[int, ...] = field(default=(0,) * 6)
    """p, q, k, l, m, n of {k <= p y + q x <= l, m <= p x - q y <= n}; zeros for the empty set."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", tuple(self.sides))

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "rectangle", sides=sides)`."""
        return certificate_of("rectangle", self.mask, sides=self.sides)

    @property
    def _five(self) -> Array | None:
        return five_of_sides(self.sides) if any(self.sides) else None

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, 2) float, in the target's pixels): the pixels to the farthest side, (n,) float.

        Convex and negative within; infinite for the empty set.
        """
        points = checks.host(checked_points(points, 2)).astype(float)
        p, q, k, upper, m, n = self.sides
        if not p and not q:
            return np.full(len(points), np.inf)
        along, across = p * points[:, 0] + q * points[:, 1], p * points[:, 1] - q * points[:, 0]
        beyond = np.stack([k - along, along - upper, m - across, across - n])
        return beyond.max(axis=0) / math.hypot(p, q)


@known_keywords
class RectangleShape(MeasuredShape):
    """The nearest rectangle, in any direction; images only. `FittedRectangle.parameters` are what there is to measure.

    Promised: the mask is exactly the pixels within a rectangle, holds all of `inside` and nothing of `outside`. Not
    promised: that no rectangle is nearer. It is searched for from several starts. Its angles are right ones in pixels.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> fitted = RectangleShape().fit(target)
    >>> bool(fitted.certificate), fitted.parameters["half_length"]
    (True, 19.5)
    """

    round_: ClassVar[bool] = False
    flat: ClassVar[float] = 3**0.5

    def check(self, inside: Array, outside: Array) -> None:
        """Raise a ScribbleConflictError if no rectangle holds `inside` and avoids `outside`."""
        if inside.any():
            enclosing_rectangles(inside, outside)

    def _numbers(self, five: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
        return sides_of(five)

    def _pixels(self, numbers: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        return rectangle_pixels(numbers, shape)

    def _enclosing(self, inside: Array, outside: Array) -> list[tuple[tuple[int, ...], Array]]:
        return [(sides, five_of_sides(sides)) for sides in enclosing_rectangles(inside, outside)]

    def _fitted(self, mask: Array, energy: float, numbers: tuple[int, ...]) -> FittedRectangle:
        return FittedRectangle(mask, energy, sides=numbers)
