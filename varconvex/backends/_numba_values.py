"""Sums over a block, compiled: primal and dual value, masks by threshold, and the fields of coarser and finer grids.

Arrays are as in `_numba_kernels.py`. Values are summed in float64, a number per slab, so that the total does not depend
on how slabs are shared out among threads; all of a dual value, which is a bound, is computed in float64.
"""

import numpy as np

from ._numba_kernels import IMAGE, OCTAGONAL, ONE, TINY, VOLUME, ZERO, at, compiled, inlined, row_function


@row_function
def difference_row(g, u, here, to, shift, step, one):
    """Differences to the pixel in another row and `shift` to the right; 0 where there is none (`to` < 0)."""
    g[0] = one - one
    g[g.size - 1] = one - one
    if to < 0:
        for j in range(g.size):
            g[j] = one - one
    elif shift == 0:
        for j in range(g.size):
            g[j] = step * (one * u[to, j] - one * u[here, j])
    elif shift > 0:
        for j in range(g.size - 1):
            g[j] = step * (one * u[to, j + 1] - one * u[here, j])
    else:
        for j in range(1, g.size):
            g[j] = step * (one * u[to, j - 1] - one * u[here, j])


@row_function
def add_square_row(total, g):
    """total += g^2."""
    for j in range(g.size):
        total[j] += g[j] * g[j]


@row_function
def charge_row(t, radius, r, huber, squared, one):
    """Sum of radius h(|t|), where t may come squared."""
    total = one - one
    half = one / (one + one)
    for j in range(t.size):
        length = np.sqrt(t[j]) if squared else abs(t[j])
        if huber > 0:
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


@inlined
def variation(u, here, beside, below, g, squares, radius, r, huber, steps, directions, isotropic, one):
    """Sum of radius h(|grad u|) on one row; the next row and the next slab's are `beside` and `below`, or -1."""
    if isotropic and directions == IMAGE and huber == 0:
        d_slow, d_fast = np.float32(steps[0]), np.float32(steps[1])
        return length_row(u, here, below if below >= 0 else here, radius, r, d_slow, d_fast, one)
    total = one - one
    squares[:] = total
    for e in range(2 if directions == IMAGE else 3 if directions == VOLUME else 4):
        if e == 0:
            difference_row(g, u, here, below, 0, steps[0], one)
        elif e == 1:
            difference_row(g, u, here, here, 1, steps[1], one)
        elif directions == VOLUME:
            difference_row(g, u, here, beside, 0, steps[2], one)
        else:
            difference_row(g, u, here, below, 1 if e == 2 else -1, steps[e], one)
        if isotropic:
            add_square_row(squares, g)
        else:
            total += charge_row(g, radius, r, huber, False, one)
    return total + charge_row(squares, radius, r, huber, True, one) if isotropic else total


@compiled
def primal_block(
    sums, u, shape, cost, radius, shapes, labels, first, last, quadratic, huber, steps, directions, isotropic
):
    """Energy of each of the slabs first..last-1."""
    one = np.float64(1)
    g, squares = np.empty(u.shape[1]), np.empty(u.shape[1])
    slabs, rows = shape
    for i in range(first, last):
        for y in range(rows):
            for c in range(labels):
                here = at(shape, c, i, y)
                below = at(shape, c, i + 1, y) if i + 1 < slabs else -1
                r = at(shapes[1], 0, i, y)
                sums[i] += data_row(u, here, cost, here, quadratic, one)
                sums[i] += variation(
                    u, here, here + 1 if y + 1 < rows else -1, below, g, squares, radius, r, huber, steps, directions,
                    isotropic, one,
                )  # fmt: skip


@compiled
def threshold_block(
    sums, u, shape, cost, radius, lower, upper, shapes, first, last, thresholds, quadratic, huber, steps, directions,
    isotropic,
):  # fmt: skip
    """Energy of Pi_C(u > threshold), a column of `sums` each, of the slabs first..last-1; one label.

    In float32, which is enough to compare: differences of masks are whole numbers.
    """
    slabs, rows = shape
    width = u.shape[1]
    cut = np.empty((2 * rows, width), np.float32)
    g, squares = np.empty(width, np.float32), np.empty(width, np.float32)
    short = (np.float32(steps[0]), np.float32(steps[1]), np.float32(steps[2]), np.float32(steps[3]))
    weight, bend = np.float32(quadratic), np.float32(huber)
    for t in range(thresholds.size):
        cut_slab(cut, (2, rows), first % 2, u, shape, first, lower, upper, shapes, thresholds[t])
        for i in range(first, last):
            if i + 1 < slabs:
                cut_slab(cut, (2, rows), (i + 1) % 2, u, shape, i + 1, lower, upper, shapes, thresholds[t])
            for y in range(rows):
                here = (i % 2) * rows + y
                below = ((i + 1) % 2) * rows + y if i + 1 < slabs else -1
                r = at(shapes[1], 0, i, y)
                sums[i, t] += data_row(cut, here, cost, at(shape, 0, i, y), weight, ONE)
                sums[i, t] += variation(
                    cut, here, here + 1 if y + 1 < rows else -1, below, g, squares, radius, r, bend, short, directions,
                    isotropic, ONE,
                )  # fmt: skip


