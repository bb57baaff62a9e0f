"""The set with a mirror axis that is nearest to a target, exactly, about an axis that is given or searched for (eq. 4):

    min over S with S = its mirror image     sum over S of (1 - 2 target)

Pixels that mirror each other are all in or all out (`geometry.mirrors`). So for a given axis S is what has more for it
than against it, both sides together: no start, no local minimum. Only the axis is searched for, unless it is given.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from ..errors import InvalidParameterError, ScribbleConflictError
from ..geometry.axis_search import search
from ..geometry.mirrors import Axis, axis_of, best_symmetric, can_hold, classes
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import holding, total
from ..keywords import known_keywords
from .base import Array, Callback, Shape
from .pixel_set import FittedPixels

__all__ = ["FittedSymmetric", "SymmetricShape"]

_TRIED, _STRIDE, _ENOUGH = 36, 13, 4
"""Directions of axes through the middle of the strokes that are tried, if no axis is given, and how many will do."""


@dataclass(frozen=True, eq=False)
class FittedSymmetric(FittedPixels):
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

    @cached_property
    def levels(self) -> Array:
        """G at the pixels: float64 of the mask's shape; infinite for the empty set."""
        from scipy.ndimage import distance_transform_edt

        if not self.mask.any():
            return np.full(self.mask.shape, np.inf)
        inner, outer = distance_transform_edt(np.pad(self.mask, 1))[1:-1, 1:-1], distance_transform_edt(~self.mask)
        signed = np.where(self.mask, 0.5 - inner, outer - 0.5)
        number = classes(self.mask.shape, _three(self.axis))
        counts = np.bincount(number.ravel(), minlength=signed.size + 1)
        means = np.bincount(number.ravel(), signed.ravel(), signed.size + 1) / np.maximum(counts, 1)
        return np.where(number > 0, means[number], signed)

    def _again(self, raw: Array) -> Array:
        scale = np.array(raw.shape) / self.mask.shape
        p, q, o = self.axis
        # n . x = o/2 in these pixels; x = (x' + 1/2) / scale - 1/2 in those of `raw`.
        normal = np.array([p, q]) / scale
        offset = o / 2 + (p + q) / 2 - normal.sum() / 2
        point = normal * offset / (normal @ normal)
        return best_symmetric(np.where(raw, -1.0, 1.0), axis_of(math.atan2(normal[1], normal[0]), *point.tolist()))


@known_keywords
class SymmetricShape(Shape[FittedSymmetric]):
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

    dimensions: ClassVar[tuple[int, ...]] = (2,)

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
        axes = [axis_of(angle, *middle) for angle in turned] if self.axis is None else [self._given()]
        fewest, free = None, []
        for axis in axes:
            bad = can_hold(inside, outside, axis)
            if not len(bad):
                free.append(axis)
                if len(free) == _ENOUGH:
                    break
            elif fewest is None or len(bad) < len(fewest):
                fewest = bad
        if free or fewest is None:
            return free
        raise ScribbleConflictError(
            "a symmetric object needs an axis about which its strokes face neither those of the background nor the "
            f"border of the image; about the best that was tried {len(fewest)} pixel(s) of them do, the first at "
            f"{tuple(fewest[0].tolist())}: erase one of the two strokes there, or pass another axis",
            fewest,
        )

    def _given(self) -> Axis:
        assert self.axis is not None
        (y0, x0), (y1, x1) = self.axis
        return axis_of(math.atan2(y0 - y1, x1 - x0), y0, x0)

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedSymmetric:
        free = self.check(inside, outside)
        plain = 1 - 2 * target.astype(np.float64)
        cost = holding(plain, inside, outside)
        axes = free if self.axis is not None else free + search(cost)
        sets = [best_symmetric(cost, axis) for axis in axes]
        values = [total(cost, mask) for mask in sets]
        if not values or (min(values) >= 0 and not inside.any()):
            pixel = np.unravel_index(int(cost.argmin()), cost.shape)
            axes, sets = [(0, 1, 2 * int(pixel[1]))], [best_symmetric(cost, (0, 1, 2 * int(pixel[1])))]
            values = [0.0]
        best = min(range(len(axes)), key=values.__getitem__)
        mask = sets[best]
        if callback is not None:
            callback(mask.copy())
        return FittedSymmetric(mask, total(plain, mask), axis=axes[best] if mask.any() else (0, 0, 0))


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
