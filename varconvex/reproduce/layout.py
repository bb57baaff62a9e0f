"""The tables as text in the paper's layout, with the paper's figures below ours, and its claims about them."""

from statistics import fmean
from typing import Any

from .table1 import PAPER as PAPER1
from .table2 import COLUMNS, PAPER as PAPER2

_TITLE = {"rgb+xy": "RGB+spatial", "rgb+features": "RGB+semantic", "rgb+xy+features": "RGB+spatial+semantic"}
_CELL = 30


def table(found: dict[str, Any]) -> str:
    """The finished table as text."""
    lines = _table1(found) if found["table"] == 1 else _table2(found)
    if found["skipped"]:
        lines += ["", f"left out ({len(found['skipped'])}):"]
        lines += [f"  {name}: {reason}" for name, reason in found["skipped"].items()]
    return "\n".join(lines)


def _table1(found: dict[str, Any]) -> list[str]:
    cells = {(c["inputs"], c["network"], c["unify"]): c for c in found["cells"]}
    inputs = list(dict.fromkeys(c["inputs"] for c in found["cells"] if c["inputs"]))
    columns = [(g, n) for g in inputs for n in ("cnn", "fcn") if (g, n, "joint") in cells]
    networks = list(dict.fromkeys(n for _, n in columns))
    seeds = ", ".join(map(str, found["seeds"]))
    lines = [
        f"Table 1: intersection over union, predictor / convex; {found['images']} images, seeds {seeds}",
        "ours: mean +- standard deviation over the seeds; paper: its 51 images, 3 seeds",
        f"'semantic' is here: {found['features']}; predictor: "
        + ("the network alone" if found["alone"] else "the network, its log-odds smoothed by the energy"),
        "",
        " " * 8 + "".join(f"{_TITLE[g] if n == networks[0] else '':<{_CELL}}" for g, n in columns),
        " " * 8 + "".join(f"{n.upper() + ' / convex':<{_CELL}}" for _, n in columns),
    ]  # fmt: skip
    for how, short in (("sequential", "seq."), ("joint", "joint")):
        ours, paper, seconds = f"{short:<8}", f"{'  paper':<8}", f"{'  s':<8}"
        for g, n in columns:
            c = cells[g, n, how]
            figures = " / ".join(f"{c[kind]:.3f}+-{c[f'{kind}_spread']:.3f}" for kind in ("predictor", "convex"))
            ours += f"{figures:<{_CELL}}"
            paper += f"{'{:.3f} / {:.3f}'.format(*PAPER1[g, n][how]):<{_CELL}}"
            seconds += f"{c['seconds']:<{_CELL}.1f}"
        lines += [ours, paper, seconds + "(seconds an image)"]
    lines += [""]
    for how in ("sequential", "joint"):
        c = cells["", "energy", how]
        lines.append(
            f"the energy predictor, {how}: {c['predictor']:.3f} / {c['convex']:.3f}, {c['seconds']:.1f} s an image"
        )
    better = [k for k in columns if cells[(*k, "joint")]["convex"] > cells[(*k, "sequential")]["convex"]]
    lines += [
        f"joint-convex beats sequential-convex in {len(better)} of {len(columns)} columns (paper: 6 of 6)",
        "convex against the hull of the predictor's largest part, mean of all cells: "
        + " and ".join(f"{fmean(c[kind] for c in found['cells']):.3f}" for kind in ("convex", "hull")),
        f"empty masks: {sum(c['empty'] for c in found['cells'])}; masks that are not certified convex: "
        f"{sum(c['uncertified'] for c in found['cells'])}",
    ]
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
    for kind, label in (("map", "map"), ("projected", "proj(map)")):
        shown = (f"{cells[name][kind]:.4f}" if name in cells else "-" for name in COLUMNS)
        lines.append(f"{label:<12}" + "".join(f"{text:>16}" for text in shown))
    for row, label in ((0, "SAM"), (1, "proj(SAM)")):
        lines.append(f"{label:<12}" + "".join(f"{PAPER2[name][row]:>16.4f}" for name in COLUMNS))
    kept = [name for name in cells if cells[name]["projected"] >= cells[name]["map"]]
    lines += ["", f"the projection raises or keeps the mean in {len(kept)} of {len(cells)} columns (paper: 9 of 9)"]
    if len({c["images"] for c in found["cells"]}) > 1:
        lines.append("images a column: " + ", ".join(f"{name} {c['images']}" for name, c in cells.items()))
    return lines
