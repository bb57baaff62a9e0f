"""The best convex set in a narrow band around a convex set, in pixels and exact side by side.

A digitally convex set is, row by row, a run from a convex function of the row to a concave one, its chains. With the
rows and one chain given, what the other one costs is a sum over its edges. So the best convex chain with corners on
pixels of a band is a shortest path whose steps are taken in the order of their slopes,

    f(v) <- min( f(v), f(u) + w(u, v) )      for all segments uv in the band, by rising slope,

w(u, v) being the cost left of the segment, row by row from prefix sums, negated. Left and right chain of the rows,
upper and lower one of the columns, then corners that are cut off (`_corners`), in turns while that pays: what the
network has rounded off, or missed by a pixel, is put right, and the set is digitally convex at every moment.
"""

import numba
import numpy as np

from .._threads import run
from .corners import runs, with_corners

_EVERY = 32
"""Segments span every number of rows up to this one, then in steps of a quarter: what a chain of slopes with smaller
denominators cannot do is less than a pixel."""


_MEDIUM = 12_000
"""Pixels of a set up to which chains may move two pixels at a time by default."""


def refine(mask, cost, *, band=None, sweeps=3, least=1e-3):
    """A convex set that costs no more than `mask`, by chains moved up to `band` pixels at a time.

    Parameters
    ----------
    mask : (H, W) bool, digitally convex and connected
    cost : (H, W) float, negative favours the object
    band : int, optional
        How far a chain may move in one step, in pixels. Time grows with its square; by default two where that takes
        little time, else one.
    sweeps : int
        Most times that all four chains are moved, and corners given back.
    least : float
        Ends when a sweep improves the cost by a smaller share than this.

    Returns
    -------
    (H, W) bool, digitally convex and connected
    """
    if not mask.any():
        return mask
    if band is None:
        band = 2 if np.count_nonzero(mask) <= _MEDIUM else 1
    spread = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    rooms = [max(band * sweeps, len(i) // 4) for i in spread]
    window = tuple(slice(max(i[0] - room, 0), i[-1] + room + 1) for i, room in zip(spread, rooms, strict=True))
    inner, cost = mask[window], np.asarray(cost[window], np.float64)
    across, along = _prefix(cost), _prefix(cost.T)
    energy = float(cost[inner].sum())
    for _ in range(sweeps):
        inner = _moved(inner, across, band)
        inner = _moved(inner.T, along, band).T
        inner = with_corners(np.ascontiguousarray(inner), across)
        before, energy = energy, float(cost[inner].sum())
        if before - energy <= least * abs(before):
            break
    refined = np.zeros_like(mask)
    refined[window] = inner
    return refined


def _prefix(cost):
    """(H, W + 1): sums of each row up to each column."""
    prefix = np.zeros((cost.shape[0], cost.shape[1] + 1))
    np.cumsum(cost, axis=1, out=prefix[:, 1:])
    return prefix


def _moved(mask, prefix, band):
    """With the best left and right chain for these rows, or one of them: what is best and leaves one piece."""
    top, first, last = runs(mask)
    if len(first) < 3:
        return mask
    prefix = prefix[top : top + len(first)]
    width = mask.shape[1]
    # Seen from the right, what lies right of a column is what lies left of it.
    mirrored = prefix[:, -1:] - prefix[:, ::-1]
    sides = [(prefix, first, last), (mirrored, width - 1 - last, width - 1 - first)]
    left, right = run(_best_side, [(*side, band) for side in sides])
    right = width - 1 - right
    best, least = None, _cost_of_runs(prefix, first, last)
    for start, stop in ((left, right), (left, last), (first, right)):
        cost = _cost_of_runs(prefix, start, stop)
        if cost < least and _in_one_piece(start, stop):
            best, least = (start, stop), cost
            if start is left and stop is right:
                break
    if best is None:
        return mask
    columns, moved = np.arange(width), np.zeros_like(mask)
    # Between a convex chain and a concave one lies a convex region: its pixels need no hull.
    moved[top : top + len(first)] = (columns >= best[0][:, None]) & (columns <= best[1][:, None])
    return moved


def _cost_of_runs(prefix, start, stop):
    rows = np.arange(len(start))
    return float((prefix[rows, stop + 1] - prefix[rows, start]).sum())


def _in_one_piece(start, stop):
    """Has every row a pixel, and every row one that touches the next one's?"""
    return bool((start <= stop).all() and (start[1:] <= stop[:-1] + 1).all() and (stop[1:] >= start[:-1] - 1).all())


def _best_side(prefix, first, last, band):
    """The left chain for these rows, whose runs go from `first` to `last` now."""
    chain = _best_chain(prefix, np.maximum(first - band, 0), np.minimum(first + band, last))
    return first if chain is None else chain


def _best_chain(prefix, low, high):
    """The least column of each row for the convex chain of least cost with corners in the band, or None."""
    spans = _spans(len(low))
    n, width = len(low), int((high - low).max()) + 1
    reach = int(high.max() - low.min())
    counts = _count(low, high, spans, reach)
    # Steps of one slope are taken from the top, whatever their length.
    step, place = np.nonzero(counts)
    _, rank = np.unique((place - reach) / spans[step], return_inverse=True)
    ranks = np.zeros(counts.shape, np.int64)
    ranks[step, place] = rank
    begin = np.zeros(int(rank.max()) + 2, np.int64)
    np.cumsum(np.bincount(rank, counts[step, place]), out=begin[1:])
    chain = np.empty(n, np.int64)
    return chain if _shortest(prefix, low, high, spans, reach, ranks, begin, width, chain) else None


def _spans(n):
    """Numbers of rows that a segment may span, ascending, n - 1 among them."""
    spans = list(range(1, min(n, _EVERY + 1)))
    while spans[-1] * 5 // 4 < n - 1:
        spans.append(spans[-1] * 5 // 4)
    return np.array(sorted({*spans, n - 1}))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _between(low, high, r0, c0, spans, j, least, most):
    """The slopes between which a segment from (r0, c0) is in the band before it has come down spans[j] rows."""
    for between in range(spans[j - 1] if j > 0 else 1, spans[j]):
        least = max(least, (low[r0 + between] - 1 - c0) / between)
        most = min(most, (high[r0 + between] - c0) / between)
    return least, most


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _count(low, high, spans, reach):
    """(spans, 2 reach + 1): how many segments in the band come down so many rows and go so many columns aside."""
    counts = np.zeros((len(spans), 2 * reach + 1), np.int64)
    for r0 in range(len(low)):
        for c0 in range(low[r0], high[r0] + 1):
            least, most = -np.inf, np.inf
            for j in range(len(spans)):
                r1 = r0 + spans[j]
                if r1 >= len(low):
                    break
                least, most = _between(low, high, r0, c0, spans, j, least, most)
                if least >= most:
                    break
                for c1 in range(low[r1], high[r1] + 1):
                    slope = (c1 - c0) / spans[j]
                    if least < slope <= most:
                        counts[j, c1 - c0 + reach] += 1
    return counts


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _shortest(prefix, low, high, spans, reach, ranks, begin, width, chain):
    """Takes all segments by rising slope, and writes the columns of the least chain from the first row to the last."""
    n, total = len(low), begin[-1]
    tails, heads, weights = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total)
    place = begin.copy()
    for r0 in range(n):
        for c0 in range(low[r0], high[r0] + 1):
            least, most = -np.inf, np.inf
            for j in range(len(spans)):
                span = spans[j]
                r1 = r0 + span
                if r1 >= n:
                    break
                least, most = _between(low, high, r0, c0, spans, j, least, most)
                if least >= most:
                    break
                for c1 in range(low[r1], high[r1] + 1):
                    slope = (c1 - c0) / span
                    if not least < slope <= most:
                        continue
                    # Rounded up to the next column; the sum's rounding is far below the least fraction, 1 / span.
                    sum_, column = 0.0, c0 - 1e-6
                    for r in range(r0, r1):
                        sum_ -= prefix[r, int(np.ceil(column))]
                        column += slope
                    k = place[ranks[j, c1 - c0 + reach]]
                    place[ranks[j, c1 - c0 + reach]] = k + 1
                    tails[k], heads[k], weights[k] = r0 * width + c0 - low[r0], r1 * width + c1 - low[r1], sum_
    # The best way to a node may change after a segment has left it: so ways are remembered by their segments.
    cost, arrived = np.full(n * width, np.inf), np.full(n * width, -1, np.int64)
    before = np.empty(total, np.int64)
    cost[: high[0] - low[0] + 1] = 0
    for k in range(total):
        value = cost[tails[k]] + weights[k]
        if value < cost[heads[k]]:
            cost[heads[k]], before[k], arrived[heads[k]] = value, arrived[tails[k]], k
    best, k = np.inf, -1
    for c in range(high[n - 1] - low[n - 1] + 1):
        node = (n - 1) * width + c
        if cost[node] - prefix[n - 1, low[n - 1] + c] < best:
            best, k = cost[node] - prefix[n - 1, low[n - 1] + c], arrived[node]
    if k < 0:
        return False
    chain[n - 1] = low[n - 1] + heads[k] % width
    while k >= 0:
        r0, r1 = tails[k] // width, heads[k] // width
        c0, c1 = low[r0] + tails[k] % width, low[r1] + heads[k] % width
        for r in range(r0, r1):
            # Division rounds down; the negated quotient of the negated numerator rounds up.
            chain[r] = c0 - ((c0 - c1) * (r - r0)) // (r1 - r0)
        k = before[k]
    return True
