"""The tables as text in the paper's layout, with the paper's figures below ours, and its claims about them.

Pages of pictures: for Table 1 as the paper's Fig. 2, for Table 2 maps and their projections.
"""

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from ..api import segment
from ..datasets.folders import Sample
from ..plots import outline, sheet, strokes
from .run import Results
from .table1 import PAPER as PAPER1, UNIFY, predictor_of
from .table2 import COLUMNS, PAPER as PAPER2, corrupted, source_of

_TITLE = {"rgb+xy": "RGB+spatial", "rgb+features": "RGB+semantic", "rgb+xy+features": "RGB+spatial+semantic"}
_CELL = 30
_TRUTH, _ANSWER = (0, 255, 0), (255, 64, 64)


def table(found: dict[str, Any]) -> str:
    """The finished table as text."""
    lines = _table1(found) if found["table"] == 1 else _table2(found)
    if found["skipped"]:
        lines += ["", f"left out ({len(found['skipped'])}):"]
        lines += [f"  {name}: {reason}" for name, reason in found["skipped"].items()]
    return "\n".join(lines)


def _table1(found: dict[str, Any]) -> list[str]:
    cells, recipe = (
        {(c["inputs"], c["network"], c["unify"]): c for c in found["cells"] if c["recipe"] == whose}
        for whose in ("ours", "paper")
    )
    weights = ", but both labels' strokes weigh alike" if found["balanced"] else ""
    inputs = list(dict.fromkeys(c["inputs"] for c in found["cells"] if c["inputs"]))
    columns = [(g, n) for g in inputs for n in ("cnn", "fcn") if (g, n, "joint") in cells]
    networks = list(dict.fromkeys(n for _, n in columns))
    seeds = ", ".join(map(str, found["seeds"]))
    lines = [
        f"Table 1: intersection over union, predictor / convex; {found['images']} images, seeds {seeds}",
        "ours: mean +- standard deviation over the seeds; paper: its 51 images, 3 seeds",
        f"'semantic' is here: {found['features']}; predictor: "
        + ("the network alone" if found["alone"] else "the network, its log-odds smoothed by the energy"),
        *(["recipe: networks trained here as the paper describes it" + weights] if recipe else []),
        "",
        " " * 8 + "".join(f"{_TITLE[g] if n == networks[0] else '':<{_CELL}}" for g, n in columns),
        " " * 8 + "".join(f"{n.upper() + ' / convex':<{_CELL}}" for _, n in columns),
    ]  # fmt: skip
    for how, short in (("sequential", "seq."), ("joint", "joint")):
        paper = f"{'  paper':<8}"
        for g, n in columns:
            paper += f"{'{:.3f} / {:.3f}'.format(*PAPER1[g, n][how]):<{_CELL}}"
        ours, seconds = _rows(short, "  s", [cells[g, n, how] for g, n in columns])
        lines += [ours, paper, seconds + "(seconds an image)"]
        if recipe:
            lines += _rows(" recipe", "  s", [recipe[g, n, how] for g, n in columns])
    lines += [""]
    for how in ("sequential", "joint"):
        c = cells["", "energy", how]
        lines.append(
            f"the energy predictor, {how}: {c['predictor']:.3f} / {c['convex']:.3f}, {c['seconds']:.1f} s an image"
        )
    for whose, by in {"": cells, "by the recipe, ": recipe}.items():
        if by:
            lines += _judged(whose, columns, by)
    return lines


def _judged(whose: str, columns: list[tuple[str, str]], cells: dict[tuple[str, str, str], Any]) -> list[str]:
    """The paper's claim about these cells, what a hull would be worth, and what went wrong."""
    better = [k for k in columns if cells[(*k, "joint")]["convex"] > cells[(*k, "sequential")]["convex"]]
    return [
        f"{whose}joint-convex beats sequential-convex in {len(better)} of {len(columns)} columns (paper: 6 of 6)",
        f"{whose}convex against the hull of the predictor's largest part, mean of all cells: "
        + " and ".join(f"{fmean(c[kind] for c in cells.values()):.3f}" for kind in ("convex", "hull")),
        f"{whose}empty masks: {sum(c['empty'] for c in cells.values())}; masks that are not certified convex: "
        f"{sum(c['uncertified'] for c in cells.values())}",
    ]


def _rows(name: str, seconds: str, cells: list[dict[str, Any]]) -> list[str]:
    """A line of figures of these cells, and one of seconds an image."""
    lines = [f"{name:<8}", f"{seconds:<8}"]
    for c in cells:
        figures = " / ".join(f"{c[kind]:.3f}+-{c[f'{kind}_spread']:.3f}" for kind in ("predictor", "convex"))
        lines[0] += f"{figures:<{_CELL}}"
        lines[1] += f"{c['seconds']:<{_CELL}.1f}"
    return lines


def _table2(found: dict[str, Any]) -> list[str]:
    cells = {c["corruption"]: c for c in found["cells"]}
    lines = [
        f"Table 2: intersection over union of maps and of their convex projections; severity {found['severity']}, "
        f"{found['images']} images, seeds {', '.join(map(str, found['seeds']))}",
        f"maps: {found['maps']}; paper: SAM on its 51 images",
        "",
        f"{'':<12}" + "".join(f"{name:>16}" for name in COLUMNS),
    ]
    for kind, label in (("map", "map"), ("projected", "proj(map)"), ("alone", "no strokes")):
        shown = (f"{cells[name][kind]:.4f}" if name in cells else "-" for name in COLUMNS)
        lines.append(f"{label:<12}" + "".join(f"{text:>16}" for text in shown))
    for row, label in ((0, "SAM"), (1, "proj(SAM)")):
        lines.append(f"{label:<12}" + "".join(f"{PAPER2[name][row]:>16.4f}" for name in COLUMNS))
    kept = [name for name in cells if cells[name]["projected"] >= cells[name]["map"]]
    lines += ["", f"the projection raises or keeps the mean in {len(kept)} of {len(cells)} columns (paper: 9 of 9)"]
    if len({c["images"] for c in found["cells"]}) > 1:
        lines.append("images a column: " + ", ".join(f"{name} {c['images']}" for name, c in cells.items()))
    return lines


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


def before_and_after(found: dict[str, Any], results: Results, source: Path | None) -> Image.Image | None:
    """A page with a row for each image and a column for each corruption: map white, projection red, truth green."""
    panels = []
    common = {"seed": found["seeds"][0], "severity": found["severity"], "predictor": found["predictor"]}
    for sample in (s for s in results.samples if all(s.name in images for images in results.by_cell.values())):
        for cell in ({"corruption": c["corruption"], **common} for c in found["cells"]):
            image, who = corrupted(cell, sample), source_of(cell, sample, source)
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
