"""The best digitally convex set in a small window, among all with corners on pixels and edges along 96 directions.

The recursion of `lattice_polygon` with the pixels' centres as nodes. The cost is again a sum over edges: walked
clockwise from the first pixel of its top row, a set's right side adds, for each row below, the cost up to the row's
last pixel, its left side subtracts, for each row below, the cost before its first one, and the top row is the first
pixel and the steps to the right. So pixels are counted, not areas. It needs no start.
"""

import numba
import numpy as np

from .components import cheapest_piece
from .hulls import fill
from .lattice_polygon import directions, energies_from, trace_from
from .raster import row_sums
from .refine_2d import refine

DIRECTIONS = directions(6)
"""(96, 2): row and column."""

MOST_PIXELS = 1000
"""Pixels of a window, at most: time grows with their square."""

_MARGIN = 4
"""Pixels of the window around a set on each side."""

_TRIES = 6
"""Number of top pixels, those with the least energies, of which the best set is traced."""


def best_nearby(mask: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """The best set in the window around `mask`, or `mask` itself where none is better or the window is too large.

    `mask` (bool) and the result are digitally convex and connected; `cost` is negative where it favours the object.
    """
    if not mask.any():
        return mask
    spread = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    window = tuple(slice(max(i[0] - _MARGIN, 0), i[-1] + _MARGIN + 1) for i in spread)
    inner = np.ascontiguousarray(cost[window], np.float64)
    if inner.size > MOST_PIXELS:
        return mask
    weights = step_costs(row_sums(inner), DIRECTIONS)
    energies = energies_from(weights, DIRECTIONS) + inner
    sets = [mask[window]]
    for k in np.argsort(energies, axis=None, kind="stable")[:_TRIES]:
        corners = np.zeros(inner.shape, bool)
        row, column = divmod(int(k), energies.shape[1])
        corners[tuple(np.array(trace_from(weights, DIRECTIONS, row, column)).T)] = True
        # The recursion knows neither whether a set is connected nor edges along other directions.
        sets.append(refine(cheapest_piece(fill(corners), inner), inner, band=2, sweeps=10, least=0))
    found = np.zeros_like(mask)
    found[window] = better = min(sets, key=lambda piece: float(inner[piece].sum()))
    return mask if better is sets[0] else found


@numba.njit(cache=True, error_model="numpy", nogil=True)
def step_costs(prefix: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(directions, H, W): the cost of a step in each direction from each pixel; infinite where it leaves the window."""
    n_rows, n_columns = prefix.shape[0], prefix.shape[1] - 1
    weights = np.full((len(directions), n_rows, n_columns), np.inf)
    for k in range(len(directions)):
        dr, dc = directions[k]
        for r in range(max(0, -dr), min(n_rows, n_rows - dr)):
            for c in range(max(0, -dc), min(n_columns, n_columns - dc)):
                total = 0.0
                if dr == 0 and dc > 0:
                    total = prefix[r, c + dc + 1] - prefix[r, c + 1]
                for i in range(1, dr + 1):
                    # The last pixel that is not to the right of the step.
                    total += prefix[r + i, c + (dc * i) // dr + 1]
                for i in range(-dr):
                    # The first that is not to the left of it, in the rows that the step leaves.
                    total -= prefix[r - i, c - (dc * i) // dr]
                weights[k, r, c] = total
    return weights
