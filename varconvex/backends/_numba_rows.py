"""What the iterations of `_numba_wavefront.py` do to a row: the innermost loops.

    v = (u - tau (cost - div p)) / (1 + tau quadratic)          u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

No two arrays of a call overlap where one of them is written. With `huber`, short = radius / (radius + smooth), where
smooth is sigma huber.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ._numba_kernels import DENORMAL, IMAGE, OCTAGONAL, ONE, TINY, VOLUME, ZERO, row_function

LINE = 16
"""Pixels of a cache line, which are those of the widest register as well."""


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
def ball_row(slow, fast, third, bar, down, right, beside, radius, smooth, rho, d, huber, directions):
    """The dual step of a row of an image or of a volume; d is sigma / spacing."""
    for j in range(slow.size):
        qs = slow[j] + d[0] * (down[j] - bar[j])
        qf = fast[j] + d[1] * (right[j] - bar[j])
        longest = radius[j]
        short = longest / max(longest + smooth, TINY) if huber else ONE
        square = qs * qs + qf * qf
        if directions == VOLUME:
            qt = third[j] + d[2] * (beside[j] - bar[j])
            square += qt * qt
        scale = short * longest / np.sqrt(max(short * short * square, max(longest * longest, TINY)))
        slow[j] += rho * (scale * qs - slow[j])
        fast[j] += rho * (scale * qf - fast[j])
        if directions == VOLUME:
            third[j] += rho * (scale * qt - third[j])


@row_function
def clip_row(p, bar, to, radius, smooth, rho, d, huber):
    """The dual step of one direction by itself, towards u_bar of the row `to`."""
    for j in range(p.size):
        q = p[j] + d * (to[j] - bar[j])
        longest = radius[j]
        if huber:
            q *= longest / max(longest + smooth, TINY)
        p[j] += rho * (min(max(q, -longest), longest) - p[j])
