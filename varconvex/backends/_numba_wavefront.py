"""n primal-dual iterations that travel over an image together: the hot loop of the Numba backend.

This is wavefront blocking, or time skewing, of a stencil (Wonnacott 2000, doi:10.1109/IPDPS.2000.845979; with threads:
Wellein et al. 2009, doi:10.1109/COMPSAC.2009.82). Its parts, by the names that all files here use:

slice
    What lies at one index of the slowest axis: a row of an image, a plane of a volume. Each iteration is one slice
    behind the one before it: with u_bar of slices i and i + 1, the dual slice i is updated as soon as the primal slice
    i + 1 is known. So memory is touched once for n iterations.
ring buffer
    The n + 2 slices that the iterations are passing over, copied in before the first iteration and back after the last.
    Its rows are aligned, padded to whole registers and have zeros to both sides: no row needs a special first or last
    pixel. It is one matrix, `space`: row 0 is always 0, then come u and the flows of each direction, the fields, u_bar
    of each iteration, and scratch rows (`Layout` says how many).
thread band
    The slices of one thread (`numba_layout.py`). Where two bands meet, the lower one begins each iteration one slice
    later than the one before. The slices that it leaves half-way, and u_bar as the upper band needs it to finish them,
    go into a **halo**, a matrix that both see.
tile of columns
    A part of a wide image's columns, small enough for its ring buffer to stay in the cache. Tiles are iterated one
    after the other. Each also computes a **tile halo** of its neighbours' columns to both sides: the error at the
    halo's end comes nearer by a pixel an iteration, and does not reach the tile's own columns. The columns to the left
    are kept as they were before the last tile changed them.
active columns
    Of each slice, those near which u or p changed in the last block of iterations; others are left out: most of an
    image converges long before its last pixel does, u at a bound and p inside its ball (`spans` in `numba_layout.py`).
"""

from functools import lru_cache
from typing import Any

import numpy as np

from ._numba_coupled import coupled_dual_slice, coupled_primal_slice
from ._numba_kernels import ZERO, at, compiled, copy_row, flush_row, furthest, inlined, row
from ._numba_steps import EDGE, RADIUS, bar_row, dual_slice, primal_slice, state_row

CONVERGED = np.float32(1e-5)
"""Largest change in a block of iterations, relative to u's range or p's radius, of a pixel that counts as converged."""


