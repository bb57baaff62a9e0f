"""Thread bands: each thread iterates a band of slices, side by side with the others, and nothing is computed twice.

Where two bands meet, the dual step above needs u_bar from below, and the primal step below the flow from above, of
each iteration in turn. The band below does without: its iteration k begins at its slice k, for which it has all that it
needs. The band above ends iteration k there, with u_bar that the band below has kept for it in a halo. All bands travel
downwards: when the one above gets there, the one below has finished its first slices long since.
"""

import threading
from itertools import pairwise
from typing import Any

import numpy as np

from ..threads import n_threads

SHARE = 2**18
"""Least pixels, times iterations where there are some, that are worth a thread: waking it takes 50 microseconds."""

NOTHING = np.empty((0, 0), np.float32)
"""An empty matrix of rows."""


class Halo:
    """Rows that a band leaves for the one above it, and an event for each tile of columns when they are complete."""

    def __init__(self, rows: int, columns: int, tiles: int) -> None:
        self.rows = np.empty((rows, columns), np.float32)
        self.ready = [threading.Event() for _ in range(tiles)]

    def open(self) -> None:
        """Release every thread that waits for this halo."""
        for event in self.ready:
            event.set()


def cut(work: np.ndarray, n: int) -> list[tuple[int, int]]:
    """Bands (first slice, last + 1) of equal work, for `n` iterations; `work` (slices,) is in pixels an iteration."""
    slices = len(work)
    count = max(1, min(n_threads(), slices // (6 * n), int(work.sum()) * n // SHARE))
    done = np.cumsum(work + 1.0)
    edges = [0]
    for k in range(1, count):
        # n (n - 1) / 2 slices and iterations below an edge are left to the band above.
        edge = int(np.searchsorted(done, done[-1] * k / count)) - n // 2
        edges.append(min(max(edge, edges[-1] + 3 * n), slices - 3 * n * (count - k)))
    return list(pairwise([*edges, slices]))


def iterate_band(
    kernel: Any, head: tuple, tiles: list[tuple], band: tuple[int, int], halos: tuple[Halo | None, Halo | None], n: int
) -> None:
    """`n` iterations of a band, tile by tile, by a compiled kernel; the band below must be running, or finished."""
    first, last = band
    above, below = halos
    ends = (int(above is not None), int(below is not None))
    rows = tuple(NOTHING if halo is None else halo.rows for halo in halos)
    # When the band above may go on; before what needs the band below; and the end.
    stops = [first + 2 * n - 2] * ends[0] + [last - 1] * ends[1] + [last + (n - 1) * (1 + ends[1])]
    try:
        for k, tile in enumerate(tiles):
            front = first - 1
            for stop in stops:
                if below is not None and stop > last - 1:
                    below.ready[k].wait()
                kernel(*head, tile, band, (front, stop), ends, *rows)
                front = stop
                if above is not None:
                    above.ready[k].set()
    finally:
        if above is not None:
            above.open()
