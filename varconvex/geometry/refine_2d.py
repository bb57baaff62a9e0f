"""The best convex set in a narrow band around a convex set, one side at a time, exact.

A digitally convex set is, row by row, a run from a convex function of the row to a concave one, its chains. With the
rows and one chain given, the cost of the other one is a sum over its edges. So the best convex chain with corners on
pixels of a band is a shortest path whose steps are taken in the order of their slopes,

    f(v) <- min( f(v), f(u) + w(u, v) )      for all segments uv in the band, by rising slope,

w(u, v) being the cost left of the segment, row by row from prefix sums, negated. Left and right chain of the rows,
upper and lower one of the columns, then corners that are cut off (`corners`), in turns while that lowers the cost. The
set is digitally convex after every step.
"""

import numpy as np

from ..compiling import compiled
from ..threads import run
from .corners import runs, with_corners
from .hulls_2d import pixels_between
from .raster import cost_of_runs, row_sums

Array = np.ndarray

_EVERY = 32
"""Segments span every number of rows up to this one, then numbers that grow by a quarter: a chain of slopes with
smaller denominators differs by less than a pixel."""

_MEDIUM = 12_000
"""Pixels of a set up to which chains may move two pixels at a time by default."""

_compiled = compiled(error_model="numpy", nogil=True)


