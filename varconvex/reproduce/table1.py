"""Table 1: networks trained on the scribbles of one image, with a convex shape, sequentially or jointly.

    3 inputs  x  {CNN, FCN}  x  {sequential, joint},     intersection over union of predictor / convex

The paper's figures are means of 51 images and three seeds. Its semantic features are replaced by a folder of features
(``<image>.npy``) or by the toolkit's filter responses. The networks are trained as `segment` trains them, and, if that
is asked for, by the paper's own recipe as well (`recipe`).
"""

import time
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ..api import segment
from ..datasets.download import checksum
from ..datasets.folders import Entry, Sample
from ..errors import FileFormatError, InvalidParameterError
from ..extractors.features import Features
from ..geometry.certify import certify_convexity, fill_hull
from ..inputs import prepare
from ..io.reading import read_image
from ..metrics import iou
from ..options import Unify
from ..predictors.cnn import CnnPredictor
from ..predictors.fcn import FcnPredictor
from .recipe import EPOCHS, Training
from .run import Result, Results, own_file, run

INPUTS = ("rgb+xy", "rgb+features", "rgb+xy+features")
NETWORKS = ("cnn", "fcn")
UNIFY = get_args(Unify)
SEEDS = (42, 47, 131)
"""The paper's."""

PAPER = {
    ("rgb+xy", "cnn"): {"sequential": (0.697, 0.763), "joint": (0.798, 0.799)},
    ("rgb+xy", "fcn"): {"sequential": (0.732, 0.711), "joint": (0.755, 0.756)},
    ("rgb+features", "cnn"): {"sequential": (0.726, 0.843), "joint": (0.818, 0.899)},
    ("rgb+features", "fcn"): {"sequential": (0.714, 0.851), "joint": (0.635, 0.894)},
    ("rgb+xy+features", "cnn"): {"sequential": (0.778, 0.766), "joint": (0.805, 0.809)},
    ("rgb+xy+features", "fcn"): {"sequential": (0.736, 0.746), "joint": (0.768, 0.769)},
}
"""Predictor and convex."""

_CLASS = {"cnn": CnnPredictor, "fcn": FcnPredictor}


def table1(
    entries: Sequence[Entry],
    folder: Path,
    *,
    seeds: Sequence[int] = SEEDS,
    inputs: Sequence[str] = INPUTS,
    networks: Sequence[str] = NETWORKS,
    alone: bool = False,
    recipe: str = "ours",
    balanced: bool = False,
    features: Path | None = None,
    pictures: int = 0,
    jobs: int | None = None,
) -> tuple[dict[str, Any], Results]:
    """Compute the table; results in `folder` are used again.

    `inputs` and `networks` are parts of the table; `alone` leaves out the total variation, as the paper does; the
    `recipe` "paper" adds the paper's own training, in which `balanced` gives both labels the same weight; `features`
    is a folder of (H, W, F) arrays ``<image>.npy`` in place of the toolkit's filter responses. `pictures` samples are
    kept for pictures. The table is ready for JSON and contains the figures of the energy predictor as well.
    """
    if features is not None and not features.is_dir():
        raise FileFormatError(f"a folder of features, <image>.npy, was expected; {features} is not there. Check it.")
    odd = [name for name in inputs if name not in INPUTS]
    if odd:
        raise InvalidParameterError(f"--inputs must be among {', '.join(INPUTS)}; got {odd[0]!r}. Choose from these.")
    cells: dict[str, dict[str, Any]] = {
        f"{given}_{network}_{how}_seed{seed}": {
            "inputs": given, "network": network, "unify": how, "seed": seed, "alone": alone,
            "features": features is not None and "features" in given, "recipe": "ours",
        }
        for seed, how, given, network in product(seeds, UNIFY, inputs, networks)
    }  # fmt: skip
    if recipe == "paper":
        paper = {"recipe": "paper", "balanced": balanced}
        cells |= {f"paper_{name}": {**settings, **paper} for name, settings in cells.items()}
    for how in UNIFY:
        cells[f"energy_{how}"] = {
            "inputs": "", "network": "energy", "unify": how, "seed": seeds[0], "alone": False, "recipe": "ours"
        }  # fmt: skip

    def depends(settings: dict[str, Any], sample: Sample) -> dict[str, Any]:
        return {"own": checksum(own_file(features, sample, ".npy"))} if features and settings.get("features") else {}

    results = run(entries, cells, partial(_scored, features), folder, depends, pictures, jobs=jobs)
    rows = []
    recipes = ("ours", "paper") if recipe == "paper" else ("ours",)
    columns = [*product(inputs, networks, recipes), ("", "energy", "ours")]
    for (given, network, trained), how in product(columns, UNIFY):
        row = {"inputs": given, "network": network, "unify": how, "recipe": trained}
        names = [name for name, settings in cells.items() if row.items() <= settings.items()]
        every = [result for name in names for result in results.by_cell[name].values()]
        rows.append({
            **row,
            **results.figures(names, "predictor", "convex", "hull", "seconds"),
            "empty": sum(int(result["empty"]) for result in every),
            "uncertified": sum(not result["certified"] for result in every),
        })  # fmt: skip
    described = "filter responses" if features is None else str(features)
    said = {"alone": alone, "recipe": recipe, "balanced": balanced, "features": described}
    return results.table(1, rows, seeds=list(seeds), **said), results


