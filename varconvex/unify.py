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

There is one loop and three ways to propose C. Where the predictor has an energy of sets (`SetPredictor`)
and every shape minimises it over its own sets (`OutlineShape`), the minimiser itself is proposed; no sequence of
projections reaches it, since a projection knows neither the direction of edges nor the lower boundary cost of a convex
set. In volumes the convex sets of least data cost are proposed (`solids`). Other shapes, no shape at all and other
predictors have no minimiser to propose: there the prediction is solved with a proximal term at C and projected again.
The first evaluates J on a small grid with the boundary cost of outlines, the second on the full one without a boundary
cost, the last on the full one with the total variation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from . import objects
from .inputs import Scene
from .predictors.base import LearningPredictor, Predictor, SetPredictor
from .predictors.energy import EnergyPredictor
from .proposals import Outlines, Problem, Projections, Proposals, T, Unified
from .shapes.base import ConvexSets, OutlineShape, Shape
from .solids import Solids
from .solvers.solution import Callback, Progress, StoppingRules
from .threads import checkpoint, in_time

_LEAST_CHANGE = 1e-3
"""A round that changes a smaller share of the object is the last: mixtures hardly depend on so few pixels."""


@dataclass(frozen=True, eq=False)
class JointProgress(Progress):
    """State of joint unification, shown to the callback after the first answer and after each proposal.

    `primal` is J of the labels accepted so far, in nats; no bound is known, since J is not convex in labels and theta
    together: `dual` is -inf, `relative_gap` inf, `iteration` 0. `u` is the labels' indicator, of the object or of each
    of K > 2 labels: (*spatial) or (K, *spatial) float32. `round` counts how often theta has been re-estimated.
    """

    round: int = 0


def sequential(
    predictor: Predictor,
    shapes: Mapping[int, Shape],
    scene: Scene,
    *,
    random_state: int | np.random.Generator | None = None,
) -> Unified:
    """Predict, then project the parts of the prediction that hold a scribble once; there is no objective.

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
    problem = Problem(scene, shapes, random_state)
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
    `time_limit` seconds have gone, also within a round, or when `callback`, which gets a `JointProgress`, returns True
    (the solver calls the predictor's own); the best answer so far is returned.
    """
    rules = StoppingRules.checked(1, 0.0, time_limit, callback)
    objects.check(shapes, scene)
    problem = Problem(scene, shapes, random_state)
    outlines = {k: shape for k, shape in shapes.items() if isinstance(shape, OutlineShape)}
    if shapes and len(outlines) == len(shapes) and scene.seeds.ndim == 2 and isinstance(predictor, SetPredictor):
        return _alternate(Outlines(problem, predictor, outlines, rules), rules)
    prediction = problem.predict(predictor)
    solids = convex_solids(predictor, shapes, scene)
    if solids and isinstance(predictor, EnergyPredictor):
        sets = None if problem.stopped else in_time(
            lambda: Solids(problem, predictor, solids, prediction), rules.deadline
        )  # fmt: skip
        if sets is not None:
            return _alternate(sets, rules)
    first = problem.fit_scribbled(prediction)
    if not isinstance(predictor, LearningPredictor) or rules.out_of_time():
        return problem.unified(first, ())
    start = in_time(lambda: Projections(problem, predictor, first), rules.deadline)
    return problem.unified(first, ()) if start is None else _alternate(start, rules)


def convex_solids(predictor: Predictor, shapes: Mapping[int, Shape], scene: Scene) -> dict[int, ConvexSets]:
    """`shapes`, if joint unification finds their sets directly in a volume (`solids`); else none."""
    found = {k: shape for k, shape in shapes.items() if isinstance(shape, ConvexSets)}
    direct = scene.seeds.ndim == 3 and isinstance(predictor, EnergyPredictor) and len(found) == len(shapes)
    return found if direct else {}


def _alternate(model: "Proposals[T]", rules: StoppingRules) -> Unified:
    """theta and the label image in turns, each step accepted only if it lowers J."""
    labels, problem, done = model.labels, model.problem, 0
    values = [model.objective(labels)]

    def progress() -> JointProgress:
        u = labels.indicator(problem.scene.seeds.shape)
        return JointProgress(0, rules.elapsed(), values[-1], -np.inf, np.inf, u[1] if len(u) == 2 else u, round=done)

    def stopped() -> bool:
        problem.stopped = problem.stopped or rules.status(0, np.inf, progress) == "stopped"
        return problem.stopped

    def rounds() -> None:
        nonlocal labels, done
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
                checkpoint()
                value = model.objective(proposal)
                labels = proposal if value < values[-1] else labels
                values.append(min(value, values[-1]))
                if not (going := not stopped()):
                    break
            changed = np.count_nonzero(labels.index != before)
            going = going and bool(changed > _LEAST_CHANGE * np.count_nonzero(before))

    in_time(rounds, rules.deadline)
    problem.seconds["learn"] = rules.elapsed() - sum(problem.seconds.values())
    found, value = model.finish(labels, rules)
    return problem.unified(found, (*values, value))
