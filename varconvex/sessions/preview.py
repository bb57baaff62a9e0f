"""A coarse answer at once: the scene on few pixels, solved, and its labels on the full grid."""

import time
from dataclasses import replace

import numpy as np

from ..api import solve
from ..inputs import Scene
from ..predictors.small_grid import resized, shrink
from ..result import Segmentation, label_type
from ..settings import Settings

SIDE = {2: 256, 3: 48}
"""Pixels along the longest side of the coarse grid, by the number of axes."""


def has_preview(scene: Scene, settings: Settings) -> bool:
    """Whether a preview is faster than the answer; other predictors, and features, may be tied to their grid."""
    large = scene.seeds.size > SIDE[scene.seeds.ndim] ** scene.seeds.ndim
    return settings.plain and settings.features is None and (large or settings.joint)


def preview(scene: Scene, settings: Settings) -> Segmentation:
    """The answer on the coarse grid, enlarged; strokes hold. Energies and history are those of the coarse grid.

    It is that of sequential unification: joint takes most of its time on a grid that is as coarse. Without a certainty.
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
        certainty=False,
    )
    found = solve(small, coarse, {"prepare": time.perf_counter() - begin})
    begin, shape = time.perf_counter(), scene.seeds.shape
    seeds = _labels_of(scene, found)

    def enlarged(values: np.ndarray) -> np.ndarray:
        return resized(values, shape) if values.ndim == len(shape) else np.stack([enlarged(v) for v in values])

    def label_image(image: np.ndarray) -> np.ndarray:
        """A label image on the full grid, with the strokes: the label of the greatest share of a pixel."""
        shares = [enlarged((image == label).astype(np.float32)) for label in found.label_ids[1:]]
        full = np.full(shape, found.label_ids[0], seeds.dtype)
        most = 1 - sum(shares[1:], shares[0])
        for label, share in zip(found.label_ids[1:], shares, strict=True):
            full[share > most] = label
            most = np.maximum(most, share) if len(shares) > 1 else most
        return np.where(seeds == 0, full, seeds)

    unconstrained = label_image(found.unconstrained)
    labels = unconstrained
    if (found.labels != found.unconstrained).any():
        labels = label_image(found.labels)
        for label, fitted in found.shapes.items():
            there, before = fitted.rasterize(shape), labels == label
            labels[before & ~there] = found.label_ids[0]
            labels[there] = label
        labels = np.where(seeds == 0, labels, seeds)
    return replace(
        found,
        labels=labels,
        unconstrained=unconstrained,
        probability=enlarged(found.probability),
        costs=enlarged(found.costs),
        seeds=seeds,
        image=scene.image,
        certificates={},
        seconds={**found.seconds, "enlarge": time.perf_counter() - begin},
    )


def _labels_of(scene: Scene, found: Segmentation) -> np.ndarray:
    """The scribbles by label id, as in a result: (*spatial), -1 outside."""
    outside = bool((scene.seeds < 0).any())
    ids = np.array((0, *found.label_ids, *((-1,) * outside)), label_type(found.label_ids, outside))
    return ids[scene.seeds]  # of -1 the last
