"""What a predictor answers: a probability per pixel, with or without a wish to stay near another one.

    predict(scene)                   N_theta(f)                                        (paper, 3.2)
    predict(scene, pull=(v, weight)) the same, with weight/2 |u - v|^2 in its objective

The variational energy is one predictor among others; `unify` knows predictors by this protocol only.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..energies.base import Energy
from ..inputs import Scene
from ..solvers.pdhg import Solution


@dataclass(frozen=True)
class Prediction:
    """What came out of a predictor.

    Attributes
    ----------
    probability : (*spatial) or (K, *spatial) float32
        Of the object, or of each of K > 2 labels.
    index : (*spatial) int
        Index of each pixel's label.
    costs : (K, *spatial) float32 array
        What each label costs at each pixel, in nats.
    energy : Energy
        The energy that was minimised.
    solution : Solution
        Its minimiser with its certificate.
    seconds : dict of str to float
        Time by stage.
    """

    probability: np.ndarray
    index: np.ndarray
    costs: np.ndarray
    energy: Energy
    solution: Solution
    seconds: dict[str, float]


class Predictor(Protocol):
    """Anything that gives a probability per pixel."""

    def predict(self, scene: Scene, pull: tuple[Any, float] | None = None) -> Prediction:
        """The probability of the object at each pixel of the scene."""
