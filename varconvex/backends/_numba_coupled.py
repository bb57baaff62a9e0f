"""The primal and the dual step of one slice where labels are coupled, drawn to a target, or charged without convexity.

    v = (u - tau (cost - div p)) / (1 + tau q)              u_new = Pi_C(v - clip(v - target, -reach, reach))
    u_bar = u_new + theta (u_new - u)                  p += rho (prox(p + sigma grad u_bar) - p)

Arguments are those of `_numba_steps.py`, and `flags`: (ends feasible, isotropic, simplex, coupling, truncated, Huber,
L1 term, sweeps over pairs). The dual step of a row first gathers q = p + sigma grad u_bar of all directions and labels
in scratch rows (direction * labels + label), and with it the squared lengths of whatever `isotropic` and the coupling
put in one norm. One kernel serves all problems with the same directions: one for each kind would save a tenth of the
time, and cost seconds of compiling whenever a new kind is met.
"""

import numpy as np

from . import _numba_steps as steps
from ._numba_kernels import ONE, TINY, ZERO, add_row, descend_row, fill_row, inlined, row, row_function, rows_at
from ._numba_steps import EDGE, bar_row, factors, field_row, flow_rows, simplex_rows, state_row

HALF = np.float32(0.5)

SEPARATE, JOINT, PAIRWISE = 0, 1, 2
"""Each label by itself, all as one vector, or bounds on the differences of two."""


def scratch_rows(labels: int, directions: int, coupling: int) -> int:
    """Rows for v and the simplex, factors, q, and what Dykstra's sweeps have taken from each pair of labels."""
    pairs = labels * (labels - 1) // 2 if coupling == PAIRWISE else 0
    return labels + 4 + 3 + directions * (labels + pairs)


@row_function
def descend_first(v, u, out, into, cost, tau, d, inner):
    """`descend_row` of the first pixel, from whose left nothing flows: in the order of terms that answers depend on."""
    div = d[0] * (out[0][0] - inner * into[0][0]) + d[1] * out[1][0]
    v[0] = u[0] + div - tau * cost[0]


@row_function
def box_target_row(v, target, lower, upper, shrink, reach):
    """The primal step within a box: v moved towards the target, then to its bounds."""
    for j in range(v.size):
        new = shrink * v[j]
        new -= min(max(new - target[j], -reach), reach)
        v[j] = min(max(new, lower[j]), upper[j])


@row_function
def relax_ahead_row(u, v, bar, theta, rho):
    """u_bar = v + theta (v - u), then u += rho (v - u)."""
    ahead = ONE + theta
    for j in range(v.size):
        old = u[j]
        step = v[j] - old
        bar[j] = old + ahead * step
        u[j] = old + rho * step


@row_function
def relax_box_ahead_row(u, v, bar, lower, upper, shrink, theta, rho):
    """`relax_ahead_row` of shrink v within its bounds."""
    ahead = ONE + theta
    for j in range(v.size):
        old = u[j]
        step = min(max(shrink * v[j], lower[j]), upper[j]) - old
        bar[j] = old + ahead * step
        u[j] = old + rho * step


@inlined
def coupled_primal_slice(space, geometry, plan, k, i, place, before, a, b, flags):
    """The primal step of slice i, and its u_bar, which goes on beyond its last pixel."""
    (labels, _, rows), scratch, b = geometry[2], geometry[0][steps.SCRATCH], min(b, EDGE + geometry[5])
    tau, shrink, theta, rho = plan[k, steps.TAU], plan[k, steps.SHRINK], plan[k, steps.THETA], plan[k, steps.RHO]
    d, simplex, l1_weight = factors(plan, k, steps.D_TAU), flags[2], flags[6]
    for y in range(rows):
        for c in range(labels):
            here, v = state_row(geometry, c, place, y), row(space, scratch + c, a, b)
            out, into = flow_rows(space, geometry, here, state_row(geometry, c, before, y), i, y, a, b)
            u, cost = row(space, here, a, b), field_row(space, geometry, steps.COST, c, place, y, a, b)
            descend_row(v, u, out[:2], into[:2], cost, tau, d)
            descend_first(v, u, out, into, cost, tau, d, ONE if i > 0 else ZERO)
            for e in range(2, len(out)):
                add_row(v, out[e], d[e])
                add_row(v, into[e], -d[e])
        if simplex:
            simplex_rows(space, geometry, place, y, a, b, shrink)
        for c in range(labels):
            v, bar = row(space, scratch + c, a, b), bar_row(geometry, k, c, i, y)
            u, ahead = row(space, state_row(geometry, c, place, y), a, b), row(space, bar, a, b)
            lower = field_row(space, geometry, steps.LOWER, c, place, y, a, b)
            upper = field_row(space, geometry, steps.UPPER, c, place, y, a, b)
            if l1_weight and not simplex:
                target = field_row(space, geometry, steps.TARGET, c, place, y, a, b)
                box_target_row(v, target, lower, upper, shrink, plan[k, steps.REACH])
            if simplex or l1_weight:
                relax_ahead_row(u, v, ahead, theta, rho)
            else:
                relax_box_ahead_row(u, v, ahead, lower, upper, shrink, theta, rho)
            space[bar, b] = space[bar, b - 1]


