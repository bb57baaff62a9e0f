"""The demonstration: a dahlia, with part of a second bloom of the same colour below it.

The energy alone takes both blooms, because nothing in their colour tells them apart; the convex shape takes the one
that was meant, since no convex set holds both without the leaves between them.
"""

from typing import Any

import numpy as np

from .api import segment
from .result import Segmentation

SCRIBBLES = {
    "object": [[(150, 230), (200, 300), (270, 350)], [(250, 230), (170, 370)]],
    "background": [[(40, 60), (200, 70), (380, 60)], [(60, 560), (200, 580), (330, 560)], [(30, 150), (25, 480)]],
}
"""Strokes as (row, column) points: two on the bloom that is meant, three on the leaves around it."""


def photograph() -> np.ndarray:
    """The photograph that scikit-learn brings along: (427, 640, 3) uint8."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("flower.jpg")


def run(**options: Any) -> Segmentation:
    """Segment the dahlia; `options` as in `segment`."""
    return segment(photograph(), SCRIBBLES, **{"shape": "convex", **options})
