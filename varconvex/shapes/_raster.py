"""The pixels of a convex set, without looking at most of them.

G is convex. So a block of pixels lies inside {G <= 0} if its four corners do, and outside if at one of them

    G(c) + min over the block of <grad G(c), x - c>  >  0,

because a convex function is nowhere below its tangents. What is left is a thin band, looked at pixel by
pixel.
"""

import numpy as np

_CHUNK = 4096


def rasterize(network, shape, block=None):
    """{G <= 0} at the integer points of a grid: (H, W) bool, equal to asking every pixel.

    Parameters
    ----------
    network : ICNN of two-dimensional points, row and column
    shape : (int, int)
    block : int, optional
        Side of a block, chosen after the size of the grid by default; changes the time only.
    """
    height, width = shape
    block = block or (8 if height * width <= 1024**2 else 16)
    rows, columns = -(-height // block), -(-width // block)
    corners = block * np.stack(np.meshgrid(np.arange(rows + 1), np.arange(columns + 1), indexing="ij"), axis=-1)
    g, slope = value_and_slope(network, corners.reshape(-1, 2))
    g, slope = g.reshape(rows + 1, columns + 1), slope.reshape(rows + 1, columns + 1, 2)

    inside = np.ones((rows, columns), bool)
    possible = np.ones((rows, columns), bool)
    for down in (0, 1):
        for right in (0, 1):
            at = np.s_[down : rows + down, right : columns + right]
            inside &= g[at] <= 0
            # Seen from this corner, the block lies towards smaller rows if it is a lower one, and so on.
            away = slope[at] * [1 - 2 * down, 1 - 2 * right]
            possible &= g[at] + block * np.minimum(away, 0).sum(axis=-1) <= 0
    mask = np.zeros((rows, block, columns, block), bool)
    mask[:] = inside[:, None, :, None]
    top, left = np.nonzero(possible & ~inside)
    within = np.stack(np.meshgrid(np.arange(block), np.arange(block), indexing="ij"), axis=-1)
    points = block * np.stack([top, left], axis=-1)[:, None, None] + within
    mask[top, :, left] = network(points.reshape(-1, 2)).reshape(-1, block, block) <= 0
    return np.ascontiguousarray(mask.reshape(rows * block, columns * block)[:height, :width])


def value_and_slope(network, points):
    """G and its gradient at `points`: (n,) and (n, 2)."""
    g, slope = np.empty(len(points)), np.empty((len(points), 2))
    for i in range(0, len(points), _CHUNK):
        x = points[i : i + _CHUNK].astype(network.dtype)
        g[i : i + _CHUNK], z = network.forward(x)
        slope[i : i + _CHUNK] = network.backward(x, z, np.ones(len(x), network.dtype))[1]
    return g, slope
