"""Rounding, means, and the fields of coarser and finer grids, compiled; arrays are as in `_numba_kernels.py`."""

import numpy as np

from ._numba_kernels import ONE, TINY, ZERO, compiled, row_function


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
        upper = array[c, above, 2 * j] + array[c, above, 2 * j + 1]
        lower = array[c, below, 2 * j] + array[c, below, 2 * j + 1]
        out[c, i, j] = np.float32(0.25) * (upper + lower)


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
    """A coarse row's values, each twice, within their bounds."""
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
    """p = Pi_radius of the flow of one direction by itself."""
    for j in range(flows.shape[1]):
        p[y, j] = min(max(flows[e, j], -radius[at_radius, j]), radius[at_radius, j])
