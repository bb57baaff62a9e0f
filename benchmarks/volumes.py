"""Random convex bodies in noisy volumes (`_solids`): how well each way finds them, and in what time.

    python -m benchmarks.volumes [--cases 100] [--ways convex sequential default projection clean]

convex, sequential, default: `segment` with ``shape="convex"``, the same with ``unify="sequential"``, without a shape.
projection: `project` of the probabilities under the true grey values and the true noise, which only the truth knows.
clean: `project` of the truth itself, which has to come back. Printed are the least IoU, its mean and quantiles, the
share of .95 and more, and the time; then the worst cases.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tqdm import tqdm

from varconvex import project, segment
from varconvex.errors import VarconvexWarning
from varconvex.metrics import iou

from ._environment import describe
from ._solids import Solid, solid

_GOOD = 0.95
"""The aim for every case."""


Way: TypeAlias = Callable[[Any], np.ndarray]
"""Finds the mask of a case, which has an image, scribbles, spacing and truth."""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    return compare("volumes", __doc__, solid, 100, WAYS, _GOOD, argv)


def compare(
    name: str, text: str, case_of: Callable[[int], Any], count: int, ways: Mapping[str, Way], good: float,
    argv: list[str] | None,
) -> int:  # fmt: skip
    """Measure and print the ways on the cases of seeds 0, 1, ...; options as in the benchmark's `text`.

    `count` is the number of cases by default, `good` the IoU whose share of the cases is printed.
    """
    parser = argparse.ArgumentParser(prog=f"benchmarks.{name}", description=text.split("\n")[0])
    parser.add_argument("--cases", type=int, default=count, metavar="N", help=f"number of cases (default: {count})")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th of them")
    parser.add_argument("--ways", nargs="+", default=list(ways), choices=ways, metavar="NAME", help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore", VarconvexWarning)
    rows = []
    for seed in tqdm(range(0, options.cases, options.every), leave=False, disable=None):
        case = case_of(seed)
        rows += [{"way": way, "seed": seed, "name": case.name, **measure(case, ways[way])} for way in options.ways]
    print(f"{'way':12}{'least':>8}{'5 %':>8}{'mean':>8}{'good':>8}{'seconds':>9}{'most':>8}")
    for way in options.ways:
        values, seconds = (np.array([row[what] for row in rows if row["way"] == way]) for what in ("iou", "seconds"))
        shares = values.min(), np.quantile(values, 0.05), values.mean(), (values >= good).mean()
        print(f"{way:12}" + "".join(f"{x:8.3f}" for x in shares) + f"{np.median(seconds):9.2f}{seconds.max():8.2f}")
    for row in sorted(rows, key=lambda row: row["iou"])[:10]:
        print(f"{row['iou']:.3f} {row['size']:6.2f} times the size  {row['way']}, case {row['seed']}: {row['name']}")
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "rows": rows}, indent=1))
    return 0


def measure(case: Any, way: Way) -> dict[str, float]:
    """IoU, size relative to the truth's, and seconds of one way."""
    begin = time.perf_counter()
    mask = way(case)
    seconds = time.perf_counter() - begin
    return {"iou": float(iou(mask, case.truth)), "size": float(mask.sum() / case.truth.sum()), "seconds": seconds}


def _convex(case: Any) -> np.ndarray:
    return segment(case.image, case.scribbles, spacing=case.spacing, shape="convex").mask


def _sequential(case: Any) -> np.ndarray:
    return segment(case.image, case.scribbles, spacing=case.spacing, shape="convex", unify="sequential").mask


def _default(case: Any) -> np.ndarray:
    return segment(case.image, case.scribbles, spacing=case.spacing).mask


def _projection(case: Solid) -> np.ndarray:
    mine, others = case.image[case.truth], case.image[~case.truth]
    evidence = ((case.image - others.mean()) ** 2 - (case.image - mine.mean()) ** 2) / (2 * others.var())
    return project(1 / (1 + np.exp(-evidence)), spacing=case.spacing).mask


def _clean(case: Solid) -> np.ndarray:
    return project(case.truth, spacing=case.spacing).mask


WAYS: dict[str, Way] = {
    "convex": _convex,
    "sequential": _sequential,
    "default": _default,
    "projection": _projection,
    "clean": _clean,
}

if __name__ == "__main__":
    raise SystemExit(main())
