"""n iterations that travel over a block of slabs together: the hot loop of the Numba backend.

    v = (u - tau (cost - div p)) / (1 + tau pull)          u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

Slabs and directions are as in `_numba_kernels.py`. While the iterations pass over a slab, it lives in a ring of a few
slabs: copied in before the first of them, and back after the last. Rows of a ring begin where a register likes to load
from, are whole registers long, and have zeros to both sides: no row needs a special first or last pixel or an odd
rest, which together took as long as the iteration itself. `sizes` says how much room the rings need.

Most of an image comes to rest long before its last pixel does, where u is at a bound and p inside its ball. So every
slab has its span of columns, outside of which nothing is done: whatever moved in the last block of iterations, and some
pixels around it (`spans`).

An image is cut into bands of slabs, one a thread (`_numba_bands.py`). At a seam the band below begins each iteration
one slab later than the one before. The slabs that it leaves half-way it puts into the seam's rows, beside u_bar as the
band above needs it to take them up.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ._numba_kernels import (
    DENORMAL,
    IMAGE,
    OCTAGONAL,
    ONE,
    TINY,
    VOLUME,
    ZERO,
    at,
    compiled,
    inlined,
    row_function,
    shorten_row,
    simplex_row,
)

EDGE = 16
"""Zeros to both sides of a row, as many as the widest register holds; rows are padded to a multiple of it."""

REST = np.float32(1e-5)
"""What moves by less in a block of iterations, of u's range or p's radius, is at rest."""


def flows(directions):
    """Which of the four flows there are: slow, fast, third and fourth."""
    return {IMAGE: (1, 1, 0, 0), VOLUME: (1, 1, 1, 0), OCTAGONAL: (1, 1, 1, 1)}[directions]


def seam_rows(depth, labels, shape, directions):
    """Rows of a seam: u_bar of `depth` iterations, then u and the flows of as many slabs."""
    return (2 + sum(flows(directions))) * depth * labels * shape[1]


def sizes(depth, labels, shape, shapes, directions):
    """Where the rings of u, p, the fields and what is computed on the way begin, in rows; and where all end.

    `depth` is the most iterations, `shape` and `shapes` the (slabs, rows) of u and of the fields.
    """
    ring = depth + 2
    state = labels * ring * shape[1] + 1  # the last row is always 0: what lies beyond the image
    fields = [labels * (ring if slabs > 1 else 1) * rows for slabs, rows in shapes]
    rows = [state, *(state * flow for flow in flows(directions)), *fields, 2 * depth * labels * shape[1], labels, 5]
    return tuple(int(begin) for begin in np.cumsum([0, *rows]))


def padded(width):
    """Columns of a row without its edges."""
    return -(-width // EDGE) * EDGE


@compiled
def spans(low, high, moved, reach, last):
    """First columns and those behind the last, (3, slabs) each, up to `reach` pixels from what has moved.

    Row 0 is for the dual step, 1 for the primal step, 2 what either of them reads; empty spans end before they begin.
    `moved` (slabs, 2) is where u or p moved, from column to column; an empty span is where they did not. `last` is the
    padded width.
    """
    slabs = len(moved)
    low[:], high[:] = last, 0
    for i in range(slabs):
        if moved[i, 0] < moved[i, 1]:
            first = max(moved[i, 0] - reach, 0) // EDGE * EDGE
            end = min(-(-(moved[i, 1] + reach) // EDGE) * EDGE, last)
            for near in range(max(i - reach, 0), min(i + reach + 1, slabs)):
                low[0, near] = min(low[0, near], first)
                high[0, near] = max(high[0, near], end)
    # The dual step of a slab looks at u_bar of the slab below, which looks at p of this one: a pixel to each side.
    for step in range(2):
        for i in range(slabs):
            near = min(max(i + 2 * step - 1, 0), slabs - 1)
            first, end = min(low[step, i], low[step, near]), max(high[step, i], high[step, near])
            if first < end:
                low[step + 1, i], high[step + 1, i] = max(first - EDGE, 0), min(end + EDGE, last)


def _row(typing, matrix, here, begin, end):
    """matrix[here, begin:end], which must exist: a slice's checks and counted references take as long as 100 pixels."""
    view = types.Array(matrix.dtype, 1, "C")

    def build(context, builder, signature, arguments):
        rows, here, begin, end = arguments
        rows = make_array(signature.args[0])(context, builder, rows)
        start = builder.add(builder.mul(here, builder.extract_value(rows.shape, 1)), begin)
        of = make_array(view)(context, builder)
        populate_array(
            of, data=builder.gep(rows.data, [start]), shape=[builder.sub(end, begin)], strides=[rows.itemsize],
            itemsize=rows.itemsize, meminfo=None,
        )  # fmt: skip
        return of._getvalue()

    return view(matrix, types.intp, types.intp, types.intp), build