@row_function
def shorten_row(short, radius, smooth):
    """Huber's part of the dual step: short = radius / (radius + smooth), smooth = sigma huber."""
    for j in range(short.size):
        short[j] = radius[j] / max(radius[j] + smooth, TINY)


@row_function
def colour_row(slow, fast, bar, down, radius, short, rho, d, cut):
    """The whole dual step of a row of three channels as one vector; `cut` is 2 sigma, or 0 without a truncation."""
    slow0, slow1, slow2, fast0, fast1, fast2 = slow[0], slow[1], slow[2], fast[0], fast[1], fast[2]
    for j in range(short.size):
        s0 = slow0[j] + d[0] * (down[0][j] - bar[0][j])
        s1 = slow1[j] + d[0] * (down[1][j] - bar[1][j])
        s2 = slow2[j] + d[0] * (down[2][j] - bar[2][j])
        f0 = fast0[j] + d[1] * (bar[0][j + 1] - bar[0][j])
        f1 = fast1[j] + d[1] * (bar[1][j + 1] - bar[1][j])
        f2 = fast2[j] + d[1] * (bar[2][j + 1] - bar[2][j])
        square = (s0 * s0 + f0 * f0) + (s1 * s1 + f1 * f1) + (s2 * s2 + f2 * f2)
        longest = radius[j]
        if cut > 0:
            scale = short[j] if short[j] * square <= cut * longest else ZERO
        else:
            square *= short[j] * short[j]
            scale = short[j] * longest / np.sqrt(max(square, max(longest * longest, TINY)))
        slow0[j] += rho * (scale * s0 - slow0[j])
        slow1[j] += rho * (scale * s1 - slow1[j])
        slow2[j] += rho * (scale * s2 - slow2[j])
        fast0[j] += rho * (scale * f0 - fast0[j])
        fast1[j] += rho * (scale * f1 - fast1[j])
        fast2[j] += rho * (scale * f2 - fast2[j])


@row_function
def gather_row(q, total, p, bar, to, d):
    """q = p + d (u_bar there - u_bar here), and total += q^2."""
    for j in range(q.size):
        q[j] = p[j] + d * (to[j] - bar[j])
        total[j] += q[j] * q[j]


@row_function
def factor_row(total, radius, short):
    """From squared lengths: the factor of the dual step onto a ball, of what Huber's term has shortened."""
    for j in range(total.size):
        longest = radius[j]
        square = short[j] * short[j] * total[j]
        total[j] = short[j] * longest / np.sqrt(max(square, max(longest * longest, TINY)))


@row_function
def cut_factor_row(total, radius, short, twice):
    """From squared lengths: the factor of the dual step onto the truncated quadratic; `twice` is 2 sigma."""
    for j in range(total.size):
        total[j] = short[j] if short[j] * total[j] <= twice * radius[j] else ZERO


@row_function
def scatter_row(p, q, factor, rho):
    """p += rho (factor q - p)."""
    for j in range(factor.size):
        p[j] += rho * (factor[j] * q[j] - p[j])


@row_function
def apart_row(total, one, other, taken):
    """total += (one - other + 2 taken)^2."""
    for j in range(total.size):
        apart = one[j] - other[j] + (taken[j] + taken[j])
        total[j] += apart * apart


@row_function
def excess_row(total, radius):
    """From squared lengths: half the share by which a difference is longer than the radius."""
    for j in range(total.size):
        longest = radius[j]
        total[j] = HALF - HALF * longest / np.sqrt(max(total[j], max(longest * longest, TINY)))


@row_function
def take_row(one, other, taken, half):
    """Dykstra's step of a pair: give back what was taken the last time, and take its excess."""
    for j in range(half.size):
        old = taken[j]
        excess = (one[j] - other[j] + (old + old)) * half[j]
        one[j] += old - excess
        other[j] -= old - excess
        taken[j] = excess