def padded(width: int) -> int:
    """Columns of a row without its edges, padded to whole registers."""
    return -(-width // EDGE) * EDGE


@lru_cache
def block_kernel(offsets: tuple, isotropic: bool, simplex: bool, huber: bool, coupled: bool) -> Any:
    """`iterate_block` for one kind of problem: a branch for what cannot happen would cost a row as much as 100 pixels.

    With `coupled` it is for every problem with these directions, and the other three are not looked at.
    """

    @compiled
    def iterate_block(
        space, places, ring, tile_halo, active, moved, u, p, order, counts, fields, shapes, schedule, flags, tile, band,
        fronts, ends, above, below,
    ):  # fmt: skip
        """Iterations of `schedule` on the slices of a band: what there is to do while the first travels over `fronts`.

        Parameters
        ----------
        space, places, ring : the ring buffer; first rows of fields, u_bar and scratch in it, and (slices, rows) of each
            field; how many slices it has
        tile_halo : columns to the left of a tile as they were before its neighbour was iterated
        active, moved : active columns (2, 3, slices) as of `spans`; where to note what changes (slices, 2), or (0, 2)
        u, p, order : the state as matrices of rows, and the row of p at which each direction begins
        counts : labels, slices, rows
        fields, shapes : cost, radius, lower, upper, target as matrices of rows; their (slices, rows)
        schedule : (n, 15), step sizes as in `_numba_steps.py`
        flags : whether the last iteration ends feasible; then `_numba_coupled.py`'s
        tile : first column, last + 1, and by how many columns it is further to the right in a halo
        band : first slice, last + 1
        ends : whether (0 or 1) the band begins and ends at another band: iteration k does so k slices later
        above, below : the halos shared with these bands
        """
        labels, slices, rows = counts
        width, n, finish = u.shape[1], len(schedule), flags[0]
        left, right, shift = tile
        first, last = band
        bottom = last + (n - 1) * ends[1]
        grid = (labels, ring, rows)
        # Not in the loop: counting references to an array, all threads wait for each other.
        cost, radius, lower, upper, target = fields
        begins, wrapped = places
        geometry = (begins, wrapped, grid, order, offsets, width)
        read_field(space, begins[0], wrapped[0], cost, shapes[0], labels, 0, 0, 0, width, True)
        read_field(space, begins[1], wrapped[1], radius, shapes[1], 1, 0, 0, 0, width, True)
        read_field(space, begins[2], wrapped[2], lower, shapes[2], labels, 0, 0, 0, width, True)
        read_field(space, begins[3], wrapped[3], upper, shapes[3], labels, 0, 0, 0, width, True)
        read_field(space, begins[4], wrapped[4], target, shapes[4], labels, 0, 0, 0, width, True)
        for front in range(fronts[0], fronts[1]):
            new, place = front + 1, (front + 1) % ring
            begin, end = columns(active, 2, new, bottom, left - EDGE, min(right + EDGE, width))
            if begin < end:
                for i in range(front if new == first and ends[0] else new, new + 1):
                    load_slice(space, geometry, u, p, tile_halo, below, slices, tile, band, n, i, begin, end)
                read_field(space, begins[0], wrapped[0], cost, shapes[0], labels, new, place, begin, end, False)
                read_field(space, begins[1], wrapped[1], radius, shapes[1], 1, new, place, begin, end, False)
                read_field(space, begins[2], wrapped[2], lower, shapes[2], labels, new, place, begin, end, False)
                read_field(space, begins[3], wrapped[3], upper, shapes[3], labels, new, place, begin, end, False)
                read_field(space, begins[4], wrapped[4], target, shapes[4], labels, new, place, begin, end, False)
            for k in range(max(front - bottom + 1, 0), min(front - first + 2, n)):
                i = front - k
                beneath = place - k if place >= k else place - k + ring
                here = beneath - 1 if beneath > 0 else ring - 1
                top, foot = first + k * ends[0], last + k * ends[1]
                begin, end = columns(active, 1, i + 1, foot if i + 1 >= top else 0, left - EDGE, right + EDGE)
                a, b = columns(active, 0, i, foot if i >= top else 0, left - EDGE, right + EDGE)
                if begin < end:
                    x, y = EDGE + begin, EDGE + end
                    if coupled:
                        coupled_primal_slice(space, geometry, schedule, k, i + 1, beneath, here, x, y, flags)
                    else:
                        primal_slice(space, geometry, schedule, k, i + 1, beneath, here, x, y, simplex)
                    if ends[0] and i + 1 == top:
                        swap_bars(space, geometry, k, n, top, above, shift, x, y + 1, True)
                if a < b:
                    if ends[1] and i + 1 == foot:
                        begin, end = columns(active, 1, foot, foot + 1, left - EDGE, right + EDGE)
                        swap_bars(space, geometry, k, n, foot, below, shift, EDGE + begin, EDGE + end + 1, False)
                    x, y, down = EDGE + a, EDGE + b, min(i + 1, slices - 1)
                    if coupled:
                        coupled_dual_slice(space, geometry, schedule, k, i, here, down, x, y, flags)
                    else:
                        dual_slice(space, geometry, schedule, k, i, here, down, x, y, isotropic, huber)
            done = front - n + 1
            if done < first or done >= bottom or active[0, 2, done] >= active[1, 2, done]:
                continue
            if ends[0] and done < first + n - 1:
                # The band above goes on with all that has been read.
                begin, end = columns(active, 2, done, bottom, left - EDGE, min(right + EDGE, width))
                hand_over(space, geometry, above, n, done, first, shift, begin, end)
            else:
                # Only what a step has changed is written back.
                begin, end = columns(active, 1, done, bottom, left, min(right, width))
                r = begins[RADIUS] + at(wrapped[RADIUS], 0, (done + ring) % ring, 0)
                if len(moved) and left == 0:
                    moved[done, 0], moved[done, 1] = width, 0
                if begin < end:
                    store_slice(space, geometry, u, p, slices, moved, r, done, begin, end, finish)

    return iterate_block


@inlined
def columns(active, step, i, slices, left, right):
    """Active columns of slice i for a step that are in [left, right); none if it is not one of the first `slices`."""
    if i >= slices or i < 0:
        return 0, 0
    return max(active[0, step, i], left), min(active[1, step, i], right)


@inlined
def read_field(space, first, wrapped, field, shape, labels, i, place, begin, end, constant):
    """Copy columns of slice i of a field into the ring buffer, if it is `constant` over the slices or if it is not."""
    if (shape[0] == 1) == constant:
        for c in range(labels):
            for y in range(shape[1]):
                there = (c * shape[0] + i) * shape[1] + y
                read_row(space, first + at(wrapped, c, place, y), field, there, begin, end)


@inlined
def read_row(space, here, array, there, begin, end):
    """Copy columns of an array's row into the ring buffer."""
    copy_row(row(space, here, EDGE + begin, EDGE + end), row(array, there, begin, end))


@compiled
def copy_state(to, here, to_part, a, source, there, part, b, size, count):
    """Copy a row of u and of the flows, `count` together, between matrices in which they lie `part` rows apart."""
    for s in range(count):
        x, y = here + s * to_part, there + s * part
        copy_row(row(to, x, a, a + size), row(source, y, b, b + size))


@inlined
def load_slice(space, geometry, u, p, tile_halo, below, slices, tile, band, n, i, begin, end):
    """Copy columns of slice i of u and p into the ring buffer; from the halo if it is the band's below."""
    _, _, (labels, ring, rows), order, _, _ = geometry
    left, right, shift = tile
    first, last = band
    part, half, kept = labels * ring * rows, labels * n * rows, labels * rows * (last - first + 1)
    count = len(order) + 1
    for c in range(labels):
        for y in range(rows):
            here = state_row(geometry, c, (i + ring) % ring, y)
            if i >= last:
                x, there = EDGE + begin, half + at((n, rows), c, i - last, y)
                copy_state(space, here, part, x, below, there, half, x + shift, end - begin, count)
                continue
            x, there = max(begin, left), at((last - first + 1, rows), c, i - first + 1, y)
            if begin < left:
                copy_state(space, here, part, left, tile_halo, there, kept, 0, EDGE, count)
            own = at((slices, rows), c, i, y)
            read_row(space, here, u, own, x, end)
            for e in range(len(order)):
                read_row(space, here + (e + 1) * part, p, order[e] + own, x, end)
            if right < u.shape[1] and end > right - EDGE:
                copy_state(tile_halo, there, kept, 0, space, here, part, right, EDGE, count)


@inlined
def swap_bars(space, geometry, k, n, i, halo, shift, a, b, out):
    """Copy columns a..b-1 of u_bar of iteration k and slice i into a halo, or from it unless `out`."""
    labels, _, rows = geometry[2]
    for c in range(labels):
        for y in range(rows):
            mine = row(space, bar_row(geometry, k, c, i, y), a, b)
            shared = row(halo, at((n, rows), c, k, y), a + shift, b + shift)
            if out:
                copy_row(shared, mine)
            else:
                copy_row(mine, shared)


@inlined
def hand_over(space, geometry, above, n, i, first, shift, begin, end):
    """Copy columns of the half-way slice i from the ring buffer into the halo of the band above."""
    _, _, (labels, ring, rows), order, _, _ = geometry
    part, half, count, x = labels * ring * rows, labels * n * rows, len(order) + 1, EDGE + begin
    for c in range(labels):
        for y in range(rows):
            here, there = state_row(geometry, c, (i + ring) % ring, y), half + at((n, rows), c, i - first, y)
            if begin < end:
                copy_state(above, there, half, x + shift, space, here, part, x, end - begin, count)


@inlined
def store_slice(space, geometry, u, p, slices, moved, r, i, begin, end, finish):
    """Copy columns of slice i from the ring buffer to u and p; note what has changed, with the radius in row r."""
    _, _, (labels, ring, rows), order, _, _ = geometry
    part = labels * ring * rows
    for c in range(labels):
        for y in range(rows):
            here, there = state_row(geometry, c, (i + ring) % ring, y), at((slices, rows), c, i, y)
            if len(moved):
                note_moved(moved, i, u, p, order, there, space, here, part, r, begin, end)
            copy_row(row(u, there, begin, end), row(space, here, EDGE + begin, EDGE + end))
            for e in range(len(order)):
                to = row(p, order[e] + there, begin, end)
                source = row(space, here + (e + 1) * part, EDGE + begin, EDGE + end)
                if finish:
                    flush_row(to, source)
                else:
                    copy_row(to, source)


@inlined
def note_moved(moved, i, u, p, order, there, space, here, part, r, begin, end):
    """Widen moved[i] by the columns in which a row has changed; looked for from both sides, register by register."""
    for side in range(2):
        for step in range(begin // EDGE, -(-end // EDGE)):
            a = EDGE * (step if side == 0 else begin // EDGE + -(-end // EDGE) - 1 - step)
            if (side == 0 and a >= moved[i, 0]) or (side == 1 and a + EDGE <= moved[i, 1]):
                break
            b = min(a + EDGE, end)
            x, y, reach = EDGE + a, EDGE + b, ZERO
            for j in range(x, y):
                reach = max(reach, space[r, j])
            far = furthest(row(space, here, x, y), row(u, there, a, b)) > CONVERGED
            for e in range(len(order)):
                flow = row(space, here + (e + 1) * part, x, y)
                far = far or furthest(flow, row(p, order[e] + there, a, b)) > CONVERGED * reach
            if far:
                moved[i, side] = a if side == 0 else b
                break
        if moved[i, 0] >= end:
            return
