"""The primal and the dual step of one slice where labels meet in the simplex only; `_numba_coupled.py` has the others.

    v = (u - tau (cost - div p)) / (1 + tau q)                  u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

With Huber's term short = radius / (radius + sigma huber), else 1. The nearest point of the simplex is found for all
pixels of a row at once (Michelot 1986, doi:10.1007/BF00938486).

All rows lie in one matrix, the ring buffer `space` of `_numba_wavefront.py`. `geometry` says where: the first row of
each field, of u_bar and of scratch; (slices, rows) of each field; (labels, slices, rows) of the ring buffer; `order` as
in `numba_layout.py`; offsets of the directions; the width.
"""

from typing import Any

import numpy as np
from numba.cpython.unsafe import tuple as unsafe

from ._numba_kernels import (
    ONE,
    TINY,
    ZERO,
    at,
    compiled,
    copy_row,
    descend_row,
    fill_row,
    inlined,
    row,
    row_function,
    rows_at,
)

put: Any = unsafe.tuple_setitem
"""A tuple of integers with another one at an index."""

EDGE = 16
"""Columns of 0 to both sides of a row, and columns that a tile reads beyond its own; rows are padded to a multiple. So
many pixels fill a cache line, and the widest register."""

COST, RADIUS, LOWER, UPPER, TARGET, BARS, SCRATCH = range(7)
"""Order of `begins`: the fields, u_bar, and what is computed on the way."""

MOST_DIRECTIONS = 4
TAU, SHRINK, REACH, THETA, SIGMA, SMOOTH, RHO, D_TAU = range(8)
D_SIGMA = D_TAU + MOST_DIRECTIONS
"""Columns of a schedule, one iteration a row: step sizes, 1 / (1 + tau q), how far the L1 term moves at most, the
extrapolation, sigma huber, the over-relaxation, and tau / spacing and sigma / spacing of each direction."""


@inlined
def state_row(geometry, c, place, y):
    """Row of u in the ring buffer, whose row 0 is always 0; the e-th flow's is (e + 1) labels slices rows below."""
    _, ring, rows = geometry[2]
    return 1 + (c * ring + place) * rows + y


@inlined
def bar_row(geometry, k, c, i, y):
    """Row of u_bar of iteration k, of which two slices are kept."""
    labels, _, rows = geometry[2]
    return geometry[0][BARS] + ((k * labels + c) * 2 + (i & 1)) * rows + y


@inlined
def field_row(space, geometry, field, c, place, y, a, b):
    """Columns a..b-1 of a row of a field."""
    return row(space, geometry[0][field] + at(geometry[1][field], c, place, y), a, b)


@inlined
def flow_rows(space, geometry, here, above, i, y, a, b):
    """Flows out of and into columns a..b-1 of a row along each direction; 0 comes from beyond the image.

    `here` and `above` are the rows of u in this slice and the one before.
    """
    _, _, (labels, ring, rows), order, offsets, _ = geometry
    part, width, out, into = labels * ring * rows, space.shape[1], order, order
    for e in range(len(offsets)):
        dz, dy, dx = offsets[e]
        source = (above if dz > 0 else here - dy) + (e + 1) * part
        out = put(out, e, (here + (e + 1) * part) * width + a)
        into = put(into, e, (source if i >= dz and y >= dy else 0) * width + a - dx)
    return rows_at(space, out, b - a), rows_at(space, into, b - a)


@row_function
def box_row(u, out, into, cost, lower, upper, bar, tau, shrink, rho, d):
    """The primal step of a row of labels in boxes, and its u_bar; arguments as of `descend_row`."""
    for j in range(u.size):
        old = u[j]
        v = old + d[0] * (out[0][j] - into[0][j]) + d[1] * (out[1][j] - into[1][j]) - tau * cost[j]
        if len(out) > 2:
            v += d[2] * (out[2][j] - into[2][j])
        if len(out) > 3:
            v += d[3] * (out[3][j] - into[3][j])
        step = min(max(shrink * v, lower[j]), upper[j]) - old
        bar[j] = old + step + step
        u[j] = old + rho * step


@inlined
def factors(plan, k, first):
    """tau / spacing or sigma / spacing of each direction."""
    return plan[k, first], plan[k, first + 1], plan[k, first + 2], plan[k, first + 3]


