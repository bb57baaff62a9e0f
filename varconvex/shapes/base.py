"""What a shape answers: an implicit set {x : G(x) <= 0}, fitted to a map of probabilities (paper, eq. 4-5).

    min over nu of |target - sigma(-s G_nu)|^2      subject to   inside in {G <= 0},  outside in {G > 0}

`unify` knows shapes by what stands here only. A shape that can minimise any cost and boundary over its sets is an
`OutlineShape` besides, which joint unification then prefers to projections. A new shape is one new file in this folder,
``star.py`` with a class ``StarShape``, and is found by its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, Self, runtime_checkable

import numpy as np

from ..backends import ArrayBackend
from ..geometry.outline import Outline
from ..geometry.ray_search import Price


class FittedShape(Protocol):
    """A set in the plane or in space that came out of a fit."""

    @property
    def mask(self) -> np.ndarray:
        """Pixels of the set on the target's grid: (H, W) or (D, H, W) bool."""

    @property
    def n_filled(self) -> int:
        """Number of pixels that were added or removed after rasterisation, so that the mask is convex and cheapest."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """G at `points` ((n, d) float, in the target's pixels along its d axes; a pixel's centre is an integer)."""

    def rasterize(self, shape: tuple[int, ...]) -> np.ndarray:
        """The set on a grid of `shape` pixels that covers the same field of view: bool of this shape."""


class Shape(ABC):
    """Fits a set of its kind to a target."""

    def with_backend(self, backend: ArrayBackend) -> Self:
        """The same shape, computing on `backend` where it left open what computes; itself if it uses none."""
        return self

    @abstractmethod
    def check(self, inside: np.ndarray, outside: np.ndarray) -> None:
        """Raise a ScribbleConflictError if no set of this kind can hold `inside` and avoid `outside` (bool)."""

    @abstractmethod
    def fit(
        self,
        target: np.ndarray,
        *,
        inside: np.ndarray | None = None,
        outside: np.ndarray | None = None,
        spacing: tuple[float, ...] | None = None,
        random_state: int | np.random.Generator | None = None,
        callback: Callable[[np.ndarray], object] | None = None,
    ) -> FittedShape:
        """Fit to `target` ((*spatial) in [0, 1], 1 is object) with `inside` and `outside` (bool) held exactly."""


@runtime_checkable
class OutlineShape(Protocol):
    """A shape that can minimise any pixel cost plus boundary cost over its sets; joint unification asks for it."""

    def outline(self, cost: np.ndarray, price: Price, inside: np.ndarray, outside: np.ndarray) -> Outline:
        """The set of least cost and boundary that holds `inside` and avoids `outside`: see `least_outline`."""