row: Any = intrinsic(_row)


@row_function
def copy_row(to, source):
    """A row."""
    for j in range(to.size):
        to[j] = source[j]


@compiled
def copy_state(
    u, slow, fast, third, fourth, here, a, other_u, other_slow, other_fast, other_third, other_fourth, there, b, size,
    directions,
):  # fmt: skip
    """Columns a, a + 1, ... of the rows `here` from columns b, b + 1, ... of the other ones' rows `there`."""
    copy_row(row(u, here, a, a + size), row(other_u, there, b, b + size))
    copy_row(row(slow, here, a, a + size), row(other_slow, there, b, b + size))
    copy_row(row(fast, here, a, a + size), row(other_fast, there, b, b + size))
    if directions != IMAGE:
        copy_row(row(third, here, a, a + size), row(other_third, there, b, b + size))
    if directions == OCTAGONAL:
        copy_row(row(fourth, here, a, a + size), row(other_fourth, there, b, b + size))


@row_function
def flush_row(to, source):
    """A row of what decays geometrically: it ends as denormals, on which the processor is many times slower."""
    for j in range(to.size):
        to[j] = source[j] if abs(source[j]) > DENORMAL else ZERO


@row_function
def furthest(new, old):
    """How far a row has moved."""
    most = ZERO
    for j in range(new.size):
        most = max(most, abs(new[j] - old[j]))
    return most


@row_function
def box_row(
    u, slow, above, fast, left, third, third_behind, fourth, fourth_behind, cost, lower, upper, bar, tau, shrink, rho,
    d, directions,
):  # fmt: skip
    """The primal step of a row of labels in boxes, and its u_bar; d is tau / spacing."""
    for j in range(u.size):
        old = u[j]
        v = old + d[0] * (slow[j] - above[j]) + d[1] * (fast[j] - left[j]) - tau * cost[j]
        if directions != IMAGE:
            v += d[2] * (third[j] - third_behind[j])
        if directions == OCTAGONAL:
            v += d[3] * (fourth[j] - fourth_behind[j])
        step = min(max(shrink * v, lower[j]), upper[j]) - old
        bar[j] = old + step + step
        u[j] = old + rho * step


@row_function
def descend_row(
    v, u, slow, above, fast, left, third, third_behind, fourth, fourth_behind, cost, tau, d, directions
):  # fmt: skip
    """v = u - tau (cost - div p)."""
    for j in range(u.size):
        new = u[j] + d[0] * (slow[j] - above[j]) + d[1] * (fast[j] - left[j]) - tau * cost[j]
        if directions != IMAGE:
            new += d[2] * (third[j] - third_behind[j])
        if directions == OCTAGONAL:
            new += d[3] * (fourth[j] - fourth_behind[j])
        v[j] = new


@row_function
def relax_row(u, v, bar, rho):
    """u_bar = 2 v - u, then u += rho (v - u)."""
    for j in range(u.size):
        old = u[j]
        step = v[j] - old
        bar[j] = old + step + step
        u[j] = old + rho * step


