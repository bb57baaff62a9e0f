"""Which label's scribble a random walk meets first: the harmonic measure of the scribbles.

    div(w grad h_k) = 0,   h_k = 1 on scribbles of label k,   0 on those of the others,   no flow through the border

h_k(x) is the probability that a random walk from x meets a scribble of label k before one of another label (Grady 2006,
doi:10.1109/TPAMI.2006.233), where steps are less likely the more they change the colour:

    w = exp(-CONTRAST |I(x) - I(y)|^2 / mean |I(x) - I(y)|^2)                             for neighbouring x and y

Behind a line of other scribbles h_k is small, whatever the distance. It is computed on a grid of at most `SIDE` pixels
a side, from coarse to fine, by successive over-relaxation.
"""

import math

import numba
import numpy as np

SIDE = 128
"""Pixels along the longest side of the grid: h is smooth but for the neighbourhood of scribbles."""

_COARSEST = 8
"""Pixels along the longest side of the first grid."""

CONTRAST = 1.0
"""Sensitivity to contrast, relative to its mean square between neighbouring pixels."""

_LEAST = 1e-4
"""Least conductance, as a share of that of a flat place."""

_CHANGE, _SWEEPS = 1e-4, 400
"""Largest change of h in a sweep at which a grid is solved; most sweeps."""

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)


