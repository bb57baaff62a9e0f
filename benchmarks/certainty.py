"""What `certainty=True` says, beside the truth: errors by certainty, sizes by interval, strokes by `next_stroke`.

    python -m benchmarks.certainty --data DIR

DIR as for `benchmarks.quality`. Every image is segmented with the defaults. Three tables by set: the share of wrong
pixels by certainty (scribbles and what is not scored left out); the share of images whose true number of object pixels
lies in `area_interval`; and the mean IoU after one more dot with the right label, 7 pixels wide, where `next_stroke`
says, at a pixel drawn at random, and in the middle of the largest error, which only the truth knows.
"""

import argparse
import json
import warnings
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, label
from tqdm import tqdm

from varconvex import Segmentation, segment
from varconvex.datasets.folders import Sample, read_folder
from varconvex.errors import VarconvexWarning
from varconvex.metrics import iou

from ._environment import describe
from .quality import collections

EDGES = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 2.9)
EXCESS = (0.0, 0.01, 0.05, 0.1)
PLACES = ("before", "next_stroke", "random", "largest error")

_DOT = 3
"""Radius of the dots, in pixels."""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.certainty", description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="a folder of samples, or of such ones")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images of each set")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore", VarconvexWarning)
    found = {f"{folder.name}/{s}": _measure(read_folder(folder, s), options) for folder, s in collections(options.data)}
    print("share of wrong pixels (and of all pixels), by certainty in nats")
    _table(found, "wrong", [f"from {edge:g}" for edge in EDGES])
    print("\nshare of images whose true size lies in area_interval(excess)")
    _table(found, "held", [f"{excess:g}" for excess in EXCESS])
    print("\nmean IoU after one more dot")
    _table(found, "gained", PLACES)
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "sets": found}, indent=2))
    return 0


def _measure(samples: Iterable[Sample], options: argparse.Namespace) -> dict[str, list]:
    """The three rows of one set."""
    counts, wrong, rows = np.zeros(len(EDGES)), np.zeros(len(EDGES)), defaultdict(list)
    rng = np.random.default_rng(0)
    for sample in tqdm(islice(samples, options.limit), leave=False):
        result = segment(sample.image, sample.scribbles, certainty=True)
        asked = (sample.scribbles == 0) & sample.scored
        error = (result.mask != sample.truth) & asked
        bins = np.digitize(result.certainty[asked], EDGES) - 1
        counts += np.bincount(bins, minlength=len(EDGES))
        wrong += np.bincount(bins, error[asked], minlength=len(EDGES))
        intervals = [result.area_interval(excess) for excess in EXCESS]
        rows["held"].append([least <= sample.truth.sum() <= most for least, most in intervals])
        drawn = tuple(int(n) for n in rng.choice(np.argwhere(asked)))
        places = (None, result.next_stroke(), drawn, _middle(error))
        rows["gained"].append([_score(sample, result, place) for place in places])
    means = {name: np.mean(values, axis=0).tolist() for name, values in rows.items()}
    share = (wrong / np.maximum(counts, 1)).tolist()
    return {"wrong": list(zip(share, (counts / counts.sum()).tolist(), strict=True)), **means}


def _middle(error: np.ndarray) -> tuple[int, ...] | None:
    """The deepest pixel of the largest connected error, if there is any."""
    parts, count = label(error)
    if not count:
        return None
    depth = distance_transform_edt(np.pad(parts == 1 + np.bincount(parts.ravel())[1:].argmax(), 1))[1:-1, 1:-1]
    return tuple(int(n) for n in np.unravel_index(depth.argmax(), depth.shape))


def _score(sample: Sample, result: Segmentation, place: tuple[int, ...] | None) -> float:
    """IoU of the result, or after a dot at `place`, which covers pixels with the same true label only."""
    if place is not None:
        rows, columns = np.indices(sample.truth.shape)
        dot = np.hypot(rows - place[0], columns - place[1]) <= _DOT
        dot &= sample.scored & (sample.truth == sample.truth[place])
        result = segment(sample.image, np.where(dot, 1 + sample.truth, sample.scribbles))
    return float(iou(result.mask, sample.truth, ignore=~sample.scored))


def _table(found: dict[str, dict[str, list]], row: str, heads: tuple[str, ...] | list[str]) -> None:
    print("".join(f"{head:>16}" for head in ("set", *heads)))
    for name, values in found.items():
        cells = [f"{v[0]:.3f} ({v[1]:.2f})" if isinstance(v, tuple) else f"{v:.3f}" for v in values[row]]
        print("".join(f"{cell:>16}" for cell in (name[-16:], *cells)))


if __name__ == "__main__":
    raise SystemExit(main())
