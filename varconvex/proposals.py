"""The two ways in which joint unification proposes label images; `unify` has the loop that they share."""

import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np

from . import checks, objects
from .errors import ShapeWarning
from .geometry.components import keep_scribbled
from .geometry.outline import Outline
from .inputs import Scene
from .predictors.base import LearningPredictor, Prediction, Predictor, ProximalTerm, SetPredictor
from .predictors.set_energy import Arrangement, SetEnergy
from .shapes.base import FittedShape, OutlineShape, Shape
from .solvers.stopping import StoppingRules

_WEIGHTS = (0.0, 1.0)
"""Weights lambda of the proximal term, in nats per pixel: first u is free to leave the shape, then it costs half a nat
a pixel."""

_CONVEX_SHARE = 0.9
"""Least share of its hull that a convex object fills when it is segmented without a shape: .92 and more of 32 that are
nearly convex, on 29 of 33 others less than this."""


@dataclass(frozen=True)
class Answer:
    """Prediction, label image ((*spatial) int) and shapes by index of their labels."""

    prediction: Prediction
    index: np.ndarray
    fitted: dict[int, FittedShape]


class _Labels(Protocol):
    """A label image in the form that a kind of proposals works with."""

    @property
    def index(self) -> np.ndarray: ...


L = TypeVar("L", bound=_Labels)


@dataclass
class Projection:
    """A scene with shapes, onto which predictions are projected; and the time that each stage has taken so far."""

    scene: Scene
    shapes: Mapping[int, Shape]
    random_state: int | np.random.Generator | None
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float), kw_only=True)

    def predict(self, predictor: Predictor, proximal: ProximalTerm | None = None) -> Prediction:
        """The predictor's answer; its time is added to `seconds`."""
        prediction = predictor.predict(self.scene, proximal)
        for stage, spent in prediction.seconds.items():
            self.seconds[stage] += spent
        return prediction

    def fit(self, prediction: Prediction, u: np.ndarray) -> Answer:
        """The map u ((K, *spatial)) projected onto the shapes, each by itself: see `objects.fit`."""
        begin = time.perf_counter()
        index, fitted = objects.fit(self.shapes, self.scene, u, random_state=self.random_state)
        self.seconds["shape"] += time.perf_counter() - begin
        return Answer(prediction, index, fitted)

    def fit_scribbled(self, prediction: Prediction, u: np.ndarray) -> Answer:
        """`fit`, without the regions that hold none of their label's scribbles, of labels without a shape."""
        answer = self.fit(prediction, u) if self.shapes else Answer(prediction, prediction.index, {})
        return replace(answer, index=keep_scribbled(answer.index, self.scene.seeds, besides=self.shapes))


@dataclass
class Proposals(ABC, Generic[L]):
    """A theta, and the label images that are proposed for it.

    Attributes
    ----------
    rounds : int
        Most times that theta is re-estimated.
    projection : Projection
    stopped : bool
        Whether a callback has asked for the end.
    """

    rounds: ClassVar[int]

    projection: Projection
    stopped: bool = field(default=False, kw_only=True)

    @abstractmethod
    def first(self) -> L:
        """The first label image, for theta from the scribbles alone."""

    @abstractmethod
    def refit(self, labels: L) -> Self:
        """theta re-estimated from the regions of a label image."""

    @abstractmethod
    def objective(self, labels: L) -> float:
        """J, in nats."""

    @abstractmethod
    def propose(self, labels: L) -> Iterator[L]:
        """Label images that may lower J for this theta."""

    @abstractmethod
    def indicator(self, labels: L) -> np.ndarray:
        """1 where a pixel of the full grid bears the label, else 0: (K, *spatial) float32."""

    @abstractmethod
    def finish(self, labels: L, rules: StoppingRules) -> tuple[Answer, float]:
        """The answer on the full grid, in which no regions without scribbles are left, and its J."""


