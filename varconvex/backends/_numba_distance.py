"""Distances to the nearest of some pixels in linear time, compiled by Numba; `distance` in `base.py` specifies them.

Along the first axis two scans find the distance within each line. Along each further axis the squared distance is the
lower envelope of parabolas, one a pixel (Felzenszwalb, Huttenlocher 2012, doi:10.4086/toc.2012.v008a019):

    out(x) = min over y of (step (x - y))^2 + found(y)
"""

from itertools import pairwise

import numpy as np

from ..threads import n_threads, run
from ._numba_kernels import compiled

_SHARE = 2**15
"""Pixels that are worth a thread."""


@compiled
def _scan(out, there, step, begin, end):
    """Squared distances along the first axis of (n, m) arrays, for the columns from `begin` to `end`."""
    n = len(out)
    for j in range(begin, end):
        out[0, j] = 0.0 if there[0, j] else np.inf
    for i in range(1, n):
        for j in range(begin, end):
            out[i, j] = 0.0 if there[i, j] else out[i - 1, j] + step
    for i in range(n - 2, -1, -1):
        for j in range(begin, end):
            out[i, j] = min(out[i, j], out[i + 1, j] + step)
    for i in range(n):
        for j in range(begin, end):
            out[i, j] *= out[i, j]


@compiled
def _envelope(values, step, begin, end):
    """The lower envelopes along the second axis of a (b, n, a) array, for lines `begin` to `end` of b a; in place."""
    _, n, after = values.shape
    found, cuts, apex = np.empty(n), np.empty(n + 1), np.empty(n, np.int64)
    square = step * step
    for line in range(begin, end):
        b, a = line // after, line % after
        count = 0
        for y in range(n):
            found[y] = values[b, y, a]
            if not found[y] < np.inf:
                continue
            cut = -np.inf
            while count:
                x = apex[count - 1]
                cut = ((found[y] - found[x]) / square + y * y - x * x) / (2 * (y - x))
                if cut > cuts[count - 1]:
                    break
                count -= 1
            cuts[count] = cut if count else -np.inf
            apex[count] = y
            count += 1
        if not count:
            continue
        cuts[count] = np.inf
        k = 0
        for y in range(n):
            while cuts[k + 1] < y:
                k += 1
            values[b, y, a] = found[apex[k]] + square * (y - apex[k]) ** 2


def distance(there: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance of each pixel to the nearest one of `there` (bool, not all False): float64, in units of `spacing`."""
    squares = np.empty(there.shape)
    n = len(there)
    _threaded(_scan, (squares.reshape(n, -1), there.reshape(n, -1), float(spacing[0])), there.size // n, there.size)
    for axis in range(1, there.ndim):
        size = there.shape[axis]
        lines = squares.reshape(int(np.prod(there.shape[:axis])), size, -1)
        _threaded(_envelope, (lines, float(spacing[axis])), there.size // size, there.size)
    return np.sqrt(squares, out=squares)


def distance_along_rows(squares: np.ndarray, step: float) -> np.ndarray:
    """As in the specification; `squares` (n, W) float64, C-contiguous, is overwritten."""
    _threaded(_envelope, (squares[:, :, None], float(step)), len(squares), squares.size)
    return np.sqrt(squares, out=squares)


def _threaded(kernel, arguments: tuple, count: int, pixels: int) -> None:
    """The kernel on `count` lines, shared out among threads."""
    parts = max(1, min(n_threads(), count, pixels // _SHARE))
    run(kernel, [(*arguments, *span) for span in pairwise(count * k // parts for k in range(parts + 1))])
