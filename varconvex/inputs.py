"""The only judge of user data: what passes here is trusted everywhere else."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scene:
    """An image with its seeds, checked and in one form.

    Attributes
    ----------
    image : (*spatial, C) float32
        Intensities in [0, 1], scaled by the image's own range; the last axis holds the channels.
    seeds : (*spatial,) int32
        0 unlabelled, k + 1 for a seed of the k-th label, -1 outside (no part of the problem).
    labels : tuple of int
        The K label ids as the user wrote them, ascending; ``labels[0]`` is the background.
    spacing : tuple of float
        Distance between neighbouring pixels along each spatial axis.
    valid : (*spatial,) bool
        Pixels whose intensities may be used; False where they were not finite (``nan_policy="mask"``) or outside.
    """

    image: np.ndarray
    seeds: np.ndarray
    labels: tuple[int, ...]
    spacing: tuple[float, ...]
    valid: np.ndarray
