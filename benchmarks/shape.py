"""Distance of the convex projection from the best known answer: synthetic silhouettes, poses, sizes and noise.

    python -m benchmarks.shape [--sizes 128 512 1024] [--seeds 20] [--shape convex] [--cases FILE] [--torch]
    python -m benchmarks.shape --rivals [--data DIR]

Every silhouette of `_silhouettes` is fitted once a seed, a size and a kind of noise, all defaults. The pose and the
noise are the seed's; of four seeds one draws a small silhouette, one a large one, and one lets the border cut it off.
Judged is the excess of the energy <1 - 2 target, mask> over the best known one's, as a share of it. The best known
answer is the target itself where it is clean and one piece (nothing is better); else the best of: the silhouette before
it was spoilt; the fit; a network of 96 with twice the steps and another seed; and these three moved by an exact search
over convex outlines, two pixels to either side (one where there are more than 50,000), and over all sets nearby where
they are tiny, till nothing improves (`varconvex.geometry.refine_2d`, `best_nearby`). With --shape another shape is
fitted, those of `penalties` among them. With --rivals all of these are compared (`_rivals`), on medium silhouettes or,
with --data, on the minimisers of the energy on real images.

What noise can hide is counted apart, as "hidden": where 30 % of the pixels are flipped, a silhouette of less than 300
weighs no more than what chance finds elsewhere. "thin" are those that are narrower than 8 pixels.

Intersection over union is with the silhouette before it was spoilt, of the fit and of the best known answer: the second
is what the energy itself can tell. Where the two are far apart no fit can be right in both ways. "excluded" counts the
targets for which that is proven: a set S with an intersection over union of .98 with T differs from it in at most
|T| .02 / .98 pixels, each of which changes the energy by at most 1; if E(T) minus that is more than 2 % above the best
known energy, nothing is both within 2 % of it and within .98 of T.

A run of all sizes takes hours. With --cases each fit is kept as a line of that file, and a run that was interrupted
goes on where it was; seeds come first, so that what is there is a fair sample.

With --torch the fit is timed beside PyTorch: the paper's network, 2-130-130-1, Adam on all pixels for 2,000 iterations,
extrapolated from a few in the same run.
"""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from varconvex import ConvexShape
from varconvex.families import find, names
from varconvex.geometry.certify import certify_convexity
from varconvex.geometry.lattice_polygon import best_nearby
from varconvex.geometry.refine_2d import refine
from varconvex.io.writing import PICTURE_ENDINGS, check_outputs, write_picture
from varconvex.metrics import iou
from varconvex.plots import outline, photograph, sheet
from varconvex.shapes.base import Shape

from ._environment import describe
from ._silhouettes import PLACES, SHAPES, SPOILT, silhouette, spoil
from .penalties import RIVALS

_HIDDEN = 300
"""Pixels of a silhouette below which noise of 30 % hides it."""

_LARGE = 50_000
"""Pixels above which a search two pixels to either side takes seconds."""

_GOOD_IOU, _GOOD_IOU_MISSES = 0.98, 0.02 / 0.98
"""The aim, and the share of a silhouette's pixels in which what reaches it can differ from it."""

_THIN = 8
"""Pixels across below which a silhouette counts as thin."""