@inlined
def simplex_row(space, v, low, stride, labels, a, b, shrink):
    """Columns a..b-1 of shrink v to the simplex above lower bounds, all in rows of the matrix `space`.

    Label c is in row v + c, its lower bound in row low + c stride; four rows behind v are overwritten.
    """
    work = v + labels
    theta, free = row(space, work, a, b), row(space, work + 1, a, b)
    total, count = row(space, work + 2, a, b), row(space, work + 3, a, b)
    fill_row(theta, ZERO)
    fill_row(free, ONE)
    for c in range(labels):
        lift_row(row(space, v + c, a, b), row(space, low + c * stride, a, b), theta, free, shrink)
    mean_row(theta, free, ONE / np.float32(labels))
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        restart_row(total, count, free)
        for c in range(labels):
            count_row(row(space, v + c, a, b), theta, total, count)
        if raise_row(theta, total, count) == ZERO:
            break
    for c in range(labels):
        drop_row(row(space, v + c, a, b), row(space, low + c * stride, a, b), theta)


@row_function
def lift_row(v, lower, theta, free, shrink):
    """v = shrink v - lower, added to theta; the bound is taken from `free`."""
    for j in range(v.size):
        free[j] -= lower[j]
        v[j] = shrink * v[j] - lower[j]
        theta[j] += v[j]


@row_function
def mean_row(theta, free, share):
    """theta of all labels together: (theta - free) share."""
    for j in range(theta.size):
        theta[j] = (theta[j] - free[j]) * share


@row_function
def restart_row(total, count, free):
    """Sum and number of labels above theta before a sweep: -free and 0."""
    for j in range(total.size):
        total[j] = -free[j]
        count[j] = ZERO


@row_function
def count_row(v, theta, total, count):
    """Add a label to sum and number where it is above theta."""
    for j in range(v.size):
        total[j] += v[j] if v[j] > theta[j] else ZERO
        count[j] += ONE if v[j] > theta[j] else ZERO


@row_function
def raise_row(theta, total, count):
    """theta after a sweep; returns the largest change."""
    moved = ZERO
    for j in range(theta.size):
        new = total[j] / count[j] if count[j] > ZERO else theta[j]
        moved = max(moved, abs(new - theta[j]))
        theta[j] = new
    return moved


@row_function
def drop_row(v, lower, theta):
    """v = lower + max(v - theta, 0)."""
    for j in range(v.size):
        v[j] = lower[j] + max(v[j] - theta[j], ZERO)


@compiled
def simplex_block(u, shape, lower, lower_shape, labels, first, last):
    """Slices first..last-1 of u, each pixel's labels at the nearest point of the simplex above their lower bounds."""
    width = u.shape[1]
    space = np.empty((2 * labels + 4, width), np.float32)
    for i in range(first, last):
        for y in range(shape[1]):
            for c in range(labels):
                copy_row(row(space, c, 0, width), row(u, at(shape, c, i, y), 0, width))
                bound = row(lower, at(lower_shape, c, i, y), 0, width)
                copy_row(row(space, labels + 4 + c, 0, width), bound)
            simplex_row(space, 0, labels + 4, 1, labels, 0, width, ONE)
            for c in range(labels):
                copy_row(row(u, at(shape, c, i, y), 0, width), row(space, c, 0, width))


@inlined
def simplex_rows(space, geometry, place, y, a, b, shrink):
    """`simplex_row` of the labels in the first scratch rows."""
    begins, shapes, (labels, _, _), _, _, _ = geometry
    low, stride = begins[LOWER] + at(shapes[LOWER], 0, place, y), shapes[LOWER][0] * shapes[LOWER][1]
    simplex_row(space, begins[SCRATCH], low, stride, labels, a, b, shrink)


@row_function
def relax_row(u, v, bar, rho):
    """u_bar = 2 v - u, then u += rho (v - u)."""
    for j in range(u.size):
        old = u[j]
        step = v[j] - old
        bar[j] = old + step + step
        u[j] = old + rho * step


