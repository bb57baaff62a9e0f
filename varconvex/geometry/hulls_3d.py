"""Convex hulls of lattice points in three dimensions, exact: half-spaces with integer normals.

    conv(S) = {x : n_k . x <= c_k  for all k},      n_k, c_k integers

built point by point (Kallay, Inf. Process. Lett. 19, 1984, doi:10.1016/0020-0190(84)90084-X): a new point sees the
facets it is strictly in front of; they go, and what is left of their rim is joined to the point. All tests are signs of
integer determinants, so that points in one plane are no special case. Floating-point hulls have merged facets, and a
merged facet proves nothing.
"""

import numba
import numpy as np


def extreme_points(mask):
    """Points of `mask` that are first or last of their line along every axis: (n, 3) int, all vertices among them."""
    there = np.ones_like(mask)
    for axis in range(3):
        padded = np.pad(mask, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        inner = np.swapaxes(padded, 0, axis)
        seen = np.logical_or.accumulate(inner)[:-2] & np.logical_or.accumulate(inner[::-1])[::-1][2:]
        there &= np.swapaxes(~seen, 0, axis)
    return np.argwhere(mask & there)


def half_spaces(points):
    """The half-spaces whose intersection is the convex hull of lattice points.

    Parameters
    ----------
    points : (n, 3) int, n >= 1

    Returns
    -------
    normals : (k, 3) int64, pointing outwards, primitive, no two alike
    offsets : (k,) int64
        normals @ x <= offsets in the hull. A flat hull has its plane (or its line, or itself) twice, from both sides.
    """
    points = np.asarray(points, np.int64)
    base = _independent(points)
    if len(base) == 4:
        # The farthest points first: most others are inside at once.
        order = np.argsort(-((points - points.mean(axis=0)) ** 2).sum(axis=1), kind="stable")
        facets = _hull(points, np.concatenate([base, order]))
        a, b, c = points[facets[:, 0]], points[facets[:, 1]], points[facets[:, 2]]
        normals = np.cross(b - a, c - a)
    else:
        normals = _flat_normals(points, points[base])
    normals //= np.gcd.reduce(normals, axis=1)[:, None]
    normals = np.unique(normals, axis=0)
    return normals, (normals @ points.T).max(axis=1)


def lattice_points(normals, offsets, shape):
    """Which points of a grid are in all half-spaces: (D, H, W) bool."""
    first, last = _runs(normals, offsets, shape[0], shape[1], shape[2])
    index = np.arange(shape[2])
    return (index >= first[..., None]) & (index <= last[..., None])


def _independent(points):
    """Indices of up to four points that span as much as all of them do."""
    base = [0]
    away = points - points[0]
    if away.any():
        base.append(int((away**2).sum(axis=1).argmax()))
        across = np.cross(away[base[1]], away)
        if across.any():
            base.append(int(np.abs(across).sum(axis=1).argmax()))
            height = away @ np.cross(away[base[1]], away[base[2]])
            if height.any():
                base.append(int(np.abs(height).argmax()))
    return np.array(base)


def _flat_normals(points, base):
    """Normals of a hull that has no volume: those of its sides within its plane or line, and those across it."""
    axes = np.eye(3, dtype=np.int64)
    if len(base) == 1:
        return np.concatenate([axes, -axes])
    along = base[1] - base[0]
    if len(base) == 2:
        first = np.cross(along, axes[np.abs(along).argmin()])
        return np.stack([s * n for n in (along, first, np.cross(along, first)) for s in (1, -1)])
    across = np.cross(along, base[2] - base[0])
    across //= np.gcd.reduce(across)
    # Seen along an axis that the plane does not contain, no two of its points meet.
    flat = np.delete(points, np.abs(across).argmax(), axis=1)
    order = _polygon(flat)
    sides = np.roll(points[order], -1, axis=0) - points[order]
    outward = np.cross(sides, across)
    wrong = (outward * (points.mean(axis=0) - points[order])).sum(axis=1) > 0
    outward[wrong] *= -1
    return np.concatenate([outward, [across, -across]])


def _polygon(flat):
    """Indices of the corners of the hull of points in the plane, in turn (monotone chain)."""
    order = np.lexsort((flat[:, 1], flat[:, 0])).tolist()
    corners = []
    for way in (order, order[::-1]):
        chain: list[int] = []
        for i in way:
            while len(chain) > 1:
                u, v = flat[chain[-1]] - flat[chain[-2]], flat[i] - flat[chain[-1]]
                if u[0] * v[1] - u[1] * v[0] > 0:
                    break
                chain.pop()
            chain.append(i)
        corners += chain[:-1]
    return np.array(corners)


@numba.njit(cache=True)
def _hull(points, order):
    """Triangles of the hull as indices of their corners; the first four of `order` span a tetrahedron."""
    capacity = 64
    corners = np.empty((capacity, 3), np.int64)
    planes = np.empty((capacity, 4), np.int64)
    inner = points[order[0]] + points[order[1]] + points[order[2]] + points[order[3]]
    count = 0
    for skip in range(4):
        facet = np.empty(3, np.int64)
        j = 0
        for i in range(4):
            if i != skip:
                facet[j] = order[i]
                j += 1
        plane = _plane(points, facet[0], facet[1], facet[2])
        # Four times the centroid of the tetrahedron, which is inside.
        if plane[0] * inner[0] + plane[1] * inner[1] + plane[2] * inner[2] > 4 * plane[3]:
            facet[1], facet[2] = facet[2], facet[1]
            plane = -plane
        corners[count], planes[count] = facet, plane
        count += 1
    # Which facet in sight an edge belongs to, by its two ends: a rim's edge has no twin.
    rim = set()
    rim.add((0, 0))
    for p in order[4:]:
        rim.clear()
        kept = 0
        x, y, z = points[p]
        seen = False
        for f in range(count):
            if planes[f, 0] * x + planes[f, 1] * y + planes[f, 2] * z > planes[f, 3]:
                seen = True
                break
        if not seen:
            continue
        for f in range(count):
            if planes[f, 0] * x + planes[f, 1] * y + planes[f, 2] * z > planes[f, 3]:
                for i in range(3):
                    a, b = corners[f, i], corners[f, (i + 1) % 3]
                    if (b, a) in rim:
                        rim.remove((b, a))
                    else:
                        rim.add((a, b))
            else:
                corners[kept], planes[kept] = corners[f], planes[f]
                kept += 1
        count = kept
        while count + len(rim) > capacity:
            capacity *= 2
            more_corners, more_planes = np.empty((capacity, 3), np.int64), np.empty((capacity, 4), np.int64)
            more_corners[:count], more_planes[:count] = corners[:count], planes[:count]
            corners, planes = more_corners, more_planes
        for a, b in rim:
            corners[count, 0], corners[count, 1], corners[count, 2] = a, b, p
            planes[count] = _plane(points, a, b, p)
            count += 1
    return corners[:count]


@numba.njit(cache=True)
def _plane(points, a, b, c):
    """Normal and offset of the plane through three points, outwards if they turn anticlockwise seen from outside."""
    plane = np.empty(4, np.int64)
    u, v = points[b] - points[a], points[c] - points[a]
    plane[0] = u[1] * v[2] - u[2] * v[1]
    plane[1] = u[2] * v[0] - u[0] * v[2]
    plane[2] = u[0] * v[1] - u[1] * v[0]
    plane[3] = plane[0] * points[a, 0] + plane[1] * points[a, 1] + plane[2] * points[a, 2]
    return plane


@numba.njit(cache=True)
def _runs(normals, offsets, depth, height, width):
    """First and last lattice point of the half-spaces on every line along the last axis; none where first > last."""
    first = np.zeros((depth, height), np.int64)
    last = np.full((depth, height), width - 1)
    for i in range(depth):
        for j in range(height):
            low, high = 0, width - 1
            for k in range(len(normals)):
                room = offsets[k] - normals[k, 0] * i - normals[k, 1] * j
                step = normals[k, 2]
                if step > 0:
                    high = min(high, room // step)
                elif step < 0:
                    # Division rounds down; the negated quotient rounds up.
                    low = max(low, -(room // -step))
                elif room < 0:
                    high = -1
                if low > high:
                    break
            first[i, j], last[i, j] = low, high
    return first, last
