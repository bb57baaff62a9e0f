"""The compiled kernels of the Numba backend: n iterations on a band of rows, and the two values of a band.

    v = (u - tau (cost - div p)) / (1 + tau pull)          u_new = Pi_C(v)      u_bar = 2 u_new - u
    p += rho (Pi_radius(p + sigma grad u_bar) - p)         u += rho (u_new - u)

Row functions work on contiguous rows of different arrays and write to one or two of them: that is what LLVM vectorises.
Divisions are NumPy's (no check for 0, which would stop the vectoriser).
"""

import numba
import numpy as np

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
_inlined = numba.njit(inline="always", error_model="numpy", fastmath=True)


@_inlined
def _descend_row(v, u, px, py, py_up, cost, tau, shrink, sx, sy):
    """v = (u - tau (cost - div p)) / (1 + tau pull) on one row."""
    v[0] = (u[0] + tau * (px[0] * sx + (py[0] - py_up[0]) * sy - cost[0])) * shrink
    for j in range(1, u.size):
        v[j] = (u[j] + tau * ((px[j] - px[j - 1]) * sx + (py[j] - py_up[j]) * sy - cost[j])) * shrink


@_inlined
def _relax_box_row(u, v, lower, upper, u_bar, rho):
    """u_new = v within its bounds, u_bar = 2 u_new - u, u += rho (u_new - u)."""
    for j in range(u.size):
        old = u[j]
        new = min(max(v[j], lower[j]), upper[j])
        u_bar[j] = 2 * new - old
        u[j] = old + rho * (new - old)


@_compiled
def _simplex_row(v, lower, theta, free):
    """Michelot's projection on all pixels of a row at once; `theta` and `free` are buffers."""
    labels, width = v.shape
    for j in range(width):
        theta[j] = 0
        free[j] = 1
    for k in range(labels):
        for j in range(width):
            free[j] -= lower[k, j]
            v[k, j] -= lower[k, j]
            theta[j] += v[k, j]
    for j in range(width):
        theta[j] = (theta[j] - free[j]) / labels
    # Each sweep drops the labels below theta; after at most labels - 1 sweeps none is left to drop.
    for _ in range(labels - 1):
        for j in range(width):
            total, count = -free[j], np.float32(0)
            for k in range(labels):
                if v[k, j] > theta[j]:
                    total += v[k, j]
                    count += np.float32(1)
            theta[j] = total / count if count > 0 else theta[j]
    for k in range(labels):
        for j in range(width):
            v[k, j] = lower[k, j] + max(v[k, j] - theta[j], np.float32(0))


@_inlined
def _relax_row(u, v, u_bar, rho):
    """u_bar = 2 u_new - u, then u += rho (u_new - u)."""
    for j in range(u.size):
        old = u[j]
        u_bar[j] = 2 * v[j] - old
        u[j] = old + rho * (v[j] - old)


@_inlined
def _dual_row(px, py, u_bar, u_bar_down, radius, sigma, rho, sx, sy, isotropic):
    """p += rho (Pi_radius(p + sigma grad u_bar) - p) on one row."""
    last = px.size - 1
    tiny = np.float32(1e-30)
    one = np.float32(1)
    if isotropic:
        for j in range(last):
            qx = px[j] + sigma * sx * (u_bar[j + 1] - u_bar[j])
            qy = py[j] + sigma * sy * (u_bar_down[j] - u_bar[j])
            scale = min(one, radius[j] / np.sqrt(max(qx * qx + qy * qy, tiny)))
            px[j] += rho * (scale * qx - px[j])
            py[j] += rho * (scale * qy - py[j])
    else:
        for j in range(last):
            qx = px[j] + sigma * sx * (u_bar[j + 1] - u_bar[j])
            qy = py[j] + sigma * sy * (u_bar_down[j] - u_bar[j])
            px[j] += rho * (min(max(qx, -radius[j]), radius[j]) - px[j])
            py[j] += rho * (min(max(qy, -radius[j]), radius[j]) - py[j])
    qy = py[last] + sigma * sy * (u_bar_down[last] - u_bar[last])
    py[last] += rho * (min(max(qy, -radius[last]), radius[last]) - py[last])


@_inlined
def _flush_row(p):
    """What decays geometrically ends as denormals, on which the processor is many times slower."""
    for j in range(p.size):
        p[j] = p[j] if abs(p[j]) > np.float32(1e-18) else np.float32(0)


