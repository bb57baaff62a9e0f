"""Any classifier of scikit-learn as a predictor: trained on the scribbled pixels, its probabilities become costs.

    cost_k(x) = -log P(k | colours, position, features of x)

A forest, a support vector machine, a pipeline, a search for parameters: whatever has `fit` and `predict_proba`. Joint
unification does not train it again, and gives the sequential answer.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from ..extractors.features import as_features
from ..inputs import Scene
from ..keywords import known_keywords
from ..likelihoods.base import CLIP, bounded, training_pixels
from ..likelihoods.held_out import helps, loss
from ..threads import checkpoint
from .appearance.base import GivenCosts
from .appearance.channels import channels, groups_of
from .base import Prediction, Predictor, ProximalTerm
from .energy import EnergyPredictor, default_alpha

_BLOCK = 1 << 17
"""Pixels whose probabilities are asked for at once."""


@known_keywords
@dataclass(frozen=True)
class ClassifierPredictor(Predictor):
    """A classifier of scikit-learn, trained on the scribbles of one image.

    Parameters
    ----------
    classifier : classifier with `fit` and `predict_proba`
        Not changed: a clone is trained.
    inputs : str
        Groups of input channels: "rgb", "xy", "features", joined by "+".
    features : array, callable, str, torch.nn.Module, Extractor or Features, optional
        The user's own, see `Features`: left out where strokes held back are predicted no better by them. The toolkit's
        filter responses if not given.
    energy : "default" or EnergyPredictor
        Regularises the log-odds, which replace its likelihood; by default that of `segment`'s keywords.
    clip : float, at least 0
        Bound on the difference between labels at one pixel, in nats.
    random_state : int, optional
        Seed of a classifier that has none of its own; `segment`'s by default.

    Raises
    ------
    InvalidParameterError
        If the classifier lacks one of these methods, or a parameter is not what it may be.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from varconvex import segment
    >>> result = segment(image, scribbles, predictor=RandomForestClassifier())  # doctest: +SKIP
    """

    classifier: Any = None
    inputs: str = "rgb+xy"
    features: Any = None
    energy: Any = "default"
    clip: float = CLIP
    random_state: int | None = None

    def __post_init__(self) -> None:
        for method in ("fit", "predict_proba"):
            if not hasattr(self.classifier, method) or isinstance(self.classifier, type):
                raise InvalidParameterError(
                    f"a classifier must have fit() and predict_proba(); {self.classifier!r} is none that has {method}()"
                    ". Pass an object such as RandomForestClassifier(), or wrap it in CalibratedClassifierCV."
                )
        groups_of(self.inputs)
        checks.real_number("clip", self.clip)

    def with_defaults(self, energy: EnergyPredictor, random_state: int) -> "ClassifierPredictor":
        """The predictor with the energy and the seed of `segment`'s keywords where it has none."""
        return replace(
            self,
            energy=energy if isinstance(self.energy, str) else self.energy,
            random_state=random_state if self.random_state is None else self.random_state,
        )

    def predict(self, scene: Scene, proximal: ProximalTerm | None = None) -> Prediction:
        """Train on the scribbles, and minimise the energy whose costs are the classifier's."""
        begin = time.perf_counter()
        costs = self.costs(scene)
        spent = time.perf_counter() - begin
        energy = self.energy
        if isinstance(energy, str):
            energy = EnergyPredictor(GivenCosts(costs), alpha=default_alpha(scene))
        found = replace(energy, likelihood=GivenCosts(costs)).predict(scene, proximal)
        return replace(found, seconds={"train": spent, **found.seconds})

    def costs(self, scene: Scene) -> np.ndarray:
        """-log of the trained classifier's probabilities, at most `clip` apart: (K, *spatial) float32, in nats."""
        plain = tuple(group for group in groups_of(self.inputs) if group != "features")
        features = None if self.features is None else as_features(self.features)
        if features is None or features.always or not plain:
            return self._costs(scene, self.inputs, features)
        without = "+".join(plain)
        helped = helps(
            loss(scene, lambda part: self._costs(part, without)),
            loss(scene, lambda part: self._costs(part, self.inputs, features)),
            "the classifier",
        )
        return self._costs(scene, self.inputs, features) if helped else self._costs(scene, without)

    def _costs(self, scene: Scene, inputs: str, features: Any = None) -> np.ndarray:
        """`costs` with these channels."""
        from sklearn.base import clone

        values, _ = channels(scene, inputs, features)
        pixels = values.reshape(-1, values.shape[-1])
        seeds = training_pixels(scene)
        model = clone(self.classifier, safe=False)
        parameters = model.get_params() if hasattr(model, "get_params") else {}
        if self.random_state is not None and parameters.get("random_state", 0) is None:
            model.set_params(random_state=self.random_state)
        model.fit(pixels[np.concatenate(seeds)], np.repeat(np.arange(len(seeds)), list(map(len, seeds))))
        found = []
        for block in np.array_split(pixels, -(-len(pixels) // _BLOCK)):
            checkpoint()
            found.append(model.predict_proba(block))
        probability = np.concatenate(found).T.reshape(len(seeds), *scene.seeds.shape)
        return bounded(-np.log(np.maximum(probability, 1e-12)), scene, self.clip)
