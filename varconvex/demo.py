"""The demonstration: segmentation of a dahlia, with part of a second bloom of the same colour below it.

The energy alone segments both blooms, whose colours are the same; of its projection onto the convex sets only the
scribbled one is left, since a convex set that contains both also contains the leaves between them.
"""

from typing import Any

import numpy as np

from .api import segment
from .result import Segmentation

SCRIBBLES = {
    "object": [[(150, 230), (200, 300), (270, 350)], [(250, 230), (170, 370)]],
    "background": [[(40, 60), (200, 70), (380, 60)], [(60, 560), (200, 580), (330, 560)], [(30, 150), (25, 480)]],
}
"""Strokes as (row, column) points: two on the bloom, three on the leaves around it."""


def photograph() -> np.ndarray:
    """The photograph ``flower.jpg`` of scikit-learn: (427, 640, 3) uint8."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("flower.jpg")


def run(**options: Any) -> Segmentation:
    """Segment the dahlia and project it onto the convex sets; `options` as in `segment`."""
    return segment(photograph(), SCRIBBLES, **{"shape": "convex", "unify": "sequential", **options})
