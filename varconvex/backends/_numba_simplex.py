"""The nearest point of the simplex, for all pixels of a row at once (Michelot 1986, doi:10.1007/BF00938486)."""

import numpy as np

from ._numba_kernels import ONE, ZERO, at, compiled, inlined, row_function
from ._numba_rows import copy_row, row


@inlined
def simplex_row(v, lower, low, stride, work, a, b, shrink):
    """Columns a..b-1 of shrink v, a row a label, to the simplex above lower bounds: label c's row is low + c stride.

    `work` has four rows as long as those of v.
    """
    labels = v.shape[0]
    theta, free, total, count = row(work, 0, a, b), row(work, 1, a, b), row(work, 2, a, b), row(work, 3, a, b)
    begin_row(theta, free)
    for c in range(labels):
        lift_row(row(v, c, a, b), row(lower, low + c * stride, a, b), theta, free, shrink)
    mean_row(theta, free, ONE / np.float32(labels))
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        restart_row(total, count, free)
        for c in range(labels):
            count_row(row(v, c, a, b), theta, total, count)
        if raise_row(theta, total, count) == ZERO:
            break
    for c in range(labels):
        drop_row(row(v, c, a, b), row(lower, low + c * stride, a, b), theta)


@row_function
def begin_row(theta, free):
    """No sum yet, and all of the total to give away."""
    for j in range(theta.size):
        theta[j] = ZERO
        free[j] = ONE


@row_function
def lift_row(v, lower, theta, free, shrink):
    """shrink v above its lower bound, into the sum; the bound is given away."""
    for j in range(v.size):
        free[j] -= lower[j]
        v[j] = shrink * v[j] - lower[j]
        theta[j] += v[j]


@row_function
def mean_row(theta, free, share):
    """What each label has to give up, if all stay above 0."""
    for j in range(theta.size):
        theta[j] = (theta[j] - free[j]) * share


@row_function
def restart_row(total, count, free):
    """Before a sweep: no label is above theta yet."""
    for j in range(total.size):
        total[j] = -free[j]
        count[j] = ZERO


@row_function
def count_row(v, theta, total, count):
    """A label, where it is above theta."""
    for j in range(v.size):
        total[j] += v[j] if v[j] > theta[j] else ZERO
        count[j] += ONE if v[j] > theta[j] else ZERO


@row_function
def raise_row(theta, total, count):
    """theta after a sweep; how far it has moved at most."""
    moved = ZERO
    for j in range(theta.size):
        new = total[j] / count[j] if count[j] > ZERO else theta[j]
        moved = max(moved, abs(new - theta[j]))
        theta[j] = new
    return moved


@row_function
def drop_row(v, lower, theta):
    """v less theta, but not below its bound."""
    for j in range(v.size):
        v[j] = lower[j] + max(v[j] - theta[j], ZERO)


@compiled
def simplex_block(u, shape, lower, shapes, labels, first, last):
    """Slabs first..last-1 of u, each pixel's labels at the nearest point of the simplex above their lower bounds."""
    width = u.shape[1]
    v, work = np.empty((labels, width), np.float32), np.empty((4, width), np.float32)
    for i in range(first, last):
        for y in range(shape[1]):
            for c in range(labels):
                copy_row(row(v, c, 0, width), row(u, at(shape, c, i, y), 0, width))
            simplex_row(v, lower, at(shapes[2], 0, i, y), shapes[2][0] * shapes[2][1], work, 0, width, ONE)
            for c in range(labels):
                copy_row(row(u, at(shape, c, i, y), 0, width), row(v, c, 0, width))
