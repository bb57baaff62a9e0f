"""The iterations of `base.py`, fused and blocked in time, compiled by Numba for the CPU.

One iteration reads and writes u and p once, in place, and several iterations travel over the image together
(`_numba_wavefront.py`), each thread on a band of rows of equal work (`numba_layout.py`). Of an image with an active set
only those columns of a row are iterated that still change. The result is bitwise the same for any number of threads.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..compiling import interpreted, say_interpreted
from ..threads import n_threads, run
from . import _numba_grids as grids, _numba_values as values
from ._numba_distance import distance, distance_along_rows
from ._numba_kernel_costs import kernel_costs
from ._numba_kernel_sum import log_kernel_mean
from ._numba_networks import NumbaNetworks
from ._numba_steps import MOST_DIRECTIONS, RHO, simplex_block
from .base import SAFE, Array, ArrayBackend, Problem, next_steps
from .numba_layout import SHARE, ActiveSet, Layout, cut, iterate_band, matrix

_WATCHED = 2**26
"""Most pixels of an image with an active set: in larger ones a block of iterations takes too long to be the least
between two looks at the clock."""

_REUSED = 2**25 - 2**16
"""Bytes up to which glibc may reuse freed arrays instead of asking the system for new pages, which takes as long as a
few iterations: it learns that from one block of this size that is freed."""

np.empty(_REUSED, np.uint8)

_OCTAGON = ((1, 0), (0, 1), (1, 1), (1, -1))


class NumbaBackend(NumbaNetworks):
    """float32 problems in fused, threaded kernels; anything else as in the specification."""

    name = "numba"

    def __new__(cls) -> "NumbaBackend":
        """A backend; where Numba may not compile, the specification by this name."""
        if not interpreted:
            return super().__new__(cls)
        say_interpreted()
        return _Interpreted()  # type: ignore[return-value]

    def __init__(self) -> None:
        self._layouts: WeakKeyDictionary[Problem, Layout] = WeakKeyDictionary()

    def _layout(self, problem: Problem) -> Layout:
        if problem not in self._layouts:
            self._layouts[problem] = Layout(problem)
        return self._layouts[problem]

    def iterate(
        self, problem: Problem, u: Array, p: Array, *, n: int, tau: float, sigma: float, rho: float, finish: bool,
        gamma: float = 0.0, active_set: ActiveSet | None = None,
    ) -> None:  # fmt: skip
        """As in the specification, in blocks of iterations that travel together."""
        if not _compiled(u, problem):
            super().iterate(problem, u, p, n=n, tau=tau, sigma=sigma, rho=rho, finish=finish, gamma=gamma)
            return
        layout = self._layout(problem)
        coupled = gamma != 0 or not _fits(u, problem)
        kernel = layout.kernel(coupled)
        schedule = _schedule(problem, layout.steps, n, tau, sigma, gamma, rho)
        # Converged pixels stay as they are, so each block has to end feasible; rho = 1 does that.
        if active_set is not None:
            schedule[layout.depth - 1 :: layout.depth, RHO] = 1
        if finish or active_set is not None:
            schedule[n - 1 :, RHO] = 1
        state = (matrix(u), matrix(p), layout.order, layout.counts, layout.fields, layout.shapes)
        for done in range(0, n, layout.depth):
            plan = schedule[done : done + layout.depth]
            feasible = (finish and done + len(plan) == n) or active_set is not None
            # The coupled kernels know neither tiles nor active columns.
            tiles = layout.tiles(0 if coupled else len(plan))
            active, moved = layout.everywhere, layout.nowhere
            if active_set is not None and not coupled:
                active, moved = active_set.spans(len(plan)), active_set.moved
            bands = cut(np.maximum(active[1, 1] - active[0, 1], 0), len(plan))
            halos = [layout.halo(len(plan), len(tiles)) for _ in bands[1:]]
            buffers = [layout.ring_buffer() for _ in bands]
            tail = (active, moved, *state, plan, (int(feasible), *layout.flags))
            calls = [
                (kernel, (*buffer, layout.tile_halo(band, len(tiles)), *tail), tiles, band, between, len(plan))
                for buffer, band, between in zip(buffers, bands, pairwise([None, *halos, None]), strict=True)
            ]
            try:
                run(iterate_band, calls)
            finally:
                # No thread may wait for a band that an interrupt has cancelled.
                for halo in halos:
                    halo.open()
            layout.spare += buffers

    def new_active_set(self, problem: Problem) -> ActiveSet | None:
        """As in the specification, for images; in a block of a volume's slices something always changes."""
        layout = self._layout(problem)
        if problem.cost.ndim != 3 or not _fits(problem.cost, problem) or problem.cost[0].size > _WATCHED:
            return None
        return ActiveSet(layout.depth, layout.shape[0], problem.cost.shape[-1])

    def values(self, problem: Problem, u: Array, p: Array) -> tuple[float, float]:
        """As in the specification; both at the same time where neither is worth several threads."""
        if not u[0].size < 2 * SHARE <= 16 * u.size or n_threads() == 1:
            return super().values(problem, u, p)
        calls = ((self.primal_value, problem, u), (self.dual_value, problem, p))
        primal, dual = run(lambda value, *arguments: value(*arguments), calls)
        return primal, dual

    def _primal_sum(self, problem: Problem, u: Array) -> float:
        return float(self.primal_slices(problem, u).sum()) if _compiled(u, problem) else super()._primal_sum(problem, u)

    def _dual_sum(self, problem: Problem, p: Array) -> float:
        there = _compiled(p[0], problem) and not problem.truncated
        return float(self.dual_slices(problem, p).sum()) if there else super()._dual_sum(problem, p)

    def primal_slices(self, problem: Problem, u: Array) -> np.ndarray:
        """As in the specification, of all problems, in one pass."""
        if not _compiled(u, problem):
            return super().primal_slices(problem, u)
        layout = self._layout(problem)
        head = (matrix(u), layout.counts, layout.fields, layout.shapes)
        tail = layout.charges(problem, np.float64)
        return _sum_slices(values.primal_block, layout.shape[0], *head, tail=tail)

    def dual_slices(self, problem: Problem, p: Array) -> np.ndarray:
        """As in the specification, of all problems, in one pass."""
        if not _compiled(p[0], problem) or problem.truncated:
            return super().dual_slices(problem, p)
        layout = self._layout(problem)
        safe = tuple(SAFE * step for step in layout.steps)
        head = (matrix(p), layout.order, layout.counts, layout.fields, layout.shapes)
        tail = (problem.quadratic_weight, problem.l1_weight, SAFE * SAFE * problem.huber, safe, layout.offsets)
        return _sum_slices(values.dual_block, layout.shape[0], *head, tail=(*tail, problem.simplex))

    def threshold(self, problem: Problem, u: Array, thresholds: tuple[float, ...]) -> tuple[Array, float]:
        """As in the specification, all thresholds in one pass."""
        if not _fits(u, problem) or u.shape[0] > 1:
            return super().threshold(problem, u, thresholds)
        layout = self._layout(problem)
        head = (matrix(u), layout.shape, layout.fields, layout.shapes)
        tail = (np.array(thresholds, np.float32), *layout.charges(problem, np.float32))
        sums = _sum_slices(values.threshold_block, layout.shape[0], *head, tail=tail, columns=len(thresholds))
        best = np.float32(thresholds[int(sums.sum(axis=0).argmin())])
        mask = np.empty_like(u)
        run(values.cut_block, [(matrix(mask), *head, *rows, best) for rows in _rows(layout.shape[0], u.size)])
        return mask, self.primal_value(problem, mask)

    def log_kernel_mean(self, points: Array, weight: Array, seeds: Array, axes: int) -> Array:
        """As in the specification, in blocks of seeds that stay in the cache."""
        points, weight, seeds = (np.ascontiguousarray(a, np.float32) for a in (points, weight, seeds))
        return log_kernel_mean(points, weight, seeds, axes)

    def kernel_costs(
        self, points: Array, weights: Array, offsets: Array, seeds: Sequence[Array], shape: tuple[int, ...], clip: float
    ) -> Array:
        """As in the specification, without the sums of pixels that are certain to lie beyond `clip`."""
        plain = (np.ascontiguousarray(array, np.float32) for array in (points, weights, offsets, *seeds))
        points, weights, offsets, *seeds = plain
        return kernel_costs(points, weights, offsets, seeds, shape, clip)

    def distance(self, there: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        """As in the specification, in threads."""
        return distance(np.ascontiguousarray(there), spacing)

    def distance_along_rows(self, squares: np.ndarray, step: float) -> np.ndarray:
        """As in the specification, in linear time and in threads."""
        return distance_along_rows(np.array(squares, np.float64, order="C"), step)

    def mean_size(self, array: Array) -> float:
        """As in the specification, without a copy."""
        if array.dtype not in (np.float32, np.float64) or not array.flags.c_contiguous or array.ndim < 2:
            return super().mean_size(array)
        rows = matrix(array)
        return float(_sum_slices(grids.size_block, len(rows), rows).sum()) / array.size

    def rounded(self, array: Array, unit: float, offset: float = 0.0) -> tuple[Array, float]:
        """As in the specification, without a copy."""
        same = array.dtype == np.float32 and unit == 1 and offset == 0
        if same or array.dtype not in (np.float32, np.float64) or not array.flags.c_contiguous or array.ndim < 2:
            return super().rounded(array, unit, offset)
        out = np.empty(array.shape, np.float32)
        tail = (1 / unit, float(offset))
        return out, float(_sum_slices(grids.round_block, len(matrix(out)), matrix(out), matrix(array), tail=tail).sum())

    def halve(self, array: Array, ndim: int) -> Array:
        """As in the specification, in one pass over an image."""
        if ndim != 2 or array.dtype != np.float32 or min(array.shape[-2:]) < 2 or not array.flags.c_contiguous:
            return super().halve(array, ndim)
        height, width = array.shape[-2:]
        out = np.empty((*array.shape[:-2], -(-height // 2), -(-width // 2)), np.float32)
        layers = out.reshape(-1, *out.shape[-2:])
        bands = _rows(out.shape[-2], array.size)
        run(grids.halve_block, [(layers, array.reshape(-1, height, width), *band) for band in bands])
        return out

    def prolong(self, problem: Problem, u: Array, p: Array) -> tuple[Array, Array]:
        """As in the specification, in one pass over an image."""
        if not _fits(u, problem) or problem.cost.ndim != 3:
            return super().prolong(problem, u, p)
        layout = self._layout(problem)
        shape = problem.cost.shape
        _, radius, lower, upper, _ = layout.fields
        bounds = lower.reshape(shape[0], -1, shape[-1]), upper.reshape(shape[0], -1, shape[-1])
        u_fine, p_fine = np.empty(shape, np.float32), np.empty((len(problem.steps), *shape), np.float32)
        tail = (problem.isotropic, problem.simplex)
        head = (u_fine, p_fine, u, p, radius, *bounds)
        run(grids.prolong_block, [(*head, *band, *tail) for band in _rows(shape[1], u_fine.size)])
        return (self.project(u_fine, problem) if problem.simplex else u_fine), p_fine

    def project(self, v: Array, problem: Problem) -> Array:
        """As in the specification; the simplex without sorting."""
        if not (problem.simplex and v.dtype == np.float32 and v.shape == problem.cost.shape):
            return super().project(v, problem)
        layout = self._layout(problem)
        projected = np.array(v, order="C")
        head = (matrix(projected), layout.shape, layout.fields[2], layout.shapes[2], len(v))
        run(simplex_block, [(*head, *rows) for rows in _rows(layout.shape[0], v.size)])
        return projected


class _Interpreted(ArrayBackend):
    """The specification, where Numba has been told not to compile."""

    name = "numba"


def _compiled(u: np.ndarray, problem: Problem) -> bool:
    pairs = problem.coupling == "pairwise" and not problem.isotropic  # rarely used; left to the specification
    return u.dtype == np.float32 and (problem.offsets is None or problem.offsets == _OCTAGON) and not pairs


def _fits(u: np.ndarray, problem: Problem) -> bool:
    plain = problem.coupling == "separate" and not (problem.l1_weight or problem.truncated)
    return plain and not (problem.offsets and problem.isotropic) and _compiled(u, problem)


def _schedule(problem: Problem, steps: tuple, n: int, tau: float, sigma: float, gamma: float, rho: float) -> np.ndarray:
    """Step sizes of `n` iterations, a row each, in the columns that `_numba_steps.py` names."""
    f, theta, empty = np.float32, 1.0, (0.0,) * (MOST_DIRECTIONS - len(steps))
    rows: list[tuple[Any, ...]] = []
    for _ in range(n if gamma else 1):
        shrink = 1.0 / (1.0 + tau * problem.quadratic_weight)
        primal = (tau, shrink, tau * problem.l1_weight * shrink)
        factors = [f(tau) * f(step) for step in steps]
        if gamma:
            theta, tau, sigma = next_steps(tau, sigma, gamma)
        dual = [f(sigma) * f(step) for step in steps]
        rows.append((*primal, theta, sigma, sigma * problem.huber, rho, *factors, *empty, *dual, *empty))
    schedule = np.empty((n, len(rows[0])), np.float32)
    schedule[:] = rows
    return schedule


def _rows(height: int, pixels: int) -> list[tuple[int, int]]:
    """Rows of each thread."""
    count = max(1, min(n_threads(), height // 96, pixels // SHARE))
    return list(pairwise(height * k // count for k in range(count + 1)))


def _sum_slices(kernel: Any, slices: int, *head: Any, tail: tuple = (), columns: int = 0) -> np.ndarray:
    """The kernel's sum of every slice: added up, it does not depend on the number of threads."""
    sums = np.zeros((slices, columns) if columns else slices)
    run(kernel, [(sums, *head, *rows, *tail) for rows in _rows(slices, head[0].size)])
    return sums
