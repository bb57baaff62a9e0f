"""Convexity as a penalty in the primal-dual solver, linearised:

    min over u in [0, 1]   <1 - 2 target, u> + alpha TV(u) + weight P(u),        P(u) = 0 for convex sets

P is not convex. So its tangent at the last u joins the cost, and the step stays near to u,

    u' = argmin <1 - 2 target + weight grad P(u), v> + alpha TV(v) + pull/2 |v - u|^2,

accepted where the whole objective falls; else the pull is quadrupled. The weight is raised in turns. What comes out is
a local minimum, whose constraint may be violated: a competitor of the convex shape, not a substitute.
"""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from .. import checks
from ..backends import get_backend
from ..energies.two_phase import TwoPhase
from ..errors import ScribbleConflictError
from ..solvers.pdhg import pdhg
from ._painted import Painted
from ._targets import checked_scribbles, checked_spacing, checked_target
from .base import Shape

_RAISED = (1.0, 8.0, 64.0)
"""The weight, in turns."""

_PULLS = (0.25, 64.0)
"""The first pull of a turn, and the one at which it ends."""


class PenaltyShape(Shape):
    """What the penalties share: the loop.

    Parameters
    ----------
    weight : float
        Weight of the penalty in the first turn; it ends at 64 times that. Bigger is more convex, and farther from the
        target; 0 leaves the total variation alone.
    alpha : float
        Weight of the total variation; bigger is smoother. 0 leaves every pixel to itself and the penalty.
    steps : int
        Most steps in each turn.
    """

    def __init__(self, weight: float = 1.0, alpha: float = 0.5, steps: int = 12):
        self.weight = checks.real_number("weight", weight)
        self.alpha = checks.real_number("alpha", alpha)
        self.steps = checks.whole_number("steps", steps)

    @abstractmethod
    def penalty(self, u: np.ndarray, spacing: np.ndarray) -> tuple[float, np.ndarray]:
        """P(u) and its gradient, for u in [0, 1]; of the order of 1 a pixel."""

    def check(self, inside: np.ndarray, outside: np.ndarray) -> None:
        """Raise a ScribbleConflictError if a pixel is to be both; a penalty can hold all else."""
        both = np.argwhere(inside & outside)
        if len(both):
            raise ScribbleConflictError(
                f"inside and outside must not share pixels; they share {len(both)}, the first at {tuple(both[0])}: "
                "erase one of the two there",
                both,
            )

    def fit(
        self,
        target: np.ndarray,
        *,
        inside: np.ndarray | None = None,
        outside: np.ndarray | None = None,
        spacing: tuple[float, ...] | None = None,
        random_state: int | np.random.Generator | None = None,
        callback: Callable[[np.ndarray], object] | None = None,
    ) -> Painted:
        """A local minimum from the target itself; scribbles are held exactly, nothing is random.

        Arguments and errors are those of `ConvexShape.fit`.
        """
        target = checked_target(target)
        held, avoid = checked_scribbles(inside, target, "inside"), checked_scribbles(outside, target, "outside")
        self.check(held, avoid)
        size = checked_spacing(spacing, target.ndim)
        checks.generator(random_state)
        cost = 1 - 2 * target.astype(np.float64)
        bounds = {"lower": held.astype(np.float32), "upper": (~avoid).astype(np.float32), "spacing": tuple(size)}
        backend = get_backend("numba")

        def objective(u: np.ndarray, weight: float) -> float:
            energy = TwoPhase(cost, self.alpha, **bounds)
            data = backend.primal_value(energy.problem(backend), u[None])
            return data + weight * self.penalty(u, size)[0]

        u = np.clip((target > 0.5).astype(np.float32), bounds["lower"], bounds["upper"])
        for weight in (raised * self.weight for raised in _RAISED):
            pull, value = _PULLS[0], objective(u, weight)
            for _ in range(self.steps):
                tangent = cost + weight * self.penalty(u, size)[1]
                step = TwoPhase(tangent, self.alpha, quadratic_weight=pull, target=u, **bounds)
                proposed = pdhg(step, backend=backend, tol=1e-2).u
                better = objective(proposed, weight)
                if better < value - 1e-4 * abs(value):
                    u, value, pull = proposed, better, pull / 2
                    if callback is not None:
                        callback(u > 0.5)
                else:
                    pull *= 4
                    if pull > _PULLS[1]:
                        break
        mask = u > 0.5
        left, _ = self.penalty(mask.astype(np.float32), size)
        return Painted(mask=mask, energy=float(cost[mask].sum()), violation=left)
