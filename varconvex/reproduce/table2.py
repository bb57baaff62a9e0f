"""Table 2: convex projections of masks of corrupted images.

    clean and eight corruptions,     intersection over union of a map / of its projection onto the convex sets

The maps are from a folder, or from a predictor on images that are corrupted here: one of the toolkit, or SAM, prompted
with one pixel of the object's scribble as in the paper. The projection holds the scribbles; a second one does not know
them, so that what it gains is convexity's alone.
"""

import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters import SamPredictor
from ..api import project, segment
from ..datasets.corruptions import CORRUPTIONS, corrupt
from ..datasets.download import checksum
from ..datasets.folders import Entry, Sample, values_of
from ..errors import FileFormatError, InvalidParameterError
from ..metrics import iou
from ..predictors.given import GivenPredictor
from ..predictors.small_grid import resized
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
    sam: Path | None = None,
    pictures: int = 0,
    jobs: int | None = None,
) -> tuple[dict[str, Any], Results]:
    """Compute the table; results in `folder` are used again.

    `seeds` are for the corruptions' noise and the predictor ("energy", "fcn" or "cnn"), from 1 to 5 is the `severity`.
    With `masks`, a folder of ``<corruption>/<image>.png`` (or ``.npy`` with probabilities) and ``clean``, maps are from
    there: columns without a folder stay empty, and images without a mask are left out of their column and listed.
    `sam` is a folder as for `SamPredictor.read`, in the place of a predictor.
    """
    if masks is not None and sam is not None:
        raise InvalidParameterError("masks and sam both say where the maps are from; got both. Pass one of them.")
    columns: tuple[str, ...] = COLUMNS
    if masks is not None:
        columns = tuple(name for name in COLUMNS if (masks / name).is_dir())
        if not columns:
            raise FileFormatError(
                f"a folder with subfolders of masks was expected ({', '.join(COLUMNS)}); {masks} has none of them. "
                "Name them so."
            )
        seeds = seeds[:1]
    chosen = None if masks is not None else predictor if sam is None else "sam"
    cells: dict[str, dict[str, Any]] = {
        f"{column}_seed{seed}": {
            "corruption": column, "seed": seed, "severity": severity,
            "predictor": chosen,
        }
        for seed in seeds
        for column in columns
    }  # fmt: skip

    weights = {} if sam is None else {"model": checksum(own_weights(sam))}

    def depends(settings: dict[str, Any], sample: Sample) -> dict[str, Any]:
        if masks is None:
            return weights
        return {"mask": checksum(own_file(masks / settings["corruption"], sample, *_ENDINGS))}

    whole = masks is None
    results = run(entries, cells, partial(_scored, masks or sam), folder, depends, pictures, whole, jobs)
    rows = []
    for column in columns:
        names = [name for name, s in cells.items() if s["corruption"] == column]
        figures = results.figures(names, "map", "projected", "alone", "seconds")
        rows.append({"corruption": column, "images": len(results.by_cell[names[0]]), **figures})
    maps = str(masks or sam or predictor)
    return results.table(2, rows, seeds=list(seeds), severity=severity, predictor=chosen, maps=maps), results


def _scored(source: Path | None, cell: tuple[dict[str, Any], Sample]) -> dict[str, Result]:
    """What is recorded of a cell for an image."""
    return {"result": score(*cell, source)}


def score(settings: dict[str, Any], sample: Sample, source: Path | None = None) -> Result:
    """One column for one image: intersection over union of the map and of its projections; `alone` knows no scribbles.

    Maps are from the folder `source` where no predictor is set, or from SAM's model there.
    """
    image = corrupted(settings, sample)
    predictor = source_of(settings, sample, source)
    begin = time.perf_counter()
    result = segment(image, sample.scribbles, shape="convex", random_state=settings["seed"], predictor=predictor)
    seconds = time.perf_counter() - begin
    map_ = result.unconstrained == 2
    if isinstance(predictor, GivenPredictor):
        map_ = predictor.given > 0
    elif isinstance(predictor, SamPredictor):
        map_ = resized(predictor.logits(image, sample.scribbles), map_.shape) > 0
    alone = project(map_, random_state=settings["seed"]).mask if map_.any() else map_
    ignore = ~sample.scored
    return {
        "map": iou(map_, sample.truth, ignore=ignore),
        "projected": iou(result.mask, sample.truth, ignore=ignore),
        "alone": iou(alone, sample.truth, ignore=ignore),
        "seconds": seconds,
    }


def source_of(settings: dict[str, Any], sample: Sample, source: Path | None) -> Any:
    """The predictor that gives the maps of a column; see `score`."""
    if settings["predictor"] is None:
        assert source is not None
        return GivenPredictor(mask_of(source / settings["corruption"], sample))
    if settings["predictor"] == "sam":
        assert source is not None
        return replace(_sam(source), random_state=settings["seed"])
    return settings["predictor"]


@cache
def _sam(folder: Path) -> SamPredictor:
    """SAM as the paper prompts it, but for the choice of the pixel."""
    return SamPredictor.read(folder, choice="score")


def own_weights(folder: Path) -> Path:
    """The file of a model's weights."""
    if (path := folder / "model.safetensors").is_file():
        return path
    raise FileFormatError(f"model.safetensors was expected in {folder}; it is not there. Save SAM's model to it.")


def corrupted(settings: dict[str, Any], sample: Sample) -> np.ndarray:
    """The column's image, corrupted with noise that is seeded by the image's name."""
    if settings["corruption"] == "clean" or settings["predictor"] is None:
        return sample.image
    seed = np.random.default_rng([settings["seed"], zlib.crc32(sample.name.encode())])
    return corrupt(sample.image, settings["corruption"], settings["severity"], random_state=seed)


def mask_of(folder: Path, sample: Sample) -> np.ndarray:
    """The mask of an image in a folder, of the image's size."""
    return values_of(own_file(folder, sample, *_ENDINGS), sample.image, None)
