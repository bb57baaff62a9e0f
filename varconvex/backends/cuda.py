"""Arguments of the CUDA kernels: their source, `Problem` as a C struct, and how a grid is cut into blocks.

Nothing here needs a device, or CuPy: `cupy_.py` launches what this file describes. No GPU has run these kernels yet.
"""

import ctypes
import math
import weakref
from collections.abc import Sequence
from dataclasses import MISSING, fields
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from ._grids import axes
from .base import SAFE, Array, Offsets, Problem
from .cuda_networks import Graphs, Training

FILES = ("problem", "fused", "tile", "values", "grids", "kernel_sum", "network")
"""Source files in the order in which they are joined: the first defines what the others use."""

MOST_DIRECTIONS, MOST_FEATURES, ADDERS = 4, 12, 256
"""As in problem.cu, kernel_sum.cu and values.cu."""

SIDE, ROWS, DEPTH = 64, 4, 8
"""Of the tile: pixels a side, rows a thread, and most iterations a launch. The deeper, the fewer bytes an iteration,
but the larger the halo that is computed twice. Four rows just fill the registers without a spill."""

_SHARED = 48 * 1024
"""Bytes of shared memory a block has by default on any device."""

_PLANE_BLOCKS = ((1, 8, 32), (1, 4, 32), (1, 4, 16))
_VOLUME_BLOCKS = ((8, 8, 16), (4, 4, 16), (4, 4, 8))
"""Threads of a block along z, y and x, the preferred first: fewer where many labels need the shared memory."""


class Field(ctypes.Structure):
    """A field's address and strides, in numbers."""

    _fields_ = (("data", ctypes.c_void_p), *((name, ctypes.c_int) for name in ("label", "z", "y", "x")))


class Pixel(ctypes.Structure):
    """An index or a distance in pixels."""

    _fields_ = tuple((name, ctypes.c_int) for name in ("z", "y", "x"))


class Task(ctypes.Structure):
    """`Problem` of problem.cu: a problem, its state, and its step sizes."""

    _fields_ = (
        *((name, Field) for name in ("cost", "radius", "lower", "upper")),
        *((name, ctypes.c_void_p) for name in ("u", "p", "u_next", "p_next")),
        *((name, ctypes.c_int) for name in ("depth", "height", "width", "labels", "directions")),
        ("offset", (ctypes.c_int * 3) * MOST_DIRECTIONS),
        *((name, Pixel) for name in ("before", "after")),
        ("step", ctypes.c_float * MOST_DIRECTIONS),
        *((name, ctypes.c_float) for name in ("tau", "sigma", "quadratic_weight", "huber")),
        *((name, ctypes.c_int) for name in ("isotropic", "simplex", "active")),
    )


@lru_cache(maxsize=1)
def source() -> str:
    """The kernels' source; each file keeps its own line numbers."""
    here = files(__package__)
    parts = (f'#line 1 "{name}.cu"\n{(here / f"{name}.cu").read_text(encoding="utf-8")}' for name in FILES)
    return "\n".join(parts)


def options() -> tuple[str, ...]:
    """Compiler options: constants that Python defines."""
    tile = (f"-DSIDE={SIDE}", f"-DROWS={ROWS}", f"-DDEPTH={DEPTH}")
    numbers = (f"-DSAFE={SAFE!r}", f"-DTINY={float(np.finfo(np.float32).tiny)!r}f")
    return (*numbers, f"-DPROBLEM_BYTES={ctypes.sizeof(Task)}", f"-DTRAINING_BYTES={ctypes.sizeof(Training)}", *tile)


_KNOWN = frozenset(
    ("cost", "dual_radius", "lower", "upper", "steps", "isotropic", "simplex", "quadratic_weight", "huber", "offsets",
     "cost_unit", "constant", "rounding_slack", "common_cost", "value_scale")
)  # fmt: skip
"""Fields of `Problem` that the kernels implement, or that only concern how values are presented. All others must have
their defaults."""


def fits(problem: Problem, u: Array) -> bool:
    """Whether the kernels implement this problem; all others run as in the specification."""
    unknown = (f for f in fields(problem) if f.name not in _KNOWN)
    if any(f.default is MISSING or not _same(getattr(problem, f.name), f.default) for f in unknown):
        return False
    return (
        plain(u)
        and all(a.dtype == np.float32 for a in (problem.cost, problem.dual_radius, problem.lower, problem.upper))
        and u.ndim in (3, 4)
        and len(problem.steps) <= MOST_DIRECTIONS
        and u.size * len(problem.steps) < 2**31
        and blocks(problem.offsets, u.shape) is not None
    )


