"""The compiled iteration of problems whose labels are tied together, drawn to a target, or not convex.

    v = (u - tau (cost - div p)) / (1 + tau quadratic)      u_new = Pi_C(v - clip(v - target, -reach, reach))
    u_bar = u_new + theta (u_new - u)                  p += rho (prox(p + sigma grad u_bar) - p)

Matrices of rows, slabs and directions are as in `_numba_kernels.py`. The dual step of a row first gathers
q = p + sigma grad u_bar of all directions and labels in a small matrix (row direction * labels + label), and with it
the squared lengths of whatever `isotropic` and `coupling` tie together. One kernel serves all kinds of problem: one for
each would save a tenth of the time, and cost seconds of compiling every time a new one is met.
"""

import numpy as np

from ._numba_kernels import (
    DENORMAL,
    IMAGE,
    OCTAGONAL,
    ONE,
    TINY,
    VOLUME,
    ZERO,
    at,
    compiled,
    inlined,
    row_function,
)
from ._numba_simplex import simplex_row

SEPARATE, JOINT, PAIRWISE = 0, 1, 2
"""Each label by itself, all as one vector, or bounds on the differences of two."""

HALF = np.float32(0.5)


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
def flush_row(p, here):
    """What decays geometrically ends as denormals, on which the processor is many times slower."""
    for j in range(p.shape[1]):
        p[here, j] = p[here, j] if abs(p[here, j]) > DENORMAL else ZERO


@row_function
def box_target_row(v, c, target, there, lower, low, upper, high, shrink, reach):
    """The primal step within a box: v moved towards the target, then to its bounds."""
    for j in range(v.shape[1]):
        new = shrink * v[c, j]
        new -= min(max(new - target[there, j], -reach), reach)
        v[c, j] = min(max(new, lower[low, j]), upper[high, j])


@row_function
def relax_ahead_row(u, here, v, c, bar, b, theta, rho):
    """u_bar = v + theta (v - u), then u += rho (v - u)."""
    ahead = ONE + theta
    for j in range(v.shape[1]):
        old = u[here, j]
        step = v[c, j] - old
        bar[b, j] = old + ahead * step
        u[here, j] = old + rho * step


@row_function
def relax_box_ahead_row(u, here, v, c, bar, b, lower, low, upper, high, shrink, theta, rho):
    """The same of v within its bounds."""
    ahead = ONE + theta
    for j in range(v.shape[1]):
        old = u[here, j]
        step = min(max(shrink * v[c, j], lower[low, j]), upper[high, j]) - old
        bar[b, j] = old + ahead * step
        u[here, j] = old + rho * step


@row_function
def shorten_row(short, radius, r, smooth):
    """Huber's part of the dual step: p / (1 + sigma huber / radius)."""
    for j in range(short.size):
        short[j] = radius[r, j] / max(radius[r, j] + smooth, TINY)


@row_function
def colour_row(slow, fast, here, stride, bar, b, down, bar_stride, radius, r, short, rho, d_slow, d_fast, cut):
    """The whole dual step of one row of three channels as one vector; `cut` is 2 sigma, or 0 without a truncation."""
    h1, h2, b1, b2 = here + stride, here + 2 * stride, b + bar_stride, b + 2 * bar_stride
    e1, e2 = down + bar_stride, down + 2 * bar_stride
    for j in range(short.size):
        s0 = slow[here, j] + d_slow * (bar[down, j] - bar[b, j])
        s1 = slow[h1, j] + d_slow * (bar[e1, j] - bar[b1, j])
        s2 = slow[h2, j] + d_slow * (bar[e2, j] - bar[b2, j])
        f0 = fast[here, j] + d_fast * (bar[b, j + 1] - bar[b, j])
        f1 = fast[h1, j] + d_fast * (bar[b1, j + 1] - bar[b1, j])
        f2 = fast[h2, j] + d_fast * (bar[b2, j + 1] - bar[b2, j])
        square = (s0 * s0 + f0 * f0) + (s1 * s1 + f1 * f1) + (s2 * s2 + f2 * f2)
        longest = radius[r, j]
        if cut > 0:
            scale = short[j] if short[j] * square <= cut * longest else ZERO
        else:
            square *= short[j] * short[j]
            scale = short[j] * longest / np.sqrt(max(square, max(longest * longest, TINY)))
        slow[here, j] += rho * (scale * s0 - slow[here, j])
        slow[h1, j] += rho * (scale * s1 - slow[h1, j])
        slow[h2, j] += rho * (scale * s2 - slow[h2, j])
        fast[here, j] += rho * (scale * f0 - fast[here, j])
        fast[h1, j] += rho * (scale * f1 - fast[h1, j])
        fast[h2, j] += rho * (scale * f2 - fast[h2, j])


