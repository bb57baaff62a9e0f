"""The compiled kernels of the Numba backend: n iterations on a block of slabs.

    v = (u - tau (cost - div p)) / (1 + tau pull)          u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(short (p + sigma grad u_bar)) - p)                      u += rho (u_new - u)

Everything is a volume of slabs, u : (L, slabs, rows, width); an image has slabs of one row. The directions of p are
slow (from slab to slab), fast (along the row), and two more where there are: middle (from row to row of a volume), or
the two diagonals of an image.

Row functions work on whole rows of different arrays: that is what LLVM vectorises, once it is told that no two arrays
overlap. They take whole arrays and a row's indices, because cutting the row out first costs as much as 50 pixels. No
integer meets a float32: Numba would go on in float64.
"""

import numba
import numpy as np
from numba.core.compiler import Compiler


class _NoAlias(Compiler):
    """Numba's compiler, told that no two arrays of a call overlap where one of them is written."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


# Divisions are NumPy's: a check for 0 would stop the vectoriser.
_options = {"nogil": True, "error_model": "numpy", "fastmath": True}
compiled = numba.njit(cache=True, **_options)
row_function = numba.njit(pipeline_class=_NoAlias, **_options)

TINY = np.float32(1e-30)
DENORMAL = np.float32(1e-18)
ZERO = np.float32(0)
ONE = np.float32(1)

IMAGE, VOLUME, OCTAGONAL = 0, 1, 2
"""Whether `third` and `fourth` are nothing; the middle direction and nothing; or to the right and left below."""


@row_function
def descend_row(v, u, slow, fast, cost, c, i, y, at, inner, tau, d_slow, d_fast):
    """v[c] = u - tau (cost - div p), of the slow and the fast flow; d is tau / spacing; slab i is slab `at` of cost."""
    above = max(i - 1, 0)
    div = d_slow * (slow[c, i, y, 0] - inner * slow[c, above, y, 0]) + d_fast * fast[c, i, y, 0]
    v[c, 0] = u[c, i, y, 0] + div - tau * cost[c, at, y, 0]
    for j in range(1, v.shape[1]):
        div = d_slow * (slow[c, i, y, j] - inner * slow[c, above, y, j])
        div += d_fast * (fast[c, i, y, j] - fast[c, i, y, j - 1])
        v[c, j] = u[c, i, y, j] + div - tau * cost[c, at, y, j]


@row_function
def add_flow_row(v, p, c, i, y, from_i, from_y, shift, d):
    """v[c] += d (what flows out of a row of p - what flows in from the row and column that lie behind)."""
    width = v.shape[1]
    for j in range(width):
        v[c, j] += d * p[c, i, y, j]
    if from_i >= 0 and from_y >= 0:
        for j in range(max(shift, 0), width + min(shift, 0)):
            v[c, j] -= d * p[c, from_i, from_y, j - shift]


@row_function
def relax_box_row(u, v, bar, lower, upper, c, i, y, b, low, high, shrink, rho):
    """u_new = v within its bounds, u_bar = 2 u_new - u, u += rho (u_new - u)."""
    li, ly = low
    hi, hy = high
    for j in range(v.shape[1]):
        old = u[c, i, y, j]
        step = min(max(shrink * v[c, j], lower[c, li, ly, j]), upper[c, hi, hy, j]) - old
        bar[b, c, y, j] = old + step + step
        u[c, i, y, j] = old + rho * step


@row_function
def relax_row(u, v, bar, c, i, y, b, rho):
    """u_bar = 2 v - u, then u += rho (v - u)."""
    for j in range(v.shape[1]):
        old = u[c, i, y, j]
        step = v[c, j] - old
        bar[b, c, y, j] = old + step + step
        u[c, i, y, j] = old + rho * step


@row_function
def simplex_row(v, lower, low, theta, free, shrink):
    """Michelot's projection on all pixels of a row at once; `theta` and `free` are buffers."""
    i, y = low
    labels, width = v.shape
    share = ONE / np.float32(labels)
    for j in range(width):
        theta[j] = ZERO
        free[j] = ONE
    for c in range(labels):
        for j in range(width):
            free[j] -= lower[c, i, y, j]
            v[c, j] = shrink * v[c, j] - lower[c, i, y, j]
            theta[j] += v[c, j]
    for j in range(width):
        theta[j] = (theta[j] - free[j]) * share
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        for j in range(width):
            total, count = -free[j], ZERO
            for c in range(labels):
                if v[c, j] > theta[j]:
                    total += v[c, j]
                    count += ONE
            theta[j] = total / count if count > 0 else theta[j]
    for c in range(labels):
        for j in range(width):
            v[c, j] = lower[c, i, y, j] + max(v[c, j] - theta[j], ZERO)


