"""How a problem is laid out for the compiled kernels of the Numba backend: its arrays, thread bands, active columns.

Each thread iterates a band of slices, side by side with the others, and nothing is computed twice.

Where two bands meet, the dual step above needs u_bar from below, and the primal step below the flow from above, of
each iteration in turn. The band below does without: its iteration k begins at its slice k, for which it has all that it
needs. The band above ends iteration k there, with u_bar that the band below has kept for it in a halo. All bands travel
downwards: when the one above gets there, the one below has finished its first slices long since.
"""

import threading
from itertools import pairwise
from typing import Any

import numpy as np

from ..threads import n_threads
from ._numba_coupled import JOINT, PAIRWISE, SEPARATE, scratch_rows
from ._numba_kernels import IMAGE, OCTAGONAL, VOLUME, compiled
from ._numba_steps import EDGE
from ._numba_wavefront import block_kernel, padded
from .pairs import SWEEPS
from .problem import Problem

_DEPTHS = ((512, 24), (2048, 16))
"""(pixels, iterations): iterations that travel together over slices, or a tile's part of them, of up to so many pixels.
More need a larger ring buffer, fewer more hand-overs to threads."""

_LEAST_DEPTH, _SLICES = 8, 16
"""Over larger slices; and the least number of slices for each iteration, so that bands are longer than halos."""

_LARGE = 2**25
"""Pixels of an image from which on so many iterations would take too long between two checks of the time limit."""

_TILE = 1365
"""Columns of a tile of a wide image: the ring buffer of sixteen iterations stays in the cache."""

_HUGE, _MANY = 2**22, 2**19
"""Bytes from which NumPy requests huge pages, and from which they pay: small pages are scattered in memory, and some of
them map to the same sets of the cache."""

_DAMPED = 4
"""A change travels a pixel an iteration, but dies away sooner: iterations for each pixel that the active columns are
widened. What gets further changes their outermost pixels, and is followed from there in the next block."""

SHARE = 2**18
"""Least pixels, times iterations where there are some, that are worth a thread: waking it takes 50 microseconds."""

_COUPLINGS = {"separate": SEPARATE, "joint": JOINT, "pairwise": PAIRWISE}


class Halo:
    """Rows that a band leaves for the one above it, and an event for each tile of columns when they are complete."""

    def __init__(self, rows: int, columns: int, tiles: int) -> None:
        self.rows = np.empty((rows, columns), np.float32)
        self.ready = [threading.Event() for _ in range(tiles)]

    def open(self) -> None:
        """Release every thread that waits for this halo."""
        for event in self.ready:
            event.set()