@row_function
def gather_row(q, m, total, p, here, bar, b, to, shift, d):
    """q = p + d (u_bar there - u_bar here), and total += q^2; where there is no neighbour p is 0, and so is q."""
    last = total.size - 1
    q[m, 0], q[m, last] = ZERO, ZERO
    if shift == 0:
        for j in range(last + 1):
            q[m, j] = p[here, j] + d * (bar[to, j] - bar[b, j])
            total[j] += q[m, j] * q[m, j]
    elif shift > 0:
        for j in range(last):
            q[m, j] = p[here, j] + d * (bar[to, j + 1] - bar[b, j])
            total[j] += q[m, j] * q[m, j]
    else:
        for j in range(1, last + 1):
            q[m, j] = p[here, j] + d * (bar[to, j - 1] - bar[b, j])
            total[j] += q[m, j] * q[m, j]


@row_function
def factor_row(total, radius, r, short):
    """From squared lengths: the factor of the dual step onto a ball, of what Huber's term has shortened."""
    for j in range(total.size):
        longest = radius[r, j]
        square = short[j] * short[j] * total[j]
        total[j] = short[j] * longest / np.sqrt(max(square, max(longest * longest, TINY)))


@row_function
def cut_factor_row(total, radius, r, short, twice):
    """From squared lengths: the factor of the dual step onto the truncated quadratic; `twice` is 2 sigma."""
    for j in range(total.size):
        total[j] = short[j] if short[j] * total[j] <= twice * radius[r, j] else ZERO


@row_function
def scatter_row(p, here, q, m, factor, rho):
    """p += rho (factor q - p)."""
    for j in range(factor.size):
        p[here, j] += rho * (factor[j] * q[m, j] - p[here, j])


@row_function
def pairs_row(q, labels, directions, taken, half, factor, radius, r, sweeps):
    """Dykstra's sweeps over the pairs of labels, in q; then the factor that makes every pair feasible."""
    width = factor.size
    taken[:] = ZERO
    for _ in range(sweeps):
        m = 0
        for a in range(labels):
            for b in range(a + 1, labels):
                for j in range(width):
                    half[j] = ZERO
                for e in range(directions):
                    for j in range(width):
                        apart = q[e * labels + a, j] - q[e * labels + b, j] + (taken[m + e, j] + taken[m + e, j])
                        half[j] += apart * apart
                for j in range(width):
                    longest = radius[r, j]
                    half[j] = HALF - HALF * longest / np.sqrt(max(half[j], max(longest * longest, TINY)))
                for e in range(directions):
                    for j in range(width):
                        old = taken[m + e, j]
                        excess = (q[e * labels + a, j] - q[e * labels + b, j] + (old + old)) * half[j]
                        q[e * labels + a, j] += old - excess
                        q[e * labels + b, j] -= old - excess
                        taken[m + e, j] = excess
                m += directions
    for j in range(width):
        factor[j] = ZERO
    for a in range(labels):
        for b in range(a + 1, labels):
            for j in range(width):
                half[j] = ZERO
            for e in range(directions):
                for j in range(width):
                    apart = q[e * labels + a, j] - q[e * labels + b, j]
                    half[j] += apart * apart
            for j in range(width):
                factor[j] = max(factor[j], half[j])
    for j in range(width):
        longest = radius[r, j]
        factor[j] = longest / np.sqrt(max(factor[j], max(longest * longest, TINY)))


