"""The dual step of labels coupled in pairs, for all pixels of a row at once; `pairs.py` is its specification."""

from typing import Any

import numpy as np

from ._numba_kernels import TINY, ZERO, inlined, row_function
from ._numba_rows import fill_row, row

HALF = np.float32(0.5)


@row_function
def apart_row(total: Any, one: Any, other: Any, taken: Any) -> None:
    """total += (one - other + 2 taken)^2."""
    for j in range(total.size):
        apart = one[j] - other[j] + (taken[j] + taken[j])
        total[j] += apart * apart


@row_function
def excess_row(total: Any, radius: Any) -> None:
    """From squared lengths: half the share by which a difference is longer than the radius."""
    for j in range(total.size):
        longest = radius[j]
        total[j] = HALF - HALF * longest / np.sqrt(max(total[j], max(longest * longest, TINY)))


@row_function
def take_row(one: Any, other: Any, taken: Any, half: Any) -> None:
    """Dykstra's step of a pair: give back what was taken the last time, and take its excess."""
    for j in range(half.size):
        old = taken[j]
        excess = (one[j] - other[j] + (old + old)) * half[j]
        one[j] += old - excess
        other[j] -= old - excess
        taken[j] = excess


@row_function
def longest_row(most: Any, total: Any) -> None:
    """most = max(most, total)."""
    for j in range(most.size):
        most[j] = max(most[j], total[j])


@row_function
def ball_factor_row(total: Any, radius: Any) -> None:
    """From squared lengths: the factor that makes each at most the radius."""
    for j in range(total.size):
        longest = radius[j]
        total[j] = longest / np.sqrt(max(total[j], max(longest * longest, TINY)))


@inlined
def pairs_row(
    space: Any, q: Any, labels: Any, directions: Any, taken: Any, half: Any, factor: Any, radius: Any, sweeps: Any,
    a: Any, b: Any,
) -> None:  # fmt: skip
    """Dykstra's sweeps over the pairs of labels, in the rows from q on; then the factor that makes all feasible.

    Row 0 of the matrix `space` is 0.
    """
    for m in range(directions * labels * (labels - 1) // 2):
        fill_row(row(space, taken + m, a, b), ZERO)
    for _ in range(sweeps):
        m = taken
        for one in range(labels):
            for other in range(one + 1, labels):
                fill_row(half, ZERO)
                for e in range(q, q + directions * labels, labels):
                    back = row(space, m + (e - q) // labels, a, b)
                    apart_row(half, row(space, e + one, a, b), row(space, e + other, a, b), back)
                excess_row(half, radius)
                for e in range(q, q + directions * labels, labels):
                    take_row(row(space, e + one, a, b), row(space, e + other, a, b), row(space, m, a, b), half)
                    m += 1
    nothing = row(space, 0, a, b)
    fill_row(factor, ZERO)
    for one in range(labels):
        for other in range(one + 1, labels):
            fill_row(half, ZERO)
            for e in range(q, q + directions * labels, labels):
                apart_row(half, row(space, e + one, a, b), row(space, e + other, a, b), nothing)
            longest_row(factor, half)
    ball_factor_row(factor, radius)
