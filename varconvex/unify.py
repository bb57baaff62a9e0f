"""How the explicit answer (a probability per pixel) and the implicit one (a shape) are brought together.

    sequential:   u = predict(scene),   nu = argmin |u - sigma(-G_nu)|^2                 (paper, eq. 5)

    joint:        min over u, nu and theta of   E(u; theta) + lambda/2 |u - sigma(-s G_nu)|^2     (paper, eq. 4)

Joint goes block by block. Every step is a proposal, and is accepted only if

    J(C; theta) = E(1_C; theta)

falls, which is the joint energy where u and shape agree, lambda -> infinity. For the variational energy J is the length
of the labels in nats, given the image: -log of the label's posterior at each pixel and, with more weight, at each
scribble, no pixel counting more than a few nats, plus the boundary's price. A theta that fits all regions well but
tells them apart worse, or forgets the scribbles, makes J rise and is refused. theta: the predictor learns from all
regions of the agreement C. u and nu: where the shapes can minimise J over their sets (`outline`) and the predictor can
say J for sets (`shaped`), that minimum, on a small grid; u and the networks follow on the full one at the end.
Elsewhere the prediction is pulled to C and the shapes projected again, for a lambda that grows, from the sequential
answer on. Without a shape nu is left out: C is the prediction, in the parts that hold a scribble, since a part that no
scribble vouches for would teach the models wrongly. Several objects are kept apart by lines (`objects.py`), so that
each stays what its shape promises; J is that of all of them together.

Predictors and shapes are known by their protocols only.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import checks, objects
from .errors import ShapeWarning
from .geometry.components import keep_scribbled
from .inputs import Scene
from .predictors.base import Prediction, Predictor
from .shapes.base import FittedShape, OutlineShape, Shape

_ROUNDS = 5
"""Most times that theta is re-estimated: after the second or third nothing moves on most images."""

_PULLS = (0.0, 1.0)
"""lambda, in nats a pixel: first u is free to leave the shape, then a pixel needs half a nat to do so."""

_TAUGHT = 2
"""The same where every block is at its minimum: a third teaches little, and costs as much."""

_SETTLED = 1e-3
"""A round that moves a smaller share of the object than this is the last: mixtures cannot tell the difference."""

_CONVEX_ENOUGH = 0.9
"""Share of its hull that a convex object fills when it is found without a shape: .92 and more of 32 that are nearly
convex, on 29 of 33 others less than this."""


@dataclass(frozen=True)
class Unified:
    """What joint unification found.

    Attributes
    ----------
    prediction : Prediction
        The last accepted theta's, unpulled.
    index : (*spatial) int array
        Index of each pixel's label: the agreement.
    fitted : dict of int to FittedShape
        The shapes by index of their labels, where any were asked for.
    objective : tuple of float
        J at the start and after every block's step, accepted or not: it never rises.
    seconds : dict of str to float
        Time by stage.
    """

    prediction: Prediction
    index: np.ndarray
    fitted: dict[int, FittedShape]
    objective: tuple[float, ...]
    seconds: dict[str, float]


def sequential(predictor: Predictor, shapes: Mapping[int, Shape], scene: Scene, *, random_state: Any = None) -> Unified:
    """Predict, then project the prediction onto the shapes once; there is no objective.

    Parameters
    ----------
    predictor : Predictor
    shapes : mapping of int to Shape
        By index of the label, from 1 on.
    scene : Scene
    random_state : int or numpy.random.Generator, optional

    Raises
    ------
    ScribbleConflictError
        If no sets of these shapes can hold the scribbles; before anything is solved.
    """
    objects.check(shapes, scene)
    prediction = predictor.predict(scene)
    seconds = defaultdict(float, prediction.seconds)
    index, fitted = _fitted(shapes, scene, _by_label(prediction), seconds, random_state)
    return Unified(prediction, index, fitted, (), dict(seconds))


def joint(
    predictor: Predictor,
    shapes: Mapping[int, Shape],
    scene: Scene,
    *,
    time_limit: float | None = None,
    random_state: Any = None,
) -> Unified:
    """Predict, project and learn in turns, while the objective J falls.

    Ends when theta's step is refused, when a round moves less than a thousandth of the objects, after five rounds, when
    `time_limit` seconds have gone, or when the predictor was told to stop; the best answer so far is returned.
    Parameters are those of `sequential`; `shapes` may be empty.

    Raises
    ------
    ScribbleConflictError
        If no sets of these shapes can hold the scribbles; before anything is solved.
    """
    begin = time.perf_counter()
    objects.check(shapes, scene)
    direct = bool(shapes) and all(isinstance(shape, OutlineShape) for shape in shapes.values())
    if direct and scene.seeds.ndim == 2 and hasattr(predictor, "shaped"):
        return _together(predictor, shapes, scene, time_limit, random_state)
    seconds: defaultdict[str, float] = defaultdict(float)
    prediction = _predict(predictor, scene, None, seconds)
    index, fitted = _answer(prediction, shapes, scene, seconds, random_state)
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
        taught = predictor.learn(scene, _sides(scene, index))
        value = taught.objective(scene, index)
        seconds["learn"] += time.perf_counter() - since
        if not value < values[-1]:
            values.append(values[-1])
            break
        predictor, before = taught, index
        values.append(value)
        free = None
        for proposal, proposed, proposed_shapes in _proposals(predictor, shapes, scene, index, seconds, random_state):
            free = free or proposal
            value = predictor.objective(scene, proposed)
            if value < values[-1]:
                index, fitted = proposed, proposed_shapes
            values.append(min(value, values[-1]))
            if proposal.stopped:
                return Unified(free, index, fitted, tuple(values), dict(seconds))
        prediction = free or prediction
        if _settled(index, before):
            break
    return Unified(prediction, index, fitted, tuple(values), dict(seconds))


def _together(
    predictor: Any, shapes: Mapping[int, Any], scene: Scene, time_limit: float | None, random_state: Any
) -> Unified:
    """Where predictor and shapes can: the blocks of J in turns on a small grid, then u and nu on the full one."""
    begin = time.perf_counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    energy = predictor.shaped(scene)
    found = _arranged(energy, shapes, None)
    values: list[float] = [energy.value(found)]
    stopped = predictor.watched(scene, found, values[-1], begin)
    for _ in range(_TAUGHT):
        if stopped or (time_limit is not None and time.perf_counter() - begin >= time_limit):
            break
        taught = energy.learn(found.index)
        value = taught.value(found)
        if not value < values[-1]:
            values.append(values[-1])
            break
        energy, before = taught, found.index
        proposed = _arranged(energy, shapes, before)
        values += [value, min(energy.value(proposed), value)]
        if values[-1] < value:
            found = proposed
        stopped = predictor.watched(scene, found, values[-1], begin)
        if _settled(found.index, before):
            break
    seconds["learn"] = time.perf_counter() - begin
    settled = predictor.settled(scene, energy, stopped)
    prediction = _predict(settled, scene, None, seconds)
    u = _by_label(prediction).copy()
    since = time.perf_counter()
    if prediction.stopped or (time_limit is not None and since - begin >= time_limit):
        held = found.indicator(scene.seeds.shape)
    else:
        held = settled.sharpened(scene, energy, found)
    u[list(shapes)] = held[list(shapes)]
    seconds["solve"] += time.perf_counter() - since
    if not prediction.stopped:
        _doubt(prediction, shapes, scene)
    index, fitted = _fitted(shapes, scene, u, seconds, random_state)
    return Unified(prediction, keep_scribbled(index, scene.seeds, besides=shapes), fitted, tuple(values), dict(seconds))


def _doubt(prediction: Prediction, shapes: Mapping[int, Any], scene: Scene) -> None:
    """Warn of objects that the energy alone, with what was learnt, finds far from convex."""
    index = keep_scribbled(prediction.index, scene.seeds)
    for k in shapes:
        share = objects.filled_share(index, k)
        if share < _CONVEX_ENOUGH:
            checks.warn_caller(
                f"the object with label {scene.labels[k]} was expected to be convex; without the shape it would fill "
                f"{100 * share:.0f} % of its convex hull. If it is not convex, give it None for a shape; if it is, "
                "scribble on what looks like the other side.",
                ShapeWarning,
            )


def _arranged(energy: Any, shapes: Mapping[int, Any], index: np.ndarray | None) -> Any:
    """The outlines of least J, kept apart by lines; `index` is whose each pixel was."""

    def outlined(k: int, taken: np.ndarray) -> Any:
        return energy.outline(k, shapes[k], taken, index)

    return energy.arranged(objects.keep_apart(shapes, outlined, energy.scene, energy.losses(shapes)))


def _settled(index: np.ndarray, before: np.ndarray) -> bool:
    return bool(np.count_nonzero(index != before) <= _SETTLED * np.count_nonzero(before))


def _sides(scene: Scene, index: np.ndarray) -> np.ndarray:
    """1 where a pixel bears the label: (K, *spatial) float32."""
    return (index[None] == np.arange(len(scene.labels)).reshape((-1,) + (1,) * index.ndim)).astype(np.float32)


def _by_label(prediction: Prediction) -> np.ndarray:
    """Probability of each label, of two as well: (K, *spatial)."""
    u = prediction.probability
    return np.stack([1 - u, u]) if u.ndim == prediction.index.ndim else u


def _proposals(
    predictor: Predictor,
    shapes: Mapping[int, Shape],
    scene: Scene,
    index: np.ndarray,
    seconds: defaultdict[str, float],
    random_state: Any,
) -> Iterator[tuple[Prediction, np.ndarray, dict[int, FittedShape]]]:
    """The block of u and nu: unpulled first, then nearer and nearer to the last proposal, accepted or not."""
    for weight in _PULLS if shapes else _PULLS[:1]:
        target = index.astype(np.float32) if len(scene.labels) == 2 else _sides(scene, index)
        prediction = _predict(predictor, scene, (target, weight) if weight else None, seconds)
        index, fitted = _answer(prediction, shapes, scene, seconds, random_state)
        yield prediction, index, fitted


def _predict(predictor: Predictor, scene: Scene, pull: Any, seconds: defaultdict[str, float]) -> Prediction:
    prediction = predictor.predict(scene, pull)
    for stage, spent in prediction.seconds.items():
        seconds[stage] += spent
    return prediction


def _answer(
    prediction: Prediction,
    shapes: Mapping[int, Shape],
    scene: Scene,
    seconds: defaultdict[str, float],
    random_state: Any,
) -> tuple[np.ndarray, dict[int, FittedShape]]:
    """The agreement of a prediction with the shapes, and with the scribbles of what has none."""
    if not shapes:
        return keep_scribbled(prediction.index, scene.seeds), {}
    index, fitted = _fitted(shapes, scene, _by_label(prediction), seconds, random_state)
    return keep_scribbled(index, scene.seeds, besides=shapes), fitted


def _fitted(
    shapes: Mapping[int, Shape], scene: Scene, u: np.ndarray, seconds: defaultdict[str, float], random_state: Any
) -> tuple[np.ndarray, dict[int, FittedShape]]:
    begin = time.perf_counter()
    found = objects.fit(shapes, scene, u, random_state=random_state)
    seconds["shape"] += time.perf_counter() - begin
    return found
