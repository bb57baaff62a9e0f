"""Speed of the solver: to a certified gap, per iteration, in memory, and beside other projects' on the same costs.

    python -m benchmarks.solver [--sizes 512 1024 ...] [--peers [NAME ...]] [--backend numba] [--output DIR]

Everything is measured in one run, contenders in turns, threads pinned. Without --peers only varconvex runs; --peers
alone takes all that are installed and names those that are not. Prints tables and, at the end, the lines that the
solver is held to. With --output a folder gets solver.json, figures.md and the plots, after each part. Ratios of medians
travel between machines; seconds do not.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ._environment import describe, libraries, peers, pin

# What reads the number of threads when it is loaded (NumPy, Numba and all that need them) is imported after `pin`.

_PARTS = ("masks", "iterations", "rof", "labels", "memory", "interrupt", "threads")
_SIZES = (256, 512, 1024, 2048, 4096, 8192)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    options = _options(argv)
    pin(options.threads)
    if options.output:
        from .charts import pyplot

        pyplot()  # what is missing is to be known before an hour is spent
        options.output.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {}
    for _ in measure(options, record):
        if options.output:  # after each part, lest an interrupt costs all of them
            _write(record, options.output)
    _show_verdict(record)
    return 0


def _write(record: dict[str, Any], folder: Path) -> None:
    from .charts import draw
    from .tables import markdown

    (folder / "solver.json").write_text(json.dumps(record, indent=1))
    (folder / "figures.md").write_text(markdown(record), encoding="utf-8")
    draw(record, folder)


def measure(options: argparse.Namespace, record: dict[str, Any]) -> Iterator[str]:
    """Every part that was asked for, printed as it comes and put into the record; their names, when done."""
    from . import measures
    from .peers import ALL, installed

    names = [p.name for p in ALL] if options.peers == [] else options.peers or []
    present, missing = installed(names)
    plan = measures.Plan(options.sizes, options.backend, present, options.rounds)
    record.update(
        environment=describe(), peers=peers(), backend=options.backend, rounds=options.rounds, sizes=list(options.sizes)
    )
    print(f"{record['environment']['processor']}, {record['environment']['threads']} threads, {options.backend}")
    print("\n".join(missing))
    parts: dict[str, Callable[[], Any]] = {
        "masks": lambda: [_show_case(case) for case in measures.masks(plan)],
        "iterations": lambda: [_show_iterations(row) for row in measures.iterations(plan)],
        "rof": lambda: _show_rof(measures.rof(plan, options.side or 512)),
        "labels": lambda: _show_case(measures.labels(plan, options.side or 1024)),
        "memory": lambda: [_show_memory(row) for row in measures.memory(plan)],
        "interrupt": lambda: measures.interrupt(plan, options.side or 2048),
        "threads": measures.threads,
    }
    for name in (n for n in _PARTS if n in options.parts):
        record[name] = parts[name]()
        record["libraries"] = libraries()
        yield name


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.solver", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--sizes", type=int, nargs="+", default=_SIZES, metavar="N", help="sides of the images (default: 256 to 8192)")
    add("--peers", nargs="*", metavar="NAME", help="other people's solvers: these, or all that are installed")
    add("--backend", default="numba", metavar="NAME", help="numba, numpy or cupy (default: numba)")
    add("--rounds", type=int, default=5, metavar="N", help="times that each contender has its turn (default: 5)")
    add("--parts", nargs="+", choices=_PARTS, default=_PARTS, metavar="PART", help=f"of {', '.join(_PARTS)}")
    add("--side", type=int, metavar="N", help="of the images of rof, labels and interrupt (default: 512, 1024, 2048)")
    add("--threads", type=int, metavar="N", help="default: NUMBA_NUM_THREADS, or all processors")
    add("--output", type=Path, metavar="DIR", help="folder for solver.json and the plots")
    return parser.parse_args(argv)


def _show_case(case: dict[str, Any]) -> dict[str, Any]:
    kinds = list(case["bounds"])
    bounds = ", ".join(f"{tv} {value:.6g}" for tv, value in case["bounds"].items())
    print(f"\n{case['name']}: lower bounds {bounds}")
    head = f"{'':<18}{'seconds':>10}{'CPU s':>10}{'over 1e-3':>11}{'iterations':>12}{'GB':>8}{'gap':>10}{'checked':>10}"
    print(head + "".join(f"{f'above {tv[:5]}.':>14}" for tv in kinds))
    ours = case["contenders"]["isotropic 0.001"]["seconds"]
    for name, row in case["contenders"].items():
        moved = f"{row['bytes'] / 1e9:.2f}" if "bytes" in row else ""
        gaps = "".join(f"{f'{row[g]:.1e}' if g in row else '':>10}" for g in ("gap", "true_gap"))
        above = "".join(f"{row['above'][tv]:>14.2%}" for tv in kinds)
        print(
            f"{name:<18}{row['seconds']:>10.4f}{row['cpu_seconds']:>10.4f}{row['seconds'] / ours:>11.2f}"
            f"{row.get('iterations', ''):>12}{moved:>8}{gaps}{above}"
            + ("" if row.get("converged", True) else "  NOT CONVERGED")
        )
    shares = case["contenders"]["isotropic 0.001"].get("shares", {})
    if shares:
        print("where the time to 1e-3 goes: " + ", ".join(f"{k} {v:.0%}" for k, v in _sorted(shares) if v >= 0.005))
    return case


def _sorted(shares: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])


def _show_iterations(row: dict[str, Any]) -> dict[str, Any]:
    text = f"iteration at {row['side']}²: {row['milliseconds']:.3f} ms"
    if "share_of_stream" in row:
        text += f", {row['share_of_stream']:.0%} of {row['stream_bytes_per_second'] / 1e9:.1f} GB/s in place"
        text += f" ({row['share_of_stream_cpu']:.0%} of CPU time)"
    for name, milliseconds in row["peers"].items():
        slow = row["to_a_thousandth"][name]
        text += (
            f"; {name} {milliseconds:.2f} ms ({milliseconds / row['milliseconds']:.0f}x), "
            f"{slow['iterations']} iterations, {slow['seconds']:.2f} s to {slow['suboptimality']:.1e} above the bound"
        )
    print(text)
    return row


def _show_rof(found: dict[str, Any]) -> dict[str, Any]:
    print(f"\nROF {found['side']}², weight {found['weight']:g}")
    for name, row in found["contenders"].items():
        count = f", {row['iterations']} iterations" if "iterations" in row else f", tol {row['tol']:.2g}"
        print(f"{name:<18}{row['seconds']:>10.4f} s  {row['suboptimality']:.1e} above the optimum{count}")
    return found


def _show_memory(row: dict[str, Any]) -> dict[str, Any]:
    found = ((name, value) for name, value in row.items() if name != "side")
    figures = (f"{n} {v['bytes_per_pixel']:.1f}" if "error" not in v else f"{n}: {v['error']}" for n, v in found)
    print(f"peak bytes a pixel at {row['side']}²: {', '.join(figures)}")
    return row


def _show_verdict(record: dict[str, Any]) -> None:
    from .verdict import lines

    print("\nwhat the solver is held to")
    print("\n".join(str(line) for line in lines(record)))


if __name__ == "__main__":
    raise SystemExit(main())