@row_function
def ball_row(slow, fast, bar, down, right, radius, short, rho, d, huber):
    """p += rho (Pi_radius(short (p + sigma grad u_bar)) - p) on one row of an image; d is sigma / spacing."""
    for j in range(slow.size):
        qs = slow[j] + d[0] * (down[j] - bar[j])
        qf = fast[j] + d[1] * (right[j] - bar[j])
        if huber:
            qs *= short[j]
            qf *= short[j]
        longest = radius[j]
        scale = longest / np.sqrt(max(qs * qs + qf * qf, max(longest * longest, TINY)))
        slow[j] += rho * (scale * qs - slow[j])
        fast[j] += rho * (scale * qf - fast[j])


@row_function
def ball_row_3d(slow, middle, fast, bar, down, beside, right, radius, short, rho, d, huber):
    """The same on one row of a volume."""
    for j in range(slow.size):
        qs = slow[j] + d[0] * (down[j] - bar[j])
        qm = middle[j] + d[2] * (beside[j] - bar[j])
        qf = fast[j] + d[1] * (right[j] - bar[j])
        if huber:
            qs *= short[j]
            qm *= short[j]
            qf *= short[j]
        longest = radius[j]
        scale = longest / np.sqrt(max(qs * qs + qm * qm + qf * qf, max(longest * longest, TINY)))
        slow[j] += rho * (scale * qs - slow[j])
        middle[j] += rho * (scale * qm - middle[j])
        fast[j] += rho * (scale * qf - fast[j])


@row_function
def clip_row(p, bar, to, radius, short, rho, d, huber):
    """The dual step of one direction by itself, towards u_bar of the row `to`."""
    for j in range(p.size):
        q = p[j] + d * (to[j] - bar[j])
        if huber:
            q *= short[j]
        p[j] += rho * (min(max(q, -radius[j]), radius[j]) - p[j])


