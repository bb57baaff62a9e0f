"""How a problem's arrays are laid out for the compiled kernels of the Numba backend, and what still moves in them."""

from itertools import pairwise
from typing import Any

import numpy as np

from ._numba_bands import NOTHING, Seam
from ._numba_coupled import JOINT, PAIRWISE, SEPARATE
from ._numba_kernels import IMAGE, OCTAGONAL, VOLUME, compiled
from ._numba_wavefront import EDGE, padded, seam_rows, sizes
from ._pairs import SWEEPS
from .base import Problem

_DEPTHS = ((512, 24), (2048, 16))
"""Iterations that travel together over slabs, or a panel's parts of them, of up to so many pixels; more needs more
cached rows, fewer more hand-overs to threads."""

_LEAST_DEPTH, _SLABS = 8, 16
"""Over larger slabs; and how many slabs there are at least for each iteration, so that bands are longer than seams."""

_LARGE = 2**25
"""Pixels beyond which so many iterations take longer than there should be between two looks at the clock."""

_PANEL = 1365
"""Columns of a wide image that are iterated before the next ones: the rings of sixteen iterations stay in the cache."""

_HUGE, _MANY = 2**22, 2**19
"""Bytes for which NumPy asks for huge pages; and how many are worth it: small pages lie scattered, and some of them in
each other's places in the cache."""

_DAMPED = 4
"""News travel a pixel an iteration, but die away sooner: the iterations for each pixel that they are followed. What
gets further is noticed at the rim, and followed from there by the next block."""

_COUPLINGS = {"separate": SEPARATE, "joint": JOINT, "pairwise": PAIRWISE}


