"""Primal and dual value of problems whose labels are tied together, drawn to a target, or not convex; compiled.

Arrays are as in `_numba_coupled.py`; everything is computed and summed in float64, a number per slab.
"""

import numpy as np

from ._numba_coupled import JOINT, PAIRWISE
from ._numba_kernels import IMAGE, OCTAGONAL, VOLUME, at, compiled, inlined, row_function
from ._numba_values import add_slope_row, bent_row, difference_row, slope_row


@row_function
def quadratic_row(u, here, cost, there, target, to, quadratic, l1_weight):
    """Sum of cost u + quadratic/2 u^2 + l1_weight |u - target|."""
    total = 0.0
    for j in range(u.shape[1]):
        value = np.float64(u[here, j])
        total += value * (np.float64(cost[there, j]) + 0.5 * quadratic * value)
        total += l1_weight * abs(value - np.float64(target[to, j]))
    return total


@row_function
def add_square_rows(total, g, m):
    """total += g^2."""
    for j in range(total.size):
        total[j] += g[m, j] * g[m, j]


@row_function
def charge_squares_row(squares, radius, r, huber, truncated):
    """Sum of radius h(t), t given squared."""
    total = 0.0
    for j in range(squares.size):
        t = np.sqrt(squares[j])
        if truncated:
            t = min(0.5 * squares[j] / huber, 1.0)
        elif huber > 0:
            t = t - 0.5 * huber if t > huber else 0.5 * t * t / huber
        total += np.float64(radius[r, j]) * t
    return total


@row_function
def pairwise_row(g, labels, number, radius, r):
    """Sum of radius times the length of `_pairs.pairwise_length`, Euclid's."""
    total = 0.0
    for j in range(g.shape[1]):
        # The three longest gradients, the first of them as what the next two leave.
        second, third, rest = 0.0, 0.0, 0.0
        one, two, three = -1, -1, -1
        lengths = 0.0
        first = -1.0
        for c in range(labels):
            square = 0.0
            for e in range(number):
                square += g[e * labels + c, j] * g[e * labels + c, j]
            t = np.sqrt(square)
            lengths += t
            if t > first:
                first, second, third = t, first, second
                one, two, three = c, one, two
            elif t > second:
                second, third = t, second
                two, three = c, two
            elif t > third:
                third, three = t, c
        if labels < 3:
            total += np.float64(radius[r, j]) * 0.5 * lengths
            continue
        square = 0.0
        for e in range(number):
            both = g[e * labels + two, j] + g[e * labels + three, j]
            square += both * both
        rest = lengths - first - second - third
        first = np.sqrt(square)
        half = 0.5 * (first + second + third)
        area = np.sqrt(max(half * (half - first) * (half - second) * (half - third), 0.0))
        squares = first * first + second * second + third * third
        longest = max(first, max(second, third))
        short = first + second + third - longest
        if 3 * longest * longest < squares + short * short:
            short = np.sqrt(0.5 * squares + 2 * np.sqrt(3.0) * area)
        total += np.float64(radius[r, j]) * (short + rest)
    return total


@compiled
def coupled_primal_block(
    sums, u, shape, cost, radius, lower, upper, target, shapes, labels, first, last, quadratic, l1_weight, huber, steps,
    directions, isotropic, coupling, truncated,
):  # fmt: skip
    """Energy of each of the slabs first..last-1."""
    slabs, rows = shape
    number = 2 if directions == IMAGE else 3 if directions == VOLUME else 4
    g, total = np.empty((number * labels, u.shape[1])), np.empty(u.shape[1])
    over_e, over_c = number if isotropic else 1, labels if coupling == JOINT else 1
    for i in range(first, last):
        for y in range(rows):
            r = at(shapes[1], 0, i, y)
            for c in range(labels):
                here = at(shape, c, i, y)
                there, to = at(shapes[0], c, i, y), at(shapes[4], c, i, y)
                sums[i] += quadratic_row(u, here, cost, there, target, to, quadratic, l1_weight)
                below = at(shape, c, i + 1, y) if i + 1 < slabs else -1
                difference_rows(g, c, labels, u, here, here + 1 if y + 1 < rows else -1, below, steps, directions)
            if coupling == PAIRWISE:
                sums[i] += pairwise_row(g, labels, number, radius, r)
                continue
            for first_e in range(0, number, over_e):
                for first_c in range(0, labels, over_c):
                    total[:] = 0.0
                    for e in range(first_e, first_e + over_e):
                        for c in range(first_c, first_c + over_c):
                            add_square_rows(total, g, e * labels + c)
                    sums[i] += charge_squares_row(total, radius, r, huber, truncated)


