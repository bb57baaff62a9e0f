"""The same iterations as `base.py`, fused and blocked in time, compiled by Numba for the CPU.

One iteration reads and writes u and p once, in place: with u_bar = 2 u_new - u of rows i and i + 1 in two small
buffers, the dual row i can be updated as soon as the primal row i + 1 is known. K iterations travel down the image
together, each one row behind the one before (a wavefront), so that memory is touched once for K iterations.

Each thread has a band of rows (`_numba_bands.py`). Bands are of the same work each: of an image that is `watch`ed only
those columns of a row are iterated that still move. The result is bitwise the same for any number of threads.
"""

from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .._threads import n_threads, run
from . import _numba_coupled_values as coupled, _numba_values as values
from ._numba_bands import SHARE, cut, iterate_band
from ._numba_coupled import iterate_coupled_block
from ._numba_layout import ActiveSet, Layout, matrices
from ._numba_networks import NumbaNetworks
from ._numba_simplex import simplex_block
from ._numba_wavefront import block_kernel
from .base import SAFE, Array, ArrayBackend, Problem, next_steps

_WATCHED = 2**26
"""Most pixels of an image of which what is at rest is left out: in larger ones a block of iterations takes too long to
be the least that is done between two looks at the clock."""

_OCTAGON = ((1, 0), (0, 1), (1, 1), (1, -1))


