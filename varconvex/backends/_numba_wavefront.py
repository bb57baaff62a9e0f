"""n iterations that travel over a block of slabs together: the hot loop of the Numba backend.

    v = (u - tau (cost - div p)) / (1 + tau quadratic)          u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

Slabs and directions are as in `_numba_kernels.py`. While the iterations pass over a slab, it lives in a ring of a few
slabs: copied in before the first of them, and back after the last. Rows of a ring begin where a register likes to load
from, are whole registers long, and have zeros to both sides: no row needs a special first or last pixel or an odd
rest, which together took as long as the iteration itself. `sizes` says how much room the rings need.

Most of an image comes to rest long before its last pixel does, where u is at a bound and p inside its ball. So every
slab has its span of columns, outside of which nothing is done: whatever moved in the last block of iterations, and some
pixels around it (`spans` in `_numba_layout.py`).

An image is cut into bands of slabs, one a thread (`_numba_bands.py`). At a seam the band below begins each iteration
one slab later than the one before. The slabs that it leaves half-way it puts into the seam's rows, beside u_bar as the
band above needs it to take them up.

A wide image is cut into panels of columns as well, which are iterated one after the other. On each side a panel also
computes a rim, of its neighbours' columns: what is wrong at the rim's end, where it ends for no reason, comes nearer by
a pixel an iteration and does not reach the panel's own columns. Of the rim to the left it needs what was there before
the last panel changed it.
"""

from functools import lru_cache

import numpy as np

from ._numba_kernels import IMAGE, OCTAGONAL, ONE, VOLUME, ZERO, at, compiled, inlined
from ._numba_rows import (
    LINE,
    ball_row,
    box_row,
    clip_row,
    copy_row,
    descend_row,
    flush_row,
    furthest,
    relax_row,
    row,
)
from ._numba_simplex import simplex_row

EDGE = LINE
"""Zeros to both sides of a row, and columns that a panel reads beyond its own; rows are padded to a multiple of it."""

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
    rows = [state, *(state * flow for flow in flows(directions)), *fields, 2 * depth * labels * shape[1], labels, 4]
    return tuple(int(begin) for begin in np.cumsum([0, *rows]))


