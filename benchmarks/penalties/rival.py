"""What all compared shapes share: strokes that are held, a start, and a mask that promises nothing."""

from abc import abstractmethod

import numpy as np

from varconvex.errors import ScribbleConflictError
from varconvex.geometry.hulls import fill
from varconvex.shapes.base import Callback, Shape

from .painted import Painted

_BLUR = 0.03
"""Of the longer side: the scale at which a start is looked for."""


class Rival(Shape[Painted]):
    """A competitor of the convex shape: it holds `inside` and `outside`, and its mask need not be convex."""

    def check(self, inside: np.ndarray, outside: np.ndarray) -> None:
        """Raise a ScribbleConflictError if a pixel is in both; all other scribbles can be held."""
        both = np.argwhere(inside & outside)
        if len(both):
            raise ScribbleConflictError(
                f"inside and outside must not share pixels; they share {len(both)}, the first at {tuple(both[0])}: "
                "erase one of the two there",
                both,
            )


class LocalSearch(Rival):
    """A rival that improves one start, `start_mask`. Images only."""

    dimensions = (2,)

    @abstractmethod
    def improved(
        self, start: np.ndarray, cost: np.ndarray, inside: np.ndarray, outside: np.ndarray, rng: np.random.Generator,
        callback: Callback,
    ) -> tuple[np.ndarray, float]:  # fmt: skip
        """The mask that is found from `start`, which is not empty, and how far it violates the constraint.

        `cost` is 1 - 2 target, an array that may be changed; strokes are put right afterwards.
        """

    def _fit(
        self, target: np.ndarray, inside: np.ndarray, outside: np.ndarray, spacing: np.ndarray,
        rng: np.random.Generator, callback: Callback,
    ) -> Painted:  # fmt: skip
        self.check(inside, outside)
        mask, violation = start_mask(target, inside, outside), 0.0
        if mask.any():
            cost = 1 - 2 * target.astype(np.float64)
            mask, violation = self.improved(mask, cost, inside, outside, rng, callback)
        return held(mask, target, inside, outside, violation)


def held(mask: np.ndarray, target: np.ndarray, inside: np.ndarray, outside: np.ndarray, violation: float) -> Painted:
    """A mask with its strokes put right, as a fitted shape."""
    right = (mask | inside) & ~outside
    return Painted(mask=right, energy=float((1 - 2 * target.astype(np.float64))[right].sum()), violation=violation)


def start_mask(target: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The hull of the largest part of the blurred target, or of the part with most strokes: where local searches begin.

    Empty where neither the target nor a stroke says that there is an object.
    """
    from scipy.ndimage import gaussian_filter, label

    known = np.where(inside, 1.0, np.where(outside, 0.0, target.astype(np.float64)))
    blurred = gaussian_filter(known, _BLUR * max(target.shape), mode="nearest")
    for likely in (blurred > 0.5, known > 0.5):
        parts, count = label(likely)
        weights = inside if (inside & likely).any() else likely
        sizes = np.bincount(parts[weights], minlength=count + 1)
        sizes[0] = 0
        if sizes.any():
            return np.asarray(fill(parts == sizes.argmax()))
    return inside.copy()
