"""What ellipses and rectangles share: the search for five parameters, the exact set, its G."""

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.random import Generator

from ..geometry.conics import best_five, moments
from ..geometry.lattice_polygon import best_polygon
from ..geometry.raster import cheapest_pixel, polygon_mask, pool, total
from ..geometry.rectangles import best_boxes
from .base import Array, Callback, Shape

F = TypeVar("F")

_SIDE = 128
"""Pixels along the longer side of the grid on which starts are looked for."""

_BOXES, _NODES = 3, 17
"""Best rectangles of few sizes that are starts, and nodes of the lattice of the best convex polygon."""


class MeasuredShape(Shape[Any]):
    """A shape of five parameters: centre, two half sizes, angle."""

    dimensions: ClassVar[tuple[int, ...]] = (2,)
    round_: ClassVar[bool]
    flat: ClassVar[float]
    """Half size of a set in standard deviations of its pixels."""

    @abstractmethod
    def _numbers(self, five: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The six integers of these parameters."""

    @abstractmethod
    def _pixels(self, numbers: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        """The set."""

    @abstractmethod
    def _enclosing(self, inside: Array, outside: Array) -> list[tuple[tuple[int, ...], Array]]:
        """Sets that hold `inside` and avoid `outside`, integers and parameters; or a ScribbleConflictError."""

    @abstractmethod
    def _fitted(self, mask: Array, energy: float, numbers: tuple[int, ...]) -> Any:
        """The result."""

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> Any:
        sure = self._enclosing(inside, outside) if inside.any() else []
        plain = 1 - 2 * target.astype(np.float64)
        cost = plain.copy()
        cost[inside], cost[outside] = np.array([-1, 1]) * (1 + 2 * float(np.abs(plain).sum()))
        if not (cost < 0).any():
            return self._fitted(np.zeros(target.shape, bool), 0.0, (0,) * 6)
        starts = self._starts(np.clip(cost, -8, 8)) + [five for _, five in sure[:: len(sure) // 4 + 1]]
        found = [self._numbers(best_five(cost, starts, self.round_, rng), target.shape)]
        found += [numbers for numbers, _ in sure]
        if not inside.any():
            found.append(self._numbers(np.array([*np.argwhere(cheapest_pixel(cost))[0], 0.4, 0.4, 0.0]), target.shape))
        masks = [self._pixels(numbers, target.shape) for numbers in found]
        best = min(range(len(masks)), key=lambda k: total(cost, masks[k]))
        if callback is not None:
            callback(masks[best].copy())
        return self._fitted(masks[best], total(plain, masks[best]), found[best])

    def _starts(self, cost: Array) -> list[Array]:
        """Moments of the best convex set, of what favours the object in it, and the best small rectangles.

        All of them on a small grid, from which a search ends near the right place.
        """
        factor = max(-(-max(cost.shape) // _SIDE), 1)
        small = pool(cost, factor)
        found = [box - 0.5 for _, box in best_boxes(small, _BOXES)]
        starts = [_five_of_box(corners) for corners in found]
        if (small < 0).any():
            corners, _ = best_polygon(small, n_nodes=_NODES)
            convex = polygon_mask(corners - 0.5, small.shape) if len(corners) else cheapest_pixel(small)
            starts += [moments(some, self.flat) for some in (convex, convex & (small < 0)) if some.any()]
        scaled = []
        for five in starts:
            grown = np.concatenate([(five[:2] + 0.5) * factor - 0.5, five[2:4] * factor, five[4:]])
            scaled.append(grown)
        return scaled


def _five_of_box(corners: Array) -> Array:
    """Row, column, half sizes and angle of a rectangle with these corners in turn, (4, 2)."""
    first, second = corners[1] - corners[0], corners[3] - corners[0]
    sizes = np.maximum([np.hypot(*second) / 2, np.hypot(*first) / 2], 0.5)
    return np.array([*corners.mean(axis=0), *sizes, np.arctan2(second[1], second[0])])
