"""A whole call, from photograph and strokes to the mask, beside the calls people use today; in turns within one run.

    python -m benchmarks.calls [--sizes 512 1024] [--rounds 5]

The photograph and strokes of `problems`; all defaults (cv2.grabCut: 5 iterations, random_walker: beta 130 and the
fastest mode that is installed). Only ratios travel. Needs scikit-image and OpenCV.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.segmentation import random_walker

from varconvex import segment

from ._environment import describe
from .problems import Case, segmentation
from .timing import interleave


def calls(case: Case) -> dict[str, Callable[[], Any]]:
    """The timed calls by name, `segment` first."""

    def grabcut() -> np.ndarray:
        given = np.full(case.strokes.shape, cv2.GC_PR_BGD, np.uint8)
        given[case.strokes == 2], given[case.strokes == 1] = cv2.GC_FGD, cv2.GC_BGD
        models = np.zeros((1, 65)), np.zeros((1, 65))
        return cv2.grabCut(case.image[..., ::-1].copy(), given, None, *models, 5, cv2.GC_INIT_WITH_MASK)[0]

    mode = "cg_mg" if find_spec("pyamg") else "cg_j"
    labels = case.strokes.astype(int)

    def walk() -> None:
        with warnings.catch_warnings():
            # Without pyamg its solver ends a little outside [0, 1], and says so; the labels are what is timed.
            warnings.filterwarnings("ignore", "The probability range is outside", UserWarning)
            random_walker(case.image, labels, beta=130, mode=mode, channel_axis=-1)

    return {
        "segment": lambda: segment(case.image, labels),
        "cv2.grabCut": grabcut,
        "random_walker": walk,
    }


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.calls", description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], metavar="N", help="sides of the image")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="interleaved repetitions (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    rows = []
    for side in options.sizes:
        case = segmentation(side)
        contenders = calls(case)
        stages = contenders["segment"]().seconds  # compiled now
        found = interleave(contenders, options.rounds, label=f"{side}²")
        timed = {name: one.summary() for name, one in found.items()}
        ours = timed["segment"]["seconds"]
        rows.append({"side": side, "strokes": int((case.strokes > 0).sum()), "timed": timed, "stages": dict(stages)})
        ratios = ", ".join(f"{name} {row['seconds'] / ours:.1f}" for name, row in timed.items())
        share = stages["likelihood"] / sum(stages.values())
        print(f"{side}²: {ours:.2f} s, of which the likelihood {share:.0%}; times as long: {ratios}")
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "calls": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