def padded(width):
    """Columns of a row without its edges."""
    return -(-width // EDGE) * EDGE


@inlined
def stacked(rows, part):
    """u and the flows as they lie in a matrix one below the other, `part` rows each."""
    return rows, rows[part:], rows[2 * part :], rows[3 * part :], rows[4 * part :]


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


@lru_cache
def block_kernel(directions, isotropic, simplex, huber):
    """`iterate_block` for one kind of problem: what cannot happen would cost every row as much as 100 pixels."""

    @compiled
    def iterate_block(
        space, begins, ring, rim, low, high, moved, watched, u, slow, fast, third, fourth, shape, panel, first,
        last, fronts, seams, above, below, cost, radius, lower, upper, shapes, labels, n, finish, tau, shrink, sigma,
        smooth, rho, steps,
    ):  # fmt: skip
        """`n` iterations on slabs first..last-1; of it what there is to do while the first travels over `fronts`.

        Each iteration is one slab behind the one before: with u_bar of slabs i and i + 1 in two rows, the dual slab i
        is updated as soon as the primal slab i + 1 is known. Where the band begins or ends at a seam (`seams`, above
        and below, 0 or 1), iteration k does so k slabs later; `above` and `below` are the seams' rows. With `finish`
        the last iteration is not over-relaxed. `shapes` are the fields' (slabs, rows), `space` and `begins` the rings,
        of `ring` slabs. What has moved is noted in `moved`, where it is `watched`. `panel` says which columns are
        wanted, (first, last + 1), and by how much a seam's are further; `rim` keeps for the next panel what this one
        will have changed.
        """
        rows, width = shape[1], u.shape[1]
        left, right, shift = panel
        bottom, part, store = last + (n - 1) * seams[1], labels * n * rows, labels * rows * (last - first + 1)
        rings = (ring, rows)
        u_ring, slow_ring = space[begins[0] : begins[1]], space[begins[1] : begins[2]]
        fast_ring, third_ring = space[begins[2] : begins[3]], space[begins[3] : begins[4]]
        fourth_ring, cost_ring = space[begins[4] : begins[5]], space[begins[5] : begins[6]]
        radius_ring, lower_ring = space[begins[6] : begins[7]], space[begins[7] : begins[8]]
        upper_ring, bars = space[begins[8] : begins[9]], space[begins[9] : begins[10]]
        v, work = space[begins[10] : begins[11]], space[begins[11] : begins[12]]
        # Not in the loop, nor as tuples: counting references to an array, all threads wait for each other.
        rim_u, rim_slow, rim_fast, rim_third, rim_fourth = stacked(rim, store)
        u_above, slow_above, fast_above, third_above, fourth_above = stacked(above[part:], part)
        u_below, slow_below, fast_below, third_below, fourth_below = stacked(below[part:], part)
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
            begin, end = columns(low, high, 2, new, bottom, left - EDGE, min(right + EDGE, width))
            if begin < end:
                for slab in range(front if new == first and seams[0] else new, new + 1):
                    for c in range(labels):
                        for y in range(rows):
                            here = at(rings, c, (slab + ring) % ring, y)
                            if slab >= last:
                                x, there = EDGE + begin, at((n, rows), c, slab - last, y)
                                copy_state(
                                    u_ring, slow_ring, fast_ring, third_ring, fourth_ring, here, x, u_below, slow_below,
                                    fast_below, third_below, fourth_below, there, x + shift, end - begin, directions,
                                )  # fmt: skip
                                continue
                            x, there = max(begin, left), at((last - first + 1, rows), c, slab - first + 1, y)
                            if begin < left:
                                copy_state(
                                    u_ring, slow_ring, fast_ring, third_ring, fourth_ring, here, left, rim_u, rim_slow,
                                    rim_fast, rim_third, rim_fourth, there, 0, EDGE, directions,
                                )  # fmt: skip
                            own = at(shape, c, slab, y)
                            read_row(u_ring, here, u, own, x, end)
                            read_row(slow_ring, here, slow, own, x, end)
                            read_row(fast_ring, here, fast, own, x, end)
                            if directions != IMAGE:
                                read_row(third_ring, here, third, own, x, end)
                            if directions == OCTAGONAL:
                                read_row(fourth_ring, here, fourth, own, x, end)
                            if right < width and end > right - EDGE:
                                copy_state(
                                    rim_u, rim_slow, rim_fast, rim_third, rim_fourth, there, 0, u_ring, slow_ring,
                                    fast_ring, third_ring, fourth_ring, here, right, EDGE, directions,
                                )  # fmt: skip
                read_field(cost_ring, cost_shape, cost, shapes[0], labels, new, place, begin, end)
                read_field(radius_ring, radius_shape, radius, shapes[1], 1, new, place, begin, end)
                read_field(lower_ring, lower_shape, lower, shapes[2], labels, new, place, begin, end)
                read_field(upper_ring, upper_shape, upper, shapes[3], labels, new, place, begin, end)
            for k in range(max(front - bottom + 1, 0), min(front - first + 2, n)):
                i = front - k
                beneath = place - k if place >= k else place - k + ring
                here = beneath - 1 if beneath > 0 else ring - 1
                top, foot = first + k * seams[0], last + k * seams[1]
                rho_k = ONE if finish and k == n - 1 else rho
                begin, end = columns(low, high, 1, i + 1, foot if i + 1 >= top else 0, left - EDGE, right + EDGE)
                a, b = columns(low, high, 0, i, foot if i >= top else 0, left - EDGE, right + EDGE)
                if begin < end:
                    primal_slab(
                        u_ring, slow_ring, fast_ring, third_ring, fourth_ring, rings, cost_ring, cost_shape,
                        lower_ring, lower_shape, upper_ring, upper_shape, bars, v, work, labels, width, k, i + 1,
                        beneath, here, EDGE + begin, EDGE + end, i + 1 > 0, tau, shrink, rho_k, d_tau, directions,
                        simplex,
                    )  # fmt: skip
                    if seams[0] and i + 1 == top:
                        for c in range(labels):
                            for y in range(rows):
                                bar = at((2, rows), k * labels + c, top & 1, y)
                                x, z = EDGE + begin, EDGE + end + 1
                                copy_row(row(above, at((n, rows), c, k, y), x + shift, z + shift), row(bars, bar, x, z))
                if a < b:
                    if seams[1] and i + 1 == foot:
                        begin, end = columns(low, high, 1, foot, foot + 1, left - EDGE, right + EDGE)
                        for c in range(labels):
                            for y in range(rows):
                                bar = at((2, rows), k * labels + c, foot & 1, y)
                                x, z = EDGE + begin, EDGE + end + 1
                                copy_row(row(bars, bar, x, z), row(below, at((n, rows), c, k, y), x + shift, z + shift))
                    dual_slab(
                        slow_ring, fast_ring, third_ring, fourth_ring, rings, radius_ring, radius_shape, bars, labels,
                        width, k, i, here, min(i + 1, shape[0] - 1), EDGE + a, EDGE + b, sigma, smooth, rho_k, d_sigma,
                        directions, isotropic, huber,
                    )  # fmt: skip
            done, place = front - n + 1, (front - n + 1 + ring) % ring
            if done < first or done >= bottom or low[2, done] >= high[2, done]:
                continue
            half_way = seams[0] == 1 and done < first + n - 1
            if half_way:
                # The band above goes on with all that has been read.
                begin, end = columns(low, high, 2, done, bottom, left - EDGE, min(right + EDGE, width))
            else:
                # An answer is what a step has changed.
                begin, end = columns(low, high, 1, done, bottom, left, min(right, width))
                if watched and left == 0:
                    moved[done, 0], moved[done, 1] = width, 0
            if begin >= end:
                continue
            for c in range(labels):
                for y in range(rows):
                    here, there = at(rings, c, place, y), at(shape, c, done, y)
                    if half_way:
                        x, there = EDGE + begin, at((n, rows), c, done - first, y)
                        copy_state(
                            u_above, slow_above, fast_above, third_above, fourth_above, there, x + shift, u_ring,
                            slow_ring, fast_ring, third_ring, fourth_ring, here, x, end - begin, directions,
                        )  # fmt: skip
                        continue
                    if watched:
                        r = at(radius_shape, 0, place, y)
                        note(
                            moved, done, u, slow, fast, third, fourth, there, u_ring, slow_ring, fast_ring, third_ring,
                            fourth_ring, here, radius_ring, r, begin, end, directions,
                        )  # fmt: skip
                    copy_row(row(u, there, begin, end), row(u_ring, here, EDGE + begin, EDGE + end))
                    write_row(slow, there, slow_ring, here, begin, end, finish)
                    write_row(fast, there, fast_ring, here, begin, end, finish)
                    if directions != IMAGE:
                        write_row(third, there, third_ring, here, begin, end, finish)
                    if directions == OCTAGONAL:
                        write_row(fourth, there, fourth_ring, here, begin, end, finish)

    return iterate_block


@inlined
def columns(low, high, step, i, slabs, left, right):
    """Those of slab i's span that are in [left, right), and none if it is not one of the first so many slabs."""
    if i >= slabs or i < 0:
        return 0, 0
    return max(low[step, i], left), min(high[step, i], right)


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
def write_row(p, there, ring, here, begin, end, finish):
    """Columns of a flow out of its ring, without denormals where the iterations finish."""
    if finish:
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
                if b >= EDGE + width:
                    bars[bar, EDGE + width] = bars[bar, EDGE + width - 1]
        if simplex:
            low, stride = at(lower_shape, 0, place, y), lower_shape[0] * lower_shape[1]
            simplex_row(v, lower, low, stride, work, a, b, shrink)
            for c in range(labels):
                bar = ((k * labels + c) * 2 + (i & 1)) * rows + y
                relax_row(row(u, at(rings, c, place, y), a, b), row(v, c, a, b), row(bars, bar, a, b), rho)
                if b >= EDGE + width:
                    bars[bar, EDGE + width] = bars[bar, EDGE + width - 1]


@inlined
def dual_slab(
    slow, fast, third, fourth, rings, radius, radius_shape, bars, labels, width, k, i, place, below, a, b, sigma,
    smooth, rho, d, directions, isotropic, huber,
):  # fmt: skip
    """The dual step of columns a..b-1 of slab i, from u_bar of this slab and of the one below."""
    rows = rings[1]
    for y in range(rows):
        r = at(radius_shape, 0, place, y)
        for c in range(labels):
            x, bar = at(rings, c, place, y), (k * labels + c) * 2
            here, down = (bar + (i & 1)) * rows + y, (bar + (below & 1)) * rows + y
            beside = min(here + 1, (bar + (i & 1) + 1) * rows - 1)
            flow, other = row(slow, x, a, b), row(fast, x, a, b)
            centre, under, right = row(bars, here, a, b), row(bars, down, a, b), row(bars, here, a + 1, b + 1)
            bound = (row(radius, r, a, b), smooth, rho)
            if isotropic:
                ball_row(
                    flow, other, row(third, x, a, b), centre, under, right, row(bars, beside, a, b), *bound, d, huber,
                    directions,
                )  # fmt: skip
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
