"""A coarse answer at once: the scene on few pixels, solved, and its labels on the full grid."""

import time
from dataclasses import replace

import numpy as np

from ..api import solve
from ..inputs import Scene
from ..predictors.small_grid import resized, shrink
from ..result import Segmentation
from ..settings import Settings

SIDE = {2: 256, 3: 48}
"""Pixels along the longest side of the coarse grid, by the number of axes."""


def has_preview(scene: Scene, settings: Settings) -> bool:
    """Whether a preview is faster than the answer; other predictors than the energy may be tied to their grid."""
    large = scene.seeds.size > SIDE[scene.seeds.ndim] ** scene.seeds.ndim
    return settings.plain and (large or settings.unify == "joint" or (settings.unify is None and bool(settings.shape)))


def preview(scene: Scene, settings: Settings) -> Segmentation:
    """The answer on the coarse grid, enlarged; strokes hold. Energies and history are those of the coarse grid.

    It is that of sequential unification: joint takes most of its time on a grid that is as coarse.
    """
    begin = time.perf_counter()
    small = shrink(scene, SIDE[scene.seeds.ndim])
    coarser = (scene.seeds.size / small.seeds.size) ** (1 / scene.seeds.ndim)
    weight = settings.edge_weight
    coarse = replace(
        settings,
        alpha=None if settings.alpha is None else settings.alpha / coarser,
        edge_weight=resized(weight, small.seeds.shape) if isinstance(weight, np.ndarray) else weight,
        unify="sequential",
        callback=None,
    )
    found = solve(small, coarse, {"prepare": time.perf_counter() - begin})
    begin, shape, ids = time.perf_counter(), scene.seeds.shape, np.array(found.label_ids)

    def enlarged(values: np.ndarray) -> np.ndarray:
        return resized(values, shape)

    def labels_of(image: np.ndarray, shaped: bool) -> np.ndarray:
        """A label image on the full grid, with the strokes: the label of the greatest share of a pixel, or shapes."""
        shares = np.stack([enlarged((image == label).astype(np.float32)) for label in found.label_ids])
        full = ids[shares.argmax(axis=0)]
        if shaped:
            full[np.isin(full, list(found.shapes))] = found.label_ids[0]
            for label, fitted in found.shapes.items():
                full[fitted.rasterize(shape)] = label
        full = np.where(scene.seeds > 0, ids[np.maximum(scene.seeds, 1) - 1], full)
        return np.where(scene.seeds < 0, -1, full).astype(found.labels.dtype)

    u = found.probability
    stacked = u.ndim > scene.seeds.ndim
    return replace(
        found,
        labels=labels_of(found.labels, True),
        unconstrained=labels_of(found.unconstrained, False),
        probability=np.stack([enlarged(v) for v in u]) if stacked else enlarged(u),
        costs=np.stack([enlarged(cost) for cost in found.costs]),
        seeds=np.where(scene.seeds > 0, ids[np.maximum(scene.seeds, 1) - 1], scene.seeds).astype(found.labels.dtype),
        image=scene.image,
        certificates={},
        seconds={**found.seconds, "enlarge": time.perf_counter() - begin},
    )
