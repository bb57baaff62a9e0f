"""The ellipse that is nearest to a target (eq. 4), as an exact set of pixels:

    min over ellipses S      sum over S of (1 - 2 target),      S = {a y^2 + b y x + c x^2 + d y + e x + f <= 0}

with six integers, so that what is in it is no matter of rounding.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..geometry.conics import conic_of, ellipse_pixels
from ..geometry.enclosing import enclosing_ellipse, five_of_conic
from ..geometry.promises import ShapeCertificate, certificate_of
from ..keywords import known_keywords
from ._measured import MeasuredShape
from .base import Array, grid_shape

__all__ = ["EllipseShape", "FittedEllipse"]


@dataclass(frozen=True, eq=False)
class FittedEllipse:
    """An ellipse, and the pixels whose centres are in it."""

    mask: Array
    """(H, W) bool; empty if nothing favours the object."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    conic: tuple[int, ...] = field(default=(0,) * 6)
    """a, b, c, d, e, f of {a y^2 + b y x + c x^2 + d y + e x + f <= 0}; zeros for the empty set."""

    n_filled: int = 0
    """Always 0: the mask is what was found."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "conic", tuple(self.conic))

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "ellipse", conic=conic)`."""
        return certificate_of("ellipse", self.mask, conic=self.conic)

    @cached_property
    def parameters(self) -> dict[str, float]:
        """Row and column of the centre, half axes in pixels, the longer first, and the angle of the longer one.

        The angle is in radians, from the rows' axis (down) towards the columns' (right), in [0, pi). Empty without an
        ellipse.
        """
        if not any(self.conic):
            return {}
        y, x, r, s, angle = five_of_conic(self.conic).tolist()
        if r < s:
            r, s, angle = s, r, angle + np.pi / 2
        return {"row": y, "column": x, "half_length": r, "half_width": s, "angle": float(angle % np.pi)}

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, 2) float, in the target's pixels): (n,) float.

        The distance to the centre in the ellipse's own units, minus one, times its smaller half axis: convex, and about
        pixels near the outline. Infinite for the empty set.
        """
        points = np.asarray(points, float)
        if not any(self.conic):
            return np.full(len(points), np.inf)
        values = _exact(self.conic, points)
        five = five_of_conic(self.conic)
        level = _exact(self.conic, five[None, :2])[0]
        # Q = level (1 - rho^2), level < 0: no sign is lost to rounding.
        rho = np.sqrt(np.maximum(1 - values / level, 0))
        found = (rho - 1) * float(five[2:4].min())
        return np.where(values <= 0, np.minimum(found, 0), np.maximum(found, np.finfo(float).tiny))

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The ellipse on a grid of `shape` pixels over the same field of view: (h, w) bool.

        Scribbles are pixels of the target and held on its grid only. Raises an InvalidParameterError unless `shape` is
        two positive integers.
        """
        grid = grid_shape(shape, 2)
        if grid == self.mask.shape or not any(self.conic):
            return self.mask.copy() if grid == self.mask.shape else np.zeros(grid, bool)
        scale = np.array(self.mask.shape) / grid
        y, x = ((np.arange(n) + 0.5) * step - 0.5 for n, step in zip(grid, scale, strict=True))
        points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
        return (self(points) <= 0).reshape(grid)


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
        return FittedEllipse(mask, energy, numbers)