def cut(work: np.ndarray, n: int) -> list[tuple[int, int]]:
    """Bands (first slice, last + 1) of equal work, for `n` iterations; `work` (slices,) is in pixels an iteration."""
    slices = len(work)
    count = max(1, min(n_threads(), slices // (6 * n), int(work.sum()) * n // SHARE))
    done = np.cumsum(work + 1.0)
    edges = [0]
    for k in range(1, count):
        # n (n - 1) / 2 slices and iterations below an edge are left to the band above.
        edge = int(np.searchsorted(done, done[-1] * k / count)) - n // 2
        edges.append(min(max(edge, edges[-1] + 3 * n), slices - 3 * n * (count - k)))
    return list(pairwise([*edges, slices]))


def iterate_band(
    kernel: Any, head: tuple, tiles: list[tuple], band: tuple[int, int], halos: tuple[Halo | None, Halo | None], n: int
) -> None:
    """`n` iterations of a band, tile by tile, by a compiled kernel; the band below must be running, or finished."""
    first, last = band
    above, below = halos
    ends = (int(above is not None), int(below is not None))
    rows = tuple(np.empty((0, 0), np.float32) if halo is None else halo.rows for halo in halos)
    # When the band above may go on; before what needs the band below; and the end.
    stops = [first + 2 * n - 2] * ends[0] + [last - 1] * ends[1] + [last + (n - 1) * (1 + ends[1])]
    try:
        for k, tile in enumerate(tiles):
            front = first - 1
            for stop in stops:
                if below is not None and stop > last - 1:
                    below.ready[k].wait()
                kernel(*head, tile, band, (front, stop), ends, *rows)
                front = stop
                if above is not None:
                    above.ready[k].set()
    finally:
        if above is not None:
            above.open()


class Layout:
    """A problem's fields as matrices of full rows, beside how many slices and rows each has.

    Attributes
    ----------
    fields, shapes : cost, dual radius, lower, upper and target as matrices of rows, and their (slices, rows)
    offsets, steps : neighbour and 1 / spacing of each direction; slow, fast, then the others
    order : row at which each direction begins in p as a matrix of rows
    counts : (labels, slices, rows)
    depth : most iterations that travel together
    flags : `flags` of `_numba_coupled.py` without the first
    """

    def __init__(self, problem: Problem) -> None:
        self._problem_kind = (problem.isotropic, problem.simplex, problem.huber > 0)
        self._image = problem.cost.ndim == 3
        labels, *spatial = problem.cost.shape
        self._labels, self._width = labels, spatial[-1]
        self.shape = (spatial[0], 1) if self._image else (spatial[0], spatial[1])
        self.counts = (labels, *self.shape)
        target = problem.target if problem.l1_weight else np.zeros((1,) * problem.cost.ndim, np.float32)
        fields = (problem.cost, problem.dual_radius, problem.lower, problem.upper, target)
        laid = [self._rows(field, 1 if field is problem.dual_radius else labels) for field in fields]
        self.fields = tuple(field.reshape(-1, self._width) for field in laid)
        self.shapes = tuple(field.shape[1:3] for field in laid)
        self.offsets = VOLUME if not self._image else OCTAGONAL if problem.offsets else IMAGE
        places = range(len(self.offsets)) if self._image else (0, 2, 1)
        self.order = tuple(place * labels * self.shape[0] * self.shape[1] for place in places)
        self.steps = tuple(np.float64(np.float32(problem.steps[place])) for place in places)
        coupling = _COUPLINGS[problem.coupling]
        kind = (problem.isotropic, problem.simplex, coupling, problem.truncated, problem.huber > 0)
        self.flags = (*map(int, kind), int(problem.l1_weight > 0), SWEEPS)
        # Tiles of a wide image: first column, last + 1, and by how much further to the right it is in a halo, where the
        # columns of a tile, its own halo's, and one more do not touch those of the next tile.
        wide = self._image and labels == 1 and self._width > 2 * _TILE
        count = round(self._width / _TILE) if wide else 1
        edges = [padded(self._width * k // count) for k in range(count + 1)]
        self._tiles = [(*columns, 3 * EDGE * k) for k, columns in enumerate(pairwise(edges))]
        part = labels * self.shape[1] * self._width // count
        depth = next((n for most, n in _DEPTHS if part <= most and problem.cost.size <= _LARGE), _LEAST_DEPTH)
        depth = max(min(depth, self.shape[0] // _SLICES), _LEAST_DEPTH)
        # The error at the ends of a tile's halo comes nearer with each iteration; once more along diagonals.
        self.depth = depth if count == 1 else min(depth, EDGE - (self.offsets == OCTAGONAL))
        scratch = scratch_rows(labels, len(self.offsets), coupling)
        # In the ring buffer one slice of a field is enough where all are equal.
        ring, rows = self.depth + 2, labels * self.shape[1]
        wrapped = tuple((ring if slices > 1 else 1, field_rows) for slices, field_rows in self.shapes)
        counts = [1 + (1 + len(self.offsets)) * rows * ring]
        counts += [labels * slices * field_rows for slices, field_rows in wrapped]
        *begins, self._ring_rows = np.cumsum([*counts, 2 * self.depth * rows, scratch]).tolist()
        self._places = tuple(begins), wrapped
        self.spare: list[tuple] = []
        everywhere = np.zeros((2, 3, self.shape[0]), np.int64)
        everywhere[1] = padded(self._width)
        self.everywhere, self.nowhere = everywhere, np.zeros((0, 2), np.int64)

    def charges(self, problem: Problem, real: Any) -> tuple:
        """Arguments of `primal_block` and `threshold_block`, in the dtype `real`."""
        weights = (real(problem.quadratic_weight), real(problem.l1_weight), real(problem.huber))
        kind = (problem.isotropic, self.flags[2], problem.truncated)
        return (*weights, tuple(map(real, self.steps)), self.offsets, *kind)

    def kernel(self, coupled: bool) -> Any:
        """The compiled iterations for this kind of problem."""
        isotropic, simplex, huber = self._problem_kind if not coupled else (False, False, False)
        return block_kernel(self.offsets, isotropic, simplex, huber, coupled)

    def tiles(self, n: int) -> list[tuple[int, int, int]]:
        """Tiles of columns, iterated one after the other; a single one if there are few iterations."""
        return self._tiles if n > _LEAST_DEPTH else [(0, padded(self._width), 0)]

    def ring_buffer(self) -> tuple:
        """The first three arguments of `iterate_block`: a buffer that was left in `spare`, or a new one."""
        # Taking one out is a single step of Python's, so that several threads may solve the same problem.
        try:
            return self.spare.pop()
        except IndexError:
            space = aligned(self._ring_rows, 2 * EDGE + padded(self._width))
            return space, self._places, self.depth + 2

    def tile_halo(self, band: tuple[int, int], tiles: int) -> np.ndarray:
        """Kept from one tile of a band for the next: the last columns of each slice, and of the one above."""
        slices = band[1] - band[0] + 1 if tiles > 1 else 0
        return np.empty(((1 + len(self.offsets)) * self._labels * slices * self.shape[1], EDGE), np.float32)

    def halo(self, n: int, tiles: int) -> Halo:
        """The halo between two bands: u_bar of `n` iterations, then u and the flows of as many slices."""
        rows = (2 + len(self.offsets)) * n * self._labels * self.shape[1]
        return Halo(rows, 2 * EDGE + padded(self._width) + 3 * EDGE * (tiles - 1), tiles)

    def _rows(self, field: Any, labels: int) -> np.ndarray:
        """(labels, slices or 1, rows or 1, width)."""
        field = np.asarray(field, dtype=np.float32)
        d = 2 if self._image else 3
        field = field.reshape((1,) * (d + 1 - field.ndim) + field.shape)
        if self._image:
            field = field[:, :, None]
        return np.ascontiguousarray(np.broadcast_to(field, (labels, *field.shape[1:-1], self._width)))


def aligned(rows: int, columns: int) -> np.ndarray:
    """A matrix of zeros that begins at a cache line; a large one lies in huge pages."""
    line, size = 64, rows * columns * 4
    memory = np.zeros(max(size + line, _HUGE if size >= _MANY else 0), np.uint8)
    begin = -memory.ctypes.data % line
    return memory[begin : begin + size].view(np.float32).reshape(rows, columns)


def matrix(array: np.ndarray) -> np.ndarray:
    """A contiguous array as a matrix of rows, the last axis being the row."""
    return array.reshape(-1, array.shape[-1])


@compiled
def spans(active: Any, moved: Any, reach: Any, last: Any) -> None:
    """Active columns: first and last + 1, (2, 3, slices), up to `reach` pixels from what has changed.

    The second axis is 0 for the dual step, 1 for the primal step, 2 for what either of them reads; an empty range ends
    before it begins. `moved` (slices, 2) is where u or p changed, from column to column; an empty range is where they
    did not. `last` is the padded width.
    """
    slices = len(moved)
    active[0], active[1] = last, 0
    for i in range(slices):
        if moved[i, 0] < moved[i, 1]:
            first = max(moved[i, 0] - reach, 0) // EDGE * EDGE
            end = min(-(-(moved[i, 1] + reach) // EDGE) * EDGE, last)
            for near in range(max(i - reach, 0), min(i + reach + 1, slices)):
                active[0, 0, near] = min(active[0, 0, near], first)
                active[1, 0, near] = max(active[1, 0, near], end)
    # The dual step of a slice needs u_bar of the slice below, which needs p of this one: a pixel to each side.
    for step in range(2):
        for i in range(slices):
            near = min(max(i + 2 * step - 1, 0), slices - 1)
            first, end = min(active[0, step, i], active[0, step, near]), max(active[1, step, i], active[1, step, near])
            if first < end:
                active[0, step + 1, i], active[1, step + 1, i] = max(first - EDGE, 0), min(end + EDGE, last)


class ActiveSet:
    """Where an image's u or p still changes: `moved` (slices, 2), the first column and the last + 1 of each slice."""

    def __init__(self, block: int, slices: int, width: int) -> None:
        self.block, self._width = block, width
        self.moved = np.empty((slices, 2), np.int64)
        self._spans = np.empty((2, 3, slices), np.int64)
        self.reset()

    def reset(self) -> None:
        """Make every column active."""
        self.moved[:] = 0, self._width

    def spans(self, n: int) -> np.ndarray:
        """The active columns for `n` iterations, as of the function `spans`; valid until the next call."""
        # Into an array that is there: a signal that comes while Numba makes one would end in a SystemError.
        spans(self._spans, self.moved, -(-n // _DAMPED), padded(self._width))
        return self._spans
