"""The iterations of `base.py` in CUDA kernels, for an NVIDIA GPU. This is the only file that imports cupy.

Everything stays on the device: iterations are launched one after the other without synchronisation; only a gap
evaluation copies two numbers to the host. The kernels (`tile.cu`, `fused.cu`, `values.cu`; for networks `network.cu`)
are compiled when first used, and kept on disk by CuPy. A problem that they do not implement runs as in the
specification, operation by operation. No GPU has run this file yet: the tests run it, and the kernels' source, on the
host (`tests/cuda_on_host.py`).
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import BackendUnavailableError
from . import cuda
from .base import Array, Offsets, Problem
from .cuda_networks import CudaNetworks

_INSTALL = "install CuPy for your driver: pip install cupy-cuda12x or cupy-cuda13x"

_SHARES = 1024
"""Most blocks that add up one problem's value: enough to fill a GPU, few enough to be folded by one block."""

_SMALL, _MANY_LAUNCHES = 2**21, 8
"""For at most so many numbers in u, so many launches or more are recorded: where a launch takes the device less time
than the host, a replayed CUDA graph is faster."""


def n_devices() -> int:
    """Number of GPUs that CuPy can use; CuPy also imports where there is no device.

    Raises
    ------
    BackendUnavailableError
        If CuPy is not installed, or cannot talk to the driver.
    """
    try:
        import cupy
    except ImportError as error:
        raise BackendUnavailableError(f"backend 'cupy' needs CuPy, which is not installed; {_INSTALL}") from error
    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        raise BackendUnavailableError(
            f"backend 'cupy' needs a CUDA device; CuPy {cupy.__version__} reports: {error}. Check `nvidia-smi`, or use "
            "backend='numba'"
        ) from error


