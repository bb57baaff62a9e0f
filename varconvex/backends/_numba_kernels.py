"""What the compiled kernels of the Numba backend share: how they are compiled, and functions of rows.

Everything is a volume of slabs, u : (L, slabs, rows, width); an image has slabs of one row. The directions of p are
slow (from slab to slab), fast (along the row), and two more where there are: middle (from row to row of a volume), or
the two diagonals of an image. Kernels see all of them as matrices of rows, (L slabs rows, width), beside the shape
(slabs, rows), and `at` finds a row: with four axes the bookkeeping of a row would cost as much as 300 pixels.

Row functions work on whole rows of different arrays: that is what LLVM vectorises, once it is told that no two arrays
overlap. No integer meets a float32: Numba would go on in float64.
"""

from typing import Any

import numba
import numpy as np
from numba.core.compiler import Compiler


class _NoAlias(Compiler):
    """Numba's compiler, told that no two arrays of a call overlap where one of them is written."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


# Divisions are NumPy's: a check for 0 would stop the vectoriser.
_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": True}
compiled = numba.njit(cache=True, **_options)
inlined = numba.njit(forceinline=True, **_options)
row_function = numba.njit(pipeline_class=_NoAlias, forceinline=True, **_options)

TINY = np.float32(1e-30)
DENORMAL = np.float32(1e-18)
ZERO = np.float32(0)
ONE = np.float32(1)

IMAGE, VOLUME, OCTAGONAL = 0, 1, 2
"""Whether `third` and `fourth` are nothing; the middle direction and nothing; or to the right and left below."""


@inlined
def at(shape, c, i, y):
    """Row y of slab i of label c in a matrix of rows; a field that is the same in all slabs or rows has one."""
    slabs, rows = shape
    return (c * slabs + min(i, slabs - 1)) * rows + min(y, rows - 1)


@row_function
def simplex_row(v, lower, low, stride, theta, free, total, count, shrink):
    """Michelot's projection on all pixels of a row at once; label c's bounds are in row low + c stride."""
    labels, width = v.shape
    share = ONE / np.float32(labels)
    for j in range(width):
        theta[j] = ZERO
        free[j] = ONE
    for c in range(labels):
        for j in range(width):
            free[j] -= lower[low + c * stride, j]
            v[c, j] = shrink * v[c, j] - lower[low + c * stride, j]
            theta[j] += v[c, j]
    for j in range(width):
        theta[j] = (theta[j] - free[j]) * share
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        for j in range(width):
            total[j] = -free[j]
            count[j] = ZERO
        for c in range(labels):
            for j in range(width):
                total[j] += v[c, j] if v[c, j] > theta[j] else ZERO
                count[j] += ONE if v[c, j] > theta[j] else ZERO
        moved = ZERO
        for j in range(width):
            new = total[j] / count[j] if count[j] > ZERO else theta[j]
            moved = max(moved, abs(new - theta[j]))
            theta[j] = new
        if moved == ZERO:
            break
    for c in range(labels):
        for j in range(width):
            v[c, j] = lower[low + c * stride, j] + max(v[c, j] - theta[j], ZERO)


@row_function
def shorten_row(short, radius, r, smooth):
    """Huber's part of the dual step: p / (1 + sigma huber / radius)."""
    for j in range(short.size):
        short[j] = radius[r, j] / max(radius[r, j] + smooth, TINY)


@compiled
def simplex_block(u, shape, lower, shapes, labels, first, last):
    """Slabs first..last-1 of u, each pixel's labels at the nearest point of the simplex above their lower bounds."""
    width = u.shape[1]
    v = np.empty((labels, width), np.float32)
    theta, free = np.empty(width, np.float32), np.empty(width, np.float32)
    total, count = np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(first, last):
        for y in range(shape[1]):
            for c in range(labels):
                v[c] = u[at(shape, c, i, y)]
            low = at(shapes[2], 0, i, y)
            simplex_row(v, lower, low, shapes[2][0] * shapes[2][1], theta, free, total, count, ONE)
            for c in range(labels):
                u[at(shape, c, i, y)] = v[c]
