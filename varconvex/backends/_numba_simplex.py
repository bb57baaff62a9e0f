"""The nearest point of the simplex, for all pixels of a row at once (Michelot 1986, doi:10.1007/BF00938486)."""

from typing import Any

import numpy as np

from ._numba_kernels import ONE, ZERO, at, compiled, inlined, row_function
from ._numba_rows import copy_row, row


@inlined
def simplex_row(space: Any, v: Any, low: Any, stride: Any, labels: Any, a: Any, b: Any, shrink: Any) -> None:
    """Columns a..b-1 of shrink v to the simplex above lower bounds, all in rows of the matrix `space`.

    Label c is in row v + c, its lower bound in row low + c stride; four rows behind v are overwritten.
    """
    work = v + labels
    theta, free = row(space, work, a, b), row(space, work + 1, a, b)
    total, count = row(space, work + 2, a, b), row(space, work + 3, a, b)
    begin_row(theta, free)
    for c in range(labels):
        lift_row(row(space, v + c, a, b), row(space, low + c * stride, a, b), theta, free, shrink)
    mean_row(theta, free, ONE / np.float32(labels))
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        restart_row(total, count, free)
        for c in range(labels):
            count_row(row(space, v + c, a, b), theta, total, count)
        if raise_row(theta, total, count) == ZERO:
            break
    for c in range(labels):
        drop_row(row(space, v + c, a, b), row(space, low + c * stride, a, b), theta)


@row_function
def begin_row(theta: Any, free: Any) -> None:
    """theta = 0, free = 1."""
    for j in range(theta.size):
        theta[j] = ZERO
        free[j] = ONE


@row_function
def lift_row(v: Any, lower: Any, theta: Any, free: Any, shrink: Any) -> None:
    """v = shrink v - lower, added to theta; the bound is taken from `free`."""
    for j in range(v.size):
        free[j] -= lower[j]
        v[j] = shrink * v[j] - lower[j]
        theta[j] += v[j]


@row_function
def mean_row(theta: Any, free: Any, share: Any) -> None:
    """theta of all labels together: (theta - free) share."""
    for j in range(theta.size):
        theta[j] = (theta[j] - free[j]) * share


@row_function
def restart_row(total: Any, count: Any, free: Any) -> None:
    """Sum and number of labels above theta before a sweep: -free and 0."""
    for j in range(total.size):
        total[j] = -free[j]
        count[j] = ZERO


@row_function
def count_row(v: Any, theta: Any, total: Any, count: Any) -> None:
    """Add a label to sum and number where it is above theta."""
    for j in range(v.size):
        total[j] += v[j] if v[j] > theta[j] else ZERO
        count[j] += ONE if v[j] > theta[j] else ZERO


@row_function
def raise_row(theta: Any, total: Any, count: Any) -> Any:
    """theta after a sweep; returns the largest change."""
    moved = ZERO
    for j in range(theta.size):
        new = total[j] / count[j] if count[j] > ZERO else theta[j]
        moved = max(moved, abs(new - theta[j]))
        theta[j] = new
    return moved


@row_function
def drop_row(v: Any, lower: Any, theta: Any) -> None:
    """v = lower + max(v - theta, 0)."""
    for j in range(v.size):
        v[j] = lower[j] + max(v[j] - theta[j], ZERO)


@compiled
def simplex_block(u: Any, shape: Any, lower: Any, lower_shape: Any, labels: Any, first: Any, last: Any) -> None:
    """Slices first..last-1 of u, each pixel's labels at the nearest point of the simplex above their lower bounds."""
    width = u.shape[1]
    space = np.empty((2 * labels + 4, width), np.float32)
    for i in range(first, last):
        for y in range(shape[1]):
            for c in range(labels):
                copy_row(row(space, c, 0, width), row(u, at(shape, c, i, y), 0, width))
                bound = row(lower, at(lower_shape, c, i, y), 0, width)
                copy_row(row(space, labels + 4 + c, 0, width), bound)
            simplex_row(space, 0, labels + 4, 1, labels, 0, width, ONE)
            for c in range(labels):
                copy_row(row(u, at(shape, c, i, y), 0, width), row(space, c, 0, width))
