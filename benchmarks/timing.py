"""Seconds that can be compared: contenders in turns within one run, and the memory's own speed beside them.

    in-place stream: a, b, c <- s (a, b, c) + f         read 4 numbers a pixel, write 3: 28 bytes in float32

is what an iteration of the primal-dual method moves (u and two components of p in place, the cost read), without its
arithmetic. Iterations that travel together move less and can be faster than that.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from itertools import pairwise
from typing import Any

import numpy as np
from tqdm import tqdm

from varconvex.backends import ArrayBackend, get_backend
from varconvex.energies.base import Energy
from varconvex.threads import n_threads, run

BYTES = 28
"""Moved a pixel and iteration by a pass in place over u, p and the cost of two regions."""

_REST = 0.1
"""Seconds between two contenders."""


def rest() -> None:
    """Collect garbage and wait until the previous contender's spinning threads sleep."""
    gc.collect()
    time.sleep(_REST)


@dataclass
class Timed:
    """One contender's times, one entry a round, and what its last call returned."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    answer: Any = None

    def summary(self) -> dict[str, Any]:
        """Medians, ready for JSON."""
        median, cpu = float(np.median(self.seconds)), float(np.median(self.cpu))
        return {"seconds": median, "cpu_seconds": cpu, "rounds": len(self.seconds), "least_seconds": min(self.seconds)}


def interleave(
    contenders: Mapping[str, Callable[[], Any]], rounds: int, budget: float = 60.0, label: str = ""
) -> dict[str, Timed]:
    """Call every contender once a round; one that has spent its budget of seconds is left out of further rounds."""
    timed = {name: Timed() for name in contenders}
    with tqdm(total=rounds * len(contenders), desc=label, leave=False, disable=None) as bar:
        for _ in range(rounds):
            for name, call in contenders.items():
                bar.update()
                of_this = timed[name]
                if sum(of_this.seconds) > budget:
                    continue
                bar.set_postfix_str(name)
                of_this.answer = None  # its memory is free again before the next one is made
                rest()
                wall, cpu = time.perf_counter(), time.process_time()
                of_this.answer = call()
                of_this.seconds.append(time.perf_counter() - wall)
                of_this.cpu.append(time.process_time() - cpu)
    return timed


def collect(calls: Mapping[str, Callable[[], float]], rounds: int, label: str = "") -> dict[str, list[float]]:
    """The number that each call returns, one entry a round, in turns."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in tqdm(range(rounds), desc=label, leave=False, disable=None):
        for name, call in calls.items():
            found[name].append(call())
    return found


def iteration(energy: Energy, backend: ArrayBackend, n: int) -> Callable[[], float]:
    """A call that does `n` iterations and returns its seconds an iteration; making it is not part of that."""
    problem = energy.problem(backend)
    u = energy.start(backend, problem)
    p = backend.xp.zeros((len(energy.spacing), *energy.shape), dtype=u.dtype)

    def call() -> float:
        begin = time.perf_counter()
        backend.iterate(problem, u, p, n=n, tau=0.25, sigma=0.5, rho=1.9, finish=True)
        wait(backend)
        return (time.perf_counter() - begin) / n

    return call


def wait(backend: ArrayBackend) -> None:
    """Until a GPU has done what it was told."""
    if backend.name == "cupy":
        backend.xp.cuda.get_current_stream().synchronize()


def median_seconds(backend: ArrayBackend, call: Callable[[], object], rounds: int) -> float:
    """Of `rounds` calls after one to warm up, each until the device is done."""
    times = []
    for _ in range(rounds + 1):
        wait(backend)
        begin = time.perf_counter()
        call()
        wait(backend)
        times.append(time.perf_counter() - begin)
    return float(np.median(times[1:]))


def stream(side: int, passes: int = 8) -> Callable[[], float]:
    """A call that returns the bytes a second of the in-place stream over side x side pixels, on all threads."""
    arrays = [np.full((side, side), 0.5, np.float32) for _ in range(4)]
    count = n_threads()
    parts = list(pairwise(side * k // count for k in range(count + 1)))
    kernel = _stream_kernel()

    def call() -> float:
        begin = time.perf_counter()
        run(kernel, [(*arrays, first, last, passes) for first, last in parts])
        return BYTES * side * side * passes / (time.perf_counter() - begin)

    kernel(*arrays, 0, 1, 1)
    return call


@lru_cache(maxsize=1)
def _stream_kernel() -> Callable[..., None]:
    from numba import njit

    # By rows, as the solver's kernels: over whole arrays it is not vectorised, and half as fast.
    @njit(inline="always", error_model="numpy", fastmath=True)
    def stream_row(a, b, c, f):
        s = np.float32(0.5)
        for j in range(a.size):
            x = f[j]
            a[j] = s * a[j] + x
            b[j] = s * b[j] + x
            c[j] = s * c[j] + x

    @njit(nogil=True, error_model="numpy", fastmath=True)
    def stream_kernel(a, b, c, f, first, last, passes):
        for _ in range(passes):
            for i in range(first, last):
                stream_row(a[i], b[i], c[i], f[i])

    return stream_kernel


class Ledger:
    """Where the seconds of a solve go: a backend of the given name whose every call is booked.

    Attributes
    ----------
    backend : ArrayBackend
        To be handed to a solver.
    seconds : dict of (method, pixels) to float
        Seconds inside each of the backend's methods, by the number of pixels it worked on; a method that another one
        calls belongs to that one.
    pixel_iterations : int
        Iterations times pixels, over all grids.
    """

    def __init__(self, name: str) -> None:
        self.seconds: dict[tuple[str, int], float] = {}
        self.pixel_iterations = 0
        self._inside = False
        kind = type(get_backend(name))
        methods = {
            n: self._booked(n, getattr(kind, n)) for n in dir(kind) if n[0] != "_" and callable(getattr(kind, n))
        }
        methods.pop("xp", None)
        self.backend: ArrayBackend = type(f"Booked{kind.__name__}", (kind,), methods)()

    def _booked(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(backend: ArrayBackend, *args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return method(backend, *args, **kwargs)
            self._inside = True
            begin = time.perf_counter()
            try:
                answer = method(backend, *args, **kwargs)
                wait(backend)
                return answer
            finally:
                self._inside = False
                pixels = max((_pixels(a) for a in (*args, *kwargs.values())), default=0)
                key = name, pixels
                self.seconds[key] = self.seconds.get(key, 0.0) + time.perf_counter() - begin
                if name == "iterate":
                    self.pixel_iterations += kwargs.get("n", 0) * pixels

        return call

    def shares(self, pixels: int, total: float) -> dict[str, float]:
        """Share of `total` seconds by what was done; everything on smaller grids than `pixels` is one entry."""
        found: dict[str, float] = {"coarser grids": 0.0}
        for (name, size), seconds in self.seconds.items():
            at = name if size >= pixels or not size else "coarser grids"
            found[at] = found.get(at, 0.0) + seconds
        found["energy and the rest"] = max(total - sum(found.values()), 0.0)
        return {name: seconds / total for name, seconds in found.items()}


def _pixels(array: Any) -> int:
    """Pixels of u or p, whose last two axes are the image's."""
    shape = getattr(array, "shape", None)
    return int(np.prod(shape[-2:])) if isinstance(shape, tuple) and len(shape) >= 2 else 0
