"""What a predictor answers: a probability per pixel, with or without a wish to stay near another one.

    predict(scene)                   N_theta(f)                                        (paper, 3.2)
    predict(scene, pull=(v, weight)) the same, with weight/2 |u - v|^2 in its objective
    learn(scene, r)                  the predictor whose theta fits the labels that r gives to the pixels
    objective(scene, index)          what labels cost under this theta, and how ill theta explains them

The variational energy is one predictor among others; `unify` knows predictors by this protocol only.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self

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
    seconds : dict of str to float
        Time by stage.
    energy : Energy or None
        The energy that was minimised, where the predictor minimises one.
    solution : Solution or None
        Its minimiser with its certificate.
    theta : object
        What was learnt on the way, in the predictor's own form; `ready` may go on from there.
    """

    probability: np.ndarray
    index: np.ndarray
    costs: np.ndarray
    seconds: dict[str, float]
    energy: Energy | None = None
    solution: Solution | None = None
    theta: Any = None

    @property
    def stopped(self) -> bool:
        """Whether the predictor was told to stop: then nothing else should begin."""
        return self.solution is not None and self.solution.status == "stopped"


class Predictor(Protocol):
    """Anything that gives a probability per pixel.

    A new predictor is one new file in this folder, ``forest.py`` with a class ``ForestPredictor``, and is found by its
    name. It may have a method ``settle(energy, random_state)``, which returns it with what it had left open said by
    `segment`: the energy that its keywords describe, and a seed.
    """

    def predict(self, scene: Scene, pull: tuple[Any, float] | None = None) -> Prediction:
        """The probability of the object at each pixel of the scene."""

    def ready(self, scene: Scene, prediction: Prediction, index: np.ndarray) -> Self:
        """Return this predictor in the form that learns: theta from the scribbles alone, after a first prediction.

        `index` is the first answer, the index of each pixel's label.
        """

    def learn(self, scene: Scene, responsibility: np.ndarray) -> Self:
        """A predictor with theta re-estimated; `responsibility` ((K, *spatial) in [0, 1]) says whose each pixel is."""

    def objective(self, scene: Scene, index: np.ndarray) -> float:
        """What labels and theta cost together, in nats; comparable between all predictors that `learn` has made."""
