"""Costs of labels by mean kernels, at most a bound apart; `kernel_costs` in `base.py` is the specification.

Most pixels lie beyond the bound, and for those the sums need not be known. Pixels of a tile that have about the same
first colour make a group. With theta the numbers of a pixel that its exponents e_j(theta) are linear in (see
`_numba_kernel_sum.py`), the logarithm of a sum of exponentials is convex in theta. So for a group around theta_0

    log sum_j exp e_j(theta) >= log sum_j exp e_j(theta_0) + <sum_j p_j grad e_j, theta - theta_0>,    p = softmax(e)
    log sum_j exp e_j(theta) <= log sum_j exp min(e_j(theta_0) + sum_k max |theta_k - theta_0k| |d e_j / d theta_k|, 0)

and where these say that a label is beyond the bound at every pixel of the group, it is.
"""

import math

import numpy as np

from ..threads import run
from ._numba_kernel_sum import _LEAST, _LOG2_E, _ROWS, _RUN, _exp2, _log_means, _place, _scratch
from ._numba_kernels import compiled, inlined

_TILES = {1: (1, 1, 256), 2: (1, 16, 16), 3: (6, 6, 6)}
"""Sides of a tile by the number of axes: few enough pixels to be near each other, enough for some groups."""

_BINS = 64
"""Bins of the first colour, by which the pixels of a tile are sorted."""

_TILES_A_CALL = 16
"""Tiles that a thread takes at a time."""


@inlined
def _tangent(mean, base, rows, first, weight):
    """The sum over j of 2^(base_j + weight rows_0j) and, in `mean`, the rows' means with these weights."""
    last = first + base.size
    r0, r1, r2 = rows[0, first:last], rows[1, first:last], rows[2, first:last]
    r3, r4, r5 = rows[3, first:last], rows[4, first:last], rows[5, first:last]
    total, s0, s1, s2 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    s3, s4, s5 = np.float32(0), np.float32(0), np.float32(0)
    for j in range(base.size):
        p = _exp2(base[j] + weight * r0[j])
        total += p
        s0 += p * r0[j]
        s1 += p * r1[j]
        s2 += p * r2[j]
        s3 += p * r3[j]
        s4 += p * r4[j]
        s5 += p * r5[j]
    mean[0], mean[1], mean[2], mean[3], mean[4], mean[5] = s0, s1, s2, s3, s4, s5
    for k in range(_ROWS):
        mean[k] /= total
    return total


@inlined
def _most(base, rows, first, weight, reach):
    """The sum over j of 2^min(base_j + weight rows_0j + sum_k reach_k |rows_kj|, 0)."""
    last = first + base.size
    r0, r1, r2 = rows[0, first:last], rows[1, first:last], rows[2, first:last]
    r3, r4, r5 = rows[3, first:last], rows[4, first:last], rows[5, first:last]
    t0, t1, t2, t3, t4, t5 = reach[0], reach[1], reach[2], reach[3], reach[4], reach[5]
    total = np.float32(0)
    for j in range(base.size):
        e = base[j] + weight * r0[j] + t0 * abs(r0[j]) + t1 * abs(r1[j]) + t2 * abs(r2[j])
        e += t3 * abs(r3[j]) + t4 * abs(r4[j]) + t5 * abs(r5[j])
        total += _exp2(min(e, np.float32(0)))
    return total


@inlined
def _bounds(points, weight, offset, axes, centre, rows, base, mine, mean, reach):
    """Least and greatest cost of a label over the points of a group, in nats."""
    n, features = points.shape
    first, m = mine[0], mine[1] - mine[0]
    base = base[first : mine[1]]
    middle = weight.mean()
    total = _tangent(mean, base, rows, first, middle)
    if not total > _LEAST:
        return np.float32(-np.inf), np.float32(np.inf)
    value, narrow, wide = np.float32(np.inf), weight[0], weight[0]
    reach[:] = np.float32(0)
    for x in range(n):
        w = weight[x]
        found = (w - middle) * mean[0]
        for k in range(features):
            difference = points[x, k] - centre[k]
            slope = w * difference if k < axes else difference
            found += _LOG2_E * slope * (np.float32(2) * mean[k + 1] - difference)
            reach[k + 1] = max(reach[k + 1], np.float32(2) * _LOG2_E * abs(slope))
        value, narrow, wide = min(value, found), max(narrow, w), min(wide, w)
    reach[0] = max(narrow - middle, middle - wide)
    least = offset.min() - math.log(_most(base, rows, first, middle, reach) / m)
    return least, offset.max() - math.log(total / m) - value / _LOG2_E


