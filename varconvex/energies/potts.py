"""K regions: the convex relaxation of Potts' model over the simplex.

    min over u >= lower, sum_k u_k = 1   sum_k <cost_k, u_k> + alpha/2 sum_k sum_x weight(x) |grad u_k(x)|

Each boundary is counted by the two labels beside it, hence the half: for K = 2 this is `TwoPhase` (relaxation of Zach,
Gallup, Frahm, Niethammer 2008; see Nieuwenhuis, Toeppe, Cremers 2013, doi:10.1007/s11263-013-0619-y). The tighter
relaxation bounds the dual vectors' differences, |p_i - p_j| <= alpha weight, in place of |p_i| <= alpha weight / 2: the
largest convex one of that kind (Chambolle, Cremers, Pock 2012, doi:10.1137/110856733). On masks both are the same.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidImageError, InvalidParameterError
from ..keywords import known_keywords
from ..options import Relaxation
from ._linear import LinearEnergy


@known_keywords
@dataclass(frozen=True)
class Potts(LinearEnergy):
    """Energy of K regions that share the image among them.

    Parameters
    ----------
    cost : (K, H, W) or (K, D, H, W) float array, K >= 2
        Cost of each label per pixel, in nats; only differences between labels matter.
    alpha : float
        Weight of the boundaries, in nats per unit length. Bigger is smoother; 0 takes the cheapest label.
    weight, spacing, tv
        As in `TwoPhase`; a weight has the spatial shape.
    lower : float or array of the cost's shape, optional
        Lower bounds on u, summing to at most 1 per pixel; a seed has 1 at its own label.
    upper : float
        Left at 1: a seed is a lower bound at its own label.
    relaxation : {"zach", "ccp"}
        Zach's is fast; that of Chambolle, Cremers and Pock has the higher bound and mixes labels less where three or
        more meet, at several times the cost. For other `tv` than "isotropic" both are the same.

    References
    ----------
    Nieuwenhuis, Toeppe, Cremers, Int. J. Comput. Vis. 104, 2013, doi:10.1007/s11263-013-0619-y

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import Potts, pdhg
    >>> pdhg(Potts(np.random.default_rng(0).random((3, 8, 9)), alpha=0.1)).labels.shape
    (8, 9)
    """

    relaxation: Relaxation = field(default="zach", kw_only=True)

    def __post_init__(self) -> None:
        checks.one_of("relaxation", self.relaxation, Relaxation)
        cost = checks.as_numeric("cost", self.cost)
        checks.spatial("cost", cost, (3, 4))
        if cost.shape[0] < 2:
            raise InvalidImageError(
                f"cost must hold at least 2 labels along its first axis; got shape {cost.shape}. Use TwoPhase for one."
            )
        self._check(cost, cost.shape[1:])
        self._bound("lower", cost.shape)
        if checks.several(self.upper) or checks.real_number("upper", self.upper) != 1.0:
            raise InvalidParameterError(
                "upper must be left at 1 for K labels, which only have lower bounds; got another. Raise the other "
                "labels' lower bounds instead."
            )
        total = self.lower.sum(axis=0) if self.lower.ndim else cost.shape[0] * self.lower
        if bool((self.lower < 0).any()) or bool((total > 1 + 1e-6).any()):
            raise InvalidParameterError("lower must be >= 0 and sum to at most 1 over the labels. Check the seeds.")

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of u, (K, *spatial)."""
        return self.cost.shape

    def problem(self, backend: ArrayBackend) -> Problem:
        """In the arrays of `backend`; the cost that all labels of a pixel share is a constant, and not iterated on."""
        cost = self.cost.astype(np.float64)
        common = cost.min(axis=0)
        pairwise = self.relaxation == "ccp" and self.tv == "isotropic" and len(cost) > 2
        share, constant = 1.0 if pairwise else 0.5, float(common.sum())
        problem = self._problem(backend, cost - common, simplex=True, share=share, constant=constant)
        lower = backend.xp.broadcast_to(problem.lower, (self.shape[0], *problem.lower.shape[1:]))
        return replace(problem, lower=lower, common_cost=constant, coupling="pairwise" if pairwise else "separate")

    def start(self, backend: ArrayBackend, problem: Problem) -> Any:
        """The minimiser for alpha = 0."""
        return self.round(backend, problem, -problem.cost)[0]

    def round(self, backend: ArrayBackend, problem: Problem, u: Any) -> tuple[Any, float]:
        """The label with the largest u at each pixel; the relaxation is not tight, so rounding can raise the energy."""
        mask = backend.project(self.indicator(backend, u.argmax(axis=0)), problem)
        return mask, backend.primal_value(problem, mask)