@row_function
def shorten_row(short, radius, at, smooth):
    """Huber's part of the dual step: p / (1 + sigma huber / radius)."""
    i, y = at
    for j in range(short.size):
        short[j] = radius[i, y, j] / max(radius[i, y, j] + smooth, TINY)


@row_function
def ball_row(slow, fast, bar, radius, short, c, i, y, b, down, at, rho, d_slow, d_fast):
    """p += rho (Pi_radius(short (p + sigma grad u_bar)) - p) on one row of an image; d is sigma / spacing."""
    ri, ry = at
    last = bar.shape[3] - 1
    for j in range(last):
        r = radius[ri, ry, j]
        qs = short[j] * (slow[c, i, y, j] + d_slow * (bar[down, c, y, j] - bar[b, c, y, j]))
        qf = short[j] * (fast[c, i, y, j] + d_fast * (bar[b, c, y, j + 1] - bar[b, c, y, j]))
        scale = r / np.sqrt(max(qs * qs + qf * qf, max(r * r, TINY)))
        slow[c, i, y, j] += rho * (scale * qs - slow[c, i, y, j])
        fast[c, i, y, j] += rho * (scale * qf - fast[c, i, y, j])
    r = radius[ri, ry, last]
    qs = short[last] * (slow[c, i, y, last] + d_slow * (bar[down, c, y, last] - bar[b, c, y, last]))
    slow[c, i, y, last] += rho * (min(max(qs, -r), r) - slow[c, i, y, last])


@row_function
def ball_row_3d(slow, middle, fast, bar, radius, short, c, i, y, b, down, next_y, at, rho, d_slow, d_middle, d_fast):
    """The same on one row of a volume."""
    ri, ry = at
    last = bar.shape[3] - 1
    for j in range(last + 1):
        r = radius[ri, ry, j]
        here = bar[b, c, y, j]
        qs = short[j] * (slow[c, i, y, j] + d_slow * (bar[down, c, y, j] - here))
        qm = short[j] * (middle[c, i, y, j] + d_middle * (bar[b, c, next_y, j] - here))
        qf = short[j] * (fast[c, i, y, j] + d_fast * (bar[b, c, y, min(j + 1, last)] - here))
        scale = r / np.sqrt(max(qs * qs + qm * qm + qf * qf, max(r * r, TINY)))
        slow[c, i, y, j] += rho * (scale * qs - slow[c, i, y, j])
        middle[c, i, y, j] += rho * (scale * qm - middle[c, i, y, j])
        fast[c, i, y, j] += rho * (scale * qf - fast[c, i, y, j])


@row_function
def clip_row(p, bar, radius, short, c, i, y, b, to_b, to_y, shift, at, rho, d):
    """The dual step of one direction by itself: towards a row of u_bar and `shift` pixels to the right."""
    ri, ry = at
    width = bar.shape[3]
    for j in range(max(-shift, 0), width - max(shift, 0)):
        r = radius[ri, ry, j]
        q = short[j] * (p[c, i, y, j] + d * (bar[to_b, c, to_y, j + shift] - bar[b, c, y, j]))
        p[c, i, y, j] += rho * (min(max(q, -r), r) - p[c, i, y, j])


@row_function
def flush_row(p, c, i, y):
    """What decays geometrically ends as denormals, on which the processor is many times slower."""
    for j in range(p.shape[3]):
        p[c, i, y, j] = p[c, i, y, j] if abs(p[c, i, y, j]) > DENORMAL else ZERO


@compiled
def row_of(field, i, y):
    """Where row y of slab i is in a field that may be the same in all slabs, or in all rows."""
    return min(i, field.shape[-3] - 1), min(y, field.shape[-2] - 1)


