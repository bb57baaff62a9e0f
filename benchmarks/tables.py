"""The solver's benchmark in tables, as Markdown for a page: what the record holds, and nothing else."""

from collections.abc import Iterator
from typing import Any

from .verdict import lines

Rows = list[list[str]]


def markdown(record: dict[str, Any]) -> str:
    """The page's text."""
    where = record["environment"]
    parts = [
        "# Figures\n\nWritten by `python -m benchmarks.solver`. "
        f"{where['processor']}, {where['threads']} threads, medians of at most {record['rounds']} rounds."
    ]
    for title, (head, *body) in _tables(record):
        rows = [head, ["---"] * len(head), *body]
        parts.append(f"## {title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
    held = "\n".join(str(line).rstrip() for line in lines(record))
    parts.append(f"## The lines that the solver is held to\n\n```text\n{held}\n```")
    return "\n\n".join(parts) + "\n"


def _tables(record: dict[str, Any]) -> Iterator[tuple[str, Rows]]:
    cases = record.get("masks", [])
    if cases:
        names = list(dict.fromkeys(name for case in cases for name in case["contenders"]))
        rows = [[n, *(_took(case["contenders"].get(n)) for case in cases)] for n in names]
        yield "Seconds to the mask (CPU seconds)", [["", *(case["name"] for case in cases)], *rows]
        kept = [n for n in names if any("iterations" in case["contenders"].get(n, {}) for case in cases)]
        rows = [[n, *(_work(case["contenders"].get(n)) for case in cases)] for n in kept]
        yield "Iterations, gigabytes, certified gap", [["", *(case["name"] for case in cases)], *rows]
    for case in [*cases, *([record["labels"]] if "labels" in record else [])]:
        rows = [[n, *(f"{v:.2%}" for v in row["above"].values())] for n, row in case["contenders"].items()]
        yield f"{case['name']}: the answer's energy above its lower bound", [["", *case["bounds"]], *rows]
    if "labels" in record:
        rows = [[n, _took(row), str(row.get("iterations", ""))] for n, row in record["labels"]["contenders"].items()]
        yield f"{record['labels']['name']}: seconds", [["", "seconds (CPU seconds)", "iterations"], *rows]
    if "iterations" in record:
        yield "An iteration", _iterations(record["iterations"])
    if "rof" in record:
        found = record["rof"]["contenders"]
        rows = [[n, _took(r), f"{r['suboptimality']:.1e}", str(r.get("iterations", ""))] for n, r in found.items()]
        yield f"ROF {record['rof']['side']}²", [["", "seconds (CPU seconds)", "above the optimum", "iterations"], *rows]
    if "memory" in record:
        names = [n for n in record["memory"][-1] if n != "side"]
        rows = [
            [f"{r['side']}²", *(f"{r[n].get('bytes_per_pixel', 0):.1f}" if n in r else "" for n in names)]
            for r in record["memory"]
        ]
        yield "Peak bytes a pixel beyond the cost", [["", *names], *rows]


def _iterations(found: list[dict[str, Any]]) -> Rows:
    peers = list(dict.fromkeys(name for row in found for name in row["peers"]))
    rows = [
        [
            "",
            "ms",
            "of the stream",
            "of the stream, CPU time",
            *(f"{p}, ms" for p in peers),
            *(f"{p} to 1e-3" for p in peers),
        ]
    ]
    for row in found:
        shares = [f"{row[key]:.0%}" if key in row else "" for key in ("share_of_stream", "share_of_stream_cpu")]
        each = [f"{row['peers'][p]:.2f}" if p in row["peers"] else "" for p in peers]
        slow = [row["to_a_thousandth"].get(p) for p in peers]
        whole = [f"{s['iterations']} iterations, {s['seconds']:.2f} s" if s else "" for s in slow]
        rows.append([f"{row['side']}²", f"{row['milliseconds']:.3f}", *shares, *each, *whole])
    return rows


def _took(row: dict[str, Any] | None) -> str:
    return f"{row['seconds']:.3g} ({row['cpu_seconds']:.3g})" if row else ""


def _work(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    moved = f", {row['bytes'] / 1e9:.2f}" if "bytes" in row else ""
    return f"{row['iterations']}{moved}, {row['gap']:.1e}"
