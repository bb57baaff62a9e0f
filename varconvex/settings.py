"""Keywords of `segment` that do not concern the image: checked once, and turned into parts for each scene."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import checks
from .backends import ArrayBackend
from .errors import DataTermWarning, InvalidParameterError, InvalidScribblesError
from .extractors.features import as_features
from .families import find, names
from .inputs import Scene
from .likelihoods.base import Likelihood
from .likelihoods.held_out import weighed
from .likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from .options import TV, Components, EdgeWeight, Relaxation, Unify
from .predictors.appearance.channels import groups_of
from .predictors.base import Predictor
from .predictors.classifier import ClassifierPredictor
from .predictors.energy import EnergyPredictor, default_alpha
from .predictors.fcn import NetworkPredictor
from .shapes.base import Shape
from .solvers.solution import Callback


@dataclass(frozen=True, eq=False)
class Settings:
    """Keywords of `segment`, checked; what each means stands there. Names of parts have become parts.

    `backend` is the one that computes, `random_state` a generator.
    """

    backend: ArrayBackend
    alpha: float | None
    shape: Any
    unify: Unify | None
    predictor: Any
    likelihood: Any
    edge_weight: EdgeWeight | np.ndarray | None
    tv: TV
    relaxation: Relaxation
    components: Components
    max_iter: int
    tol: float
    time_limit: float | None
    callback: Callback
    certainty: bool
    random_state: Any
    features: Any = None

    def __post_init__(self) -> None:
        if self.unify is not None:
            checks.one_of("unify", self.unify, Unify)
        checks.one_of("tv", self.tv, TV)
        checks.one_of("relaxation", self.relaxation, Relaxation)
        checks.one_of("components", self.components, Components)
        checks.function("callback", self.callback)
        if isinstance(self.edge_weight, str):
            checks.one_of("edge_weight", self.edge_weight, EdgeWeight)
        several = isinstance(self.shape, Mapping)
        shapes = self.shape if several else {None: self.shape}
        shapes = {label: None if value is None else part("shapes", value) for label, value in shapes.items()}
        checked = {
            "max_iter": checks.whole_number("max_iter", self.max_iter),
            "certainty": checks.boolean("certainty", self.certainty),
            "tol": checks.real_number("tol", self.tol),
            "random_state": checks.generator(self.random_state),
            "likelihood": part("likelihoods", self.likelihood),
            "predictor": self.predictor if self.plain else part("predictors", self.predictor),
            "shape": shapes if several else shapes[None],
            "features": None if self.features is None else as_features(self.features),
        }
        for name in ("alpha", "time_limit"):
            if (value := getattr(self, name)) is not None:
                checked[name] = checks.real_number(name, value)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def plain(self) -> bool:
        """Whether the predictor is the energy itself."""
        return isinstance(self.predictor, str) and self.predictor == "energy"

    @property
    def joint(self) -> bool:
        """Whether energy, shapes and appearance are found together."""
        return self.unify == "joint" or (self.unify is None and self.shaped)

    @property
    def shapes(self) -> list[Shape]:
        """The shapes that objects have."""
        shapes = self.shape.values() if isinstance(self.shape, Mapping) else (self.shape,)
        return [shape for shape in shapes if shape is not None]

    @property
    def shaped(self) -> bool:
        """Whether an object has a shape."""
        return bool(self.shapes)

    def energy_for(self, scene: Scene) -> EnergyPredictor:
        """The energy of these settings."""
        return EnergyPredictor(
            likelihood=self.likelihood,
            alpha=default_alpha(scene) if self.alpha is None else self.alpha,
            edge_weight=self.edge_weight,
            tv=self.tv,
            backend=self.backend,
            max_iter=self.max_iter,
            tol=self.tol,
            time_limit=self.time_limit,
            callback=self.callback,
            relaxation=self.relaxation,
            part_crowds=self.components == "scribbled",
        )

    def predictor_for(self, scene: Scene) -> Predictor:
        """The predictor, with the energy of these settings wherever it has none of its own."""
        energy = self.energy_for(scene)
        if self.plain:
            return energy
        # The energy draws no random numbers: so that a shape's are the same with any predictor, a copy draws the seed.
        seed, predictor = int(deepcopy(self.random_state).integers(2**31)), self.predictor
        if self.features is not None:
            if not isinstance(predictor, NetworkPredictor | ClassifierPredictor):
                raise InvalidParameterError(
                    f"features need predictor 'energy', 'fcn', 'cnn' or a classifier; got {predictor!r:.80}. Leave "
                    "them out."
                )
            if predictor.features is None:
                groups = (*(group for group in groups_of(predictor.inputs) if group != "features"), "features")
                predictor = replace(predictor, inputs="+".join(groups), features=self.features)
        return predictor.with_defaults(energy, seed)

    def scene_for(self, scene: Scene) -> Scene:
        """The scene with the features beside its colours, if there are any that help the likelihood.

        Not in joint unification: convex outlines found with them were worse (.021 of IoU on photographs). The more is
        compared, the less a colour that no stroke has touched is like any that one has; whether that is why is open.
        """
        if self.features is None or not self.plain:
            return scene
        if not isinstance(self.likelihood, NieuwenhuisCremersLikelihood):
            raise InvalidParameterError(
                f"features need likelihood 'nieuwenhuis_cremers', or a network or classifier as predictor; got "
                f"{self.likelihood!r:.80}. Leave one of them out."
            )
        if self.joint and not self.features.always:
            checks.warn_caller(
                "features were passed, but joint unification leaves them out beside this likelihood. Pass "
                "unify='sequential', predictor='fcn', or Features(..., always=True).",
                DataTermWarning,
            )
            return scene
        return weighed(scene, self.features.of(scene.image), self.likelihood, self.features.always)

    def shape_among(self, labels: tuple[int, ...]) -> Any:
        """`shape` without labels that are not among these; falsy if no label has one."""
        if not isinstance(self.shape, Mapping):
            return self.shape
        return {
            k: value
            for k, value in self.shape.items()
            if value is not None and (k in labels or not isinstance(k, int | np.integer) or k < 2)
        }

    def shapes_for(self, labels: tuple[int, ...]) -> dict[int, Shape]:
        """The shape of each of these labels that has one, by the label's index."""
        shape = self.shape
        if shape is None:
            return {}
        if not isinstance(shape, Mapping):
            if len(labels) != 2:
                raise InvalidScribblesError(
                    "a shape by itself needs one object (a label from 2 on) on a background (label 1); got labels "
                    f"{labels}. Name the objects that have it, e.g. shape={{{labels[-1]}: 'convex'}}."
                )
            shape = {labels[1]: shape}
        for label in shape:
            if label not in labels[1:]:
                kind = "the background" if label == labels[0] else "no label of the scribbles"
                raise InvalidParameterError(
                    f"shape must name labels of objects, {', '.join(map(str, labels[1:]))}; got {label!r}, which is "
                    f"{kind}. Leave it out."
                )
        wanted = {labels.index(label): value for label, value in shape.items() if value is not None}
        if wanted and labels[0] != 1:
            raise InvalidScribblesError(
                f"a shape needs a background (label 1) to stand on; got labels {labels}. Scribble on the background, "
                "too."
            )
        return {k: value.with_backend(self.backend) for k, value in sorted(wanted.items())}


