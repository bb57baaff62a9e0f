"""Primal value, dual value and the best threshold, compiled.

Arrays are as in `_numba_kernels.py`, `fields` and `shapes` as in `_numba_wavefront.py`. Values are summed in float64, a
number per slice, so that the total does not depend on how slices are shared out among threads. The dual value, which
is a bound, is computed in float64 altogether.
"""

import numpy as np

from ._numba_coupled import PAIRWISE, SEPARATE
from ._numba_kernels import ONE, TINY, ZERO, add_row, at, compiled, fill_row, inlined, row, row_function


@row_function
def difference_row(g, here, to, step, one):
    """g = step (to - here), in the type of `one`."""
    for j in range(g.size):
        g[j] = step * (one * to[j] - one * here[j])


@inlined
def differences(g, m, u, rows, label, offset, step, one):
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
def add_square_row(total, g):
    """total += g^2."""
    for j in range(g.size):
        total[j] += g[j] * g[j]


@row_function
def charge_row(t, radius, r, huber, truncated, squared, one):
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
def length_row(u, here, below, radius, r, d_slow, d_fast, one):
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
def data_row(u, here, cost, there, quadratic, one):
    """Sum of cost u + quadratic/2 u^2."""
    total = one - one
    half = one / (one + one)
    for j in range(u.shape[1]):
        value = one * u[here, j]
        total += value * (one * cost[there, j] + half * quadratic * value)
    return total


@row_function
def distance_row(u, here, target, there):
    """Sum of |u - target|."""
    total = 0.0
    for j in range(u.shape[1]):
        total += abs(np.float64(u[here, j]) - np.float64(target[there, j]))
    return total


@inlined
def variation(u, rows, stride, labels, g, radius, r, huber, steps, offsets, isotropic, truncated, short, one):
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
def pairwise_row(g, labels, number, radius, r):
    """Sum of radius times the length of `pairs.pairwise_length`, isotropic; g : (directions labels, width)."""
    total = 0.0
    for j in range(g.shape[1]):
        # The three longest gradients, the first of them as what the next two leave.
        first, second, third, lengths = -1.0, 0.0, 0.0, 0.0
        one, two, three = -1, -1, -1
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
    sums, u, counts, fields, shapes, first, last, quadratic, l1_weight, huber, steps, offsets, isotropic, coupling,
    truncated,
):  # fmt: skip
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
    sums, u, shape, fields, shapes, first, last, thresholds, quadratic, l1_weight, huber, steps, offsets, isotropic,
    coupling, truncated,
):  # fmt: skip
    """Energy of Pi_C(u > threshold), a column of `sums` each, of the slices first..last-1; one label.

    In float32, which is enough to compare: differences of masks are whole numbers.
    """
    slices, rows = shape
    cost, radius, lower, upper, _ = fields
    cut, g = np.empty((2 * rows, u.shape[1]), np.float32), np.empty((2, u.shape[1]), np.float32)
    for t in range(thresholds.size):
        # The slice that is summed lies one above the slice that is cut.
        for below in range(first, last + 1):
            i = below - 1
            for y in range(rows if below < slices else 0):
                low, high = at(shapes[2], 0, below, y), at(shapes[3], 0, below, y)
                cut_row(cut, (below % 2) * rows + y, u, below * rows + y, lower, low, upper, high, thresholds[t])
            for y in range(rows if i >= first else 0):
                here, r = (i % 2) * rows + y, at(shapes[1], 0, i, y)
                under = (below % 2) * rows + y if below < slices else -1
                places = here, here + 1 if y + 1 < rows else -1, under
                sums[i, t] += data_row(cut, here, cost, at(shape, 0, i, y), quadratic, ONE)
                sums[i, t] += variation(
                    cut, places, 0, 1, g, radius, r, huber, steps, offsets, isotropic, truncated, True, ONE
                )


@row_function
def cut_row(out, k, u, here, lower, low, upper, high, threshold):
    """out = Pi_C(u > threshold)."""
    for j in range(out.shape[1]):
        out[k, j] = min(max(ONE if u[here, j] > threshold else ZERO, lower[low, j]), upper[high, j])


@compiled
def cut_block(out, u, shape, fields, shapes, first, last, threshold):
    """out = Pi_C(u > threshold) on slices first..last-1."""
    _, _, lower, upper, _ = fields
    for k in range(first * shape[1], last * shape[1]):
        i, y = k // shape[1], k % shape[1]
        low, high = at(shapes[2], 0, i, y), at(shapes[3], 0, i, y)
        cut_row(out, k, u, k, lower, low, upper, high, threshold)


@row_function
def slope_row(slope, c, cost, here, p, slow, above, fast, inner, d_slow, d_fast):
    """slope = cost - div p, of the slow flow, from the row and (unless `inner` is 0) that above, and the fast one."""
    div = d_slow * (np.float64(p[slow, 0]) - inner * np.float64(p[above, 0])) + d_fast * np.float64(p[fast, 0])
    slope[c, 0] = np.float64(cost[here, 0]) - div
    for j in range(1, slope.shape[1]):
        div = d_slow * (np.float64(p[slow, j]) - inner * np.float64(p[above, j]))
        div += d_fast * (np.float64(p[fast, j]) - np.float64(p[fast, j - 1]))
        slope[c, j] = np.float64(cost[here, j]) - div


@row_function
def bent_row(p, here, radius, r):
    """Sum of |p|^2 / radius."""
    total = 0.0
    for j in range(p.shape[1]):
        total += np.float64(p[here, j]) * np.float64(p[here, j]) / np.float64(max(radius[r, j], TINY))
    return total


@row_function
def box_dual_row(slope, c, lower, low, upper, high, quadratic):
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
def target_dual_row(slope, c, target, there, lower, low, upper, high, quadratic, l1_weight):
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
def simplex_dual_row(slope, lower, low, stride, least, free):
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
    sums, p, order, counts, fields, shapes, first, last, quadratic, l1_weight, huber, steps, offsets, simplex
):
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