@inlined
def primal_slice(space, geometry, plan, k, i, place, before, a, b, simplex):
    """The primal step of columns a..b-1 of slice i, and its u_bar, which goes on beyond its last pixel.

    `place` and `before` are where the slice and the one before it lie in the ring buffer.
    """
    (labels, _, rows), end, scratch = geometry[2], EDGE + geometry[5], geometry[0][SCRATCH]
    tau, shrink, rho, d = plan[k, TAU], plan[k, SHRINK], plan[k, RHO], factors(plan, k, D_TAU)
    for y in range(rows):
        for c in range(labels):
            here, bar = state_row(geometry, c, place, y), bar_row(geometry, k, c, i, y)
            out, into = flow_rows(space, geometry, here, state_row(geometry, c, before, y), i, y, a, b)
            u, cost = row(space, here, a, b), field_row(space, geometry, COST, c, place, y, a, b)
            if simplex:
                descend_row(row(space, scratch + c, a, b), u, out, into, cost, tau, d)
                continue
            lower = field_row(space, geometry, LOWER, c, place, y, a, b)
            upper = field_row(space, geometry, UPPER, c, place, y, a, b)
            box_row(u, out, into, cost, lower, upper, row(space, bar, a, b), tau, shrink, rho, d)
            if b >= end:
                space[bar, end] = space[bar, end - 1]
        if simplex:
            simplex_rows(space, geometry, place, y, a, b, shrink)
            for c in range(labels):
                u, bar = row(space, state_row(geometry, c, place, y), a, b), bar_row(geometry, k, c, i, y)
                relax_row(u, row(space, scratch + c, a, b), row(space, bar, a, b), rho)
                if b >= end:
                    space[bar, end] = space[bar, end - 1]


@row_function
def ball_row(flows, bar, to, radius, smooth, rho, d, huber):
    """The isotropic dual step of a row, from u_bar here and along two or three directions; d is sigma / spacing."""
    slow, fast = flows[0], flows[1]
    for j in range(bar.size):
        qs = slow[j] + d[0] * (to[0][j] - bar[j])
        qf = fast[j] + d[1] * (to[1][j] - bar[j])
        longest = radius[j]
        short = longest / max(longest + smooth, TINY) if huber else ONE
        square = qs * qs + qf * qf
        if len(flows) > 2:
            qm = flows[2][j] + d[2] * (to[2][j] - bar[j])
            square += qm * qm
        scale = short * longest / np.sqrt(max(short * short * square, max(longest * longest, TINY)))
        slow[j] += rho * (scale * qs - slow[j])
        fast[j] += rho * (scale * qf - fast[j])
        if len(flows) > 2:
            flows[2][j] += rho * (scale * qm - flows[2][j])


@row_function
def clip_row(p, bar, to, radius, smooth, rho, d, huber):
    """The dual step of one direction by itself, towards u_bar of the row `to`."""
    for j in range(p.size):
        q = p[j] + d * (to[j] - bar[j])
        longest = radius[j]
        if huber:
            q *= longest / max(longest + smooth, TINY)
        p[j] += rho * (min(max(q, -longest), longest) - p[j])


@inlined
def dual_slice(space, geometry, plan, k, i, place, below, a, b, isotropic, huber):
    """The dual step of columns a..b-1 of slice i, from u_bar of this slice and of the one below."""
    _, _, (labels, ring, rows), order, offsets, width = geometry
    part, smooth, rho, d = labels * ring * rows, plan[k, SMOOTH], plan[k, RHO], factors(plan, k, D_SIGMA)
    for y in range(rows):
        radius = field_row(space, geometry, RADIUS, 0, place, y, a, b)
        for c in range(labels):
            here, flows, to = state_row(geometry, c, place, y), order, order
            for e in range(len(offsets)):
                dz, dy, dx = offsets[e]
                target = bar_row(geometry, k, c, below if dz > 0 else i, min(y + dy, rows - 1))
                flows = put(flows, e, (here + (e + 1) * part) * space.shape[1] + a)
                to = put(to, e, target * space.shape[1] + a + dx)
            bar = row(space, bar_row(geometry, k, c, i, y), a, b)
            p, ends = rows_at(space, flows, b - a), rows_at(space, to, b - a)
            if isotropic:
                ball_row(p, bar, ends, radius, smooth, rho, d, huber)
                continue
            for e in range(len(offsets)):
                dz, dy, dx = offsets[e]
                if dz * dx == 0 or below > i:
                    clip_row(p[e], bar, ends[e], radius, smooth, rho, d[e], huber)
                    if dz * dx != 0:
                        # A diagonal that leaves the image carries no flow.
                        space[here + (e + 1) * part, EDGE + (width - 1 if dx > 0 else 0)] = ZERO
