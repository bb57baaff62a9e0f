"""Speed of the compiled kernels beside their NumPy specification: milliseconds an iteration, interleaved in one run.

    python -m benchmarks.backends [--sizes 512 1024 2048] [--rounds 7]

Ratios of medians travel between machines; milliseconds do not.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from varconvex import TwoPhase, get_backend

from ._environment import describe
from .timing import collect, iteration

_ITERATIONS = {"numpy": 3, "numba": 48}


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.backends", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[512, 1024, 2048], metavar="N", help="sides of the grids"
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="interleaved repetitions (default: 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    environment = describe()
    print(f"{environment['processor']}, {environment['threads']} threads")
    print(f"{'size':>8}{'numpy ms':>12}{'numba ms':>12}{'ratio':>8}")
    rows = []
    for size in options.sizes:
        times = measure(size, options.rounds)
        median = {name: float(np.median(t)) * 1e3 for name, t in times.items()}
        ratio = median["numpy"] / median["numba"]
        rows.append({"size": size, "milliseconds": median, "ratio": ratio})
        print(f"{size:>7}²{median['numpy']:>12.2f}{median['numba']:>12.3f}{ratio:>8.1f}")
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "iterations": rows}, indent=2))
    return 0


def measure(size: int, rounds: int) -> dict[str, list[float]]:
    """Seconds an iteration of each backend, one entry a round."""
    rng = np.random.default_rng(0)
    energy = TwoPhase(rng.normal(size=(size, size)), 2.0, weight=rng.uniform(0.1, 1, (size, size)))
    calls = {name: iteration(energy, get_backend(name), n) for name, n in _ITERATIONS.items()}
    for call in calls.values():
        call()  # compiled and in memory
    return collect(calls, rounds, f"{size}²")


if __name__ == "__main__":
    raise SystemExit(main())
