"""Geodesic active contours: the shortest closed curve in a metric that is small along the image's edges.

    min over lower <= u <= upper   <region - balloon, u> + alpha sum_x weight(x) |grad u(x)|

for masks u the functional of Caselles, Kimmel, Sapiro (1997, doi:10.1023/A:1007979827043), and convex in u, so that no
contour has to be started near (Bresson, Esedoglu, Vandergheynst, Thiran, Osher 2007, doi:10.1007/s10851-007-0002-0).
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidParameterError
from ..keywords import known_keywords
from .two_phase import TwoPhase


@known_keywords
@dataclass(frozen=True)
class GeodesicContours(TwoPhase):
    """Energy of an object whose boundary follows the image's edges.

    Without a region term the empty set has the shortest boundary of all: seeds (bounds on u) or a balloon exclude it.

    Parameters
    ----------
    cost : (*spatial) float array
        Region term: cost of the object minus cost of the background; zeros for edges alone.
    alpha : float
        Weight of the boundary. Bigger is smoother, and gives the region term less influence.
    weight : array of the cost's shape
        The metric g(x): small on edges, 1 where the image is flat.
    balloon : float
        Reward for each pixel of the object, of any sign. Bigger grows the object until edges stop it; negative shrinks
        it; 0 leaves it to the edges.
    lower, upper, spacing, tv, quadratic_weight, target
        As in `TwoPhase`. A seed of the object has lower = 1, a seed of the background upper = 0.

    References
    ----------
    Caselles, Kimmel, Sapiro, Int. J. Comput. Vis. 22, 1997, doi:10.1023/A:1007979827043

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import GeodesicContours, pdhg
    >>> distance = np.hypot(*np.mgrid[-20:21, -20:21])
    >>> edge = np.where(abs(distance - 12) < 1, 0.05, 1.0)
    >>> seed, frame = distance < 3, distance < 18
    >>> energy = GeodesicContours(np.zeros(edge.shape), 1.0, weight=edge, lower=seed, upper=frame)
    >>> bool(abs(pdhg(energy).mask.sum() - np.pi * 12**2) < 60)
    True
    """

    balloon: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight is None:
            raise InvalidParameterError(
                "weight must be the metric of the contour, one number per pixel; got None. Pass e.g. "
                "contrast_weight(image), or use TwoPhase."
            )
        object.__setattr__(self, "balloon", checks.real_number("balloon", self.balloon, least=-float("inf")))

    def problem(self, backend: ArrayBackend) -> Problem:
        """In the arrays of `backend`: the balloon is a cost that is the same everywhere."""
        if not self.balloon:
            return super().problem(backend)
        return TwoPhase.problem(replace(self, cost=self.cost.astype(np.float64) - self.balloon, balloon=0.0), backend)
