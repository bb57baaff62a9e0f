"""The generic problem that backends solve, of which the energies are cases; `base.py` has its formula."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
"""An array of the backend's own kind."""

Offsets = tuple[tuple[int, ...], ...] | None
"""Directions of differences, each as the neighbour's offset in pixels."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The generic problem of `base.py`, in a backend's arrays.

    Attributes
    ----------
    cost : (L, *spatial)
        Linear cost of each label; negative attracts.
    dual_radius : (*spatial) or broadcastable to it
        Weight of the total variation, ``alpha * weight``: the largest length of the dual vector.
    lower, upper : (L, *spatial) or broadcastable to it
        Bounds on u. With ``simplex`` only `lower` counts (a seed is a lower bound of 1).
    steps : (k,) tuple of float
        Factor of the difference along each direction; 1 / spacing where the directions are the axes.
    offsets : (k,) tuple of (d,) tuples of int, or None
        Offset in pixels of each difference's neighbour; None is the next pixel along each axis.
    isotropic : bool
        Whether the length of the gradient is Euclidean; else it is the sum of its absolute components.
    simplex : bool
        Whether the labels of a pixel sum to one; else each lies in its own box.
    quadratic_weight : float
        Weight of the quadratic term.
    l1_weight, target : float and (L, *spatial), or 0 and None
        Weight of the distance |u - target|, and the target; for boxes only.
    huber : float
        Length below which a gradient is charged quadratically; 0 is total variation itself.
    truncated : bool
        The quadratic charge is cut off at 1, where |grad u|^2 = 2 huber: the energy is not convex.
    coupling : {"separate", "joint", "pairwise"}
        Labels by themselves, as one vector, or with their differences' dual vectors bounded.
    cost_unit, constant : float
        The energy is ``cost_unit`` times the value in these fields, which are of the order of 1, plus ``constant``.
    common_cost : float
        Part of `constant` that does not depend on u; relative gaps are taken without it.
    value_scale : float
        Unit of u where it is an intensity; 1 where it is a share.
    rounding_slack : float
        Most by which rounding the cost to the fields' dtype can have raised a lower bound, in units of `cost_unit`.
    """

    cost: Array
    dual_radius: Array
    lower: Array
    upper: Array
    steps: tuple[float, ...]
    isotropic: bool = True
    simplex: bool = False
    quadratic_weight: float = 0.0
    l1_weight: float = 0.0
    target: Array = None
    huber: float = 0.0
    truncated: bool = False
    coupling: str = "separate"
    offsets: Offsets = None
    cost_unit: float = 1.0
    constant: float = 0.0
    common_cost: float = 0.0
    value_scale: float = 1.0
    rounding_slack: float = 0.0

    @property
    def norm(self) -> float:
        """An upper bound of the norm of the gradient, |K|: 2 sqrt(sum of steps^2) along axes (Chambolle 2004)."""
        squares = [step * step for step in self.steps]
        if self.offsets is None:
            return 2.0 * float(np.sqrt(sum(squares)))
        # |K|^2 = max of sum 2 w^2 (1 - cos(theta . e)), which is linear in the cosine of each component of theta.
        corners = np.stack(np.meshgrid(*[[0, 1]] * len(self.offsets[0])), axis=-1).reshape(-1, len(self.offsets[0]))
        odd = corners @ np.abs(self.offsets).T % 2
        return 2.0 * float(np.sqrt((odd @ squares).max()))
