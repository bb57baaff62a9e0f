"""n iterations that travel over a block of slabs together: the hot loop of the Numba backend.

    v = (u - tau (cost - div p)) / (1 + tau pull)          u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

Slabs and directions are as in `_numba_kernels.py`. While the iterations pass over a slab, it lives in a ring of a few
slabs: copied in before the first of them, and back after the last. Rows of a ring begin where a register likes to load
from, are whole registers long, and have zeros to both sides: no row needs a special first or last pixel or an odd
rest, which together took as long as the iteration itself. `sizes` says how much room the rings need.
"""

from functools import lru_cache

import numpy as np

from ._numba_kernels import (
    DENORMAL,
    IMAGE,
    OCTAGONAL,
    ONE,
    TINY,
    VOLUME,
    ZERO,
    compiled,
    inlined,
    row_function,
    shorten_row,
    simplex_row,
)

EDGE = 16
"""Zeros to both sides of a row, as many as the widest register holds; rows are padded to a multiple of it."""


def sizes(depth, labels, shape, shapes, directions):
    """Where the rings of u, p, the fields and what is computed on the way begin, in rows; and where all end.

    `depth` is the most iterations, `shape` and `shapes` the (slabs, rows) of u and of the fields.
    """
    ring = depth + 2
    state = labels * ring * shape[1] + 1  # the last row is always 0: what lies beyond the image
    flows = {IMAGE: (1, 1, 0, 0), VOLUME: (1, 1, 1, 0), OCTAGONAL: (1, 1, 1, 1)}[directions]
    fields = [labels * (ring if slabs > 1 else 1) * rows for slabs, rows in shapes]
    rows = [state, *(state * flow for flow in flows), *fields, 2 * depth * labels * shape[1], labels, 5]
    return tuple(int(begin) for begin in np.cumsum([0, *rows]))


