"""What a shape answers: an implicit set {x : G(x) <= 0}, fitted to a map of probabilities (paper, eq. 4-5).

    min over nu of |target - sigma(-s G_nu)|^2      subject to   inside in {G <= 0},  outside in {G > 0}

`unify` knows shapes by these two protocols only. A shape that can minimise any cost and boundary over its sets may have
a method `outline` besides (see `ConvexShape.outline`), which joint unification then prefers to projections; one that a
backend can serve, a method ``settle(backend)``, which returns it with where to compute said by `segment`. A new shape
is one new file in this folder, ``star.py`` with a class ``StarShape``, and is found by its name.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np


class FittedShape(Protocol):
    """A set in the plane or in space that came out of a fit."""

    mask: np.ndarray
    """(H, W) or (D, H, W) bool, the pixels of the set at the resolution of the target; True is inside."""

    n_filled: int
    """Pixels that were added or taken after rasterisation, so that the mask keeps its promise and costs least."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """G at `points` ((n, d) float, in the target's pixels along its d axes; a pixel's centre is an integer)."""

    def rasterize(self, shape: tuple[int, ...]) -> np.ndarray:
        """The set on a grid of `shape` pixels that covers the same field of view: bool of this shape."""


class Shape(Protocol):
    """Fits a set of its kind to a target."""

    def check(self, inside: np.ndarray, outside: np.ndarray) -> None:
        """Raise a ScribbleConflictError if no set of this kind can hold `inside` and avoid `outside` (bool)."""

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
