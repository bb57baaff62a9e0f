"""Table 2: convex projections of masks of corrupted images.

    clean and eight corruptions,     intersection over union of a map / of its projection onto the convex sets

The maps are from a folder, or from a predictor of the toolkit on images that are corrupted here. The paper's are SAM's,
prompted with one pixel of the object's scribble. The projection holds the scribbles.
"""

import time
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..api import segment
from ..datasets.corruptions import CORRUPTIONS, corrupt
from ..datasets.download import checksum
from ..datasets.folders import Entry, Sample, values_of
from ..errors import FileFormatError
from ..metrics import iou
from ..predictors.given import GivenPredictor
from .run import Result, Results, own_file, run

COLUMNS = ("clean", *CORRUPTIONS)

_ENDINGS = (".npy", ".png")

PAPER = {
    "clean": (0.7275, 0.7407),
    "spatter": (0.5627, 0.5817),
    "contrast": (0.6489, 0.6597),
    "brightness": (0.6456, 0.6516),
    "impulse_noise": (0.5330, 0.5504),
    "shot_noise": (0.6298, 0.6371),
    "gaussian_noise": (0.6246, 0.6357),
    "defocus_blur": (0.7333, 0.7426),
    "glass_blur": (0.7187, 0.7321),
}
"""SAM, and its projection, at severity 5."""


def table2(
    entries: Sequence[Entry],
    folder: Path,
    *,
    seeds: Sequence[int] = (42,),
    predictor: str = "fcn",
    severity: int = 5,
    masks: Path | None = None,
    pictures: int = 0,
    jobs: int | None = None,
) -> tuple[dict[str, Any], Results]:
    """Compute the table; results in `folder` are used again.

    `seeds` are for the corruptions' noise and the predictor ("energy", "fcn" or "cnn"), from 1 to 5 is the `severity`.
    With `masks`, a folder of ``<corruption>/<image>.png`` (or ``.npy`` with probabilities) and ``clean``, maps are from
    there: columns without a folder stay empty, and images without a mask are left out of their column and listed.
    """
    columns: tuple[str, ...] = COLUMNS
    if masks is not None:
        columns = tuple(name for name in COLUMNS if (masks / name).is_dir())
        if not columns:
            raise FileFormatError(
                f"a folder with subfolders of masks was expected ({', '.join(COLUMNS)}); {masks} has none of them. "
                "Name them so."
            )
        seeds = seeds[:1]
    cells: dict[str, dict[str, Any]] = {
        f"{column}_seed{seed}": {
            "corruption": column, "seed": seed, "severity": severity,
            "predictor": predictor if masks is None else None,
        }
        for seed in seeds
        for column in columns
    }  # fmt: skip

    def depends(settings: dict[str, Any], sample: Sample) -> dict[str, Any]:
        return {} if masks is None else {"mask": checksum(own_file(masks / settings["corruption"], sample, *_ENDINGS))}

    whole = masks is None
    results = run(entries, cells, partial(_scored, masks), folder, depends, pictures, whole, jobs)
    rows = []
    for column in columns:
        names = [name for name, s in cells.items() if s["corruption"] == column]
        figures = results.figures(names, "map", "projected", "seconds")
        rows.append({"corruption": column, "images": len(results.by_cell[names[0]]), **figures})
    maps = predictor if masks is None else str(masks)
    return results.table(2, rows, seeds=list(seeds), severity=severity, maps=maps), results


def _scored(masks: Path | None, cell: tuple[dict[str, Any], Sample]) -> dict[str, Result]:
    """What is recorded of a cell for an image."""
    return {"result": score(*cell, masks)}


def score(settings: dict[str, Any], sample: Sample, masks: Path | None = None) -> Result:
    """One column for one image: intersection over union of the map and of its projection."""
    image = corrupted(settings, sample)
    mask = None if masks is None else mask_of(masks / settings["corruption"], sample)
    begin = time.perf_counter()
    result = segment(
        image, sample.scribbles, shape="convex", random_state=settings["seed"],
        predictor=settings["predictor"] if mask is None else GivenPredictor(mask),
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    map_ = result.unconstrained == 2 if mask is None else np.asarray(mask) > (0 if mask.dtype.kind in "bui" else 0.5)
    ignore = ~sample.scored
    return {
        "map": iou(map_, sample.truth, ignore=ignore),
        "projected": iou(result.mask, sample.truth, ignore=ignore),
        "seconds": seconds,
    }


def corrupted(settings: dict[str, Any], sample: Sample) -> np.ndarray:
    """The column's image, corrupted with noise that is seeded by the image's name."""
    if settings["corruption"] == "clean" or settings["predictor"] is None:
        return sample.image
    seed = np.random.default_rng([settings["seed"], zlib.crc32(sample.name.encode())])
    return corrupt(sample.image, settings["corruption"], settings["severity"], random_state=seed)


def mask_of(folder: Path, sample: Sample) -> np.ndarray:
    """The mask of an image in a folder, of the image's size."""
    return values_of(own_file(folder, sample, *_ENDINGS), sample.image, None)
