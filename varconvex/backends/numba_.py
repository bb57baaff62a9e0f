"""The same iterations as `base.py`, fused and blocked in time, compiled by Numba for the CPU.

One iteration reads and writes u and p once, in place: with u_bar = 2 u_new - u of rows i and i + 1 in two small
buffers, the dual row i can be updated as soon as the primal row i + 1 is known. K iterations travel down the image
together, each one row behind the one before (a wavefront), so that memory is touched once for K iterations.

Each thread has a band of rows. What K iterations need from the neighbours' rows is copied before they start and
iterated privately (K halo rows on either side, one fewer an iteration), so bands neither wait nor race, and the result
is bitwise the same for any number of threads.
"""

from itertools import pairwise
from typing import Any

import numba
import numpy as np

from .._threads import n_threads, run
from .base import _SAFE, Array, ArrayBackend, LinearTV

_DEPTH = 8
"""Iterations that travel together. More needs more cached rows and halo work; beyond 8 the arithmetic is the limit."""

_MIN_BAND = 48
"""Rows a thread should have at least: below, the halo rows cost more than the thread gains."""

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
_inlined = numba.njit(inline="always", error_model="numpy", fastmath=True)


@_compiled
def _descend_row(v, u, px, py, py_up, cost, tau, shrink, sx, sy):
    """V = (u - tau (cost - div p)) / (1 + tau pull) on one row."""
    v[0] = (u[0] + tau * (px[0] * sx + (py[0] - py_up[0]) * sy - cost[0])) * shrink
    for j in range(1, u.size):
        v[j] = (u[j] + tau * ((px[j] - px[j - 1]) * sx + (py[j] - py_up[j]) * sy - cost[j])) * shrink


@_compiled
def _box_row(v, lower, upper):
    for j in range(v.size):
        v[j] = min(max(v[j], lower[j]), upper[j])


@_compiled
def _simplex_row(v, lower, theta, free):
    """Michelot's projection on all pixels of a row at once; `theta` and `free` are buffers."""
    labels, width = v.shape
    for j in range(width):
        theta[j] = 0
        free[j] = 1
    for k in range(labels):
        for j in range(width):
            free[j] -= lower[k, j]
            v[k, j] -= lower[k, j]
            theta[j] += v[k, j]
    for j in range(width):
        theta[j] = (theta[j] - free[j]) / labels
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        for j in range(width):
            total, count = -free[j], np.float32(0)
            for k in range(labels):
                if v[k, j] > theta[j]:
                    total += v[k, j]
                    count += np.float32(1)
            theta[j] = total / count if count > 0 else theta[j]
    for k in range(labels):
        for j in range(width):
            v[k, j] = lower[k, j] + max(v[k, j] - theta[j], np.float32(0))


@_compiled
def _relax_row(u, v, u_bar, rho):
    """u_bar = 2 u_new - u, then u += rho (u_new - u)."""
    for j in range(u.size):
        old = u[j]
        u_bar[j] = 2 * v[j] - old
        u[j] = old + rho * (v[j] - old)


@_compiled
def _dual_row(px, py, u_bar, u_bar_down, radius, sigma, rho, sx, sy, isotropic):
    """P += rho (Pi_radius(p + sigma grad u_bar) - p) on one row."""
    width = px.size
    # Values that decay geometrically end as denormals, on which the processor is many times slower.
    flush = np.float32(1e-18)
    for j in range(width - 1):
        qx = px[j] + sigma * sx * (u_bar[j + 1] - u_bar[j])
        qy = py[j] + sigma * sy * (u_bar_down[j] - u_bar[j])
        r = radius[j]
        if isotropic:
            scale = r / max(max(np.sqrt(qx * qx + qy * qy), r), np.float32(1e-30))
            qx *= scale
            qy *= scale
        else:
            qx = min(max(qx, -r), r)
            qy = min(max(qy, -r), r)
        qx = px[j] + rho * (qx - px[j])
        qy = py[j] + rho * (qy - py[j])
        px[j] = qx if abs(qx) > flush else np.float32(0)
        py[j] = qy if abs(qy) > flush else np.float32(0)
    j = width - 1
    qy = py[j] + sigma * sy * (u_bar_down[j] - u_bar[j])
    qy = min(max(qy, -radius[j]), radius[j])
    qy = py[j] + rho * (qy - py[j])
    py[j] = qy if abs(qy) > flush else np.float32(0)


@_inlined
def _row(main, top, bottom, i, first, last):
    """Row i of a band: its own, or a private copy of a neighbour's."""
    if i < first:
        return top[i - first + top.shape[0]]
    if i >= last:
        return bottom[i - last]
    return main[i]


