"""Laws that hold whatever is passed, tried on many cases in several processes, with a report.

    python -m benchmarks.fuzz --cases 20000 --jobs 2
    python -m benchmarks.fuzz --cases 1000000 --kept benchmarks/results/fuzz.json

Each law of `tests/fuzz/laws.py` gets its share of the cases, in pieces with seeds of their own. A case that fails is
shrunk by Hypothesis and printed; ``--only LAW --seed SEED`` with the same number of cases repeats it. The exit status
is then 1. Cases are counted when a law has held for them; those that it declines (`assume`) are not.

What a ``--kept`` file holds is not tried again: it is written after each piece, and the next call goes on with seeds
that it has not seen until there are as many cases as asked for. Each commit's cases are counted by themselves.
"""

import argparse
import importlib
import io
import json
import multiprocessing
import subprocess
import sys
import time
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from varconvex.io.writing import write_text

LAWS = Path(__file__).resolve().parent.parent / "tests" / "fuzz"

SHARES = {
    "segment_holds_scribbles_or_names_an_error": 3,
    "energies_are_finite_or_refused": 3,
    "other_functions_name_what_nobody_should_pass": 3,
    "classic_models_are_finite_or_refused": 2,
    "sets_and_networks_hold_scribbles_or_name_an_error": 0.03,  # each takes as long as a hundred others
    "shapes_keep_what_they_promise": 0.1,  # as long as twenty
    "a_session_goes_back_to_the_same_bits": 0.1,
}
"""Cases of a law, relative to those of the others."""

PIECE = 250
"""Cases of a law of share 1 that a process tries at a time: none waits for the slowest law at the end."""

PIECES = 40
"""Pieces that a process tries before another takes its place: each adds a few MB that Hypothesis and kernels keep."""


def known() -> dict:
    """All laws by name, not yet tried: Hypothesis gives each function its settings once."""
    if str(LAWS) not in sys.path:
        sys.path.insert(0, str(LAWS))
    sys.modules.pop("laws", None)
    return importlib.import_module("laws").LAWS


def counted(law: Any) -> list[int]:
    """Begin to count for how many cases a law holds."""
    inner, held = law.hypothesis.inner_test, [0]

    def counting(*args: Any, **keywords: Any) -> None:
        inner(*args, **keywords)
        held[0] += 1

    law.hypothesis.inner_test = counting
    return held


def tried(task: tuple[str, int, int]) -> dict:
    """The report on one piece of a law: (name, cases, seed)."""
    name, count, first = task
    law = known()[name]
    from hypothesis import HealthCheck, Phase, seed, settings

    begin, output, failure, held = time.perf_counter(), io.StringIO(), "", counted(law)
    chosen = settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )  # fmt: skip
    with redirect_stdout(output):
        try:
            seed(first)(chosen(law))()
        except Exception:
            failure = f"{traceback.format_exc()}\n{output.getvalue()}"
    seconds = time.perf_counter() - begin
    return {"law": name, "asked": count, "cases": held[0], "seed": first, "seconds": seconds, "failure": failure}


def planned(cases: int, laws: list[str], first: int) -> list[tuple[str, int, int]]:
    """Pieces of all laws that make so many cases, with seeds from `first` on."""
    whole = sum(SHARES.get(name, 1) for name in laws)
    pieces = max(1, int(cases / (whole * PIECE)))
    return [
        (name, max(1, int(cases * SHARES.get(name, 1) / (whole * pieces))), first + len(laws) * k + i)
        for k in range(pieces)
        for i, name in enumerate(laws)
    ]


def commit() -> str:
    """The commit that is tried, with ``-dirty`` if files differ from it."""
    here = Path(__file__).resolve().parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


class Kept:
    """What has been tried so far, commit by commit, in a file or in memory."""

    def __init__(self, path: str | None):
        self.path = Path(path) if path else None
        there = self.path is not None and self.path.exists()
        self.commits: dict = json.loads(self.path.read_text()) if there else {}

    @property
    def cases(self) -> int:
        """Cases of all commits."""
        return sum(law["cases"] for one in self.commits.values() for law in one["laws"].values())

    @property
    def next_seed(self) -> int:
        """A seed above all that were used."""
        return max((one["seeds"][1] + 1 for one in self.commits.values()), default=0)

    def add(self, report: dict, key: str) -> None:
        """Count one piece, and write the file."""
        one = self.commits.setdefault(key, {"seeds": [report["seed"]] * 2, "laws": {}})
        one["seeds"] = [min(one["seeds"][0], report["seed"]), max(one["seeds"][1], report["seed"])]
        law = one["laws"].setdefault(report["law"], {"cases": 0, "failures": [], "seconds": 0.0})
        law["cases"] += report["cases"]
        law["seconds"] = round(law["seconds"] + report["seconds"], 1)
        law["failures"] += [[report["seed"], report["asked"]]] if report["failure"] else []
        if self.path:
            write_text(self.path, json.dumps(self.commits, indent=1) + "\n")


def main() -> None:
    """Try all laws, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="cases in all")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=0, help="first seed; each piece has one of its own")
    parser.add_argument("--only", metavar="LAW", help="one law")
    parser.add_argument("--kept", metavar="FILE", help="go on from the cases in this file, and add to it")
    options = parser.parse_args()
    laws = [options.only] if options.only else list(known())
    kept, key, broken, seconds = Kept(options.kept), commit(), {}, time.perf_counter()
    before = kept.cases
    tasks = planned(options.cases - before, laws, max(options.seed, kept.next_seed)) if before < options.cases else []
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=PIECES) as pool:
        for report in pool.imap_unordered(tried, tasks, chunksize=1):
            kept.add(report, key)
            if report["failure"] and report["law"] not in broken:
                broken[report["law"]] = report
                print(f"\n{report['law']}, seed {report['seed']}, {report['asked']} cases:")
                print(report["failure"][-6000:], flush=True)
    for name, law in kept.commits.get(key, {"laws": {}})["laws"].items():
        print(f"{name:55} {law['cases']:7d} cases {law['seconds']:8.1f} s {len(law['failures']):3d} failures")
    seconds = time.perf_counter() - seconds
    print(f"{kept.cases - before} cases in {seconds:.0f} s by {options.jobs} processes, {len(broken)} laws broken")
    if before:
        print(f"{kept.cases} cases with those kept")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
