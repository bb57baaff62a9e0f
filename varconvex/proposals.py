"""The two ways in which joint unification proposes label images, and what they share with sequential unification.

`Projections` solves for the prediction and projects it onto the shapes; `Outlines` minimises an energy of sets over the
sets of each shape. See `unify` for J, theta and the loop.

`Outlines` has two starts: the sets of least J under the scribbles' theta, with others alike in the background counted
before (`predictors.others`), and the projection of total variation's answer; J chooses.
"""

import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Generic, TypeVar

import numpy as np

from . import checks, objects
from .errors import ShapeWarning
from .geometry.components import count_parts, keep_scribbled
from .geometry.outline import Outline
from .inputs import Scene
from .predictors.base import LearningPredictor, Prediction, Predictor, ProximalTerm, SetPredictor
from .predictors.others import USUAL
from .predictors.set_energy import Arrangement, SetEnergy
from .shapes.base import FittedShape, OutlineShape, Shape
from .solvers.solution import StoppingRules
from .threads import in_time

_WEIGHTS = (0.0, 1.0)
"""Weights lambda of the proximal term, in nats per pixel: at first u may leave the shape, then it costs half a nat."""

_ALIKE, _LOWER_IF_ALIKE, _LOWER = 0.15, 0.95, 0.3
"""Factor by which J under a theta of its own must be lower for one start than for the other: where they differ in at
most this share of their objects' pixels, and where they differ in more. Then the values compare badly, since a smaller
object is easily told from the rest: wrong starts came down to .30; right ones, beside a theta that had taken the
background for the object, to between .20 and .28."""

_CONVEX_SHARE = 0.9
"""Least share of its hull that a convex object fills when it is segmented without a shape: .92 and more of 32 that are
nearly convex, on 29 of 33 others less than this."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Prediction, label image ((*spatial) int) and shapes by index of their labels."""

    prediction: Prediction
    index: np.ndarray
    fitted: dict[int, FittedShape]


@dataclass(frozen=True, eq=False)
class Unified(Answer):
    """Answer with the prediction under the last accepted theta, without a proximal term.

    Attributes
    ----------
    objective : tuple of float
        J at the start and after each step, accepted or not, which never rises; then, last, J of `index` itself.
    seconds : dict of str to float
        Time by stage.
    stopped : bool
        Whether a callback ended it.
    """

    objective: tuple[float, ...]
    seconds: dict[str, float]
    stopped: bool


@dataclass
class Problem:
    """Scene, shapes by index of the label, time of each stage so far, and whether a callback has asked for the end."""

    scene: Scene
    shapes: Mapping[int, Shape]
    random_state: int | np.random.Generator | None
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    stopped: bool = False

    def predict(self, predictor: Predictor, proximal: ProximalTerm | None = None) -> Prediction:
        prediction = predictor.predict(self.scene, proximal)
        for stage, spent in prediction.seconds.items():
            self.seconds[stage] += spent
        self.stopped = self.stopped or prediction.stopped
        return prediction

    def fit(self, prediction: Prediction, u: np.ndarray | None = None) -> Answer:
        """The prediction, or a map u ((K, *spatial)), projected onto the shapes."""
        if not self.shapes:
            return Answer(prediction, prediction.index, {})
        begin = time.perf_counter()
        u = self._scribbled(prediction) if u is None else u
        index, fitted = objects.fit(self.shapes, self.scene, u, random_state=self.random_state)
        self.seconds["shape"] += time.perf_counter() - begin
        return Answer(prediction, index, fitted)

    def fit_scribbled(self, prediction: Prediction, u: np.ndarray | None = None) -> Answer:
        """`fit`, without the parts that hold none of their label's scribbles, of labels without a shape."""
        answer = self.fit(prediction, u)
        return replace(answer, index=keep_scribbled(answer.index, self.scene.seeds, besides=self.shapes))

    def _scribbled(self, prediction: Prediction) -> np.ndarray:
        """u without the parts of objects with a shape that hold none of their scribbles: (K, *spatial).

        All of u where no boundary was paid for: its parts are then no objects, but where pixels happen to agree.
        """
        index, found = prediction.index, _by_label(prediction)
        if prediction.energy is None or prediction.energy.alpha == 0:
            return found
        around = {k: shape.wraps(index.ndim) for k, shape in self.shapes.items()}
        kept, found = keep_scribbled(index, self.scene.seeds, wraps=around), found.copy()
        for k in self.shapes:
            found[k][(index == k) & (kept != k)] = 0
        return found

    def unified(self, found: Answer, objective: tuple[float, ...]) -> Unified:
        return Unified(**vars(found), objective=objective, seconds=dict(self.seconds), stopped=self.stopped)