@inlined
def _sorted_tile(order, pixels, points, key, shape, tile, number):
    """Flat indices of the pixels of a tile into `order`, sorted by bins of column `key` of `points`; their number."""
    down, right = -(-shape[1] // tile[1]), -(-shape[2] // tile[2])
    z0, y0, x0 = number // (down * right) * tile[0], number // right % down * tile[1], number % right * tile[2]
    n = 0
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for z in range(z0, min(z0 + tile[0], shape[0])):
        for y in range(y0, min(y0 + tile[1], shape[1])):
            for x in range(x0, min(x0 + tile[2], shape[2])):
                pixels[n] = (z * shape[1] + y) * shape[2] + x
                low, high = min(low, points[pixels[n], key]), max(high, points[pixels[n], key])
                n += 1
    scale = np.float32(_BINS - 1) / (high - low) if high > low else np.float32(0)
    starts = np.zeros(_BINS + 1, np.int64)
    for i in range(n):
        starts[int((points[pixels[i], key] - low) * scale) + 1] += 1
    for b in range(_BINS):
        starts[b + 1] += starts[b]
    for i in range(n):
        b = int((points[pixels[i], key] - low) * scale)
        order[starts[b]] = pixels[i]
        starts[b] += 1
    return n


@compiled
def _fill_costs(costs, points, weights, offsets, seeds, firsts, shape, tile, axes, clip, begin, end):
    labels, features = len(weights), points.shape[1]
    count = max(features + 1, _ROWS)
    rows, bases = np.zeros((count, seeds.shape[1]), np.float32), np.empty(seeds.shape[1], np.float32)
    scratch, centre = _scratch(features, seeds.shape[1]), np.empty(features, np.float32)
    mean, reach = np.empty(_ROWS, np.float32), np.empty(_ROWS, np.float32)
    near, away = np.empty((_RUN, features), np.float32), np.empty((labels, _RUN), np.float32)
    offset = np.empty((labels, _RUN), np.float32)
    found, bounds = np.empty((labels, _RUN), np.float32), np.empty((labels, 2), np.float32)
    size = tile[0] * tile[1] * tile[2]
    order, pixels = np.empty(size, np.int64), np.empty(size, np.int64)
    for number in range(begin, end):
        total = _sorted_tile(order, pixels, points, min(axes, features - 1), shape, tile, number)
        for start in range(0, total, _RUN):
            group = order[start : min(start + _RUN, total)]
            n = group.size
            for i in range(n):
                for k in range(features):
                    near[i, k] = points[group[i], k]
                for label in range(labels):
                    away[label, i] = weights[label, group[i]]
                    offset[label, i] = offsets[label, group[i]]
            for k in range(features):
                centre[k] = near[:n, k].mean()
            # Where one pixel is within the clip, bounds of all of them would say nothing.
            probe = slice(n // 2, n // 2 + 1)
            for label in range(labels):
                mine = (firsts[label], firsts[label + 1])
                _place(rows, bases, seeds, mine, centre, axes)
                one = found[label, :1]
                _log_means(one, near[probe], away[label, probe], seeds, mine, axes, centre, rows, bases, scratch)
                one[0] = offset[label, probe.start] - one[0]
            bounds[:, 0], bounds[:, 1] = -np.inf, np.inf
            if features < _ROWS and (found[:, 0] < found[:, 0].min() + clip).sum() == 1:
                for label in range(labels):
                    mine = (firsts[label], firsts[label + 1])
                    bounds[label, 0], bounds[label, 1] = _bounds(
                        near[:n], away[label, :n], offset[label, :n], axes, centre, rows, bases, mine, mean, reach
                    )
            limit = bounds[:, 1].min() + clip
            if (bounds[:, 0] < limit).sum() == 1:
                for label in range(labels):
                    for i in range(n):
                        costs[label, group[i]] = np.float32(0) if bounds[label, 0] < limit else clip
                continue
            for label in range(labels):
                found[label, :n] = np.inf
                if bounds[label, 0] < limit:
                    mine = (firsts[label], firsts[label + 1])
                    _log_means(
                        found[label, :n], near[:n], away[label, :n], seeds, mine, axes, centre, rows, bases, scratch
                    )
                    for i in range(n):
                        found[label, i] = offset[label, i] - found[label, i]
            for i in range(n):
                least = found[:, i].min()
                for label in range(labels):
                    costs[label, group[i]] = min(found[label, i] - least, clip)


def kernel_costs(
    points: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    seeds: list[np.ndarray],
    shape: tuple[int, ...],
    clip: float,
) -> np.ndarray:
    """Costs of the labels, of contiguous float32 arrays; as in the specification."""
    costs = np.empty(weights.shape, np.float32)
    tile = np.array(_TILES[len(shape)])
    sides = np.array((1,) * (3 - len(shape)) + shape)
    tiles = int(np.prod(-(-sides // tile)))
    firsts = np.cumsum([0, *(mine.shape[1] for mine in seeds)])
    together = np.concatenate(seeds, axis=1)
    head = (costs, points, weights, offsets, together, firsts, sides, tile, len(shape), np.float32(clip))
    run(
        _fill_costs,
        [(*head, begin, min(begin + _TILES_A_CALL, tiles)) for begin in range(0, tiles, _TILES_A_CALL)],
    )
    return costs
