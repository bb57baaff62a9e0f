"""Everything about the GPU that needs one: right answers first, then milliseconds.

    python -m benchmarks.gpu [--sizes 512 1024 2048 4096] [--batch 64] [--rounds 5] [--tiles] [--json FILE]

Runs the backend tests with CuPy, compares values with the specification's after the same iterations, and times an
iteration, a solve, a batch and the kernel sums; then networks, a projection and a joint segmentation. All figures go to
`benchmarks/results/gpu-<device>.json`. With `--tiles` other shapes of the tile are timed, too: the best one belongs in
`varconvex/backends/cuda.py`.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from varconvex import Potts, TwoPhase, get_backend, pdhg, pdhg_batch
from varconvex.backends import ArrayBackend, Problem, cuda, cupy_
from varconvex.errors import BackendUnavailableError

from . import gpu_shapes
from ._environment import describe
from .problems import labels, segmentation
from .timing import median_seconds

_TESTS = (
    "test_backends_agree.py",
    "test_cupy_arrays.py",
    "test_kernels_on_host.py",
    "test_network_kernels.py",
    "predictors/test_convnet.py",
    "predictors/test_on_devices.py",
    "test_pdhg.py",
    "test_pdhg_batch.py",
)
"""Those with the fixture `backend`; on a device they run with CuPy itself."""

_TILES = ((64, 4, 8), (64, 4, 4), (64, 4, 6), (64, 4, 10), (64, 4, 12), (64, 8, 8), (32, 2, 4), (32, 1, 4), (48, 3, 8))
"""Side, rows a thread, iterations a launch."""

_ITERATIONS = 96
_AGREEMENT = (203, 330), (20, 33, 50)
"""Plane and volume on which values are compared."""

_PIXEL_BYTES = 28
"""Bytes per pixel that an iteration moves if nothing is kept on the chip: u, p and the cost read, u and p written."""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096], metavar="N", help="sides of the grids"
    )
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="images of the first size at once (64)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="repetitions of which the median counts (5)")
    parser.add_argument("--tiles", action="store_true", help="also time other shapes of the tile")
    parser.add_argument("--no-tests", action="store_true", help="do not run the test suite first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="instead of benchmarks/results/gpu-<device>.json")
    options = parser.parse_args(argv)
    try:
        backend = get_backend("cupy")
    except BackendUnavailableError as error:
        print(f"benchmarks.gpu: nothing was measured, since no GPU can be used here: {error}", file=sys.stderr)
        return 2
    device = describe_device(backend.xp)
    print(f"{device['name']}, CUDA {device['runtime']}, CuPy {device['cupy']}")
    figures: dict[str, Any] = {"environment": describe(), "device": device}
    path = (
        options.json
        or Path(__file__).parent / "results" / f"gpu-{re.sub(r'[^a-z0-9]+', '-', device['name'].lower())}.json"
    )
    parts: dict[str, Callable[[], Any]] = {
        "tests": lambda: None if options.no_tests else run_tests(),
        "agreement": lambda: agreement(backend) + gpu_shapes.network_agreement(backend),
        "copy_gb_s": lambda: bandwidth(backend, options.rounds),
        "iteration": lambda: [iteration(backend, side, options.rounds) for side in options.sizes],
        "solve": lambda: [solve(backend, side, options.rounds) for side in options.sizes],
        "batch": lambda: batch(backend, options.sizes[0], options.batch, options.rounds),
        "kernel_sum": lambda: [kernel_sum(backend, side, options.rounds) for side in options.sizes],
        "network": lambda: gpu_shapes.network(backend, options.rounds),
        "projection": lambda: gpu_shapes.projection(backend, options.rounds),
        "joint": lambda: gpu_shapes.joint(backend, options.rounds),
        "tiles": lambda: tiles(backend, options.sizes[-1], options.rounds) if options.tiles else None,
    }
    for name, part in parts.items():
        figures[name] = part()
        print(f"{name}: {json.dumps(figures[name], indent=2)}", flush=True)
        path.write_text(json.dumps(figures, indent=2) + "\n")  # what is measured is kept, whatever comes next
    print(f"written to {path}")
    right = all(row["difference"] <= 1e-5 for row in figures["agreement"])
    right &= all(figures[name]["convex"] and figures[name]["iou_with_cpu"] >= 0.98 for name in ("projection", "joint"))
    tested = options.no_tests or (figures["tests"]["failed"] == 0 < figures["tests"]["passed"])
    return 0 if right and tested else 1


def describe_device(cupy: Any) -> dict[str, Any]:
    """Name, memory and versions, ready for JSON."""
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "name": properties["name"].decode(),
        "compute": f"{properties['major']}.{properties['minor']}",
        "bytes": properties["totalGlobalMem"],
        "processors": properties["multiProcessorCount"],
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "runtime": cupy.cuda.runtime.runtimeGetVersion(),
        "cupy": cupy.__version__,
    }


def run_tests() -> dict[str, Any]:
    """Counts of passed and failed tests of CuPy, and the names of the failed ones."""
    folder = Path(__file__).parents[1] / "tests"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-k",
        "cupy",
        "-rf",
        *(str(folder / name) for name in _TESTS),
    ]
    lines = subprocess.run(command, capture_output=True, text=True, cwd=folder.parent).stdout.splitlines()
    counts = {
        what: int(n) for n, what in re.findall(r"(\d+) (passed|failed|skipped|error)", lines[-1] if lines else "")
    }
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"passed": counts.get("passed", 0), "failed": counts.get("failed", 0) + counts.get("error", 0)} | (
        {"failures": failures} if failures else {}
    )


def agreement(backend: ArrayBackend) -> list[dict[str, Any]]:
    """Largest relative difference of primal and dual value from the specification's, after the same iterations."""
    rng = np.random.default_rng(0)
    planes, volumes = _AGREEMENT
    diagonal = {"offsets": ((1, 0), (0, 1), (1, 1), (1, -1)), "steps": (0.6, 0.6, 0.3, 0.3), "isotropic": False}
    cases = {
        "isotropic": (1, planes, {}),
        "anisotropic": (1, planes, {"isotropic": False}),
        "Huber": (1, planes, {"huber": 0.1}),
        "quadratic": (1, planes, {"quadratic_weight": 0.5}),
        "octagonal": (1, planes, diagonal),
        "five labels": (5, planes, {"simplex": True}),
        "volume": (1, volumes, {}),
        "volume, three labels": (3, volumes, {"simplex": True, "huber": 0.1}),
    }
    rows = []
    for name, (count, shape, kind) in cases.items():
        cost, radius = rng.normal(size=(count, *shape)), rng.uniform(0, 2, shape)
        lower = 0.3 * (rng.random((count, *shape)) < 0.1)
        values = []
        for on in (get_backend("numpy"), backend):
            fields = {
                n: on.asarray(a, np.float32) for n, a in (("cost", cost), ("dual_radius", radius), ("lower", lower))
            }
            problem = Problem(
                **fields, upper=on.asarray(np.ones(cost.shape), np.float32), **{"steps": (1.0,) * len(shape), **kind}
            )
            u = on.asarray(np.full(cost.shape, 0.5), np.float32)
            p = on.asarray(np.zeros((len(problem.steps), *cost.shape)), np.float32)
            on.iterate(problem, u, p, n=100, tau=0.25, sigma=0.3, rho=1.9, finish=True)
            values.append(on.values(problem, u, p))
        ours, theirs = np.array(values)
        rows.append({"case": name, "difference": float((abs(ours - theirs) / abs(theirs)).max())})
    return rows


