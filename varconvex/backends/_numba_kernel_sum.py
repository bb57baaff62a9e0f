"""The mean kernel in the log domain, compiled by Numba; `log_kernel_mean` in `base.py` is its specification.

    log 1/m sum_j exp(-w(x) |x - x_j|^2 - |c(x) - c_j|^2)

About the centre (y, d) of a run of neighbouring pixels, each exponent is linear in a few numbers of the pixel:

    -w |x - x_j|^2 - |c - c_j|^2 = -w |y - x_j|^2 + 2 w (x - y).(x_j - y) + 2 (c - d).(c_j - d) - |d - c_j|^2
                                   - w |x - y|^2 - |c - d|^2

so that a term of the sum is a short product and an exponential. It is exact to rounding where the run's pixels are near
its centre, by their kernels' widths, and where the nearest seed is not so far that all terms underflow; elsewhere the
differences are squared, in blocks of seeds, with the largest exponent so far factored out (a streaming log-sum-exp).
"""

import math

import numba
import numpy as np

from ..threads import run
from ._numba_kernels import compiled, copy_row, inlined

_RUN = 64
"""Pixels with one centre: its rows of features of the seeds cost as much as one pixel's sum."""

_ROWS = 6
"""Rows of features in the fast sum: as many as positions, weights and colours of an image have."""

_NEAR = np.float32(200.0)
"""Largest exponent from the centre, in nats: beyond, rounding of the products would be noticed."""

_LEAST = np.float32(1e-30)
"""Sum of terms below which underflow may have taken some."""

_BLOCK = 256
"""Seeds at a time in the streaming sum: their exponents and features fit into 32 kB with room to spare."""

_LANES = 16
"""Running minima side by side: one alone waits for itself at each step and does not vectorise."""

_NEGLIGIBLE = np.float32(20.0)
"""Nats below the largest term from where on a whole block is left out: it would add at most 2e-9 a seed."""

_PIXELS = 4096
"""Pixels a thread takes at a time: enough to hide the hand-over, few enough to share out evenly."""

_LOG2_E = np.float32(1.44269504)

_inlined = numba.njit(inline="always", error_model="numpy", fastmath=True)


@_inlined
def _exp2(t):
    """2^t for t <= 0 by 2^n 2^f with 2^f a polynomial, to 1e-7: unlike math.exp, it vectorises."""
    t = max(t, np.float32(-126.0))
    n = np.int32(t - np.float32(0.5))  # the nearest integer; a call of floor would convert to 64 bits
    f = t - np.float32(n)
    p = np.float32(1.3266975e-3)
    p = p * f + np.float32(9.6754646e-3)
    p = p * f + np.float32(5.5507425e-2)
    p = p * f + np.float32(2.4022122e-1)
    p = p * f + np.float32(6.9314694e-1)
    p = p * f + np.float32(1.0000001)
    power = np.int32((n + np.int32(127)) << np.int32(23))
    return p * power.view(np.float32)


@inlined
def _add_square(e, seeds, value, weight):
    for j in range(e.size):
        difference = seeds[j] - value
        e[j] += weight * difference * difference


@inlined
def _lowest(e, lanes):
    lanes[:] = e[0]
    whole = e.size // _LANES * _LANES
    for j in range(0, whole, _LANES):
        for lane in range(_LANES):
            lanes[lane] = e[j + lane] if e[j + lane] < lanes[lane] else lanes[lane]
    low = lanes[0]
    for lane in range(_LANES):
        low = min(low, lanes[lane])
    for j in range(whole, e.size):
        low = min(low, e[j])
    return low


@inlined
def _sum_exp(e, low):
    total = np.float32(0)
    for j in range(e.size):
        total += _exp2(_LOG2_E * (low - e[j]))
    return total


@inlined
def _by_differences(point, weight, seeds, mine, axes, block, lanes):
    """The log of the mean kernel over the seeds from mine[0] to mine[1], at one point."""
    features, m = len(seeds), mine[1] - mine[0]
    best = np.float32(np.inf)
    total = np.float32(0)
    for start in range(0, m, _BLOCK):
        stop = min(start + _BLOCK, m)
        e = block[: stop - start]
        e[:] = np.float32(0)
        for k in range(features):
            _add_square(e, seeds[k, mine[0] + start : mine[0] + stop], point[k], weight if k < axes else np.float32(1))
        low = _lowest(e, lanes)
        if start == 0:
            best = low
        elif low < best:
            total *= np.float32(math.exp(low - best))
            best = low
        if low - best < _NEGLIGIBLE:
            total += _sum_exp(e, best)
    return np.float32(math.log(total)) - best - np.float32(math.log(m))


