"""Sets of pixels in one piece: which pixels stray from it, and the piece of least cost that holds the scribbles.

    min over connected S    sum of cost over S      subject to   inside <= S,   S and outside disjoint

Pixels that touch only at corners are not connected, as for the length of the boundary. The problem is that of Steiner
trees with prizes: the parts of what favours the object are joined by cheapest paths where that pays. All parts are
joined by a minimum spanning tree of such paths, and its best subtree that holds the scribbles is found exactly; this is
repeated with that set as one part while it gets cheaper, and what does not pay is cut off again.
"""

import numpy as np

from ..errors import ScribbleConflictError
from ..threads import checkpoint
from .paths import best_subtree, cheapest_paths, pruned, spanning_tree
from .raster import grid_points

Array = np.ndarray

_ROUNDS = 4
"""Most repetitions; the second seldom changes anything."""

_LEAST_GAIN = 0.02
"""Share of the cost below which a round was the last."""

_SMALL, _TRIES = 2500, 200
"""Pixels up to which single ones are tried as joints and gaps, and most that are."""


def stray_pixels(mask: Array, inside: Array | None = None, *, holes: bool = True, corners: bool = False) -> Array:
    """Pixels that are not in one piece with the others, those of `inside` that are missing, and holes: (n, d) int.

    The piece is the one with most of `inside`, or the largest. Without `holes` pixels outside of `mask` from which no
    path, corners included, leads to the border's outside are among them. With `corners` pixels that touch at corners
    are one piece.
    """
    from scipy import ndimage

    structure = np.ones((3,) * mask.ndim) if corners else None
    labels, count = ndimage.label(mask, structure)
    wrong = np.zeros(mask.shape, bool)
    if count > 1:
        held = None if inside is None else labels[inside & mask]
        sizes = np.bincount(labels.ravel() if held is None or not len(held) else held, minlength=count + 1)
        wrong |= mask & (labels != 1 + int(sizes[1:].argmax()))
    if inside is not None:
        wrong |= inside & ~mask
    if not holes:
        wrong |= hole_pixels(mask)
    return np.argwhere(wrong)


def hole_pixels(mask: Array) -> Array:
    """Pixels that `mask` encloses: bool; paths out of a hole may pass between pixels that touch at corners."""
    from scipy import ndimage

    around = np.pad(~mask, 1, constant_values=True)
    labels, _ = ndimage.label(around, np.ones((3,) * mask.ndim))
    return (around & (labels != labels.ravel()[0]))[(slice(1, -1),) * mask.ndim]


def check_pieces(inside: Array, outside: Array, holes: bool = True) -> None:
    """A ScribbleConflictError if no piece can hold `inside` and avoid `outside`, without holes where none may be."""
    from scipy import ndimage

    both = np.argwhere(inside & outside)
    if len(both):
        raise ScribbleConflictError(
            f"no pixel can be in the object and outside of it; {len(both)} are scribbled as both, the first at "
            f"{tuple(both[0].tolist())}: erase one of the two strokes there",
            both,
        )
    if not inside.any():
        return
    labels, _ = ndimage.label(~outside)
    sizes = np.bincount(labels[inside])
    apart = np.argwhere(inside & (labels != sizes.argmax()))
    if len(apart):
        raise ScribbleConflictError(
            "a connected object needs a way between all its strokes; background strokes cut off "
            f"{len(apart)} pixel(s) of them, the first at {tuple(apart[0].tolist())}: "
            "open the background's stroke, or give the parts labels of their own",
            apart,
        )
    if not holes:
        enclosed = np.argwhere(hole_pixels(inside) & outside)
        if len(enclosed):
            raise ScribbleConflictError(
                "an object without holes cannot surround background strokes; its strokes surround "
                f"{len(enclosed)} pixel(s), the first at {tuple(enclosed[0].tolist())}: open the object's stroke, or "
                "allow holes",
                enclosed,
            )


