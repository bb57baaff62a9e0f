"""The convex set nearest to a target whose number of pixels is within bounds (eq. 4):

    min over convex S      sum over S of (1 - 2 target)      subject to      least <= |S| <= most

A constant l added to the cost of every pixel (the multiplier of the bound) makes the best convex set smaller, l < 0
larger. Bisection finds the l at which a bound is passed. From the sets just beyond it extreme points are taken away,
the dearest first: a digitally convex set without some of its extreme points is digitally convex, so that any number of
pixels is reached exactly.
"""

from typing import ClassVar

import numpy as np
from numpy.random import Generator

from .. import checks
from ..errors import InvalidParameterError, ScribbleConflictError
from ..geometry.convex_sets import check_hulls, refine, repair, search
from ..geometry.hulls import extreme_points, is_convex
from ..geometry.raster import cheapest_pixel, holding, total
from ..keywords import known_keywords
from ..threads import checkpoint
from .base import Array, Callback, Shape
from .convex import SCRIBBLE_COST, FittedConvex
from .icnn import exact_network

__all__ = ["SizedShape"]

_STEPS = 9
"""Bisections: the multiplier is then known to a four-hundredth of its range."""

_PEELED = 3
"""Sets beyond the bound, the last ones of the bisection, that are made smaller to it."""


@known_keywords
class SizedShape(Shape[FittedConvex]):
    """A convex set with at least and at most so many pixels that is near to a target; images only.

    Promised: the mask is digitally convex and connected, has at least `least` and at most `most` pixels, and holds all
    of `inside` and nothing of `outside`. Not promised: that no such set is nearer to the target. Where the target asks
    for nothing, no value above one half and no scribble, the mask is empty. Nothing is random.

    Parameters
    ----------
    least, most : int, at least 1, or None
        Bounds on the number of pixels of the mask; None is no bound.

    Raises
    ------
    InvalidParameterError
        If a bound is no such number, or `least` is more than `most`; in a fit also if the image has fewer pixels.

    Examples
    --------
    >>> target = np.zeros((40, 40))
    >>> target[5:35, 5:35] = 0.8
    >>> fitted = SizedShape(most=500).fit(target)
    >>> int(fitted.mask.sum()), bool(fitted.certificate)
    (500, True)
    """

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, least: int | None = None, most: int | None = None):
        self.least = None if least is None else checks.whole_number("least", least, least=1)
        self.most = None if most is None else checks.whole_number("most", most, least=1)
        self._least = self.least or 0
        if self.most is not None and self._least > self.most:
            raise InvalidParameterError(f"least must be at most {most}, which is most; got {least}. Swap them.")

    def check(self, inside: Array, outside: Array) -> Array:
        """Raise a ScribbleConflictError if no convex set of this size can hold `inside` and avoid `outside`.

        Returned is a small convex set that holds `inside`: see `check_hulls`.
        """
        core, avoided = check_hulls(inside, outside), np.count_nonzero(outside)
        count = int(np.count_nonzero(core))
        if self.most is not None and count > self.most:
            raise ScribbleConflictError(
                f"a convex set that holds the object's scribbles has {count} pixels; got most={self.most}. Allow as "
                "many, or draw the strokes nearer together.",
                np.argwhere(inside),
            )
        if self._least > outside.size:
            raise InvalidParameterError(
                f"least must be at most the image's {outside.size} pixels; got {self._least}. Is it of another image?"
            )
        if self._least > outside.size - avoided:
            raise self._no_room(outside)
        return core

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedConvex:
        core = self.check(inside, outside)
        plain = np.float32(1) - 2 * target
        mask = _best(plain, core, outside)
        if mask.any():
            mask = self._within(mask, plain, core, outside)
        if callback is not None:
            callback(mask.copy())
        return FittedConvex(mask, 0, exact_network(mask), total(plain, mask), np.zeros(0))

    def _within(self, mask: Array, plain: Array, core: Array, outside: Array) -> Array:
        """The best set found whose number of pixels is within the bounds, from the best of any size."""
        most = plain.size if self.most is None else self.most
        count = np.count_nonzero(mask)
        if self._least <= count <= most:
            return mask
        grow = count < self._least
        bound = self._least if grow else most
        low, high = (-2.0, 0.0) if grow else (0.0, 2.0)  # of the multiplier, with more pixels than the bound at low
        larger = [_best(plain - np.float32(2), core, outside) if grow else mask]
        smaller: list[Array] = []
        if np.count_nonzero(larger[0]) < bound:
            raise self._no_room(outside)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            found = _best(plain + np.float32(middle), core, outside)
            if np.count_nonzero(found) >= bound:
                low, larger = middle, [*larger, found]
            else:
                high, smaller = middle, [*smaller, found]
        tried = [found for found in (*larger, *smaller) if self._least <= np.count_nonzero(found) <= most]
        tried += [less for found in larger[-_PEELED:] for less in peeled(found, bound, plain, core)]
        if not tried:
            raise self._no_room(outside)
        return min(tried, key=lambda one: total(plain, one))

    @property
    def _size(self) -> str:
        bounds = (("at least", self.least), ("at most", self.most))
        return " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)

    def _no_room(self, outside: Array) -> ScribbleConflictError:
        return ScribbleConflictError(
            f"no convex set of {self._size} pixels was found that holds the scribbles and "
            "avoids the background's. Allow other sizes, or erase some of them.",
            np.argwhere(outside),
        )


def _best(cost: Array, core: Array, outside: Array) -> Array:
    """The convex set of least cost that was found; empty if all costs are positive and nothing is held."""
    soft = cost.copy()
    soft[core], soft[outside] = -SCRIBBLE_COST, SCRIBBLE_COST
    if not (soft < 0).any():
        return np.zeros(cost.shape, bool)
    _, start = search(soft, core)
    starts = [repair(mask, core, outside, soft) for mask in (start, cheapest_pixel(soft))]
    return refine(min(starts, key=lambda mask: total(soft, mask)), holding(cost, core, outside))


def peeled(mask: Array, count: int, cost: Array, core: Array) -> list[Array]:
    """A digitally convex, connected set without extreme points, the dearest first, until `count` are left.

    Pixels of `core` stay. In a list, which is empty if a set on the way would fall apart whatever is taken away.
    """
    mask = mask.copy()
    while (excess := np.count_nonzero(mask) - count) > 0:
        checkpoint()
        corners = extreme_points(mask)
        corners = corners[~core[tuple(corners.T)]]
        corners = corners[np.argsort(-cost[tuple(corners.T)], kind="stable")]
        several = corners[: min(-(-len(corners) // 2), excess)]
        for some in (several, *corners[:, None]) if len(corners) else ():
            mask[tuple(some.T)] = False
            if is_convex(mask):
                break
            mask[tuple(some.T)] = True
        else:
            return []
    return [mask]