def alike(problems: Sequence[Problem], u: Array) -> bool:
    """Whether the kernels can iterate all of these problems, u (B, L, *spatial), in one launch."""
    kinds = {(tile_name(q), q.simplex, len(q.steps), q.offsets) for q in problems}
    return len(kinds) == 1 and all(fits(q, u[0]) for q in problems)


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and np.ndim(value) == 0 and bool(value == default))


def plain(array: Array) -> bool:
    """Whether an array is what the kernels expect: float32 and C-contiguous."""
    return array.dtype == np.float32 and bool(array.flags.c_contiguous)


def tileable(problem: Problem, u: Array) -> bool:
    """Whether the tile kernel, for planes with one label, can take a problem that fits."""
    return u.ndim == 3 and len(u) == 1 and not problem.simplex and problem.offsets is None


def tile_name(problem: Problem) -> str:
    """Name of the tile kernel for this kind of total variation."""
    return f"tile_{'' if problem.isotropic else 'an'}isotropic{'_huber' if problem.huber else ''}"


@lru_cache(maxsize=64)
def blocks(offsets: Offsets, whole: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], int] | None:
    """How `fused` cuts u's grid: blocks and threads along (x, y, z), and bytes of shared memory.

    None if no block holds so many labels or reaches so far.
    """
    labels, *shape = whole
    _, before, after = _directions(offsets, len(shape))
    for threads in _PLANE_BLOCKS if len(shape) == 2 else _VOLUME_BLOCKS:
        inner = [t - b - a for t, b, a in zip(threads, before, after, strict=True)]
        shared = 4 * labels * math.prod(threads)
        if min(inner) > 0 and shared <= _SHARED:
            grid = [-(-n // i) for n, i in zip(volume(shape), inner, strict=True)]
            return tuple(grid[::-1]), threads[::-1], shared
    return None


def task(problem: Problem, u: Array | None, p: Array | None) -> Task:
    """`Problem` as a C struct, without the step sizes; it holds addresses, so the arrays must outlive it."""
    whole = u.shape if u is not None else p.shape[1:]  # type: ignore[union-attr]
    made = geometry(problem.offsets, whole, u, p)
    arrays = (problem.cost, problem.dual_radius, problem.lower, problem.upper)
    made.cost, made.radius, made.lower, made.upper = (_field(array, len(whole)) for array in arrays)
    made.step[: len(problem.steps)] = problem.steps
    made.quadratic_weight, made.huber = problem.quadratic_weight, problem.huber
    made.isotropic, made.simplex, made.active = problem.isotropic, problem.simplex, True
    return made


def geometry(offsets: Offsets, whole: tuple[int, ...], u: Array | None, p: Array | None) -> Task:
    """A problem's grid and arrays, without its fields."""
    labels, *shape = whole
    directions, before, after = _directions(offsets, len(shape))
    made = Task(labels=labels, directions=len(directions), before=Pixel(*before), after=Pixel(*after))
    made.depth, made.height, made.width = volume(shape)
    made.u, made.p = (None if array is None else array.data.ptr for array in (u, p))
    for slot, offset in zip(made.offset, directions, strict=False):
        slot[:] = offset
    return made


def volume(shape: Sequence[int]) -> tuple[int, int, int]:
    """Depth, height and width; a plane has depth 1."""
    depth, height, width = (1,) * (3 - len(shape)) + tuple(shape)
    return depth, height, width


@lru_cache(maxsize=64)
def _directions(offsets: Offsets, ndim: int) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...], tuple[int, ...]]:
    """Each direction's (z, y, x), and how far they reach back and ahead along these."""
    full = tuple((0,) * (3 - ndim) + tuple(offset) for offset in offsets or axes(ndim))
    along = list(zip(*full, strict=True))
    return full, tuple(max(0, -min(steps)) for steps in along), tuple(max(0, *steps) for steps in along)


def _field(array: Array, ndim: int) -> Field:
    """Address and strides of a float32 array that broadcasts to u's `ndim` axes, labels first."""
    strides = [0] * 4
    for axis in range(-min(array.ndim, ndim), 0):
        if array.shape[axis] > 1:
            strides[axis if axis > -ndim else 0] = array.strides[axis] // 4
    return Field(array.data.ptr, *strides)


