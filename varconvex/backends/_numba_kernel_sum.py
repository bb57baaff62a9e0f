"""The mean kernel in the log domain, compiled by Numba; `log_kernel_mean` in `base.py` is its specification.

    log 1/m sum_j exp(-w(x) |x - x_j|^2 - |c(x) - c_j|^2)

Seeds are taken in blocks that stay in the first-level cache, with the largest exponent so far factored out (a
streaming log-sum-exp), so nothing underflows and memory does not grow. Differences are formed before they are
squared: the expanded form |x|^2 - 2 x.x_j + |x_j|^2 would be a faster matrix product, but loses in float32
what small widths need.
"""

import math

import numba
import numpy as np

from ..threads import run
from ._numba_kernels import compiled

_BLOCK = 256
"""Seeds at a time: their exponents and features fit into 32 kB with room to spare."""

_LANES = 16
"""Running minima side by side: one alone waits for itself at each step and does not vectorise."""

_NEGLIGIBLE = np.float32(20.0)
"""Nats below the largest term from where on a whole block is left out: it would add at most 2e-9 a seed."""

_PIXELS = 8192
"""Pixels a thread takes at a time: enough to hide the hand-over, few enough to share out evenly."""

_inlined = numba.njit(inline="always", error_model="numpy", fastmath=True)


@_inlined
def _exp(x):
    """exp(x) for x <= 0 by 2^n 2^f with 2^f a polynomial, to 3e-7: unlike math.exp, it vectorises."""
    t = max(x * np.float32(1.44269504), np.float32(-126.0))
    n = math.floor(t)
    f = np.float32(t - n)
    p = np.float32(1.8775767e-3)
    p = p * f + np.float32(8.9893397e-3)
    p = p * f + np.float32(5.5826318e-2)
    p = p * f + np.float32(2.4015361e-1)
    p = p * f + np.float32(6.9315308e-1)
    p = p * f + np.float32(9.9999994e-1)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23))
    return p * power.view(np.float32)


@compiled
def _add_square(e, seeds, value, weight):
    for j in range(e.size):
        difference = seeds[j] - value
        e[j] += weight * difference * difference


@compiled
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


@compiled
def _sum_exp(e, low):
    total = np.float32(0)
    for j in range(e.size):
        total += _exp(low - e[j])
    return total


@compiled
def _fill(out, points, weight, seeds, axes):
    features, m = seeds.shape
    block = np.empty(_BLOCK, np.float32)
    lanes = np.empty(_LANES, np.float32)
    one = np.float32(1)
    for x in range(out.size):
        best = np.float32(np.inf)
        total = np.float32(0)
        for start in range(0, m, _BLOCK):
            stop = min(start + _BLOCK, m)
            e = block[: stop - start]
            e[:] = np.float32(0)
            for k in range(features):
                _add_square(e, seeds[k, start:stop], points[x, k], weight[x] if k < axes else one)
            low = _lowest(e, lanes)
            if start == 0:
                best = low
            elif low < best:
                total *= np.float32(math.exp(low - best))
                best = low
            if low - best < _NEGLIGIBLE:
                total += _sum_exp(e, best)
        out[x] = math.log(total) - best - math.log(m)


def log_kernel_mean(points: np.ndarray, weight: np.ndarray, seeds: np.ndarray, axes: int) -> np.ndarray:
    """Log of the mean kernel over the seeds, at each point; everything float32 and C-contiguous."""
    out = np.empty(len(points), np.float32)
    parts = [slice(start, start + _PIXELS) for start in range(0, len(points), _PIXELS)]
    run(_fill, [(out[part], points[part], weight[part], seeds, axes) for part in parts])
    return out
