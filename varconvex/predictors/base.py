"""Interfaces of predictors: a probability for each pixel and, for joint unification, an appearance model theta.

    predict(scene)             N_theta(f)                                                             (paper, 3.2)
    predict(scene, proximal)   with weight/2 |u - target|^2 added to the objective
    learn(scene, index)        theta re-estimated from the regions of a label image
    objective(scene, index)    J(C; theta): data cost and boundary cost of a label image

The variational energy, networks and given maps are predictors; `unify` uses nothing but these protocols.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np

from ..energies.base import Energy
from ..inputs import Scene
from ..solvers.pdhg import Solution
from .set_energy import Arrangement, SetEnergy

if TYPE_CHECKING:
    from .energy import EnergyPredictor


@dataclass(frozen=True)
class Prediction:
    """Answer of a predictor.

    Attributes
    ----------
    probability : (*spatial) or (K, *spatial) float32
        Of the object, or of each of K > 2 labels.
    index : (*spatial) int
        Index of each pixel's label.
    costs : (K, *spatial) float32 array
        Cost of each label at each pixel, in nats.
    seconds : dict of str to float
        Time by stage.
    energy : Energy or None
        The energy that was minimised, where the predictor minimises one.
    solution : Solution or None
        Its minimiser with its certificate.
    theta : object
        Trained state in the predictor's own form, from which `ready` may continue.
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
        """Whether the user's callback ended the solver: then no further step may begin."""
        return self.solution is not None and self.solution.status == "stopped"


@dataclass(frozen=True)
class ProximalTerm:
    """The term weight/2 |u - target|^2 of an objective, weight in nats per pixel.

    `target` is a map in [0, 1] in the shape of `Prediction.probability`.
    """

    target: np.ndarray
    weight: float


@runtime_checkable
class Predictor(Protocol):
    """A model that gives a probability for each pixel; scribbles must hold in its answers.

    A new one is a file in this folder, ``forest.py`` with a class ``ForestPredictor(Predictor)``, found by its name.
    """

    def predict(self, scene: Scene, proximal: ProximalTerm | None = None) -> Prediction:
        """The probability of the object at each pixel of the scene, near `proximal.target` where one is given."""

    def with_defaults(self, energy: "EnergyPredictor", random_state: int) -> Self:
        """The predictor with the energy of `segment`'s keywords and its seed wherever it has none of its own."""
        return self


@runtime_checkable
class LearningPredictor(Predictor, Protocol):
    """A predictor whose theta is re-estimated in joint unification."""

    def ready(self, scene: Scene, prediction: Prediction, index: np.ndarray) -> Self:
        """The predictor with theta from the scribbles alone, after a first prediction and its label image `index`."""

    def learn(self, scene: Scene, index: np.ndarray) -> Self:
        """The predictor with theta re-estimated from the regions of the label image `index` ((*spatial) int)."""

    def objective(self, scene: Scene, index: np.ndarray) -> float:
        """J of the label image `index` ((*spatial) int), in nats; comparable between all results of `learn`."""


@runtime_checkable
class SetPredictor(Predictor, Protocol):
    """A predictor that has an energy of sets, which joint unification minimises over the sets of a shape directly."""

    def set_energy(self, scene: Scene) -> SetEnergy:
        """J of sets on a small grid, with theta estimated from the scribbles alone; for images, not volumes."""

    def with_learned(self, scene: Scene, energy: SetEnergy, *, iterate: bool = True) -> Self:
        """The predictor with the theta of `energy`; without `iterate` its solver evaluates its start only."""

    def refine_boundary(self, scene: Scene, energy: SetEnergy, found: Arrangement) -> np.ndarray:
        """The sets on the full grid, u optimised near their boundaries, by a result of `with_learned`: (K, H, W)."""
