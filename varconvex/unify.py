"""How the explicit answer (a probability per pixel) and the implicit one (a shape) are brought together.

    sequential:   u = predict(scene),   nu = argmin |u - sigma(-G_nu)|^2                 (paper, eq. 5)

    joint:        min over u, nu and theta of   E(u; theta) + lambda/2 |u - sigma(-s G_nu)|^2     (paper, eq. 4)

Joint goes block by block. Every step is a proposal, and is accepted only if

    J(C; theta) = E(1_C; theta)

falls, which is the joint energy where u and shape agree, lambda -> infinity. For the variational energy J is the length
of the labels in nats, given the image: -log of the label's posterior at each pixel and, with more weight, at each
scribble, no pixel counting more than a few nats, plus the boundary's price. A theta that fits both sides well but tells
them apart worse, or forgets the scribbles, makes J rise and is refused. theta: the predictor learns from both sides of
the agreement C. u and nu: where the shape can minimise J over its sets (`outline`) and the predictor can say J for a
set (`shaped`), that minimum, on a small grid; u and the network follow on the full one at the end. Elsewhere the
prediction is pulled to C and the shape projected again, for a lambda that grows, from the sequential answer on. Without
a shape nu is left out: C is the prediction, in the parts that hold a scribble, since a part that no scribble vouches
for would teach the models wrongly.

Predictors and shapes are known by their protocols only.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .components import keep_scribbled
from .inputs import Scene
from .predictors.base import Prediction, Predictor
from .shapes.base import FittedShape, Shape

_ROUNDS = 5
"""Most times that theta is re-estimated: after the second or third nothing moves on most images."""

_PULLS = (0.0, 1.0)
"""lambda, in nats a pixel: first u is free to leave the shape, then a pixel needs half a nat to do so."""

_TAUGHT = 2
"""The same where every block is at its minimum: a third teaches little, and costs as much."""

_SETTLED = 1e-3
"""A round that moves a smaller share of the object than this is the last: mixtures cannot tell the difference."""


@dataclass(frozen=True)
class Unified:
    """What joint unification found.

    Attributes
    ----------
    prediction : Prediction
        The last accepted theta's, unpulled.
    index : (*spatial) int array
        Index of each pixel's label: the agreement.
    fitted : FittedShape or None
        Its shape, where one was asked for.
    objective : tuple of float
        J at the start and after every block's step, accepted or not: it never rises.
    seconds : dict of str to float
        Time by stage.
    """

    prediction: Prediction
    index: np.ndarray
    fitted: FittedShape | None
    objective: tuple[float, ...]
    seconds: dict[str, float]


def sequential(
    predictor: Predictor, shape: Shape, scene: Scene, *, random_state: Any = None
) -> tuple[Prediction, FittedShape, dict[str, float]]:
    """Predict, then project the prediction onto the shape once.

    Returns
    -------
    prediction : Prediction
    fitted : FittedShape
    seconds : dict of str to float
        Time by stage.

    Raises
    ------
    ScribbleConflictError
        If no set of that shape can hold the scribbles; before anything is solved.
    """
    inside, outside = _held(scene)
    shape.check(inside, outside)
    prediction = predictor.predict(scene)
    begin = time.perf_counter()
    fitted = shape.fit(
        prediction.probability, inside=inside, outside=outside, spacing=scene.spacing, random_state=random_state
    )
    return prediction, fitted, prediction.seconds | {"shape": time.perf_counter() - begin}


def joint(
    predictor: Predictor,
    shape: Shape | None,
    scene: Scene,
    *,
    time_limit: float | None = None,
    random_state: Any = None,
) -> Unified:
    """Predict, project and learn in turns, while the objective J falls.

    Ends when theta's step is refused, when a round moves less than a thousandth of the object, after five rounds, when
    `time_limit` seconds have gone, or when the predictor was told to stop; the best answer so far is returned.

    Raises
    ------
    ScribbleConflictError
        If no set of that shape can hold the scribbles; before anything is solved.
    """
    begin = time.perf_counter()
    if shape is not None:
        shape.check(*_held(scene))
        if scene.seeds.ndim == 2 and hasattr(shape, "outline") and hasattr(predictor, "shaped"):
            return _together(predictor, shape, scene, time_limit, random_state)
    seconds: defaultdict[str, float] = defaultdict(float)
    prediction = _predict(predictor, scene, None, seconds)
    index, fitted = _answer(prediction, shape, scene, seconds, random_state)
    if prediction.stopped:
        return Unified(prediction, index, fitted, (), dict(seconds))
    since = time.perf_counter()
    predictor = predictor.ready(scene, prediction, index)
    values = [predictor.objective(scene, index)]
    seconds["learn"] += time.perf_counter() - since
    for _ in range(_ROUNDS):
        if time_limit is not None and time.perf_counter() - begin >= time_limit:
            break
        since = time.perf_counter()
        sides = index[None] == np.arange(len(scene.labels)).reshape((-1,) + (1,) * index.ndim)
        taught = predictor.learn(scene, sides.astype(np.float32))
        value = taught.objective(scene, index)
        seconds["learn"] += time.perf_counter() - since
        if not value < values[-1]:
            values.append(values[-1])
            break
        predictor, before = taught, index
        values.append(value)
        free = None
        for proposal, proposed, proposed_shape in _proposals(predictor, shape, scene, index, seconds, random_state):
            free = free or proposal
            value = predictor.objective(scene, proposed)
            if value < values[-1]:
                index, fitted = proposed, proposed_shape
            values.append(min(value, values[-1]))
            if proposal.stopped:
                return Unified(free, index, fitted, tuple(values), dict(seconds))
        prediction = free or prediction
        if np.count_nonzero(index != before) <= _SETTLED * np.count_nonzero(before):
            break
    return Unified(prediction, index, fitted, tuple(values), dict(seconds))


def _together(predictor: Any, shape: Any, scene: Scene, time_limit: float | None, random_state: Any) -> Unified:
    """Where predictor and shape can: the blocks of J in turns on a small grid, then u and nu on the full one."""
    begin = time.perf_counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    energy = predictor.shaped(scene)
    outline = energy.best(shape)
    values: list[float] = [energy.value(outline)]
    stopped = predictor.watched(scene, outline, values[-1], begin)
    for _ in range(_TAUGHT):
        if stopped or (time_limit is not None and time.perf_counter() - begin >= time_limit):
            break
        taught = energy.learn(outline.mask)
        value = taught.value(outline)
        if not value < values[-1]:
            values.append(values[-1])
            break
        energy, before = taught, outline.mask
        proposed = energy.best(shape)
        values += [value, min(energy.value(proposed), value)]
        if values[-1] < value:
            outline = proposed
        stopped = predictor.watched(scene, outline, values[-1], begin)
        if np.count_nonzero(outline.mask != before) <= _SETTLED * np.count_nonzero(before):
            break
    seconds["learn"] = time.perf_counter() - begin
    prediction = _predict(predictor.settled(scene, energy, stopped), scene, None, seconds)
    target = outline.rasterize(scene.seeds.shape).astype(np.float32)
    index, fitted = _answer(replace(prediction, probability=target), shape, scene, seconds, random_state)
    return Unified(prediction, index, fitted, tuple(values), dict(seconds))


def _held(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that the object must hold, and must not: what is no part of the problem would be holes in its shape."""
    return scene.seeds == 2, (scene.seeds == 1) | (scene.seeds < 0)