@compiled
def iterate_coupled_block(
    bars, u, slow, fast, third, fourth, shape, first, last, fronts, seams, above, below, cost, radius, lower, upper,
    target, shapes, labels, finish, schedule, rho, steps, directions, isotropic, simplex, coupling, truncated, huber,
    l1_weight, sweeps,
):  # fmt: skip
    """As `iterate_block`; each row of `schedule` has an iteration's tau, shrink, reach, theta, sigma and smooth.

    What is half-way at a seam is in u and p themselves; the seam's rows have u_bar alone.
    """
    rows, width = shape[1], u.shape[1]
    n, number = len(schedule), 2 if directions == IMAGE else 3 if directions == VOLUME else 4
    bottom = last + (n - 1) * seams[1]
    v = np.empty((labels, width), np.float32)
    work, short = np.empty((4, width), np.float32), np.ones(width, np.float32)
    q, total = np.empty((number * labels, width), np.float32), np.empty(width, np.float32)
    taken = np.empty((number * labels * (labels - 1) // 2 if coupling == PAIRWISE else 0, width), np.float32)
    for front in range(fronts[0], fronts[1]):
        for k in range(max(front - bottom + 1, 0), min(front - first + 2, n)):
            i = front - k
            begin, end = first + k * seams[0], last + k * seams[1]
            settled = finish and k == n - 1
            rho_k = ONE if settled else rho
            if begin <= i + 1 < end:
                primal_slab(
                    u, slow, fast, third, fourth, shape, cost, lower, upper, target, shapes, labels, bars, k, v, work,
                    i + 1, schedule[k], rho_k, steps, directions, simplex, l1_weight,
                )  # fmt: skip
                if seams[0] and i + 1 == begin:
                    for c in range(labels):
                        for y in range(rows):
                            above[at((n, rows), c, k, y)] = bars[at((2, rows), k * labels + c, begin & 1, y)]
            if begin <= i < end:
                if seams[1] and i + 1 == end:
                    for c in range(labels):
                        for y in range(rows):
                            bars[at((2, rows), k * labels + c, end & 1, y)] = below[at((n, rows), c, k, y)]
                dual_slab(
                    slow, fast, third, fourth, shape, radius, shapes, labels, bars, k, short, q, total, taken, work[0],
                    i, min(i + 1, shape[0] - 1), schedule[k], rho_k, steps, directions, number, isotropic, coupling,
                    truncated, huber, sweeps,
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


@inlined
def primal_slab(
    u, slow, fast, third, fourth, shape, cost, lower, upper, target, shapes, labels, bars, k, v, work, i,
    plan, rho, steps, directions, simplex, l1_weight,
):  # fmt: skip
    """The primal step of slab i, and its u_bar."""
    tau, shrink, reach, ahead = plan[0], plan[1], plan[2], plan[3]
    d_slow, d_fast, d_third, d_fourth = tau * steps[0], tau * steps[1], tau * steps[2], tau * steps[3]
    rows = shape[1]
    inner = ONE if i > 0 else ZERO
    for y in range(rows):
        for c in range(labels):
            here, above = at(shape, c, i, y), at(shape, c, max(i - 1, 0), y)
            there = at(shapes[0], c, i, y)
            descend_row(v, c, u, slow, fast, cost, here, above, inner, there, tau, d_slow, d_fast)
            if directions == VOLUME:
                add_flow_row(v, c, third, here, here - 1 if y > 0 else -1, 0, d_third)
            elif directions == OCTAGONAL:
                add_flow_row(v, c, third, here, above if i > 0 else -1, 1, d_third)
                add_flow_row(v, c, fourth, here, above if i > 0 else -1, -1, d_fourth)
        if simplex:
            low = at(shapes[2], 0, i, y)
            simplex_row(v, lower, low, shapes[2][0] * shapes[2][1], work, 0, v.shape[1], shrink)
        for c in range(labels):
            here, b = at(shape, c, i, y), at((2, rows), k * labels + c, i % 2, y)
            low, high = at(shapes[2], c, i, y), at(shapes[3], c, i, y)
            if l1_weight and not simplex:
                there = at(shapes[4], c, i, y)
                box_target_row(v, c, target, there, lower, low, upper, high, shrink, reach)
            if simplex or l1_weight:
                relax_ahead_row(u, here, v, c, bars, b, ahead, rho)
            else:
                relax_box_ahead_row(u, here, v, c, bars, b, lower, low, upper, high, shrink, ahead, rho)
            bars[b, v.shape[1]] = bars[b, v.shape[1] - 1]


@inlined
def dual_slab(
    slow, fast, third, fourth, shape, radius, shapes, labels, bars, k, short, q, total, taken, half, i, below,
    plan, rho, steps, directions, number, isotropic, coupling, truncated, huber, sweeps,
):  # fmt: skip
    """The dual step of slab i, from u_bar of this slab and of the one below."""
    sigma, smooth = plan[4], plan[5]
    rows = shape[1]
    # What is tied together: from each first direction and label, so many of them.
    over_e, over_c = number if isotropic else 1, labels if coupling == JOINT else 1
    if coupling == PAIRWISE:
        over_e, over_c = number, labels
    for y in range(rows):
        r = at(shapes[1], 0, i, y)
        if huber:
            shorten_row(short, radius, r, smooth)
        if coupling == JOINT and isotropic and labels == 3 and directions == IMAGE:
            here, stride = at(shape, 0, i, y), shape[0] * rows
            b, down = at((2, rows), k * labels, i % 2, y), at((2, rows), k * labels, below % 2, y)
            cut = sigma + sigma if truncated else ZERO
            colour_row(
                slow, fast, here, stride, bars, b, down, 2 * rows, radius, r, short, rho, sigma * steps[0],
                sigma * steps[1], cut,
            )  # fmt: skip
            continue
        for first_e in range(0, number, over_e):
            for first_c in range(0, labels, over_c):
                total[:] = ZERO
                for e in range(first_e, first_e + over_e):
                    for c in range(first_c, first_c + over_c):
                        here, m = at(shape, c, i, y), e * labels + c
                        b = at((2, rows), k * labels + c, i % 2, y)
                        down = at((2, rows), k * labels + c, below % 2, y)
                        if e == 0:
                            gather_row(q, m, total, slow, here, bars, b, down, 0, sigma * steps[0])
                        elif e == 1:
                            gather_row(q, m, total, fast, here, bars, b, b, 1, sigma * steps[1])
                        elif directions == VOLUME:
                            beside = at((2, rows), k * labels + c, i % 2, y + 1)
                            gather_row(q, m, total, third, here, bars, b, beside, 0, sigma * steps[2])
                        elif below == i:
                            q[m] = ZERO
                        elif e == 2:
                            gather_row(q, m, total, third, here, bars, b, down, 1, sigma * steps[2])
                        else:
                            gather_row(q, m, total, fourth, here, bars, b, down, -1, sigma * steps[3])
                if coupling == PAIRWISE:
                    pairs_row(q, labels, number, taken, half, total, radius, r, sweeps)
                elif truncated:
                    cut_factor_row(total, radius, r, short, sigma + sigma)
                else:
                    factor_row(total, radius, r, short)
                for e in range(first_e, first_e + over_e):
                    for c in range(first_c, first_c + over_c):
                        here, m = at(shape, c, i, y), e * labels + c
                        if e == 0:
                            scatter_row(slow, here, q, m, total, rho)
                        elif e == 1:
                            scatter_row(fast, here, q, m, total, rho)
                        elif e == 2:
                            scatter_row(third, here, q, m, total, rho)
                        else:
                            scatter_row(fourth, here, q, m, total, rho)
