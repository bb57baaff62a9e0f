"""The star-shaped set that is nearest to a target, exactly, about a centre that is given or searched for (eq. 4):

    min over S star-shaped about c      sum over S of (1 - 2 target)

S is star-shaped about c if it holds with each pixel all of its digital ray to c (`geometry.digital_rays`): from c,
everything in S is in sight. The rays are a tree, and the best S is its best subtree: no start, no local minimum. Only c
is a matter of search, unless it is given.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator

from ..errors import InvalidParameterError
from ..geometry.digital_rays import best_star, steps_outside
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import holding, total
from ..geometry.stars import centres, search
from ..keywords import known_keywords
from .base import Array, Callback, Shape
from .pixel_set import FittedPixels

__all__ = ["FittedStar", "StarShape"]


@dataclass(frozen=True, eq=False)
class FittedStar(FittedPixels):
    """A set that is star-shaped about `centre`.

    G counts pixels along digital rays: beyond the set those back to it, within it those on to its farthest pixel, and
    half a pixel more. So each level set {G <= t} at the pixels is star-shaped about the centre.
    """

    centre: tuple[int, ...] = field(default=())
    """Indices of a pixel; () for the empty set."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(self.centre))

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "star", centre=centre)`."""
        return certificate_of("star", self.mask, centre=self.centre or (0,) * self.mask.ndim)

    @cached_property
    def levels(self) -> Array:
        """G at the pixels: float64 of the mask's shape; infinite for the empty set."""
        if not self.centre:
            return np.full(self.mask.shape, np.inf)
        steps = steps_outside(self.mask, self.centre)
        return steps - 0.5 * np.sign(steps)

    def _again(self, raw: Array) -> Array:
        place = (np.array(self.centre) + 0.5) * raw.shape / self.mask.shape
        centre = tuple(np.clip(np.floor(place), 0, np.array(raw.shape) - 1).astype(int).tolist())
        return best_star(np.where(raw, -1.0, 1.0), centre)


@known_keywords
class StarShape(Shape[FittedStar]):
    """The nearest star-shaped set: exactly the best one about its centre; in images and volumes.

    Promised: the mask holds with each pixel its digital ray to the centre, all of `inside` and nothing of `outside`,
    and no such set about this centre is nearer to the target. The centre itself is found by search. Nothing is random.
    Convex and other compact objects are star-shaped; so are flowers, gears and starfish. Noise is not smoothed away: a
    target should be, as `segment`'s is.

    Parameters
    ----------
    centre : tuple of int, optional
        Indices of the pixel from which everything is in sight, a pixel of the object's strokes. None: the best of those
        pixels (of 160, spread over longer strokes), or without strokes the best that a search over the image finds.

    Raises
    ------
    InvalidParameterError
        If `centre` is not two or three integers.

    References
    ----------
    The constraint: O. Veksler, Star shape prior for graph-cut image segmentation, ECCV 2008,
    doi:10.1007/978-3-540-88690-7_34. The rays: `varconvex.geometry.digital_rays`.

    Examples
    --------
    >>> rows, columns = np.mgrid[-20:21, -20:21]
    >>> flower = np.hypot(rows, columns) < 12 + 4 * np.cos(5 * np.arctan2(rows, columns))
    >>> fitted = StarShape(centre=(20, 20)).fit(flower)
    >>> bool(fitted.certificate), int((fitted.mask != flower).sum()) < 5
    (True, True)
    """

    def __init__(self, centre: Any = None):
        self.centre = None if centre is None else _pixel(centre)

    def check(self, inside: Array, outside: Array) -> Array:
        """Raise a ScribbleConflictError if no pixel of `inside` sees all others past `outside`.

        Also if the given centre is not such a pixel. Returned are the possible centres, (n, d) int.
        """
        if self.centre is not None and len(self.centre) != inside.ndim:
            raise InvalidParameterError(
                f"centre must be one index an axis, {inside.ndim} here; got {self.centre}: pass the indices of a pixel"
            )
        return centres(inside, outside, self.centre)

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedStar:
        possible = self.check(inside, outside)
        plain = 1 - 2 * target.astype(np.float64)
        cost = holding(plain, inside, outside)
        if not (cost < 0).any():
            return FittedStar(np.zeros(target.shape, bool), 0.0)
        mask, centre = search(cost, possible)
        if callback is not None:
            callback(mask.copy())
        return FittedStar(mask, total(plain, mask), centre=centre)


def _pixel(centre: Any) -> tuple[int, ...]:
    """Two or three integers, or an InvalidParameterError."""
    try:
        place = tuple(int(c) for c in centre)
        if len(place) in (2, 3) and all(a == b for a, b in zip(place, centre, strict=True)):
            return place
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidParameterError(
        f"centre must be the indices of a pixel, two or three integers; got {centre!r}: pass e.g. (120, 80)"
    )
