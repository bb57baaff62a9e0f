"""Which label's scribble a random walk meets first: the harmonic measure of the scribbles.

    div(w grad h_k) = 0,   h_k = 1 on scribbles of label k,   0 on those of the others,   no flow through the border

h_k(x) is the probability that a random walk from x meets a scribble of label k before one of another label (Grady 2006,
doi:10.1109/TPAMI.2006.233), where steps are less likely the more they change the colour:

    w = exp(-CONTRAST |I(x) - I(y)|^2 / mean |I(x) - I(y)|^2)                             for neighbouring x and y

Behind a line of other scribbles h_k is small, whatever the distance. It is computed on a grid of at most `SIDE` pixels
a side, from coarse to fine, by successive over-relaxation.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compiling import compiled, inlined

SIDE = 128
"""Pixels along the longest side of the grid: h is smooth but for the neighbourhood of scribbles."""

_COARSEST = 8
"""Pixels along the longest side of the first grid."""

CONTRAST = 1.0
"""Sensitivity to contrast, relative to its mean square between neighbouring pixels."""

_LEAST = 1e-4
"""Least conductance, as a share of that of a flat place."""

_CHANGE, _SWEEPS = 1e-4, 400
"""Largest change of h in a sweep at which a grid is solved (at 5e-4 some answers differ); most sweeps."""

_WITHIN = np.s_[1:-1, 1:-1, 1:-1]
"""What a frame of one pixel leaves of a volume."""

_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": True}
_compiled, _inlined = compiled(**_options), inlined(**_options)


@dataclass(frozen=True, eq=False)
class Walks:
    """Random walks on an image without scribbles: a grid and coarser ones, each with half of the sides.

    Attributes
    ----------
    inside : list of (*grid) bool
        Pixels of each grid that are not all outside.
    flows : list of (3, D + 2, H + 2, W + 2) float32
        Conductances to the next pixel along each axis, in a frame of pixels outside.
    """

    inside: list[np.ndarray]
    flows: list[np.ndarray]

    @classmethod
    def of(cls, inside: np.ndarray, colours: np.ndarray, spacing: tuple[float, ...]) -> "Walks":
        """Those on an image, `colours` (*spatial, C) float32, that may go to the pixels `inside` ((*spatial) bool)."""
        factor = block_sides(inside.shape)
        return cls.on_grid(_any(inside, factor), _averages(colours, factor), np.array(spacing) * factor)

    @classmethod
    def on_grid(cls, inside: np.ndarray, means: np.ndarray, steps: np.ndarray) -> "Walks":
        """Those on a grid with mean colours ((*grid, C)); its pixels are `steps` apart."""
        walks = cls([inside], [_conductances(inside, means, steps)])
        while max(inside.shape) > _COARSEST:
            halves = _halves(inside.shape)
            inside, means, steps = _any(inside, halves), _averages(means, halves), steps * halves
            walks.inside.append(inside)
            walks.flows.append(_conductances(inside, means, steps))
        return walks

    def reach(self, seeds: np.ndarray, count: int) -> np.ndarray:
        """h_k on the first grid, of seeds of its pixels ((*grid) int): (count, *grid) float32."""
        levels = [seeds]
        for inside in self.inside[1:]:
            levels.append(_pooled(levels[-1], inside, _halves(levels[-1].shape), count))
        grid = np.empty((count, *seeds.shape), np.float32)
        shares = [_shares(*level) for level in zip(levels, self.flows, strict=True)]
        for k in range(count - 1):
            h = np.full(levels[-1].shape, 0.5, np.float32)
            for labels, flow, share in zip(levels[::-1], self.flows[::-1], shares[::-1], strict=True):
                h = _relaxed(_enlarged(h, labels.shape, 2), labels, k + 1, flow, share)
            grid[k] = h
        grid[-1] = 1 - grid[:-1].sum(axis=0)
        return grid


def harmonic_measure(seeds: np.ndarray, walks: Walks, count: int) -> np.ndarray:
    """h_k of each of `count` labels: (count, *spatial) float32, in [0, 1], with sum 1.

    `seeds` ((*spatial) int) has -1 outside, 0 nowhere, and k + 1 on scribbles of the k-th label, each of which has one;
    `walks` are those on the image.
    """
    factor = block_sides(seeds.shape)
    grid = walks.reach(_pooled(seeds, walks.inside[0], factor, count), count)
    where = [(np.arange(n) + 0.5) / f - 0.5 for n, f in zip(seeds.shape, factor, strict=True)]
    return grid if max(factor) == 1 else np.stack([between(h, where) for h in grid])


def block_sides(shape: tuple[int, ...]) -> list[int]:
    """Pixels along each axis that are one of the grid on which h is computed."""
    return [max(1, -(-n // SIDE)) for n in shape]


def _halves(shape: tuple[int, ...]) -> list[int]:
    """Pixels along each axis that are one of the next grid."""
    return [2 if n > 1 else 1 for n in shape]


def pooled(drawn: np.ndarray, labels: np.ndarray, shape: tuple[int, ...], factor: list[int], count: int) -> np.ndarray:
    """Seeds of blocks of pixels, from scribbled pixels (flat indices) and their `labels` (int, of `count`).

    (*grid) int32: the label with most pixels there + 1, or 0 without.
    """
    sides = tuple(-(-n // f) for n, f in zip(shape, factor, strict=True))
    places = [at // f for at, f in zip(np.unravel_index(drawn, shape), factor, strict=True)]
    cells = np.ravel_multi_index(places, sides) * count + labels
    tally = np.bincount(cells, minlength=math.prod(sides) * count).reshape(*sides, count)
    return np.where(tally.any(axis=-1), tally.argmax(axis=-1) + 1, 0).astype(np.int32)


def _pooled(seeds: np.ndarray, inside: np.ndarray, factor: list[int], count: int) -> np.ndarray:
    """Seeds of the blocks of `seeds`; -1 where no pixel is `inside`."""
    drawn = np.flatnonzero(seeds > 0)
    return np.where(inside, pooled(drawn, seeds.ravel()[drawn] - 1, seeds.shape, factor, count), -1)


def _blocks(values: np.ndarray, factor: list[int]) -> np.ndarray:
    """`values` ((*spatial, ...)) in blocks, padded by its edges: (n, f, n, f, ..., ...)."""
    more = values.ndim - len(factor)
    padding = [(0, -n % f) for n, f in zip(values.shape, factor, strict=False)]
    padded = np.pad(values, padding + [(0, 0)] * more, mode="edge") if any(map(sum, padding)) else values
    split = [side for n, f in zip(padded.shape, factor, strict=False) for side in (n // f, f)]
    return padded.reshape(*split, *values.shape[len(factor) :])


def _any(inside: np.ndarray, factor: list[int]) -> np.ndarray:
    """Blocks that have pixels `inside`."""
    found: Any = _blocks(inside, factor)
    for axis in range(1, len(factor) + 1):
        found = found.any(axis=axis)
    return found


def _averages(colours: np.ndarray, factor: list[int]) -> np.ndarray:
    """Mean colours of blocks of pixels."""
    means = _blocks(colours, factor)
    for axis in range(1, len(factor) + 1):  # one after the other: sums of whole rows are quick
        means = means.sum(axis=axis)
    return means / np.float32(math.prod(factor))


def _enlarged(values: np.ndarray, shape: tuple[int, ...], factor: int) -> np.ndarray:
    """`values` on a grid that is finer by `factor` along axes that differ."""
    if values.shape == shape:
        return values
    return between(values, [(np.arange(n) + 0.5) / (factor if n > 1 else 1) - 0.5 for n in shape])


def between(values: np.ndarray, where: list[np.ndarray]) -> np.ndarray:
    """Linear interpolation along one axis after the other, constant beyond the outer centres."""
    for axis, places in enumerate(where):
        places = np.clip(places, 0, values.shape[axis] - 1)
        low = np.minimum(places.astype(int), max(values.shape[axis] - 2, 0))
        share = (places - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
        high = np.minimum(low + 1, values.shape[axis] - 1)
        values = (1 - share) * values.take(low, axis) + share * values.take(high, axis)
    return values


def _conductances(inside: np.ndarray, colours: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Conductances on the grid of `inside`, see `Walks.flows`."""
    changes = [np.square(np.diff(colours, axis=axis)).sum(axis=-1) for axis in range(inside.ndim)]
    mean = max(float(np.mean(np.concatenate([change.ravel() for change in changes]))), 1e-12)
    solid = _solid(inside.shape)
    flows = np.zeros((3, *(n + 2 for n in solid)), np.float32)
    for axis, change in enumerate(changes):
        ends = tuple(slice(-1) if k == axis else slice(None) for k in range(inside.ndim))
        far = tuple(slice(1, None) if k == axis else slice(None) for k in range(inside.ndim))
        flow = (_LEAST + np.exp(-CONTRAST * change / mean)) * (steps.min() / steps[axis]) ** 2
        there = np.zeros(inside.shape, np.float32)
        there[ends] = np.where(inside[ends] & inside[far], flow, 0)
        flows[3 - inside.ndim + axis][_WITHIN] = there.reshape(solid)
    return flows


