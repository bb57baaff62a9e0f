"""The best convex polygon on a lattice, globally, by dynamic programming:

    min over convex polygons P   sum of cost over P  +  alpha * perimeter(P)

with corners on a lattice of nodes and edges along 32 directions d_0, ..., d_31 in angular order. Walked
clockwise from its topmost corner v0, a convex polygon is a closed chain whose directions only increase. Edges
add up: a step from v along d_k costs

    w_k(v) = +- (cost left of the step, row by row)  +  alpha * |d_k|,

plus on the way down the right side and minus on the way up the left one, so that what remains is the cost
inside. Hence

    f(v) <- min( f(v), f(v - d_k) + w_k(v - d_k) )      for k = 0, ..., 31,   from f(v0) = 0 and infinity
    elsewhere,

swept along d_k so that steps may repeat, ends with f(v0), the best polygon through v0. The best v0 is the
answer; it is exact on the lattice, whatever the cost: no start, no local minimum.

For the best digitally convex set in a small window, among all with corners on pixels and edges along 96 directions, the
nodes are the pixels' centres. The cost is again a sum over edges: walked clockwise from the first pixel of its top row,
a set's right side adds, for each row below, the cost up to the row's last pixel, its left side subtracts, for each row
below, the cost before its first one, and the top row is the first pixel and the steps to the right. So pixels are
counted, not areas.
"""

import math
from itertools import pairwise

import numpy as np

from ..compiling import compiled
from .components import cheapest_piece
from .hulls import fill
from .raster import primitive_vectors, row_sums
from .refine_2d import refine

Array = np.ndarray


def directions(reach: int) -> Array:
    """Steps of up to `reach` rows and columns, none the multiple of another, clockwise on the screen from (0, 1)."""
    return np.array(sorted(primitive_vectors(reach, 2), key=lambda step: math.atan2(*step) % (2 * math.pi)))


_DIRECTIONS = directions(3)
"""(32, 2): row and column."""

FINE_DIRECTIONS = directions(6)
"""(96, 2), in a small window."""

MOST_PIXELS = 1000
"""Pixels of a window, at most: time grows with their square."""

_MARGIN = 4
"""Pixels of the window around a set on each side."""

_TRIES = 6
"""Number of top pixels, those with the least energies, of which the best set is traced."""


def best_polygon(
    cost: Array, *, n_nodes: int = 33, alpha: float = 0.0, spacing: tuple[float, float] | Array = (1.0, 1.0)
) -> tuple[Array, float]:
    """The convex polygon of least cost plus alpha times perimeter: its corners, and its energy.

    Pixels of `cost` ((H, W) float, negative favours the object) partly covered along a row count by the share covered.
    `n_nodes` are the nodes along the longer side: time grows with its fourth power; nodes are never closer than one
    pixel. `alpha`, at least 0, is the perimeter's weight, `spacing` ((2,) float) the size of a pixel for it.

    Corners ((n, 2) float) are row and column with (0, 0) the outer corner of the first pixel, down the left side and up
    the right one; n = 0, and the energy 0, if no polygon costs less than the empty set.
    """
    cost = np.ascontiguousarray(cost, np.float64)
    step = max(1.0, max(cost.shape) / (n_nodes - 1))
    cells = [math.ceil(size / step) for size in cost.shape]
    # Both axes end on the border, with cells as square as that allows.
    steps = np.array(cost.shape) / cells
    lengths = alpha * np.hypot(*(_DIRECTIONS * steps * np.asarray(spacing, float)).T)
    weights = _step_costs(row_sums(cost), _DIRECTIONS, lengths, steps, cells[0] + 1, cells[1] + 1)
    energies = energies_from(weights, _DIRECTIONS)
    row, column = divmod(int(energies.argmin()), energies.shape[1])
    energy = float(energies[row, column])
    # A chain forth and back along one line encloses nothing, but its sum may be a rounding error below zero.
    if energy >= -1e-12 * np.abs(cost).sum():
        return np.empty((0, 2)), 0.0
    return np.array(trace_from(weights, _DIRECTIONS, row, column), float) * steps, energy


def trace_from(weights: Array, steps: Array, row: int, column: int) -> list[tuple[int, int]]:
    """The corners of the best polygon through its top node, walked backwards from the last step taken."""
    taken = _sweep_and_record(weights, steps, row, column)
    nodes, directions = [(row, column)], []
    k = len(steps) - 1
    while k >= 0:
        here = nodes[-1]
        if not taken[k, here[0], here[1]]:
            k -= 1
            continue
        directions.append(k)
        nodes.append((here[0] - int(steps[k, 0]), here[1] - int(steps[k, 1])))
    corners = [nodes[0]]
    corners += [node for node, (before, after) in zip(nodes[1:], pairwise(directions), strict=False) if before != after]
    return corners