@inlined
def cut_slab(out, out_shape, k, u, shape, i, lower, upper, shapes, threshold):
    """Slab k of `out` = Pi_C(u > threshold) of slab i."""
    for y in range(shape[1]):
        low, high = at(shapes[2], 0, i, y), at(shapes[3], 0, i, y)
        cut_row(out, at(out_shape, 0, k, y), u, at(shape, 0, i, y), lower, low, upper, high, threshold)


@row_function
def cut_row(out, k, u, here, lower, low, upper, high, threshold):
    """One row of it."""
    for j in range(out.shape[1]):
        out[k, j] = min(max(ONE if u[here, j] > threshold else ZERO, lower[low, j]), upper[high, j])


@compiled
def cut_block(out, u, shape, lower, upper, shapes, first, last, threshold):
    """out = Pi_C(u > threshold) on slabs first..last-1."""
    for i in range(first, last):
        cut_slab(out, shape, i, u, shape, i, lower, upper, shapes, threshold)


@row_function
def slope_row(slope, c, cost, slow, fast, here, above, inner, d_slow, d_fast):
    """slope = cost - div p, of the slow and the fast flow; `inner` is 0 in the first slab."""
    div = d_slow * (np.float64(slow[here, 0]) - inner * np.float64(slow[above, 0])) + d_fast * np.float64(fast[here, 0])
    slope[c, 0] = np.float64(cost[here, 0]) - div
    for j in range(1, slope.shape[1]):
        div = d_slow * (np.float64(slow[here, j]) - inner * np.float64(slow[above, j]))
        div += d_fast * (np.float64(fast[here, j]) - np.float64(fast[here, j - 1]))
        slope[c, j] = np.float64(cost[here, j]) - div


@row_function
def add_slope_row(slope, c, p, here, behind, shift, step):
    """slope -= step (what flows out of the row - what flows in from behind)."""
    for j in range(slope.shape[1]):
        slope[c, j] -= step * np.float64(p[here, j])
    if behind >= 0:
        if shift == 0:
            for j in range(slope.shape[1]):
                slope[c, j] += step * np.float64(p[behind, j])
        elif shift > 0:
            for j in range(1, slope.shape[1]):
                slope[c, j] += step * np.float64(p[behind, j - 1])
        else:
            for j in range(slope.shape[1] - 1):
                slope[c, j] += step * np.float64(p[behind, j + 1])


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
    sums, slow, fast, third, fourth, shape, cost, radius, lower, upper, shapes, labels, first, last, quadratic, huber,
    steps, directions, simplex,
):  # fmt: skip
    """Dual value of each of the slabs first..last-1, with p as it is where `steps` are shrunk by SAFE."""
    rows = shape[1]
    slope = np.empty((labels, slow.shape[1]))
    least, free = np.empty(slow.shape[1]), np.empty(slow.shape[1])
    for i in range(first, last):
        inner = 1.0 if i > 0 else 0.0
        for y in range(rows):
            for c in range(labels):
                here, above = at(shape, c, i, y), at(shape, c, max(i - 1, 0), y)
                slope_row(slope, c, cost, slow, fast, here, above, inner, steps[0], steps[1])
                if directions == VOLUME:
                    add_slope_row(slope, c, third, here, here - 1 if y > 0 else -1, 0, steps[2])
                elif directions == OCTAGONAL:
                    add_slope_row(slope, c, third, here, above if i > 0 else -1, 1, steps[2])
                    add_slope_row(slope, c, fourth, here, above if i > 0 else -1, -1, steps[3])
                if huber > 0:
                    r = at(shapes[1], 0, i, y)
                    bent = bent_row(slow, here, radius, r) + bent_row(fast, here, radius, r)
                    if directions != IMAGE:
                        bent += bent_row(third, here, radius, r)
                    if directions == OCTAGONAL:
                        bent += bent_row(fourth, here, radius, r)
                    sums[i] -= 0.5 * huber * bent
            if simplex:
                low = at(shapes[2], 0, i, y)
                sums[i] += simplex_dual_row(slope, lower, low, shapes[2][0] * shapes[2][1], least, free)
            else:
                for c in range(labels):
                    low, high = at(shapes[2], c, i, y), at(shapes[3], c, i, y)
                    sums[i] += box_dual_row(slope, c, lower, low, upper, high, quadratic)


