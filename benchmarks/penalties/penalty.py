"""Convexity as a penalty in the primal-dual solver, linearised:

    min over u in [0, 1]   <1 - 2 target, u> + alpha TV(u) + weight P(u),        P(u) = 0 for convex sets

P is not convex. So it is replaced by its tangent at the last u, with a proximal term,

    u' = argmin <1 - 2 target + weight grad P(u), v> + alpha TV(v) + quadratic_weight/2 |v - u|^2,

accepted where the whole objective falls; else the quadratic weight is quadrupled. The weight is raised in turns. The
result is a local minimum, whose constraint may be violated: a competitor of the convex shape, not a substitute.
"""

from abc import abstractmethod

import numpy as np

from varconvex import checks
from varconvex.backends import get_backend
from varconvex.energies.two_phase import TwoPhase
from varconvex.shapes.base import Callback
from varconvex.solvers.pdhg import pdhg

from .painted import Painted
from .rival import Rival, held

_RAISED = (1.0, 8.0, 64.0)
"""Factors of the weight, one a turn."""

_QUADRATIC = (0.25, 64.0)
"""The first quadratic weight of a turn, and the one at which it ends."""


class PenaltyShape(Rival):
    """A shape that is a penalty in the primal-dual solver. Scribbles are held exactly, and nothing is random.

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

    def _fit(
        self,
        target: np.ndarray,
        inside: np.ndarray,
        outside: np.ndarray,
        spacing: np.ndarray,
        rng: np.random.Generator,
        callback: Callback,
    ) -> Painted:
        self.check(inside, outside)
        cost = 1 - 2 * target.astype(np.float64)
        bounds = {"lower": inside.astype(np.float32), "upper": (~outside).astype(np.float32), "spacing": tuple(spacing)}
        backend = get_backend("numba")

        def objective(u: np.ndarray, weight: float) -> float:
            energy = TwoPhase(cost, self.alpha, **bounds)
            data = backend.primal_value(energy.problem(backend), u[None])
            return data + weight * self.penalty(u, spacing)[0]

        u = np.clip((target > 0.5).astype(np.float32), bounds["lower"], bounds["upper"])
        for weight in (raised * self.weight for raised in _RAISED):
            quadratic, value = _QUADRATIC[0], objective(u, weight)
            for _ in range(self.steps):
                tangent = cost + weight * self.penalty(u, spacing)[1]
                step = TwoPhase(tangent, self.alpha, quadratic_weight=quadratic, target=u, **bounds)
                proposed = pdhg(step, backend=backend, tol=1e-2).u
                better = objective(proposed, weight)
                if better < value - 1e-4 * abs(value):
                    u, value, quadratic = proposed, better, quadratic / 2
                    if callback is not None:
                        callback(u > 0.5)
                else:
                    quadratic *= 4
                    if quadratic > _QUADRATIC[1]:
                        break
        mask = u > 0.5
        left, _ = self.penalty(mask.astype(np.float32), spacing)
        return held(mask, target, inside, outside, left)
