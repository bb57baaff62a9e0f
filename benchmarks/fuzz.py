"""Laws that hold whatever is passed, tried on many cases in several processes, with a report.

    python -m benchmarks.fuzz --cases 20000 --jobs 2

Each law of `tests/fuzz/laws.py` gets its share of the cases, in pieces with seeds of their own. A case that fails is
shrunk by Hypothesis and printed; ``--only LAW --seed SEED`` with the same number of cases repeats it. The exit status
is then 1.
"""

import argparse
import importlib
import io
import json
import multiprocessing
import sys
import time
import traceback
from contextlib import redirect_stdout
from pathlib import Path

LAWS = Path(__file__).resolve().parent.parent / "tests" / "fuzz"

SHARES = {
    "segment_holds_scribbles_or_names_an_error": 3,
    "energies_are_finite_or_refused": 3,
    "other_functions_name_what_nobody_should_pass": 3,
    "classic_models_are_finite_or_refused": 2,
    "sets_and_networks_hold_scribbles_or_name_an_error": 0.03,  # each takes as long as a hundred others
}
"""Cases of a law, relative to those of the others."""

PIECE = 250
"""Cases of a law of share 1 that a process tries at a time: none waits for the slowest law at the end."""


def known() -> dict:
    """All laws by name, not yet tried: Hypothesis gives each function its settings once."""
    if str(LAWS) not in sys.path:
        sys.path.insert(0, str(LAWS))
    sys.modules.pop("laws", None)
    return importlib.import_module("laws").LAWS


def tried(task: tuple[str, int, int]) -> dict:
    """The report on one piece of a law: (name, cases, seed)."""
    name, count, first = task
    law = known()[name]
    from hypothesis import HealthCheck, Phase, seed, settings

    begin, output, failure = time.perf_counter(), io.StringIO(), ""
    chosen = settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )  # fmt: skip
    with redirect_stdout(output):
        try:
            seed(first)(chosen(law))()
        except Exception:
            failure = f"{traceback.format_exc()}\n{output.getvalue()}"
    return {"law": name, "cases": count, "seed": first, "seconds": time.perf_counter() - begin, "failure": failure}


def main() -> None:
    """Try all laws, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="cases in all")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=0, help="first seed; each piece has one of its own")
    parser.add_argument("--only", metavar="LAW", help="one law")
    parser.add_argument("--json", metavar="FILE", help="also write the report")
    options = parser.parse_args()
    laws = [options.only] if options.only else list(known())
    whole = sum(SHARES.get(name, 1) for name in laws)
    pieces = max(1, int(options.cases / (whole * PIECE)))
    tasks = [
        (name, max(1, int(options.cases * SHARES.get(name, 1) / (whole * pieces))), options.seed + 1000 * k + i)
        for k in range(pieces)
        for i, name in enumerate(laws)
    ]
    begin = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        reports = list(pool.imap_unordered(tried, tasks, chunksize=1))
    seconds = time.perf_counter() - begin
    summary, broken = {}, []
    for name in laws:
        mine = [report for report in reports if report["law"] == name]
        failures = [report for report in mine if report["failure"]]
        broken += failures[:1]
        told = {"cases": sum(report["cases"] for report in mine), "failures": len(failures)}
        summary[name] = told | {"seconds": round(sum(report["seconds"] for report in mine), 1)}
        print(f"{name:55} {told['cases']:7d} cases {summary[name]['seconds']:8.1f} s {told['failures']:3d} failures")
    for report in broken:
        print(f"\n{report['law']}, seed {report['seed']}, {report['cases']} cases:\n{report['failure'][-6000:]}")
    total = sum(told["cases"] for told in summary.values())
    print(f"{total} cases in {seconds:.0f} s by {options.jobs} processes, {len(broken)} laws broken")
    if options.json:
        text = json.dumps({"cases": total, "seconds": round(seconds), "jobs": options.jobs, "laws": summary}, indent=1)
        Path(options.json).write_text(text + "\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