class NumbaBackend(NumbaNetworks, ArrayBackend):
    """float32 problems in fused, threaded kernels; anything else as the specification has it."""

    name = "numba"

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
        f = np.float32
        layout = self._layout(problem)
        plain = gamma == 0 and _fits(u, problem)
        kernel = block_kernel(*layout.kind[1:], problem.huber > 0) if plain else iterate_coupled_block
        plan = (f(tau), f(1.0 / (1.0 + tau * problem.quadratic_weight)), f(sigma), f(sigma * problem.huber))
        place = (*matrices(layout.order(u, p)), layout.shape)
        for done in range(0, n, layout.depth):
            block = min(layout.depth, n - done)
            # What comes to rest stays as it is, and has to be feasible.
            ends = (finish and done + block == n) or active_set is not None
            if plain:
                tail = (*layout.fields, layout.shapes, len(u), block, ends, *plan, f(rho), layout.kind[0])
            else:
                schedule, tau, sigma = _schedule(problem, block, tau, sigma, gamma)
                tail = (*layout.coupled_fields, len(u), ends, schedule, f(rho), *layout.kind, *layout.coupling)
            panels = layout.panels(block) if plain else [()]
            columns = layout.everywhere if active_set is None else active_set.spans(block)
            bands = cut(np.maximum(columns[1][1] - columns[0][1], 0), block)
            seams = [layout.seam(block, len(panels), plain) for _ in bands[1:]]
            rings = [layout.rings() for _ in bands] if plain else []
            watch = (*columns, layout.nowhere if active_set is None else active_set.moved, active_set is not None)
            if plain:
                heads = [
                    (*ring, layout.rim(band, len(panels)), *watch) for ring, band in zip(rings, bands, strict=True)
                ]
            else:
                heads = [(layout.bars(block),) for _ in bands]
            sides = zip(heads, bands, pairwise([None, *seams, None]), strict=True)
            try:
                run(iterate_band, [(kernel, (*head, *place), panels, *side, block, tail) for head, *side in sides])
            finally:
                # Nobody waits for a band that an interrupt has cancelled.
                for seam in seams:
                    seam.open()
            layout.spare += rings

    def active_set(self, problem: Problem) -> ActiveSet | None:
        """Of images; in a block of a volume's slabs something always moves."""
        layout = self._layout(problem)
        if problem.cost.ndim != 3 or not _fits(problem.cost, problem) or problem.cost[0].size > _WATCHED:
            return None
        return ActiveSet(layout.depth, layout.shape[0], problem.cost.shape[-1])

    def values(self, problem: Problem, u: Array, p: Array) -> tuple[float, float]:
        """As in the specification, side by side where neither is worth several threads."""
        if not u[0].size < 2 * SHARE <= 16 * u.size or n_threads() == 1:
            return super().values(problem, u, p)
        calls = ((self.primal_value, problem, u), (self.dual_value, problem, p))
        primal, dual = run(lambda value, *arguments: value(*arguments), calls)
        return primal, dual

    def _primal_sum(self, problem: Problem, u: Array) -> float:
        if not _compiled(u, problem):
            return super()._primal_sum(problem, u)
        layout = self._layout(problem)
        matrix, *_ = matrices((u,))
        if not _fits(u, problem):
            head = (matrix, layout.shape, *layout.coupled_fields, len(u))
            quadratic_weight, *charges = layout.charges
            tail = (quadratic_weight, problem.l1_weight, *charges, *layout.coupling[:2])
            return float(_sum_slabs(coupled.coupled_primal_block, layout.shape[0], *head, tail=tail).sum())
        cost, radius, _, _ = layout.fields
        head = (matrix, layout.shape, cost, radius, layout.shapes, len(u))
        return float(_sum_slabs(values.primal_block, layout.shape[0], *head, tail=layout.charges).sum())

    def _dual_sum(self, problem: Problem, p: Array) -> float:
        if not _compiled(p[0], problem) or problem.truncated:
            return super()._dual_sum(problem, p)
        layout = self._layout(problem)
        _, *flows = matrices(layout.order(p[0], p))
        steps, directions, _, simplex = layout.kind
        head = (*flows, layout.shape, *layout.fields, layout.shapes, p.shape[1])
        safe = tuple(np.float64(SAFE) * step for step in steps)
        if problem.l1_weight:
            head = (*flows, layout.shape, *layout.coupled_fields, p.shape[1])
            ends = (problem.quadratic_weight, problem.l1_weight, SAFE * SAFE * problem.huber, safe, directions)
            return float(_sum_slabs(coupled.target_dual_block, layout.shape[0], *head, tail=ends).sum())
        tail = (problem.quadratic_weight, SAFE * SAFE * problem.huber, safe, directions, simplex)
        return float(_sum_slabs(values.dual_block, layout.shape[0], *head, tail=tail).sum())

    def threshold(self, problem: Problem, u: Array, thresholds: tuple[float, ...]) -> tuple[Array, float]:
        """As in the specification, all thresholds in one pass."""
        if not _fits(u, problem) or u.shape[0] > 1:
            return super().threshold(problem, u, thresholds)
        layout = self._layout(problem)
        mask = np.empty_like(u)
        matrix, out = matrices((u, mask))[:2]
        slabs = layout.shape[0]
        head = (matrix, layout.shape, *layout.fields, layout.shapes)
        tail = (np.array(thresholds, np.float32), *layout.charges)
        sums = _sum_slabs(values.threshold_block, slabs, *head, tail=tail, columns=len(thresholds))
        best = np.float32(thresholds[int(sums.sum(axis=0).argmin())])
        _, _, lower, upper = layout.fields
        head = (out, matrix, layout.shape, lower, upper, layout.shapes)
        run(values.cut_block, [(*head, *rows, best) for rows in _rows(slabs, u.size)])
        return mask, self.primal_value(problem, mask)

    def log_kernel_mean(self, points: Array, weight: Array, seeds: Array, axes: int) -> Array:
        """As in the specification, in blocks of seeds that stay in the cache."""
        from ._numba_kernel_sum import log_kernel_mean

        points, weight, seeds = (np.ascontiguousarray(a, np.float32) for a in (points, weight, seeds))
        return log_kernel_mean(points, weight, seeds, axes)

    def mean_size(self, array: Array) -> float:
        """As in the specification, without a copy."""
        if array.dtype not in (np.float32, np.float64) or not array.flags.c_contiguous or array.ndim < 2:
            return super().mean_size(array)
        matrix = array.reshape(-1, array.shape[-1])
        return float(_sum_slabs(values.size_block, len(matrix), matrix).sum()) / array.size

    def rounded(self, array: Array, unit: float, offset: float = 0.0) -> tuple[Array, float]:
        """As in the specification, without a copy."""
        same = array.dtype == np.float32 and unit == 1 and offset == 0
        if same or array.dtype not in (np.float32, np.float64) or not array.flags.c_contiguous or array.ndim < 2:
            return super().rounded(array, unit, offset)
        out = np.empty(array.shape, np.float32)
        matrix = array.reshape(-1, array.shape[-1])
        rounding_slack = _sum_slabs(
            values.round_block, len(matrix), out.reshape(matrix.shape), matrix, tail=(1 / unit, float(offset))
        )
        return out, float(rounding_slack.sum())

    def halve(self, array: Array, ndim: int) -> Array:
        """As in the specification, in one pass over an image."""
        if ndim != 2 or array.dtype != np.float32 or min(array.shape[-2:]) < 2 or not array.flags.c_contiguous:
            return super().halve(array, ndim)
        height, width = array.shape[-2:]
        out = np.empty((*array.shape[:-2], -(-height // 2), -(-width // 2)), np.float32)
        layers = out.reshape(-1, *out.shape[-2:])
        bands = _rows(out.shape[-2], array.size)
        run(values.halve_block, [(layers, array.reshape(-1, height, width), *band) for band in bands])
        return out

    def prolong(self, problem: Problem, u: Array, p: Array) -> tuple[Array, Array]:
        """As in the specification, in one pass over an image."""
        if not _fits(u, problem) or problem.cost.ndim != 3:
            return super().prolong(problem, u, p)
        layout = self._layout(problem)
        shape = problem.cost.shape
        _, radius, lower, upper = layout.fields
        bounds = lower.reshape(shape[0], -1, shape[-1]), upper.reshape(shape[0], -1, shape[-1])
        u_fine, p_fine = np.empty(shape, np.float32), np.empty((len(problem.steps), *shape), np.float32)
        tail = (problem.isotropic, problem.simplex)
        run(
            values.prolong_block,
            [(u_fine, p_fine, u, p, radius, *bounds, *band, *tail) for band in _rows(shape[1], u_fine.size)],
        )
        return (self.project(u_fine, problem) if problem.simplex else u_fine), p_fine

    def project(self, v: Array, problem: Problem) -> Array:
        """As in the specification; the simplex without sorting."""
        if not (problem.simplex and v.dtype == np.float32 and v.shape == problem.cost.shape):
            return super().project(v, problem)
        layout = self._layout(problem)
        projected = np.array(v, order="C")
        matrix, *_ = matrices((projected,))
        head = (matrix, layout.shape, layout.fields[2], layout.shapes, len(v))
        run(simplex_block, [(*head, *rows) for rows in _rows(layout.shape[0], v.size)])
        return projected


def _compiled(u: np.ndarray, problem: Problem) -> bool:
    pairs = problem.coupling == "pairwise" and not problem.isotropic  # along the grid nobody needs them
    return u.dtype == np.float32 and (problem.offsets is None or problem.offsets == _OCTAGON) and not pairs


def _fits(u: np.ndarray, problem: Problem) -> bool:
    plain = problem.coupling == "separate" and not (problem.l1_weight or problem.truncated)
    return plain and _compiled(u, problem)


def _schedule(problem: Problem, n: int, tau: float, sigma: float, gamma: float) -> tuple[np.ndarray, float, float]:
    """What `n` iterations of a coupled problem step with, a row each, and tau and sigma after them."""
    plan = np.empty((n, 6), np.float32)
    for row in plan:
        shrink = 1.0 / (1.0 + tau * problem.quadratic_weight)
        row[:3] = tau, shrink, tau * problem.l1_weight * shrink
        theta, tau, sigma = next_steps(tau, sigma, gamma)
        row[3:] = theta, sigma, sigma * problem.huber
    return plan, tau, sigma


def _rows(height: int, pixels: int) -> list[tuple[int, int]]:
    """Rows of each thread."""
    count = max(1, min(n_threads(), height // 96, pixels // SHARE))
    return list(pairwise(height * k // count for k in range(count + 1)))


def _sum_slabs(kernel: Any, slabs: int, *head: Any, tail: tuple = (), columns: int = 0) -> np.ndarray:
    """The kernel's sum of every slab: added up, it does not depend on the number of threads."""
    sums = np.zeros((slabs, columns) if columns else slabs)
    run(kernel, [(sums, *head, *rows, *tail) for rows in _rows(slabs, head[0].size)])
    return sums
