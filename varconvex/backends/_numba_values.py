"""Primal value and the best threshold, compiled; `_numba_dual.py` has the dual value.

Arrays are as in `_numba_kernels.py`, `fields` and `shapes` as in `_numba_wavefront.py`. Values are summed in float64, a
number per slice, so that the total does not depend on how slices are shared out among threads.
"""

from typing import Any

import numpy as np

from ._numba_coupled import PAIRWISE, SEPARATE
from ._numba_kernels import ONE, ZERO, at, compiled, inlined, row_function
from ._numba_rows import fill_row, row


@row_function
def difference_row(g: Any, here: Any, to: Any, step: Any, one: Any) -> None:
    """g = step (to - here), in the type of `one`."""
    for j in range(g.size):
        g[j] = step * (one * to[j] - one * here[j])


@inlined
def differences(g: Any, m: Any, u: Any, rows: Any, label: Any, offset: Any, step: Any, one: Any) -> None:
    """Row m of g = differences along one direction, 0 where there is no neighbour; `rows` are as of `variation`."""
    (here, beside, below), (dz, dy, dx), width = rows, offset, u.shape[1]
    to = below if dz > 0 else beside if dy > 0 else here
    x, z = 1 if dx < 0 else 0, width - (1 if dx > 0 else 0)
    g[m, 0], g[m, width - 1] = one - one, one - one
    if to < 0:
        fill_row(row(g, m, 0, width), one - one)
    else:
        start, end = row(u, here + label, x, z), row(u, to + label, x + dx, z + dx)
        difference_row(row(g, m, x, z), start, end, step, one)


@row_function
def add_square_row(total: Any, g: Any) -> None:
    """total += g^2."""
    for j in range(g.size):
        total[j] += g[j] * g[j]


@row_function
def charge_row(t: Any, radius: Any, r: Any, huber: Any, truncated: Any, squared: Any, one: Any) -> Any:
    """Sum of radius h(|t|), where t may come squared."""
    total = one - one
    half = one / (one + one)
    for j in range(t.size):
        length = np.sqrt(t[j]) if squared else abs(t[j])
        if truncated:
            length = min(half * (t[j] if squared else t[j] * t[j]) / huber, one)
        elif huber > 0:
            length = length - half * huber if length > huber else half * length * length / huber
        total += one * radius[r, j] * length
    return total


@row_function
def length_row(u: Any, here: Any, below: Any, radius: Any, r: Any, d_slow: Any, d_fast: Any, one: Any) -> Any:
    """Sum of radius |grad u| on one row of an image; the last row is its own `below`.

    Each length is computed in float32, which is off by 1e-7 of itself at most; their sum in the type of `one`.
    """
    last = u.shape[1] - 1
    total = one - one
    for j in range(last):
        slow = d_slow * (u[below, j] - u[here, j])
        fast = d_fast * (u[here, j + 1] - u[here, j])
        total += one * (radius[r, j] * np.sqrt(slow * slow + fast * fast))
    return total + one * (radius[r, last] * abs(d_slow * (u[below, last] - u[here, last])))


@row_function
def data_row(u: Any, here: Any, cost: Any, there: Any, quadratic: Any, one: Any) -> Any:
    """Sum of cost u + quadratic/2 u^2."""
    total = one - one
    half = one / (one + one)
    for j in range(u.shape[1]):
        value = one * u[here, j]
        total += value * (one * cost[there, j] + half * quadratic * value)
    return total


@row_function
def distance_row(u: Any, here: Any, target: Any, there: Any) -> Any:
    """Sum of |u - target|."""
    total = 0.0
    for j in range(u.shape[1]):
        total += abs(np.float64(u[here, j]) - np.float64(target[there, j]))
    return total


@inlined
def variation(
    u: Any, rows: Any, stride: Any, labels: Any, g: Any, radius: Any, r: Any, huber: Any, steps: Any,
    offsets: Any, isotropic: Any, truncated: Any, short: Any, one: Any,
) -> Any:  # fmt: skip
    """Sum of radius h(|grad u|) on one row of `labels` that are one vector, `stride` rows apart.

    With `short` lengths may be computed in float32. `rows` are the first label's row, the next row and the next
    slice's, -1 if there is none.
    """
    here, _, below = rows
    if short and isotropic and len(offsets) == 2 and huber == 0 and labels == 1:
        d_slow, d_fast = np.float32(steps[0]), np.float32(steps[1])
        return length_row(u, here, below if below >= 0 else here, radius, r, d_slow, d_fast, one)
    total, squares, part = one - one, row(g, 1, 0, u.shape[1]), row(g, 0, 0, u.shape[1])
    fill_row(squares, total)
    for e in range(len(offsets)):
        for c in range(labels):
            differences(g, 0, u, rows, c * stride, offsets[e], steps[e], one)
            if isotropic or labels > 1:
                add_square_row(squares, part)
        if not isotropic and labels > 1:
            total += charge_row(squares, radius, r, huber, truncated, True, one)
            fill_row(squares, one - one)
        elif not isotropic:
            total += charge_row(part, radius, r, huber, truncated, False, one)
    return total + charge_row(squares, radius, r, huber, truncated, True, one) if isotropic else total