def _scored(features: Path | None, cell: tuple[dict[str, Any], Sample]) -> dict[str, Result]:
    """What is recorded of a cell for an image."""
    return {"result": score(*cell, features)}


def score(settings: dict[str, Any], sample: Sample, features: Path | None = None) -> Result:
    """Figures of one cell for one image: intersection over union of the predictor's mask, of the convex mask and of the
    hull of the predictor's largest 4-connected component; number of empty masks, certificate, seconds.
    """
    from scipy.ndimage import label

    begin = time.perf_counter()
    found = _by_recipe if settings["recipe"] == "paper" else _by_segment
    predicted, mask, certified = found(settings, sample, features)
    seconds, ignore = time.perf_counter() - begin, ~sample.scored
    parts, count = label(predicted)
    largest = parts == 1 + np.bincount(parts.ravel())[1:].argmax() if count else predicted
    return {
        "predictor": iou(predicted, sample.truth, ignore=ignore),
        "convex": iou(mask, sample.truth, ignore=ignore),
        "hull": iou(fill_hull(largest), sample.truth, ignore=ignore),
        "empty": int(not mask.any()) + int(not predicted.any()),
        "certified": certified,
        "seconds": seconds,
    }


def _by_segment(settings: dict[str, Any], sample: Sample, features: Path | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """The predictor's mask, the convex mask, and whether that is certified."""
    result = segment(
        sample.image, sample.scribbles, 0.0 if settings["alone"] else None, shape="convex", unify=settings["unify"],
        predictor=predictor_of(settings, sample, features), random_state=settings["seed"],
    )  # fmt: skip
    return result.unconstrained == 2, result.mask, bool(result.certificate)


def _by_recipe(settings: dict[str, Any], sample: Sample, features: Path | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """What `_by_segment` returns, by the paper's recipe. An empty mask counts as not certified."""
    training = Training(
        prepare(sample.image, sample.scribbles), settings["inputs"], own_features(settings, sample, features),
        settings["network"], settings["unify"], settings["seed"], settings["balanced"],
    )  # fmt: skip
    training.run(EPOCHS)
    predicted, mask = training.masks()
    return predicted, mask, bool(mask.any() and certify_convexity(mask))


def predictor_of(settings: dict[str, Any], sample: Sample, features: Path | None = None) -> Any:
    """The predictor of a cell."""
    if settings["network"] == "energy":
        return "energy"
    own = own_features(settings, sample, features)
    given = None if own is None else Features(own, always=True)
    return _CLASS[settings["network"]](inputs=settings["inputs"], features=given, random_state=settings["seed"])


def own_features(settings: dict[str, Any], sample: Sample, features: Path | None) -> np.ndarray | None:
    """The user's features for an image, (H, W, F), if the cell has any."""
    if features is None or "features" not in settings["inputs"]:
        return None
    return read_image(own_file(features, sample, ".npy"))
