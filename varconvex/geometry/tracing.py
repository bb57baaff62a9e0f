"""Boundaries of masks along the edges of pixels, exactly: polygons with holes that fill to the same pixels.

A vertex of the pixel grid is a corner where one or three of its four pixels are in the mask, and two corners where two
are, diagonally. Along each row of the grid the sorted corners are the ends of the horizontal edges in turn, along each
column those of the vertical ones; following them alternately gives the rings.

Vertex (i, j) is the corner that the pixels (i - 1, j - 1) and (i, j) share:
pixel (i, j) covers [i, i + 1] x [j, j + 1].
"""

from collections.abc import Iterator

import numpy as np

Ring = np.ndarray
Polygon = list[Ring]


def polygons(mask: np.ndarray) -> list[Polygon]:
    """The 4-connected parts of `mask` ((H, W) bool) as polygons: each a list of rings, the outer one first.

    A ring is (n, 2) int, row and column of vertices without repetition; with x = column and y = row the outer ring has
    a positive area, holes a negative one. No ring meets a vertex twice. Parts are in the order of their first pixel.
    """
    from scipy.ndimage import label

    parts, count = label(mask)
    found: list[Polygon] = [[] for _ in range(count)]
    for ring in (ring for path in _paths(np.pad(mask, 1)) for ring in _simple(path)):
        top = int(ring[:, 0].min())
        on_top = np.flatnonzero((ring[:, 0] == top) & (np.roll(ring[:, 0], -1) == top))[0]
        column = int(min(ring[on_top, 1], ring[(on_top + 1) % len(ring), 1]))
        outer = top < len(mask) and bool(mask[top, column])
        part = parts[top if outer else top - 1, column] - 1
        ring = ring if (_area(ring) > 0) == outer else ring[::-1]
        found[part].insert(0 if outer else len(found[part]), ring)
    return found


def contours(mask: np.ndarray) -> list[np.ndarray]:
    """Closed curves halfway between the pixels of `mask` ((H, W) bool) and others, by the pixels' centres.

    Each is (n, 2) float, row and column, the first point again at the end: the level line 1/2 of the mask's bilinear
    interpolation, as marching squares find it, with parts that touch at a corner apart.
    """
    found = []
    for ring in map(np.array, _paths(np.pad(mask, 1))):
        steps = np.roll(ring, -1, axis=0) - ring
        lengths = np.abs(steps).sum(axis=1)
        starts = np.repeat(ring, lengths, axis=0)
        units = np.repeat(steps // lengths[:, None], lengths, axis=0)
        along = np.arange(len(starts)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        points = starts + (along[:, None] + 0.5) * units - 0.5
        found.append(np.concatenate([points, points[:1]]))
    return found


def _paths(padded: np.ndarray) -> Iterator[list[tuple[int, int]]]:
    """Corners around the pixels of a mask with a margin of one pixel, in turn, as vertices of the mask without it.

    Where two pixels touch at a corner only, a path turns: it keeps to one of them.
    """
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    single = (a ^ b ^ c ^ d).nonzero()
    falling, rising = (a & d & ~b & ~c).nonzero(), (b & c & ~a & ~d).nonzero()
    # A corner has one horizontal edge, to its left or its right, and one vertical edge, up or down.
    corners = [
        np.column_stack([*single, (a == c)[single], (a == b)[single]]),
        *(np.column_stack([*falling, side, side]) for side in _both(falling)),
        *(np.column_stack([*rising, side, 1 - side]) for side in _both(rising)),
    ]
    rows, columns, right, down = np.concatenate(corners).astype(np.int64).T
    across, along = _partners(rows, columns, right), _partners(columns, rows, down)
    points = list(zip(rows.tolist(), columns.tolist(), strict=True))
    free = [True] * len(points)
    for start in range(len(points)):
        path, place = [], start
        while free[place]:
            other = across[place]
            free[place] = free[other] = False
            path += [points[place], points[other]]
            place = along[other]
        if path:
            yield path


def _both(vertices: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Zeros and ones, one for each vertex."""
    return np.zeros(len(vertices[0]), np.int64), np.ones(len(vertices[0]), np.int64)


def _partners(line: np.ndarray, place: np.ndarray, begins: np.ndarray) -> list[int]:
    """The other end of the edge of each corner: on its line, sorted, ends are begins and ends in turn."""
    order = np.lexsort([begins, place, line])
    partner = np.empty(len(order), np.int64)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner.tolist()


def _simple(path: list[tuple[int, int]]) -> list[Ring]:
    """A closed path as rings that meet no vertex twice."""
    rings, kept, places = [], [], {}  # type: ignore[var-annotated]
    for point in path:
        if point in places:
            begin = places[point]
            rings.append(np.array(kept[begin:]))
            for gone in kept[begin:]:
                del places[gone]
            del kept[begin:]
        places[point] = len(kept)
        kept.append(point)
    return [*rings, np.array(kept)]


def _area(ring: Ring) -> float:
    """Twice the area of a ring, positive where it goes from columns to rows as from x to y."""
    y, x = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
