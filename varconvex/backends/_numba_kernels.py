"""Shared by the compiled kernels of the Numba backend: compiler options, constants, and how a row is found.

Everything is a volume of slices along the slowest axis, u : (L, slices, rows, width); an image has slices of one row.
Kernels see u and p as matrices of rows, (L slices rows, width) and (k L slices rows, width), beside the numbers of
labels, slices and rows: with four axes the index arithmetic of a row would cost as much as 300 pixels.

A direction is a row offset: `IMAGE`, `VOLUME` and `OCTAGONAL` say to which neighbour each difference goes, and the flow
of the e-th direction is that many blocks of rows below the first. Their number is part of a tuple's type, so that it is
constant in compiled code.

Row functions work on whole rows of different arrays: that is what LLVM vectorises, once it is told that no two arrays
overlap. No integer meets a float32: Numba would go on in float64.
"""

from typing import Any

import numba
import numpy as np
from numba.core.compiler import Compiler


class _NoAlias(Compiler):
    """Numba's compiler, told that no two arrays of a call overlap where one of them is written."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


# Divisions are NumPy's: a check for 0 would stop the vectoriser.
_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": True}
compiled: Any = numba.njit(cache=True, **_options)
inlined: Any = numba.njit(forceinline=True, **_options)
row_function: Any = numba.njit(pipeline_class=_NoAlias, forceinline=True, **_options)

TINY = np.float32(1e-30)
DENORMAL = np.float32(1e-18)
ZERO = np.float32(0)
ONE = np.float32(1)

IMAGE = ((1, 0, 0), (0, 0, 1))
VOLUME = ((1, 0, 0), (0, 0, 1), (0, 1, 0))
OCTAGONAL = ((1, 0, 0), (0, 0, 1), (1, 0, 1), (1, 0, -1))
"""Offset in (slices, rows, columns) of the neighbour along each direction."""


@inlined
def at(shape: Any, c: Any, i: Any, y: Any) -> Any:
    """Row y of slice i of label c in a matrix of rows; a field that is constant over slices or rows has one of them."""
    slices, rows = shape
    return (c * slices + min(i, slices - 1)) * rows + min(y, rows - 1)