_KINDS = {"likelihoods": (Likelihood, "costs"), "predictors": (Predictor, "predict"), "shapes": (Shape, "fit")}

_FIRST: dict[str, tuple[str, type]] = {
    "convex": ("k_convex", int),
    "rotational": ("rotational", int),
    "frames": ("frames", str),
    "periodic": ("periodic", str),
}
"""Shapes whose first argument may follow their name, "convex:2": where they are, and what it is."""


def part(family: str, value: Any) -> Any:
    """A part by its name, or the object itself if it is one of this family."""
    kind, method = _KINDS[family]
    if family == "predictors" and hasattr(value, "fit") and hasattr(value, "predict_proba"):
        return ClassifierPredictor(value)  # of scikit-learn, or like one
    if isinstance(value, str):
        name, _, first = value.partition(":")
        if family == "shapes" and name in _FIRST and first.isdecimal() == (_FIRST[name][1] is int) and first:
            module, kind_of_first = _FIRST[name]
            return find(family, module)(kind_of_first(first))
        return find(family, value)()
    if isinstance(value, type) or not isinstance(value, kind):
        raise InvalidParameterError(
            f"{family[:-1]} must be a name or an object with a method {method}(), an instance of "
            f"varconvex.{family}.base.{kind.__name__}; got {value!r}. Pass e.g. {min(names(family))!r}."
        )
    return value
