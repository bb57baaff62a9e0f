"""Margins: by how much an object would have to be dearer, or cheaper, until a pixel changes sides; and what follows.

    u_l = argmin over u   E(u) + l sum_x u(x),        margin(x) = the price l, in nats per pixel, at which u_l(x) falls

The minimisers shrink as l grows, so that one map holds them all: {margin > l} is the object at price l. It is the
minimiser of one strongly convex problem (Chambolle, Darbon 2009, doi:10.1007/s11263-009-0238-9; Hochbaum 2001,
doi:10.1145/502090.502093),

    margin = argmin over w   1/2 |w + cost|^2 + alpha sum_x g(x) |grad w(x)|,

with w fixed at its greatest or least value on the scribbles. In place of w its dual r = cost - div p is kept: there
w = -r, and whatever p has been reached, every mask m (relaxed or not, convex or not) has

    E(m) + l |m|  >=  D(l)  =  sum_x min(0, r(x) + l),

so that the size of all masks with E(m) <= B lies between the greatest (D(l) - B) / l over l > 0 and the least one over
l < 0. Of several labels each is set against the rest: the cheapest other label at each pixel, without boundaries among
the others. That energy is at most the true one, and its bounds hold for it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .backends import ArrayBackend
from .backends.base import SAFE
from .energies.potts import Potts
from .energies.two_phase import TwoPhase
from .solvers.pdhg import pdhg
from .solvers.solution import StoppingRules

_TOL = 1e-2
"""Relative gap of the strongly convex problem: the margins are then right within a few thousandths of a nat."""

_DOUBTFUL = float(np.log(3))
"""Certainty, in nats, below which a pixel counts as doubtful: odds of 3 by its margin alone."""


@dataclass(frozen=True, eq=False)
class Margins:
    """Margins of one object, and bounds on the size of all masks by their energy.

    Attributes
    ----------
    map : (*spatial) float32
        In nats per pixel, positive in the object of the energy alone; from -`reach` to `reach`, which scribbles have.
    reach : float
        Greatest size of the cost, beyond which no price tells more.
    constant : float
        D(l) = constant - sum_x max(0, map(x) - l) for -reach <= l <= reach.
    """

    map: np.ndarray
    reach: float
    constant: float

    @classmethod
    def of(cls, energy: TwoPhase, backend: ArrayBackend, rules: StoppingRules, constant: float = 0.0) -> "Margins":
        """Margins of an energy of two labels; `constant` is added to its bounds."""
        cost = backend.to_numpy(energy.cost)
        reach = float(abs(cost).max()) or 1.0
        # w = 2 reach (u - 1/2) has u in [0, 1], held at 0 and 1 by the scribbles as in the energy itself.
        convex = replace(energy, quadratic_weight=2 * reach, target=np.full(cost.shape, 0.5, np.float32))
        solution = pdhg(
            convex, backend=backend, max_iter=rules.max_iter, tol=_TOL, time_limit=rules.seconds_left(),
            callback=rules.callback,
        )  # fmt: skip
        problem = energy.problem(backend)
        p = SAFE * solution.p.astype(np.float64) / problem.cost_unit
        slope = (problem.cost - backend.divergence(p, problem.steps, problem.offsets))[0] * problem.cost_unit
        r = backend.to_numpy(slope)
        held, free = np.broadcast_to(energy.lower, r.shape) > 0, np.broadcast_to(energy.upper, r.shape) > 0
        exact = np.where(held, reach, np.where(free, np.clip(-r, -reach, reach), -reach))
        margins = exact.astype(np.float32)
        below = np.where(held, r, np.minimum(r, -reach))[free] + reach
        slack = abs(margins - exact).sum() + problem.cost_unit * problem.rounding_slack
        return cls(margins, reach, constant + problem.constant + float(below.sum()) - float(slack))

    def size_interval(self, energy: float) -> tuple[int, int]:
        """Least and greatest number of pixels that a mask with at most this energy, in nats, can have."""
        ordered = np.sort(self.map.astype(np.float64), axis=None)
        above = np.append(np.cumsum(ordered[::-1])[::-1], 0.0)
        # D is linear between two margins, and (D - B) / l monotone there: no other price gives a better bound.
        prices = np.unique(np.concatenate([ordered, [-self.reach, self.reach]]))
        first = np.searchsorted(ordered, prices)
        excess = self.constant - (above[first] - prices * (ordered.size - first)) - energy
        excess -= 1e-12 * (abs(self.constant) + abs(energy) + self.reach * ordered.size)  # rounding of the sums
        dearer, cheaper = prices > 0, prices < 0
        least = float((excess[dearer] / prices[dearer]).max())
        most = float((excess[cheaper] / prices[cheaper]).min())
        return max(math.ceil(least), 0), min(math.floor(most), ordered.size)


def find_margins(
    energy: TwoPhase | Potts, outside: np.ndarray, backend: ArrayBackend, rules: StoppingRules
) -> dict[int, Margins]:
    """Margins of each object, by the index of its label; `outside` ((*spatial) bool) belongs to none."""
    if isinstance(energy, TwoPhase):
        return {1: Margins.of(replace(energy, upper=np.where(outside, 0, energy.upper)), backend, rules)}
    found = {}
    for k in range(1, len(energy.cost)):
        rest = np.delete(energy.cost, k, axis=0).min(axis=0)
        lower = np.broadcast_to(energy.lower, energy.cost.shape)
        alone = TwoPhase(
            energy.cost[k] - rest,
            energy.alpha,
            weight=energy.weight,
            lower=lower[k],
            upper=np.where(outside, 0, 1 - np.delete(lower, k, axis=0).max(axis=0)),
            spacing=energy.spacing,
            tv=energy.tv,
        )
        found[k] = Margins.of(alone, backend, rules, float(rest.sum(dtype=np.float64)))
    return found


def certainty_of(labels: np.ndarray, margins: Mapping[int, Margins]) -> np.ndarray:
    """See `Segmentation.certainty`; `labels` are the keys of `margins`, and others are the background or outside."""
    least = np.min([-found.map for found in margins.values()], axis=0)
    for label, found in margins.items():
        least = np.where(labels == label, found.map, least)
    return np.where(labels < 0, 0, np.maximum(least, 0)).astype(np.float32)


def most_doubtful(certainty: np.ndarray, free: np.ndarray) -> tuple[int, ...] | None:
    """The middle of the region in which most pixels are likely to be wrong, or None if no pixel is doubtful.

    `free` ((*spatial) bool) are the pixels that count. Regions are those of doubtful pixels that touch; a pixel is
    wrong with probability 1 / (1 + exp(certainty)).
    """
    from scipy.ndimage import distance_transform_edt, label

    regions, count = label((certainty < _DOUBTFUL) & free)
    if not count:
        return None
    wrong = np.bincount(regions.ravel(), (1 / (1 + np.exp(certainty))).ravel())[1:]
    chosen = regions == 1 + int(wrong.argmax())
    depth = distance_transform_edt(np.pad(chosen, 1))[(slice(1, -1),) * chosen.ndim]
    return tuple(int(n) for n in np.unravel_index(int(depth.argmax()), depth.shape))
