"""Sums over a block, compiled: primal and dual value, masks by threshold, and the fields of coarser and finer grids.

Arrays are as in `_numba_kernels.py`. Values are computed and summed in float64, a number per slab, so that the total
does not depend on how slabs are shared out among threads.
"""

import numpy as np

from ._numba_kernels import IMAGE, OCTAGONAL, ONE, TINY, VOLUME, ZERO, compiled, row_function, row_of


@row_function
def difference_row(g, u, c, i, y, to_i, to_y, shift, step, one):
    """Differences to the pixel in another row and `shift` to the right; 0 where there is none."""
    width = g.size
    for j in range(width):
        g[j] = one - one
    if to_i < u.shape[1] and to_y < u.shape[2]:
        for j in range(max(-shift, 0), width - max(shift, 0)):
            g[j] = step * (one * u[c, to_i, to_y, j + shift] - one * u[c, i, y, j])


@row_function
def add_square_row(total, g):
    """total += g^2."""
    for j in range(g.size):
        total[j] += g[j] * g[j]


@row_function
def charge_row(t, radius, ri, ry, huber, squared, one):
    """Sum of radius h(|t|), where t may come squared."""
    total = one - one
    half = one / (one + one)
    for j in range(t.size):
        length = np.sqrt(t[j]) if squared else abs(t[j])
        if huber > 0:
            length = length - half * huber if length > huber else half * length * length / huber
        total += one * radius[ri, ry, j] * length
    return total


@row_function
def data_row(u, cost, c, i, y, at, pull, one):
    """Sum of cost u + pull/2 u^2; slab i is slab `at` of cost."""
    total = one - one
    half = one / (one + one)
    for j in range(u.shape[3]):
        here = one * u[c, i, y, j]
        total += here * (one * cost[c, at, y, j] + half * pull * here)
    return total


@compiled
def variation(u, g, squares, radius, c, i, y, below, at, huber, steps, directions, isotropic, one):
    """Sum of radius h(|grad u|) on one row; the next slab is `below`, and slab i is slab `at` of radius."""
    ri, ry = row_of(radius, at, y)
    total = one - one
    squares[:] = total
    for e in range(2 if directions == IMAGE else 3 if directions == VOLUME else 4):
        if e == 0:
            difference_row(g, u, c, i, y, below, y, 0, steps[0], one)
        elif e == 1:
            difference_row(g, u, c, i, y, i, y, 1, steps[1], one)
        elif directions == VOLUME:
            difference_row(g, u, c, i, y, i, y + 1, 0, steps[2], one)
        else:
            difference_row(g, u, c, i, y, below, y, 1 if e == 2 else -1, steps[e], one)
        if isotropic:
            add_square_row(squares, g)
        else:
            total += charge_row(g, radius, ri, ry, huber, False, one)
    return total + charge_row(squares, radius, ri, ry, huber, True, one) if isotropic else total


@compiled
def primal_block(sums, u, cost, radius, first, last, pull, huber, steps, directions, isotropic):
    """Energy of each of the slabs first..last-1."""
    labels, _, rows, width = u.shape
    one = np.float64(1)
    g, squares = np.empty(width), np.empty(width)
    for i in range(first, last):
        for y in range(rows):
            for c in range(labels):
                sums[i] += data_row(u, cost, c, i, y, i, pull, one)
                sums[i] += variation(
                    u, g, squares, radius, c, i, y, i + 1, i, huber, steps, directions, isotropic, one
                )  # fmt: skip


@compiled
def threshold_block(
    sums, u, cost, radius, lower, upper, first, last, thresholds, pull, huber, steps, directions, isotropic
):  # fmt: skip
    """Energy of Pi_C(u > threshold), a column of `sums` each, of the slabs first..last-1; one label.

    In float32, which is enough to compare: differences of masks are whole numbers.
    """
    _, slabs, rows, width = u.shape
    cut = np.empty((1, 2, rows, width), np.float32)
    g, squares = np.empty(width, np.float32), np.empty(width, np.float32)
    short = (np.float32(steps[0]), np.float32(steps[1]), np.float32(steps[2]), np.float32(steps[3]))
    for t in range(thresholds.size):
        cut_slab(cut, u, lower, upper, first, thresholds[t])
        for i in range(first, last):
            if i + 1 < slabs:
                cut_slab(cut, u, lower, upper, i + 1, thresholds[t])
            for y in range(rows):
                sums[i, t] += data_row(cut, cost, 0, i % 2, y, i, np.float32(pull), ONE)
                sums[i, t] += variation(
                    cut, g, squares, radius, 0, i % 2, y, (i + 1) % 2 if i + 1 < slabs else 2, i, np.float32(huber),
                    short, directions, isotropic, ONE,
                )  # fmt: skip


