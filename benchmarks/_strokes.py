"""Strokes that correct an answer, as a person would draw them, from ground truth: the same ones each time."""

import numpy as np
from scipy.ndimage import distance_transform_edt, label

_LONGEST = 60.0
"""Pixels of the longest stroke."""

_CLEAR = 0.5
"""Least distance of a stroke from the rim of what it corrects, as a share of the largest."""


def correction(labels: np.ndarray, truth: np.ndarray, scored: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, int]:
    """Ends ((2, 2) float) and label of the stroke through the deepest place where `labels` is not the truth.

    Where it is, through the deepest place of what is not `drawn` on. All (H, W); `labels` bool is the object.
    """
    for places in ((labels != truth) & scored, scored):
        depth = distance_transform_edt(np.pad(places & (drawn == 0), 1))[1:-1, 1:-1]
        if depth.max() > 1:
            break
    first = np.array(np.unravel_index(depth.argmax(), depth.shape))
    clear = (depth > _CLEAR * depth.max()) & (truth == truth[tuple(first)])
    parts, _ = label(clear)
    reach = np.argwhere(parts == parts[tuple(first)])
    away = np.linalg.norm(reach - first, axis=1)
    away[away > _LONGEST] = 0
    return np.stack([first, reach[away.argmax()]]).astype(float), 2 if truth[tuple(first)] else 1