@lru_cache
def block_kernel(directions, isotropic, simplex, huber):
    """`iterate_block` for one kind of problem: what cannot happen would cost every row as much as 100 pixels."""

    @compiled
    def iterate_block(
        space, begins, ring, low, high, moved, watched, u, slow, fast, third, fourth, shape, first, last, fronts, seams,
        above, below, cost, radius, lower, upper, shapes, labels, n, settle, tau, shrink, sigma, smooth, rho, steps,
    ):  # fmt: skip
        """`n` iterations on slabs first..last-1; of it what there is to do while the first travels over `fronts`.

        Each iteration is one slab behind the one before: with u_bar of slabs i and i + 1 in two rows, the dual slab i
        is updated as soon as the primal slab i + 1 is known. Where the band begins or ends at a seam (`seams`, above
        and below, 0 or 1), iteration k does so k slabs later; `above` and `below` are the seams' rows. With `settle`
        the last iteration is not over-relaxed. `shapes` are the fields' (slabs, rows), `space` and `begins` the rings,
        of `ring` slabs. What has moved is noted in `moved`, where it is `watched`.
        """
        rows, width = shape[1], u.shape[1]
        bottom, part = last + (n - 1) * seams[1], labels * n * rows
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
        fill_field(cost_ring, cost, shapes[0], labels)
        fill_field(radius_ring, radius, shapes[1], 1)
        fill_field(lower_ring, lower, shapes[2], labels)
        fill_field(upper_ring, upper, shapes[3], labels)
        for front in range(fronts[0], fronts[1]):
            new, place = front + 1, (front + 1) % ring
            if new < bottom and low[2, new] < high[2, new]:
                begin, end = low[2, new], min(high[2, new], width)
                for c in range(labels):
                    for y in range(rows):
                        here, there = at(rings, c, place, y), at(shape, c, new, y)
                        if new >= last:
                            there = at((n, rows), c, new - last, y)
                            copy_state(
                                u_ring, slow_ring, fast_ring, third_ring, fourth_ring, here, EDGE + begin,
                                below[part:], below[2 * part :], below[3 * part :], below[4 * part :],
                                below[5 * part :], there, EDGE + begin, end - begin, directions,
                            )  # fmt: skip
                            continue
                        if new == first and seams[0]:
                            copy_state(
                                u_ring, slow_ring, fast_ring, third_ring, fourth_ring,
                                at(rings, c, (front + ring) % ring, y), EDGE + begin, u, slow, fast, third, fourth,
                                at(shape, c, front, y), begin, end - begin, directions,
                            )  # fmt: skip
                        read_row(u_ring, here, u, there, begin, end)
                        read_row(slow_ring, here, slow, there, begin, end)
                        read_row(fast_ring, here, fast, there, begin, end)
                        if directions != IMAGE:
                            read_row(third_ring, here, third, there, begin, end)
                        if directions == OCTAGONAL:
                            read_row(fourth_ring, here, fourth, there, begin, end)
                read_field(cost_ring, cost_shape, cost, shapes[0], labels, new, place, begin, end)
                read_field(radius_ring, radius_shape, radius, shapes[1], 1, new, place, begin, end)
                read_field(lower_ring, lower_shape, lower, shapes[2], labels, new, place, begin, end)
                read_field(upper_ring, upper_shape, upper, shapes[3], labels, new, place, begin, end)
            for k in range(max(front - bottom + 1, 0), min(front - first + 2, n)):
                i = front - k
                beneath = place - k if place >= k else place - k + ring
                here = beneath - 1 if beneath > 0 else ring - 1
                begin, end = first + k * seams[0], last + k * seams[1]
                rho_k = ONE if settle and k == n - 1 else rho
                if begin <= i + 1 < end and low[1, i + 1] < high[1, i + 1]:
                    a, b = EDGE + low[1, i + 1], EDGE + high[1, i + 1]
                    primal_slab(
                        u_ring, slow_ring, fast_ring, third_ring, fourth_ring, rings, cost_ring, cost_shape,
                        lower_ring, lower_shape, upper_ring, upper_shape, bars, v, work, labels, width, k, i + 1,
                        beneath, here, a, b, i + 1 > 0, tau, shrink, rho_k, d_tau, directions, simplex,
                    )  # fmt: skip
                    if seams[0] and i + 1 == begin:
                        for c in range(labels):
                            for y in range(rows):
                                bar = at((2, rows), k * labels + c, begin & 1, y)
                                copy_row(row(above, at((n, rows), c, k, y), a, b + 1), row(bars, bar, a, b + 1))
                if begin <= i < end and low[0, i] < high[0, i]:
                    if seams[1] and i + 1 == end:
                        a, b = EDGE + low[1, end], EDGE + high[1, end]
                        for c in range(labels):
                            for y in range(rows):
                                bar = at((2, rows), k * labels + c, end & 1, y)
                                copy_row(row(bars, bar, a, b + 1), row(below, at((n, rows), c, k, y), a, b + 1))
                    dual_slab(
                        slow_ring, fast_ring, third_ring, fourth_ring, rings, radius_ring, radius_shape, bars, work,
                        labels, width, k, i, here, min(i + 1, shape[0] - 1), EDGE + low[0, i], EDGE + high[0, i], sigma,
                        smooth, rho_k, d_sigma, directions, isotropic, huber,
                    )  # fmt: skip
            done, place = front - n + 1, (front - n + 1 + ring) % ring
            if done < first or done >= bottom or low[2, done] >= high[2, done]:
                continue
            half_way = seams[0] == 1 and done < first + n - 1
            # The band above goes on with all that has been read; an answer is what a step has changed.
            step = 2 if half_way else 1
            begin, end = low[step, done], min(high[step, done], width)
            if watched and not half_way:
                moved[done, 0], moved[done, 1] = width, 0
            for c in range(labels):
                for y in range(rows):
                    here, there = at(rings, c, place, y), at(shape, c, done, y)
                    if half_way:
                        there = at((n, rows), c, done - first, y)
                        copy_state(
                            above[part:], above[2 * part :], above[3 * part :], above[4 * part :], above[5 * part :],
                            there, EDGE + begin, u_ring, slow_ring, fast_ring, third_ring, fourth_ring, here,
                            EDGE + begin, end - begin, directions,
                        )  # fmt: skip
                        continue
                    if watched:
                        r = at(radius_shape, 0, place, y)
                        note(
                            moved, done, u, slow, fast, third, fourth, there, u_ring, slow_ring, fast_ring, third_ring,
                            fourth_ring, here, radius_ring, r, begin, end, directions,
                        )  # fmt: skip
                    copy_row(row(u, there, begin, end), row(u_ring, here, EDGE + begin, EDGE + end))
                    write_row(slow, there, slow_ring, here, begin, end, settle)
                    write_row(fast, there, fast_ring, here, begin, end, settle)
                    if directions != IMAGE:
                        write_row(third, there, third_ring, here, begin, end, settle)
                    if directions == OCTAGONAL:
                        write_row(fourth, there, fourth_ring, here, begin, end, settle)

    return iterate_block