def bandwidth(backend: ArrayBackend, rounds: int, size: int = 2**28) -> float:
    """Bytes read and written a second by a copy, in units of 1e9."""
    source = backend.xp.zeros(size, np.float32)
    target = backend.xp.empty_like(source)

    def copy() -> None:
        target[...] = source

    return 2 * source.nbytes / median_seconds(backend, copy, rounds) / 1e9


def iteration(backend: ArrayBackend, side: int, rounds: int) -> dict[str, Any]:
    """Milliseconds an iteration: the tile, the fused pass, and five labels; and a look at the gap."""
    found: dict[str, Any] = {"size": side}
    for name, energy, tiled in (
        ("tile", two_phase(side), True), ("fused", two_phase(side), False), ("labels", five_labels(side), False)
    ):  # fmt: skip
        problem = energy.problem(backend)
        u = energy.start(backend, problem)
        p = backend.xp.zeros((2, *energy.shape), np.float32)
        step = {"n": _ITERATIONS, "tau": 0.25, "sigma": 0.5, "rho": 1.9, "finish": True}
        tileable = cuda.tileable
        if not tiled:
            cuda.tileable = lambda *_: False  # type: ignore[assignment]
        try:
            seconds = median_seconds(backend, lambda: backend.iterate(problem, u, p, **step), rounds)  # noqa: B023
        finally:
            cuda.tileable = tileable
        found[f"{name}_ms"] = 1e3 * seconds / _ITERATIONS
        found[f"{name}_gb_s"] = _PIXEL_BYTES * u.size * _ITERATIONS / seconds / 1e9
        found[f"{name}_look_ms"] = 1e3 * median_seconds(backend, lambda: backend.values(problem, u, p), rounds)  # noqa: B023
    return found


