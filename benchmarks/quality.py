"""Intersection over union, or Dice coefficient, of the defaults on real images with scribbles.

    python -m benchmarks.quality --data DIR

DIR is a folder with images/, ground_truth/ and one or more scribbles*/ (see `varconvex.datasets.folders`), or holds
such folders. Every image is segmented once with ``shape="convex", unify="sequential"``: the energy's own answer, all of
it (tv) and its scribbled parts (the default without a shape), and its projection are scored; with --joint it is
segmented twice more, ``unify="joint"`` without and with the shape (columns learnt and joint, the default with a shape).
With --shapes every other shape there is (hull, ball, 1-0-1, ...) is fitted to the same minimiser. Where no convex set
can hold the scribbles, convex and joint are empty. With --jitter N every image is segmented N times more by the default
without a shape (scribbled), its strokes moved and shortened as if drawn again; lines after the table have the spread.
Prints a table by image, with the figures of other programs where DIR or its parent has a peers.csv (columns set,
scribbles, name, one a program); writes a picture of the worst images, and one of all that convexity made worse than the
energy alone.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from varconvex import Segmentation, segment
from varconvex.datasets.folders import Sample, read_folder
from varconvex.errors import FileFormatError, ScribbleConflictError
from varconvex.families import find, names
from varconvex.geometry.components import keep_scribbled
from varconvex.io.writing import PICTURE_ENDINGS, check_outputs, write_picture
from varconvex.metrics import dice, iou
from varconvex.plots import outline, sheet, strokes

from ._environment import describe
from ._strokes import drawn_again
from .penalties import PENALTIES

_METHODS = ("tv", "scribbled", "convex", "learnt", "joint")

_NOT_COMPARED = ("convex", "frames", "periodic", "sized")
"""Shapes of columns of their own, of volumes, of images that wrap around, and whose bounds are for each object."""

Metric = Callable[..., float]

_METRICS: dict[str, Metric] = {"iou": iou, "dice": dice}


@dataclass
class Score:
    """One image of one set with one set of scribbles."""

    set: str
    scribbles: str
    name: str
    tv: float
    scribbled: float
    convex: float | None
    seconds: float
    peers: dict[str, float] = field(default_factory=dict)
    learnt: float | None = None
    joint: float | None = None
    joint_seconds: float | None = None
    shapes: dict[str, float | None] = field(default_factory=dict)
    jittered: list[float] = field(default_factory=list)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR", help="a folder of samples, or of such folders"
    )
    parser.add_argument("--metric", choices=_METRICS, default="iou", help="what is measured (default: %(default)s)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images of each set")
    parser.add_argument("--joint", action="store_true", help="also with unify='joint', without and with the shape")
    parser.add_argument("--shapes", action="store_true", help="also every other shape there is, on the same minimiser")
    parser.add_argument("--jitter", type=int, default=0, metavar="N", help="also N times with strokes drawn again")
    parser.add_argument("--worst", type=int, default=5, metavar="N", help="how many of the worst to draw (default: 5)")
    parser.add_argument("--figure", type=Path, default=Path("quality-worst.png"), metavar="FILE", help="the picture")
    parser.add_argument(
        "--worse", type=Path, default=Path("quality-convexity-cost.png"), metavar="FILE",
        help="the picture of all images that convexity made worse",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure")
    options = parser.parse_args(argv)
    try:
        pictures = [(options.figure, PICTURE_ENDINGS), (options.worse, PICTURE_ENDINGS)]
        check_outputs([*pictures, (options.json, (".json",))], [])
        scores, panels, worse = _measure(options)
    except FileFormatError as error:
        print(f"benchmarks.quality: error: {error}", file=sys.stderr)
        return 2
    print(table(scores))
    if lines := spreads(scores):
        print("\n" + "\n".join(lines))
    if panels:
        write_picture(options.figure, sheet(panels, columns=3))
        print(f"\nworst images: {options.figure}")
    if worse:
        write_picture(options.worse, sheet(worse, columns=3))
        print(f"{len(worse)} images that convexity made worse: {options.worse}")
    if options.json:
        options.json.write_text(
            json.dumps({"environment": describe(), "scores": [asdict(s) for s in scores]}, indent=2)
        )
    return 0


def collections(root: Path) -> Iterator[tuple[Path, str]]:
    """Folder and scribbles' name of every set at or below `root`."""
    folders = [root] if (root / "images").is_dir() else sorted(p.parent for p in root.glob("*/images"))
    found = [(f, s.name) for f in folders for s in sorted(f.glob("scribbles*")) if s.is_dir()]
    if not found:
        raise FileFormatError(f"a folder with images/ and scribbles*/ was expected at or below {root}; found none.")
    yield from found


