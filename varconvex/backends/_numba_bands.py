"""Bands of slabs, one a thread, that iterate side by side and compute nothing twice.

At a seam the dual step above needs u_bar from below, and the primal step below the flow from above, of each iteration
in turn. The band below does without: iteration k begins at its slab k, for which it has all that it needs. The band
above ends iteration k there, with u_bar that the band below has kept for it. All bands travel downwards: when the one
above gets there, the one below is done with its first slabs long since.
"""

import threading
from itertools import pairwise
from typing import Any

import numpy as np

from .._threads import n_threads

SHARE = 2**18
"""Least pixels, times iterations where there are some, that are worth a thread: waking it takes 50 microseconds."""

NOTHING = np.empty((0, 0), np.float32)
"""Rows of what there is none of."""


class Seam:
    """What a band leaves for the one above it, in rows, and whether it has: of each panel."""

    def __init__(self, rows: int, columns: int, panels: int) -> None:
        self.rows = np.empty((rows, columns), np.float32)
        self.ready = [threading.Event() for _ in range(panels)]

    def open(self) -> None:
        """Let nobody wait."""
        for event in self.ready:
            event.set()


def cut(work: np.ndarray, n: int) -> list[tuple[int, int]]:
    """Bands (first slab, last + 1) of the same work each, for `n` iterations; `work` is what a slab takes."""
    slabs = len(work)
    count = max(1, min(n_threads(), slabs // (6 * n), int(work.sum()) * n // SHARE))
    done = np.cumsum(work + 1.0)
    edges = [0]
    for k in range(1, count):
        # Of n (n - 1) / 2 slabs and iterations below a seam the band above takes care.
        edge = int(np.searchsorted(done, done[-1] * k / count)) - n // 2
        edges.append(min(max(edge, edges[-1] + 3 * n), slabs - 3 * n * (count - k)))
    return list(pairwise([*edges, slabs]))


def iterate_band(
    kernel: Any, head: tuple, panels: list[tuple], band: tuple[int, int], seams: tuple[Seam | None, Seam | None],
    n: int, tail: tuple,
) -> None:  # fmt: skip
    """`n` iterations of a band, panel by panel, by a compiled kernel; the band below must be on its way, or done."""
    first, last = band
    above, below = seams
    ends = (int(above is not None), int(below is not None))
    rows = tuple(NOTHING if seam is None else seam.rows for seam in seams)
    # When the band above may go on; before what needs the band below; and the end.
    stops = [first + 2 * n - 2] * ends[0] + [last - 1] * ends[1] + [last + (n - 1) * (1 + ends[1])]
    try:
        for k, panel in enumerate(panels):
            front = first - 1
            for stop in stops:
                if below is not None and stop > last - 1:
                    below.ready[k].wait()
                kernel(*head, *panel, first, last, (front, stop), ends, *rows, *tail)
                front = stop
                if above is not None:
                    above.ready[k].set()
    finally:
        if above is not None:
            above.open()
