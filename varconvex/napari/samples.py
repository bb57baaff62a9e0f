"""Sample data of the plugin: images with strokes, as napari's layer data tuples."""

from typing import Any

import numpy as np

from .. import demo
from ..inputs import prepare

LayerData = tuple[np.ndarray, dict[str, Any], str]


def dahlia() -> list[LayerData]:
    """The photograph of the demonstration; strokes on the bloom (2), around it and below it (1)."""
    photograph = demo.photograph()
    lines = {**demo.SCRIBBLES, "background": [*demo.SCRIBBLES["background"], [(378, 205), (376, 285)]]}
    strokes = prepare(photograph, lines).seeds.astype(np.uint8)
    return [(photograph, {"name": "dahlia"}, "image"), (strokes, {"name": "dahlia strokes"}, "labels")]


def cells() -> list[LayerData]:
    """Two round cells that touch, in noise: (30, 72, 96) voxels, twice as deep as wide; strokes in three planes."""
    rng, scale = np.random.default_rng(0), (2.0, 1.0, 1.0)
    z, y, x = (np.indices((30, 72, 96)).reshape(3, -1) * np.array(scale)[:, None]).reshape(3, 30, 72, 96)
    distance = np.minimum(np.sqrt((z - 30) ** 2 + (y - 36) ** 2 + (x - 30) ** 2) / 20,
                          np.sqrt((z - 30) ** 2 + (y - 36) ** 2 + (x - 64) ** 2) / 17)  # fmt: skip
    image = (1 / (1 + np.exp(12 * (distance - 1))) + rng.normal(scale=0.15, size=distance.shape)).astype(np.float32)
    strokes = np.zeros(image.shape, np.uint8)
    strokes[15, 4:7, 6:90] = strokes[15, 66:69, 6:90] = strokes[2, 34:38, 6:90] = strokes[27, 34:38, 6:90] = 1
    strokes[15, 34:38, 20:40], strokes[15, 34:38, 58:72] = 2, 3
    shown = {"scale": scale, "name": "cells"}
    return [(image, shown, "image"), (strokes, {**shown, "name": "cells strokes"}, "labels")]
