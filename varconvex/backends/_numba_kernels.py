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
