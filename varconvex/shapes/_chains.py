"""The best convex set in a narrow band around a convex set, in pixels and exact side by side.

A digitally convex set is, row by row, a run from a convex function of the row to a concave one, its chains. With the
rows and one chain given, what the other one costs is a sum over its edges. So the best convex chain with corners on
pixels of a band is a shortest path whose steps are taken in the order of their slopes,

    f(v) <- min( f(v), f(u) + w(u, v) )      for all segments uv in the band, by rising slope,

w(u, v) being the cost left of the segment, row by row from prefix sums, negated. Left and right chain of the rows,
upper and lower one of the columns, in turns while that pays: what the network has rounded off, or missed by a pixel, is
put right, and the set is digitally convex at every moment.
"""

import numba
import numpy as np

from .._threads import run
from ..certify import certify_convexity, fill_hull, hull_rows

_EVERY = 32
"""Segments span every number of rows up to this one, then in steps of a quarter: what a chain of slopes with smaller
denominators cannot do is less than a pixel."""


def refine(mask, cost, *, band=1, sweeps=3, least=1e-3):
    """A convex set that costs no more than `mask`, by chains moved up to `band` pixels at a time.

    Parameters
    ----------
    mask : (H, W) bool, digitally convex and connected
    cost : (H, W) float, negative favours the object
    band : int
        How far a chain may move in one step, in pixels. Time grows with its square.
    sweeps : int
        Most times that all four chains are moved.
    least : float
        Ends when a sweep improves the cost by a smaller share than this.

    Returns
    -------
    (H, W) bool, digitally convex and connected
    """
    if not mask.any():
        return mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = tuple(slice(max(i[0] - band * sweeps, 0), i[-1] + band * sweeps + 1) for i in (rows, columns))
    inner, cost = mask[window], np.asarray(cost[window], np.float64)
    energy = float(cost[inner].sum())
    for _ in range(sweeps):
        inner = _moved(inner, cost, band)
        inner = np.ascontiguousarray(_moved(inner.T, cost.T, band).T)
        before, energy = energy, float(cost[inner].sum())
        if before - energy <= least * abs(before):
            break
    refined = np.zeros_like(mask)
    refined[window] = inner
    return refined


def _moved(mask, cost, band):
    """With the best left and right chain for these rows, or one of them: what is best and leaves one piece."""
    top, first, last = hull_rows(mask)
    if len(first) < 3:
        return mask
    rows, width = slice(top, top + len(first)), cost.shape[1]
    sides = [(cost[rows], first, last), (cost[rows, ::-1], width - 1 - last, width - 1 - first)]
    left, mirrored = run(_best_side, [(*side, band) for side in sides])
    columns = np.arange(width)
    best, least = mask, float(cost[mask].sum())
    for start, stop in ((left, width - 1 - mirrored), (left, last), (first, width - 1 - mirrored)):
        moved = np.zeros_like(mask)
        moved[rows] = (columns >= start[:, None]) & (columns <= stop[:, None])
        if not moved.any():
            continue
        moved = fill_hull(moved)
        energy = float(cost[moved].sum())
        if energy < least and certify_convexity(moved):
            best, least = moved, energy
            if stop is not last and start is not first:
                break
    return best


def _best_side(cost, first, last, band):
    """The left chain for these rows of cost, whose runs go from `first` to `last` now."""
    prefix = np.zeros((len(first), cost.shape[1] + 1))
    np.cumsum(cost, axis=1, out=prefix[:, 1:])
    return _best_chain(prefix, np.maximum(first - band, 0), np.minimum(first + band, last))


def _best_chain(prefix, low, high):
    """The least column of each row for the convex chain of least cost with corners in the band."""
    spans = _spans(len(low))
    none = np.empty(0, np.int64)
    count = _segments(prefix, low, high, spans, False, none, none, none, none)
    tails, heads = np.empty((2, count), np.int64)
    slopes, weights = np.empty((2, count))
    _segments(prefix, low, high, spans, True, tails, heads, slopes, weights)
    n, width = len(low), int((high - low).max()) + 1
    least, before = np.full(n * width, np.inf), np.full(n * width, -1, np.int64)
    least[: high[0] - low[0] + 1] = 0
    _relax(np.argsort(slopes, kind="stable"), tails, heads, weights, least, before)
    ends = (n - 1) * width + np.arange(high[-1] - low[-1] + 1)
    node = int(ends[np.argmin(least[ends] - prefix[-1, low[-1] : high[-1] + 1])])
    chain = np.empty(n, np.int64)
    chain[-1] = low[-1] + node % width
    while before[node] >= 0:
        r1, c1 = node // width, low[node // width] + node % width
        node = int(tails[before[node]])
        r0, c0 = node // width, low[node // width] + node % width
        # Division rounds down; the negated quotient of the negated numerator rounds up.
        chain[r0:r1] = c0 - ((c0 - c1) * np.arange(r1 - r0)) // (r1 - r0)
    return chain


def _spans(n):
    """Numbers of rows that a segment may span, ascending, n - 1 among them."""
    spans = list(range(1, min(n, _EVERY + 1)))
    while spans[-1] * 5 // 4 < n - 1:
        spans.append(spans[-1] * 5 // 4)
    return np.array(sorted({*spans, n - 1}))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _segments(prefix, low, high, spans, write, tails, heads, slopes, weights):
    """The segments that stay in the band, row by row from the top; counts them, and writes them if told to."""
    n, width, count = len(low), (high - low).max() + 1, 0
    for r0 in range(n):
        for c0 in range(low[r0], high[r0] + 1):
            # Between these slopes a segment from here is in the band so far.
            least, most, done = -np.inf, np.inf, 0
            for span in spans:
                if r0 + span >= n:
                    break
                for between in range(done + 1, span):
                    least = max(least, (low[r0 + between] - 1 - c0) / between)
                    most = min(most, (high[r0 + between] - c0) / between)
                done = span - 1
                if least >= most:
                    break
                r1 = r0 + span
                for c1 in range(low[r1], high[r1] + 1):
                    slope = (c1 - c0) / span
                    if slope <= least or slope > most:
                        continue
                    if write:
                        total = 0.0
                        for r in range(span):
                            total -= prefix[r0 + r, c0 - ((c0 - c1) * r) // span]
                        tails[count], heads[count] = r0 * width + c0 - low[r0], r1 * width + c1 - low[r1]
                        slopes[count], weights[count] = slope, total
                    count += 1
    return count


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _relax(order, tails, heads, weights, least, before):
    for i in order:
        value = least[tails[i]] + weights[i]
        if value < least[heads[i]]:
            least[heads[i]], before[heads[i]] = value, i