def score(sample: Sample, metric: Metric = iou) -> tuple[dict[str, float | None], Segmentation]:
    """`metric` of each method; the projection's is None where no convex set holds the scribbles."""
    ignore = ~sample.scored
    try:
        result = segment(sample.image, sample.scribbles, shape="convex", unify="sequential", random_state=0)
    except ScribbleConflictError:
        result = segment(sample.image, sample.scribbles, random_state=0)
    vouched = keep_scribbled(result.unconstrained - 1, sample.scribbles)
    masks = {"tv": result.unconstrained == 2, "scribbled": vouched == 1, "convex": result.shape and result.mask}
    scores = {name: None if mask is None else metric(mask, sample.truth, ignore=ignore) for name, mask in masks.items()}
    return scores, result


def score_joint(sample: Sample, convex: bool, metric: Metric = iou) -> dict[str, float | None]:
    """`metric` of joint unification without a shape, and, if a convex set holds the scribbles, with one; seconds."""
    ignore = ~sample.scored
    learnt = segment(sample.image, sample.scribbles, unify="joint", random_state=0)
    found: dict[str, float | None] = {"learnt": metric(learnt.mask, sample.truth, ignore=ignore)}
    if convex:
        begin = time.perf_counter()
        result = segment(sample.image, sample.scribbles, shape="convex", unify="joint", random_state=0)
        found |= {
            "joint_seconds": time.perf_counter() - begin,
            "joint": metric(result.mask, sample.truth, ignore=ignore),
        }
    return found


def score_shapes(sample: Sample, result: Segmentation, metric: Metric = iou) -> dict[str, float | None]:
    """`metric` of every other shape, fitted to the same minimiser; None where it cannot hold the scribbles."""
    found: dict[str, float | None] = {}
    others = {name: find("shapes", name) for name in names("shapes") if name not in _NOT_COMPARED} | PENALTIES
    for name, kind in others.items():
        inside, outside = sample.scribbles == 2, sample.scribbles == 1
        shape = kind()
        try:
            shape.check(inside, outside)
            mask = shape.fit(result.probability, inside=inside, outside=outside, random_state=0).mask
            found[name] = metric(mask, sample.truth, ignore=~sample.scored)
        except ScribbleConflictError:
            found[name] = None
    return found


def score_jittered(sample: Sample, count: int, metric: Metric = iou) -> list[float]:
    """`metric` of the default without a shape for strokes that are drawn again, `count` times."""
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        mask = segment(sample.image, drawn_again(sample.scribbles, sample.truth, rng), random_state=0).mask
        found.append(float(metric(mask, sample.truth, ignore=~sample.scored)))
    return found


def spreads(scores: list[Score]) -> list[str]:
    """How far the default's scores lie apart: over people who scribbled on the same image, and over moved strokes."""
    lines = []
    for name in dict.fromkeys(s.set for s in scores):
        group = [s for s in scores if s.set == name]
        people = [[s.scribbled for s in group if s.name == image] for image in dict.fromkeys(s.name for s in group)]
        lines += _spread(name, "people", [values for values in people if len(values) > 1])
        lines += _spread(name, "strokes drawn again", [s.jittered for s in group if s.jittered])
    return lines


def _spread(name: str, what: str, values: list[list[float]]) -> list[str]:
    """One line, or none without values: the mean, the standard deviation within an image, the mean of the worst."""
    if not values:
        return []
    mean, worst = np.mean([np.mean(v) for v in values]), np.mean([min(v) for v in values])
    within = np.sqrt(np.mean([np.var(v) for v in values]))
    count = len(values[0])
    return [
        f"{name}: {len(values)} images, {count} {what}: mean {mean:.3f}, spread within an image {within:.3f}, "
        f"mean of the worst of {count} {worst:.3f}"
    ]


