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

There is one loop and two ways to propose C (`proposals`). Where the predictor has an energy of sets (`SetPredictor`)
and every shape minimises it over its own sets (`OutlineShape`), the minimiser itself is proposed; no sequence of
projections reaches it, since a projection knows neither the direction of edges nor the lower boundary cost of a convex
set. Volumes, other shapes, no shape at all and predictors without such an energy have no minimiser to propose: there
the prediction is solved with a proximal term at C and projected again. The former evaluates J on a small grid with the
boundary cost of outlines, the latter on the full one with the total variation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from . import objects
from .errors import InvalidParameterError
from .inputs import Scene
from .predictors.base import LearningPredictor, Predictor, SetPredictor
from .proposals import Answer, L, OutlineProposals, Projection, ProjectionProposals, Proposals, by_label
from .shapes.base import OutlineShape, Shape
from .solvers.solution import Progress
from .solvers.stopping import Callback, StoppingRules

_LEAST_CHANGE = 1e-3
"""A round that changes a smaller share of the object is the last: mixtures hardly depend on so few pixels."""


@dataclass(frozen=True, eq=False)
class JointProgress(Progress):
    """State of joint unification, shown to the callback after the first answer and after each proposal.

    `primal` is J of the labels accepted so far, in nats; no bound is known, since J is not convex in labels and theta
    together: `dual` is -inf, `relative_gap` inf, `iteration` 0. `u` is the labels' indicator, of the object or of each
    of K > 2 labels: (*spatial) or (K, *spatial) float32.

    Attributes
    ----------
    round : int
        How many times theta has been re-estimated.
    """

    round: int = 0


@dataclass(frozen=True)
class Unified(Answer):
    """Result of unification: the prediction under the last accepted theta, without a proximal term; and the labels.

    Attributes
    ----------
    objective : tuple of float
        J at the start and after each step, accepted or not, which never rises; and, last, J of `index` itself.
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
    projection = Projection(scene, shapes, random_state)
    prediction = projection.predict(predictor)
    found = Answer(prediction, prediction.index, {})
    if shapes:
        found = projection.fit(prediction, by_label(prediction))
    return Unified(**vars(found), objective=(), seconds=dict(projection.seconds), stopped=prediction.stopped)


def joint(
    predictor: Predictor,
    shapes: Mapping[int, Shape],
    scene: Scene,
    *,
    time_limit: float | None = None,
    callback: Callback = None,
    random_state: int | np.random.Generator | None = None,
) -> Unified:
    """Predict, project and re-estimate theta in turns, while the objective J falls.

    Ends when theta is rejected, when a round changes less than a thousandth of the objects, after a few of them, when
    `time_limit` seconds have gone, or when the callback returns True; the best answer so far is returned. The other
    parameters are those of `sequential`.

    Parameters
    ----------
    callback : callable, optional
        Called with a `JointProgress`; returning True stops. The solver calls the predictor's own.

    Raises
    ------
    ScribbleConflictError
        If no sets of these shapes can hold the scribbles; before anything is solved.
    InvalidParameterError
        If the predictor is not one that learns.
    """
    rules = StoppingRules.checked(1, 0.0, time_limit, callback)
    objects.check(shapes, scene)
    projection = Projection(scene, shapes, random_state)
    outlines = {k: shape for k, shape in shapes.items() if isinstance(shape, OutlineShape)}
    if shapes and len(outlines) == len(shapes) and scene.seeds.ndim == 2 and isinstance(predictor, SetPredictor):
        energy = predictor.set_energy(scene)
        return _alternate(OutlineProposals(projection, predictor, outlines, energy), rules)
    if not isinstance(predictor, LearningPredictor):
        raise InvalidParameterError(
            f"unify='joint' takes a predictor with ready(), learn() and objective(); got {predictor!r:.80}. Use "
            "'sequential'."
        )
    return _alternate(ProjectionProposals(projection, predictor), rules)


def _alternate(model: Proposals[L], rules: StoppingRules) -> Unified:
    """theta and the label image in turns, each step accepted only if it lowers J."""
    labels = model.first()
    values = [model.objective(labels)]

    def progress() -> JointProgress:
        u = model.indicator(labels)
        return JointProgress(0, rules.elapsed(), values[-1], -np.inf, np.inf, u[1] if len(u) == 2 else u, round=done)

    def stopped() -> bool:
        model.stopped = model.stopped or rules.status(0, np.inf, progress) == "stopped"
        return model.stopped

    done = 0
    going = not stopped()
    while going and done < model.rounds and not rules.out_of_time():
        refitted, done = model.refit(labels), done + 1
        value = refitted.objective(labels)
        values.append(min(value, values[-1]))
        if not value < values[-2]:
            break
        model, before = refitted, labels.index
        for proposal in model.propose(labels):
            value = model.objective(proposal)
            labels = proposal if value < values[-1] else labels
            values.append(min(value, values[-1]))
            going = not stopped()
            if not going:
                break
        going = going and _changed(labels.index, before)
    seconds = model.projection.seconds
    seconds["learn"] = rules.elapsed() - sum(seconds.values())
    found, value = model.finish(labels, rules)
    return Unified(**vars(found), objective=(*values, value), seconds=dict(seconds), stopped=model.stopped)


def _changed(index: np.ndarray, before: np.ndarray) -> bool:
    """Whether enough pixels have another label than before."""
    return bool(np.count_nonzero(index != before) > _LEAST_CHANGE * np.count_nonzero(before))