@dataclass
class Case:
    """One fit."""

    name: str
    place: str
    noise: str
    side: int
    seed: int
    kind: str
    excess: float
    iou: float
    best_iou: float
    excluded: bool
    seconds: float
    cpu_seconds: float
    convex: bool
    collapsed: bool
    repeats: bool


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.shape", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[128, 512, 1024], metavar="N", help="sides of the grids"
    )
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="poses and noises of each silhouette")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES, metavar="NAME", help="silhouettes")
    kinds = (*names("shapes"), *RIVALS)
    parser.add_argument("--shape", default="convex", choices=kinds, help="the shape that is fitted (default: convex)")
    parser.add_argument("--noise", nargs="+", default=list(SPOILT), choices=SPOILT, metavar="KIND", help="only these")
    parser.add_argument(
        "--cases", type=Path, metavar="FILE", help="keep every fit in it, and do not repeat those there"
    )
    parser.add_argument("--rivals", action="store_true", help="compare all that is said to make a mask convex")
    parser.add_argument("--data", type=Path, metavar="DIR", help="rivals on a folder of samples, or of such folders")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images of each set")
    parser.add_argument("--torch", action="store_true", help="also time PyTorch + Adam on all pixels")
    parser.add_argument("--worst", type=int, default=6, metavar="N", help="how many of the worst to draw (default: 6)")
    parser.add_argument("--figure", type=Path, default=Path("shape-worst.png"), metavar="FILE", help="the picture")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    check_outputs([(options.figure, PICTURE_ENDINGS), (options.json, (".json",))], [])
    environment = describe()
    if options.rivals:
        return rivals(options, environment)
    print(f"{environment['processor']}, {environment['threads']} threads")
    shape = RIVALS[options.shape]() if options.shape in RIVALS else find("shapes", options.shape)()
    shape.fit(spoil(silhouette("disc", "medium", 128, 0), "clean", 0))  # compiles
    runs = [(side, noise, name, seed) for side in options.sizes for seed in range(options.seeds)
            for noise in options.noise for name in options.shapes]  # fmt: skip
    kept = read_cases(options.cases)
    cases: list[Case] = []
    drawn: list[tuple[float, str, np.ndarray]] = []
    for side, noise, name, seed in tqdm(runs, leave=False, disable=None):
        case = kept.get((side, noise, name, seed))
        if case is None:
            case, panel = measure(shape, name, noise, side, seed)
            title = f"{100 * case.excess:.2f} %  {name}, {case.place}, {noise}, {side} px, seed {seed}"
            if case.kind != "hidden":
                # Only the worst are kept.
                drawn = sorted([*drawn, (case.excess, title, panel)], key=lambda d: -d[0])[: max(options.worst, 0)]
            if options.cases:
                with options.cases.open("a") as file:
                    file.write(json.dumps(asdict(case)) + "\n")
        cases.append(case)
    rows = summary(cases)
    print(table(rows))
    figures = {"environment": environment, "seeds": options.seeds, "shapes": options.shapes, "rows": rows}
    figures["shape"] = options.shape
    if options.torch:
        figures["torch"] = beside_torch(512)
        print("\n" + "; ".join(f"{k} {v:.4g}" for k, v in figures["torch"].items()))
    worst = sorted((c for c in cases if c.kind != "hidden"), key=lambda c: -c.excess)[:20]
    print("\nworst: " + ", ".join(f"{c.name}/{c.place}/{c.noise}/{c.side}/{c.seed} {c.excess:.2%}" for c in worst[:8]))
    if drawn:
        write_picture(options.figure, sheet([(title, panel) for _, title, panel in drawn], columns=3))
        print(f"pictures of them (silhouette green, best known white, fit red): {options.figure}")
    if options.json:
        figures["worst"] = [asdict(c) for c in worst]
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


def rivals(options: argparse.Namespace, environment: dict[str, object]) -> int:
    """Compare the rivals, and print what was found."""
    from ._rivals import METHODS, compare, photographs, silhouettes, summary, table

    tasks = (
        photographs(options.data, options.limit)
        if options.data
        else silhouettes(options.shapes, options.noise, options.sizes[0], options.seeds)
    )
    found = compare(tasks, list(METHODS))
    rows = summary(found)
    print(table(rows))
    if options.json:
        kept = {"environment": environment, "rows": rows, "found": [asdict(f) for f in found]}
        options.json.write_text(json.dumps(kept, indent=1))
    return 0


def read_cases(path: Path | None) -> dict[tuple[int, str, str, int], Case]:
    """Results of an earlier run, by size, noise, name and seed."""
    if path is None or not path.exists():
        return {}
    cases = [Case(**json.loads(line)) for line in path.read_text().splitlines()]
    return {(case.side, case.noise, case.name, case.seed): case for case in cases}


