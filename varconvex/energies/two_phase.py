"""Two regions: the convex relaxation of a binary segmentation (paper, eq. 3).

    min over lower <= u <= upper   <cost, u> + quadratic_weight/2 |u - target|^2 + alpha sum_x weight(x) |grad u(x)|

cost = cost_object - cost_background, negative where the object is more likely. Thresholding a minimiser of the
continuous energy gives a global minimiser among masks (Chan, Esedoglu, Nikolova 2006, doi:10.1137/040615286); on the
grid that is exact for anisotropic and octagonal TV and nearly so for isotropic TV.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidParameterError
from ..keywords import known_keywords
from ._linear import LinearEnergy
from .total_variation import check_sizes

THRESHOLDS = (0.5, 0.3, 0.7, 0.1, 0.9)


@known_keywords
@dataclass(frozen=True)
class TwoPhase(LinearEnergy):
    """Energy of an object and its background.

    Parameters
    ----------
    cost : (H, W) or (D, H, W) float array
        Cost of the object minus cost of the background, per pixel, in nats; negative favours the object.
    alpha : float
        Weight of the total variation, in nats per unit length of boundary. Bigger is smoother; 0 thresholds the cost.
    weight : array of the cost's shape, optional
        Factor on the boundary's cost at each pixel; smaller attracts the boundary, 0 makes it free.
    lower, upper : float or array of the cost's shape, optional
        Bounds on u. A seed of the object has lower = 1, a seed of the background upper = 0.
    spacing : float or tuple of float, optional
        Distance between pixels along each axis; 1 if not given.
    tv : {"isotropic", "anisotropic", "octagonal"}
        Length of the boundary: Euclidean (a mask costs about 1 % more than the bound); the sum over the axes (masks are
        exact, but blocky); or the sum over axes and diagonals (images only; masks are exact, lengths right within 5 %
        between square pixels). Of an image u: the norm of its gradient, summed.
    quadratic_weight, target : float and array of the cost's shape, optional
        Adds quadratic_weight/2 |u - target|^2: bigger stays nearer to the target; 0 leaves it out.

    Raises
    ------
    InvalidImageError, InvalidParameterError, UnsupportedTypeError
        If a field has NaNs, a wrong shape, a wrong sign or a kind that is no number.

    References
    ----------
    Chan, Esedoglu, Nikolova, SIAM J. Appl. Math. 66, 2006, doi:10.1137/040615286

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import TwoPhase, pdhg
    >>> cost = np.where(np.hypot(*np.mgrid[-20:21, -20:21]) < 12, -1.0, 1.0)
    >>> solution = pdhg(TwoPhase(cost, alpha=1.0), tol=1e-3)
    >>> bool(solution.mask[20, 20]), bool(solution.mask[0, 0])
    (True, False)
    """

    quadratic_weight: float = field(default=0.0, kw_only=True)
    target: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        cost = checks.as_numeric("cost", self.cost)
        checks.spatial("cost", cost)
        self._check(cost, cost.shape)
        self._bound("lower", cost.shape)
        self._bound("upper", cost.shape)
        if bool((self.lower > self.upper).any()):
            raise InvalidParameterError("lower must not exceed upper; it does somewhere. Swap or widen the bounds.")
        object.__setattr__(self, "quadratic_weight", checks.real_number("quadratic_weight", self.quadratic_weight))
        if not self.quadratic_weight:
            object.__setattr__(self, "target", None)  # without a quadratic term it has no effect
        elif self.target is not None:
            object.__setattr__(self, "target", checks.as_numeric("target", self.target))
            checks.finite("target", self.target, "Replace them by what u should be near to.")
        if self.quadratic_weight and np.shape(self.target) != cost.shape:
            raise InvalidParameterError(
                f"target must have the cost's shape {cost.shape} when quadratic_weight > 0; got "
                f"{np.shape(self.target)}. Pass both."
            )
        if self.quadratic_weight:
            checks.real_number("quadratic_weight other than 0", self.quadratic_weight, least=1 / checks.LARGEST)
            size = max(-float(self.target.min()), float(self.target.max()))
            check_sizes("target and quadratic_weight * target", size, self.quadratic_weight * size)

    def problem(self, backend: ArrayBackend) -> Problem:
        """In the arrays of `backend`; the quadratic term's linear part goes into the cost."""
        if not self.quadratic_weight:
            return self._problem(backend, self.cost)
        target, weight = self.target.astype(np.float64), self.quadratic_weight
        constant = 0.5 * weight * float((target * target).sum())
        return self._problem(backend, self.cost - weight * target, quadratic_weight=weight, constant=constant)

    def start(self, backend: ArrayBackend, problem: Problem) -> Any:
        """The minimiser for alpha = 0."""
        return backend.project((problem.cost < 0).astype(np.float32), problem)

    def round(self, backend: ArrayBackend, problem: Problem, u: Any) -> tuple[Any, float]:
        """The best of a few thresholds of u: by the coarea formula some threshold is as good as u."""
        return backend.threshold(problem, u, THRESHOLDS)