@inlined
def difference_rows(g, c, labels, u, here, beside, below, steps, directions):
    """Label c's differences along every direction."""
    one = 1.0
    difference_row(g[c], u, here, below, 0, steps[0], one)
    difference_row(g[labels + c], u, here, here, 1, steps[1], one)
    if directions == VOLUME:
        difference_row(g[2 * labels + c], u, here, beside, 0, steps[2], one)
    elif directions == OCTAGONAL:
        difference_row(g[2 * labels + c], u, here, below, 1, steps[2], one)
        difference_row(g[3 * labels + c], u, here, below, -1, steps[3], one)


@row_function
def target_dual_row(slope, c, target, there, lower, low, upper, high, quadratic, l1_weight):
    """Sum over pixels of the least of slope v + quadratic/2 v^2 + l1_weight |v - target| within the bounds."""
    total = 0.0
    for j in range(slope.shape[1]):
        s, f = slope[c, j], np.float64(target[there, j])
        least, most = np.float64(lower[low, j]), np.float64(upper[high, j])
        a, b = least, most
        if quadratic > 0:
            a = min(max((-s - l1_weight) / quadratic, least), most)
            b = min(max((-s + l1_weight) / quadratic, least), most)
        v = min(max(f, least), most)
        best = v * (s + 0.5 * quadratic * v) + l1_weight * abs(v - f)
        best = min(best, a * (s + 0.5 * quadratic * a) + l1_weight * abs(a - f))
        total += min(best, b * (s + 0.5 * quadratic * b) + l1_weight * abs(b - f))
    return total


@compiled
def target_dual_block(
    sums, slow, fast, third, fourth, shape, cost, radius, lower, upper, target, shapes, labels, first, last, quadratic,
    l1_weight, huber, steps, directions,
):  # fmt: skip
    """Dual value of each of the slabs first..last-1 of a box, with p as it is where `steps` are shrunk by SAFE."""
    slope = np.empty((1, slow.shape[1]))
    for i in range(first, last):
        inner = 1.0 if i > 0 else 0.0
        for y in range(shape[1]):
            r = at(shapes[1], 0, i, y)
            for c in range(labels):
                here, above = at(shape, c, i, y), at(shape, c, max(i - 1, 0), y)
                slope_row(slope, 0, cost, slow, fast, here, above, inner, steps[0], steps[1])
                if directions == VOLUME:
                    add_slope_row(slope, 0, third, here, here - 1 if y > 0 else -1, 0, steps[2])
                elif directions == OCTAGONAL:
                    add_slope_row(slope, 0, third, here, above if i > 0 else -1, 1, steps[2])
                    add_slope_row(slope, 0, fourth, here, above if i > 0 else -1, -1, steps[3])
                if huber > 0:
                    bent = bent_row(slow, here, radius, r) + bent_row(fast, here, radius, r)
                    if directions != IMAGE:
                        bent += bent_row(third, here, radius, r)
                    if directions == OCTAGONAL:
                        bent += bent_row(fourth, here, radius, r)
                    sums[i] -= 0.5 * huber * bent
                low, high, there = at(shapes[2], c, i, y), at(shapes[3], c, i, y), at(shapes[4], c, i, y)
                sums[i] += target_dual_row(slope, 0, target, there, lower, low, upper, high, quadratic, l1_weight)