@row_function
def pairwise_row(g: Any, labels: Any, number: Any, radius: Any, r: Any) -> Any:
    """Sum of radius times the length of `pairs.pairwise_length`, isotropic; g : (directions labels, width)."""
    total = 0.0
    for j in range(g.shape[1]):
        # The three longest gradients, the first of them as what the next two leave.
        second, third, rest = 0.0, 0.0, 0.0
        one, two, three = -1, -1, -1
        lengths = 0.0
        first = -1.0
        for c in range(labels):
            square = 0.0
            for e in range(number):
                square += g[e * labels + c, j] * g[e * labels + c, j]
            t = np.sqrt(square)
            lengths += t
            if t > first:
                first, second, third = t, first, second
                one, two, three = c, one, two
            elif t > second:
                second, third = t, second
                two, three = c, two
            elif t > third:
                third, three = t, c
        if labels < 3:
            total += np.float64(radius[r, j]) * 0.5 * lengths
            continue
        square = 0.0
        for e in range(number):
            both = g[e * labels + two, j] + g[e * labels + three, j]
            square += both * both
        rest = lengths - first - second - third
        first = np.sqrt(square)
        half = 0.5 * (first + second + third)
        area = np.sqrt(max(half * (half - first) * (half - second) * (half - third), 0.0))
        squares = first * first + second * second + third * third
        longest = max(first, max(second, third))
        short = first + second + third - longest
        if 3 * longest * longest < squares + short * short:
            short = np.sqrt(0.5 * squares + 2 * np.sqrt(3.0) * area)
        total += np.float64(radius[r, j]) * (short + rest)
    return total


@compiled
def primal_block(
    sums: Any, u: Any, counts: Any, fields: Any, shapes: Any, first: Any, last: Any, quadratic: Any, l1_weight: Any,
    huber: Any, steps: Any, offsets: Any, isotropic: Any, coupling: Any, truncated: Any,
) -> None:  # fmt: skip
    """Energy of each of the slices first..last-1."""
    labels, slices, rows = counts
    cost, radius, _, _, target = fields
    one, stride, number = np.float64(1), slices * rows, len(offsets)
    g = np.empty((number * labels if coupling == PAIRWISE else 2, u.shape[1]))
    together = 1 if coupling == SEPARATE else labels
    for i in range(first, last):
        for y in range(rows):
            r = at(shapes[1], 0, i, y)
            for first_c in range(0, labels, together):
                for c in range(first_c, first_c + together):
                    here = at((slices, rows), c, i, y)
                    sums[i] += data_row(u, here, cost, here, quadratic, one)
                    if l1_weight > 0:
                        sums[i] += l1_weight * distance_row(u, here, target, at(shapes[4], c, i, y))
                here = at((slices, rows), first_c, i, y)
                places = here, here + 1 if y + 1 < rows else -1, here + rows if i + 1 < slices else -1
                if coupling == PAIRWISE:
                    for m in range(number * labels):
                        e = m // labels
                        differences(g, m, u, places, m % labels * stride, offsets[e], steps[e], one)
                    sums[i] += pairwise_row(g, labels, number, radius, r)
                else:
                    sums[i] += variation(
                        u, places, stride, together, g, radius, r, huber, steps, offsets, isotropic, truncated,
                        l1_weight == 0, one,
                    )  # fmt: skip


@compiled
def threshold_block(
    sums: Any, u: Any, shape: Any, fields: Any, shapes: Any, first: Any, last: Any, thresholds: Any, quadratic: Any,
    l1_weight: Any, huber: Any, steps: Any, offsets: Any, isotropic: Any, coupling: Any, truncated: Any,
) -> None:  # fmt: skip
    """Energy of Pi_C(u > threshold), a column of `sums` each, of the slices first..last-1; one label.

    In float32, which is enough to compare: differences of masks are whole numbers.
    """
    slices, rows = shape
    cost, radius, lower, upper, _ = fields
    cut, g = np.empty((2 * rows, u.shape[1]), np.float32), np.empty((2, u.shape[1]), np.float32)
    for t in range(thresholds.size):
        cut_slice(cut, (2, rows), first % 2, u, shape, first, lower, upper, shapes, thresholds[t])
        for i in range(first, last):
            if i + 1 < slices:
                cut_slice(cut, (2, rows), (i + 1) % 2, u, shape, i + 1, lower, upper, shapes, thresholds[t])
            for y in range(rows):
                here, r = (i % 2) * rows + y, at(shapes[1], 0, i, y)
                below = ((i + 1) % 2) * rows + y if i + 1 < slices else -1
                places = here, here + 1 if y + 1 < rows else -1, below
                sums[i, t] += data_row(cut, here, cost, at(shape, 0, i, y), quadratic, ONE)
                sums[i, t] += variation(
                    cut, places, 0, 1, g, radius, r, huber, steps, offsets, isotropic, truncated, True, ONE
                )


@inlined
def cut_slice(
    out: Any, out_shape: Any, k: Any, u: Any, shape: Any, i: Any, lower: Any, upper: Any, shapes: Any, threshold: Any
) -> None:
    """Slice k of `out` = Pi_C(u > threshold) of slice i."""
    for y in range(shape[1]):
        low, high = at(shapes[2], 0, i, y), at(shapes[3], 0, i, y)
        cut_row(out, at(out_shape, 0, k, y), u, at(shape, 0, i, y), lower, low, upper, high, threshold)


@row_function
def cut_row(out: Any, k: Any, u: Any, here: Any, lower: Any, low: Any, upper: Any, high: Any, threshold: Any) -> None:
    """out = Pi_C(u > threshold)."""
    for j in range(out.shape[1]):
        out[k, j] = min(max(ONE if u[here, j] > threshold else ZERO, lower[low, j]), upper[high, j])


@compiled
def cut_block(out: Any, u: Any, shape: Any, fields: Any, shapes: Any, first: Any, last: Any, threshold: Any) -> None:
    """out = Pi_C(u > threshold) on slices first..last-1."""
    _, _, lower, upper, _ = fields
    for i in range(first, last):
        cut_slice(out, shape, i, u, shape, i, lower, upper, shapes, threshold)