@inlined
def field_ring(ring, shape):
    """Shape of a field's ring, of which one slab is enough where all are the same."""
    return (ring if shape[0] > 1 else 1), shape[1]


@inlined
def fill_field(ring, field, shape, labels):
    """The whole of a field that is the same in all slabs."""
    if shape[0] == 1:
        for i in range(labels * shape[1]):
            read_row(ring, i, field, i, 0, field.shape[1])


@inlined
def read_field(ring, ring_shape, field, shape, labels, i, place, begin, end):
    """Columns of slab i of a field that is not."""
    if shape[0] > 1:
        for c in range(labels):
            for y in range(shape[1]):
                read_row(ring, at(ring_shape, c, place, y), field, (c * shape[0] + i) * shape[1] + y, begin, end)


@inlined
def read_row(ring, here, array, there, begin, end):
    """Columns of a row into its ring."""
    copy_row(row(ring, here, EDGE + begin, EDGE + end), row(array, there, begin, end))


@inlined
def write_row(p, there, ring, here, begin, end, settle):
    """Columns of a flow out of its ring, without denormals where the iterations settle."""
    if settle:
        flush_row(row(p, there, begin, end), row(ring, here, EDGE + begin, EDGE + end))
    else:
        copy_row(row(p, there, begin, end), row(ring, here, EDGE + begin, EDGE + end))