def stride(width):
    """Columns of a ring."""
    return 2 * EDGE + -(-width // EDGE) * EDGE


@inlined
def slot(ring_shape, c, i, y):
    """Row y of slab i of label c in a ring; a field that is the same in all slabs or rows has one."""
    slabs, rows = ring_shape
    return (c * slabs + i % slabs) * rows + min(y, rows - 1)


@row_function
def copy_in_row(ring, here, array, there):
    """A row into a ring."""
    for j in range(array.shape[1]):
        ring[here, EDGE + j] = array[there, j]


@row_function
def copy_out_row(array, there, ring, here):
    """A row out of a ring."""
    for j in range(array.shape[1]):
        array[there, j] = ring[here, EDGE + j]


@row_function
def flush_out_row(array, there, ring, here):
    """The same of what decays geometrically: it ends as denormals, on which the processor is many times slower."""
    for j in range(array.shape[1]):
        p = ring[here, EDGE + j]
        array[there, j] = p if abs(p) > DENORMAL else ZERO


@row_function
def inflow(slow, fast, third, fourth, here, above, beside, j, d, directions):
    """div p at one pixel, times tau: d is tau / spacing."""
    total = d[0] * (slow[here, j] - slow[above, j]) + d[1] * (fast[here, j] - fast[here, j - 1])
    if directions == VOLUME:
        total += d[2] * (third[here, j] - third[beside, j])
    elif directions == OCTAGONAL:
        total += d[2] * (third[here, j] - third[above, j - 1]) + d[3] * (fourth[here, j] - fourth[above, j + 1])
    return total


@row_function
def box_row(
    u, slow, fast, third, fourth, here, above, beside, cost, there, lower, low, upper, high, bar, b, tau, shrink, rho,
    d, directions,
):  # fmt: skip
    """The primal step of a row of labels in boxes, and its u_bar."""
    for x in range(u.shape[1] - 2 * EDGE):
        j = x + EDGE
        old = u[here, j]
        v = old + inflow(slow, fast, third, fourth, here, above, beside, j, d, directions) - tau * cost[there, j]
        step = min(max(shrink * v, lower[low, j]), upper[high, j]) - old
        bar[b, j] = old + step + step
        u[here, j] = old + rho * step


@row_function
def descend_row(v, c, u, slow, fast, third, fourth, here, above, beside, cost, there, tau, d, directions):
    """v = u - tau (cost - div p)."""
    for x in range(u.shape[1] - 2 * EDGE):
        j = x + EDGE
        div = inflow(slow, fast, third, fourth, here, above, beside, j, d, directions)
        v[c, j] = u[here, j] + div - tau * cost[there, j]


@row_function
def relax_row(u, here, v, c, bar, b, rho):
    """u_bar = 2 v - u, then u += rho (v - u)."""
    for x in range(u.shape[1] - 2 * EDGE):
        j = x + EDGE
        old = u[here, j]
        step = v[c, j] - old
        bar[b, j] = old + step + step
        u[here, j] = old + rho * step


@row_function
def ball_row(slow, fast, here, bar, b, down, radius, r, short, rho, d, huber):
    """p += rho (Pi_radius(short (p + sigma grad u_bar)) - p) on one row of an image; d is sigma / spacing."""
    for x in range(bar.shape[1] - 2 * EDGE):
        j = x + EDGE
        qs = slow[here, j] + d[0] * (bar[down, j] - bar[b, j])
        qf = fast[here, j] + d[1] * (bar[b, j + 1] - bar[b, j])
        if huber:
            qs *= short[j]
            qf *= short[j]
        longest = radius[r, j]
        scale = longest / np.sqrt(max(qs * qs + qf * qf, max(longest * longest, TINY)))
        slow[here, j] += rho * (scale * qs - slow[here, j])
        fast[here, j] += rho * (scale * qf - fast[here, j])


@row_function
def ball_row_3d(slow, middle, fast, here, bar, b, down, beside, radius, r, short, rho, d, huber):
    """The same on one row of a volume."""
    for x in range(bar.shape[1] - 2 * EDGE):
        j = x + EDGE
        qs = slow[here, j] + d[0] * (bar[down, j] - bar[b, j])
        qm = middle[here, j] + d[2] * (bar[beside, j] - bar[b, j])
        qf = fast[here, j] + d[1] * (bar[b, j + 1] - bar[b, j])
        if huber:
            qs *= short[j]
            qm *= short[j]
            qf *= short[j]
        longest = radius[r, j]
        scale = longest / np.sqrt(max(qs * qs + qm * qm + qf * qf, max(longest * longest, TINY)))
        slow[here, j] += rho * (scale * qs - slow[here, j])
        middle[here, j] += rho * (scale * qm - middle[here, j])
        fast[here, j] += rho * (scale * qf - fast[here, j])


@row_function
def clip_row(p, here, bar, b, to, shift, radius, r, short, rho, d, huber):
    """The dual step of one direction by itself: towards a row of u_bar and `shift` pixels to the right."""
    # A loop for each shift: Numba would look whether a computed index is negative, pixel by pixel.
    if shift == 0:
        for x in range(bar.shape[1] - 2 * EDGE):
            j = x + EDGE
            q = p[here, j] + d * (bar[to, j] - bar[b, j])
            q *= short[j] if huber else ONE
            p[here, j] += rho * (min(max(q, -radius[r, j]), radius[r, j]) - p[here, j])
    elif shift > 0:
        for x in range(bar.shape[1] - 2 * EDGE):
            j = x + EDGE
            q = p[here, j] + d * (bar[to, j + 1] - bar[b, j])
            q *= short[j] if huber else ONE
            p[here, j] += rho * (min(max(q, -radius[r, j]), radius[r, j]) - p[here, j])
    else:
        for x in range(bar.shape[1] - 2 * EDGE):
            j = x + EDGE
            q = p[here, j] + d * (bar[to, j - 1] - bar[b, j])
            q *= short[j] if huber else ONE
            p[here, j] += rho * (min(max(q, -radius[r, j]), radius[r, j]) - p[here, j])


@lru_cache
def block_kernel(directions, isotropic, simplex, huber):
    """`iterate_block` for one kind of problem: what cannot happen would cost every row as much as 100 pixels."""

    @compiled
    def iterate_block(
        space, begins, ring, u, slow, fast, third, fourth, shape, first, last, seams, offset, cost, radius, lower,
        upper, shapes, labels, n, settle, tau, shrink, sigma, smooth, rho, steps,
    ):  # fmt: skip
        """`n` iterations on slabs first..last-1 as if there were no others; slab i is slab i + offset of the fields.

        Each iteration is one slab behind the one before: with u_bar of slabs i and i + 1 in two rows, the dual slab i
        is updated as soon as the primal slab i + 1 is known. Where the block ends at a seam (`seams`, above and below,
        0 or 1), every iteration leaves out one slab more: they would be wrong. With `settle` the last iteration is not
        over-relaxed. `shapes` are the fields' (slabs, rows), `space` and `begins` the rings, of `ring` slabs.
        """
        rows, width = shape[1], u.shape[1]
        rings = (ring, rows)
        u_ring, slow_ring = space[begins[0] : begins[1]], space[begins[1] : begins[2]]
        fast_ring, third_ring = space[begins[2] : begins[3]], space[begins[3] : begins[4]]
        fourth_ring, cost_ring = space[begins[4] : begins[5]], space[begins[5] : begins[6]]
        radius_ring, lower_ring = space[begins[6] : begins[7]], space[begins[7] : begins[8]]
        upper_ring, bars = space[begins[8] : begins[9]], space[begins[9] : begins[10]]
        v, work = space[begins[10] : begins[11]], space[begins[11] : begins[12]]
        cost_shape, radius_shape = field_ring(ring, shapes[0]), field_ring(ring, shapes[1])
        lower_shape, upper_shape = field_ring(ring, shapes[2]), field_ring(ring, shapes[3])
        d_tau = (tau * steps[0], tau * steps[1], tau * steps[2], tau * steps[3])
        d_sigma = (sigma * steps[0], sigma * steps[1], sigma * steps[2], sigma * steps[3])
        for front in range(first - 1, last + n - 1):
            new = front + 1
            if new < last:
                for c in range(labels):
                    for y in range(rows):
                        here, there = slot(rings, c, new, y), (c * shape[0] + new) * rows + y
                        copy_in_row(u_ring, here, u, there)
                        copy_in_row(slow_ring, here, slow, there)
                        copy_in_row(fast_ring, here, fast, there)
                        if directions != IMAGE:
                            copy_in_row(third_ring, here, third, there)
                        if directions == OCTAGONAL:
                            copy_in_row(fourth_ring, here, fourth, there)
                fill_field(cost_ring, cost_shape, cost, shapes[0], labels, new, first, offset)
                fill_field(radius_ring, radius_shape, radius, shapes[1], 1, new, first, offset)
                fill_field(lower_ring, lower_shape, lower, shapes[2], labels, new, first, offset)
                fill_field(upper_ring, upper_shape, upper, shapes[3], labels, new, first, offset)
            for k in range(max(front - last + 1, 0), min(front - first + 2, n)):
                i = front - k
                begin, end = first + k * seams[0], last - k * seams[1]
                rho_k = ONE if settle and k == n - 1 else rho
                if begin <= i + 1 < end:
                    primal_slab(
                        u_ring, slow_ring, fast_ring, third_ring, fourth_ring, rings, cost_ring, cost_shape,
                        lower_ring, lower_shape, upper_ring, upper_shape, bars, v, work, labels, width, k, i + 1,
                        first, tau, shrink, rho_k, d_tau, directions, simplex,
                    )  # fmt: skip
                if begin <= i < end:
                    dual_slab(
                        slow_ring, fast_ring, third_ring, fourth_ring, rings, radius_ring, radius_shape, bars, work,
                        labels, width, k, i, min(i + 1, end - 1), sigma, smooth, rho_k, d_sigma, directions,
                        isotropic, huber,
                    )  # fmt: skip
            done = front - n + 1
            if first + (n - 1) * seams[0] <= done < last - (n - 1) * seams[1]:
                for c in range(labels):
                    for y in range(rows):
                        here, there = slot(rings, c, done, y), (c * shape[0] + done) * rows + y
                        copy_out_row(u, there, u_ring, here)
                        leave_row(slow, there, slow_ring, here, settle)
                        leave_row(fast, there, fast_ring, here, settle)
                        if directions != IMAGE:
                            leave_row(third, there, third_ring, here, settle)
                        if directions == OCTAGONAL:
                            leave_row(fourth, there, fourth_ring, here, settle)

    return iterate_block


@inlined
def field_ring(ring, shape):
    """Shape of a field's ring, of which one slab is enough where all are the same."""
    return (ring if shape[0] > 1 else 1), shape[1]


@inlined
def fill_field(ring, ring_shape, field, shape, labels, i, first, offset):
    """Slab i of a field into its ring, once where all are the same."""
    if i == first or shape[0] > 1:
        for c in range(labels):
            for y in range(shape[1]):
                there = (c * shape[0] + min(i + offset, shape[0] - 1)) * shape[1] + y
                copy_in_row(ring, slot(ring_shape, c, i, y), field, there)


@inlined
def leave_row(p, there, ring, here, settle):
    """A row of a flow out of its ring, without denormals where the iterations settle."""
    if settle:
        flush_out_row(p, there, ring, here)
    else:
        copy_out_row(p, there, ring, here)


@inlined
def primal_slab(
    u, slow, fast, third, fourth, rings, cost, cost_shape, lower, lower_shape, upper, upper_shape, bars, v, work,
    labels, width, k, i, first, tau, shrink, rho, d, directions, simplex,
):  # fmt: skip
    """The primal step of slab i, and its u_bar, which goes on beyond its last pixel."""
    rows, nothing = rings[1], u.shape[0] - 1
    for y in range(rows):
        for c in range(labels):
            here, there = slot(rings, c, i, y), slot(cost_shape, c, i, y)
            above = slot(rings, c, i - 1, y) if i > first else nothing
            beside = here - 1 if y > 0 else nothing
            if simplex:
                descend_row(v, c, u, slow, fast, third, fourth, here, above, beside, cost, there, tau, d, directions)
            else:
                b = ((k * labels + c) * 2 + i % 2) * rows + y
                low, high = slot(lower_shape, c, i, y), slot(upper_shape, c, i, y)
                box_row(
                    u, slow, fast, third, fourth, here, above, beside, cost, there, lower, low, upper, high, bars, b,
                    tau, shrink, rho, d, directions,
                )  # fmt: skip
                bars[b, EDGE + width] = bars[b, EDGE + width - 1]
        if simplex:
            low, stride = slot(lower_shape, 0, i, y), lower_shape[0] * lower_shape[1]
            simplex_row(v, lower, low, stride, work[1], work[2], work[3], work[4], shrink)
            for c in range(labels):
                b = ((k * labels + c) * 2 + i % 2) * rows + y
                relax_row(u, slot(rings, c, i, y), v, c, bars, b, rho)
                bars[b, EDGE + width] = bars[b, EDGE + width - 1]


@inlined
def dual_slab(
    slow, fast, third, fourth, rings, radius, radius_shape, bars, work, labels, width, k, i, below, sigma, smooth, rho,
    d, directions, isotropic, huber,
):  # fmt: skip
    """The dual step of slab i, from u_bar of this slab and of the one below."""
    rows = rings[1]
    for y in range(rows):
        r = slot(radius_shape, 0, i, y)
        short = work[0]
        if huber:
            shorten_row(short, radius, r, smooth)
        for c in range(labels):
            here = slot(rings, c, i, y)
            bar = (k * labels + c) * 2
            b, down = (bar + i % 2) * rows + y, (bar + below % 2) * rows + y
            beside = min(b + 1, (bar + i % 2 + 1) * rows - 1)
            if isotropic and directions == IMAGE:
                ball_row(slow, fast, here, bars, b, down, radius, r, short, rho, d, huber)
            elif isotropic:
                ball_row_3d(slow, third, fast, here, bars, b, down, beside, radius, r, short, rho, d, huber)
            else:
                clip_row(slow, here, bars, b, down, 0, radius, r, short, rho, d[0], huber)
                clip_row(fast, here, bars, b, b, 1, radius, r, short, rho, d[1], huber)
                if directions == VOLUME:
                    clip_row(third, here, bars, b, beside, 0, radius, r, short, rho, d[2], huber)
                elif directions == OCTAGONAL and below > i:
                    clip_row(third, here, bars, b, down, 1, radius, r, short, rho, d[2], huber)
                    clip_row(fourth, here, bars, b, down, -1, radius, r, short, rho, d[3], huber)
                    third[here, EDGE + width - 1] = ZERO
                    fourth[here, EDGE] = ZERO