@compiled
def size_block(sums, array, first, last):
    """Sum of |array| of each of the rows first..last-1 of a matrix."""
    for i in range(first, last):
        total = 0.0
        for j in range(array.shape[1]):
            total += abs(np.float64(array[i, j]))
        sums[i] = total


@compiled
def round_block(sums, out, array, first, last, factor, offset):
    """out = factor (array - offset) in float32; and the sum of what rounding changed, a number per row of a matrix."""
    for i in range(first, last):
        total = 0.0
        for j in range(array.shape[1]):
            exact = factor * (np.float64(array[i, j]) - offset)
            out[i, j] = np.float32(exact)
            total += abs(np.float64(out[i, j]) - exact)
        sums[i] = total


@compiled
def halve_block(out, array, first, last):
    """Means over 2 x 2 pixels of an image (L, H, W), rows first..last-1 of `out`; an odd last one is alone."""
    labels, height, width = array.shape
    for c in range(labels):
        for i in range(first, last):
            halve_row(out, array, c, i, 2 * i, min(2 * i + 1, height - 1))
            if width % 2:
                ends = array[c, 2 * i, width - 1] + array[c, min(2 * i + 1, height - 1), width - 1]
                out[c, i, width // 2] = np.float32(0.5) * ends


@row_function
def halve_row(out, array, c, i, above, below):
    """One row of means, without an odd last column."""
    for j in range(array.shape[2] // 2):
        total = (array[c, above, 2 * j] + array[c, above, 2 * j + 1]) + (
            array[c, below, 2 * j] + array[c, below, 2 * j + 1]
        )
        out[c, i, j] = np.float32(0.25) * total


@compiled
def prolong_block(u_fine, p_fine, u, p, radius, lower, upper, first, last, isotropic, simplex):
    """Rows first..last-1 of `ArrayBackend.prolong` for an image's two or four directions."""
    parts, labels, height, width = p_fine.shape
    flows = np.empty((4, width), np.float32)
    for c in range(labels):
        for y in range(first, last):
            i = y // 2
            low, high = min(y, lower.shape[1] - 1), min(y, upper.shape[1] - 1)
            repeat_row(u_fine, u, lower, upper, c, y, i, low, high, simplex)
            for e in range(parts):
                down = e != 1
                behind = i - 1 if down and y % 2 == 0 else i
                share = ONE if behind >= 0 else ZERO
                shift = 0 if e == 0 else -1 if e == 3 else 1
                spread_row(flows[e], p[e, c], i, max(behind, 0), share, shift)
                if down and y == height - 1:
                    flows[e] = ZERO
                if shift > 0:
                    flows[e, width - 1] = ZERO
                elif shift < 0:
                    flows[e, 0] = ZERO
            r = min(y, radius.shape[0] - 1)
            if isotropic:
                short_row(p_fine[0, c], p_fine[1, c], y, flows, radius, r)
            else:
                for e in range(parts):
                    cut_flow_row(p_fine[e, c], y, flows, e, radius, r)


@row_function
def repeat_row(u_fine, u, lower, upper, c, y, i, low, high, simplex):
    """Each value twice, within its bounds."""
    for j in range(u_fine.shape[2]):
        value = u[c, i, j // 2]
        u_fine[c, y, j] = value if simplex else min(max(value, lower[c, low, j]), upper[c, high, j])


@row_function
def spread_row(out, p, i, behind, share, shift):
    """A coarse row's flow on a fine row: along its direction, halfway between two flows is their mean."""
    for j in range(out.size // 2):
        flow = p[i, j]
        out[2 * j] = flow + (share * p[behind, j] if shift <= 0 else ZERO)
        out[2 * j + 1] = flow + (share * p[behind, j] if shift >= 0 else ZERO)
    if shift > 0:
        for j in range(1, out.size // 2):
            out[2 * j] += share * p[behind, j - 1]
    elif shift < 0:
        for j in range(min(out.size // 2, p.shape[1] - 1)):
            out[2 * j + 1] += share * p[behind, j + 1]
    if out.size % 2:
        j = out.size // 2
        back = j if shift <= 0 else j - 1
        out[2 * j] = p[i, j] + (share * p[behind, back] if back >= 0 else ZERO)


@row_function
def short_row(slow, fast, y, flows, radius, at_radius):
    """(slow, fast) = Pi_radius of the flows of one row."""
    for j in range(flows.shape[1]):
        r = radius[at_radius, j]
        square = flows[0, j] * flows[0, j] + flows[1, j] * flows[1, j]
        scale = r / np.sqrt(max(square, max(r * r, TINY)))
        slow[y, j] = scale * flows[0, j]
        fast[y, j] = scale * flows[1, j]


@row_function
def cut_flow_row(p, y, flows, e, radius, at_radius):
    """The same for one direction by itself."""
    for j in range(flows.shape[1]):
        p[y, j] = min(max(flows[e, j], -radius[at_radius, j]), radius[at_radius, j])