@_compiled
def _band(
    u,
    p,
    top,
    bottom,
    cost,
    radius,
    lower,
    upper,
    first,
    last,
    n,
    tau,
    shrink,
    sigma,
    rho,
    final,
    sx,
    sy,
    isotropic,
    simplex,
):
    """`n` iterations on rows first..last-1 of u (L, H, W) and p (2, L, H, W).

    `top` and `bottom` are (3, L, n, W): copies of u, p[0], p[1] above and below the band. `final` is the last
    iteration's rho. Rows of a broadcast array (height 1) are all its row 0.
    """
    labels, height, width = u.shape
    u_bar = np.empty((n, 2, labels, width), np.float32)
    v = np.empty((labels, width), np.float32)
    theta = np.empty(width, np.float32)
    free = np.empty(width, np.float32)
    zeros = np.zeros(width, np.float32)
    start = max(0, first - n + 1)
    for front in range(start, min(height, last + n - 1) + n):
        for k in range(n):
            i = front - k
            begin = max(0, first - (n - 1 - k))
            end = min(height, last + (n - 1 - k))
            if i < begin or i >= end:
                continue
            r = final if k == n - 1 else rho
            for row in range(i if i == begin else i + 1, min(i + 2, height)):
                for k_label in range(labels):
                    py_up = zeros
                    if row > 0:
                        py_up = _row(p[0, k_label], top[1, k_label], bottom[1, k_label], row - 1, first, last)
                    _descend_row(
                        v[k_label],
                        _row(u[k_label], top[0, k_label], bottom[0, k_label], row, first, last),
                        _row(p[1, k_label], top[2, k_label], bottom[2, k_label], row, first, last),
                        _row(p[0, k_label], top[1, k_label], bottom[1, k_label], row, first, last),
                        py_up,
                        cost[k_label, row % cost.shape[1]],
                        tau, shrink, sx, sy,
                    )  # fmt: skip
                if simplex:
                    _simplex_row(v, lower[:, row % lower.shape[1]], theta, free)
                else:
                    for k_label in range(labels):
                        _box_row(v[k_label], lower[k_label, row % lower.shape[1]], upper[k_label, row % upper.shape[1]])
                for k_label in range(labels):
                    u_row = _row(u[k_label], top[0, k_label], bottom[0, k_label], row, first, last)
                    _relax_row(u_row, v[k_label], u_bar[k, row % 2, k_label], r)
            below = min(i + 1, height - 1)
            for k_label in range(labels):
                _dual_row(
                    _row(p[1, k_label], top[2, k_label], bottom[2, k_label], i, first, last),
                    _row(p[0, k_label], top[1, k_label], bottom[1, k_label], i, first, last),
                    u_bar[k, i % 2, k_label],
                    u_bar[k, below % 2, k_label],
                    radius[i % radius.shape[0]],
                    sigma, r, sx, sy, isotropic,
                )  # fmt: skip


@_compiled
def _primal_band(u, cost, radius, first, last, pull, sx, sy, isotropic):
    """Energy of rows first..last-1, in float64."""
    labels, height, _ = u.shape
    total = 0.0
    for i in range(first, last):
        for k in range(labels):
            total += _primal_row(
                u[k, i], u[k, min(i + 1, height - 1)], cost[k, i % cost.shape[1]], radius[i % radius.shape[0]],
                pull, sx, sy, isotropic,
            )  # fmt: skip
    return total


@_compiled
def _dual_band(p, cost, lower, upper, first, last, pull, sx, sy, simplex):
    """Dual value of rows first..last-1, in float64."""
    _, labels, _, width = p.shape
    slope = np.empty((labels, width), np.float64)
    zeros = np.zeros(width, np.float32)
    total = 0.0
    for i in range(first, last):
        for k in range(labels):
            py_up = p[0, k, i - 1] if i > 0 else zeros
            _slope_row(slope[k], p[1, k, i], p[0, k, i], py_up, cost[k, i % cost.shape[1]], sx, sy)
        if simplex:
            total += _simplex_dual_row(slope, lower[:, i % lower.shape[1]])
        else:
            for k in range(labels):
                total += _box_dual_row(slope[k], lower[k, i % lower.shape[1]], upper[k, i % upper.shape[1]], pull)
    return total


@_compiled
def _primal_row(u, u_down, cost, radius, pull, sx, sy, isotropic):
    total = 0.0
    last = u.size - 1
    for j in range(u.size):
        here = np.float64(u[j])
        gx = (np.float64(u[min(j + 1, last)]) - here) * sx
        gy = (np.float64(u_down[j]) - here) * sy
        norm = np.sqrt(gx * gx + gy * gy) if isotropic else abs(gx) + abs(gy)
        total += here * (cost[j] + 0.5 * pull * here) + radius[j] * norm
    return total


