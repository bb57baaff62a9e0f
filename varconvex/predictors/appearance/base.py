"""Interface of an appearance model theta: its costs, its estimation, its part of the objective; log-odds as costs.

    J(C; theta) = data_cost(C; theta) + boundary cost of C,
    data_cost   = sum_x -log P(C(x) | x, theta) + sum_k w_k sum over the scribbles of k  -log P(k | x, theta)

    P(k | x, theta) = exp(-cost_k(x)) / sum_j exp(-cost_j(x))

The data cost is the length of the labels in nats, given the image: small where theta separates the regions as the
labels do. The image's own likelihood is no substitute: re-estimation raises it whatever labels it is given, so that
nothing would ever be rejected.
"""

from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np

from ...errors import InvalidScribblesError
from ...inputs import Scene
from ...likelihoods.base import CLIP, Likelihood
from ...likelihoods.nieuwenhuis_cremers import power_of_width

SCRIBBLE_SHARE = 0.3
"""Share of the scribbles among the pixels that a model is estimated from: few certain pixels against many guesses."""


@runtime_checkable
class Appearance(Likelihood, Protocol):
    """theta: regional models, mixtures of whole regions, or networks; `costs` as of any likelihood."""

    def learn(self, scene: Scene, index: np.ndarray) -> Self:
        """The model re-estimated from all regions of the label image `index` ((*spatial) int)."""

    def data_cost(self, scene: Scene, index: np.ndarray) -> float:
        """Data part of J for the label image `index` ((*spatial) int), in nats."""


@dataclass(frozen=True)
class GivenCosts:
    """A likelihood whose costs ((K, *spatial) float32, in nats) are known already."""

    known: np.ndarray

    def costs(self, scene: Scene) -> np.ndarray:
        """Costs as they were given."""
        return self.known


def scribble_weights(scene: Scene, index: np.ndarray) -> tuple[float, ...]:
    """Weight of a scribbled pixel of each label that gives them their share beside its area in `index`; at least 1.

    `index` is a label image ((*spatial) int); valid pixels count.
    """
    labels = [((index == k) & scene.valid, (scene.seeds == k + 1) & scene.valid) for k in range(len(scene.labels))]
    return tuple(_weight(*(int(mask.sum()) for mask in pair)) for pair in labels)


def grid_weights(scene: Scene) -> tuple[float, ...]:
    """One such weight for the scribbles of all labels together beside the whole grid, repeated for each label."""
    return (_weight(scene.seeds.size, int((scene.seeds > 0).sum())),) * len(scene.labels)


def _weight(area: int, pixels: int) -> float:
    return max(SCRIBBLE_SHARE / (1 - SCRIBBLE_SHARE) * area / max(pixels, 1), 1.0)


def posterior_cost(costs: np.ndarray, scene: Scene, index: np.ndarray, weights: tuple[float, ...]) -> float:
    """-log P of the label image `index` ((*spatial) int) under `costs` ((K, *spatial)), over valid pixels, in nats.

    A scribbled pixel of label k counts `weights[k]` times, every other one once.
    """
    costs = costs.astype(np.float64)
    lengths = costs + np.log(np.exp(-costs).sum(axis=0))
    total = np.take_along_axis(lengths, index[None], axis=0)[0][(scene.seeds == 0) & scene.valid].sum()
    for k, (length, weight) in enumerate(zip(lengths, weights, strict=True)):
        total += weight * length[(scene.seeds == k + 1) & scene.valid].sum()
    return float(total)


def spread_sample(weights: np.ndarray, count: int) -> np.ndarray:
    """Indices of `count` pixels drawn by `weights` ((n,) float) at even quantiles: (count,) int, deterministic."""
    total = np.cumsum(weights, dtype=np.float64)
    return np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1])


def check_labels(scene: Scene) -> None:
    """Raise an InvalidScribblesError unless there is one object on a background."""
    if len(scene.labels) != 2:
        raise InvalidScribblesError(
            f"this predictor tells one object from the background, two labels; got labels {scene.labels}. Segment the "
            "objects one at a time, or use predictor='energy'."
        )


def costs_of(log_odds: np.ndarray, scene: Scene) -> np.ndarray:
    """Cost of each label above the pixel's cheaper one, at most `CLIP`: (2, *spatial) float32, in nats."""
    bounded = np.where(scene.valid, np.clip(log_odds, -CLIP, CLIP), 0).astype(np.float32)
    return np.stack([np.maximum(bounded, 0), np.maximum(-bounded, 0)])


def position_log_odds(scene: Scene) -> np.ndarray:
    """Log-odds of the object by position alone: e log of the ratio of the distances to background and object strokes.

    It is that of densities whose kernels are as wide as the distance to the nearest stroke, rho^-e (Nieuwenhuis,
    Cremers 2013, doi:10.1109/TPAMI.2012.183; e is `power_of_width`); at most a factor of 20 between the distances
    counts.
    (*spatial) float32.
    """
    from scipy.ndimage import distance_transform_edt

    background, inside = (
        np.log1p(distance_transform_edt(scene.seeds != k, sampling=scene.spacing)) if (scene.seeds == k).any() else 0
        for k in (1, 2)
    )
    return (power_of_width(scene.seeds.ndim) * np.clip(background - inside, -CLIP, CLIP)).astype(np.float32)


def sigmoid(n: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-n)), without an overflow."""
    return 0.5 * (np.tanh(0.5 * n) + 1)