@compiled
def cut_slab(out, u, lower, upper, i, threshold):
    """out[:, i % 2] = Pi_C(u > threshold), of slab i."""
    for y in range(u.shape[2]):
        cut_row(out, u, lower, upper, i % 2, i, y, row_of(lower, i, y), row_of(upper, i, y), threshold)


@row_function
def cut_row(out, u, lower, upper, k, i, y, low, high, threshold):
    """One row of it."""
    li, ly = low
    hi, hy = high
    for j in range(out.shape[3]):
        out[0, k, y, j] = min(max(ONE if u[0, i, y, j] > threshold else ZERO, lower[0, li, ly, j]), upper[0, hi, hy, j])


@compiled
def cut_block(out, u, lower, upper, first, last, threshold):
    """out = Pi_C(u > threshold) on slabs first..last-1."""
    for i in range(first, last):
        for y in range(u.shape[2]):
            cut_row(out, u, lower, upper, i, i, y, row_of(lower, i, y), row_of(upper, i, y), threshold)


@row_function
def slope_row(slope, p, c, i, y, from_i, from_y, shift, step):
    """slope[c] -= step (what flows out of the row - what flows in from behind)."""
    width = slope.shape[1]
    for j in range(width):
        slope[c, j] -= step * np.float64(p[c, i, y, j])
    if from_i >= 0 and from_y >= 0:
        for j in range(max(shift, 0), width + min(shift, 0)):
            slope[c, j] += step * np.float64(p[c, from_i, from_y, j - shift])


@row_function
def bent_row(p, radius, c, i, y, ri, ry):
    """Sum of |p|^2 / radius."""
    total = 0.0
    for j in range(p.shape[3]):
        total += np.float64(p[c, i, y, j]) * np.float64(p[c, i, y, j]) / np.float64(max(radius[ri, ry, j], TINY))
    return total


@row_function
def box_dual_row(slope, lower, upper, c, low, high, pull):
    """Sum of the least of slope v + pull/2 v^2 within the bounds."""
    li, ly = low
    hi, hy = high
    total = 0.0
    if pull > 0:
        for j in range(slope.shape[1]):
            best = min(max(-slope[c, j] / pull, np.float64(lower[c, li, ly, j])), np.float64(upper[c, hi, hy, j]))
            total += best * (slope[c, j] + 0.5 * pull * best)
    else:
        for j in range(slope.shape[1]):
            s = slope[c, j]
            total += s * np.float64(lower[c, li, ly, j] if s > 0 else upper[c, hi, hy, j])
    return total


@compiled
def simplex_dual_row(slope, lower, low):
    """Sum of the least of slope v over the simplex above its lower bounds."""
    li, ly = low
    labels, width = slope.shape
    total = 0.0
    for j in range(width):
        least = slope[0, j]
        free = 1.0
        for c in range(labels):
            least = min(least, slope[c, j])
            free -= lower[c, li, ly, j]
            total += lower[c, li, ly, j] * slope[c, j]
        total += free * least
    return total


