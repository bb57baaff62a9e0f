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
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from varconvex import project, segment
from varconvex.errors import VarconvexWarning
from varconvex.metrics import iou

from ._environment import describe
from ._solids import Solid, solid

_GOOD = 0.95
"""The aim for every case."""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.volumes", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100, metavar="N", help="number of bodies (default: 100)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th of them")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, metavar="NAME", help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore", VarconvexWarning)
    rows = []
    for seed in tqdm(range(0, options.cases, options.every), leave=False, disable=None):
        case = solid(seed)
        rows += [measure(case, seed, way) for way in options.ways]
    print(f"{'way':12}{'least':>8}{'5 %':>8}{'mean':>8}{'good':>8}{'seconds':>9}{'most':>8}")
    for way in options.ways:
        values, seconds = (np.array([row[what] for row in rows if row["way"] == way]) for what in ("iou", "seconds"))
        shares = values.min(), np.quantile(values, 0.05), values.mean(), (values >= _GOOD).mean()
        print(f"{way:12}" + "".join(f"{x:8.3f}" for x in shares) + f"{np.median(seconds):9.2f}{seconds.max():8.2f}")
    for row in sorted(rows, key=lambda row: row["iou"])[:10]:
        print(f"{row['iou']:.3f} {row['size']:6.2f} times the size  {row['way']}, case {row['seed']}: {row['name']}")
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "rows": rows}, indent=1))
    return 0


def measure(case: Solid, seed: int, way: str) -> dict:
    """IoU, size relative to the truth's, and seconds of one way."""
    begin = time.perf_counter()
    mask = WAYS[way](case)
    seconds = time.perf_counter() - begin
    size = float(mask.sum() / case.truth.sum())
    score = float(iou(mask, case.truth))
    return {"way": way, "seed": seed, "name": case.name, "iou": score, "size": size, "seconds": seconds}


def _convex(case: Solid) -> np.ndarray:
    return segment(case.image, case.scribbles, spacing=case.spacing, shape="convex").mask


def _sequential(case: Solid) -> np.ndarray:
    return segment(case.image, case.scribbles, spacing=case.spacing, shape="convex", unify="sequential").mask


def _default(case: Solid) -> np.ndarray:
    return segment(case.image, case.scribbles, spacing=case.spacing).mask


def _projection(case: Solid) -> np.ndarray:
    mine, others = case.image[case.truth], case.image[~case.truth]
    evidence = ((case.image - others.mean()) ** 2 - (case.image - mine.mean()) ** 2) / (2 * others.var())
    return project(1 / (1 + np.exp(-evidence)), spacing=case.spacing).mask


def _clean(case: Solid) -> np.ndarray:
    return project(case.truth, spacing=case.spacing).mask


WAYS: dict[str, Callable[[Solid], np.ndarray]] = {
    "convex": _convex,
    "sequential": _sequential,
    "default": _default,
    "projection": _projection,
    "clean": _clean,
}

if __name__ == "__main__":
    raise SystemExit(main())