@inlined
def note(
    moved, i, u, slow, fast, third, fourth, there, u_ring, slow_ring, fast_ring, third_ring, fourth_ring, here, radius,
    r, begin, end, directions,
):  # fmt: skip
    """Widen moved[i] by the columns in which a row has moved; looked for from both sides, register by register."""
    for side in range(2):
        for step in range(begin // EDGE, -(-end // EDGE)):
            a = EDGE * (step if side == 0 else begin // EDGE + -(-end // EDGE) - 1 - step)
            if (side == 0 and a >= moved[i, 0]) or (side == 1 and a + EDGE <= moved[i, 1]):
                break
            b = min(a + EDGE, end)
            x, y = EDGE + a, EDGE + b
            far = furthest(row(u_ring, here, x, y), row(u, there, a, b)) > REST
            reach = ZERO
            for j in range(x, y):
                reach = max(reach, radius[r, j])
            reach *= REST
            far = far or furthest(row(slow_ring, here, x, y), row(slow, there, a, b)) > reach
            far = far or furthest(row(fast_ring, here, x, y), row(fast, there, a, b)) > reach
            if directions != IMAGE:
                far = far or furthest(row(third_ring, here, x, y), row(third, there, a, b)) > reach
            if directions == OCTAGONAL:
                far = far or furthest(row(fourth_ring, here, x, y), row(fourth, there, a, b)) > reach
            if far:
                if side == 0:
                    moved[i, 0] = a
                else:
                    moved[i, 1] = b
                break
        if moved[i, 0] >= end:
            return


@inlined
def primal_slab(
    u, slow, fast, third, fourth, rings, cost, cost_shape, lower, lower_shape, upper, upper_shape, bars, v, work,
    labels, width, k, i, place, before, a, b, inner, tau, shrink, rho, d, directions, simplex,
):  # fmt: skip
    """The primal step of columns a..b-1 of slab i, and its u_bar, which goes on beyond its last pixel."""
    rows, nothing = rings[1], u.shape[0] - 1
    for y in range(rows):
        for c in range(labels):
            here, bar = at(rings, c, place, y), ((k * labels + c) * 2 + (i & 1)) * rows + y
            above = at(rings, c, before, y) if inner else nothing
            # Where the third and fourth flow come from: the row before, or the pixels to the left and right above.
            behind, shift = (here - 1 if y > 0 else nothing, 0) if directions == VOLUME else (above, 1)
            flows = (
                row(slow, here, a, b), row(slow, above, a, b), row(fast, here, a, b), row(fast, here, a - 1, b - 1),
                row(third, here, a, b), row(third, behind, a - shift, b - shift), row(fourth, here, a, b),
                row(fourth, behind, a + shift, b + shift),
            )  # fmt: skip
            costs = row(cost, at(cost_shape, c, place, y), a, b)
            if simplex:
                descend_row(row(v, c, a, b), row(u, here, a, b), *flows, costs, tau, d, directions)
            else:
                low = row(lower, at(lower_shape, c, place, y), a, b)
                high = row(upper, at(upper_shape, c, place, y), a, b)
                box_row(
                    row(u, here, a, b), *flows, costs, low, high, row(bars, bar, a, b), tau, shrink, rho, d, directions
                )
                bars[bar, EDGE + width] = bars[bar, EDGE + width - 1]
        if simplex:
            low, stride = at(lower_shape, 0, place, y), lower_shape[0] * lower_shape[1]
            simplex_row(v, lower, low, stride, work[1], work[2], work[3], work[4], shrink)
            for c in range(labels):
                bar = ((k * labels + c) * 2 + (i & 1)) * rows + y
                relax_row(row(u, at(rings, c, place, y), a, b), row(v, c, a, b), row(bars, bar, a, b), rho)
                bars[bar, EDGE + width] = bars[bar, EDGE + width - 1]


@inlined
def dual_slab(
    slow, fast, third, fourth, rings, radius, radius_shape, bars, work, labels, width, k, i, place, below, a, b, sigma,
    smooth, rho, d, directions, isotropic, huber,
):  # fmt: skip
    """The dual step of columns a..b-1 of slab i, from u_bar of this slab and of the one below."""
    rows = rings[1]
    for y in range(rows):
        r = at(radius_shape, 0, place, y)
        if huber:
            shorten_row(work[0], radius, r, smooth)
        for c in range(labels):
            x, bar = at(rings, c, place, y), (k * labels + c) * 2
            here, down = (bar + (i & 1)) * rows + y, (bar + (below & 1)) * rows + y
            beside = min(here + 1, (bar + (i & 1) + 1) * rows - 1)
            flow, other = row(slow, x, a, b), row(fast, x, a, b)
            centre, under, right = row(bars, here, a, b), row(bars, down, a, b), row(bars, here, a + 1, b + 1)
            bound = (row(radius, r, a, b), row(work, 0, a, b), rho)
            if isotropic and directions == IMAGE:
                ball_row(flow, other, centre, under, right, *bound, d, huber)
            elif isotropic:
                ball_row_3d(
                    flow, row(third, x, a, b), other, centre, under, row(bars, beside, a, b), right, *bound, d, huber
                )
            else:
                clip_row(flow, centre, under, *bound, d[0], huber)
                clip_row(other, centre, right, *bound, d[1], huber)
                if directions == VOLUME:
                    clip_row(row(third, x, a, b), centre, row(bars, beside, a, b), *bound, d[2], huber)
                elif directions == OCTAGONAL and below > i:
                    clip_row(row(third, x, a, b), centre, row(bars, down, a + 1, b + 1), *bound, d[2], huber)
                    clip_row(row(fourth, x, a, b), centre, row(bars, down, a - 1, b - 1), *bound, d[3], huber)
                    third[x, EDGE + width - 1] = ZERO
                    fourth[x, EDGE] = ZERO
