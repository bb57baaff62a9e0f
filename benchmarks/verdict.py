"""The targets of solver and `Session`, line by line: the target, what this run measured, and whether it is met."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Record = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of the list.

    Attributes
    ----------
    what, aim : str
        In words.
    figure : str
        As measured; empty where this run did not measure it.
    met : bool or None
        None where there is no figure, or no aim.
    """

    what: str
    aim: str
    figure: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "met", False: "MISSED", None: "" if self.figure else "not measured in this run"}[self.met]
        return f"{self.what:<62}{self.aim:>12}{self.figure:>26}  {verdict}"


def lines(record: Record) -> list[Line]:
    """Every line, measured or not."""
    return [line for part in (_speedups, _kernel, _rof, _labels, _memory, _growth, _children) for line in part(record)]


def _speedups(record: Record) -> Iterator[Line]:
    for name, aim in (("512² alpha 8", 6), ("1024² alpha 8", 12), ("4096² alpha 8", 15), ("1024² alpha 16", 9)):
        case = next((c for c in record.get("masks", []) if c["name"] == name), {})
        times = case.get("contenders", {})
        yield _faster(f"{name}: maxflow4's seconds over ours to 1e-3", aim, times, "maxflow4", "isotropic 0.001")


def _kernel(record: Record) -> Iterator[Line]:
    rows = {row["side"]: row for row in record.get("iterations", [])}
    large = rows.get(4096, {})
    what = "4096²: an iteration's share of the in-place stream"
    form = f"{{:.0%}} (of CPU time {large.get('share_of_stream_cpu', 0):.0%})"
    yield _compare(what, ">= 150 %", lambda s: s >= 1.5, large.get("share_of_stream"), form)
    row = rows.get(512, {})
    for name in ("pyproximal", "odl"):
        theirs = row.get("peers", {}).get(name)
        ratio = theirs and theirs / row["milliseconds"]
        cpu = row.get("peers_cpu", {}).get(name)
        form = "{:.0f}" + (f" (of CPU time {cpu / row['milliseconds_cpu']:.0f})" if cpu else "")
        yield _compare(f"512²: {name}'s iteration over ours", ">= 50", lambda r: r >= 50, ratio, form)


def _rof(record: Record) -> Iterator[Line]:
    times = _part(record, "rof", 512).get("contenders", {})
    what = "ROF 512² to 1e-3: scikit-image's seconds over ours"
    yield _faster(f"{what}, float64", 40, times, "chambolle float64 0.001", "varconvex 0.001")
    yield _faster(f"{what}, float32", 40, times, "chambolle 0.001", "varconvex 0.001")


def _labels(record: Record) -> Iterator[Line]:
    rows = _part(record, "labels", 1024).get("contenders", {})
    for tv in ("isotropic", "anisotropic", "octagonal"):
        if tv != "isotropic" and f"{tv} 0.001" not in rows:
            continue
        row = rows.get(f"{tv} 0.001", {})
        above = row.get("above", {}).get(tv)
        note = f"{{:.2%}} in {row.get('seconds', 0):.2f} s" + ("" if row.get("converged", True) else ", no 1e-3")
        what = f"5 labels 1024², {tv}: labelling above its bound"
        yield _compare(what, "<= 0.5 %", lambda a, r=row: a <= 5e-3 and r["converged"], above, note)
    if "gco" in rows:
        above, seconds = rows["gco"]["above"], rows["gco"]["seconds"]
        if "anisotropic" in above:
            yield Line(
                "    alpha-expansion on the anisotropic energy", "", f"{above['anisotropic']:.2%} in {seconds:.2f} s"
            )


def _memory(record: Record) -> Iterator[Line]:
    row = next((r for r in record.get("memory", []) if r["side"] == 4096), {})
    ours = row.get(record.get("backend", ""), {}).get("bytes_per_pixel")
    yield _compare("4096²: extra memory, bytes a pixel", "<= 32", lambda b: b <= 32, ours, "{:.1f}")


def _growth(record: Record) -> Iterator[Line]:
    found = exponent(record)
    sides = [c["side"] for c in _alpha_8(record)]
    what = f"time over pixels, {min(sides)}² to {max(sides)}²: exponent" if found else "time over pixels: exponent"
    yield _compare(what, "<= 1.1", lambda e: e <= 1.1, found, "{:.2f}")


def _children(record: Record) -> Iterator[Line]:
    found = _part(record, "interrupt", 2048)
    slowest = max(found["seconds"]) if found.get("seconds") else None
    every = len(found.get("seconds", ())) == len(found.get("delays", ()))
    yield _compare(
        "2048²: Ctrl-C answered, slowest of several moments, s", "<= 0.5",
        lambda s: s <= 0.5 and every, slowest, "{:.3f}",
    )  # fmt: skip
    found = record.get("threads", {})
    for layer, answer in found.get("layers", {}).items():
        what = f"{found['threads']} threads x {found['solves']} solves beside {layer}: different answers"
        if "error" in answer:
            absent = "No threading layer" in answer["error"]
            yield Line(what, "1", "not installed" if absent else answer["error"][:60], None if absent else False)
        else:
            yield Line(what, "1", f"{answer['answers']} in {answer['seconds']:.0f} s", answer["answers"] == 1)


_OF_AN_ANSWER = ("seconds", "preview", "likelihood", "differ", "energy")


