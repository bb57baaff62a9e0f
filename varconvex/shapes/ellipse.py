"""The ellipse that is nearest to a target (eq. 4), as an exact set of pixels:

    min over ellipses S      sum over S of (1 - 2 target),      S = {a y^2 + b y x + c x^2 + d y + e x + f <= 0}

with six integers, so that what is in it is no matter of rounding.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .. import checks
from ..geometry.conics import conic_of, ellipse_pixels
from ..geometry.enclosing import enclosing_ellipse, five_of_conic
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import checked_points
from ..keywords import known_keywords
from ._measured import FittedMeasured, MeasuredShape
from .base import Array

__all__ = ["EllipseShape", "FittedEllipse"]


@dataclass(frozen=True, eq=False)
class FittedEllipse(FittedMeasured):
    """An ellipse, and the pixels whose centres are in it."""

    conic: tuple[int, ...] = field(default=(0,) * 6)
    """a, b, c, d, e, f of {a y^2 + b y x + c x^2 + d y + e x + f <= 0}; zeros for the empty set."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conic", tuple(self.conic))

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "ellipse", conic=conic)`."""
        return certificate_of("ellipse", self.mask, conic=self.conic)

    @property
    def _five(self) -> Array | None:
        return five_of_conic(self.conic) if any(self.conic) else None

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, 2) float, in the target's pixels): (n,) float.

        The distance to the centre in the ellipse's own units, minus one, times its smaller half axis: convex, and about
        pixels near the outline. Infinite for the empty set.
        """
        points = checks.host(checked_points(points, 2)).astype(float)
        five = self._five
        if five is None:
            return np.full(len(points), np.inf)
        values = _exact(self.conic, points)
        level = _exact(self.conic, five[None, :2])[0]
        # Q = level (1 - rho^2), level < 0: no sign is lost to rounding.
        rho = np.sqrt(np.maximum(1 - values / level, 0))
        found = (rho - 1) * float(five[2:4].min())
        return np.where(values <= 0, np.minimum(found, 0), np.maximum(found, np.finfo(float).tiny))


def _exact(conic: tuple[int, ...], points: Array) -> Array:
    """The conic's value; exact at integer points, where it is a sum of integers."""
    whole = np.equal(np.mod(points, 1), 0).all(axis=1)
    a, b, c, d, e, f = conic
    y, x = points.T
    found = (a * y + b * x + d) * y + (c * x + e) * x + float(f)
    i, j = (axis.astype(object) for axis in np.where(whole[:, None], points, 0).astype(np.int64).T)
    exact = ((a * i + b * j + d) * i + (c * j + e) * j + f).astype(float)
    return np.where(whole, exact, found)


@known_keywords
class EllipseShape(MeasuredShape):
    """The nearest ellipse; images only. `FittedEllipse.parameters` are what there is to measure.

    Promised: the mask is exactly the pixels within an ellipse, holds all of `inside` and nothing of `outside`. Not
    promised: that no ellipse is nearer. It is searched for from several starts.

    Examples
    --------
    >>> rows, columns = np.mgrid[-20:21, -30:31]
    >>> fitted = EllipseShape().fit((rows / 10) ** 2 + (columns / 22) ** 2 <= 1)
    >>> bool(fitted.certificate), round(fitted.parameters["half_length"])
    (True, 22)
    """

    round_: ClassVar[bool] = True
    flat: ClassVar[float] = 2.0

    def check(self, inside: Array, outside: Array) -> None:
        """Raise a ScribbleConflictError if no ellipse holds `inside` and avoids `outside`."""
        if inside.any():
            enclosing_ellipse(inside, outside)

    def _numbers(self, five: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
        return conic_of(five, shape)

    def _pixels(self, numbers: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        return ellipse_pixels(numbers, shape)

    def _enclosing(self, inside: Array, outside: Array) -> list[tuple[tuple[int, ...], Array]]:
        conic = enclosing_ellipse(inside, outside)
        return [(conic, five_of_conic(conic))]

    def _fitted(self, mask: Array, energy: float, numbers: tuple[int, ...]) -> FittedEllipse:
        return FittedEllipse(mask, energy, conic=numbers)