class Layout:
    """A problem's fields as matrices of full rows, beside how many slabs and rows each has."""

    def __init__(self, problem: Problem) -> None:
        self._image = problem.cost.ndim == 3
        labels, *spatial = problem.cost.shape
        self.shape = (spatial[0], 1) if self._image else (spatial[0], spatial[1])
        target = np.zeros((1,) * problem.cost.ndim, np.float32) if problem.target is None else problem.target
        fields = (problem.cost, problem.dual_radius, problem.lower, problem.upper, target)
        laid = [self._rows(field, spatial[-1], 1 if field is problem.dual_radius else labels) for field in fields]
        self.fields = tuple(field.reshape(-1, spatial[-1]) for field in laid[:4])
        self.target = laid[4].reshape(-1, spatial[-1])
        self.shapes = tuple(field.shape[1:3] for field in laid[:4])
        self.coupled_fields = (*self.fields, self.target, (*self.shapes, laid[4].shape[1:3]))
        terms = (problem.truncated, problem.huber > 0, problem.l1_weight > 0)
        self.coupling = (_COUPLINGS[problem.coupling], *terms, SWEEPS)
        if self._image:
            directions = IMAGE if problem.offsets is None else OCTAGONAL
            order = problem.steps
        else:
            directions = VOLUME
            slow, middle, fast = problem.steps
            order = (slow, fast, middle)
        steps = tuple(np.float32(step) for step in (*order, 0.0, 0.0)[:4])
        self.kind = (steps, directions, problem.isotropic, problem.simplex)
        self.charges = (
            problem.quadratic_weight,
            problem.huber,
            tuple(map(np.float64, steps)),
            directions,
            problem.isotropic,
        )
        self._labels, self._width = labels, spatial[-1]
        self._panels = self._cut_columns()
        self.depth = self._choose_depth(problem.cost.size, directions)
        self._room = sizes(self.depth, labels, self.shape, self.shapes, directions), 2 * EDGE + padded(spatial[-1])
        self.spare: list[tuple] = []
        low, high = np.zeros((2, 3, self.shape[0]), np.int64)
        self.everywhere, self.nowhere = (low, high + padded(spatial[-1])), np.zeros((0, 2), np.int64)

    def _cut_columns(self) -> list[tuple]:
        """Panels of a wide image, (first column, last + 1, how much further it is in a seam) as a single argument."""
        wide = self._image and self._labels == 1 and self._width > 2 * _PANEL
        count = round(self._width / _PANEL) if wide else 1
        edges = [padded(self._width * k // count) for k in range(count + 1)]
        # In a seam a panel's rims, and one column more, do not touch those of the next.
        return [((*columns, 3 * EDGE * k),) for k, columns in enumerate(pairwise(edges))]

    def _choose_depth(self, pixels: int, directions: int) -> int:
        slab = self._labels * self.shape[1] * self._width // len(self._panels)
        depth = next((n for most, n in _DEPTHS if slab <= most and pixels <= _LARGE), _LEAST_DEPTH)
        depth = max(min(depth, self.shape[0] // _SLABS), _LEAST_DEPTH)
        # What is wrong at the ends of a panel's rims comes nearer with each iteration; once more along diagonals.
        return depth if len(self._panels) == 1 else min(depth, EDGE - (directions == OCTAGONAL))

    def panels(self, n: int) -> list[tuple]:
        """What `block_kernel` iterates one after the other; all at once if there are few iterations."""
        return self._panels if n > _LEAST_DEPTH else [((0, padded(self._width), 0),)]

    def rings(self) -> tuple:
        """What one call of `block_kernel` works in: of those that were left in `spare`, or new."""
        # Taking one out is a single step of Python's, so that several threads may solve the same problem.
        try:
            return self.spare.pop()
        except IndexError:
            begins, columns = self._room
            return aligned(begins[-1], columns), begins, self.depth + 2

    def rim(self, band: tuple[int, int], panels: int) -> np.ndarray:
        """What a band's panels keep for the next: the last columns of each slab, and of the one above."""
        slabs = band[1] - band[0] + 1 if panels > 1 else 0
        return np.empty((5 * self._labels * slabs * self.shape[1], EDGE), np.float32)

    def seam(self, n: int, panels: int, plain: bool) -> Seam:
        """What keeps `n` iterations by `block_kernel`, or of coupled labels."""
        if plain:
            rows = seam_rows(n, self._labels, self.shape, self.kind[1])
            return Seam(rows, self._room[1] + 3 * EDGE * (panels - 1), panels)
        return Seam(n * self._labels * self.shape[1], self._width + 1, 1)

    def bars(self, n: int) -> np.ndarray:
        """u_bar of two slabs for each of `n` iterations of coupled labels.

        A row has one pixel more than there are, equal to the last: along the row no difference leaves the image.
        """
        return np.empty((2 * n * self._labels * self.shape[1], self._width + 1), np.float32)

    def _rows(self, field: Any, width: int, labels: int) -> np.ndarray:
        """(labels, slabs or 1, rows or 1, width)."""
        field = np.asarray(field, dtype=np.float32)
        d = 2 if self._image else 3
        field = field.reshape((1,) * (d + 1 - field.ndim) + field.shape)
        if self._image:
            field = field[:, :, None]
        return np.ascontiguousarray(np.broadcast_to(field, (labels, *field.shape[1:-1], width)))

    def order(self, u: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, ...]:
        """u, then the flows: slow, fast, and what others there are."""
        return (u, *p) if self._image else (u, p[0], p[2], p[1])


def aligned(rows: int, columns: int) -> np.ndarray:
    """Zeros that begin at a cache line, and fill half of a second cache or more without hindering each other there."""
    line, size = 64, rows * columns * 4
    memory = np.zeros(max(size + line, _HUGE if size >= _MANY else 0), np.uint8)
    begin = -memory.ctypes.data % line
    return memory[begin : begin + size].view(np.float32).reshape(rows, columns)


def matrices(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """As matrices of rows, and empty ones up to five."""
    matrices = [array.reshape(-1, array.shape[-1]) for array in arrays]
    return (*matrices, *[NOTHING] * (5 - len(matrices)))


@compiled
def spans(low, high, moved, reach, last):
    """First columns and those behind the last, (3, slabs) each, up to `reach` pixels from what has moved.

    Row 0 is for the dual step, 1 for the primal step, 2 what either of them reads; empty spans end before they begin.
    `moved` (slabs, 2) is where u or p moved, from column to column; an empty span is where they did not. `last` is the
    padded width.
    """
    slabs = len(moved)
    low[:], high[:] = last, 0
    for i in range(slabs):
        if moved[i, 0] < moved[i, 1]:
            first = max(moved[i, 0] - reach, 0) // EDGE * EDGE
            end = min(-(-(moved[i, 1] + reach) // EDGE) * EDGE, last)
            for near in range(max(i - reach, 0), min(i + reach + 1, slabs)):
                low[0, near] = min(low[0, near], first)
                high[0, near] = max(high[0, near], end)
    # The dual step of a slab looks at u_bar of the slab below, which looks at p of this one: a pixel to each side.
    for step in range(2):
        for i in range(slabs):
            near = min(max(i + 2 * step - 1, 0), slabs - 1)
            first, end = min(low[step, i], low[step, near]), max(high[step, i], high[step, near])
            if first < end:
                low[step + 1, i], high[step + 1, i] = max(first - EDGE, 0), min(end + EDGE, last)


class ActiveSet:
    """Where an image still moves: of each slab, the columns from the first to behind the last that did."""

    def __init__(self, block: int, slabs: int, width: int) -> None:
        self.block, self._width = block, width
        self.moved = np.empty((slabs, 2), np.int64)
        self._spans = np.empty((2, 3, slabs), np.int64)
        self.reset()

    def reset(self) -> None:
        """Take everything to move."""
        self.moved[:] = 0, self._width

    def spans(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The columns that `n` iterations have to look at, until asked again."""
        low, high = self._spans
        # Into arrays that are there: a signal that comes while Numba makes one would end in a SystemError.
        spans(low, high, self.moved, -(-n // _DAMPED), padded(self._width))
        return low, high