T = TypeVar("T")


class Proposals(ABC, Generic[T]):
    """theta, and label images that may lower J for it; `labels` is the first one, for the scribbles alone."""

    rounds: ClassVar[int]
    problem: Problem
    theta: T
    labels: Arrangement

    @abstractmethod
    def refit(self, labels: Arrangement) -> None:
        """Re-estimate theta from the regions of a label image."""

    @abstractmethod
    def objective(self, labels: Arrangement) -> float:
        """J, in nats."""

    @abstractmethod
    def propose(self, labels: Arrangement) -> Iterator[Arrangement]:
        """Label images for the present theta, in an order in which each may use the one before."""

    @abstractmethod
    def finish(self, labels: Arrangement, rules: StoppingRules) -> tuple[Answer, float]:
        """The answer on the full grid, and its J."""


class Projections(Proposals[LearningPredictor]):
    """Predictions with a proximal term at a label image, projected onto the shapes; J is that of the full grid."""

    rounds = 5  # after the second or third nothing changes on most images

    def __init__(self, problem: Problem, predictor: LearningPredictor, first: Answer):
        self.problem, self.prediction = problem, first.prediction
        self.labels = self._arranged(first)
        self.theta = predictor.ready(problem.scene, self.prediction, self.labels.index)

    def refit(self, labels: Arrangement) -> None:
        self.theta = self.theta.learn(self.problem.scene, labels.index)

    def objective(self, labels: Arrangement) -> float:
        return self.theta.objective(self.problem.scene, labels.index)

    def propose(self, labels: Arrangement) -> Iterator[Arrangement]:
        """First without a proximal term, then with one at the last proposal, accepted or not."""
        for weight in _WEIGHTS if self.problem.shapes else _WEIGHTS[:1]:
            u = labels.indicator(labels.index.shape)
            labels = self._projected(ProximalTerm(u[1] if len(u) == 2 else u, weight) if weight else None)
            yield labels

    def finish(self, labels: Arrangement, rules: StoppingRules) -> tuple[Answer, float]:
        return Answer(self.prediction, labels.index, dict(labels.fitted)), self.objective(labels)

    def _projected(self, proximal: ProximalTerm | None) -> Arrangement:
        prediction = self.problem.predict(self.theta, proximal)
        if proximal is None:
            self.prediction = prediction
        return self._arranged(self.problem.fit_scribbled(prediction))

    def _arranged(self, answer: Answer) -> Arrangement:
        return Arrangement({}, answer.index, len(self.problem.scene.labels), answer.fitted)