@dataclass
class ProjectionProposals(Proposals[Answer]):
    """Predictions with a proximal term at a label image, projected onto the shapes; J is that of the full grid."""

    rounds = 5  # after the second or third nothing changes on most images

    predictor: LearningPredictor
    prediction: Prediction | None = None

    def first(self) -> Answer:
        answer = self._projected(None)
        self.predictor = self.predictor.ready(self.projection.scene, answer.prediction, answer.index)
        return answer

    def refit(self, labels: Answer) -> Self:
        return replace(self, predictor=self.predictor.learn(self.projection.scene, labels.index))

    def objective(self, labels: Answer) -> float:
        return self.predictor.objective(self.projection.scene, labels.index)

    def propose(self, labels: Answer) -> Iterator[Answer]:
        """First without a proximal term, then with one at the last proposal, accepted or not."""
        for weight in _WEIGHTS if self.projection.shapes else _WEIGHTS[:1]:
            target = self.indicator(labels)
            labels = self._projected(ProximalTerm(target[1] if len(target) == 2 else target, weight))
            yield labels

    def indicator(self, labels: Answer) -> np.ndarray:
        count = len(self.projection.scene.labels)
        return np.stack([labels.index == k for k in range(count)]).astype(np.float32)

    def finish(self, labels: Answer, rules: StoppingRules) -> tuple[Answer, float]:
        assert self.prediction is not None
        return replace(labels, prediction=self.prediction), self.objective(labels)

    def _projected(self, proximal: ProximalTerm | None) -> Answer:
        free = proximal is None or not proximal.weight
        prediction = self.projection.predict(self.predictor, None if free else proximal)
        self.prediction = prediction if free else self.prediction
        self.stopped = prediction.stopped
        return self.projection.fit_scribbled(prediction, by_label(prediction))


@dataclass
class OutlineProposals(Proposals[Arrangement]):
    """The sets of least J for theta, by the shapes' own minimisers; J is that of a small grid."""

    rounds = 2  # a third changes little, for as much time

    predictor: SetPredictor
    shapes: Mapping[int, OutlineShape]
    energy: SetEnergy

    def first(self) -> Arrangement:
        return self._least(None)

    def refit(self, labels: Arrangement) -> Self:
        return replace(self, energy=self.energy.refit(labels.index))

    def objective(self, labels: Arrangement) -> float:
        return self.energy.value(labels)

    def propose(self, labels: Arrangement) -> Iterator[Arrangement]:
        yield self._least(labels.index)

    def indicator(self, labels: Arrangement) -> np.ndarray:
        return labels.indicator(self.projection.scene.seeds.shape)

    def finish(self, labels: Arrangement, rules: StoppingRules) -> tuple[Answer, float]:
        """Solve on the full grid with theta, refine the sets' boundaries there, and fit the shapes to them.

        J is evaluated afterwards only, on the small grid: it may be above that of the accepted sets.
        """
        scene, seconds = self.projection.scene, self.projection.seconds
        predictor = self.predictor.with_learned(scene, self.energy, iterate=not self.stopped)
        prediction = self.projection.predict(predictor)
        self.stopped |= prediction.stopped
        begin = time.perf_counter()
        u, shaped = by_label(prediction).copy(), list(self.shapes)
        refine = not (self.stopped or rules.out_of_time())
        sets = predictor.refine_boundary(scene, self.energy, labels) if refine else self.indicator(labels)
        u[shaped] = sets[shaped]
        seconds["solve"] += time.perf_counter() - begin
        if not self.stopped:
            self._warn_unless_convex(prediction)
        answer = self.projection.fit_scribbled(prediction, u)
        return answer, self.energy.value(self.energy.arrangement_of(answer.index, shaped))

    def _least(self, index: np.ndarray | None) -> Arrangement:
        """The outlines of least J, separated by lines; `index` ((H, W) int) is the label image before."""

        def outline(k: int, taken: np.ndarray) -> Outline:
            return self.shapes[k].outline(*self.energy.outline_problem(k, taken, index))

        costs = self.energy.excess_costs(self.shapes)
        return self.energy.arranged(objects.keep_apart(self.shapes, outline, self.energy.scene, costs))

    def _warn_unless_convex(self, prediction: Prediction) -> None:
        """A ShapeWarning for objects that the energy alone, with the last theta, finds far from convex."""
        scene = self.projection.scene
        index = keep_scribbled(prediction.index, scene.seeds)
        for k in self.shapes:
            share = objects.filled_share(index, k)
            if share < _CONVEX_SHARE:
                checks.warn_caller(
                    f"the object with label {scene.labels[k]} was expected to be convex; without the shape it would "
                    f"fill {100 * share:.0f} % of its convex hull. If it is not convex, give it None for a shape; if "
                    "it is, scribble on what looks like the other side.",
                    ShapeWarning,
                )


def by_label(prediction: Prediction) -> np.ndarray:
    """Probability of each label, of two as well: (K, *spatial)."""
    u = prediction.probability
    return np.stack([1 - u, u]) if u.ndim == prediction.index.ndim else u
