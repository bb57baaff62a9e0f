"""The compiled kernels of the Numba backend: n iterations on a block of slabs.

    v = (u - tau (cost - div p)) / (1 + tau pull)          u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

Everything is a volume of slabs, u : (L, slabs, rows, width); an image has slabs of one row. The directions of p are
slow (from slab to slab), fast (along the row), and two more where there are: middle (from row to row of a volume), or
the two diagonals of an image. Kernels see all of them as matrices of rows, (L slabs rows, width), beside the shape
(slabs, rows), and `at` finds a row: with four axes the bookkeeping of a row would cost as much as 300 pixels.

Row functions work on whole rows of different arrays: that is what LLVM vectorises, once it is told that no two arrays
overlap. No integer meets a float32: Numba would go on in float64.
"""

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numba.core.compiler import Compiler


class _NoAlias(Compiler):
    """Numba's compiler, told that no two arrays of a call overlap where one of them is written."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


# Divisions are NumPy's: a check for 0 would stop the vectoriser.
_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": True}
compiled = numba.njit(cache=True, **_options)
inlined = numba.njit(inline="always", **_options)
row_function = numba.njit(pipeline_class=_NoAlias, forceinline=True, **_options)

TINY = np.float32(1e-30)
DENORMAL = np.float32(1e-18)
ZERO = np.float32(0)
ONE = np.float32(1)

IMAGE, VOLUME, OCTAGONAL = 0, 1, 2
"""Whether `third` and `fourth` are nothing; the middle direction and nothing; or to the right and left below."""


@inlined
def at(shape, c, i, y):
    """Row y of slab i of label c in a matrix of rows; a field that is the same in all slabs or rows has one."""
    slabs, rows = shape
    return (c * slabs + min(i, slabs - 1)) * rows + min(y, rows - 1)


@row_function
def descend_row(v, c, u, slow, fast, cost, here, above, inner, there, tau, d_slow, d_fast):
    """v = u - tau (cost - div p), of the slow and the fast flow; d is tau / spacing; `inner` is 0 in the first slab."""
    div = d_slow * (slow[here, 0] - inner * slow[above, 0]) + d_fast * fast[here, 0]
    v[c, 0] = u[here, 0] + div - tau * cost[there, 0]
    for j in range(1, v.shape[1]):
        div = d_slow * (slow[here, j] - inner * slow[above, j]) + d_fast * (fast[here, j] - fast[here, j - 1])
        v[c, j] = u[here, j] + div - tau * cost[there, j]


@row_function
def add_flow_row(v, c, p, here, behind, shift, d):
    """v += d (what flows out of a row of p - what flows in from the row and the column that lie behind)."""
    for j in range(v.shape[1]):
        v[c, j] += d * p[here, j]
    if behind >= 0:
        # A loop for each shift: Numba would look whether a computed index is negative, pixel by pixel.
        if shift == 0:
            for j in range(v.shape[1]):
                v[c, j] -= d * p[behind, j]
        elif shift > 0:
            for j in range(1, v.shape[1]):
                v[c, j] -= d * p[behind, j - 1]
        else:
            for j in range(v.shape[1] - 1):
                v[c, j] -= d * p[behind, j + 1]


@row_function
def relax_box_row(u, here, v, c, bar, b, lower, low, upper, high, shrink, rho):
    """u_new = v within its bounds, u_bar = 2 u_new - u, u += rho (u_new - u)."""
    for j in range(v.shape[1]):
        old = u[here, j]
        step = min(max(shrink * v[c, j], lower[low, j]), upper[high, j]) - old
        bar[b, j] = old + step + step
        u[here, j] = old + rho * step


@row_function
def relax_row(u, here, v, c, bar, b, rho):
    """u_bar = 2 v - u, then u += rho (v - u)."""
    for j in range(v.shape[1]):
        old = u[here, j]
        step = v[c, j] - old
        bar[b, j] = old + step + step
        u[here, j] = old + rho * step


@row_function
def simplex_row(v, lower, low, stride, theta, free, total, count, shrink):
    """Michelot's projection on all pixels of a row at once; label c's bounds are in row low + c stride."""
    labels, width = v.shape
    share = ONE / np.float32(labels)
    for j in range(width):
        theta[j] = ZERO
        free[j] = ONE
    for c in range(labels):
        for j in range(width):
            free[j] -= lower[low + c * stride, j]
            v[c, j] = shrink * v[c, j] - lower[low + c * stride, j]
            theta[j] += v[c, j]
    for j in range(width):
        theta[j] = (theta[j] - free[j]) * share
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        for j in range(width):
            total[j] = -free[j]
            count[j] = ZERO
        for c in range(labels):
            for j in range(width):
                total[j] += v[c, j] if v[c, j] > theta[j] else ZERO
                count[j] += ONE if v[c, j] > theta[j] else ZERO
        moved = ZERO
        for j in range(width):
            new = total[j] / count[j] if count[j] > ZERO else theta[j]
            moved = max(moved, abs(new - theta[j]))
            theta[j] = new
        if moved == ZERO:
            break
    for c in range(labels):
        for j in range(width):
            v[c, j] = lower[low + c * stride, j] + max(v[c, j] - theta[j], ZERO)


@row_function
def shorten_row(short, radius, r, smooth):
    """Huber's part of the dual step: p / (1 + sigma huber / radius)."""
    for j in range(short.size):
        short[j] = radius[r, j] / max(radius[r, j] + smooth, TINY)


