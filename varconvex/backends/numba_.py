"""The same iterations as `base.py`, fused and blocked in time, compiled by Numba for the CPU.

One iteration reads and writes u and p once, in place: with u_bar = 2 u_new - u of rows i and i + 1 in two small
buffers, the dual row i can be updated as soon as the primal row i + 1 is known. K iterations travel down the image
together, each one row behind the one before (a wavefront), so that memory is touched once for K iterations.

Each thread has a band of rows, and with it the K rows that K iterations need of either neighbour: they are iterated
along, one fewer an iteration, and fetched anew after K. So bands neither wait nor race, and the result is bitwise the
same for any number of threads.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from .._threads import n_threads, run
from ._numba_kernels import band, dual_band, primal_band
from .base import SAFE, Array, ArrayBackend, Problem

_DEPTH = 16
"""Iterations that travel together. More needs more cached rows and halo work, fewer more hand-overs to the threads."""

_MIN_BAND = 48
"""Rows a thread should have at least: below, the halo rows cost more than the thread gains."""


class NumbaBackend(ArrayBackend):
    """Two-dimensional float32 problems in fused, threaded kernels; anything else as the specification has it."""

    name = "numba"

    def iterate(
        self, problem: Problem, u: Array, p: Array, *, n: int, tau: float, sigma: float, rho: float, settle: bool,
        gamma: float = 0.0,
    ) -> None:  # fmt: skip
        """As in the specification, in blocks of `_DEPTH` iterations."""
        if gamma or not _fits(u, problem):
            super().iterate(problem, u, p, n=n, tau=tau, sigma=sigma, rho=rho, settle=settle, gamma=gamma)
            return
        f = np.float32
        sy, sx = problem.steps
        steps = (f(tau), f(1.0 / (1.0 + tau * problem.pull)), f(sigma), f(rho))
        kind = (f(sx), f(sy), problem.isotropic, problem.simplex)
        fields = _fields(problem, u)
        bands = _Bands(u, p)
        for done in range(0, n, _DEPTH):
            block = min(_DEPTH, n - done)
            ends = settle and done + block == n
            run(band, [(*part, *fields, *place, block, ends, *steps, *kind) for part, place in bands.parts()])
            bands.exchange()
        bands.finish()

    def _primal_sum(self, problem: Problem, u: Array) -> float:
        if not _fits(u, problem):
            return super()._primal_sum(problem, u)
        cost, radius, _, _ = _fields(problem, u)
        sy, sx = problem.steps
        return _add_rows(primal_band, u.shape[1], u, cost, radius, tail=(problem.pull, sx, sy, problem.isotropic))

    def _dual_sum(self, problem: Problem, p: Array) -> float:
        if not _fits(p[0], problem):
            return super()._dual_sum(problem, p)
        cost, _, lower, upper = _fields(problem, p[0])
        sy, sx = (SAFE * step for step in problem.steps)
        return _add_rows(dual_band, p.shape[2], p, cost, lower, upper, tail=(problem.pull, sx, sy, problem.simplex))


def _add_rows(kernel: Any, height: int, *arrays: np.ndarray, tail: tuple) -> float:
    """The kernel's sum of every row, added in an order that does not depend on the number of threads."""
    sums = np.zeros(height)
    run(kernel, [(sums, *arrays, *rows, *tail) for rows in _rows(height)])
    return float(sums.sum())


def _fits(u: np.ndarray, problem: Problem) -> bool:
    plain = problem.coupling == "separate" and not (problem.huber or problem.fidelity)
    return len(problem.steps) == 2 and u.dtype == np.float32 and plain and problem.offsets is None


def _fields(problem: Problem, u: np.ndarray) -> tuple[np.ndarray, ...]:
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


def _rows(height: int) -> list[tuple[int, int]]:
    count = max(1, min(n_threads(), height // _MIN_BAND))
    edges = [height * k // count for k in range(count + 1)]
    return list(pairwise(edges))


class _Bands:
    """u and p cut into bands of rows, one a thread, each in arrays of its own with the neighbours' nearest rows."""

    def __init__(self, u: np.ndarray, p: np.ndarray) -> None:
        self._whole = u, p
        self._places = []
        self._parts = []
        height = u.shape[1]
        for first, last in _rows(height):
            above, below = min(first, _DEPTH), min(height - last, _DEPTH)
            rows = slice(first - above, last + below)
            self._places.append((first - above, above, below))
            alone = rows == slice(0, height)
            self._parts.append((u, p) if alone else (u[:, rows].copy(), p[:, :, rows].copy()))

    def parts(self) -> list[tuple[tuple[np.ndarray, np.ndarray], tuple[int, int, int]]]:
        """(u, p) of each band, and its first row's number with how many rows above and below are the neighbours'."""
        return list(zip(self._parts, self._places, strict=True))

    def exchange(self) -> None:
        """Fetch the neighbours' rows anew."""
        for (upper, place_upper), (lower, place_lower) in pairwise(self.parts()):
            halo = place_lower[1]
            for a, b in zip(upper, lower, strict=True):
                end = a.shape[-2] - place_upper[2]
                b[..., :halo, :] = a[..., end - halo : end, :]
                a[..., end:, :] = b[..., halo : halo + place_upper[2], :]

    def finish(self) -> None:
        """Write the bands' own rows back."""
        for part, (offset, above, below) in self.parts():
            for whole, own in zip(self._whole, part, strict=True):
                end = own.shape[-2] - below
                if own is not whole:
                    whole[..., offset + above : offset + end, :] = own[..., above:end, :]