class CupyBackend(CudaNetworks):
    """float32 problems on planes and volumes in CUDA kernels; anything else as the specification has it."""

    name = "cupy"
    many = True

    def __init__(self) -> None:
        if n_devices() < 1:
            raise BackendUnavailableError(
                "backend 'cupy' needs a CUDA device; CuPy found none. Check `nvidia-smi`, or use backend='numba'"
            )
        import cupy

        super().__init__()
        self.xp: Any = cupy
        self._kernel = _kernels(cupy)
        self._state: cuda.State | None = None
        try:
            self._kernel("fold")
        except Exception as error:  # of NVRTC, the driver or the file system
            raise BackendUnavailableError(
                f"backend 'cupy' must be able to compile its kernels; CuPy {cupy.__version__} reports: {error}; "
                f"{_INSTALL}, or use backend='numba'"
            ) from error

    def to_numpy(self, array: Array) -> np.ndarray:
        """`array` in the host's memory."""
        return np.asarray(self.xp.asnumpy(array))

    def iterate(
        self, problem: Problem, u: Array, p: Array, *, n: int, tau: float, sigma: float, rho: float, finish: bool,
        **options: Any,
    ) -> None:  # fmt: skip
        """As in the specification, asynchronously; options that the kernels do not implement are left to it."""
        if not any(options.values()) and self._remembered([problem], u[None], p[None]).fits:
            self.iterate_many([problem], u[None], p[None], n=n, tau=[tau], sigma=[sigma], rho=rho, finish=finish)
        else:
            super().iterate(problem, u, p, n=n, tau=tau, sigma=sigma, rho=rho, finish=finish, **options)

    def iterate_many(
        self, problems: Sequence[Problem], u: Array, p: Array, *, n: int, tau: Sequence[float], sigma: Sequence[float],
        rho: float, finish: bool, active: Sequence[bool] | None = None,
    ) -> None:  # fmt: skip
        """As in the specification, all of them in one launch."""
        state = self._remembered(problems, u, p)
        if not state.fits:
            super().iterate_many(problems, u, p, n=n, tau=tau, sigma=sigma, rho=rho, finish=finish, active=active)
            return
        if n < 1:
            return
        u_next, p_next = state.scratch
        state.set(tau, sigma, active)
        launches = state.launches(n, rho, finish)
        flip = len(launches) % 2
        if flip:  # the last launch must write to u and p
            u_next[...], p_next[...] = u, p

        def launch() -> None:
            for k, (name, grid, threads, args, shared) in enumerate(launches):
                side = np.int32((flip + k) % 2)
                self._kernel(name)(grid, threads, (state.tasks, *args, side), shared_mem=shared)

        if u.size <= _SMALL and len(launches) >= _MANY_LAUNCHES:
            state.graphs.play((n, rho, finish), launch)
        else:
            launch()

    def _remembered(self, problems: Sequence[Problem], u: Array, p: Array) -> cuda.State:
        """The last call's state if the arrays are the same, or else a new one."""
        state = self._state
        if state is None or not state.holds(problems, u, p):
            self._state = None  # its memory may be needed for the new one
            state = self._state = cuda.State(self.xp, problems, u, p)
        return state

    def _primal_sum(self, problem: Problem, u: Array) -> float:
        task = self._lone(problem, u, None)
        return super()._primal_sum(problem, u) if task is None else float(self._sums(task, 1, u[0].size)[0, 0])

    def _dual_sum(self, problem: Problem, p: Array) -> float:
        task = self._lone(problem, None, p)
        return super()._dual_sum(problem, p) if task is None else float(self._sums(task, 1, p[0, 0].size)[0, 1])

    def _lone(self, problem: Problem, u: Array | None, p: Array | None) -> Array | None:
        """The problem with u or p alone, as the kernels read it; None if they do not implement it."""
        whole: Array = u if p is None else p[0]
        if not cuda.plain(whole):
            return None
        known = None if self._state is None else self._state.lone(problem, u, p)
        if known is not None:
            return known
        if not cuda.fits(problem, whole):
            return None
        return self.xp.asarray(np.frombuffer(bytes(cuda.task(problem, u, p)), np.uint8))

    def values(self, problem: Problem, u: Array, p: Array) -> tuple[float, float]:
        """As in the specification, in one launch."""
        if not self._remembered([problem], u[None], p[None]).fits:
            return super().values(problem, u, p)
        primal, dual = self.values_many([problem], u[None], p[None])[0].tolist()
        return primal, dual

    def values_many(self, problems: Sequence[Problem], u: Array, p: Array) -> np.ndarray:
        """As in the specification, all of them in one launch, with one synchronisation."""
        state = self._remembered(problems, u, p)
        if not state.fits:
            return super().values_many(problems, u, p)
        primal, dual = self._sums(state.tasks, len(problems), u[0, 0].size).T
        names = ("cost_unit", "rounding_slack", "constant")
        unit, slack, constant = (np.array([getattr(q, name) for q in problems]) for name in names)
        return np.stack([unit * primal + constant, unit * (dual - slack) + constant], axis=1)

    def _sums(self, tasks: Array, rows: int, pixels: int, levels: Array | None = None) -> np.ndarray:
        """(rows, 2): primal and dual sum of each task, or of one task's masks at each threshold of `levels`."""
        count = min(-(-pixels // cuda.ADDERS), _SHARES)
        shares, sums = self.xp.empty((rows, 2, count)), self.xp.empty((rows, 2))
        null = np.uint64(0)
        self._kernel("values")((count, rows), (cuda.ADDERS,), (tasks, null if levels is None else levels, shares))
        self._kernel("fold")((2 * rows,), (cuda.ADDERS,), (shares, np.int32(count), sums))
        return self.to_numpy(sums)

    def threshold(self, problem: Problem, u: Array, thresholds: tuple[float, ...]) -> tuple[Array, float]:
        """As in the specification, all thresholds in one launch."""
        task = self._lone(problem, u, None)
        if task is None or len(u) > 1 or problem.simplex:
            return super().threshold(problem, u, thresholds)
        values = self._sums(task, len(thresholds), u.size, self.asarray(thresholds, np.float32))[:, 0]
        best = int(values.argmin())
        mask = self.project((u > np.float32(thresholds[best])).astype(u.dtype), problem)
        return mask, problem.cost_unit * float(values[best]) + problem.constant

    def halve(self, array: Array, ndim: int) -> Array:
        """As in the specification, in one launch."""
        if not cuda.plain(array) or ndim not in (2, 3) or array.size >= 2**31:
            return super().halve(array, ndim)
        lead, shape = array.shape[:-ndim], array.shape[-ndim:]
        out = self.xp.empty((*lead, *(-(-n // 2) for n in shape)), np.float32)
        sizes = tuple(map(np.int32, (*cuda.volume(shape), math.prod(lead))))
        self._kernel("halve")(*_by_pixel(out.size), (array, *sizes, out))
        return out

    def prolong(self, problem: Problem, u: Array, p: Array) -> tuple[Array, Array]:
        """As in the specification, in one launch."""
        fine = self.xp.empty(problem.cost.shape, np.float32)
        if not (cuda.fits(problem, fine) and cuda.plain(u) and cuda.plain(p)):
            return super().prolong(problem, u, p)
        flow = self.xp.empty((len(problem.steps), *fine.shape), np.float32)
        self._spread(cuda.task(problem, fine, flow), u, p, feasible=True)
        return fine, flow

    def spread(self, u: Array, p: Array, spatial: tuple[int, ...], offsets: Offsets) -> tuple[Array, Array]:
        """As in the specification, in one launch."""
        known = len(spatial) in (2, 3) and len(p) <= cuda.MOST_DIRECTIONS
        if not (known and cuda.plain(u) and p.size << len(spatial) < 2**31):
            return super().spread(u, p, spatial, offsets)
        fine = self.xp.empty((*u.shape[: -len(spatial)], *spatial), np.float32)
        flow = self.xp.empty((len(p), *fine.shape), np.float32)
        layers = (math.prod(fine.shape[: -len(spatial)]), *spatial)
        self._spread(cuda.geometry(offsets, layers, fine, flow), u, self.asarray(p, np.float32), feasible=False)
        return fine, flow

    def _spread(self, task: cuda.Task, u: Array, p: Array, feasible: bool) -> None:
        tasks = self.xp.asarray(np.frombuffer(bytes(task), np.uint8))
        pixels = task.depth * task.height * task.width
        self._kernel("spread")(*_by_pixel(pixels), (tasks, u, p, np.int32(feasible)))

    def log_kernel_mean(self, points: Array, weight: Array, seeds: Array, axes: int) -> Array:
        """As in the specification, one thread for each point."""
        if len(seeds) > cuda.MOST_FEATURES:
            return super().log_kernel_mean(points, weight, seeds, axes)
        points, weight, seeds = (self.asarray(array, np.float32) for array in (points, weight, seeds))
        (n, features), m = points.shape, seeds.shape[1]
        out = self.xp.empty(n, np.float32)
        sizes = tuple(map(np.int32, (n, m, features, axes)))
        self._kernel("kernel_sum")(*_by_pixel(n), (points, weight, seeds, *sizes, out))
        return out


def _by_pixel(count: int) -> tuple[tuple[int], tuple[int]]:
    """Blocks and threads, one thread for each pixel."""
    return (-(-count // 256),), (256,)


@lru_cache(maxsize=1)
def _kernels(cupy: Any) -> Any:
    """A function that gives a kernel by its name; all are compiled when the first one is asked for."""
    module = cupy.RawModule(code=cuda.source(), options=cuda.options())
    return lru_cache(maxsize=None)(module.get_function)
