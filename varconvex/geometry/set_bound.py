"""A lower bound on the cost of all convex sets of pixels: no convex mask is cheaper.

    min over convex C   sum of cost over C

Along the lines of a lattice basis (d_1, d_2) a convex set is an interval on each line, whose ends move outwards first
and inwards then. The cheapest set with this property, of which convexity is a special case, is found exactly by dynamic
programming over the lines; state: the interval, and for each end whether it has turned. For one basis that is a weak
bound; of several, each with its share of the cost,

    max over sum_b cost_b = cost   sum_b   min over sets with the property along b   sum of cost_b over C

is one for every choice of shares, and subgradient steps raise it until the sets agree (Lagrangian decomposition; Fisher
1981, doi:10.1287/mnsc.27.1.1; step size of Polyak). Bases of determinant 1 map pixels to pixels, so that no line is
missed. On wide images ends of intervals are rounded to a few pixels, each row taking the cheapest: still a bound.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..compiling import compiled
from ..threads import checkpoint, run

BASES = (((1, 0), (0, 1)), ((1, 0), (1, 1)), ((1, 1), (0, 1)), ((1, 0), (-1, 1)), ((-1, 1), (0, 1)))
"""Pairs (d_1, d_2) of (row, column): lines run along d_2."""

_CELLS = 96
"""Places along a line at which intervals may end, at most: time and memory grow with their square."""

_INFINITE, _KEPT = 1e300, 1e30
"""What no set can cost; the same for values in single precision, which are for tracing sets only."""

Array = np.ndarray


@dataclass(frozen=True)
class _Lines:
    """Pixels of a window by line and by place on it, for one basis.

    Attributes
    ----------
    line, place : (h, w) int
        Of each pixel.
    first, last : (n,) int
        Least and greatest place of a pixel on each line.
    skip : int
        Lines that a connected convex set may cross without a pixel on them.
    """

    line: np.ndarray
    place: np.ndarray
    first: np.ndarray
    last: np.ndarray
    skip: int

    @classmethod
    def of(cls, shape: tuple[int, int], basis: tuple[tuple[int, int], tuple[int, int]]) -> "_Lines":
        (a, b), (c, d) = basis
        rows, columns = np.indices(shape)
        sign = a * d - b * c
        line, place = sign * (d * rows - c * columns), sign * (a * columns - b * rows)
        line, place = line - line.min(), place - place.min()
        first, last = np.full(line.max() + 1, place.max()), np.zeros(line.max() + 1, np.int64)
        np.minimum.at(first, line, place)
        np.maximum.at(last, line, place)
        return cls(line, place, first, last, abs(c) + abs(d) - 1)

    def cheapest(self, cost: np.ndarray, step: int) -> tuple[float, np.ndarray]:
        """Least cost, and a set that has it, (h, w) bool."""
        unrolled = np.zeros((len(self.first), int(self.last.max()) + 1))
        unrolled[self.line, self.place] = cost
        value, ends = _cheapest(unrolled, self.first, self.last, self.skip, step)
        begin, end = ends[self.line, 0], ends[self.line, 1]
        return float(value), (begin <= self.place) & (self.place <= end)


def least_convex_cost(
    cost: np.ndarray, upper: float, *, gap: float = 0.0, seconds: float = 10.0, max_iter: int = 500
) -> float:
    """A lower bound of the sum of `cost` over each digitally convex, connected set of pixels, the empty one included.

    Parameters
    ----------
    cost : (h, w) float
    upper : float
        Sum over a convex set that is known, which guides the steps.
    gap : float
        Ends when the bound is within this of `upper`.
    seconds : float
        Time limit; one evaluation of all bases is always made.
    max_iter : int
        Most steps.
    """
    end = time.perf_counter() + seconds
    lines = [_Lines.of((cost.shape[0], cost.shape[1]), basis) for basis in BASES]
    steps = [max(1, -(-int((found.last - found.first + 1).max()) // _CELLS)) for found in lines]
    shares = [cost.astype(np.float64) / len(lines) for _ in lines]
    best, slow = -np.inf, 1.0
    slack = 1e-11 * float(abs(cost).sum(dtype=np.float64)) * len(lines)
    for _ in range(max_iter):
        checkpoint()
        found = run(_Lines.cheapest, list(zip(lines, shares, steps, strict=True)))
        value = sum(least for least, _ in found) - slack
        slow = slow if value > best else max(0.7 * slow, 0.05)
        best = max(best, value)
        if upper - best <= gap or time.perf_counter() > end:
            break
        mean = np.mean([mask for _, mask in found], axis=0)
        apart = [mask - mean for _, mask in found]
        squares = sum(float((part**2).sum()) for part in apart)
        if not squares:
            break
        for share, part in zip(shares, apart, strict=True):
            share += slow * (upper - value) / squares * part
    return min(best, upper)


@compiled(nogil=True)
def _row(cost: Array, first: int, last: int, step: int, low: Array, high: Array, at: Array) -> tuple[int, int]:
    """Greatest sum before, and least sum up to, a pixel of each cell, and where; returns the first and last cell."""
    begin, end = first // step, last // step
    for cell in range(begin, end + 1):
        low[cell], high[cell] = -_INFINITE, _INFINITE
    total = 0.0
    for j in range(first, last + 1):
        cell = j // step
        if total > low[cell]:
            low[cell], at[0, cell] = total, j
        total += cost[j]
        if total < high[cell]:
            high[cell], at[1, cell] = total, j
    return begin, end


@compiled(nogil=True)
def _spread(least: Array, table: Array, begin: int, end: int) -> None:
    """Least values over all intervals that one may follow, by its state and ends, for cells from begin to end."""
    for left in range(end, begin - 1, -1):
        for right in range(begin, end + 1):  # both ends move outwards
            value = least[0, left, right]
            if left < end:
                value = min(value, table[0, left + 1, right])
            if right > begin:
                value = min(value, table[0, left, right - 1])
            table[0, left, right] = value
        for right in range(end, begin - 1, -1):  # the right one has turned
            value = min(least[0, left, right], least[2, left, right])
            if left < end:
                value = min(value, table[2, left + 1, right])
            if right < end:
                value = min(value, table[2, left, right + 1])
            table[2, left, right] = value
    for left in range(begin, end + 1):
        for right in range(begin, end + 1):  # the left one has turned
            value = min(least[0, left, right], least[1, left, right])
            if left > begin:
                value = min(value, table[1, left - 1, right])
            if right > begin:
                value = min(value, table[1, left, right - 1])
            table[1, left, right] = value
        for right in range(end, begin - 1, -1):  # both have
            value = min(least[0, left, right], least[1, left, right], least[2, left, right], least[3, left, right])
            if left > begin:
                value = min(value, table[3, left - 1, right])
            if right < end:
                value = min(value, table[3, left, right + 1])
            table[3, left, right] = value


@compiled(nogil=True)
def _merge(recent: Array, least: Array, begin: int, end: int) -> None:
    """The least of recent lines' values, for each state and interval."""
    for state in range(4):
        for left in range(begin, end + 1):
            for right in range(begin, end + 1):
                value = recent[0, state, left, right]
                for back in range(1, len(recent)):
                    value = min(value, recent[back, state, left, right])
                least[state, left, right] = value


