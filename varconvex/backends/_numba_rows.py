"""Views of rows, and the elementary operations on them: the innermost loops of the iterations.

No two arrays of a call overlap where one of them is written.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ._numba_kernels import DENORMAL, ZERO, row_function

LINE = 16
"""Pixels of a cache line, which are those of the widest register as well."""


def _view(context: Any, builder: Any, kind: Any, matrix: Any, start: Any, size: Any) -> Any:
    """A contiguous one-dimensional view of `size` numbers of a matrix from the flat position `start` on.

    An ordinary slice's checks and reference counts take as long as 100 pixels; here the range must exist.
    """
    of = make_array(kind)(context, builder)
    populate_array(
        of, data=builder.gep(matrix.data, [start]), shape=[size], strides=[matrix.itemsize], itemsize=matrix.itemsize,
        meminfo=None,
    )  # fmt: skip
    return of._getvalue()


def _row(typing: Any, matrix: Any, here: Any, begin: Any, end: Any) -> Any:
    """matrix[here, begin:end]."""
    kind = types.Array(matrix.dtype, 1, "C")

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, here, begin, end = arguments
        rows = make_array(signature.args[0])(context, builder, rows)
        start = builder.add(builder.mul(here, builder.extract_value(rows.shape, 1)), begin)
        return _view(context, builder, kind, rows, start, builder.sub(end, begin))

    return kind(matrix, types.intp, types.intp, types.intp), build


def _rows(typing: Any, matrix: Any, starts: Any, size: Any) -> Any:
    """A tuple of views of `size` numbers, from each of the flat positions `starts` on."""
    kind = types.Array(matrix.dtype, 1, "C")
    views = types.UniTuple(kind, len(starts))

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, starts, size = arguments
        rows = make_array(signature.args[0])(context, builder, rows)
        positions = [builder.extract_value(starts, k) for k in range(len(views))]
        return context.make_tuple(
            builder, views, [_view(context, builder, kind, rows, start, size) for start in positions]
        )

    return views(matrix, types.UniTuple(types.intp, len(starts)), types.intp), build


row: Any = intrinsic(_row)
rows_at: Any = intrinsic(_rows)


@row_function
def copy_row(to: Any, source: Any) -> None:
    """to = source."""
    for j in range(to.size):
        to[j] = source[j]


@row_function
def add_row(v: Any, p: Any, d: Any) -> None:
    """v += d p."""
    for j in range(v.size):
        v[j] += d * p[j]


@row_function
def fill_row(to: Any, value: Any) -> None:
    """to = value."""
    for j in range(to.size):
        to[j] = value


@row_function
def flush_row(to: Any, source: Any) -> None:
    """to = source, with 0 for denormals: what decays geometrically ends there, and they are many times slower."""
    for j in range(to.size):
        to[j] = source[j] if abs(source[j]) > DENORMAL else ZERO


@row_function
def furthest(new: Any, old: Any) -> Any:
    """max |new - old|."""
    most = ZERO
    for j in range(new.size):
        most = max(most, abs(new[j] - old[j]))
    return most


@row_function
def descend_row(v: Any, u: Any, out: Any, into: Any, cost: Any, tau: Any, d: Any) -> None:
    """v = u - tau (cost - div p); the flows out of and into the row along each direction; d is tau / spacing."""
    for j in range(u.size):
        new = u[j] + d[0] * (out[0][j] - into[0][j]) + d[1] * (out[1][j] - into[1][j]) - tau * cost[j]
        if len(out) > 2:
            new += d[2] * (out[2][j] - into[2][j])
        if len(out) > 3:
            new += d[3] * (out[3][j] - into[3][j])
        v[j] = new


@row_function
def relax_row(u: Any, v: Any, bar: Any, rho: Any) -> None:
    """u_bar = 2 v - u, then u += rho (v - u)."""
    for j in range(u.size):
        old = u[j]
        step = v[j] - old
        bar[j] = old + step + step
        u[j] = old + rho * step
