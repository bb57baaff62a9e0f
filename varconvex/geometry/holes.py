"""Pieces without holes: each hole is filled, or opened by a channel to what is around, whichever is cheaper.

Holes and the outside are parts of what a piece leaves, channels the paths between them, and so this is the problem of
`pieces` once more: all holes are joined to the outside by a minimum spanning tree of cheapest channels, and the best
subtree that has the outside is opened. A hole gains what filling it costs.
"""

import numpy as np

from ..compiling import compiled
from .paths import best_subtree, cheapest_paths, root_of, spanning_tree
from .pieces import hole_pixels, neighbours

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")

# The eight neighbours in turn, sides at even places.
_DOWN, _RIGHT = np.array([0, 1, 1, 1, 0, -1, -1, -1]), np.array([1, 1, 0, -1, -1, -1, 0, 1])

_ROUNDS = 2
"""Most times that channels are looked for: what one opens on its way is in the way of another."""


def without_holes(mask: Array, cost: Array, inside: Array, outside: Array) -> Array | None:
    """The connected `mask` with its holes filled or opened, in one piece; None if that was not possible."""
    found = mask
    for _ in range(_ROUNDS):
        if not hole_pixels(found).any():
            break
        found = _opened(found, cost, inside, outside)
    candidates = [_largest(m | hole_pixels(m), cost, inside, outside) for m in (found, mask)]
    possible = [m for m in candidates if m is not None]
    if not possible:
        return None
    return min(possible, key=lambda m: float(cost[m].sum()))


def _opened(mask: Array, cost: Array, inside: Array, outside: Array) -> Array:
    """`mask` with channels to the holes for which that pays."""
    from scipy import ndimage

    # What is around, a pixel wide, and beyond it a border that nothing passes.
    left = np.pad(np.pad(~mask, 1, constant_values=True), 1)
    labels, count = ndimage.label(left, np.ones((3,) * mask.ndim))
    inner = (slice(2, -2),) * mask.ndim
    around = int(labels[(1,) * mask.ndim])
    gains = np.bincount(labels[inner].ravel(), cost.ravel(), count + 1)
    forced = np.zeros(count + 1, bool)
    forced[labels[inner][outside]] = True
    forced[0], forced[around] = False, True
    gains[[0, around]] = 0
    price = np.pad(np.where(mask, np.maximum(-cost, 0) + 1e-6, 0.0), 2)
    barred = np.pad(np.pad(inside, 1), 1, constant_values=True)
    steps = neighbours(labels.shape, corners=True)
    owner, back, length = cheapest_paths(price.ravel(), labels.ravel(), barred.ravel(), steps)
    ends, costs = spanning_tree(owner, length, steps, count)
    _, links = best_subtree(gains, forced, ends, costs, owner)
    flat = labels.astype(np.int64).ravel()
    if mask.ndim == 2:
        ring = _DOWN * labels.shape[1] + _RIGHT
        _open_each(flat, ends[links], back, ring, count)
    else:
        for p in ends[links].ravel():
            while flat[p] == 0:
                flat[p], p = around, back[p]
    return flat.reshape(labels.shape)[inner] == 0


def _largest(mask: Array, cost: Array, inside: Array, outside: Array) -> Array | None:
    """The piece of least cost, or with `inside`; None if the strokes are not in it, or something of `outside` is."""
    from scipy import ndimage

    parts, count = ndimage.label(mask)
    if not count:
        return None
    sums = np.bincount(parts.ravel(), cost.ravel(), count + 1)
    best = parts == (parts[inside].max() if inside.any() else 1 + int(sums[1:].argmin()))
    wrong = (inside & ~best).any() or (best & outside).any() or hole_pixels(best).any()
    return None if wrong else best


@_compiled
def _open_each(labels: Array, ends: Array, back: Array, ring: Array, count: int) -> None:
    """Open channels, pairs of pixels from which ways lead back to two parts, unless one would cut the set in two.

    `labels` (n,) int are the parts of what the set leaves, 0 in it; pixels of a channel get the number of a part.
    """
    root = np.arange(count + 1)
    way, joined, groups = np.empty(labels.size, np.int64), np.empty(count + 1, np.int64), np.empty(8, np.int64)
    for at in range(len(ends)):
        length = 0
        p = ends[at, 0]
        while labels[p] == 0 and length < labels.size:
            way[length], length, p = p, length + 1, back[p]
        first = labels[p]
        for i in range(length // 2):
            way[i], way[length - 1 - i] = way[length - 1 - i], way[i]
        p = ends[at, 1]
        while labels[p] == 0 and length < labels.size:
            way[length], length, p = p, length + 1, back[p]
        n_joined, n, fits = 1, 0, True
        joined[0] = root_of(root, first)
        while n < length and fits:
            p = way[n]
            # The parts around the pixel, each run of them once; the set's pixels at its sides are between runs.
            start = 0
            while start < 8 and labels[p + ring[start]] != 0:
                start += 2
            size, open_ = 0, False
            for k in range(start, start + 8):
                there = labels[p + ring[k % 8]]
                if there == 0:
                    open_ = open_ and k % 2 == 1
                elif not open_:
                    groups[size], size, open_ = root_of(root, there), size + 1, True
            known = 0
            for g in range(size):
                old = False
                for j in range(n_joined):
                    old = old or joined[j] == groups[g]
                if old:
                    known += 1
                else:
                    joined[n_joined], n_joined = groups[g], n_joined + 1
            fits = known == 1 and start < 8
            labels[p] = first
            n += 1
        if fits:
            for j in range(1, n_joined):
                root[joined[j]] = joined[0]
        else:
            labels[way[:n]] = 0