def refine(mask: Array, cost: Array, *, band: int | None = None, sweeps: int = 3, least: float = 1e-3) -> Array:
    """A convex set that costs no more than `mask`, by moved chains: see `convex_sets.refine`.

    A chain moves by up to `band` pixels in one step: time grows with its square; by default two where that takes little
    time, else one. All four chains are moved and corners restored `sweeps` times at most, until a sweep improves the
    cost by a smaller share than `least`.
    """
    if not mask.any():
        return mask
    if band is None:
        band = 2 if np.count_nonzero(mask) <= _MEDIUM else 1
    spread = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    margins = [max(band * sweeps, len(i) // 4) for i in spread]
    window = tuple(slice(max(i[0] - margin, 0), i[-1] + margin + 1) for i, margin in zip(spread, margins, strict=True))
    inner, cost = mask[window], np.asarray(cost[window], np.float64)
    across, along = row_sums(cost), row_sums(cost.T)
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


def _moved(mask: Array, prefix: Array, band: int) -> Array:
    """`mask` with the best left or right chain for its rows, or both; unchanged where no connected set is better."""
    top, first, last = runs(mask)
    if len(first) < 3:
        return mask
    prefix = prefix[top : top + len(first)]
    width = mask.shape[1]
    # In the mirrored image the right chain is a left one.
    mirrored = prefix[:, -1:] - prefix[:, ::-1]
    sides = [(prefix, first, last), (mirrored, width - 1 - last, width - 1 - first)]
    bands = [(sums, np.maximum(a - band, 0), np.minimum(a + band, b)) for sums, a, b in sides]
    chains = run(best_chain, bands)
    left, right = (a if chain is None else chain for chain, (_, a, _) in zip(chains, sides, strict=True))
    right = width - 1 - right
    best: tuple[Array, Array] | None = None
    least = cost_of_runs(prefix, first, last)
    for start, stop in ((left, right), (left, last), (first, right)):
        cost = cost_of_runs(prefix, start, stop)
        # Every row has a pixel, and touches the next row.
        touching = (start[1:] <= stop[:-1] + 1) & (stop[1:] >= start[:-1] - 1)
        if cost < least and touching.all() and (start <= stop).all():
            best, least = (start, stop), cost
            if start is left and stop is right:
                break
    if best is None:
        return mask
    moved = np.zeros_like(mask)
    # Between a convex chain and a concave one lies a convex region: its pixels need no hull.
    moved[top : top + len(first)] = pixels_between(*best, width)
    return moved


def best_chain(prefix: Array, low: Array, high: Array, origin: Array | None = None) -> Array | None:
    """The least column of each row for the convex chain of least cost with corners in the band, or None.

    `prefix` begins at column `origin` ((n,) int) of each row, by default at 0: of a large image the band is enough.
    """
    origin = np.zeros(len(low), np.int64) if origin is None else origin
    spans = _spans(len(low))
    n, width = len(low), int((high - low).max()) + 1
    reach = int(high.max() - low.min())
    counts = np.zeros((len(spans), 2 * reach + 1), np.int64)
    tails, heads = np.empty((2, 0), np.int64)
    one_each = np.arange(counts.size).reshape(counts.shape)
    _list_segments(prefix, origin, low, high, spans, one_each, counts.ravel(), width, tails, heads, np.empty(0))
    # Steps of one slope are taken from the top, whatever their length.
    step, place = np.nonzero(counts)
    _, rank = np.unique((place - reach) / spans[step], return_inverse=True)
    ranks = np.zeros(counts.shape, np.int64)
    ranks[step, place] = rank
    begin = np.zeros(int(rank.max()) + 2, np.int64)
    np.cumsum(np.bincount(rank, counts[step, place]), out=begin[1:])
    tails, heads = np.empty((2, begin[-1]), np.int64)
    weights = np.empty(begin[-1])
    _list_segments(prefix, origin, low, high, spans, ranks, begin[:-1].copy(), width, tails, heads, weights)
    chain = np.empty(n, np.int64)
    return chain if _shortest(prefix, origin, low, high, tails, heads, weights, width, chain) else None


def _spans(n: int) -> Array:
    """Numbers of rows that a segment may span, ascending, n - 1 among them."""
    spans = list(range(1, min(n, _EVERY + 1)))
    while spans[-1] * 5 // 4 < n - 1:
        spans.append(spans[-1] * 5 // 4)
    return np.array(sorted({*spans, n - 1}))


@_compiled
def _narrowed(
    low: Array, high: Array, r0: int, c0: int, spans: Array, j: int, slopes: tuple[float, float]
) -> tuple[float, float]:
    """Least and greatest slope of segments from (r0, c0) that stay in the band for spans[j] rows.

    `slopes` are those for spans[j - 1] rows.
    """
    least, most = slopes
    for between in range(spans[j - 1] if j > 0 else 1, spans[j]):
        least = max(least, (low[r0 + between] - 1 - c0) / between)
        most = min(most, (high[r0 + between] - c0) / between)
    return least, most


@_compiled
def _columns(low: int, high: int, c0: int, span: int, slopes: tuple[float, float]) -> range:
    """Columns from `low` to `high` that segments from column c0 reach after `span` rows with a slope in the bounds."""
    while low <= high and not (low - c0) / span > slopes[0]:
        low += 1
    while low <= high and not (high - c0) / span <= slopes[1]:
        high -= 1
    return range(low, high + 1)


@_compiled
def _list_segments(
    prefix: Array, origin: Array, low: Array, high: Array, spans: Array, ranks: Array, place: Array,
    width: int, tails: Array, heads: Array, weights: Array,
) -> None:  # fmt: skip
    """Write the ends of all segments in the band, and w, by rising slope; only count them if `weights` is empty.

    `ranks` ((spans, 2 reach + 1)) are those of the slopes, `place` where the next segment of each slope goes.
    """
    for r0 in range(len(low)):
        for c0 in range(low[r0], high[r0] + 1):
            _list_from(r0, c0, prefix, origin, low, high, spans, ranks, place, width, tails, heads, weights)


@_compiled
def _list_from(
    r0: int, c0: int, prefix: Array, origin: Array, low: Array, high: Array, spans: Array, ranks: Array,
    place: Array, width: int, tails: Array, heads: Array, weights: Array,
) -> None:  # fmt: skip
    """`_list_segments` for those that begin at (r0, c0)."""
    reach, slopes = ranks.shape[1] // 2, (-np.inf, np.inf)
    for j in range(np.searchsorted(spans, len(low) - r0)):
        r1, slopes = r0 + spans[j], _narrowed(low, high, r0, c0, spans, j, slopes)
        if slopes[0] >= slopes[1]:
            break
        for c1 in _columns(low[r1], high[r1], c0, spans[j], slopes):
            k = place[ranks[j, c1 - c0 + reach]]
            place[ranks[j, c1 - c0 + reach]] = k + 1
            if k < len(weights):
                weights[k] = _cost_left(prefix, origin, r0, r1, c0, (c1 - c0) / spans[j])
                tails[k], heads[k] = r0 * width + c0 - low[r0], r1 * width + c1 - low[r1]


@_compiled
def _cost_left(prefix: Array, origin: Array, r0: int, r1: int, c0: int, slope: float) -> float:
    """Minus the cost left of a segment, over the rows from r0 to before r1."""
    # Rounded up to the next column; the sum's rounding is far below the least fraction, 1 / span.
    total, column = 0.0, c0 - 1e-6
    for r in range(r0, r1):
        total -= prefix[r, int(np.ceil(column)) - origin[r]]
        column += slope
    return total


@_compiled
def _shortest(
    prefix: Array, origin: Array, low: Array, high: Array, tails: Array, heads: Array, weights: Array,
    width: int, chain: Array,
) -> bool:  # fmt: skip
    """Write the columns of the chain of least cost from the first row to the last; False if there is none."""
    n, total = len(low), len(tails)
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
        last = prefix[n - 1, low[n - 1] + c - origin[n - 1]]
        if cost[node] - last < best:
            best, k = cost[node] - last, arrived[node]
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
