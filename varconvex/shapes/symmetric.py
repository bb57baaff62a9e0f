"""The set with a mirror axis that is nearest to a target, exactly, about an axis that is given or searched for (eq. 4):

    min over S with S = its mirror image     sum over S of (1 - 2 target)

Pixels that mirror each other are all in or all out (`geometry.mirrors`). So for a given axis S is what has more for it
than against it, both sides together: no start, no local minimum. Only the axis is searched for, unless it is given.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InvalidParameterError
from ..geometry.axis_search import search
from ..geometry.mirrors import Axis, axis_of, best_symmetric, can_hold, classes
from ..geometry.promises import ShapeCertificate, certificate_of
from ..keywords import known_keywords
from ._classed import ClassedShape, FittedClasses, free_places
from .base import Array

__all__ = ["FittedSymmetric", "SymmetricShape"]

_TRIED, _STRIDE = 36, 13
"""Directions of axes through the middle of the strokes that are tried, if no axis is given."""


@dataclass(frozen=True, eq=False)
class FittedSymmetric(FittedClasses):
    """A set with a mirror axis.

    G is the signed distance to the set's outline in pixels, averaged over pixels that mirror each other. So each level
    set {G <= t} at the pixels has the same axis.
    """

    axis: tuple[int, ...] = field(default=(0, 0, 0))
    """p, q, o of the axis {p y + q x = o / 2} in rows y and columns x; zeros for the empty set."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", tuple(self.axis))

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "symmetric", axis=axis)`."""
        return certificate_of("symmetric", self.mask, axis=self.axis)

    @property
    def line(self) -> dict[str, float]:
        """The point of the axis nearest to (0, 0), and the axis' angle in radians, from the rows' axis, in [0, pi)."""
        p, q, o = self.axis
        square = max(p * p + q * q, 1)
        return {"row": p * o / (2 * square), "column": q * o / (2 * square), "angle": math.atan2(p, -q) % math.pi}

    def _classes(self) -> Array:
        return classes(self.mask.shape, _three(self.axis))

    def _again(self, raw: Array) -> Array:
        scale = np.array(raw.shape) / self.mask.shape
        p, q, o = self.axis
        # n . x = o/2 in these pixels; x = (x' + 1/2) / scale - 1/2 in those of `raw`.
        normal = np.array([p, q]) / scale
        offset = o / 2 + (p + q) / 2 - normal.sum() / 2
        point = normal * offset / (normal @ normal)
        return best_symmetric(np.where(raw, -1.0, 1.0), axis_of(math.atan2(normal[1], normal[0]), *point.tolist()))


@known_keywords
class SymmetricShape(ClassedShape):
    """The nearest set with a mirror axis: exactly the best one about its axis; images only.

    Promised: a pixel is in the mask if and only if its mirror image is, rounded to a pixel; the mask holds all of
    `inside` and nothing of `outside`, and no such set about this axis is nearer to the target. The axis itself is found
    by search. Nothing is random. What is mirrored to outside of the image is left out. Noise is halved, not smoothed
    away, and the set may be in pieces.

    Parameters
    ----------
    axis : tuple of float, optional
        Two points of the axis, ((row, column), (row, column)). None: the best that a search finds.

    Raises
    ------
    InvalidParameterError
        If `axis` is not two different points.

    Examples
    --------
    >>> rows, columns = np.mgrid[:40, :50]
    >>> kite = abs(columns - 24.5) <= np.minimum(rows, (39 - rows) / 3)
    >>> fitted = SymmetricShape(axis=((0, 24.5), (39, 24.5))).fit(kite)
    >>> bool(fitted.certificate), bool((fitted.mask == kite).all())
    (True, True)
    """

    def __init__(self, axis: Any = None):
        self.axis = None if axis is None else _points(axis)

    def check(self, inside: Array, outside: Array) -> list[Axis]:
        """Raise a ScribbleConflictError if no set with such an axis was found that holds `inside`, avoids `outside`.

        Returned are axes that one has, if there are strokes inside.
        """
        if not inside.any():
            return [] if self.axis is None else [self._given()]
        middle = np.argwhere(inside).mean(axis=0).tolist()
        # Far apart from each other first.
        turned = (np.arange(_TRIED) * _STRIDE % _TRIED) * (np.pi / _TRIED)
        axes = (axis_of(angle, *middle) for angle in turned) if self.axis is None else [self._given()]
        needs = "a symmetric object needs an axis"
        return free_places(axes, lambda axis: can_hold(inside, outside, axis), needs, "axis")

    def _given(self) -> Axis:
        assert self.axis is not None
        (y0, x0), (y1, x1) = self.axis
        return axis_of(math.atan2(y0 - y1, x1 - x0), y0, x0)

    @property
    def _fixed(self) -> bool:
        return self.axis is not None

    def _search(self, cost: Array) -> list[Axis]:
        return search(cost)

    def _best(self, cost: Array, place: Axis) -> Array:
        return best_symmetric(cost, place)

    def _at(self, row: int, column: int) -> Axis:
        return 0, 1, 2 * column

    def _fitted(self, mask: Array, energy: float, place: Axis) -> FittedSymmetric:
        return FittedSymmetric(mask, energy, axis=place if mask.any() else (0, 0, 0))


def _three(axis: tuple[int, ...]) -> Axis:
    p, q, o = axis
    return p, q, o


def _points(axis: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two different points, or an InvalidParameterError."""
    try:
        (y0, x0), (y1, x1) = ((float(y), float(x)) for y, x in axis)
        if np.isfinite([y0, x0, y1, x1]).all() and max(map(abs, (y0, x0, y1, x1))) < 1e6 and (y0, x0) != (y1, x1):
            return (y0, x0), (y1, x1)
    except (TypeError, ValueError):
        pass
    raise InvalidParameterError(
        f"axis must be two different points (row, column); got {axis!r}: pass e.g. ((0, 80), (200, 80))"
    )