@compiled(error_model="numpy", nogil=True)
def _step_costs(prefix: Array, directions: Array, lengths: Array, steps: Array, n_rows: int, n_columns: int) -> Array:
    """w_k(v) for every direction and node; infinite where the step leaves the lattice."""
    height, width = prefix.shape[0], prefix.shape[1] - 1
    weights = np.full((len(directions), n_rows, n_columns), np.inf)
    for k in range(len(directions)):
        dr, dc = directions[k]
        for r in range(max(0, -dr), min(n_rows, n_rows - dr)):
            top, bottom = min(r, r + dr) * steps[0], max(r, r + dr) * steps[0]
            # A row belongs to the step that passes its centre, a centre on a node to the lower step.
            first, last = math.ceil(top - 0.5), min(math.ceil(bottom - 0.5), height)
            for c in range(max(0, -dc), min(n_columns, n_columns - dc)):
                total = 0.0
                for i in range(first, last):
                    x = min((c + dc * ((i + 0.5) / steps[0] - r) / dr) * steps[1], float(width))
                    j = min(int(x), width - 1)
                    total += prefix[i, j] + (x - j) * (prefix[i, j + 1] - prefix[i, j])
                weights[k, r, c] = (total if dr > 0 else -total) + lengths[k]
    return weights


@compiled(error_model="numpy", nogil=True)
def energies_from(weights: Array, directions: Array) -> Array:
    """(rows, columns): least energy of the polygons whose top node is this one, for every node; at most 0."""
    _, n_rows, n_columns = weights.shape
    energies = np.empty((n_rows, n_columns))
    for row in range(n_rows):
        for column in range(n_columns):
            f = np.full((n_rows, n_columns), np.inf)
            f[row, column] = 0.0
            for k in range(len(directions)):
                _sweep(f, weights[k], directions[k, 0], directions[k, 1], row)
            energies[row, column] = f[row, column]
    return energies


@compiled(error_model="numpy", nogil=True)
def _sweep(f: Array, weight: Array, dr: int, dc: int, top: int) -> None:
    """One direction of the recursion, in place, on the rows from `top` down."""
    n_rows, n_columns = f.shape
    if dr == 0:
        columns = range(1, n_columns, 1) if dc > 0 else range(n_columns - 2, -1, -1)
        for r in range(top, n_rows):
            for c in columns:
                f[r, c] = min(f[r, c], f[r, c - dc] + weight[r, c - dc])
        return
    first, last = max(0, dc), min(n_columns, n_columns + dc)
    for i in range(n_rows - top - abs(dr)):
        r = top + dr + i if dr > 0 else n_rows - 1 + dr - i
        before = slice(first - dc, last - dc)
        here, there, w = f[r, first:last], f[r - dr, before], weight[r - dr, before]
        for c in range(last - first):
            here[c] = min(here[c], there[c] + w[c])


@compiled(error_model="numpy", nogil=True)
def _sweep_and_record(weights: Array, directions: Array, row: int, column: int) -> Array:
    """(directions, rows, columns) bool: whether a step along a direction has lowered f at a node, from one top node."""
    _, n_rows, n_columns = weights.shape
    taken = np.zeros(weights.shape, np.bool_)
    f = np.full((n_rows, n_columns), np.inf)
    f[row, column] = 0.0
    for k in range(len(directions)):
        before = f.copy()
        _sweep(f, weights[k], directions[k, 0], directions[k, 1], row)
        for r in range(n_rows):
            for c in range(n_columns):
                taken[k, r, c] = f[r, c] < before[r, c]
    return taken


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
    weights = window_costs(row_sums(inner), FINE_DIRECTIONS)
    energies = energies_from(weights, FINE_DIRECTIONS) + inner
    sets = [mask[window]]
    for k in np.argsort(energies, axis=None, kind="stable")[:_TRIES]:
        corners = np.zeros(inner.shape, bool)
        row, column = divmod(int(k), energies.shape[1])
        corners[tuple(np.array(trace_from(weights, FINE_DIRECTIONS, row, column)).T)] = True
        # The recursion knows neither whether a set is connected nor edges along other directions.
        sets.append(refine(cheapest_piece(fill(corners), inner), inner, band=2, sweeps=10, least=0))
    found = np.zeros_like(mask)
    found[window] = better = min(sets, key=lambda piece: float(inner[piece].sum()))
    return mask if better is sets[0] else found


@compiled(error_model="numpy", nogil=True)
def window_costs(prefix: np.ndarray, directions: np.ndarray) -> np.ndarray:
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