def table(scores: list[Score]) -> str:
    """The scores by image, and the means of each set."""
    programs = list(dict.fromkeys(name for s in scores for name in s.peers))
    methods = [m for m in _METHODS if m in _METHODS[:3] or any(getattr(s, m) is not None for s in scores)]
    shapes = list(dict.fromkeys(name for s in scores for name in s.shapes))
    head = f"{'image':<42}" + "".join(f"{m:>{_width(m)}}" for m in (*methods, *shapes))
    head += f"{'seconds':>9}" + "".join(f"{p[:17]:>18}" for p in programs)
    lines = []
    for key in dict.fromkeys((s.set, s.scribbles) for s in scores):
        group = [s for s in scores if (s.set, s.scribbles) == key]
        lines += ["", f"{key[0]} / {key[1]}", head]
        lines += [
            _line(s.name, _values(s, methods, shapes), s.seconds, [s.peers.get(p) for p in programs]) for s in group
        ]
        peers = [_mean([s.peers.get(p) for s in group]) for p in programs]
        seconds = float(np.median([s.seconds for s in group]))
        every = [_values(s, methods, shapes) for s in group]
        means = {m: _mean([values[m] for values in every]) for m in every[0]}
        lines.append(_line(f"MEAN of {len(group)}", means, seconds, peers))
        held = sum(s.convex is not None for s in group)
        if held < len(group):
            lines.append(
                f"  (convex: mean of the {held} images whose scribbles a convex set can hold; seconds: median)"
            )
    return "\n".join(lines).lstrip("\n")


def _values(score: Score, methods: list[str], shapes: list[str]) -> dict[str, float | None]:
    return {m: getattr(score, m) for m in methods} | {name: score.shapes.get(name) for name in shapes}


_Panels = list[tuple[str, np.ndarray]]


def _measure(options: argparse.Namespace) -> tuple[list[Score], _Panels, _Panels]:
    peers, metric = _peers(options.data), _METRICS[options.metric]
    scores: list[Score] = []
    drawn: list[tuple[float, str, np.ndarray]] = []
    worse: _Panels = []
    for folder, scribbles in collections(options.data):
        samples = list(read_folder(folder, scribbles))[: options.limit]
        for sample in tqdm(samples, desc=f"{folder.name}/{scribbles}", unit="image", leave=False, disable=None):
            begin = time.perf_counter()
            found, result = score(sample, metric)
            seconds = time.perf_counter() - begin
            key = (folder.name, scribbles, sample.name)
            further = score_joint(sample, found["convex"] is not None, metric) if options.joint else {}
            shapes = score_shapes(sample, result, metric) if options.shapes else {}
            jittered = score_jittered(sample, options.jitter, metric)
            more = {"peers": peers.get(key, {}), "shapes": shapes, "jittered": jittered}
            scores.append(Score(*key, **found, **further, seconds=seconds, **more))
            if found["convex"] is not None and found["convex"] < (found["tv"] or 0):
                title = f"{found['tv']:.2f} to {found['convex']:.2f} {folder.name}/{scribbles}/{sample.name}"
                worse.append((title, _panel(sample, result)))
            judged = found["tv"] if found["convex"] is None else found["convex"]
            drawn.append((judged, f"{judged:.2f} {folder.name}/{scribbles}/{sample.name}", _panel(sample, result)))
            # Only the worst are kept: a large folder must not fill the memory with pictures.
            drawn = sorted(drawn, key=lambda item: item[0])[: max(options.worst, 0)]
    return scores, [(title, panel) for _, title, panel in drawn], worse


def _panel(sample: Sample, result: Segmentation) -> np.ndarray:
    """Scribbles, the truth in green, the energy alone in white, the answer in red."""
    picture = strokes(sample.image, sample.scribbles, (1, 2))
    picture = outline(picture, sample.truth, (0, 255, 0))
    if result.shape is not None:
        picture = outline(picture, result.unconstrained == 2, (255, 255, 255), 1)
    return outline(picture, result.mask, (255, 64, 64))


def _peers(root: Path) -> dict[tuple[str, str, str], dict[str, float]]:
    path = next((p for p in (root / "peers.csv", root.parent / "peers.csv") if p.is_file()), None)
    if path is None:
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = ("set", "scribbles", "name")
    return {tuple(r[k] for k in keys): {n: float(v) for n, v in r.items() if v and n not in keys} for r in rows}  # type: ignore[misc]


def _mean(values: list[Any]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _width(method: str) -> int:
    return max(8, len(method) + 2)


def _line(name: str, values: dict[str, float | None], seconds: float, peers: list[float | None]) -> str:
    def cell(value: float | None, width: int) -> str:
        return f"{'-' if value is None else f'{value:.3f}':>{width}}"

    cells = "".join(cell(value, _width(method)) for method, value in values.items())
    return f"{name[:41]:<42}{cells}{seconds:>9.2f}" + "".join(cell(p, 18) for p in peers)


if __name__ == "__main__":
    raise SystemExit(main())