def solve(backend: ArrayBackend, side: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of a whole solve to a gap of 1e-3, the cost on the device and the mask left there; and the CPU's."""
    there = two_phase(side, backend)
    solutions = [pdhg(two_phase(side), backend="numba"), pdhg(there)]
    ours, theirs = solutions[1], solutions[0]
    begin = time.perf_counter()
    pdhg(two_phase(side), backend="numba")
    return {
        "size": side,
        "ms": 1e3 * median_seconds(backend, lambda: pdhg(there).mask, rounds),
        "cpu_ms": 1e3 * (time.perf_counter() - begin),
        "iterations": ours.iterations,
        "cpu_iterations": theirs.iterations,
        "primal_difference": abs(ours.primal - theirs.primal) / abs(theirs.primal),
        "bounds_hold": bool(ours.dual <= theirs.primal and theirs.dual <= ours.primal),
    }


def batch(backend: ArrayBackend, side: int, count: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of so many solves at once and one after the other, and how much sooner at once is done."""
    energies = [two_phase(side, backend, 8 * b) for b in range(count)]
    together = median_seconds(backend, lambda: pdhg_batch(energies), rounds)
    alone = median_seconds(backend, lambda: [pdhg(energy) for energy in energies], max(1, rounds // 2))
    return {"size": side, "count": count, "ms": 1e3 * together, "alone_ms": 1e3 * alone, "ratio": alone / together}


def kernel_sum(backend: ArrayBackend, side: int, rounds: int, seeds: int = 1000) -> dict[str, Any]:
    """Milliseconds of one label's Nieuwenhuis-Cremers costs, five features and as many seeds as its default takes."""
    rng = np.random.default_rng(0)
    points, seed_points, weight = (
        backend.asarray(rng.random(shape), np.float32) for shape in ((side * side, 5), (5, seeds), side * side)
    )
    seconds = median_seconds(backend, lambda: backend.log_kernel_mean(points, weight, seed_points, 2), rounds)
    return {"size": side, "seeds": seeds, "ms": 1e3 * seconds}


def tiles(backend: ArrayBackend, side: int, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds an iteration with other shapes of the tile."""
    usual = (cuda.SIDE, cuda.ROWS, cuda.DEPTH)
    rows = []
    try:
        for shape in _TILES:
            cuda.SIDE, cuda.ROWS, cuda.DEPTH = shape
            cupy_._kernels.cache_clear()
            found = iteration(get_backend("cupy"), side, rounds)
            rows.append(dict(zip(("side", "rows", "depth"), shape, strict=True)) | {"ms": found["tile_ms"]})
    finally:
        cuda.SIDE, cuda.ROWS, cuda.DEPTH = usual
        cupy_._kernels.cache_clear()
    return rows


def two_phase(side: int, backend: ArrayBackend | None = None, shift: int = 0) -> TwoPhase:
    """The colour-likelihood problem of `problems.py`; another shift along both axes is another image of a batch."""
    case = segmentation(side)
    cost = np.roll(case.cost, shift, axis=(0, 1))
    return TwoPhase(cost if backend is None else backend.asarray(cost), case.alpha)


def five_labels(side: int) -> Potts:
    """That of five labels."""
    case = labels(side)
    return Potts(case.cost, case.alpha)


if __name__ == "__main__":
    raise SystemExit(main())