@_compiled
def _slope_row(slope, px, py, py_up, cost, sx, sy):
    slope[0] = cost[0] - px[0] * sx - (np.float64(py[0]) - py_up[0]) * sy
    for j in range(1, slope.size):
        slope[j] = cost[j] - (np.float64(px[j]) - px[j - 1]) * sx - (np.float64(py[j]) - py_up[j]) * sy


@_compiled
def _box_dual_row(slope, lower, upper, pull):
    total = 0.0
    for j in range(slope.size):
        s = slope[j]
        if pull > 0:
            best = min(max(-s / pull, np.float64(lower[j])), np.float64(upper[j]))
        else:
            best = np.float64(lower[j]) if s > 0 else np.float64(upper[j])
        total += best * (s + 0.5 * pull * best)
    return total


@_compiled
def _simplex_dual_row(slope, lower):
    total = 0.0
    labels, width = slope.shape
    for j in range(width):
        least = slope[0, j]
        free = 1.0
        for k in range(labels):
            least = min(least, slope[k, j])
            free -= lower[k, j]
            total += lower[k, j] * slope[k, j]
        total += free * least
    return total


class NumbaBackend(ArrayBackend):
    """Two-dimensional float32 problems in fused, threaded kernels; anything else as the specification has it."""

    name = "numba"

    def iterate(self, problem: LinearTV, u: Array, p: Array, *, n: int, tau: float, sigma: float, rho: float) -> None:
        """As in the specification, in blocks of `_DEPTH` iterations."""
        if not _fits(u, problem):
            super().iterate(problem, u, p, n=n, tau=tau, sigma=sigma, rho=rho)
            return
        f = np.float32
        cost, radius, lower, upper = _fields(problem, u)
        bands = _bands(u.shape[1])
        for done in range(0, n, _DEPTH):
            block = min(_DEPTH, n - done)
            final = 1.0 if done + block == n else rho
            calls = []
            for first, last in bands:
                calls.append(
                    (u, p, _halo(u, p, first - block, first, block), _halo(u, p, last, last + block, block),
                     cost, radius, lower, upper, first, last, block,
                     f(tau), f(1.0 / (1.0 + tau * problem.pull)), f(sigma), f(rho), f(final),
                     f(problem.steps[1]), f(problem.steps[0]), problem.isotropic, problem.simplex)
                )  # fmt: skip
            run(_band, calls)

    def primal_value(self, problem: LinearTV, u: Array) -> float:
        """As in the specification, in one pass."""
        if not _fits(u, problem):
            return super().primal_value(problem, u)
        cost, radius, _, _ = _fields(problem, u)
        sy, sx = problem.steps
        tail = (float(problem.pull), sx, sy, problem.isotropic)
        return sum(run(_primal_band, [(u, cost, radius, *band, *tail) for band in _bands(u.shape[1])]))

    def dual_value(self, problem: LinearTV, p: Array) -> float:
        """As in the specification, in one pass."""
        if not _fits(p[0], problem):
            return super().dual_value(problem, p)
        cost, _, lower, upper = _fields(problem, p[0])
        sy, sx = (_SAFE * step for step in problem.steps)
        tail = (float(problem.pull), sx, sy, problem.simplex)
        return sum(run(_dual_band, [(p, cost, lower, upper, *band, *tail) for band in _bands(p.shape[2])]))


def _fits(u: np.ndarray, problem: LinearTV) -> bool:
    return len(problem.steps) == 2 and u.dtype == np.float32


def _fields(problem: LinearTV, u: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cost, radius, lower and upper with full rows; those constant along the rows stay one row high."""
    labels, _, width = u.shape

    def rows(field: Any, *lead: int) -> np.ndarray:
        field = np.asarray(field, dtype=np.float32)
        field = field.reshape((1,) * (len(lead) + 2 - field.ndim) + field.shape)
        return np.ascontiguousarray(np.broadcast_to(field, (*lead, field.shape[-2], width)))

    return (
        rows(problem.cost, labels),
        rows(problem.radius),
        rows(problem.lower, labels),
        rows(problem.upper, labels),
    )


def _bands(height: int) -> list[tuple[int, int]]:
    count = max(1, min(n_threads(), height // _MIN_BAND))
    edges = [height * k // count for k in range(count + 1)]
    return list(pairwise(edges))


def _halo(u: np.ndarray, p: np.ndarray, begin: int, end: int, n: int) -> np.ndarray:
    """Copy of rows begin..end-1 of u and p, (3, L, n, W); rows outside the image are never read."""
    labels, height, width = u.shape
    halo = np.empty((3, labels, n, width), np.float32)
    rows = slice(max(begin, 0), min(end, height))
    if rows.start < rows.stop:
        there = slice(rows.start - begin, rows.stop - begin)
        halo[0, :, there] = u[:, rows]
        halo[1:, :, there] = p[:, :, rows]
    return halo
