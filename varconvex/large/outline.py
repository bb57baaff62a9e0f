"""A convex set found on a small grid, refined on a grid that lies on disk.

The set is n runs of pixels, from a convex function of the row to a concave one. Each grid of half the step begins with
the set of the one before, and moves left and right chain, then upper and lower one, to the best within two pixels
(`geometry/refine_2d.py`), for

    sum over the set of 1 - 2 u

with u the relaxed minimiser. Of u only pixels near the chains are read. Runs are convex after every step, and the
certificate is computed from them: no mask is made.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..geometry.hulls_2d import rows_of_runs
from ..geometry.raster import polygon_runs
from ..geometry.refine_2d import best_chain
from ..threads import checkpoint

BAND, _SWEEPS = 2, 3
"""Pixels by which a chain may move in a step; steps on each grid."""

Cost = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Cost of the pixels at these rows and columns, int arrays of one shape, on a grid of some factor."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Pixels from `first` to `last` ((n,) int) of n rows from `top` on, of an image of `shape`."""

    top: int
    first: np.ndarray
    last: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of_polygon(cls, corners: np.ndarray, shape: tuple[int, int]) -> "Runs":
        """The pixel centres within a convex polygon ((n, 2) float, row and column), made convex in integers."""
        top, first, last = polygon_runs(corners, shape)
        return cls(top, *rows_of_runs(first, last), shape)

    def mask(self, begin: int, end: int) -> np.ndarray:
        """Rows of the set: (end - begin, W) bool."""
        found = np.zeros((end - begin, self.shape[1]), bool)
        low, high = max(begin, self.top), min(end, self.top + len(self.first))
        columns = np.arange(self.shape[1])
        if low < high:
            rows = slice(low - self.top, high - self.top)
            found[low - begin : high - begin] = (columns >= self.first[rows, None]) & (columns <= self.last[rows, None])
        return found

    def transposed(self) -> "Runs":
        """The same set as intervals of rows on each column, with the two axes exchanged."""
        left, right = int(self.first.min()), int(self.last.max())
        high, low = np.empty((2, right - left + 1), np.int64)
        for i in range(len(self.first)):
            low[self.first[i] - left : self.last[i] + 1 - left] = i
        for i in reversed(range(len(self.first))):
            high[self.first[i] - left : self.last[i] + 1 - left] = i
        return Runs(left, high + self.top, low + self.top, self.shape[::-1])

    def moved(self, cost: Cost) -> "Runs":
        """With the best left and right chain near these; unchanged where no connected set is better."""
        if len(self.first) < 3:
            return self
        width = self.shape[1]
        found = []
        for ends, other, sign in ((self.first, self.last, 1), (width - 1 - self.last, width - 1 - self.first, -1)):
            checkpoint()
            low, high = np.maximum(ends - BAND, 0), np.minimum(ends + BAND, other)
            columns = low[:, None] + np.arange(2 * BAND + 1)
            there = np.clip(columns if sign > 0 else width - 1 - columns, 0, width - 1)
            rows = np.broadcast_to(self.top + np.arange(len(ends))[:, None], there.shape)
            prefix = np.zeros((len(ends), there.shape[1] + 1))
            np.cumsum(cost(rows, there), axis=1, out=prefix[:, 1:])
            chain = best_chain(prefix, low, high, low)
            index = np.arange(len(ends))
            gain = 0.0
            if chain is not None:
                gain = float((prefix[index, chain - low] - prefix[index, ends - low]).sum())
            found.append(ends if chain is None or gain <= 0 else chain)
        first, last = found[0], width - 1 - found[1]
        for start, stop in ((first, last), (first, self.last), (self.first, last)):
            touching = (start[1:] <= stop[:-1] + 1) & (stop[1:] >= start[:-1] - 1)
            if touching.all() and (start <= stop).all():
                return Runs(self.top, start, stop, self.shape)
        return self


def refined(corners: np.ndarray, shape: tuple[int, int], factor: int, cost_on: Callable[[int], Cost]) -> Runs:
    """The best convex set near a polygon, on grids of fewer and fewer pixels a pixel, the last one of 1.

    `corners` ((n, 2) float) are in pixels of an image of `shape`; `cost_on` gives the cost on a grid of blocks of so
    many pixels a side, `factor` at first, a power of two.
    """
    while True:
        grid = (-(-shape[0] // factor), -(-shape[1] // factor))
        runs = Runs.of_polygon((corners + 0.5) / factor - 0.5, grid)
        cost = cost_on(factor)

        def across(rows: np.ndarray, columns: np.ndarray, cost: Cost = cost) -> np.ndarray:
            return cost(columns, rows)

        for _ in range(_SWEEPS):
            before = runs
            runs = runs.moved(cost)
            runs = runs.transposed().moved(across).transposed()
            if same(runs, before):
                break
        if factor == 1:
            return runs
        corners = (corners_of(runs) + 0.5) * factor - 0.5
        factor //= 2


def same(one: Runs, other: Runs) -> bool:
    """Whether two sets are equal."""
    ends = ((one.first, other.first), (one.last, other.last))
    return one.top == other.top and all(np.array_equal(a, b) for a, b in ends)


def corners_of(runs: Runs) -> np.ndarray:
    """Corners of a set's pixels, those of their squares and not their centres, by angle: (n, 2) float."""
    from scipy.spatial import ConvexHull

    rows = runs.top + np.arange(len(runs.first))
    ends = [(rows + dr, side + dc) for dr in (-0.5, 0.5) for side, dc in ((runs.first, -0.5), (runs.last, 0.5))]
    points = np.concatenate([np.stack(pair, axis=1) for pair in ends])
    return points[ConvexHull(points).vertices]
