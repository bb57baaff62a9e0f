"""The protocol through which a solver minimises an energy, and the rounding slack of its lower bounds.

    min over u in C   F(u) + sum_x radius(x) |grad u(x)|

An energy holds its numbers as the user gave them and converts itself, for a backend, to a `Problem`. A new energy is
one new file in this folder. Solvers never see an image; energies never see a scribble.
"""

from typing import Any, Protocol

import numpy as np

from ..backends import ArrayBackend, Problem


class Energy(Protocol):
    """An energy over u : (L, *spatial), L labels (1 for two regions)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of u."""

    @property
    def alpha(self) -> float:
        """Weight of the total variation, in the unit of the cost per unit length."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring pixels along each spatial axis."""

    def problem(self, backend: ArrayBackend) -> Problem:
        """The energy in the arrays of `backend`, float32."""

    def start(self, backend: ArrayBackend, problem: Problem) -> Any:
        """A feasible u to start from, (L, *spatial) float32."""

    def value(self, backend: ArrayBackend, index: Any) -> float:
        """The energy of an answer: a label image (index of each pixel's label), or an image where u is one."""

    def round(self, backend: ArrayBackend, problem: Problem, u: Any) -> tuple[Any, float]:
        """A binary u no worse than its neighbours, or u if it is an image, and its energy; u may lie anywhere in C."""

    def recall(self, u: Any) -> Any:
        """The inverse of `present`: (L, *spatial) in the solver's unit; the grid may be half as large."""

    def present(self, u: Any) -> Any:
        """u in the shape that the user's cost has."""


def rounding_slack(
    backend: ArrayBackend, problem: Problem, *, data_error: float = 0.0, reach: float = 1.0, lower: Any = None,
    upper: Any = None,
) -> float:  # fmt: skip
    """How far the dual value of a problem in float32 can lie above the minimum of the energy as given.

    The dual value at p is a sum over pixels of minima over l <= v <= h of

        phi(v) = (cost - div p) v + q/2 v^2 + w |v - target|,      minus huber/2 |p|^2 / r  with a Huber term.

    It bounds the rounded energy E~ over the rounded set. For a bound of E over C subtract what rounding can have added:

    1. Data. |phi~(v) - phi(v)| is at most the change of cost or target times the distance that v can have from 0 (from
       the target, in a square that is expanded): in sum `data_error` times `reach`.
    2. Bounds. If l has risen or h has fallen by d(x) >= 0, the minimum over the rounded interval is above that over the
       true one by at most d |phi'|, and |phi'| <= |cost| + |div p| + q |v| + w, where |div p| <= 2 sum_k steps_k max r
       for each feasible p. On the simplex a label's loss is the cheapest one's gain: |div p| counts twice.
    3. Huber. The nearest float32 of r is at most 2^-24 r too large: 2^-24 huber/2 r for each dual vector of a pixel.

    Nothing is needed for r without a Huber term (the dual value is taken at p shrunk by 1e-6, feasible for the true r),
    for division by `cost_unit` and `value_scale` (powers of two: exact) and for weights of terms (float64). Sums are
    in float64, whose own rounding, some 1e-16 of the summed sizes, is not counted.

    Parameters
    ----------
    data_error : float
        Sum over pixels of what rounding changed in cost or target, in units of `cost_unit` (`ArrayBackend.rounded`).
    reach : float
        Largest factor by which such a change enters the energy.
    lower, upper : float or array, optional
        Bounds as given, of the size of the problem's or broadcastable; None where rounding them cannot raise a minimum.

    Returns
    -------
    float
        In units of `cost_unit`.
    """
    slack = data_error * reach
    inward = _inward(backend, lower, problem.lower, 1) + _inward(backend, upper, problem.upper, -1)
    if np.ndim(inward) or inward:
        flow = 2 * sum(problem.steps) * float(problem.dual_radius.max())
        size = max(1.0, float(abs(problem.upper).max()))
        slope = abs(problem.cost) + (flow * (1 + problem.simplex) + problem.quadratic_weight * size + problem.l1_weight)
        slack += float((inward * slope).sum(dtype=np.float64))
    if problem.huber:
        vectors = (1 if problem.isotropic else len(problem.steps)) * (
            1 if problem.coupling == "joint" else problem.cost.shape[0]
        )
        pixels = problem.cost[0].size
        slack += 2.0**-25 * problem.huber * vectors * pixels * float(problem.dual_radius.mean(dtype=np.float64))
    return slack


def _inward(backend: ArrayBackend, exact: Any, rounded: Any, sign: int) -> Any:
    """How far a float32 bound lies above (sign 1) or below (-1) the exact one: 0.0, or an array if anywhere."""
    if exact is None or (hasattr(exact, "dtype") and np.can_cast(exact.dtype, np.float32)):
        return 0.0
    if np.ndim(exact) == 0:
        return max(sign * (float(np.float32(exact)) - float(exact)), 0.0)
    moved = (sign * (rounded - backend.asarray(exact, np.float64).reshape(rounded.shape))).clip(0, None)
    return moved if bool(moved.any()) else 0.0