def best_piece(cost: Array, inside: Array, outside: Array) -> Array:
    """A connected set that costs little, holds `inside` and avoids `outside`: bool; see the module.

    `cost` is (*spatial) float, negative where it favours the object; somewhere, or `inside` is not empty.
    """
    # Kernels see a border that nothing passes.
    w = np.pad(np.asarray(cost, np.float64), 1)
    blocked = np.pad(outside, 1, constant_values=True)
    held = np.pad(inside, 1)
    part = ((w < 0) | held) & ~blocked
    found = _settled(w, part, held, blocked)
    if cost.size <= _SMALL:
        found = _varied(w, part, held, blocked, found)
    return np.ascontiguousarray(found[(slice(1, -1),) * cost.ndim])


def _settled(w: Array, part: Array, held: Array, blocked: Array) -> Array:
    """Parts joined and branches cut back in turns."""
    found, value = _joined(w, part, held, blocked), np.inf
    for _ in range(_ROUNDS):
        checkpoint()
        found = _cut_back(w, found, held)
        now = float(w[found].sum())
        if now > value - _LEAST_GAIN * abs(now):
            break
        value = now
        found = _joined(w, part | found, found, blocked)
    return found


def _varied(w: Array, part: Array, held: Array, blocked: Array, found: Array) -> Array:
    """The best of `found` and what results where one pixel more is held, or forbidden; again from there.

    The pixels are those around the set that cost something, and those in it.
    """
    tried, better = 0, True
    while better and tried < _TRIES:
        better = False
        rim = np.zeros(w.size, bool)
        rim[(np.flatnonzero(found)[:, None] + neighbours(w.shape)).ravel()] = True
        rim = rim.reshape(w.shape) & ~blocked & ~held & (w >= 0)
        for p in np.flatnonzero(rim)[: _TRIES - tried]:
            tried += 1
            one = np.zeros(w.shape, bool)
            one.ravel()[p] = True
            if found.ravel()[p]:
                again = _settled(w, part & ~one, held, blocked | one)
                if held.any() and (held & ~again).any():
                    continue
            else:
                again = _cut_back(w, _settled(w, part | found | one, found | one, blocked), held)
            if w[again].sum() < w[found].sum() - 1e-9:
                found, better = again, True
                break
    return found


def _joined(w: Array, part: Array, held: Array, blocked: Array) -> Array:
    """The best subtree of the spanning tree of cheapest paths between the parts, as a set of pixels."""
    from scipy import ndimage

    labels, count = ndimage.label(part)
    gains = -np.bincount(labels.ravel(), w.ravel(), count + 1)
    forced = np.zeros(count + 1, bool)
    forced[labels[held]] = True
    forced[0] = False
    steps = neighbours(w.shape)
    owner, back, length = cheapest_paths(np.maximum(w, 0).ravel(), labels.ravel(), blocked.ravel(), steps)
    ends, costs = spanning_tree(owner, length, steps, count)
    chosen, links = best_subtree(gains, forced, ends, costs, owner)
    found = chosen[labels] & part
    flat = found.ravel()
    for k in links:
        for p in ends[k]:
            while not flat[p]:
                flat[p] = True
                p = back[p]
    return found


def _cut_back(w: Array, found: Array, held: Array) -> Array:
    """`found` without branches that cost more than they gain, by a spanning tree of its pixels."""
    root = np.flatnonzero(held if held.any() else found & (w == w[found].min()))[:1]
    if not len(root):
        return found
    return pruned(w.ravel(), found.ravel(), held.ravel(), int(root[0]), neighbours(w.shape)).reshape(w.shape)


def neighbours(shape: tuple[int, ...], corners: bool = False) -> Array:
    """Steps in the flat array to the neighbours of a pixel, 2 d or, with those at its corners, 3^d - 1: int64."""
    near = grid_points((3,) * len(shape)) - 1
    count = np.abs(near).sum(axis=1)
    near = near[count > 0 if corners else count == 1]
    return near @ np.cumprod([1, *shape[:0:-1]])[::-1].astype(np.int64)