@compiled
def iterate_block(
    u, slow, fast, third, fourth, first, last, offset, cost, radius, lower, upper,
    n, settle, tau, shrink, sigma, smooth, rho, steps, directions, isotropic, simplex,
):  # fmt: skip
    """`n` iterations on slabs first..last-1 as if there were no others; slab i is slab i + offset of the fields.

    They travel down the block together, each one slab behind the one before: with u_bar of slabs i and i + 1 in two
    small buffers, the dual slab i is updated as soon as the primal slab i + 1 is known. With `settle` the last
    iteration is not over-relaxed.
    """
    labels, _, rows, width = u.shape
    bars = np.empty((n, 2, labels, rows, width), np.float32)
    v = np.empty((labels, width), np.float32)
    theta, free = np.empty(width, np.float32), np.empty(width, np.float32)
    short = np.ones(width, np.float32)
    for front in range(first - 1, last + n - 1):
        for k in range(max(front - last + 1, 0), min(front - first + 2, n)):
            i = front - k
            settled = settle and k == n - 1
            rho_k = ONE if settled else rho
            if i + 1 < last:
                primal_slab(
                    u, slow, fast, third, fourth, cost, lower, upper, bars[k], v, theta, free, i + 1, first, offset,
                    tau, shrink, rho_k, steps, directions, simplex,
                )  # fmt: skip
            if i >= first:
                dual_slab(
                    slow, fast, third, fourth, radius, bars[k], short, i, min(i + 1, last - 1), offset, sigma, smooth,
                    rho_k, steps, directions, isotropic,
                )  # fmt: skip
                if settled:
                    for c in range(labels):
                        for y in range(rows):
                            flush_row(slow, c, i, y)
                            flush_row(fast, c, i, y)
                            if directions != IMAGE:
                                flush_row(third, c, i, y)
                            if directions == OCTAGONAL:
                                flush_row(fourth, c, i, y)


@compiled
def primal_slab(
    u, slow, fast, third, fourth, cost, lower, upper, bar, v, theta, free, i, first, offset, tau, shrink, rho, steps,
    directions, simplex,
):  # fmt: skip
    """The primal step of slab i, and its u_bar."""
    labels, _, rows, _ = u.shape
    d_slow, d_fast, d_third, d_fourth = tau * steps[0], tau * steps[1], tau * steps[2], tau * steps[3]
    inner = ONE if i > first else ZERO
    above = i - 1 if i > first else -1
    for y in range(rows):
        low, high = row_of(lower, i + offset, y), row_of(upper, i + offset, y)
        for c in range(labels):
            descend_row(v, u, slow, fast, cost, c, i, y, i + offset, inner, tau, d_slow, d_fast)
            if directions == VOLUME:
                add_flow_row(v, third, c, i, y, i, y - 1, 0, d_third)
            elif directions == OCTAGONAL:
                add_flow_row(v, third, c, i, y, above, y, 1, d_third)
                add_flow_row(v, fourth, c, i, y, above, y, -1, d_fourth)
        if simplex:
            simplex_row(v, lower, low, theta, free, shrink)
        for c in range(labels):
            if simplex:
                relax_row(u, v, bar, c, i, y, i % 2, rho)
            else:
                relax_box_row(u, v, bar, lower, upper, c, i, y, i % 2, low, high, shrink, rho)


@compiled
def dual_slab(
    slow, fast, third, fourth, radius, bar, short, i, below, offset, sigma, smooth, rho, steps, directions, isotropic
):  # fmt: skip
    """The dual step of slab i, from u_bar of this slab and of the one below."""
    labels, _, rows, _ = slow.shape
    d_slow, d_fast, d_third, d_fourth = sigma * steps[0], sigma * steps[1], sigma * steps[2], sigma * steps[3]
    b, down = i % 2, below % 2
    for y in range(rows):
        at, next_y = row_of(radius, i + offset, y), min(y + 1, rows - 1)
        if smooth > 0:
            shorten_row(short, radius, at, smooth)
        for c in range(labels):
            if isotropic and directions == IMAGE:
                ball_row(slow, fast, bar, radius, short, c, i, y, b, down, at, rho, d_slow, d_fast)
            elif isotropic:
                ball_row_3d(
                    slow, third, fast, bar, radius, short, c, i, y, b, down, next_y, at, rho, d_slow, d_third, d_fast
                )
            else:
                clip_row(slow, bar, radius, short, c, i, y, b, down, y, 0, at, rho, d_slow)
                clip_row(fast, bar, radius, short, c, i, y, b, b, y, 1, at, rho, d_fast)
                if directions == VOLUME:
                    clip_row(third, bar, radius, short, c, i, y, b, b, next_y, 0, at, rho, d_third)
                elif directions == OCTAGONAL and below > i:
                    clip_row(third, bar, radius, short, c, i, y, b, down, y, 1, at, rho, d_third)
                    clip_row(fourth, bar, radius, short, c, i, y, b, down, y, -1, at, rho, d_fourth)