@compiled
def dual_block(
    sums, slow, fast, third, fourth, cost, radius, lower, upper, first, last, pull, huber, steps, directions, simplex
):  # fmt: skip
    """Dual value of each of the slabs first..last-1, with p as it is where `steps` are shrunk by SAFE."""
    labels, _, rows, width = slow.shape
    slope = np.empty((labels, width))
    for i in range(first, last):
        for y in range(rows):
            low, high = row_of(lower, i, y), row_of(upper, i, y)
            ri, ry = row_of(radius, i, y)
            for c in range(labels):
                for j in range(width):
                    slope[c, j] = cost[c, i, y, j]
                slope_row(slope, slow, c, i, y, i - 1, y, 0, steps[0])
                slope_row(slope, fast, c, i, y, i, y, 1, steps[1])
                if directions == VOLUME:
                    slope_row(slope, third, c, i, y, i, y - 1, 0, steps[2])
                elif directions == OCTAGONAL:
                    slope_row(slope, third, c, i, y, i - 1, y, 1, steps[2])
                    slope_row(slope, fourth, c, i, y, i - 1, y, -1, steps[3])
                if huber > 0:
                    bent = bent_row(slow, radius, c, i, y, ri, ry) + bent_row(fast, radius, c, i, y, ri, ry)
                    if directions == VOLUME:
                        bent += bent_row(third, radius, c, i, y, ri, ry)
                    elif directions == OCTAGONAL:
                        bent += bent_row(third, radius, c, i, y, ri, ry) + bent_row(fourth, radius, c, i, y, ri, ry)
                    sums[i] -= 0.5 * huber * bent
            if simplex:
                sums[i] += simplex_dual_row(slope, lower, low)
            else:
                for c in range(labels):
                    sums[i] += box_dual_row(slope, lower, upper, c, low, high, pull)


@compiled
def size_block(sums, array, first, last):
    """Sum of |array| of each of the rows first..last-1 of a matrix."""
    for i in range(first, last):
        total = 0.0
        for j in range(array.shape[1]):
            total += abs(np.float64(array[i, j]))
        sums[i] = total


@compiled
def round_block(sums, out, array, first, last, factor):
    """out = factor array in float32; and the sum of what rounding changed, a number per row of a matrix."""
    for i in range(first, last):
        total = 0.0
        for j in range(array.shape[1]):
            out[i, j] = np.float32(factor * array[i, j])
            total += abs(np.float64(out[i, j]) - factor * array[i, j])
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
def prolong_block(u_fine, p_fine, u, p, radius, lower, upper, first, last, factor, isotropic, simplex):
    """Rows first..last-1 of `ArrayBackend.prolong` for an image's two directions; p is multiplied by `factor`."""
    labels, height, width = u_fine.shape
    slow, fast = np.empty(width, np.float32), np.empty(width, np.float32)
    for c in range(labels):
        for y in range(first, last):
            i = y // 2
            low, high = min(y, lower.shape[1] - 1), min(y, upper.shape[1] - 1)
            repeat_row(u_fine, u, lower, upper, c, y, i, low, high, simplex)
            outer = ZERO if i == 0 else factor
            behind = i if y % 2 else max(i - 1, 0)
            spread_row(slow, fast, p, c, i, behind, factor if y % 2 else outer, factor)
            if y == height - 1:
                slow[:] = ZERO
            fast[width - 1] = ZERO
            short_row(p_fine, slow, fast, radius, c, y, min(y, radius.shape[0] - 1), isotropic)


@row_function
def repeat_row(u_fine, u, lower, upper, c, y, i, low, high, simplex):
    """Each value twice, within its bounds."""
    for j in range(u_fine.shape[2]):
        value = u[c, i, j // 2]
        u_fine[c, y, j] = value if simplex else min(max(value, lower[c, low, j]), upper[c, high, j])


@row_function
def spread_row(slow, fast, p, c, i, behind, share, factor):
    """A coarse row's flows on a fine row: along a direction, halfway between two flows is their mean."""
    width = slow.size
    for j in range(width // 2):
        flow = factor * p[0, c, i, j] + share * p[0, c, behind, j]
        slow[2 * j] = flow
        slow[2 * j + 1] = flow
        fast[2 * j + 1] = factor * (p[1, c, i, j] + p[1, c, i, j])
    fast[0] = factor * p[1, c, i, 0]
    for j in range(1, (width + 1) // 2):
        fast[2 * j] = factor * (p[1, c, i, j - 1] + p[1, c, i, j])
    if width % 2:
        slow[width - 1] = factor * p[0, c, i, width // 2] + share * p[0, c, behind, width // 2]


@row_function
def short_row(p, slow, fast, radius, c, y, at, isotropic):
    """p = Pi_radius(slow, fast) on one row."""
    for j in range(slow.size):
        r = radius[at, j]
        if isotropic:
            square = slow[j] * slow[j] + fast[j] * fast[j]
            scale = r / np.sqrt(max(square, max(r * r, TINY)))
            p[0, c, y, j], p[1, c, y, j] = scale * slow[j], scale * fast[j]
        else:
            p[0, c, y, j] = min(max(slow[j], -r), r)
            p[1, c, y, j] = min(max(fast[j], -r), r)
