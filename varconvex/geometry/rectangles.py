"""Small and narrow objects: the rectangles of least cost among all places, some directions and some sizes.

    min over R in a family of rectangles    sum of cost over R

A lattice of 33 nodes a side (`lattice_polygon`) misses objects narrower than its cells, and the hull of a component
misses those that noise has torn apart; a rectangle of about the object's size finds both. The image is turned by eight
angles and its integral image computed for each; then the cost of any rectangle is four look-ups.
"""

import numpy as np

from ..compiling import compiled

SIZES = np.array([(w, n) for w in (1, 2, 4) for n in (3, 6, 12, 24) if w <= n])
"""Sides of the rectangles in cells; the lattice finds objects wider than four."""

LARGEST = int(SIZES.prod(axis=1).max())
"""Cells of the largest."""

_TURNS = 8
"""Directions in a quarter turn."""

_BLOCKS = 12
"""Blocks along a side of a turned image; the best rectangle that begins in each is a candidate."""


def best_boxes(cells: np.ndarray, count: int) -> list[tuple[float, np.ndarray]]:
    """Up to `count` rectangles of least cost, each below zero, apart from each other: costs and corners.

    `cells` (float) are negative where they favour the object. Corners are (4, 2) float, in turn, row and column with
    (0, 0) the outer corner of the first cell.
    """
    cells = np.ascontiguousarray(cells, np.float64)
    centre, side = (np.array(cells.shape) - 1) / 2, int(np.ceil(np.hypot(*cells.shape))) + 1
    # Whole cells apart, so that turning by 0 leaves the image as it is.
    middle = centre + np.round((side - 1) / 2 - centre)
    sizes = np.concatenate([SIZES, SIZES[SIZES[:, 0] < SIZES[:, 1], ::-1]])
    # Rounding errors of sums over the image are not an object.
    none = -1e-9 * np.abs(cells).sum()
    found = []
    for turn in range(_TURNS):
        angle = turn * (np.pi / 2 / _TURNS)
        # A point q of the turned image is where frame (q - middle) + centre is in the given one.
        frame = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        costs, places = _least(_turned_sums(cells, frame, centre, middle, side), sizes)
        for cost, (row, column, height, width) in zip(costs, places, strict=True):
            if cost < none:
                corner = np.array([row - 0.5, column - 0.5])
                box = corner + np.array([[0, 0], [0, width], [height, width], [height, 0]])
                found.append((float(cost), (box - middle) @ frame.T + centre + 0.5))
    return _apart(sorted(found, key=lambda pair: pair[0]), count, cells.shape)


def _apart(found: list[tuple[float, np.ndarray]], count: int, shape: tuple[int, ...]) -> list[tuple[float, np.ndarray]]:
    """The first `count` rectangles with centres in the image and outside of the circles around those before."""
    kept: list[tuple[float, np.ndarray]] = []
    for cost, box in found:
        if len(kept) == count:
            break
        centre, across = box.mean(axis=0), np.hypot(*(box[0] - box[2]))
        away = ((np.hypot(*(centre - b.mean(axis=0))), max(across, np.hypot(*(b[0] - b[2]))) / 2) for _, b in kept)
        if (centre >= 0).all() and (centre <= shape).all() and all(distance > radius for distance, radius in away):
            kept.append((cost, box))
    return kept


@compiled(error_model="numpy", nogil=True)
def _turned_sums(cells: np.ndarray, frame: np.ndarray, centre: np.ndarray, middle: np.ndarray, side: int) -> np.ndarray:
    """(side + 1, side + 1): integral image of the turned image, which is interpolated linearly between cells."""
    height, width = cells.shape
    sums = np.zeros((side + 1, side + 1))
    for i in range(side):
        along = 0.0
        for j in range(side):
            r = frame[0, 0] * (i - middle[0]) + frame[0, 1] * (j - middle[1]) + centre[0]
            c = frame[1, 0] * (i - middle[0]) + frame[1, 1] * (j - middle[1]) + centre[1]
            if -1 < r < height and -1 < c < width:
                along = _interpolated(cells, r, c, along)
            sums[i + 1, j + 1] = sums[i, j + 1] + along
    return sums


@compiled(error_model="numpy", nogil=True)
def _interpolated(cells: np.ndarray, r: float, c: float, total: float) -> float:
    """`total` plus the value between the four cells around (r, c); 0 beyond the border."""
    r0, c0 = int(np.floor(r)), int(np.floor(c))
    for a in range(2):
        for b in range(2):
            if 0 <= r0 + a < cells.shape[0] and 0 <= c0 + b < cells.shape[1]:
                total += abs(1 - a - (r - r0)) * abs(1 - b - (c - c0)) * cells[r0 + a, c0 + b]
    return total


@compiled(error_model="numpy", nogil=True)
def _least(sums: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rectangle of least cost that begins in each block: costs (n,); row, column, height and width (n, 4)."""
    side = len(sums) - 1
    block = -(-side // _BLOCKS)
    costs, places = np.full(_BLOCKS * _BLOCKS, np.inf), np.zeros((_BLOCKS * _BLOCKS, 4), np.int64)
    for height, width in sizes:
        for i in range(side - height + 1):
            for j in range(side - width + 1):
                cost = sums[i + height, j + width] - sums[i, j + width] - sums[i + height, j] + sums[i, j]
                k = i // block * _BLOCKS + j // block
                if cost < costs[k]:
                    costs[k] = cost
                    places[k, 0], places[k, 1], places[k, 2], places[k, 3] = i, j, height, width
    return costs, places
