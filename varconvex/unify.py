"""Unification of the explicit representation (a probability per pixel) and the implicit one (a shape).

    sequential:   u = predict(scene),   nu = argmin |u - sigma(-G_nu)|^2                 (paper, eq. 5)
    joint:        min over u, nu and theta of   E(u; theta) + lambda/2 |u - sigma(-s G_nu)|^2     (paper, eq. 4)

Joint unification alternates over theta and the label image C. Each step is a proposal, accepted only if

    J(C; theta) = data cost of C under theta + boundary cost of C

falls, which is the joint energy where u and shape agree, lambda -> infinity (`predictors.appearance.base` has the data
cost). theta is re-estimated from all regions of C: a theta that fits all regions well but separates them less, or
contradicts the scribbles, makes J rise and is rejected. Without a shape C is the prediction, in the parts that hold a
scribble, since a part without one would train the models wrongly. Several objects are separated by lines (`objects`),
so that each keeps its shape; J is that of all of them together.

There is one loop and two ways to propose C. Where the predictor has an energy of sets (`SetPredictor`)
and every shape minimises it over its own sets (`OutlineShape`), the minimiser itself is proposed; no sequence of
projections reaches it, since a projection knows neither the direction of edges nor the lower boundary cost of a convex
set. Volumes, other shapes, no shape at all and predictors without such an energy have no minimiser to propose: there
the prediction is solved with a proximal term at C and projected again. The former evaluates J on a small grid with the
boundary cost of outlines, the latter on the full one with the total variation.
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
from .geometry.components import keep_scribbled
from .geometry.outline import Outline
from .inputs import Scene
from .predictors.base import LearningPredictor, Prediction, Predictor, ProximalTerm, SetPredictor
from .predictors.others import USUAL
from .predictors.set_energy import Arrangement, SetEnergy
from .shapes.base import FittedShape, OutlineShape, Shape
from .solvers.solution import Callback, Progress, StoppingRules

_WEIGHTS = (0.0, 1.0)
"""Weights lambda of the proximal term, in nats per pixel: at first u may leave the shape, then it costs half a nat."""

_LEAST_CHANGE = 1e-3
"""A round that changes a smaller share of the object is the last: mixtures hardly depend on so few pixels."""

_ALIKE, _LOWER_IF_ALIKE, _LOWER = 0.15, 0.95, 1 / 3
"""Factor by which J under a theta of its own must be lower for one start than for the other: where they differ in at most
this share of their objects' pixels, and where they differ in more. Then the values compare badly, since a smaller object
is easily told from the rest: wrong starts came down to a half; right ones, beside a theta that had taken the
background for the object, to one fifth."""

_CONVEX_SHARE = 0.9
"""Least share of its hull that a convex object fills when it is segmented without a shape: .92 and more of 32 that are
nearly convex, on 29 of 33 others less than this."""


@dataclass(frozen=True, eq=False)
class JointProgress(Progress):
    """State of joint unification, shown to the callback after the first answer and after each proposal.

    `primal` is J of the labels accepted so far, in nats; no bound is known, since J is not convex in labels and theta
    together: `dual` is -inf, `relative_gap` inf, `iteration` 0. `u` is the labels' indicator, of the object or of each
    of K > 2 labels: (*spatial) or (K, *spatial) float32. `round` counts how often theta has been re-estimated.
    """

    round: int = 0


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


def sequential(
    predictor: Predictor,
    shapes: Mapping[int, Shape],
    scene: Scene,
    *,
    random_state: int | np.random.Generator | None = None,
) -> Unified:
    """Predict, then project the prediction onto the shapes once; there is no objective.

    Parameters
    ----------
    predictor : Predictor
    shapes : mapping of int to Shape
        By index of the label, from 1 on; may be empty.
    scene : Scene
    random_state : int or numpy.random.Generator, optional

    Raises
    ------
    ScribbleConflictError
        If no sets of these shapes can hold the scribbles; before anything is solved.
    """
    objects.check(shapes, scene)
    problem = _Problem(scene, shapes, random_state)
    return problem.unified(problem.fit(problem.predict(predictor)), ())


def joint(
    predictor: Predictor,
    shapes: Mapping[int, Shape],
    scene: Scene,
    *,
    time_limit: float | None = None,
    callback: Callback = None,
    random_state: int | np.random.Generator | None = None,
) -> Unified:
    """Predict, project and re-estimate theta in turns, while the objective J falls; parameters as in `sequential`.

    A predictor that does not learn has no objective, and its first answer is returned.

    Ends when theta is rejected, when a round changes less than a thousandth of the objects, after a few of them, when
    `time_limit` seconds have gone, or when `callback`, which gets a `JointProgress`, returns True (the solver calls
    the predictor's own); the best answer so far is returned.
    """
    rules = StoppingRules.checked(1, 0.0, time_limit, callback)
    objects.check(shapes, scene)
    problem = _Problem(scene, shapes, random_state)
    outlines = {k: shape for k, shape in shapes.items() if isinstance(shape, OutlineShape)}
    if shapes and len(outlines) == len(shapes) and scene.seeds.ndim == 2 and isinstance(predictor, SetPredictor):
        return _alternate(_Outlines(problem, predictor, outlines), rules)
    if isinstance(predictor, LearningPredictor):
        return _alternate(_Projections(problem, predictor), rules)
    return problem.unified(problem.fit_scribbled(problem.predict(predictor)), ())


def _alternate(model: "_Proposals[T]", rules: StoppingRules) -> Unified:
    """theta and the label image in turns, each step accepted only if it lowers J."""
    labels, problem, done = model.labels, model.problem, 0
    values = [model.objective(labels)]

    def progress() -> JointProgress:
        u = labels.indicator(problem.scene.seeds.shape)
        return JointProgress(0, rules.elapsed(), values[-1], -np.inf, np.inf, u[1] if len(u) == 2 else u, round=done)

    def stopped() -> bool:
        problem.stopped = problem.stopped or rules.status(0, np.inf, progress) == "stopped"
        return problem.stopped

    going = not stopped()
    while going and done < model.rounds and not rules.out_of_time():
        theta, before, done = model.theta, labels.index, done + 1
        model.refit(labels)
        value = model.objective(labels)
        values.append(min(value, values[-1]))
        if not value < values[-2]:
            model.theta = theta
            break
        for proposal in model.propose(labels):
            value = model.objective(proposal)
            labels = proposal if value < values[-1] else labels
            values.append(min(value, values[-1]))
            if not (going := not stopped()):
                break
        changed = np.count_nonzero(labels.index != before)
        going = going and bool(changed > _LEAST_CHANGE * np.count_nonzero(before))
    problem.seconds["learn"] = rules.elapsed() - sum(problem.seconds.values())
    found, value = model.finish(labels, rules)
    return problem.unified(found, (*values, value))


@dataclass
class _Problem:
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
        u = _by_label(prediction) if u is None else u
        index, fitted = objects.fit(self.shapes, self.scene, u, random_state=self.random_state)
        self.seconds["shape"] += time.perf_counter() - begin
        return Answer(prediction, index, fitted)

    def fit_scribbled(self, prediction: Prediction, u: np.ndarray | None = None) -> Answer:
        """`fit`, without the parts that hold none of their label's scribbles, of labels without a shape."""
        answer = self.fit(prediction, u)
        return replace(answer, index=keep_scribbled(answer.index, self.scene.seeds, besides=self.shapes))

    def unified(self, found: Answer, objective: tuple[float, ...]) -> Unified:
        return Unified(**vars(found), objective=objective, seconds=dict(self.seconds), stopped=self.stopped)


T = TypeVar("T")


class _Proposals(ABC, Generic[T]):
    """theta, and label images that may lower J for it; `labels` is the first one, for the scribbles alone."""

    rounds: ClassVar[int]
    problem: _Problem
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


class _Projections(_Proposals[LearningPredictor]):
    """Predictions with a proximal term at a label image, projected onto the shapes; J is that of the full grid."""

    rounds = 5  # after the second or third nothing changes on most images

    def __init__(self, problem: _Problem, predictor: LearningPredictor):
        self.problem, self.theta = problem, predictor
        self.labels = self._projected(None)
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
        answer = self.problem.fit_scribbled(prediction)
        return Arrangement({}, answer.index, len(self.problem.scene.labels), answer.fitted)


class _Outlines(_Proposals[SetEnergy]):
    """The sets of least J for theta, by the shapes' own minimisers; J is that of a small grid."""

    rounds = 2  # a third changes little, for as much time

    def __init__(self, problem: _Problem, predictor: SetPredictor, shapes: Mapping[int, OutlineShape]):
        self.problem, self.predictor, self.shapes = problem, predictor, shapes
        self.theta = predictor.set_energy(problem.scene)
        self._find_others()
        self.labels = self._least(None)
        self._start_from_projection()

    def refit(self, labels: Arrangement) -> None:
        self.theta = self.theta.refit(labels.index)

    def objective(self, labels: Arrangement) -> float:
        return self.theta.value(labels)

    def propose(self, labels: Arrangement) -> Iterator[Arrangement]:
        yield self._least(labels.index)

    def finish(self, labels: Arrangement, rules: StoppingRules) -> tuple[Answer, float]:
        """Solve on the full grid with theta, refine the sets' boundaries there, and fit the shapes to them.

        J is evaluated afterwards only, on the small grid: it may be above that of the accepted sets.
        """
        problem, scene, shaped = self.problem, self.problem.scene, list(self.shapes)
        predictor = self.predictor.with_learned(scene, self.theta, iterate=not problem.stopped)
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

    def _find_others(self) -> None:
        """Give theta the share of other objects of the same kind in the background, where there are some."""
        alone, count = self.theta, len(self.problem.scene.labels) - 1
        self.theta = alone.with_others(np.full(count, USUAL / count))
        if self.theta is not alone:
            shares = self.theta.others(self._least(None))
            self.theta = alone.with_others(shares) if shares.any() else alone

    def _start_from_projection(self) -> None:
        """Start from the projection of the total variation's answer, where J prefers it.

        It is the better start where theta has been estimated from too little: where all strokes are on one side, what
        is farther away than any of them is the object's by position, and an outline of all of it may be the least.
        """
        parts = self.theta.scribbled_parts()
        costs = np.stack([np.where(parts == k, -1.0, 1.0) for k in range(len(self.theta.costs))])

        def nearest(k: int, taken: np.ndarray) -> Outline:
            inside, outside = self.theta.scene.held(k)
            return self.shapes[k].outline(costs[k], lambda points, normals: np.zeros(()), inside, outside | taken)

        found = self.theta.arranged(objects.keep_apart(self.shapes, nearest, self.theta.scene, costs))
        if self.theta.value(found) < self.theta.value(self.labels):
            self.labels = found
            return
        differ = np.count_nonzero(found.index != self.labels.index)
        alike = differ <= _ALIKE * np.count_nonzero(found.index | self.labels.index)
        theta, other = (self.theta.refit(labels.index) for labels in (found, self.labels))
        if theta.value(found) < (_LOWER_IF_ALIKE if alike else _LOWER) * other.value(self.labels):
            self.theta, self.labels = theta, found

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
            share = objects.filled_share(index, k)
            if share < _CONVEX_SHARE:
                checks.warn_caller(
                    f"the object with label {scene.labels[k]} was expected to be convex; without the shape it would "
                    f"fill {100 * share:.0f} % of its convex hull. If it is not convex, give it None for a shape; if "
                    "it is, scribble on what looks like the other side.",
                    ShapeWarning,
                )


def _by_label(prediction: Prediction) -> np.ndarray:
    """Probability of each label, of two as well: (K, *spatial)."""
    u = prediction.probability
    return np.stack([1 - u, u]) if u.ndim == prediction.index.ndim else u
