"""Pages of pictures: for Table 1 as the paper's Fig. 2, for Table 2 maps and their projections."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..api import segment
from ..datasets.folders import Sample
from ..plots import outline, sheet, strokes
from ..predictors.given import GivenPredictor
from .run import Results
from .table1 import UNIFY, predictor_of
from .table2 import corrupted, mask_of

_TRUTH, _ANSWER = (0, 255, 0), (255, 64, 64)


def fig2(found: dict[str, Any], results: Results, features: Path | None) -> Image.Image | None:
    """A page with a row for each image: scribbles, FCN on colours and features, its projection, joint unification."""
    panels = []
    cell = {"inputs": "rgb+features", "network": "fcn", "seed": found["seeds"][0]}
    common: dict[str, Any] = {"shape": "convex", "random_state": cell["seed"]}
    for sample in results.samples:
        network = predictor_of(cell, sample, features)
        # Without the energy (alpha = 0), as in the paper.
        once, both = (
            segment(sample.image, sample.scribbles, 0.0, predictor=network, unify=how, **common) for how in UNIFY
        )
        panels += [
            (f"{sample.name}: scribbles", strokes(sample.image, sample.scribbles, (1, 2))),
            ("FCN, colours and features", _dimmed(sample, once.unconstrained == 2)),
            ("its convex projection", _outlined(sample, once.mask)),
            ("joint (green: truth)", _outlined(sample, both.mask)),
        ]
    return sheet(panels, columns=4) if panels else None


def before_and_after(found: dict[str, Any], results: Results, masks: Path | None) -> Image.Image | None:
    """A page with a row for each image and a column for each corruption: map white, projection red, truth green."""
    panels = []
    common = {"seed": found["seeds"][0], "severity": found["severity"], "predictor": None if masks else found["maps"]}
    for sample in (s for s in results.samples if all(s.name in images for images in results.by_cell.values())):
        for cell in ({"corruption": c["corruption"], **common} for c in found["cells"]):
            image = corrupted(cell, sample)
            who = cell["predictor"] if masks is None else GivenPredictor(mask_of(masks / cell["corruption"], sample))
            result = segment(image, sample.scribbles, shape="convex", predictor=who, random_state=cell["seed"])
            picture = outline(outline(image, sample.truth, _TRUTH, 1), result.unconstrained == 2, (255, 255, 255), 1)
            panels.append((cell["corruption"], outline(picture, result.mask, _ANSWER)))
    return sheet(panels, columns=len(found["cells"])) if panels else None


def _dimmed(sample: Sample, mask: np.ndarray) -> np.ndarray:
    """The photograph, darker outside of the mask."""
    return np.where(mask[..., None], sample.image, sample.image // 4).astype(np.uint8)


def _outlined(sample: Sample, mask: np.ndarray) -> np.ndarray:
    """The photograph with the outlines of the truth (green) and of a mask (red)."""
    return outline(outline(_dimmed(sample, mask) // 2 + sample.image // 2, sample.truth, _TRUTH, 1), mask, _ANSWER)
