"""How near a convex mask is to the best one: a lower bound on the energy of all convex masks.

    E(C)  >=  constant + sum over C of (cost - div p)        for every dual variable p of the total variation
          >=  constant + least_convex_cost(cost - div p)

The first line is exact without a boundary cost, as in `project`; else p is that of `margins`. The second is in
`geometry.set_bound`. `Segmentation.dual` bounds all masks and cannot tell how much of `integrality_gap` is the price of
convexity itself; this bound can.
"""

from dataclasses import dataclass

import numpy as np

from . import checks
from .errors import InvalidImageError, InvalidParameterError, UnsupportedTypeError
from .geometry.certify import certify_convexity
from .geometry.set_bound import least_convex_cost, window_of
from .keywords import known_keywords
from .result import Segmentation

_SAME = 1e-6
"""Share by which an energy may differ from the sum of its costs where there is no boundary cost."""


@dataclass(frozen=True)
class OptimalityCertificate:
    """Result of `certify_optimality`, in Python numbers: how much better another convex object could be at most."""

    energy: float
    """Energy of the segmentation, in nats."""

    bound: float
    """No segmentation whose object is convex has less, in nats."""

    @property
    def excess(self) -> float:
        """Share of the energy's size that it can be above the least one of a convex object, at most."""
        return (self.energy - self.bound) / max(abs(self.energy), np.finfo(float).tiny)

    def __str__(self) -> str:
        return f"energy {self.energy:.6g}, at most {self.excess:.2%} above that of the best convex object"


@known_keywords
def certify_optimality(
    result: Segmentation, *, label: int | None = None, tol: float = 1e-2, time_limit: float = 10.0
) -> OptimalityCertificate:
    """Prove how far a convex object is from the best one, by a bound on all convex masks.

    Parameters
    ----------
    result : Segmentation
        Of an image: from `project`, or from `segment` with ``certainty=True``.
    label : int, optional
        The convex object, where there are several; the bound is then one on all segmentations in which it is convex.
    tol : float, at least 0
        Ends when the excess is at most this. Smaller is closer to the best bound, and takes longer.
    time_limit : float
        Seconds after which the bound so far is returned. A first one takes a fraction of a second, on an object of
        500 pixels a side one or two.

    Returns
    -------
    OptimalityCertificate
        Objects that are nearly convex are usually proven to be within one per cent in less than a second; where the
        image asks for something far from convex, a few per cent remain.

    Raises
    ------
    InvalidImageError
        If the result is a volume's.
    InvalidParameterError
        If the result holds no margins and its energy has a boundary cost, the object is not convex, or a parameter is
        out of its range.
    UnsupportedTypeError
        If `result` is no Segmentation.

    References
    ----------
    Fisher, Management Science 27, 1981, doi:10.1287/mnsc.27.1.1

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import certify_optimality, project
    >>> disc = np.hypot(*np.mgrid[-20:21, -20:21]) < 12
    >>> noisy = np.clip(disc + np.random.default_rng(0).normal(0, 0.4, disc.shape), 0, 1)
    >>> certify_optimality(project(noisy)).excess < 0.02
    True
    """
    if not isinstance(result, Segmentation):
        raise UnsupportedTypeError(
            f"a Segmentation was expected; got {type(result).__name__}. Pass what segment or project returned."
        )
    tol, time_limit = checks.real_number("tol", tol), checks.real_number("time_limit", time_limit)
    if result.labels.ndim != 2:
        raise InvalidImageError(
            f"the bound is one for images; got a volume of shape {result.labels.shape}. Certify a slice of it."
        )
    label = _only(result) if label is None else label
    if not isinstance(label, int | np.integer) or label not in result.label_ids[1:]:
        raise InvalidParameterError(
            f"label must be one of the objects, {', '.join(map(str, result.label_ids[1:]))}; got {label!r}. Pass one."
        )
    mask = result.labels == label
    if not certify_convexity(mask):
        raise InvalidParameterError(
            f"the object with label {label} must be convex; got one that is not. Pass a result with a convex shape."
        )
    cost, constant = _linear_bound(result, label)
    bound = constant + _least(cost, mask, result.seeds, label, result.energy - constant, tol, time_limit)
    return OptimalityCertificate(result.energy, min(max(bound, result.dual), result.energy))


def _only(result: Segmentation) -> int:
    """The one object of a result."""
    if len(result.label_ids) != 2:
        raise InvalidParameterError(
            f"label must name the object where there are several, {result.label_ids[1:]}; got None. Pass one of them."
        )
    return result.label_ids[1]


def _linear_bound(result: Segmentation, label: int) -> tuple[np.ndarray, float]:
    """A cost and a constant whose sum over any mask of the label is at most the mask's energy."""
    if label in result.margins:
        return -result.margins[label].map.astype(np.float64), result.margins[label].constant
    if len(result.label_ids) == 2:
        cost = (result.costs[1] - result.costs[0]).astype(np.float64)
        alone = float(cost[result.mask].sum())
        if abs(alone - result.energy) <= _SAME * max(float(abs(cost[result.mask]).sum()), 1.0):
            return cost, 0.0
    raise InvalidParameterError(
        "a result without margins needs an energy without a boundary cost; got another. Pass certainty=True to segment."
    )


def _least(
    cost: np.ndarray, mask: np.ndarray, seeds: np.ndarray, label: int, upper: float, tol: float, seconds: float
) -> float:
    """Lower bound of the sum of `cost` over all convex sets that hold the label's scribbles and no others."""
    inside, outside = seeds == label, (seeds != 0) & (seeds != label)
    window = window_of(np.where(outside, 0, cost), [mask])
    large = float(abs(cost).sum()) + 1.0
    held = int(np.count_nonzero(inside))
    forced = np.where(inside, cost - large, np.where(outside, large, cost))[window]
    # What is forced shifts both sides alike; the tolerance stays a share of the energy.
    shifted = upper - large * held
    found = least_convex_cost(forced, shifted, gap=tol * abs(upper), seconds=seconds)
    return found + large * held
