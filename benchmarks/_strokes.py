"""Strokes as a person would draw them, from ground truth: corrections of an answer, and the same ones drawn again."""

import numpy as np
from scipy.ndimage import distance_transform_edt, label

_LONGEST = 60.0
"""Pixels of the longest stroke."""

_CLEAR = 0.5
"""Least distance of a stroke from the rim of what it corrects, as a share of the largest."""


_SHIFT = 0.015
"""Standard deviation of a stroke's displacement when it is drawn again, along each axis, in shares of the diagonal."""

_KEPT = (0.6, 1.0)
"""Share of a stroke's length that is drawn again, from a random place on."""


def drawn_again(scribbles: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The strokes, each moved a little and shortened, but for what would lie on the wrong side of the truth.

    `scribbles` (H, W) int are 0, 1 (background) and 2 (object); `truth` (H, W) bool is the object. A stroke of which
    nothing would be left stays where it is.
    """
    again = np.zeros_like(scribbles)
    diagonal = np.hypot(*scribbles.shape)
    for number, side in ((1, ~truth), (2, truth)):
        parts, count = label(scribbles == number, np.ones((3, 3)))
        for k in range(1, count + 1):
            pixels = np.argwhere(parts == k)
            length = rng.uniform(*_KEPT)
            # Along the stroke's longer side.
            place = pixels[:, np.ptp(pixels, axis=0).argmax()]
            low = np.quantile(place, rng.uniform(0, 1 - length))
            kept = pixels[(place >= low) & (place <= low + length * np.ptp(place))]
            moved = kept + np.rint(rng.normal(scale=_SHIFT * diagonal, size=2)).astype(int)
            moved = moved[((moved >= 0) & (moved < scribbles.shape)).all(axis=1)]
            moved = moved[side[tuple(moved.T)] & (scribbles[tuple(moved.T)] != 3 - number)]
            again[tuple((moved if len(moved) else pixels).T)] = number
    return again


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
