"""Log-odds n of one object against the background: as costs, by position, and as probabilities sigma(n)."""

import numpy as np

from ...errors import InvalidScribblesError
from ...inputs import Scene
from ...likelihoods.base import CLIP


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
    """Log-odds of the object by position alone: d log of the ratio of the distances to background and object strokes.

    It is that of densities whose kernels are as wide as the distance to the nearest stroke, rho^-d in d dimensions
    (Nieuwenhuis, Cremers 2013, doi:10.1109/TPAMI.2012.183); at most a factor of 20 between the distances counts.

    Returns
    -------
    (*spatial) float32
    """
    from scipy.ndimage import distance_transform_edt

    background, inside = (
        np.log1p(distance_transform_edt(scene.seeds != k, sampling=scene.spacing)) if (scene.seeds == k).any() else 0
        for k in (1, 2)
    )
    return (scene.seeds.ndim * np.clip(background - inside, -CLIP, CLIP)).astype(np.float32)


def sigmoid(n: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-n)), without an overflow."""
    return 0.5 * (np.tanh(0.5 * n) + 1)
