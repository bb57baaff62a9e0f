"""Arguments of the launches on one (u, p), at addresses that stay, packed once.

Packing a problem in Python may take longer than an iteration on a GPU. Most calls use the arrays of the call before;
then only the step sizes are new. And launches at the same addresses can be recorded once and replayed.
"""

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import cuda
from ._cuda_graphs import Graphs
from .base import Array, Problem

_TASK = np.dtype(cuda.Task)


class State:
    """Problems of one shape with their u (B, L, *spatial) and p (B, k, L, *spatial).

    It holds the arrays, but not the problems: when one of them is collected, all memory is released.
    """

    def __init__(self, xp: Any, problems: Sequence[Problem], u: Array, p: Array) -> None:
        self._xp, self._u, self._p = xp, u, p
        self._where = (u.data.ptr, p.data.ptr, u.shape, u.dtype)
        me = weakref.ref(self)
        self._problems = [weakref.ref(problem, lambda _: _release(me())) for problem in problems]
        self._scratch: tuple[Array, Array] | None = None
        self.graphs = Graphs(xp)
        self.fits = cuda.alike(problems, u) and cuda.plain(p)
        """Whether the kernels can iterate these problems; if not, no other attribute is set."""
        if self.fits:
            self.tile = cuda.tile_name(problems[0]) if cuda.tileable(problems[0], u[0]) else None
            self.blocks = cuda.blocks(problems[0].offsets, u.shape[1:])
            packed = b"".join(bytes(cuda.task(*each)) for each in zip(problems, u, p, strict=True))
            self._host = np.frombuffer(bytearray(packed), _TASK)
            self.tasks = xp.asarray(np.frombuffer(packed, np.uint8))

    def holds(self, problems: Sequence[Problem], u: Array, p: Array) -> bool:
        """Whether this is the state of these very problems and arrays."""
        if self._where != (u.data.ptr, p.data.ptr, u.shape, u.dtype):
            return False
        return len(problems) == len(self._problems) and all(
            known() is problem for known, problem in zip(self._problems, problems, strict=True)
        )

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
        task = self._host[place : place + 1].copy()
        task["u"], task["p"] = (0 if array is None else array.data.ptr for array in (u, p))
        return self._xp.asarray(task.view(np.uint8))


def _release(state: State | None) -> None:
    if state is not None:
        vars(state).update(_u=None, _p=None, _scratch=None, tasks=None, graphs=None)