@compiled(nogil=True)
def _followed(table: Array, state: int, left: int, right: int, begin: int, end: int) -> float:
    """The least value of an interval that this one may follow, or of none, which is 0 for a first interval."""
    fresh = 0.0 if state == 0 else _INFINITE
    left = min(left, end) if state % 2 else max(left, begin)
    right = max(right, begin) if state > 1 else min(right, end)
    if begin <= left <= end and begin <= right <= end:
        return min(fresh, table[state, left, right])
    return fresh


@compiled(nogil=True)
def _cheapest(cost: Array, first: Array, last: Array, skip: int, step: int) -> tuple[float, Array]:
    """Least sum over sets whose intervals, along the lines, move outwards first; with their ends, (n, 2), or 0, -1.

    In a state the left end has turned if it is odd, the right end if it is more than 1.
    """
    n, width = cost.shape
    cells = (width - 1) // step + 1
    low, high, at = np.empty(cells), np.empty(cells), np.zeros((2, cells), np.int64)
    kept = np.full((n, 4, cells, cells), np.float32(_KEPT), np.float32)
    recent = np.full((skip + 1, 4, cells, cells), _INFINITE)
    least, table = np.empty((4, cells, cells)), np.empty((4, cells, cells))
    spans = np.zeros((n, 2), np.int64)
    best, place = 0.0, (-1, 0, 0, 0)
    for i in range(n):
        begin, end = cells, -1
        for back in range(1, min(i, skip + 1) + 1):
            begin, end = min(begin, spans[i - back, 0]), max(end, spans[i - back, 1])
        _merge(recent, least, begin, end)
        _spread(least, table, begin, end)
        here = recent[i % (skip + 1)]
        here[:] = _INFINITE
        spans[i] = _row(cost[i], first[i], last[i], step, low, high, at)
        for state in range(4):
            for left in range(spans[i, 0], spans[i, 1] + 1):
                for right in range(left, spans[i, 1] + 1):
                    value = _followed(table, state, left, right, begin, end) + high[right] - low[left]
                    here[state, left, right] = value
                    kept[i, state, left, right] = min(value, _KEPT)
                right, value = _least_in(here[state, left], left, spans[i, 1])
                if value < best:
                    best, place = value, (i, state, left, right)
    ends = np.zeros((n, 2), np.int64)
    ends[:, 1] = -1
    while place[0] >= 0:
        i, _, left, right = place
        _row(cost[i], first[i], last[i], step, low, high, at)
        ends[i, 0], ends[i, 1] = at[0, left], at[1, right]
        place = _before(kept, spans, skip, place)
    return best, ends


@compiled(nogil=True)
def _before(kept: Array, spans: Array, skip: int, place: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The cheapest line, state and interval that `place` may follow; line -1 if a fresh start costs no more."""
    i, state, left, right = place
    value, found = 0.0 if state == 0 else _INFINITE, (-1, 0, 0, 0)
    for line in range(i - 1, max(i - skip - 2, -1), -1):
        begin, end = spans[line]
        lefts = (begin, min(left, end)) if state % 2 else (max(left, begin), end)
        rights = (max(right, begin), end) if state > 1 else (begin, min(right, end))
        for earlier in range(4):
            if (earlier % 2 and not state % 2) or (earlier > 1 and state < 2):
                continue
            for a in range(lefts[0], lefts[1] + 1):
                b, least = _least_in(kept[line, earlier, a], max(rights[0], a), rights[1])
                if least < value:
                    value, found = least, (line, earlier, a, b)
    return found


@compiled(nogil=True)
def _least_in(values: Array, begin: int, end: int) -> tuple[int, float]:
    """Index and value of the least of these values, or the last index and infinity."""
    at, least = end, _INFINITE
    for j in range(begin, end + 1):
        if values[j] < least:
            at, least = j, float(values[j])
    return at, least


def window_of(cost: np.ndarray, masks: Sequence[np.ndarray]) -> tuple[slice, slice]:
    """The bounding box of all negative costs and of these masks: outside it no set is cheaper for what it has there."""
    rows, columns = np.nonzero(np.any([cost < 0, *masks], axis=0))
    if not rows.size:
        return slice(0, 1), slice(0, 1)
    return slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)