@row_function
def ball_row(slow, fast, here, bar, b, down, radius, r, short, rho, d_slow, d_fast):
    """p += rho (Pi_radius(short (p + sigma grad u_bar)) - p) on one row of an image; d is sigma / spacing."""
    last = short.size - 1
    for j in range(last):
        qs = short[j] * (slow[here, j] + d_slow * (bar[down, j] - bar[b, j]))
        qf = short[j] * (fast[here, j] + d_fast * (bar[b, j + 1] - bar[b, j]))
        longest = radius[r, j]
        scale = longest / np.sqrt(max(qs * qs + qf * qf, max(longest * longest, TINY)))
        slow[here, j] += rho * (scale * qs - slow[here, j])
        fast[here, j] += rho * (scale * qf - fast[here, j])
    qs = short[last] * (slow[here, last] + d_slow * (bar[down, last] - bar[b, last]))
    slow[here, last] += rho * (min(max(qs, -radius[r, last]), radius[r, last]) - slow[here, last])


@row_function
def ball_row_3d(slow, middle, fast, here, bar, b, down, beside, radius, r, short, rho, d_slow, d_middle, d_fast):
    """The same on one row of a volume."""
    last = short.size - 1
    for j in range(last + 1):
        qs = short[j] * (slow[here, j] + d_slow * (bar[down, j] - bar[b, j]))
        qm = short[j] * (middle[here, j] + d_middle * (bar[beside, j] - bar[b, j]))
        qf = short[j] * (fast[here, j] + d_fast * (bar[b, min(j + 1, last)] - bar[b, j]))
        longest = radius[r, j]
        scale = longest / np.sqrt(max(qs * qs + qm * qm + qf * qf, max(longest * longest, TINY)))
        slow[here, j] += rho * (scale * qs - slow[here, j])
        middle[here, j] += rho * (scale * qm - middle[here, j])
        fast[here, j] += rho * (scale * qf - fast[here, j])


@row_function
def clip_row(p, here, bar, b, to, shift, radius, r, short, rho, d):
    """The dual step of one direction by itself: towards a row of u_bar and `shift` pixels to the right."""
    if shift == 0:
        for j in range(short.size):
            q = short[j] * (p[here, j] + d * (bar[to, j] - bar[b, j]))
            p[here, j] += rho * (min(max(q, -radius[r, j]), radius[r, j]) - p[here, j])
    elif shift > 0:
        for j in range(short.size - 1):
            q = short[j] * (p[here, j] + d * (bar[to, j + 1] - bar[b, j]))
            p[here, j] += rho * (min(max(q, -radius[r, j]), radius[r, j]) - p[here, j])
    else:
        for j in range(1, short.size):
            q = short[j] * (p[here, j] + d * (bar[to, j - 1] - bar[b, j]))
            p[here, j] += rho * (min(max(q, -radius[r, j]), radius[r, j]) - p[here, j])


@row_function
def flush_row(p, here):
    """What decays geometrically ends as denormals, on which the processor is many times slower."""
    for j in range(p.shape[1]):
        p[here, j] = p[here, j] if abs(p[here, j]) > DENORMAL else ZERO


@lru_cache
def block_kernel(directions, isotropic, simplex, huber):
    """`iterate_block` for one kind of problem: what cannot happen would cost every row as much as 100 pixels."""

    @compiled
    def iterate_block(
        u, slow, fast, third, fourth, shape, first, last, offset, cost, radius, lower, upper, shapes, labels,
        n, settle, tau, shrink, sigma, smooth, rho, steps,
    ):  # fmt: skip
        """`n` iterations on slabs first..last-1 as if there were no others; slab i is slab i + offset of the fields.

        They travel down the block together, each one slab behind the one before: with u_bar of slabs i and i + 1 in
        two small buffers, the dual slab i is updated as soon as the primal slab i + 1 is known. With `settle` the last
        iteration is not over-relaxed. `shapes` are the fields' (slabs, rows).
        """
        rows, width = shape[1], u.shape[1]
        bars = np.empty((2 * n * labels * rows, width), np.float32)
        v = np.empty((labels, width), np.float32)
        theta, free = np.empty(width, np.float32), np.empty(width, np.float32)
        total, count = np.empty(width, np.float32), np.empty(width, np.float32)
        short = np.ones(width, np.float32)
        for front in range(first - 1, last + n - 1):
            for k in range(max(front - last + 1, 0), min(front - first + 2, n)):
                i = front - k
                settled = settle and k == n - 1
                rho_k = ONE if settled else rho
                if i + 1 < last:
                    primal_slab(
                        u, slow, fast, third, fourth, shape, cost, lower, upper, shapes, labels, bars, k, v, theta,
                        free, total, count, i + 1, first, offset, tau, shrink, rho_k, steps, directions, simplex,
                    )  # fmt: skip
                if i >= first:
                    dual_slab(
                        slow, fast, third, fourth, shape, radius, shapes, labels, bars, k, short, i,
                        min(i + 1, last - 1), offset, sigma, smooth, rho_k, steps, directions, isotropic, huber,
                    )  # fmt: skip
                    if settled:
                        for c in range(labels):
                            for y in range(rows):
                                here = at(shape, c, i, y)
                                flush_row(slow, here)
                                flush_row(fast, here)
                                if directions != IMAGE:
                                    flush_row(third, here)
                                if directions == OCTAGONAL:
                                    flush_row(fourth, here)

    return iterate_block


