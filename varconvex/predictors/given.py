"""A given map of probabilities: from SAM, a U-Net, ilastik, or a mask.

    N(f) = sigma(n),      n given, or log(p / (1 - p)) of given probabilities, or +-3 on and off a given mask

It has no theta: joint unification gives the sequential answer, and no objective.

Models that are asked here, and their prompts: `varconvex.adapters`.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError
from ..inputs import Scene, probability_map
from ..keywords import known_keywords
from ..likelihoods.base import CLIP
from ..options import Kind
from .appearance.base import check_labels
from .base import Prediction, Predictor, ProximalTerm
from .energy import EnergyPredictor, check_energy, predict_log_odds


@known_keywords
@dataclass(frozen=True)
class GivenPredictor(Predictor):
    """A given map of the object, as a predictor.

    Parameters
    ----------
    given : (H, W) array
        Probabilities in [0, 1]; logits (any floats, positive on the object); or a mask: bool, or integers 0 and one
        other value.
    kind : {"probability", "logits"}
        Unit of a map of floats; ignored for a mask.
    energy : EnergyPredictor or None
        Regularises the map, whose log-odds replace its likelihood. None takes the map as it is.

    Raises
    ------
    InvalidImageError, UnsupportedTypeError, InvalidParameterError
        If the map is not finite, no probability where it has to be, or `kind` is unknown.

    Examples
    --------
    >>> from varconvex import segment
    >>> from varconvex.predictors.given import GivenPredictor
    >>> result = segment(image, scribbles, predictor=GivenPredictor(mask), shape="convex")  # doctest: +SKIP
    """

    given: Any = None
    kind: Kind = "probability"
    energy: EnergyPredictor | None = None

    def __post_init__(self) -> None:
        """Convert the map to log-odds."""
        if self.given is None:
            raise InvalidParameterError(
                "predictor 'given' needs its map; got none. Pass varconvex.predictors.given.GivenPredictor(map)."
            )
        checks.one_of("kind", self.kind, Kind)
        check_energy(self.energy)
        values = checks.host_array("given", self.given)
        if self.kind == "logits" and values.dtype.kind == "f":
            checks.spatial("given", values)
            checks.finite("given", values, "Replace them by 0 where nothing is known.")
            log_odds = np.clip(values, -80, 80)
        elif values.dtype.kind == "f":
            p = np.clip(probability_map(values), 1e-6, 1 - 1e-6).astype(np.float64)
            log_odds = np.log(p / (1 - p))
        else:
            log_odds = CLIP * (2 * probability_map(values) - 1)
        object.__setattr__(self, "given", log_odds.astype(np.float32))
        object.__setattr__(self, "kind", "logits")

    def predict(self, scene: Scene, proximal: ProximalTerm | None = None) -> Prediction:
        """The map, with the scribbles held; a proximal term does not change it."""
        begin = time.perf_counter()
        check_labels(scene)
        if self.given.shape != scene.seeds.shape:
            raise InvalidImageError(
                f"given must have the image's spatial shape {scene.seeds.shape}; got {self.given.shape}. Resize it, or "
                "is it another image's?"
            )
        found = predict_log_odds(self.given, scene, self.energy)
        found.seconds.setdefault("predict", time.perf_counter() - begin)
        return found