@row_function
def longest_row(most, total):
    """most = max(most, total)."""
    for j in range(most.size):
        most[j] = max(most[j], total[j])


@row_function
def ball_factor_row(total, radius):
    """From squared lengths: the factor that makes each at most the radius."""
    for j in range(total.size):
        longest = radius[j]
        total[j] = longest / np.sqrt(max(total[j], max(longest * longest, TINY)))


@inlined
def pairs_row(space, q, labels, directions, taken, half, factor, radius, sweeps, a, b):
    """Dykstra's sweeps over the pairs of labels, in the rows from q on; then the factor that makes all feasible.

    `pairs.py` is the specification. Row 0 of the matrix `space` is 0.
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


@inlined
def coupled_dual_slice(space, geometry, plan, k, i, place, below, a, b, flags):
    """The dual step of slice i, from u_bar of this slice and of the one below."""
    begins, _, (labels, ring, rows), _, offsets, width = geometry
    _, isotropic, _, coupling, truncated, huber, _, sweeps = flags
    number, part, b = len(offsets), labels * ring * rows, min(b, EDGE + width)
    sigma, rho, d = plan[k, steps.SIGMA], plan[k, steps.RHO], factors(plan, k, steps.D_SIGMA)
    factor = begins[steps.SCRATCH] + labels + 4
    q, taken = factor + 3, factor + 3 + number * labels
    total, short, half = row(space, factor, a, b), row(space, factor + 1, a, b), row(space, factor + 2, a, b)
    # Directions and labels in one norm: from each first direction and label, so many of them.
    over_e = number if isotropic or coupling == PAIRWISE else 1
    over_c = 1 if coupling == SEPARATE else labels
    for y in range(rows):
        radius = field_row(space, geometry, steps.RADIUS, 0, place, y, a, b)
        fill_row(short, ONE)
        if huber:
            shorten_row(short, radius, plan[k, steps.SMOOTH])
        if coupling == JOINT and isotropic and labels == 3 and number == 2:
            here, size, stride = state_row(geometry, 0, place, y), b - a, ring * rows
            slow = channels(space, here + part, stride, a, size)
            fast = channels(space, here + 2 * part, stride, a, size)
            bars = channels(space, bar_row(geometry, k, 0, i, y), 2 * rows, a, size + 1)
            downs = channels(space, bar_row(geometry, k, 0, below, y), 2 * rows, a, size)
            colour_row(slow, fast, bars, downs, radius, short, rho, d, sigma + sigma if truncated else ZERO)
            continue
        for first_e in range(0, number, over_e):
            for first_c in range(0, labels, over_c):
                fill_row(total, ZERO)
                for m in range(over_e * over_c):
                    e, c = first_e + m // over_c, first_c + m % over_c
                    dz, dy, dx = offsets[e]
                    here, mine = state_row(geometry, c, place, y) + (e + 1) * part, q + e * labels + c
                    target = bar_row(geometry, k, c, below if dz > 0 else i, min(y + dy, rows - 1))
                    # Where a difference along the row leaves the image there is no flow.
                    x, z = a + (1 if dx < 0 else 0), b - (1 if dx > 0 else 0)
                    if dx != 0:
                        space[mine, a], space[mine, b - 1] = ZERO, ZERO
                    if dz * dx != 0 and below == i:
                        fill_row(row(space, mine, a, b), ZERO)
                        continue
                    bar, to = row(space, bar_row(geometry, k, c, i, y), x, z), row(space, target, x + dx, z + dx)
                    flow, squares = row(space, here, x, z), row(space, factor, x, z)
                    gather_row(row(space, mine, x, z), squares, flow, bar, to, d[e])
                if coupling == PAIRWISE:
                    pairs_row(space, q, labels, number, taken, half, total, radius, sweeps, a, b)
                elif truncated:
                    cut_factor_row(total, radius, short, sigma + sigma)
                else:
                    factor_row(total, radius, short)
                for m in range(over_e * over_c):
                    e, c = first_e + m // over_c, first_c + m % over_c
                    flow = row(space, state_row(geometry, c, place, y) + (e + 1) * part, a, b)
                    scatter_row(flow, row(space, q + e * labels + c, a, b), total, rho)


@inlined
def channels(space, here, stride, a, size):
    """Columns a, a + 1, ... of three rows that lie `stride` apart."""
    width = space.shape[1]
    return rows_at(space, (here * width + a, (here + stride) * width + a, (here + 2 * stride) * width + a), size)
