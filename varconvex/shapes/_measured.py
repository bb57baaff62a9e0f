"""Shapes of five parameters, which ellipses and rectangles are: how they are searched for, what a fitted one can do."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.random import Generator

from ..geometry.conics import best_five, moments
from ..geometry.lattice_polygon import best_polygon
from ..geometry.raster import cheapest_pixel, holding, polygon_mask, pool, total
from ..geometry.rectangles import best_boxes
from .base import Array, Callback, Shape, below_zero, grid_shape

F = TypeVar("F")

_SIDE = 128
"""Pixels along the longer side of the grid on which starts are looked for."""

_BOXES, _NODES = 3, 17
"""Best rectangles of few sizes that are starts, and nodes of the lattice of the best convex polygon."""


@dataclass(frozen=True, eq=False)
class FittedMeasured(ABC):
    """A set of five parameters, and the pixels whose centres are in it."""

    mask: Array
    """(H, W) bool; empty if nothing favours the object."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    n_filled: int = 0
    """Always 0: the mask is what was found."""

    @property
    @abstractmethod
    def _five(self) -> Array | None:
        """Row and column of the centre, two half sizes and the angle of the first; None for the empty set."""

    @abstractmethod
    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, 2) float, in the target's pixels): (n,) float; infinite for the empty set."""

    @cached_property
    def parameters(self) -> dict[str, float]:
        """Row and column of the centre, half sizes in pixels, the longer first, and the angle of the longer one.

        The angle is in radians, from the rows' axis (down) towards the columns' (right), in [0, pi). Half sizes are
        half axes of an ellipse, half sides of a rectangle. Empty for the empty set.
        """
        if self._five is None:
            return {}
        y, x, r, s, angle = self._five.tolist()
        if r < s:
            r, s, angle = s, r, angle + np.pi / 2
        return {"row": y, "column": x, "half_length": r, "half_width": s, "angle": float(angle % np.pi)}

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The set on a grid of `shape` pixels over the same field of view: (h, w) bool.

        Scribbles are pixels of the target and held on its grid only. Raises an InvalidParameterError unless `shape` is
        two positive integers.
        """
        grid = grid_shape(shape, 2)
        return self.mask.copy() if grid == self.mask.shape else below_zero(self, grid)


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
        cost = holding(plain, inside, outside)
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
