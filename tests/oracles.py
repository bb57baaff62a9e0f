"""Independent answers that the tests compare with."""

import itertools

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow


def minimum_cut(cost, alpha, weight=None):
    """Least energy of a mask, <cost, mask> + alpha * (number of pairs of next neighbours that differ), by maximum flow.

    Everything is an integer: the answer is exact. `weight` is a factor for each pixel's pairs with the next
    pixel along each axis.
    """
    pixel = np.arange(cost.size).reshape(cost.shape)
    source, sink = pixel.size, pixel.size + 1
    arcs = []
    price = np.full(cost.shape, alpha) if weight is None else alpha * weight
    for axis in range(pixel.ndim):
        a, b = (np.take(pixel, range(k, pixel.shape[axis] - 1 + k), axis=axis) for k in (0, 1))
        paid = np.take(price, range(pixel.shape[axis] - 1), axis=axis)
        for tail, head in ((a, b), (b, a)):
            arcs.append((tail.ravel(), head.ravel(), paid.ravel()))
    flat = cost.ravel()
    liked, disliked = np.flatnonzero(flat < 0), np.flatnonzero(flat > 0)
    arcs.append((np.full(liked.size, source), liked, -flat[liked]))
    arcs.append((disliked, np.full(disliked.size, sink), flat[disliked]))
    tails, heads, capacity = (np.concatenate(part).astype(np.int32) for part in zip(*arcs, strict=True))
    graph = csr_array((capacity, (tails, heads)), shape=(pixel.size + 2,) * 2)
    return int(np.minimum(cost, 0).sum()) + maximum_flow(graph, source, sink).flow_value


def mask_energy(cost, mask, alpha, weight=None, isotropic=True):
    """Energy of a mask, pixel by pixel, in plain Python."""
    height, width = mask.shape
    total = 0.0
    for i, j in itertools.product(range(height), range(width)):
        down = float(mask[i + 1, j]) - mask[i, j] if i + 1 < height else 0.0
        right = float(mask[i, j + 1]) - mask[i, j] if j + 1 < width else 0.0
        length = (down**2 + right**2) ** 0.5 if isotropic else abs(down) + abs(right)
        total += cost[i, j] * mask[i, j] + alpha * (1 if weight is None else weight[i, j]) * length
    return total


def best_labelling(cost, alpha):
    """Least Potts energy over all labellings of a tiny grid, anisotropic, by enumeration."""
    labels, height, width = cost.shape
    best = np.inf
    for choice in itertools.product(range(labels), repeat=height * width):
        grid = np.array(choice).reshape(height, width)
        data = np.take_along_axis(cost, grid[None], axis=0).sum()
        cuts = (grid[1:] != grid[:-1]).sum() + (grid[:, 1:] != grid[:, :-1]).sum()
        best = min(best, data + alpha * cuts)
    return best