def interactive_lines(record: Record) -> list[Line]:
    """Every line about answers to strokes, measured or not; `record` is that of `benchmarks.interactive`."""
    parts = (_whole_calls(record), _further(record), _waits(record), _limits(record))
    return [line for part in parts for line in part]


def _whole_calls(record: Record) -> Iterator[Line]:
    rows = {row["side"]: row for row in record.get("calls", [])}
    for side, aim in ((512, 8), (1024, 12)):
        ratios = rows.get(side, {}).get("ratios", {})
        what = f"{side}²: cv2.grabCut's seconds over"
        yield _compare(f"{what} ours", f">= {aim}", lambda r, aim=aim: r >= aim, ratios.get("segment"), "{:.1f}")
        yield _compare(f"{what} convex", ">= 4", lambda r: r >= 4, ratios.get("convex"), "{:.1f}")
        stages = rows.get(side, {}).get("stages", {})
        share = stages and stages["likelihood"] / stages["solve"]
        yield _compare(f"{side}²: likelihood over solve", "<= 1", lambda s: s <= 1, share or None, "{:.1f}")


def _further(record: Record) -> Iterator[Line]:
    for name, middle, most in (("strokes", 0.15, 0.4), ("convex", 0.35, np.inf)):
        rows = record.get(name, [])
        found = {key: np.array([a[key] for row in rows for a in row["answers"]]) for key in _OF_AN_ANSWER if rows}
        first = np.array([row["first"] for row in rows for _ in row["answers"]])
        shares = found["seconds"] / first if rows else None
        what = f"one more stroke, {'no shape' if name == 'strokes' else name}"
        middling = None if shares is None else float(np.median(shares))
        yield _compare(
            f"{what}: share of the first call", f"<= {middle:.0%}", lambda s, m=middle: s <= m, middling, "{:.0%}"
        )
        if most < np.inf:
            worst = None if shares is None else float(shares.max())
            yield _compare(f"{what}: the same, at worst", f"<= {most:.0%}", lambda s, m=most: s <= m, worst, "{:.0%}")
        if shares is not None:
            yield Line("    of which the likelihood (or learning)", "", f"{np.median(found['likelihood'] / first):.0%}")
            yield Line("    a preview, seconds", "", f"{np.median(found['preview']):.3f}")
        what = f"{what}: beside a fresh call's,"
        differ, energy = (float(found[key].max()) if rows else None for key in ("differ", "energy"))
        yield _compare(f"{what} pixels at worst", "<= 0.2 %", lambda d: d <= 2e-3, differ, "{:.2%}")
        yield _compare(f"{what} energy at worst", "<= 1e-3", lambda d: d <= 1e-3, energy, "{:.1e}")
        if rows:
            count = f"{np.count_nonzero(found['differ'] > 2e-3)} of {first.size}"
            yield Line("    answers of which more than 0.2 % of the pixels differ", "", count)


def _waits(record: Record) -> Iterator[Line]:
    rows = record.get("waits", [])
    stopped = [seconds for row in rows for kind in ("no shape", "convex") for seconds in row[kind]["stopped"]]
    found = float(np.quantile(stopped, 0.9)) if stopped else None
    yield _compare("a stale solve has stopped after, 9 of 10 times, s", "<= 0.05", lambda s: s <= 0.05, found, "{:.3f}")
    found = max(row["recorded"] for row in rows) if rows else None
    yield _compare("50 strokes one by one or at once: pixels that differ", "0", lambda d: d == 0, found, "{:.2%}")


def _limits(record: Record) -> Iterator[Line]:
    for name in sorted({row["keywords"] for row in record.get("limits", [])}) or ["all calls"]:
        over = [max(row["over"].values()) for row in record.get("limits", []) if row["keywords"] == name]
        found = max(over) if over else None
        yield _compare(f"beyond time_limit, {name}, at worst, s", "<= 0.2", lambda s: s <= 0.2, found, "{:.2f}")


def exponent(record: Record) -> float | None:
    """e in seconds ~ pixels^e to a gap of 1e-3, fitted over the sizes; None for fewer than three."""
    cases = _alpha_8(record)
    if len(cases) < 3:
        return None
    seconds = [c["contenders"]["isotropic 0.001"]["seconds"] for c in cases]
    return float(np.polyfit(np.log([c["pixels"] for c in cases]), np.log(seconds), 1)[0])


def _alpha_8(record: Record) -> list[Record]:
    return [c for c in record.get("masks", []) if c["alpha"] == 8]


def _part(record: Record, name: str, side: int) -> Record:
    """A part of the record, if it was measured at the size that the line is about."""
    part = record.get(name, {})
    return part if part.get("side") == side else {}


def _faster(what: str, aim: float, times: Record, slow: str, fast: str) -> Line:
    if slow not in times or fast not in times:
        return Line(what, f">= {aim:g}")
    ratio, of_cpu = (times[slow][s] / times[fast][s] for s in ("seconds", "cpu_seconds"))
    return Line(what, f">= {aim:g}", f"{ratio:.1f} (of CPU time {of_cpu:.1f})", ratio >= aim)


def _compare(what: str, aim: str, met: Callable[[Any], bool], figure: float | None, form: str) -> Line:
    return Line(what, aim) if figure is None else Line(what, aim, form.format(figure), bool(met(figure)))
