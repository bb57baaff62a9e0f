"""Shared by the compiled kernels of the Numba backend: compiler options, constants, and the operations on rows.

Everything is a volume of slices along the slowest axis, u : (L, slices, rows, width); an image has slices of one row.
Kernels see u and p as matrices of rows, (L slices rows, width) and (k L slices rows, width), beside the numbers of
labels, slices and rows: with four axes the index arithmetic of a row would cost as much as 300 pixels.

A direction is a row offset: `IMAGE`, `VOLUME` and `OCTAGONAL` say to which neighbour each difference goes, and the flow
of the e-th direction is that many blocks of rows below the first. Their number is part of a tuple's type, so that it is
constant in compiled code.

Row functions are the innermost loops. They work on whole rows of different arrays, which LLVM vectorises once it is
told that no two arrays of a call overlap where one of them is written. No integer meets a float32: Numba would go on in
float64.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core.compiler import Compiler
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from .. import compiling as caching


class _NoAlias(Compiler):
    """Numba's compiler, told that no two arrays of a call overlap where one of them is written."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


# Divisions are NumPy's: a check for 0 would stop the vectoriser.
_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": True}
compiled: Any = caching.compiled(**_options)
inlined: Any = caching.inlined(**_options)
row_function: Any = caching.inlined(pipeline_class=_NoAlias, **_options)

TINY = np.float32(1e-30)
DENORMAL = np.float32(1e-18)
ZERO = np.float32(0)
ONE = np.float32(1)

IMAGE = ((1, 0, 0), (0, 0, 1))
VOLUME = ((1, 0, 0), (0, 0, 1), (0, 1, 0))
OCTAGONAL = ((1, 0, 0), (0, 0, 1), (1, 0, 1), (1, 0, -1))
"""Offset in (slices, rows, columns) of the neighbour along each direction."""


@inlined
def at(shape, c, i, y):
    """Row y of slice i of label c in a matrix of rows; a field that is constant over slices or rows has one of them."""
    slices, rows = shape
    return (c * slices + min(i, slices - 1)) * rows + min(y, rows - 1)


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
def copy_row(to, source):
    """to = source."""
    for j in range(to.size):
        to[j] = source[j]


@row_function
def add_row(v, p, d):
    """v += d p."""
    for j in range(v.size):
        v[j] += d * p[j]


@row_function
def fill_row(to, value):
    """to = value."""
    for j in range(to.size):
        to[j] = value


@row_function
def flush_row(to, source):
    """to = source, with 0 for denormals: what decays geometrically ends there, and they are many times slower."""
    for j in range(to.size):
        to[j] = source[j] if abs(source[j]) > DENORMAL else ZERO


@row_function
def furthest(new, old):
    """max |new - old|."""
    most = ZERO
    for j in range(new.size):
        most = max(most, abs(new[j] - old[j]))
    return most


@row_function
def descend_row(v, u, out, into, cost, tau, d):
    """v = u - tau (cost - div p); the flows out of and into the row along each direction; d is tau / spacing."""
    for j in range(u.size):
        new = u[j] + d[0] * (out[0][j] - into[0][j]) + d[1] * (out[1][j] - into[1][j]) - tau * cost[j]
        if len(out) > 2:
            new += d[2] * (out[2][j] - into[2][j])
        if len(out) > 3:
            new += d[3] * (out[3][j] - into[3][j])
        v[j] = new
