"""Connected sets in the plane made cheaper by simulated annealing, pixel by pixel, with their topology kept.

    min over connected S    sum of cost over S

A pixel may change sides where its eight neighbours show that neither parts nor holes come or go (A. Rosenfeld's simple
points). Such a step is taken if it costs no more than an exponential random number times a falling temperature
(N. Metropolis), so that what lies behind something dear is reached, too. Holes, where they are allowed, are opened at
the end: while it is warm they would make ever more cycles, of which no single pixel can be removed. Bands of rows are
treated at a time and the row between two of them rests, so that the answer does not depend on the number of threads.
"""

from functools import lru_cache

import numpy as np

from .. import threads
from ..compiling import compiled
from .pieces import hole_pixels

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")

_HOT, _COLD = 0.3, 0.2
"""First and last temperature, in mean costs of a pixel."""

_SWEEPS = 80
"""Turns of all pixels while it cools; five times as many gain about 1 % more in noise that flips 30 % of the pixels."""

_SETTLING = 30
"""Most further turns at no temperature; few pixels change after the first five."""

_WORTH = 0.01
"""Share of the energy that must be left to gain, or there is no annealing: of what an unconstrained set would cost."""

_ROWS = 64
"""Rows of a band."""


def annealed(
    mask: Array, cost: Array, fixed: Array, holes: bool, rng: np.random.Generator, sweeps: int = _SWEEPS
) -> Array:
    """A connected set of no more cost than the connected `mask`, with the same pixels of `fixed`: (H, W) bool.

    Without `holes` it has none, as `mask`. Where next to nothing can be gained only such pixels change sides as make it
    cheaper at once.
    """
    weight = np.where(fixed, 0, cost).astype(np.float32)
    weight[weight == 0] = np.inf  # never changes sides
    reached, ideal = (float(cost[m & ~fixed].sum()) for m in (mask, cost < 0))
    start, temperatures = mask, [0.0] * _SETTLING
    if reached - ideal > _WORTH * abs(ideal):
        filled = mask | hole_pixels(mask) if holes else mask
        if not (fixed & (filled != mask)).any():
            cooling = np.linspace(_HOT, _COLD, sweeps) * np.abs(cost).mean()
            start, temperatures = filled, [*cooling.tolist(), *temperatures]
    state = np.pad(start, 1).astype(np.uint8)
    for sweep, temperature in enumerate(temperatures):
        edges = np.arange(1 + sweep * 23 % _ROWS, len(state) - 1, _ROWS)
        firsts, ends = [1, *(edges + 1)], [*edges, len(state) - 1]
        bands = zip(firsts, ends, rng.integers(1, 2**32, len(firsts), np.uint64), strict=True)
        opening = holes and temperature == 0
        calls = [(state, weight, changes(opening), _exponential(), temperature, *band) for band in bands]
        if not sum(threads.run(_sweep, calls)) and temperature == 0:
            break
    found = state[1:-1, 1:-1] == 1
    return found if cost[found].sum() < cost[mask].sum() else mask


@lru_cache(maxsize=2)
def changes(holes: bool) -> Array:
    """Whether a pixel may change sides: (2, 256) bool, for its own side and its neighbours in turn as bits.

    With `holes` also within the set, and wherever it joins the set.
    """
    ring = (np.arange(256)[:, None] >> np.arange(10) % 8 & 1).astype(bool)
    # Parts of the set around the pixel that touch its sides (Yokoi's number); none also where it is surrounded.
    parts = sum(ring[:, k] & ~(ring[:, k + 1] & ring[:, k + 2]) for k in (0, 2, 4, 6))
    simple = parts == 1
    if not holes:
        return np.stack([simple, simple])
    return np.stack([ring[:, 0:8:2].any(axis=1), simple | ring.all(axis=1)])


@lru_cache(maxsize=1)
def _exponential() -> Array:
    """4096 equally likely values of an exponential random number: float32."""
    return -np.log((np.arange(4096) + 0.5) / 4096).astype(np.float32)


@_compiled
def _sweep(state, weight, changes, exponential, temperature, first, end, seed):  # type: ignore[no-untyped-def]
    """How many pixels of some rows of the padded set `state` changed sides, in place."""
    changed, x = 0, np.uint64(seed)
    for i in range(first, end):
        for j in range(1, state.shape[1] - 1):
            w = weight[i - 1, j - 1]
            dearer = -w if state[i, j] else w
            if dearer >= 0 or w == np.inf:
                if temperature == 0 or w == np.inf:
                    continue
                x ^= x << np.uint64(13)
                x ^= x >> np.uint64(7)
                x ^= x << np.uint64(17)
                if dearer > temperature * exponential[x >> np.uint64(52)]:
                    continue
            ring = (
                state[i, j + 1] | state[i + 1, j + 1] << 1 | state[i + 1, j] << 2 | state[i + 1, j - 1] << 3
                | state[i, j - 1] << 4 | state[i - 1, j - 1] << 5 | state[i - 1, j] << 6 | state[i - 1, j + 1] << 7
            )  # fmt: skip
            if changes[state[i, j], ring]:
                state[i, j] = 1 - state[i, j]
                changed += 1
    return changed