def _shares(seeds: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """Shares as in `_relax`, for scribbles on the grid of `flows`: float32."""
    total = flows.sum(axis=0) + sum((np.roll(flows[k], 1, axis=k) for k in range(3)), np.float32(0))
    free = np.zeros(total.shape, bool)
    free[_WITHIN] = (seeds == 0).reshape(_solid(seeds.shape))
    return np.where(free & (total > 0), 1 / np.maximum(total, np.float32(1e-12)), 0).astype(np.float32)


def _relaxed(h: np.ndarray, seeds: np.ndarray, label: int, flows: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """h of one label on the grid of `seeds`, from a start on the same grid: float32."""
    padded = np.zeros(shares.shape, np.float32)
    padded[_WITHIN] = np.where(seeds == label, 1, np.where(seeds != 0, 0, h)).reshape(_solid(seeds.shape))
    over = np.float32(2 / (1 + math.sin(math.pi / max(seeds.shape))))
    _relax(padded, flows, shares, over, np.float32(_CHANGE), _SWEEPS)
    return padded[_WITHIN].reshape(seeds.shape)


def _solid(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a volume: that of an image has one slice."""
    return (*(1,) * (3 - len(shape)), *shape)


@_inlined
def _relax_row(
    h: np.ndarray, flows: np.ndarray, share: np.ndarray, over: np.float32, z: int, y: int, first: int
) -> np.float32:
    """Relax every second pixel of a row, from `first` on; the largest change before over-relaxation."""
    row, above, below = h[z, y], h[z, y - 1], h[z, y + 1]
    from_above, to_below, along = flows[1, z, y - 1], flows[1, z, y], flows[2, z, y]
    most = np.float32(0)
    for x in range(first, row.size - 1, 2):
        flow = from_above[x] * above[x] + to_below[x] * below[x] + along[x - 1] * row[x - 1] + along[x] * row[x + 1]
        if len(h) > 3:
            flow += flows[0, z - 1, y, x] * h[z - 1, y, x] + flows[0, z, y, x] * h[z + 1, y, x]
        step = flow * share[x] - row[x] if share[x] > 0 else np.float32(0)
        row[x] += over * step
        most = max(most, abs(step))
    return most


@_compiled
def _relax(
    h: np.ndarray, flows: np.ndarray, shares: np.ndarray, over: np.float32, change: np.float32, sweeps: int
) -> None:
    """Red-black over-relaxation of h (D, H, W) in place, until it hardly changes.

    `flows` (3, D, H, W) are the conductances to the next pixel along each axis, `shares` (D, H, W) 1 over their sum at
    each pixel, 0 where h is fixed. The frame is fixed, too.
    """
    depth, height, _ = h.shape
    for sweep in range(2 * sweeps):
        if sweep % 2 == 0:
            most = np.float32(0)
        for z in range(1, depth - 1):
            for y in range(1, height - 1):
                most = max(most, _relax_row(h, flows, shares[z, y], over, z, y, 1 + (z + y + sweep) % 2))
        if sweep % 2 and most < change:
            break
