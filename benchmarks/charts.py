"""The solver's benchmark in three pictures: gap over seconds, time over pixels, speed beside the memory's."""

from pathlib import Path
from typing import Any

import numpy as np

from .peers import MASKS
from .timing import BYTES
from .verdict import exponent

_MOST = "1e-3"


def pyplot() -> Any:
    """Matplotlib's, drawing into files.

    Raises
    ------
    SystemExit
        If it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise SystemExit("--output draws with matplotlib, which is missing: pip install '.[plot]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def draw(record: dict[str, Any], folder: Path) -> list[Path]:
    """Write those of the pictures that the record has figures for; their paths."""
    plt = pyplot()
    drawn = []
    for name, part, figure in (
        ("gap.png", "masks", _gaps), ("time.png", "masks", _times), ("roofline.png", "iterations", _roofline),
    ):  # fmt: skip
        if record.get(part):
            canvas, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
            figure(axes, record)
            axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
            axes.grid(alpha=0.3)
            canvas.savefig(folder / name, dpi=100)
            plt.close(canvas)
            drawn.append(folder / name)
    return drawn


def _gaps(axes: Any, record: dict[str, Any]) -> None:
    """Each case's gap as it falls; a graph cut has no gap before it ends, so it is a vertical line."""
    for k, case in enumerate(record["masks"]):
        seconds, gaps = zip(*case["curve"], strict=True)
        axes.plot(seconds, np.maximum(gaps, 1e-7), ".-", color=f"C{k}", label=case["name"])
        if "maxflow4" in case["contenders"]:
            done = case["contenders"]["maxflow4"]["seconds"]
            axes.axvline(done, color=f"C{k}", linestyle=":", label="  maxflow4 done")
    axes.axhline(1e-3, color="grey", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="seconds since the start", ylabel="certified relative gap")
    axes.set_title("Gap over time")


def _times(axes: Any, record: dict[str, Any]) -> None:
    """Ours in full lines, the peers' dashed."""
    cases = [c for c in record["masks"] if c["alpha"] == 8]
    shown = {p.name for p in MASKS}
    for name in dict.fromkeys(n for c in cases for n in c["contenders"]):
        ours = name.startswith("isotropic")
        if not ours and name not in shown:
            continue
        points = [(c["side"], c["contenders"][name]["seconds"]) for c in cases if name in c["contenders"]]
        style = {"linewidth": 2} if ours else {"linestyle": "--", "linewidth": 1}
        label = name.replace("isotropic", "varconvex to")
        axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=label, **style)
    fitted = exponent(record)
    axes.set(xscale="log", yscale="log", ylabel="seconds")
    axes.set_title("Time over pixels" + (f": to {_MOST} as pixels to the power {fitted:.2f}" if fitted else ""))
    _sides(axes, [c["side"] for c in cases])


def _roofline(axes: Any, record: dict[str, Any]) -> None:
    """Pixels a second of an iteration, and what the memory allows a pass that moves 28 bytes a pixel."""
    rows = record["iterations"]
    sides = [row["side"] for row in rows]
    speed = [row["side"] ** 2 / row["milliseconds"] / 1e6 for row in rows]
    axes.plot(sides, speed, "o-", label="an iteration")
    if all("stream_bytes_per_second" in row for row in rows):
        roof = [row["stream_bytes_per_second"] / BYTES / 1e9 for row in rows]
        axes.plot(sides, roof, "s--", label=f"in-place stream\n({BYTES} bytes a pixel)")
    for name in dict.fromkeys(n for row in rows for n in row["peers"]):
        of_this = [(r["side"], r["side"] ** 2 / r["peers"][name] / 1e6) for r in rows if name in r["peers"]]
        axes.plot(*zip(*of_this, strict=True), ".:", label=f"an iteration of {name}")
    axes.set(xscale="log", yscale="log", ylabel="gigapixels a second")
    axes.set_title("An iteration beside the memory's own speed")
    _sides(axes, sides)


def _sides(axes: Any, sides: list[int]) -> None:
    axes.set_xticks(sides, [f"{side}²" for side in sides])
    axes.minorticks_off()
    axes.set_xlabel("pixels")