def measure(shape: Shape, name: str, noise: str, side: int, seed: int) -> tuple[Case, np.ndarray]:
    """Fit one target, and look for something better by all other means."""
    place = PLACES[seed % len(PLACES)]
    truth = silhouette(name, place, side, seed)
    target = spoil(truth, noise, seed)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    fitted = shape.fit(target, random_state=seed)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - begin_cpu
    repeats = (side > 128 and seed > 0) or bool((shape.fit(target, random_state=seed).mask == fitted.mask).all())
    cost = 1 - 2 * target.astype(np.float64)
    best = best_known(truth, target, fitted.mask, seed, clean=noise == "clean")
    energy, least = float(cost[fitted.mask].sum()), float(cost[best].sum())
    kind = "thin" if _width(truth) < _THIN else "plain"
    if noise in ("salt and pepper", "blobs") and np.count_nonzero(truth) < _HIDDEN:
        kind = "hidden"
    nearest = float(cost[truth].sum()) - _GOOD_IOU_MISSES * np.count_nonzero(truth)
    case = Case(
        name=name, place=place, noise=noise, side=side, seed=seed, kind=kind,
        excess=(energy - least) / abs(least) if least else 0.0, iou=float(iou(fitted.mask, truth)),
        best_iou=float(iou(best, truth)), excluded=bool(nearest > 0.98 * least), seconds=seconds,
        cpu_seconds=cpu_seconds, convex=bool(certify_convexity(fitted.mask)), collapsed=not fitted.mask.any(),
        repeats=repeats,
    )  # fmt: skip
    return case, _panel(target, truth, best, fitted.mask)


