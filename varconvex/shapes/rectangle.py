"""The rectangle, in any direction, that is nearest to a target (eq. 4), as an exact set of pixels:

    min over rectangles S     sum over S of (1 - 2 target),     S = {k <= p y + q x <= l,  m <= p x - q y <= n}

with six integers, so that what is in it is no matter of rounding.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..geometry.conics import rectangle_pixels, sides_of
from ..geometry.enclosing import enclosing_rectangles, five_of_sides
from ..geometry.promises import ShapeCertificate, certificate_of
from ..keywords import known_keywords
from ._measured import MeasuredShape
from .base import Array, grid_shape

__all__ = ["FittedRectangle", "RectangleShape"]


@dataclass(frozen=True, eq=False)
class FittedRectangle:
    """A rectangle, and the pixels whose centres are in it."""

    mask: Array
    """(H, W) bool; empty if nothing favours the object."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    sides: tuple[int, ...] = field(default=(0,) * 6)
    """p, q, k, l, m, n of {k <= p y + q x <= l, m <= p x - q y <= n}; zeros for the empty set."""

    n_filled: int = 0
    """Always 0: the mask is what was found."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sides", tuple(self.sides))

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "rectangle", sides=sides)`."""
        return certificate_of("rectangle", self.mask, sides=self.sides)

    @cached_property
    def parameters(self) -> dict[str, float]:
        """Row and column of the centre, half sides in pixels, the longer first, and the angle of the longer one.

        The angle is in radians, from the rows' axis (down) towards the columns' (right), in [0, pi). Empty without a
        rectangle.
        """
        if not any(self.sides):
            return {}
        y, x, r, s, angle = five_of_sides(self.sides).tolist()
        if r < s:
            r, s, angle = s, r, angle + np.pi / 2
        return {"row": y, "column": x, "half_length": r, "half_width": s, "angle": float(angle % np.pi)}

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, 2) float, in the target's pixels): the pixels to the farthest side, (n,) float.

        Convex and negative within; infinite for the empty set.
        """
        points = np.asarray(points, float)
        p, q, k, upper, m, n = self.sides
        if not p and not q:
            return np.full(len(points), np.inf)
        along, across = p * points[:, 0] + q * points[:, 1], p * points[:, 1] - q * points[:, 0]
        beyond = np.stack([k - along, along - upper, m - across, across - n])
        return beyond.max(axis=0) / math.hypot(p, q)

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The rectangle on a grid of `shape` pixels over the same field of view: (h, w) bool.

        Scribbles are pixels of the target and held on its grid only. Raises an InvalidParameterError unless `shape` is
        two positive integers.
        """
        grid = grid_shape(shape, 2)
        if grid == self.mask.shape:
            return self.mask.copy()
        scale = np.array(self.mask.shape) / grid
        y, x = ((np.arange(n) + 0.5) * step - 0.5 for n, step in zip(grid, scale, strict=True))
        points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
        return (self(points) <= 0).reshape(grid)


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
        return FittedRectangle(mask, energy, numbers)