@_compiled
def band(
    u, p, cost, radius, lower, upper, offset, above, below,
    n, settle, tau, shrink, sigma, rho, sx, sy, isotropic, simplex,
):  # fmt: skip
    """`n` iterations on a band u (L, h, W), p (2, L, h, W) whose first row is row `offset` of the fields.

    The first `above` and the last `below` rows belong to the neighbours (0 at the image's border): iteration k leaves
    out one row of them more than the one before. With `settle` the last iteration is not over-relaxed.
    """
    labels, height, width = u.shape
    u_bar = np.empty((n, 2, labels, width), np.float32)
    v = np.empty((labels, width), np.float32)
    theta = np.empty(width, np.float32)
    free = np.empty(width, np.float32)
    zeros = np.zeros(width, np.float32)
    # A field that is the same in every row has one row only.
    cost_step, radius_step = min(cost.shape[1] - 1, 1), min(radius.shape[0] - 1, 1)
    lower_step, upper_step = min(lower.shape[1] - 1, 1), min(upper.shape[1] - 1, 1)
    for front in range(max(above - n + 1, 0), height + n):
        for k in range(n):
            i = front - k
            begin = max(above - (n - 1 - k), 0)
            end = height - max(below - (n - 1 - k), 0)
            if i < begin or i >= end:
                continue
            settled = settle and k == n - 1
            r = np.float32(1) if settled else rho
            for row in range(i if i == begin else i + 1, min(i + 2, height)):
                at = row + offset
                for c in range(labels):
                    up = p[0, c, row - 1] if row > 0 else zeros
                    _descend_row(
                        v[c], u[c, row], p[1, c, row], p[0, c, row], up, cost[c, at * cost_step], tau, shrink, sx, sy
                    )
                if simplex:
                    _simplex_row(v, lower[:, at * lower_step], theta, free)
                for c in range(labels):
                    if simplex:
                        _relax_row(u[c, row], v[c], u_bar[k, row % 2, c], r)
                    else:
                        low, high = lower[c, at * lower_step], upper[c, at * upper_step]
                        _relax_box_row(u[c, row], v[c], low, high, u_bar[k, row % 2, c], r)
            down = min(i + 1, height - 1) % 2
            reach = radius[(i + offset) * radius_step]
            for c in range(labels):
                px, py = p[1, c, i], p[0, c, i]
                _dual_row(px, py, u_bar[k, i % 2, c], u_bar[k, down, c], reach, sigma, r, sx, sy, isotropic)
                if settled:
                    _flush_row(px)
                    _flush_row(py)


@_compiled
def primal_band(sums, u, cost, radius, first, last, pull, sx, sy, isotropic):
    """Energy of each of the rows first..last-1, in float64."""
    labels, height, _ = u.shape
    for i in range(first, last):
        for k in range(labels):
            sums[i] += _primal_row(
                u[k, i], u[k, min(i + 1, height - 1)], cost[k, i % cost.shape[1]], radius[i % radius.shape[0]],
                pull, sx, sy, isotropic,
            )  # fmt: skip


@_compiled
def dual_band(sums, p, cost, lower, upper, first, last, pull, sx, sy, simplex):
    """Dual value of each of the rows first..last-1, in float64."""
    _, labels, _, width = p.shape
    slope = np.empty((labels, width), np.float64)
    zeros = np.zeros(width, np.float32)
    for i in range(first, last):
        for k in range(labels):
            py_up = p[0, k, i - 1] if i > 0 else zeros
            _slope_row(slope[k], p[1, k, i], p[0, k, i], py_up, cost[k, i % cost.shape[1]], sx, sy)
        if simplex:
            sums[i] += _simplex_dual_row(slope, lower[:, i % lower.shape[1]])
        else:
            for k in range(labels):
                sums[i] += _box_dual_row(slope[k], lower[k, i % lower.shape[1]], upper[k, i % upper.shape[1]], pull)


@_compiled
def _primal_row(u, u_down, cost, radius, pull, sx, sy, isotropic):
    total = 0.0
    last = u.size - 1
    for j in range(u.size):
        here = np.float64(u[j])
        gx = (np.float64(u[min(j + 1, last)]) - here) * sx
        gy = (np.float64(u_down[j]) - here) * sy
        norm = np.sqrt(gx * gx + gy * gy) if isotropic else abs(gx) + abs(gy)
        total += here * (cost[j] + 0.5 * pull * here) + radius[j] * norm
    return total


@_compiled
def _slope_row(slope, px, py, py_up, cost, sx, sy):
    slope[0] = cost[0] - px[0] * sx - (np.float64(py[0]) - py_up[0]) * sy
    for j in range(1, slope.size):
        slope[j] = cost[j] - (np.float64(px[j]) - px[j - 1]) * sx - (np.float64(py[j]) - py_up[j]) * sy


@_compiled
def _box_dual_row(slope, lower, upper, pull):
    total = 0.0
    for j in range(slope.size):
        s = slope[j]
        if pull > 0:
            best = min(max(-s / pull, np.float64(lower[j])), np.float64(upper[j]))
        else:
            best = np.float64(lower[j]) if s > 0 else np.float64(upper[j])
        total += best * (s + 0.5 * pull * best)
    return total


@_compiled
def _simplex_dual_row(slope, lower):
    total = 0.0
    labels, width = slope.shape
    for j in range(width):
        least = slope[0, j]
        free = 1.0
        for k in range(labels):
            least = min(least, slope[k, j])
            free -= lower[k, j]
            total += lower[k, j] * slope[k, j]
        total += free * least
    return total