@inlined
def _place(rows, base, seeds, mine, centre, axes):
    """Features of the seeds from mine[0] to mine[1] about a centre, into these columns of `rows` and of `base`.

    Rows are -|x_j - y|^2, x_j - y and c_j - d, and the base -|c_j - d|^2; squares are for powers of two.
    """
    first, last = mine
    rows[0, first:last] = np.float32(0)
    base[first:last] = np.float32(0)
    for k in range(len(seeds)):
        squares = rows[0, first:last] if k < axes else base[first:last]
        _place_one(rows[k + 1, first:last], squares, seeds[k, first:last], centre[k])


@inlined
def _place_one(row, squares, seeds, centre):
    for j in range(row.size):
        difference = seeds[j] - centre
        row[j] = difference
        squares[j] -= _LOG2_E * difference * difference


@inlined
def _add(block, row, factor):
    for j in range(block.size):
        block[j] += factor * row[j]


@inlined
def _sum_products(constant, base, r0, r1, r2, r3, r4, r5, t):
    """The sum over j of 2^(constant + base_j + sum_k t_k r_kj)."""
    t0, t1, t2, t3, t4, t5 = t[0], t[1], t[2], t[3], t[4], t[5]
    total = np.float32(0)
    for j in range(base.size):
        total += _exp2(constant + base[j] + t0 * r0[j] + t1 * r1[j] + t2 * r2[j] + t3 * r3[j] + t4 * r4[j] + t5 * r5[j])
    return total


@inlined
def _log_means(out, points, weight, seeds, mine, axes, centre, rows, base, scratch):
    """The log of the mean kernel at a few points around `centre`, about which these seeds are placed."""
    sums, block, lanes, t = scratch
    features, first, last = len(seeds), mine[0], mine[1]
    m = last - first
    r0, r1, r2 = rows[0, first:last], rows[1, first:last], rows[2, first:last]
    r3, r4, r5 = rows[3, first:last], rows[4, first:last], rows[5, first:last]
    squares, log_m = base[first:last], np.float32(math.log(m))
    for x in range(out.size):
        t[0] = weight[x]
        away = np.float32(0)
        for k in range(features):
            difference = points[x, k] - centre[k]
            slope = weight[x] * difference if k < axes else difference
            away += slope * difference
            t[k + 1] = np.float32(2) * _LOG2_E * slope
        total = np.float32(0)
        if away < _NEAR:
            linear = squares
            if features >= _ROWS:
                copy_row(sums[:m], squares)
                for k in range(_ROWS, features + 1):
                    _add(sums[:m], rows[k, first:last], t[k])
                linear = sums[:m]
            total = _sum_products(-_LOG2_E * away, linear, r0, r1, r2, r3, r4, r5, t)
        if total > _LEAST:
            out[x] = np.float32(math.log(total)) - log_m
        else:
            out[x] = _by_differences(points[x], weight[x], seeds, mine, axes, block, lanes)


@inlined
def _scratch(features, m):
    count = max(features + 1, _ROWS)
    sums, block, lanes = np.empty(m, np.float32), np.empty(_BLOCK, np.float32), np.empty(_LANES, np.float32)
    return sums, block, lanes, np.zeros(count, np.float32)


@compiled
def _fill(out, points, weight, seeds, axes):
    features, m = seeds.shape
    rows, base = np.zeros((max(features + 1, _ROWS), m), np.float32), np.empty(m, np.float32)
    scratch, centre, mine = _scratch(features, m), np.empty(features, np.float32), (0, m)
    for start in range(0, out.size, _RUN):
        stop = min(start + _RUN, out.size)
        for k in range(features):
            centre[k] = points[start:stop, k].mean()
        span = slice(start, stop)
        _place(rows, base, seeds, mine, centre, axes)
        _log_means(out[span], points[span], weight[span], seeds, mine, axes, centre, rows, base, scratch)


def log_kernel_mean(points: np.ndarray, weight: np.ndarray, seeds: np.ndarray, axes: int) -> np.ndarray:
    """Log of the mean kernel over the seeds, at each point; everything float32 and C-contiguous."""
    out = np.empty(len(points), np.float32)
    parts = [slice(start, start + _PIXELS) for start in range(0, len(points), _PIXELS)]
    run(_fill, [(out[part], points[part], weight[part], seeds, axes) for part in parts])
    return out
