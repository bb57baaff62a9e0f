"""The convex hull of the largest component: the baseline for convex methods.

    S = conv(component of {target > 1/2}) intersected with Z^d

with the components that hold a pixel of `inside` in place of the largest, where there are any, and cut back to avoid
`outside`.
"""

import numpy as np
from numpy.random import Generator

from ..geometry.convex_sets import check_hulls, repair
from ..geometry.hulls import fill
from ..geometry.raster import total
from ..keywords import known_keywords
from .base import Array, Callback, Shape
from .convex import FittedConvex
from .icnn import exact_network

__all__ = ["HullShape"]


@known_keywords
class HullShape(Shape[FittedConvex]):
    """The hull of the largest component of {target > 1/2}.

    Promised: a digitally convex, connected mask (or an empty one) that holds `inside` and avoids `outside`. Not
    promised: that it is near to the target; one pixel astray widens it by a triangle. Nothing is random.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> bool(HullShape().fit(target).certificate)
    True
    """

    def check(self, inside: Array, outside: Array) -> Array:
        """Raise a ScribbleConflictError if no convex set can hold `inside` and avoid `outside`: see `check_hulls`."""
        return check_hulls(inside, outside)

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedConvex:
        from scipy.ndimage import label

        core = self.check(inside, outside)
        labels, count = label(((target > 0.5) | inside) & ~outside, structure=np.ones((3,) * target.ndim))
        chosen = labels[inside] if inside.any() or not count else 1 + np.bincount(labels.ravel())[1:].argmax()
        component = np.isin(labels, chosen)
        cost = 1 - 2 * target
        mask = repair(fill(component), core, outside, cost)
        added = int(np.count_nonzero(mask ^ component))
        return FittedConvex(mask, added, exact_network(mask), total(cost, mask), np.zeros(0))