def harmonic_measure(seeds: np.ndarray, colours: np.ndarray, count: int, spacing: tuple[float, ...]) -> np.ndarray:
    """h_k of each of `count` labels: (count, *spatial) float32, in [0, 1], with sum 1.

    `seeds` ((*spatial) int) has -1 outside, 0 nowhere, and k + 1 on scribbles of the k-th label, each of which has one;
    `colours` are (*spatial, C) float32.
    """
    factor = [max(1, -(-n // SIDE)) for n in seeds.shape]
    levels = [(_pooled(seeds, count, factor), _averages(colours, factor), np.array(spacing) * factor)]
    while max(levels[-1][0].shape) > _COARSEST:
        labels, means, steps = levels[-1]
        halves = [2 if n > 1 else 1 for n in labels.shape]
        levels.append((_pooled(labels, count, halves), _averages(means, halves), steps * halves))
    grid = np.empty((count, *levels[0][0].shape), np.float32)
    for k in range(count - 1):
        h = np.full(levels[-1][0].shape, 0.5, np.float32)
        for labels, means, steps in reversed(levels):
            h = _relaxed(_enlarged(h, labels.shape, 2), labels, means, k + 1, steps)
        grid[k] = h
    grid[-1] = 1 - grid[:-1].sum(axis=0)
    where = [(np.arange(n) + 0.5) / f - 0.5 for n, f in zip(seeds.shape, factor, strict=True)]
    return grid if max(factor) == 1 else np.stack([_between(h, where) for h in grid])


def _blocks(values: np.ndarray, factor: list[int]) -> np.ndarray:
    """`values` ((*spatial, ...)) in blocks, padded by its edges: (n, f, n, f, ..., ...)."""
    more = values.ndim - len(factor)
    padding = [(0, -n % f) for n, f in zip(values.shape, factor, strict=False)]
    padded = np.pad(values, padding + [(0, 0)] * more, mode="edge")
    split = [side for n, f in zip(padded.shape, factor, strict=False) for side in (n // f, f)]
    return padded.reshape(*split, *values.shape[len(factor) :])


def _pooled(seeds: np.ndarray, count: int, factor: list[int]) -> np.ndarray:
    """Labels of blocks of pixels: the one with most scribbled pixels, or 0 without; -1 where all are outside."""
    blocks, axes = _blocks(seeds, factor), tuple(range(1, 2 * seeds.ndim, 2))
    shares = np.stack([(blocks == k + 1).sum(axis=axes) for k in range(count)])
    found = np.where(shares.any(axis=0), shares.argmax(axis=0) + 1, 0)
    return np.where((blocks < 0).all(axis=axes), -1, found).astype(np.int32)


def _averages(colours: np.ndarray, factor: list[int]) -> np.ndarray:
    """Mean colours of blocks of pixels."""
    return _blocks(colours, factor).mean(axis=tuple(range(1, 2 * len(factor), 2)), dtype=np.float32)


def _enlarged(values: np.ndarray, shape: tuple[int, ...], factor: int) -> np.ndarray:
    """`values` on a grid that is finer by `factor` along axes that differ."""
    if values.shape == shape:
        return values
    return _between(values, [(np.arange(n) + 0.5) / (factor if n > 1 else 1) - 0.5 for n in shape])


def _between(values: np.ndarray, where: list[np.ndarray]) -> np.ndarray:
    """Linear interpolation along one axis after the other, constant beyond the outer centres."""
    for axis, places in enumerate(where):
        places = np.clip(places, 0, values.shape[axis] - 1)
        low = np.minimum(places.astype(int), max(values.shape[axis] - 2, 0))
        share = (places - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
        high = np.minimum(low + 1, values.shape[axis] - 1)
        values = (1 - share) * values.take(low, axis) + share * values.take(high, axis)
    return values


def _relaxed(h: np.ndarray, seeds: np.ndarray, colours: np.ndarray, label: int, steps: np.ndarray) -> np.ndarray:
    """h of one label on the grid of `seeds`, from a start on the same grid: float32."""
    h = np.where(seeds == label, 1, np.where(seeds != 0, 0, h)).astype(np.float32)
    solid = (1,) * (3 - seeds.ndim) + seeds.shape
    changes = [np.square(np.diff(colours, axis=axis)).sum(axis=-1) for axis in range(seeds.ndim)]
    mean = float(np.mean(np.concatenate([change.ravel() for change in changes])))
    flows = np.zeros((3, *solid), np.float32)
    for axis, change in enumerate(changes):
        flow = _LEAST + np.exp(-CONTRAST * change / max(mean, 1e-12))
        within = [slice(None)] * seeds.ndim
        within[axis] = slice(0, -1)
        flows[3 - seeds.ndim + axis].reshape(seeds.shape)[tuple(within)] = flow * (steps.min() / steps[axis]) ** 2
    over = np.float32(2 / (1 + math.sin(math.pi / max(seeds.shape))))
    _relax(h.reshape(solid), seeds.reshape(solid), flows, over, np.float32(_CHANGE), _SWEEPS)
    return h


@_compiled
def _relax(
    h: np.ndarray, seeds: np.ndarray, flows: np.ndarray, over: np.float32, change: np.float32, sweeps: int
) -> None:
    """Red-black over-relaxation of h (D, H, W) at free pixels (0 in `seeds`), in place, until it hardly changes.

    `flows` (3, D, H, W) are the conductances to the next pixel along each axis.
    """
    depth, height, width = h.shape
    for _ in range(sweeps):
        most = np.float32(0)
        for colour in range(2):
            for z in range(depth):
                for y in range(height):
                    for x in range((z + y + colour) % 2, width, 2):
                        if seeds[z, y, x] != 0:
                            continue
                        total, mean = np.float32(0), np.float32(0)
                        if z > 0 and seeds[z - 1, y, x] >= 0:
                            total += flows[0, z - 1, y, x]
                            mean += flows[0, z - 1, y, x] * h[z - 1, y, x]
                        if z + 1 < depth and seeds[z + 1, y, x] >= 0:
                            total += flows[0, z, y, x]
                            mean += flows[0, z, y, x] * h[z + 1, y, x]
                        if y > 0 and seeds[z, y - 1, x] >= 0:
                            total += flows[1, z, y - 1, x]
                            mean += flows[1, z, y - 1, x] * h[z, y - 1, x]
                        if y + 1 < height and seeds[z, y + 1, x] >= 0:
                            total += flows[1, z, y, x]
                            mean += flows[1, z, y, x] * h[z, y + 1, x]
                        if x > 0 and seeds[z, y, x - 1] >= 0:
                            total += flows[2, z, y, x - 1]
                            mean += flows[2, z, y, x - 1] * h[z, y, x - 1]
                        if x + 1 < width and seeds[z, y, x + 1] >= 0:
                            total += flows[2, z, y, x]
                            mean += flows[2, z, y, x] * h[z, y, x + 1]
                        if total > 0:
                            step = mean / total - h[z, y, x]
                            h[z, y, x] += over * step
                            most = max(most, abs(step))
        if most < change:
            break
