"""The convex hull of the largest component: the baseline that every convex method has to beat.

    S = conv(component of {target > 1/2}) intersected with Z^d

with the components that hold a pixel of `inside` in place of the largest, where there are any, and cut back to avoid
`outside`.
"""

from collections.abc import Callable

import numpy as np

from .. import checks
from ..geometry.certify import fill_hull
from ..geometry.repair_2d import check_hulls
from ..geometry.stages import stages
from ._targets import checked_scribbles, checked_spacing, checked_target
from .base import Shape
from .convex import FittedConvex
from .icnn import empty_network, exact_network

__all__ = ["HullShape"]


class HullShape(Shape):
    """The hull of the largest component of {target > 1/2}.

    Promised: a digitally convex, connected mask (or an empty one) that holds `inside` and avoids `outside`. Not
    promised: that it is near to the target; one pixel astray widens it by a triangle.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> bool(HullShape().fit(target).certificate)
    True
    """

    def check(self, inside: np.ndarray, outside: np.ndarray) -> None:
        """Raise a ScribbleConflictError if no convex set can hold `inside` and avoid `outside`."""
        check_hulls(inside, outside)

    def fit(
        self,
        target: np.ndarray,
        *,
        inside: np.ndarray | None = None,
        outside: np.ndarray | None = None,
        spacing: tuple[float, ...] | None = None,
        random_state: int | np.random.Generator | None = None,
        callback: Callable[[np.ndarray], object] | None = None,
    ) -> FittedConvex:
        """The hull; arguments and errors are those of `ConvexShape.fit`, nothing is random."""
        from scipy.ndimage import label

        target = checked_target(target)
        held, avoid = checked_scribbles(inside, target, "inside"), checked_scribbles(outside, target, "outside")
        core = check_hulls(held, avoid)
        checked_spacing(spacing, target.ndim)
        checks.generator(random_state)
        labels, count = label(((target > 0.5) | held) & ~avoid, structure=np.ones((3,) * target.ndim))
        chosen = np.zeros(count + 1, bool)
        if held.any():
            chosen[labels[held]] = True
        elif count:
            chosen[1 + np.bincount(labels.ravel())[1:].argmax()] = True
        component = chosen[labels]
        price = 1 - 2 * target
        mask = stages(target.ndim).repair(fill_hull(component), core, avoid, price)
        network = exact_network(mask) if mask.any() else empty_network(target.ndim, (1,))
        added = int(np.count_nonzero(mask ^ component))
        return FittedConvex(mask, added, network, float(price[mask].sum(dtype=np.float64)), np.zeros(0))