@inlined
def primal_slab(
    u, slow, fast, third, fourth, shape, cost, lower, upper, shapes, labels, bars, k, v, theta, free,
    total, count, i, first, offset, tau, shrink, rho, steps, directions, simplex,
):  # fmt: skip
    """The primal step of slab i, and its u_bar."""
    d_slow, d_fast, d_third, d_fourth = tau * steps[0], tau * steps[1], tau * steps[2], tau * steps[3]
    rows = shape[1]
    bar_shape = (2, rows)
    inner = ONE if i > first else ZERO
    for y in range(rows):
        for c in range(labels):
            here, above = at(shape, c, i, y), at(shape, c, max(i - 1, first), y)
            there = at(shapes[0], c, i + offset, y)
            descend_row(v, c, u, slow, fast, cost, here, above, inner, there, tau, d_slow, d_fast)
            if directions == VOLUME:
                add_flow_row(v, c, third, here, here - 1 if y > 0 else -1, 0, d_third)
            elif directions == OCTAGONAL:
                add_flow_row(v, c, third, here, above if i > first else -1, 1, d_third)
                add_flow_row(v, c, fourth, here, above if i > first else -1, -1, d_fourth)
        if simplex:
            low = at(shapes[2], 0, i + offset, y)
            simplex_row(v, lower, low, shapes[2][0] * shapes[2][1], theta, free, total, count, shrink)
        for c in range(labels):
            here, b = at(shape, c, i, y), at(bar_shape, k * labels + c, i % 2, y)
            if simplex:
                relax_row(u, here, v, c, bars, b, rho)
            else:
                low, high = at(shapes[2], c, i + offset, y), at(shapes[3], c, i + offset, y)
                relax_box_row(u, here, v, c, bars, b, lower, low, upper, high, shrink, rho)


@inlined
def dual_slab(
    slow, fast, third, fourth, shape, radius, shapes, labels, bars, k, short, i, below, offset, sigma, smooth, rho,
    steps, directions, isotropic, huber,
):  # fmt: skip
    """The dual step of slab i, from u_bar of this slab and of the one below."""
    d_slow, d_fast, d_third, d_fourth = sigma * steps[0], sigma * steps[1], sigma * steps[2], sigma * steps[3]
    rows = shape[1]
    bar_shape = (2, rows)
    for y in range(rows):
        r = at(shapes[1], 0, i + offset, y)
        if huber:
            shorten_row(short, radius, r, smooth)
        for c in range(labels):
            here = at(shape, c, i, y)
            b, down = at(bar_shape, k * labels + c, i % 2, y), at(bar_shape, k * labels + c, below % 2, y)
            beside = at(bar_shape, k * labels + c, i % 2, y + 1)
            if isotropic and directions == IMAGE:
                ball_row(slow, fast, here, bars, b, down, radius, r, short, rho, d_slow, d_fast)
            elif isotropic:
                ball_row_3d(
                    slow, third, fast, here, bars, b, down, beside, radius, r, short, rho, d_slow, d_third, d_fast
                )
            else:
                clip_row(slow, here, bars, b, down, 0, radius, r, short, rho, d_slow)
                clip_row(fast, here, bars, b, b, 1, radius, r, short, rho, d_fast)
                if directions == VOLUME:
                    clip_row(third, here, bars, b, beside, 0, radius, r, short, rho, d_third)
                elif directions == OCTAGONAL and below > i:
                    clip_row(third, here, bars, b, down, 1, radius, r, short, rho, d_third)
                    clip_row(fourth, here, bars, b, down, -1, radius, r, short, rho, d_fourth)


@compiled
def simplex_block(u, shape, lower, shapes, labels, first, last):
    """Slabs first..last-1 of u, each pixel's labels at the nearest point of the simplex above their lower bounds."""
    width = u.shape[1]
    v = np.empty((labels, width), np.float32)
    theta, free = np.empty(width, np.float32), np.empty(width, np.float32)
    total, count = np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(first, last):
        for y in range(shape[1]):
            for c in range(labels):
                v[c] = u[at(shape, c, i, y)]
            low = at(shapes[2], 0, i, y)
            simplex_row(v, lower, low, shapes[2][0] * shapes[2][1], theta, free, total, count, ONE)
            for c in range(labels):
                u[at(shape, c, i, y)] = v[c]
