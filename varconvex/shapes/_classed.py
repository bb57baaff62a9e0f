"""Shapes whose sets hold all pixels of a class or none: of those that mirror each other, or are turned to each other.

For a given place of the symmetry (an axis, a centre) a set is the best of all if it has the classes whose costs have a
negative sum. Only the place is searched for, unless it is given.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.random import Generator

from ..errors import ScribbleConflictError
from ..geometry.raster import holding, total
from .base import Array, Callback as Watch, Shape
from .pixel_set import FittedPixels

P = TypeVar("P", bound=tuple[int, ...])

_ENOUGH = 4
"""Places that strokes allow, of which no more are looked for."""


@dataclass(frozen=True, eq=False)
class FittedClasses(FittedPixels):
    """A set that holds all pixels of a class or none."""

    @abstractmethod
    def _classes(self) -> Array:
        """A number for each class, 0 for what is in no such set: int of the mask's shape."""

    @cached_property
    def levels(self) -> Array:
        """G at the pixels: float64 of the mask's shape; infinite for the empty set."""
        from scipy.ndimage import distance_transform_edt

        if not self.mask.any():
            return np.full(self.mask.shape, np.inf)
        inner, outer = distance_transform_edt(np.pad(self.mask, 1))[1:-1, 1:-1], distance_transform_edt(~self.mask)
        signed = np.where(self.mask, 0.5 - inner, outer - 0.5)
        number = self._classes()
        counts = np.bincount(number.ravel(), minlength=signed.size + 1)
        means = np.bincount(number.ravel(), signed.ravel(), signed.size + 1) / np.maximum(counts, 1)
        return np.where(number > 0, means[number], signed)


class ClassedShape(Shape[Any]):
    """A shape whose sets hold all pixels of a class or none."""

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    @abstractmethod
    def check(self, inside: Array, outside: Array) -> list[Any]:
        """Raise a ScribbleConflictError if no place is found where a set holds `inside` and avoids `outside`.

        Returned are places where one does, if there are strokes inside or a place is given.
        """

    @property
    @abstractmethod
    def _fixed(self) -> bool:
        """Whether the place is given."""

    @abstractmethod
    def _search(self, cost: Array) -> list[Any]:
        """The place of the best set; none if nothing favours the object."""

    @abstractmethod
    def _best(self, cost: Array, place: Any) -> Array:
        """The set of least cost there."""

    @abstractmethod
    def _at(self, row: int, column: int) -> Any:
        """A place where the pixel alone is a set."""

    @abstractmethod
    def _fitted(self, mask: Array, energy: float, place: Any) -> Any:
        """The result."""

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Watch
    ) -> Any:
        free = self.check(inside, outside)
        plain = 1 - 2 * target.astype(np.float64)
        cost = holding(plain, inside, outside)
        places = free if self._fixed else free + self._search(cost)
        sets = [self._best(cost, place) for place in places]
        values = [total(cost, mask) for mask in sets]
        if not self._fixed and (not values or (min(values) >= 0 and not inside.any())):
            row, column = np.unravel_index(int(cost.argmin()), cost.shape)
            places = [self._at(int(row), int(column))]
            sets, values = [self._best(cost, places[0])], [0.0]
        best = min(range(len(places)), key=values.__getitem__)
        mask = sets[best]
        if callback is not None:
            callback(mask.copy())
        return self._fitted(mask, total(plain, mask), places[best])


def free_places(tried: Iterable[P], bad: Callable[[P], Array], needs: str, place: str) -> list[P]:
    """The first few of these places at which `bad` finds no pixels; a ScribbleConflictError if there is none."""
    fewest, free = None, []
    for one in tried:
        pixels = bad(one)
        if not len(pixels):
            free.append(one)
            if len(free) == _ENOUGH:
                break
        elif fewest is None or len(pixels) < len(fewest):
            fewest = pixels
    if free or fewest is None:
        return free
    raise ScribbleConflictError(
        f"{needs} about which its strokes face neither those of the background nor the border of the image; about the "
        f"best that was tried {len(fewest)} pixel(s) of them do, the first at {tuple(fewest[0].tolist())}: erase one "
        f"of the two strokes there, or pass another {place}",
        fewest,
    )
