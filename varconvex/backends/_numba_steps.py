"""The primal and the dual step of one slice where labels meet in the simplex only; `_numba_coupled.py` has the others.

    v = (u - tau (cost - div p)) / (1 + tau q)                  u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

With Huber's term short = radius / (radius + sigma huber), else 1. All rows lie in one matrix, the ring buffer `space`
of `_numba_wavefront.py`. `geometry` says where: the first row of each field, of u_bar and of scratch; (slices, rows) of
each field; (labels, slices, rows) of the ring buffer; `order` as in `numba_layout.py`; offsets of the directions; the
width.
"""

from typing import Any

import numpy as np
from numba.cpython.unsafe import tuple as unsafe

from ._numba_kernels import ONE, TINY, ZERO, at, inlined, row_function
from ._numba_rows import LINE, descend_row, relax_row, row, rows_at
from ._numba_simplex import simplex_row

put: Any = unsafe.tuple_setitem
"""A tuple of integers with another one at an index."""

EDGE = LINE
"""Columns of 0 to both sides of a row, and columns that a tile reads beyond its own; rows are padded to a multiple."""

COST, RADIUS, LOWER, UPPER, TARGET, BARS, SCRATCH = range(7)
"""Order of `begins`: the fields, u_bar, and what is computed on the way."""

MOST_DIRECTIONS = 4
TAU, SHRINK, REACH, THETA, SIGMA, SMOOTH, RHO, D_TAU = range(8)
D_SIGMA = D_TAU + MOST_DIRECTIONS
"""Columns of a schedule, one iteration a row: step sizes, 1 / (1 + tau q), how far the L1 term moves at most, the
extrapolation, sigma huber, the over-relaxation, and tau / spacing and sigma / spacing of each direction."""


@inlined
def state_row(geometry: Any, c: Any, place: Any, y: Any) -> Any:
    """Row of u in the ring buffer, whose row 0 is always 0; the e-th flow's is (e + 1) labels slices rows below."""
    _, ring, rows = geometry[2]
    return 1 + (c * ring + place) * rows + y


@inlined
def bar_row(geometry: Any, k: Any, c: Any, i: Any, y: Any) -> Any:
    """Row of u_bar of iteration k, of which two slices are kept."""
    labels, _, rows = geometry[2]
    return geometry[0][BARS] + ((k * labels + c) * 2 + (i & 1)) * rows + y


@inlined
def field_row(space: Any, geometry: Any, field: Any, c: Any, place: Any, y: Any, a: Any, b: Any) -> Any:
    """Columns a..b-1 of a row of a field."""
    return row(space, geometry[0][field] + at(geometry[1][field], c, place, y), a, b)


@inlined
def flow_rows(space: Any, geometry: Any, here: Any, above: Any, i: Any, y: Any, a: Any, b: Any) -> Any:
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
def box_row(
    u: Any, out: Any, into: Any, cost: Any, lower: Any, upper: Any, bar: Any, tau: Any, shrink: Any, rho: Any, d: Any
) -> None:
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
def factors(plan: Any, k: Any, first: Any) -> Any:
    """tau / spacing or sigma / spacing of each direction."""
    return plan[k, first], plan[k, first + 1], plan[k, first + 2], plan[k, first + 3]


@inlined
def simplex_rows(space: Any, geometry: Any, place: Any, y: Any, a: Any, b: Any, shrink: Any) -> None:
    """`simplex_row` of the labels in the first scratch rows."""
    begins, shapes, (labels, _, _), _, _, _ = geometry
    low, stride = begins[LOWER] + at(shapes[LOWER], 0, place, y), shapes[LOWER][0] * shapes[LOWER][1]
    simplex_row(space, begins[SCRATCH], low, stride, labels, a, b, shrink)


@inlined
def primal_slice(
    space: Any, geometry: Any, plan: Any, k: Any, i: Any, place: Any, before: Any, a: Any, b: Any, simplex: Any
) -> None:
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
def ball_row(flows: Any, bar: Any, to: Any, radius: Any, smooth: Any, rho: Any, d: Any, huber: Any) -> None:
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
def clip_row(p: Any, bar: Any, to: Any, radius: Any, smooth: Any, rho: Any, d: Any, huber: Any) -> None:
    """The dual step of one direction by itself, towards u_bar of the row `to`."""
    for j in range(p.size):
        q = p[j] + d * (to[j] - bar[j])
        longest = radius[j]
        if huber:
            q *= longest / max(longest + smooth, TINY)
        p[j] += rho * (min(max(q, -longest), longest) - p[j])


@inlined
def dual_slice(
    space: Any, geometry: Any, plan: Any, k: Any, i: Any, place: Any, below: Any, a: Any, b: Any, isotropic: Any,
    huber: Any,
) -> None:  # fmt: skip
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
