"""Two convex sets parted by a line (a plane in a volume): where it can run, and where least is lost.

What is left of a convex set on one side of a line is convex. Lines run in a few dozen directions, and along the sides
of the two sets that must not be cut.
"""

import numpy as np

from .convex_sets import REACH
from .hulls import extreme_points, fill, half_spaces
from .raster import primitive_vectors


def separated(
    masks: tuple[np.ndarray, np.ndarray], seeds: tuple[np.ndarray, np.ndarray], costs: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Two masks on either side of the line between their seeds that leaves them cheapest together."""
    normals, lowest, highest = separating_normals(*map(fill, seeds))
    points = [np.argwhere(mask) for mask in masks]
    prices = [cost[mask].astype(np.float64) for cost, mask in zip(costs, masks, strict=True)]
    best, normal, offset = np.inf, normals[0], int(lowest[0])
    for n, low, high in zip(normals, lowest, highest, strict=True):
        first, second = (np.clip(p @ n, low, high + 1) - low for p in points)
        size = int(high - low) + 2
        # The first keeps what is at an offset or below, the second what is above.
        kept = np.cumsum(np.bincount(first, prices[0], size))
        total = kept + prices[1].sum() - np.cumsum(np.bincount(second, prices[1], size))
        at = int(np.argmin(total[:-1]))
        if total[at] < best:
            best, normal, offset = float(total[at]), n, int(low) + at
    along = np.tensordot(normal, np.indices(masks[0].shape), axes=1)
    return masks[0] & (along <= offset), masks[1] & (along > offset)


def separating_normals(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integer normals of lines with `first` below and `second` above, and the offsets from and to which they lie.

    Two hulls that do not meet are parted along a side of one of them; in a volume along a side of their difference.
    """
    if first.ndim == 3:
        ends = extreme_points(first)[:, None] - extreme_points(second)
        sides = [half_spaces(np.unique(ends.reshape(-1, 3), axis=0))[0]]
    else:
        sides = [half_spaces(extreme_points(first))[0], -half_spaces(extreme_points(second))[0]]
    normals = np.unique(np.concatenate([primitive_vectors(REACH[first.ndim], first.ndim), *sides]), axis=0)
    below = (normals @ np.argwhere(first).T).max(axis=1)
    above = (normals @ np.argwhere(second).T).min(axis=1)
    parts = below < above
    return normals[parts], below[parts], above[parts] - 1
