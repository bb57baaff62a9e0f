"""From log-odds to a prediction, and what labels cost under them: what networks and given maps share.

    predict:   N(f) = argmin over u in [0, 1] of  <-n, u> + alpha sum_x g(x) |grad u(x)|,  seeds fixed;   or sigma(n)

    J(C) = sum_x l(x, C(x)) + sum_k w_k sum over scribbles of k  l(x, k) + boundary,       l(x, .) = -log sigma(-+n(x))

with n clipped, as every likelihood is. w_k is what a scribbled pixel of label k counts as.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InvalidScribblesError
from ..inputs import Scene
from ..likelihoods._common import CLIP
from .base import Prediction
from .energy import EnergyPredictor

SCRIBBLES = 0.3
"""Share of the scribbles in the objective, as for the energy's colour models."""


@dataclass(frozen=True)
class _Costs:
    """A likelihood that has been computed."""

    values: np.ndarray

    def costs(self, scene: Scene) -> np.ndarray:
        return self.values


def check_labels(scene: Scene) -> None:
    """Raise an InvalidScribblesError unless there is one object on a background."""
    if len(scene.labels) != 2:
        raise InvalidScribblesError(
            f"this predictor tells one object from the background, two labels; got labels {scene.labels}. Segment the "
            "objects one at a time, or use predictor='energy'."
        )


def prediction(log_odds: np.ndarray, scene: Scene, energy: EnergyPredictor | None) -> Prediction:
    """The minimiser of the energy whose cost they are, or, without one, their own probabilities.

    Scribbles are held either way: as bounds on u, or by writing them into the map. So an answer is never empty.
    """
    costs = costs_of(log_odds, scene)
    if energy is not None:
        found = replace(energy, likelihood=_Costs(costs)).predict(scene)
        return replace(found, seconds={name: spent for name, spent in found.seconds.items() if name != "likelihood"})
    probability = np.where(scene.valid, sigmoid(log_odds), 0)
    probability = np.where(scene.seeds == 2, 1, np.where(scene.seeds == 1, 0, probability)).astype(np.float32)
    return Prediction(probability, (probability > 0.5).astype(np.int64), costs, {})


def costs_of(log_odds: np.ndarray, scene: Scene) -> np.ndarray:
    """What each label costs above the pixel's cheaper one: (2, *spatial) float32."""
    bounded = np.where(scene.valid, np.clip(log_odds, -CLIP, CLIP), 0).astype(np.float32)
    return np.stack([np.maximum(bounded, 0), np.maximum(-bounded, 0)])


def counts_of(scene: Scene, index: np.ndarray) -> tuple[float, float]:
    """w_k: the scribbles of a label weigh as a fixed share of the area that it has in an answer."""
    found = []
    for k in (0, 1):
        area = int(np.count_nonzero((index == k) & scene.valid))
        seeds = max(int(np.count_nonzero(scene.seeds == k + 1)), 1)
        found.append(max(SCRIBBLES / (1 - SCRIBBLES) * area / seeds, 1.0))
    return found[0], found[1]


def objective(
    log_odds: np.ndarray, scene: Scene, index: np.ndarray, counts: tuple[float, float], energy: EnergyPredictor | None
) -> float:
    """J: the length of these labels for who sees the image, in nats, and the price of their boundary."""
    n = np.clip(log_odds, -CLIP, CLIP).astype(np.float64)
    lengths = np.where(scene.valid, np.logaddexp(0, np.stack([n, -n])), 0)
    total = float(np.where(index == 1, lengths[1], lengths[0]).sum())
    for k, count in enumerate(counts):
        total += count * float(lengths[k][scene.seeds == k + 1].sum())
    return total if energy is None else total + energy.boundary(scene, index)


def sigmoid(n: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-n)), without an overflow."""
    return 0.5 * (np.tanh(0.5 * n) + 1)
