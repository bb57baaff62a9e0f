"""Shapes beyond convex: energy above the best known, time, promises by independent code, and real images.

    python -m benchmarks.other_shapes [--sides 256] [--seeds 5] [--shapes star ...] [--json FILE]
    python -m benchmarks.other_shapes --projections 10000
    python -m benchmarks.other_shapes --data DIR [--least .97]

The first fits each shape to silhouettes that have the property (`_objects`), clean, soft, with salt and pepper, and
with blobs beside them; periodic sets to those rolled by half an image. Judged is the excess of <1 - 2 target, mask>
over the best known value: of the silhouette, of the fit, and of searches that take their time (`_searches`). Time is
that of the process and of the clock.

With --projections each shape is fitted to random targets: noise, bits of noise, tiny ones, huge discs, sets that the
border cuts off, with and without strokes; and judged by `_judges`, which shares no code with the package.

With --data every object of the data sets whose truth has the property (its nearest set of the shape has at least this
intersection over union with it) is segmented with the shape and without.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from varconvex import project, segment
from varconvex.datasets.folders import read_folder
from varconvex.errors import ScribbleConflictError
from varconvex.metrics import iou
from varconvex.settings import part
from varconvex.shapes import ConnectedShape

from ._environment import describe
from ._judges import keeps
from ._objects import CONTAINED, drawn
from ._searches import better
from ._silhouettes import SPOILT, spoil
from .quality import collections

_NAMES = {"convex:2": "two", "convex:3": "three"}


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.other_shapes", description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[256], metavar="N", help="sides of the grids")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="poses and noises of each silhouette")
    parser.add_argument("--shapes", nargs="+", default=list(CONTAINED), choices=CONTAINED, metavar="NAME")
    parser.add_argument("--projections", type=int, default=0, metavar="N", help="random targets a shape, judged only")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder of samples, or of such folders")
    parser.add_argument("--least", type=float, default=0.97, help="share of the truth that has the property")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images of each set")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    if options.data:
        rows = [row for name in options.shapes for row in on_data(name, options.data, options.least, options.limit)]
    elif options.projections:
        rows = [promises(name, options.projections) for name in options.shapes]
    else:
        rows = [energies(name, side, options.seeds) for side in options.sides for name in options.shapes]
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "rows": rows}, indent=1))
    return 0


def made(name: str) -> Any:
    """The shape."""
    return ConnectedShape(holes=False) if name == "solid" else part("shapes", name)


def energies(name: str, side: int, seeds: int) -> dict[str, Any]:
    """Excess over the best known energy, and time, over silhouettes, seeds and kinds of noise."""
    shape, excess, clock, cpu = made(name), [], [], []
    shape.fit(spoil(drawn(CONTAINED[name][0], 64, 0), "soft", 0))  # compiles
    runs = [(s, seed, noise) for s in CONTAINED[name] for seed in range(seeds) for noise in SPOILT]
    worst = (-np.inf, "")
    for silhouette, seed, noise in tqdm(runs, leave=False, disable=None, desc=name):
        truth = np.roll(drawn(silhouette, side, seed), side // 2 if name == "periodic" else 0, 1)
        target = spoil(truth, noise, seed)
        begin, begin_cpu = time.perf_counter(), time.process_time()
        fitted = shape.fit(target, random_state=seed)
        clock.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - begin_cpu)
        cost = 1 - 2 * target.astype(np.float64)
        best = min(fitted.energy, float(cost[truth].sum()), better(name, shape, cost, truth, fitted))
        excess.append((fitted.energy - best) / abs(best))
        worst = max(worst, (excess[-1], f"{silhouette}/{noise}/{seed}"))
    row = {
        "shape": name, "side": side, "n": len(runs), "median_excess": float(np.median(excess)),
        "worst_excess": max(excess), "worst": worst[1], "over_1_percent": sum(e > 0.01 for e in excess),
        "median_seconds": float(np.median(clock)), "most_seconds": max(clock),
        "median_cpu_seconds": float(np.median(cpu)), "most_cpu_seconds": max(cpu),
    }  # fmt: skip
    print(
        f"{name:10} {side:5} px, {len(runs)} targets: excess {100 * row['median_excess']:.3f} % median, "
        f"{100 * row['worst_excess']:.2f} % worst ({worst[1]}), {row['over_1_percent']} over 1 %; "
        f"{row['median_seconds']:.3f} s, at most {row['most_seconds']:.3f} s; CPU {row['median_cpu_seconds']:.3f} s, "
        f"at most {row['most_cpu_seconds']:.3f} s",
        flush=True,
    )
    return row


def promises(name: str, count: int) -> dict[str, Any]:
    """Violations in random projections, by code that shares nothing with the shape."""
    shape, judge = made(name), _NAMES.get(name, name)
    broken = strokes = empty = conflicts = largest = 0
    for seed in tqdm(range(count), leave=False, disable=None, desc=name):
        rng = np.random.default_rng(seed)
        target = random_target(rng)
        inside, outside = rng.random((2, *target.shape)) < rng.choice([0, 0, 0.01, 0.05])
        outside &= ~inside
        largest = max(largest, target.size)
        try:
            fitted = shape.fit(target, inside=inside, outside=outside, random_state=seed)
        except ScribbleConflictError:
            conflicts += 1
            continue
        wanted = inside.any() or ((target > 0.5) & ~outside).any()
        empty += not fitted.mask.any()
        broken += bool(fitted.mask.any() != wanted or (wanted and not keeps(judge, fitted)))
        strokes += bool((inside & ~fitted.mask).any() or (outside & fitted.mask).any())
    row = {"shape": name, "n": count, "broken": broken, "strokes": strokes, "empty": empty, "conflicts": conflicts}
    print(
        f"{name:10} {count} random targets of up to {largest} pixels: {broken} broken promises, {strokes} broken "
        f"strokes; {empty} empty, {conflicts} with strokes that no such set can hold",
        flush=True,
    )
    return row


def random_target(rng: np.random.Generator) -> np.ndarray:
    """Noise, bits, a disc, what the border cuts off; tiny ones, and a few of 64 to 96 pixels."""
    size = tuple(rng.integers(64, 97, 2)) if rng.random() < 0.01 else tuple(rng.integers(1, 25, 2))
    kind = rng.integers(4)
    noise = rng.random(size)
    if kind == 0:
        return noise
    if kind == 1:
        return (noise < rng.random()).astype(float)
    centre, radius = rng.uniform(-0.2, 1.2, 2) * size, rng.uniform(0.1, 1.5) * max(size)
    y, x = np.indices(size)
    disc = np.hypot(y - centre[0], x - centre[1]) < radius
    return np.clip(disc * 0.8 + (noise - 0.5) * (0.3 if kind == 2 else 1.2) + 0.1, 0, 1)


def on_data(name: str, root: Path, least: float, limit: int | None) -> list[dict[str, Any]]:
    """Intersection over union with the shape and without, on objects that have it."""
    shape, rows, seen = made(name), [], 0
    for folder, scribbles in collections(root):
        for sample in list(read_folder(folder, scribbles))[:limit]:
            if sample.truth.ndim != 2 or not (sample.truth > 0).any():
                continue
            seen += 1
            has = float(iou(project(sample.truth > 0, shape).mask, sample.truth))
            if has < least:
                continue
            ignore = ~sample.scored
            try:
                found = segment(sample.image, sample.scribbles, shape=shape, random_state=0)
            except ScribbleConflictError:
                print(f"{name:10} {folder.name}/{scribbles}/{sample.name}: its strokes exclude the shape", flush=True)
                continue
            without = segment(sample.image, sample.scribbles, random_state=0)
            row = {
                "shape": name, "set": folder.name, "scribbles": scribbles, "name": sample.name, "has": has,
                "with": float(iou(found.mask, sample.truth, ignore=ignore)),
                "without": float(iou(without.mask, sample.truth, ignore=ignore)),
            }  # fmt: skip
            rows.append(row)
            print(f"{name:10} {folder.name}/{scribbles}/{sample.name}: has it to {has:.3f}; with the shape "
                  f"{row['with']:.3f}, without {row['without']:.3f}", flush=True)  # fmt: skip
    if rows:
        print(f"{name:10} {len(rows)} of {seen}: with the shape {np.mean([r['with'] for r in rows]):.4f}, without "
              f"{np.mean([r['without'] for r in rows]):.4f}", flush=True)  # fmt: skip
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
