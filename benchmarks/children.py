"""Measurements that need a process of their own: peak memory, Ctrl-C, Python threads beside a threading layer.

python -m benchmarks.children memory 4096 numba       prints one line of JSON, as the others do
python -m benchmarks.children interrupt 2048 numba
python -m benchmarks.children threads omp 8 100
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from typing import Any

_TIMEOUT = 900
"""Seconds after which a child hangs."""

DELAYS = (0.02, 0.1, 0.3, 0.6, 1.0, 2.0)
"""Seconds into a solve at which Ctrl-C is pressed: while the energy is made, on a coarse grid, on the finest."""


def ask(*arguments: object, **environment: str) -> dict[str, Any]:
    """The JSON that the child process printed; ``{"error": ...}`` where it died or hung."""
    command = [sys.executable, "-m", "benchmarks.children", *map(str, arguments)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, env={**os.environ, **environment}
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {_TIMEOUT} s"}
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "Error" in line] or ["?"]
        return {"error": f"exit status {done.returncode}: {said[-1]}"}
    return json.loads(done.stdout)


def memory(side: int, solver: str) -> dict[str, Any]:
    """Peak bytes a pixel of a solve, the cost array and all libraries not counted; solver is a backend or a peer."""
    from . import problems
    from .peers import MASKS

    cuts = {peer.name: peer.run for peer in MASKS}

    def solve(case: problems.Case) -> Any:
        return cuts[solver](case) if solver in cuts else _solve(case, solver)

    solve(problems.segmentation(128))  # compiled and loaded
    case = problems.segmentation(side)
    base = _resident()
    _forget_peak()
    solve(case)
    return {"bytes_per_pixel": (_peak() - base) / case.pixels}


def interrupt(side: int, backend: str) -> dict[str, Any]:
    """Seconds from SIGINT to KeyboardInterrupt, at several moments of a solve that would not end by itself."""
    from . import problems

    # A process begun in the background ignores Ctrl-C, and Python then leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    case = problems.segmentation(side)
    _solve(problems.segmentation(128), backend)
    answers = []
    for delay in DELAYS:
        pressed = []

        def press(into: list[float] = pressed) -> None:
            into.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(delay, press)
        timer.start()
        try:
            _solve(case, backend, tol=0.0, max_iter=10**9)
        except KeyboardInterrupt:
            answers.append(time.perf_counter() - pressed[0])
    return {"seconds": answers, "delays": DELAYS}


def threads(layer: str, count: int, solves: int) -> dict[str, Any]:
    """Python threads that all solve at once, in a process where Numba's threading layer `layer` is at work, too."""
    import numba
    import numpy as np

    from varconvex import TwoPhase, pdhg

    @numba.njit(parallel=True)
    def add(values: np.ndarray) -> float:
        total = 0.0
        for i in numba.prange(values.size):
            total += values[i]
        return total

    add(np.ones(64))
    if numba.threading_layer() != layer:
        raise RuntimeError(f"Numba runs on {numba.threading_layer()}, not on {layer}")
    costs = [np.random.default_rng(k).normal(size=(128, 96)).astype(np.float32) for k in range(4)]
    answers: list[set[bytes]] = [set() for _ in costs]

    def work(first: int) -> None:
        for k in range(first, first + solves):
            solution = pdhg(TwoPhase(costs[k % 4], 2.0), tol=1e-3)
            answers[k % 4].add(solution.u.tobytes() + np.float64(solution.dual).tobytes())

    workers = [threading.Thread(target=work, args=(k,)) for k in range(count)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {"layer": layer, "seconds": time.perf_counter() - begin, "answers": max(map(len, answers))}


def _solve(case: Any, backend: str, **options: Any) -> Any:
    from varconvex import TwoPhase, pdhg

    return pdhg(TwoPhase(case.cost, case.alpha), backend=backend, **{"tol": 1e-3, **options}).mask


def _status(field: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


def _resident() -> int:
    try:
        return _status("VmRSS:")
    except OSError:  # no Linux: the peak so far, which making the problem may have lifted above what is in use
        return _peak()


def _forget_peak() -> None:
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return


def _peak() -> int:
    try:
        return _status("VmHWM:")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(arguments: list[str]) -> int:
    """Measure one thing and print it."""
    what, *rest = arguments
    measures = {"memory": memory, "interrupt": interrupt, "threads": threads}
    print(json.dumps(measures[what](*(int(a) if a.isdecimal() else a for a in rest))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
