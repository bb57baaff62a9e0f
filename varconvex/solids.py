"""Joint unification in volumes: convex sets of voxels and the appearance of all regions, in turns.

    J(C; theta) = data cost of C under theta,      C_k convex

For a fixed theta each C_k is the convex set of least cost that is found from the set before
(`geometry.polytopes_3d`). There is no boundary cost: a convex set has no ragged boundary for which it would
have to pay, and the data term alone says where it ends. Labels without a shape share the rest by total variation.

It starts from the parts of total variation's answer that hold a scribble. theta are mixtures of the regions' colours. J
of mixtures of a few strokes is compared with no other: what they say of any set is cheaper than what regions say of
themselves, and a first set that is too large would never be left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from . import objects
from .geometry.components import keep_scribbled
from .predictors.base import Prediction
from .predictors.energy import EnergyPredictor
from .predictors.set_energy import Arrangement
from .proposals import Answer, Problem, Proposals
from .shapes.base import ConvexSets
from .solvers.solution import StoppingRules
from .threads import checkpoint, in_time

_SETTLING, _SETTLED = 5, 0.005
"""Most rounds without a refusal, and the share of the objects' voxels below which a change ends them."""


@dataclass(frozen=True, eq=False)
class _Solid:
    """A convex set: (D, H, W) bool."""

    mask: np.ndarray


class Solids(Proposals[EnergyPredictor]):
    """Convex sets of least data cost; J is that of the full grid."""

    rounds = 4

    def __init__(
        self, problem: Problem, predictor: EnergyPredictor, shapes: Mapping[int, ConvexSets], prediction: Prediction
    ):
        self.problem, self.shapes, self.prediction = problem, shapes, prediction
        kept = keep_scribbled(prediction.index, problem.scene.seeds)
        self.theta = predictor.ready(problem.scene, prediction, kept)
        costs = self.theta.likelihood.costs(problem.scene)
        self.labels = self._arranged(costs, prediction.index, {k: kept == k for k in shapes})
        in_time(self._settle)

    def _settle(self) -> None:
        """A few rounds from the start whether J falls or not; the one of least J is kept, the scribbles' apart."""
        labels, theta, least = self.labels, self.theta, np.inf
        for _ in range(_SETTLING):
            checkpoint()
            before = labels.index
            theta = theta.learn(self.problem.scene, before)
            labels = self._least(theta, labels)
            value = theta.data_cost(self.problem.scene, labels.index)
            if value < least:
                self.theta, self.labels, least = theta, labels, value
            if np.count_nonzero(labels.index != before) <= _SETTLED * np.count_nonzero(before):
                break

    def refit(self, labels: Arrangement) -> None:
        self.theta = self.theta.learn(self.problem.scene, labels.index)

    def objective(self, labels: Arrangement) -> float:
        return self.theta.data_cost(self.problem.scene, labels.index)

    def propose(self, labels: Arrangement) -> Iterator[Arrangement]:
        yield self._least(self.theta, labels)

    def finish(self, labels: Arrangement, rules: StoppingRules) -> tuple[Answer, float]:
        """The sets, with total variation's answer for the last theta."""
        if not (self.problem.stopped or rules.out_of_time()):
            self.prediction = self.problem.predict(self.theta)
        found = np.stack([labels.index == k for k in range(labels.count)]).astype(np.float32)
        return self.problem.fit_scribbled(self.prediction, found), self.objective(labels)

    def _least(self, theta: EnergyPredictor, labels: Arrangement) -> Arrangement:
        """The sets of least J that are found from `labels`."""
        costs, index = theta.likelihood.costs(self.problem.scene), labels.index
        if labels.count - len(self.shapes) > 1:
            index = self.problem.predict(theta).index
        return self._arranged(costs, index, {k: labels.index == k for k in self.shapes})

    def _arranged(self, costs: np.ndarray, rest: np.ndarray, starts: Mapping[int, np.ndarray]) -> Arrangement:
        """The sets of least cost found from `starts`, by index of the label; elsewhere `rest` if it has no shape."""
        scene = self.problem.scene

        def nearest(k: int, taken: np.ndarray) -> _Solid:
            inside, outside = scene.held(k)
            others = np.delete(costs, k, axis=0).min(axis=0)
            return _Solid(self.shapes[k].solid(costs[k] - others, inside, outside | taken, starts[k]))

        free = [k for k in range(len(costs)) if k not in self.shapes]
        found = objects.keep_apart(self.shapes, nearest, scene, costs - costs[free].min(axis=0))
        index = np.where(np.isin(rest, free), rest, free[0])
        index = keep_scribbled(np.where(scene.seeds > 0, scene.seeds - 1, index), scene.seeds)
        for k, solid in found.items():
            index[solid.mask] = k
        return Arrangement({}, index, len(costs))
