"""Convex hulls of lattice points in three dimensions, exact: half-spaces with integer normals.

    conv(S) = {x : n_k . x <= c_k  for all k},      n_k, c_k integers

built point by point (Kallay, Inf. Process. Lett. 19, 1984, doi:10.1016/0020-0190(84)90084-X): the facets that a new
point is strictly in front of are removed, and the edges between them and the other facets are joined to the point. All
tests are signs of integer determinants, so that points in one plane are no special case. Qhull rounds and merges
facets: it would prove nothing.
"""

import numpy as np

from ..compiling import compiled
from . import hulls_2d

Array = np.ndarray


def extreme_points(mask: Array) -> Array:
    """Points of `mask` that are first or last of their line along every axis, with all vertices of its hull: (n, 3)."""
    there = mask.copy()
    for axis in range(3):
        counts = np.cumsum(mask, axis=axis)
        there &= (counts == 1) | (counts == counts.max(axis=axis, keepdims=True))
    return np.argwhere(there)


def half_spaces(points: Array) -> tuple[Array, Array]:
    """Half-spaces whose intersection is the convex hull of lattice points ((n, 3) int): see `hulls.half_spaces`."""
    points = np.asarray(points, np.int64)
    base = _independent(points)
    if len(base) == 4:
        # The farthest points first: most others are inside at once.
        order = np.argsort(-((points - points.mean(axis=0)) ** 2).sum(axis=1), kind="stable")
        facets = _facets(points, np.concatenate([base, order]))
        a, b, c = points[facets[:, 0]], points[facets[:, 1]], points[facets[:, 2]]
        normals = np.cross(b - a, c - a)
    else:
        normals = _flat_normals(points, points[base])
    normals //= np.gcd.reduce(normals, axis=1)[:, None]
    normals = np.unique(normals, axis=0)
    return normals, (normals @ points.T).max(axis=1)


def lattice_points(normals: Array, offsets: Array, shape: tuple[int, ...]) -> Array:
    """Which points of a grid are in all half-spaces: (D, H, W) bool."""
    first, last = _runs(normals, offsets, shape[0], shape[1], shape[2])
    return hulls_2d.pixels_between(first, last, shape[2])


def _independent(points: Array) -> Array:
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


def _flat_normals(points: Array, base: Array) -> Array:
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
    flat = np.delete(points - points.min(axis=0), np.abs(across).argmax(), axis=1)
    index = np.full(flat.max(axis=0) + 1, -1)
    index[tuple(flat.T)] = np.arange(len(flat))
    order = index[tuple(hulls_2d.extreme_points(index >= 0).T)]
    sides = np.roll(points[order], -1, axis=0) - points[order]
    outward = np.cross(sides, across)
    wrong = (outward * (points.mean(axis=0) - points[order])).sum(axis=1) > 0
    outward[wrong] *= -1
    return np.concatenate([outward, [across, -across]])


@compiled()
def _facets(points: Array, order: Array) -> Array:
    """Triangles of the hull as indices of their corners (n, 3); the first four of `order` span a tetrahedron."""
    corners, planes = _tetrahedron(points, order[:4])
    count = 4
    edges = np.empty(3 * len(corners), np.int64)
    for p in order[4:]:
        x, y, z = points[p]
        kept, found = 0, 0
        if len(edges) < 3 * count:
            edges = np.empty(6 * count, np.int64)
        for f in range(count):
            if planes[f, 0] * x + planes[f, 1] * y + planes[f, 2] * z > planes[f, 3]:  # strictly in front of it
                for i in range(3):
                    edges[found] = corners[f, i] * len(points) + corners[f, (i + 1) % 3]
                    found += 1
            else:
                if kept < f:
                    corners[kept], planes[kept] = corners[f], planes[f]
                kept += 1
        count = kept
        while count + found > len(corners):
            corners, planes = np.concatenate((corners, corners)), np.concatenate((planes, planes))
        # An edge of the horizon has no twin, in the other direction, among the facets in sight. (A set of edges that
        # are added and removed does not end: compiled, its search for a free place runs for ever in some hulls.)
        known = np.sort(edges[:found])
        for edge in known:
            a, b = edge // len(points), edge % len(points)
            twin = b * len(points) + a
            place = np.searchsorted(known, twin)
            if place == found or known[place] != twin:
                corners[count, 0], corners[count, 1], corners[count, 2] = a, b, p
                planes[count] = _plane(points, a, b, p)
                count += 1
    return corners[:count]


@compiled()
def _tetrahedron(points: Array, order: Array) -> tuple[Array, Array]:
    """Facets and planes of four points, in arrays with space for more."""
    corners, planes = np.empty((64, 3), np.int64), np.empty((64, 4), np.int64)
    inner = points[order[0]] + points[order[1]] + points[order[2]] + points[order[3]]
    for skip in range(4):
        facet = np.delete(order, skip)
        plane = _plane(points, facet[0], facet[1], facet[2])
        # Four times the centroid of the tetrahedron, which is inside.
        if plane[0] * inner[0] + plane[1] * inner[1] + plane[2] * inner[2] > 4 * plane[3]:
            facet[1], facet[2] = facet[2], facet[1]
            plane = -plane
        corners[skip], planes[skip] = facet, plane
    return corners, planes


@compiled()
def _plane(points: Array, a: int, b: int, c: int) -> Array:
    """Normal and offset of the plane through three points, outwards if they turn anticlockwise seen from outside."""
    plane = np.empty(4, np.int64)
    u, v = points[b] - points[a], points[c] - points[a]
    plane[0] = u[1] * v[2] - u[2] * v[1]
    plane[1] = u[2] * v[0] - u[0] * v[2]
    plane[2] = u[0] * v[1] - u[1] * v[0]
    plane[3] = plane[0] * points[a, 0] + plane[1] * points[a, 1] + plane[2] * points[a, 2]
    return plane


@compiled()
def _runs(normals: Array, offsets: Array, depth: int, height: int, width: int) -> tuple[Array, Array]:
    """First and last lattice point of the half-spaces on every line along the last axis; none where first > last."""
    first = np.zeros((depth, height), np.int64)
    last = np.full((depth, height), width - 1)
    for i in range(depth):
        for j in range(height):
            low, high = 0, width - 1
            for k in range(len(normals)):
                slack = offsets[k] - normals[k, 0] * i - normals[k, 1] * j
                step = normals[k, 2]
                if step > 0:
                    high = min(high, slack // step)
                elif step < 0:
                    # Division rounds down; the negated quotient rounds up.
                    low = max(low, -(slack // -step))
                elif slack < 0:
                    high = -1
                if low > high:
                    break
            first[i, j], last[i, j] = low, high
    return first, last