class Outlines(Proposals[SetEnergy]):
    """The sets of least J for theta, by the shapes' own minimisers; J is that of a small grid."""

    rounds = 2  # a third changes little, for as much time

    def __init__(
        self, problem: Problem, predictor: SetPredictor, shapes: Mapping[int, OutlineShape], rules: StoppingRules
    ):
        self.problem, self.predictor, self.shapes = problem, predictor, shapes
        self.theta = predictor.set_energy(problem.scene)
        # The label image that theta has been re-estimated from already, with the result.
        self._refitted: tuple[Arrangement, SetEnergy] | None = None
        # What there is if time is out before a start has been found: `finish` projects it.
        self.labels = Arrangement({}, self.theta.scribbled_parts(), len(self.theta.costs))
        in_time(self._find_start, rules.deadline)

    def _find_start(self) -> None:
        projection = self._projection()
        self._find_others(projection)
        self.labels = self._least(None)
        self._choose_start(projection)

    def refit(self, labels: Arrangement) -> None:
        known, self._refitted = self._refitted, None
        self.theta = known[1] if known and known[0] is labels else self.theta.refit(labels.index)

    def objective(self, labels: Arrangement) -> float:
        return self.theta.value(labels)

    def propose(self, labels: Arrangement) -> Iterator[Arrangement]:
        yield self._least(labels.index)

    def finish(self, labels: Arrangement, rules: StoppingRules) -> tuple[Answer, float]:
        """Solve on the full grid with theta, refine the sets' boundaries there, and fit the shapes to them.

        J is evaluated afterwards only, on the small grid: it may be above that of the accepted sets.
        """
        problem, scene, shaped = self.problem, self.problem.scene, list(self.shapes)
        predictor = self.predictor.with_learned(scene, self.theta, iterate=not (problem.stopped or rules.out_of_time()))
        prediction = problem.predict(predictor)
        begin = time.perf_counter()
        u = _by_label(prediction).copy()
        if problem.stopped or rules.out_of_time():
            sets = labels.indicator(scene.seeds.shape)
        else:
            sets = predictor.refine_boundary(scene, self.theta, labels)
        u[shaped] = sets[shaped]
        problem.seconds["solve"] += time.perf_counter() - begin
        if not problem.stopped:
            self._warn_unless_convex(prediction)
        answer = problem.fit_scribbled(prediction, u)
        return answer, self.theta.value(self.theta.arrangement_of(answer.index, shaped))

    def _projection(self) -> Arrangement:
        """The projection of total variation's answer for the scribbles alone, in the parts that hold one."""
        parts = self.labels.index
        costs = np.stack([np.where(parts == k, -1.0, 1.0) for k in range(len(self.theta.costs))])

        def nearest(k: int, taken: np.ndarray) -> Outline:
            inside, outside = self.theta.scene.held(k)
            return self.shapes[k].outline(costs[k], lambda points, normals: np.zeros(()), inside, outside | taken)

        return self.theta.arranged(objects.keep_apart(self.shapes, nearest, self.theta.scene, costs))

    def _find_others(self, projection: Arrangement) -> None:
        """Give theta the share of other objects of the same kind in the background, where there are some."""
        alone, count = self.theta, len(self.problem.scene.labels) - 1
        self.theta = alone.with_others(np.full(count, USUAL / count))
        if self.theta is not alone:
            shares = np.maximum(alone.others(projection), alone.others(self._least(None)))
            self.theta = alone.with_others(shares) if shares.any() else alone

    def _choose_start(self, projection: Arrangement) -> None:
        """Start from the projection where J prefers it.

        It is the better start where theta has been estimated from too little: where all strokes are on one side, what
        is farther away than any of them is the object's by position, and an outline of all of it may be the least.
        """
        if self.theta.value(projection) < self.theta.value(self.labels):
            self.labels = projection
            return
        differ = np.count_nonzero(projection.index != self.labels.index)
        alike = differ <= _ALIKE * np.count_nonzero(projection.index | self.labels.index)
        theta, other = (self.theta.refit(labels.index) for labels in (projection, self.labels))
        if theta.value(projection) < (_LOWER_IF_ALIKE if alike else _LOWER) * other.value(self.labels):
            self.theta, self.labels, other = theta, projection, theta
        self._refitted = self.labels, other

    def _least(self, index: np.ndarray | None) -> Arrangement:
        """The outlines of least J, separated by lines; `index` ((H, W) int) is the label image before."""

        def outline(k: int, taken: np.ndarray) -> Outline:
            return self.shapes[k].outline(*self.theta.outline_problem(k, taken, index))

        costs = self.theta.excess_costs(self.shapes)
        return self.theta.arranged(objects.keep_apart(self.shapes, outline, self.theta.scene, costs))

    def _warn_unless_convex(self, prediction: Prediction) -> None:
        """A ShapeWarning for objects that the energy alone, with the last theta, finds far from convex."""
        scene = self.problem.scene
        index = keep_scribbled(prediction.index, scene.seeds)
        for k in self.shapes:
            share, parts = objects.filled_share(index, k), count_parts(index == k)
            if share < _CONVEX_SHARE:
                several = f" in {parts} parts, each with a scribble" if parts > 1 else ""
                apart = "If they are several objects, give each a label of its own; if" if parts > 1 else "If"
                checks.warn_caller(
                    f"the object with label {scene.labels[k]} was expected to be convex; without the shape it would "
                    f"fill {100 * share:.0f} % of its convex hull{several}. {apart} it is not convex, give it None for "
                    "a shape; if it is, scribble on what looks like the other side.",
                    ShapeWarning,
                )


def _by_label(prediction: Prediction) -> np.ndarray:
    """Probability of each label, of two as well: (K, *spatial)."""
    u = prediction.probability
    return np.stack([1 - u, u]) if u.ndim == prediction.index.ndim else u