class State:
    """Problems of one shape with their u (B, L, *spatial) and p (B, k, L, *spatial).

    Arguments of the launches are packed once, at addresses that stay: packing in Python may take longer than an
    iteration on a GPU, and launches at the same addresses can be recorded and replayed. It holds the arrays, but not
    the problems: when one of them is collected, all memory is released.
    """

    def __init__(self, xp: Any, problems: Sequence[Problem], u: Array, p: Array) -> None:
        self._xp, self._u, self._p = xp, u, p
        self._where = (u.data.ptr, p.data.ptr, u.shape, u.dtype)
        me = weakref.ref(self)
        self._problems = [weakref.ref(problem, lambda _: _release(me())) for problem in problems]
        self._scratch: tuple[Array, Array] | None = None
        self.graphs = Graphs(xp)
        self.fits = alike(problems, u) and plain(p)
        """Whether the kernels can iterate these problems; if not, no other attribute is set."""
        if self.fits:
            self.tile = tile_name(problems[0]) if tileable(problems[0], u[0]) else None
            self.blocks = blocks(problems[0].offsets, u.shape[1:])
            packed = b"".join(bytes(task(*each)) for each in zip(problems, u, p, strict=True))
            self._host = np.frombuffer(bytearray(packed), np.dtype(Task))
            self.tasks = xp.asarray(np.frombuffer(packed, np.uint8))

    def holds(self, problems: Sequence[Problem], u: Array, p: Array) -> bool:
        """Whether this is the state of these very problems and arrays."""
        same = self._where == (u.data.ptr, p.data.ptr, u.shape, u.dtype)
        return same and [known() for known in self._problems] == list(problems)  # problems are compared by identity

    @property
    def scratch(self) -> tuple[Array, Array]:
        """Arrays like u and p that a launch writes, since it must not write what it reads."""
        if self._scratch is None:
            self._scratch = self._xp.empty_like(self._u), self._xp.empty_like(self._p)
            for name, array in zip(("u_next", "p_next"), self._scratch, strict=True):
                size = array[0].nbytes
                self._host[name] = array.data.ptr + size * np.arange(len(array), dtype=np.uint64)
        return self._scratch

    def set(self, tau: Sequence[float], sigma: Sequence[float], active: Sequence[bool] | None) -> None:
        """Copy the step sizes to the device, and which problems are active."""
        self._host["tau"], self._host["sigma"] = tau, sigma
        self._host["active"] = True if active is None else active
        self.tasks.set(self._host.view(np.uint8))

    def lone(self, problem: Problem, u: Array | None, p: Array | None) -> Array | None:
        """One of the problems with another u alone, or another p alone; None if it is not among them."""
        place = next((b for b, known in enumerate(self._problems) if known() is problem), None)
        if not self.fits or place is None:
            return None
        other = self._host[place : place + 1].copy()
        other["u"], other["p"] = (0 if array is None else array.data.ptr for array in (u, p))
        return self._xp.asarray(other.view(np.uint8))

    def launches(self, n: int, rho: float, finish: bool) -> list[tuple[str, tuple, tuple, tuple, int]]:
        """Kernel, blocks, threads, arguments and shared memory of each launch for n iterations, where it fits."""
        f, i = np.float32, np.int32
        images, *_, height, width = self._u.shape
        last = 1.0 if finish else rho
        if self.tile:
            # At most DEPTH iterations a launch, as equal as can be.
            inner, count = SIDE - 2 * DEPTH, -(-n // DEPTH)
            grid, threads = (-(-width // inner), -(-height // inner), images), (SIDE, SIDE // ROWS)
            counts = [n * (k + 1) // count - n * k // count for k in range(count)]
            ends = [rho] * (count - 1) + [last]
            return [
                (self.tile, grid, threads, (i(depth), f(rho), f(end)), 0)
                for depth, end in zip(counts, ends, strict=True)
            ]
        assert self.blocks is not None  # the problems fit
        (x, y, layers), block, shared = self.blocks
        whole = (x, y, layers * images)
        return [("fused", whole, block, (i(layers), f(r)), shared) for r in [rho] * (n - 1) + [last]]


def _release(state: State | None) -> None:
    if state is not None:
        vars(state).update(_u=None, _p=None, _scratch=None, tasks=None, graphs=None)
