"""The dual value, compiled, in float64 altogether: it is a bound. Arguments are as in `_numba_values.py`."""

from typing import Any

import numpy as np

from ._numba_kernels import TINY, at, compiled, row_function
from ._numba_rows import add_row, row


@row_function
def slope_row(
    slope: Any, c: Any, cost: Any, here: Any, p: Any, slow: Any, above: Any, fast: Any, inner: Any, d_slow: Any,
    d_fast: Any,
) -> None:  # fmt: skip
    """slope = cost - div p, of the slow flow, out of the row and of the row above, and the fast one.

    `inner` is 0 in the first slice.
    """
    div = d_slow * (np.float64(p[slow, 0]) - inner * np.float64(p[above, 0])) + d_fast * np.float64(p[fast, 0])
    slope[c, 0] = np.float64(cost[here, 0]) - div
    for j in range(1, slope.shape[1]):
        div = d_slow * (np.float64(p[slow, j]) - inner * np.float64(p[above, j]))
        div += d_fast * (np.float64(p[fast, j]) - np.float64(p[fast, j - 1]))
        slope[c, j] = np.float64(cost[here, j]) - div


@row_function
def bent_row(p: Any, here: Any, radius: Any, r: Any) -> Any:
    """Sum of |p|^2 / radius."""
    total = 0.0
    for j in range(p.shape[1]):
        total += np.float64(p[here, j]) * np.float64(p[here, j]) / np.float64(max(radius[r, j], TINY))
    return total


@row_function
def box_dual_row(slope: Any, c: Any, lower: Any, low: Any, upper: Any, high: Any, quadratic: Any) -> Any:
    """Sum of the least of slope v + quadratic/2 v^2 within the bounds."""
    total = 0.0
    if quadratic > 0:
        for j in range(slope.shape[1]):
            best = min(max(-slope[c, j] / quadratic, np.float64(lower[low, j])), np.float64(upper[high, j]))
            total += best * (slope[c, j] + 0.5 * quadratic * best)
    else:
        for j in range(slope.shape[1]):
            total += min(slope[c, j], 0.0) * np.float64(upper[high, j])
            total += max(slope[c, j], 0.0) * np.float64(lower[low, j])
    return total


@row_function
def target_dual_row(
    slope: Any, c: Any, target: Any, there: Any, lower: Any, low: Any, upper: Any, high: Any, quadratic: Any,
    l1_weight: Any,
) -> Any:  # fmt: skip
    """Sum over pixels of the least of slope v + quadratic/2 v^2 + l1_weight |v - target| within the bounds."""
    total = 0.0
    for j in range(slope.shape[1]):
        s, f = slope[c, j], np.float64(target[there, j])
        least, most = np.float64(lower[low, j]), np.float64(upper[high, j])
        a, b = least, most
        if quadratic > 0:
            a = min(max((-s - l1_weight) / quadratic, least), most)
            b = min(max((-s + l1_weight) / quadratic, least), most)
        v = min(max(f, least), most)
        best = v * (s + 0.5 * quadratic * v) + l1_weight * abs(v - f)
        best = min(best, a * (s + 0.5 * quadratic * a) + l1_weight * abs(a - f))
        total += min(best, b * (s + 0.5 * quadratic * b) + l1_weight * abs(b - f))
    return total


@row_function
def simplex_dual_row(slope: Any, lower: Any, low: Any, stride: Any, least: Any, free: Any) -> Any:
    """Sum of the least of slope v over the simplex above its lower bounds; label c's are in row low + c stride."""
    labels, width = slope.shape
    total = 0.0
    for j in range(width):
        least[j] = slope[0, j]
        free[j] = 1.0
    for c in range(labels):
        for j in range(width):
            bound = np.float64(lower[low + c * stride, j])
            least[j] = min(least[j], slope[c, j])
            free[j] -= bound
            total += bound * slope[c, j]
    for j in range(width):
        total += free[j] * least[j]
    return total


@compiled
def dual_block(
    sums: Any, p: Any, order: Any, counts: Any, fields: Any, shapes: Any, first: Any, last: Any, quadratic: Any,
    l1_weight: Any, huber: Any, steps: Any, offsets: Any, simplex: Any,
) -> None:  # fmt: skip
    """Dual value of each of the slices first..last-1, with p as it is where `steps` are shrunk by SAFE."""
    labels, slices, rows = counts
    cost, radius, lower, upper, target = fields
    width = p.shape[1]
    slope, least, free = np.empty((labels, width)), np.empty(width), np.empty(width)
    for i in range(first, last):
        inner = 1.0 if i > 0 else 0.0
        for y in range(rows):
            for c in range(labels):
                here, above = at((slices, rows), c, i, y), at((slices, rows), c, max(i - 1, 0), y)
                slow, fast = order[0] + here, order[1] + here
                slope_row(slope, c, cost, here, p, slow, order[0] + above, fast, inner, steps[0], steps[1])
                for e in range(2, len(offsets)):
                    dz, dy, dx = offsets[e]
                    add_row(row(slope, c, 0, width), row(p, order[e] + here, 0, width), -steps[e])
                    if i >= dz and y >= dy:
                        behind, x, z = order[e] + (above if dz > 0 else here - dy), max(dx, 0), width + min(dx, 0)
                        add_row(row(slope, c, x, z), row(p, behind, x - dx, z - dx), steps[e])
                if huber > 0:
                    bent = 0.0
                    for e in range(len(offsets)):
                        bent += bent_row(p, order[e] + here, radius, at(shapes[1], 0, i, y))
                    sums[i] -= 0.5 * huber * bent
            if simplex:
                low = at(shapes[2], 0, i, y)
                sums[i] += simplex_dual_row(slope, lower, low, shapes[2][0] * shapes[2][1], least, free)
                continue
            for c in range(labels):
                low, high, there = at(shapes[2], c, i, y), at(shapes[3], c, i, y), at(shapes[4], c, i, y)
                if l1_weight > 0:
                    sums[i] += target_dual_row(slope, c, target, there, lower, low, upper, high, quadratic, l1_weight)
                else:
                    sums[i] += box_dual_row(slope, c, lower, low, upper, high, quadratic)