def _proposals(
    predictor: Predictor,
    shape: Shape | None,
    scene: Scene,
    index: np.ndarray,
    seconds: defaultdict[str, float],
    random_state: Any,
) -> Iterator[tuple[Prediction, np.ndarray, FittedShape | None]]:
    """The block of u and nu: unpulled first, then nearer and nearer to the last proposal, accepted or not."""
    for weight in _PULLS if shape is not None else _PULLS[:1]:
        pull = (index.astype(np.float32), weight) if weight else None
        prediction = _predict(predictor, scene, pull, seconds)
        index, fitted = _answer(prediction, shape, scene, seconds, random_state)
        yield prediction, index, fitted


def _predict(predictor: Predictor, scene: Scene, pull: Any, seconds: defaultdict[str, float]) -> Prediction:
    prediction = predictor.predict(scene, pull)
    for stage, spent in prediction.seconds.items():
        seconds[stage] += spent
    return prediction


def _answer(
    prediction: Prediction, shape: Shape | None, scene: Scene, seconds: defaultdict[str, float], random_state: Any
) -> tuple[np.ndarray, FittedShape | None]:
    """The agreement of a prediction with the shape, or with the scribbles alone."""
    if shape is None:
        return keep_scribbled(prediction.index, scene.seeds), None
    begin = time.perf_counter()
    inside, outside = _held(scene)
    fitted = shape.fit(
        prediction.probability, inside=inside, outside=outside, spacing=scene.spacing, random_state=random_state
    )
    seconds["shape"] += time.perf_counter() - begin
    return fitted.mask.astype(np.int64), fitted
