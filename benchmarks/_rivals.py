"""What others do about convexity, beside the convex shape: the same targets, the same judges (`benchmarks.shape`).

Judged are the energy <1 - 2 target, mask> above that of the least convex mask found, as a share of it (below 0 where a
mask is not convex); intersection over union with the truth; whether the exact certificate holds, and the lattice points
of the hull that the mask lacks, as a share of it; triples 1-0-1 on lines of pixels in 16 directions, in units of the
mask's pixels; and the time of the process. Strokes are held by all of them.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from varconvex import ConvexShape, segment
from varconvex.datasets.folders import read_folder
from varconvex.errors import ScribbleConflictError
from varconvex.geometry.certify import certify_convexity
from varconvex.metrics import iou
from varconvex.shapes import HullShape
from varconvex.shapes.base import Shape

from ._silhouettes import silhouette, spoil
from .penalties import RIVALS
from .penalties.one_zero_one import count_triples
from .quality import collections

METHODS: dict[str, Callable[[], Shape]] = {"convex": ConvexShape, "hull": HullShape} | RIVALS
"""The convex shape first, with which the others are compared."""


@dataclass
class Found:
    """What one method found on one target."""

    target: str
    group: str
    method: str
    energy: float
    least: float
    """Energy of the best convex mask that any method found on this target; NaN if there is none."""
    iou: float
    convex: bool
    missing: float
    """Lattice points of the hull that the mask lacks, as a share of the mask."""
    triples: float
    """1-0-1 on lines, over the pixels of the mask."""
    seconds: float


@dataclass
class Task:
    """A target, what is known of it, and what is right."""

    name: str
    group: str
    target: np.ndarray
    truth: np.ndarray
    scored: np.ndarray
    inside: np.ndarray
    outside: np.ndarray


def silhouettes(names: list[str], noises: list[str], side: int, seeds: int) -> Iterator[Task]:
    """Silhouettes of medium size, in noise, without strokes."""
    nowhere = np.zeros((side, side), bool)
    for noise in noises:
        for seed in range(seeds):
            for name in names:
                truth = silhouette(name, "medium", side, seed)
                title = f"{name}/{noise}/{seed}"
                yield Task(title, noise, spoil(truth, noise, seed), truth, ~nowhere, nowhere, nowhere)


def photographs(root: Path, limit: int | None) -> Iterator[Task]:
    """The minimisers of the energy on real images, with their strokes; left out where no convex set holds these."""
    for folder, scribbles in collections(root):
        for sample in list(read_folder(folder, scribbles))[:limit]:
            if sample.truth.ndim != 2 or not (sample.truth > 0).any():
                continue
            try:
                u = segment(sample.image, sample.scribbles, shape="convex", unify="sequential", random_state=0)
            except ScribbleConflictError:
                continue
            strokes, group = sample.scribbles, f"{folder.name}/{scribbles}"
            yield Task(
                sample.name, group, u.probability, sample.truth > 0, sample.scored, strokes == 2, strokes == 1
            )  # fmt: skip


def compare(tasks: Iterator[Task], methods: list[str]) -> list[Found]:
    """Every method on every target, one after another, so that they share what the machine is busy with."""
    found = []
    for task in tqdm(tasks, leave=False, disable=None):
        found += measure(task, methods)
    return found


def measure(task: Task, methods: list[str]) -> list[Found]:
    """Every method on one target."""
    cost, row = 1 - 2 * task.target.astype(np.float64), []
    for method in methods:
        begin = time.process_time()
        mask = METHODS[method]().fit(task.target, inside=task.inside, outside=task.outside, random_state=0).mask
        seconds, certificate = time.process_time() - begin, certify_convexity(mask)
        size = max(int(np.count_nonzero(mask)), 1)
        row.append(
            Found(
                task.name, task.group, method, float(cost[mask].sum()), np.nan,
                float(iou(mask, task.truth, ignore=~task.scored)), bool(certificate),
                certificate.n_missing / size, count_triples(mask) / size, seconds,
            )
        )  # fmt: skip
    least = min((f.energy for f in row if f.convex), default=np.nan)
    for one in row:
        one.least = least
    return row


def summary(found: list[Found]) -> list[dict[str, object]]:
    """One row a group of targets and a method."""
    rows = []
    for group in dict.fromkeys(f.group for f in found):
        for method in dict.fromkeys(f.method for f in found):
            some = [f for f in found if (f.group, f.method) == (group, method)]
            excess = [(f.energy - f.least) / abs(f.least) for f in some if f.least]
            rows.append(
                {
                    "group": group,
                    "method": method,
                    "n": len(some),
                    "median_excess": float(np.median(excess)) if excess else np.nan,
                    "worst_excess": max(excess, default=np.nan),
                    "mean_iou": float(np.mean([f.iou for f in some])),
                    "least_iou": min(f.iou for f in some),
                    "not_convex": sum(not f.convex for f in some),
                    "mean_missing": float(np.mean([f.missing for f in some])),
                    "mean_triples": float(np.mean([f.triples for f in some])),
                    "median_cpu_seconds": float(np.median([f.seconds for f in some])),
                }
            )
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """The rows, aligned."""
    lines = [
        f"{'targets':<22} {'method':<19}{'n':>4}{'excess %':>9}{'worst %':>9}{'IoU':>7}{'least':>7}{'not cvx':>8}"
        f"{'missing %':>10}{'1-0-1':>8}{'CPU s':>8}"
    ]
    for r in rows:
        lines.append(
            f"{r['group']:<22} {r['method']:<19}{r['n']:>4}{100 * r['median_excess']:>9.2f}"  # type: ignore[operator]
            f"{100 * r['worst_excess']:>9.1f}{r['mean_iou']:>7.3f}{r['least_iou']:>7.3f}{r['not_convex']:>8}"  # type: ignore[operator]
            f"{100 * r['mean_missing']:>10.2f}{r['mean_triples']:>8.1f}{r['median_cpu_seconds']:>8.2f}"  # type: ignore[operator]
        )
    return "\n".join(lines)