def _panel(target: np.ndarray, truth: np.ndarray, best: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The surroundings of the outlines: truth in green, best known in white, the fit in red."""
    picture = photograph(0.25 + 0.5 * target[..., None])
    for mask, colour in ((truth, (0, 255, 0)), (best, (255, 255, 255)), (found, (255, 64, 64))):
        picture = outline(picture, mask, colour, 1)
    there = np.argwhere(truth | best | found)
    low, high = np.maximum(there.min(axis=0) - 12, 0), there.max(axis=0) + 13
    return picture[low[0] : high[0], low[1] : high[1]]


def best_known(truth: np.ndarray, target: np.ndarray, found: np.ndarray, seed: int, *, clean: bool) -> np.ndarray:
    """The best of several searches, `found` among them, as a mask."""
    if clean and certify_convexity(truth):
        return truth
    cost = 1 - 2 * target.astype(np.float64)
    other = ConvexShape((96,), steps=(50, 40, 20, 10)).fit(target, random_state=seed + 1).mask
    candidates = [truth, found, other] if certify_convexity(truth) else [found, other]
    band = 2 if np.count_nonzero(found) <= _LARGE else 1
    moved = [refine(c, cost, band=band, sweeps=10, least=0) for c in candidates if certify_convexity(c)]
    candidates += [best_nearby(mask, cost) for mask in moved]
    return min(candidates, key=lambda mask: float(cost[mask].sum()))


def summary(cases: list[Case]) -> list[dict[str, object]]:
    """One row a size, a kind of noise and a kind of silhouette."""
    rows = []
    for key in sorted({(c.side, SPOILT.index(c.noise), c.kind) for c in cases}):
        group = [c for c in cases if (c.side, SPOILT.index(c.noise), c.kind) == key]
        excess, overlap, best = [c.excess for c in group], [c.iou for c in group], [c.best_iou for c in group]
        rows.append(
            {
                "side": key[0],
                "noise": SPOILT[key[1]],
                "kind": key[2],
                "n": len(group),
                "median_excess": float(np.median(excess)),
                "worst_excess": max(excess),
                "over_2_percent": sum(e > 0.02 for e in excess),
                "collapsed": sum(c.collapsed for c in group),
                "not_convex": sum(not c.convex for c in group),
                "not_repeated": sum(not c.repeats for c in group),
                "median_iou": float(np.median(overlap)),
                "least_iou": min(overlap),
                "median_best_iou": float(np.median(best)),
                "least_best_iou": min(best),
                "below_98": sum(i < _GOOD_IOU for i in overlap),
                "best_below_98": sum(i < _GOOD_IOU for i in best),
                "only_fit_below_98": sum(i < _GOOD_IOU <= b for i, b in zip(overlap, best, strict=True)),
                "excluded": sum(c.excluded for c in group),
                "median_seconds": float(np.median([c.seconds for c in group])),
                "most_seconds": max(c.seconds for c in group),
                "median_cpu_seconds": float(np.median([c.cpu_seconds for c in group])),
                "most_cpu_seconds": max(c.cpu_seconds for c in group),
            }
        )
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """The rows, aligned."""
    lines = [
        f"{'side':>5} {'noise':<16}{'kind':<7}{'n':>5}{'excess %':>9}{'worst %':>9}{'>2 %':>6}{'empty':>7}"
        f"{'not cvx':>8}{'IoU':>8}{'least':>7}{'best':>7}{'least':>7}{'<.98':>6}{'best':>6}{'fit only':>9}"
        f"{'excluded':>9}{'CPU s':>7}{'most':>7}"
    ]
    for r in rows:
        lines.append(
            f"{r['side']:>5} {r['noise']:<16}{r['kind']:<7}{r['n']:>5}{100 * r['median_excess']:>9.3f}"  # type: ignore[operator]
            f"{100 * r['worst_excess']:>9.2f}{r['over_2_percent']:>6}{r['collapsed']:>7}{r['not_convex']:>8}"  # type: ignore[operator]
            f"{r['median_iou']:>8.3f}{r['least_iou']:>7.3f}{r['median_best_iou']:>7.3f}{r['least_best_iou']:>7.3f}"
            f"{r['below_98']:>6}{r['best_below_98']:>6}{r['only_fit_below_98']:>9}{r['excluded']:>9}"
            f"{r['median_cpu_seconds']:>7.3f}{r['most_cpu_seconds']:>7.3f}"
        )
    return "\n".join(lines)


def beside_torch(side: int, iterations: int = 3) -> dict[str, float]:
    """Seconds of a fit, and of 2,000 iterations of Adam on all pixels by extrapolation, two threads each."""
    import torch

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    truth = silhouette("ellipse", "medium", side, 0)
    target = spoil(truth, "blobs", 0)
    axes = np.meshgrid(np.arange(side) / side - 0.5, np.arange(side) / side - 0.5, indexing="ij")
    x = torch.tensor(np.stack(axes, axis=-1).reshape(-1, 2), dtype=torch.float32)
    wanted = torch.tensor(target.ravel(), dtype=torch.float32)
    width = 130
    first, second, last = torch.nn.Linear(2, width), torch.nn.Linear(width, width), torch.nn.Linear(width, 1)
    skips = torch.nn.Linear(2, width, bias=False), torch.nn.Linear(2, 1, bias=False)
    adam = torch.optim.Adam([p for layer in (first, second, last, *skips) for p in layer.parameters()], lr=0.02)

    def step() -> None:
        z = torch.relu(first(x))
        z = torch.relu(second(z) + skips[0](x))
        u = torch.sigmoid(-(last(z) + skips[1](x))[:, 0])
        adam.zero_grad()
        ((u - wanted) ** 2).mean().backward()
        adam.step()
        with torch.no_grad():
            second.weight.clamp_(min=0)
            last.weight.clamp_(min=0)

    shape, ours, theirs = ConvexShape(), [], []
    step()
    shape.fit(target)
    for _ in range(iterations):
        begin = time.perf_counter()
        step()
        theirs.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        shape.fit(target)
        ours.append(time.perf_counter() - begin)
    seconds, extrapolated = float(np.median(ours)), 2000 * float(np.median(theirs))
    return {"side": side, "fit_seconds": seconds, "torch_seconds": extrapolated, "ratio": extrapolated / seconds}


def _width(mask: np.ndarray) -> float:
    """Pixels across at the widest inscribed place."""
    from scipy.ndimage import distance_transform_edt

    return 2 * float(distance_transform_edt(np.pad(mask, 1)).max()) - 1


if __name__ == "__main__":
    raise SystemExit(main())
