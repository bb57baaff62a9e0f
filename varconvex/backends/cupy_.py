"""The same iterations as `base.py` in CUDA kernels, for an NVIDIA GPU. This is the only file that imports cupy.

Everything stays on the device: iterations are launched one after the other and nobody waits for them; only a look at
the gap brings two numbers home. The kernels (`tile.cu`, `fused.cu`, `values.cu`) are compiled when first used, and kept
on disk by CuPy. A problem that they cannot say runs as the specification has it, operation by operation.
"""

import ctypes
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import BackendUnavailableError
from . import _cuda
from .base import Array, ArrayBackend, Problem

_INSTALL = "install CuPy for your driver: pip install 'varconvex[cuda12]' or 'varconvex[cuda13]'"

_SHARES = 1024
"""Most blocks that add up one problem's value: enough to fill a GPU, few enough to be folded by one block."""

_SMALL, _MANY_LAUNCHES = 2**21, 8
"""A state of so many numbers at most is remembered from call to call, and so many launches or more are recorded: where
a launch takes the device less time than the host, a replayed CUDA graph is sooner done."""


def n_devices() -> int:
    """GPUs that CuPy can use. CuPy imports where no device is, so this asks for the count.

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


class CupyBackend(ArrayBackend):
    """float32 problems on planes and volumes in CUDA kernels; anything else as the specification has it."""

    name = "cupy"
    many = True

    def __init__(self) -> None:
        if n_devices() < 1:
            raise BackendUnavailableError(
                "backend 'cupy' needs a CUDA device; CuPy found none. Check `nvidia-smi`, or use backend='numba'"
            )
        import cupy

        self.xp: Any = cupy
        self._kernel = _kernels(cupy)
        self._state: _State | None = None
        try:
            self._kernel("fold")
        except Exception as error:  # whatever NVRTC, the driver or the disk has to say
            raise BackendUnavailableError(
                f"backend 'cupy' must be able to compile its kernels; CuPy {cupy.__version__} reports: {error}; "
                f"{_INSTALL}, or use backend='numba'"
            ) from error

    def to_numpy(self, array: Array) -> np.ndarray:
        """`array` in the host's memory."""
        return np.asarray(self.xp.asnumpy(array))

    def iterate(
        self,
        problem: Problem,
        u: Array,
        p: Array,
        *,
        n: int,
        tau: float,
        sigma: float,
        rho: float,
        settle: bool,
        **options: Any,
    ) -> None:
        """As in the specification, launched and not waited for. Options that the kernels do not know are left to it."""
        if any(options.values()) or not _cuda.fits(problem, u):
            super().iterate(problem, u, p, n=n, tau=tau, sigma=sigma, rho=rho, settle=settle, **options)
            return
        self.iterate_many([problem], u[None], p[None], n=n, tau=[tau], sigma=[sigma], rho=rho, settle=settle)

    def iterate_many(
        self,
        problems: Sequence[Problem],
        u: Array,
        p: Array,
        *,
        n: int,
        tau: Sequence[float],
        sigma: Sequence[float],
        rho: float,
        settle: bool,
        active: Sequence[bool] | None = None,
    ) -> None:
        """As in the specification, all of them in one launch."""
        if not _cuda.alike(problems, u):
            super().iterate_many(problems, u, p, n=n, tau=tau, sigma=sigma, rho=rho, settle=settle, active=active)
            return
        if n < 1:
            return
        active = [True] * len(problems) if active is None else active
        state = self._state if self._state and self._state.holds(problems, u, p) else _State(self.xp, problems, u, p)
        self._state = state if u.size <= _SMALL else None
        state.tasks.set(_packed(state.task(b, tau[b], sigma[b], active[b]) for b in range(len(problems))))
        launches = self._launches(problems[0], u, state.tasks, n, rho, settle)
        flip = len(launches) % 2
        if flip:  # the last launch must write where the answer is looked for
            state.u_next[...], state.p_next[...] = u, p

        def launch() -> None:
            for k, (name, grid, threads, args, shared) in enumerate(launches):
                self._kernel(name)(grid, threads, (*args, np.int32((flip + k) % 2)), shared_mem=shared)

        if self._state and len(launches) >= _MANY_LAUNCHES:
            state.play((n, rho, settle), launch)
        else:
            launch()

    def _launches(
        self, problem: Problem, u: Array, tasks: Array, n: int, rho: float, settle: bool
    ) -> list[tuple[str, tuple, tuple, tuple, int]]:
        """Kernel, blocks, threads, arguments and shared memory of each launch; all but the side they write to."""
        f, i = np.float32, np.int32
        last = 1.0 if settle else rho
        images, *whole = u.shape
        if _cuda.tileable(problem, u[0]):
            grid, threads = _cuda.tile_blocks(*whole[1:])
            name, counts = _cuda.tile_name(problem), _cuda.tile_launches(n)
            ends = [rho] * (len(counts) - 1) + [last]
            return [
                (name, (*grid, images), threads, (tasks, i(count), f(rho), f(end)), 0)
                for count, end in zip(counts, ends, strict=True)
            ]
        cut = _cuda.blocks(problem, tuple(whole))
        assert cut is not None  # `fits` has asked
        x, y, layers = cut.grid
        return [
            ("fused", (x, y, layers * images), cut.threads, (tasks, i(layers), f(r)), cut.shared)
            for r in [rho] * (n - 1) + [last]
        ]

    def _primal_sum(self, problem: Problem, u: Array) -> float:
        if not _cuda.fits(problem, u):
            return super()._primal_sum(problem, u)
        return float(self._sums([_cuda.task(problem, u, None)], u[0].size)[0, 0])

    def _dual_sum(self, problem: Problem, p: Array) -> float:
        if not _cuda.fits(problem, p[0]):
            return super()._dual_sum(problem, p)
        return float(self._sums([_cuda.task(problem, None, p)], p[0, 0].size)[0, 1])

    def values(self, problem: Problem, u: Array, p: Array) -> tuple[float, float]:
        """Primal and dual value of a feasible pair, in one go."""
        if not _cuda.fits(problem, u):
            return super().values(problem, u, p)
        primal, dual = self.values_many([problem], u[None], p[None])[0]
        return float(primal), float(dual)

    def values_many(self, problems: Sequence[Problem], u: Array, p: Array) -> np.ndarray:
        """As in the specification, all of them in one launch, and with one wait."""
        if not _cuda.alike(problems, u):
            return super().values_many(problems, u, p)
        tasks = [_cuda.task(*each) for each in zip(problems, u, p, strict=True)]
        primal, dual = self._sums(tasks, u[0, 0].size).T
        unit, doubt, constant = (np.array([getattr(q, n) for q in problems]) for n in ("unit", "doubt", "constant"))
        return np.stack([unit * primal + constant, unit * (dual - doubt) + constant], axis=1)

    def _sums(self, tasks: list[_cuda.Task], pixels: int) -> np.ndarray:
        """(n, 2): primal and dual sum of each task."""
        count = min(-(-pixels // _cuda.ADDERS), _SHARES)
        shares = self.xp.empty((len(tasks), 2, count))
        sums = self.xp.empty((len(tasks), 2))
        self._kernel("values")((count, len(tasks)), (_cuda.ADDERS,), (self.xp.asarray(_packed(tasks)), shares))
        self._kernel("fold")((sums.size,), (_cuda.ADDERS,), (shares, np.int32(count), sums))
        return self.to_numpy(sums)

    def log_kernel_mean(self, points: Array, weight: Array, seeds: Array, axes: int) -> Array:
        """As in the specification, one thread a point."""
        if len(seeds) > _cuda.MOST_FEATURES:
            return super().log_kernel_mean(points, weight, seeds, axes)
        points, weight, seeds = (self.asarray(array, np.float32) for array in (points, weight, seeds))
        (n, features), m = points.shape, seeds.shape[1]
        out = self.xp.empty(n, np.float32)
        sizes = tuple(map(np.int32, (n, m, features, axes)))
        self._kernel("kernel_sum")((-(-n // 256),), (256,), (points, weight, seeds, *sizes, out))
        return out


class _State:
    """What the launches on one (u, p) need, at addresses that stay: then they can be recorded once and replayed."""

    def __init__(self, xp: Any, problems: Sequence[Problem], u: Array, p: Array) -> None:
        self._xp, self._problems, self._u, self._p = xp, tuple(problems), u, p
        self.u_next, self.p_next = xp.empty_like(u), xp.empty_like(p)
        self.tasks = xp.empty(len(problems) * ctypes.sizeof(_cuda.Task), np.uint8)
        self._graphs: dict[Any, Any] = {}

    def holds(self, problems: Sequence[Problem], u: Array, p: Array) -> bool:
        """Whether it is about these very arrays."""
        same = len(problems) == len(self._problems) and all(map(operator.is_, problems, self._problems))
        return same and (u.data.ptr, p.data.ptr, u.shape) == (self._u.data.ptr, self._p.data.ptr, self._u.shape)

    def task(self, b: int, tau: float, sigma: float, active: bool) -> _cuda.Task:
        """The b-th problem, as the kernels read it."""
        arrays = (self._u[b], self._p[b], self.u_next[b], self.p_next[b])
        return _cuda.task(self._problems[b], *arrays, tau=tau, sigma=sigma, active=active)

    def play(self, what: Any, launch: Callable[[], None]) -> None:
        """Launch; what is launched a second time is recorded, and from then on replayed."""
        if what not in self._graphs:
            self._graphs[what] = None
            launch()
            return
        if self._graphs[what] is None:
            with self._xp.cuda.Stream(non_blocking=True) as stream:
                stream.begin_capture()
                launch()
                self._graphs[what] = stream.end_capture()
        self._graphs[what].launch()


def _packed(tasks: Iterable[_cuda.Task]) -> np.ndarray:
    return np.frombuffer(b"".join(map(bytes, tasks)), np.uint8)


@lru_cache(maxsize=1)
def _kernels(cupy: Any) -> Any:
    """Finds a kernel by its name; all are compiled when the first one is asked for."""
    module = cupy.RawModule(code=_cuda.source(), options=_cuda.options())
    return lru_cache(maxsize=None)(module.get_function)
