"""The centre and the star-shaped set of least cost: exact for a centre, and the centre by search.

    min over c    min over S star-shaped about c    sum of cost over S,    inside <= S,  S and outside disjoint

The inner minimum is exact (`digital_rays`); c is searched for on a small grid, from places spread over what favours the
object, and then in ever smaller steps on the full one.
"""

import numpy as np

from ..errors import ScribbleConflictError
from .digital_rays import best_star, hits, least_cost, rays
from .raster import pool

Array = np.ndarray

_SIDE = 96
"""Pixels along the longer side of the small grid."""

_PLACES = 160
"""Most centres that are tried on the small grid, and most pixels of a stroke that are."""

_BEST = 8
"""Centres on the small grid from which to descend."""

_BUDGET = 8_000_000
"""Pixels that may be looked at on the full grid, each centre all of them: tenths of a second."""


def centres(inside: Array, outside: Array, centre: tuple[int, ...] | None) -> Array:
    """The possible centres, ((n, d) int): pixels of `inside` whose rays to all others are free of `outside`.

    At most `_PLACES` of them are looked at, spread over the strokes; only `centre` if it is given. Without strokes
    none, or `centre`. A ScribbleConflictError if there are strokes and no such centre, or `centre` is not in them.
    """
    strokes = np.argwhere(inside)
    if centre is not None:
        _check_centre(centre, inside, outside)
        tried = np.array([centre], np.int64)
    else:
        tried = _spread(strokes)
    if not len(strokes):
        return tried
    found = tried[hits(strokes, tried, outside) == 0] if outside.any() else tried
    if not len(found):
        middle = tried[int(((tried - strokes.mean(axis=0)) ** 2).sum(axis=1).argmin())]
        in_the_way = np.argwhere(rays(inside, tuple(middle.tolist())) & outside)
        raise ScribbleConflictError(
            "a star-shaped object needs a pixel in its strokes that sees all of them; from "
            f"{tuple(middle.tolist())} {len(in_the_way)} background pixel(s) are in the way, the first at "
            f"{tuple(in_the_way[0].tolist())}: erase one of the two strokes there, or choose another shape",
            in_the_way,
        )
    return found


def search(cost: Array, possible: Array) -> tuple[Array, tuple[int, ...]]:
    """The star-shaped set of least cost and its centre, one of `possible` ((n, d) int), or any pixel if there are none.

    `cost` ((*spatial) float) has what scribbles forbid and demand in it, and is negative somewhere.
    """
    if len(possible) == 1:
        best = tuple(possible[0].tolist())
        return best_star(cost, best), best
    factor = max(-(-max(cost.shape) // _SIDE), 1)
    small = np.ascontiguousarray(pool(cost, factor), np.float64)
    free = not len(possible)
    coarse = np.argwhere(small < 0) if free else np.unique(possible // factor, axis=0)
    coarse = _spread(coarse if len(coarse) else np.argwhere(small == small.min()))
    values = [least_cost(small, tuple(c.tolist())) for c in coarse]
    starts = coarse[np.argsort(values, kind="stable")[:_BEST]]
    if not free:
        return _finest(cost, possible, starts, factor)
    seen: dict[tuple[int, ...], float] = {}
    ends = {_descend(small, tuple(c.tolist()), 4, seen, small.size * 1000) for c in starts}
    known: dict[tuple[int, ...], float] = {}
    favoured = np.argwhere(cost < 0)
    for near in sorted(ends, key=seen.__getitem__):
        middle = np.array(near) * factor + factor // 2
        begin = tuple(favoured[int(((favoured - middle) ** 2).sum(axis=1).argmin())].tolist())
        if not known or (len(known) + 1) * cost.size < _BUDGET:
            _descend(cost, begin, max(factor // 2, 2), known, _BUDGET)
    best = min(known, key=known.__getitem__)
    return best_star(cost, best), best


def _finest(cost: Array, possible: Array, starts: Array, factor: int) -> tuple[Array, tuple[int, ...]]:
    """The best of the possible centres nearest to each of the starts on the small grid."""
    middles = starts * factor + factor // 2
    nearest = {int(((possible - m) ** 2).sum(axis=1).argmin()) for m in middles}
    tried = [tuple(possible[k].tolist()) for k in sorted(nearest)]
    best = min(tried, key=lambda c: least_cost(cost, c))
    return best_star(cost, best), best


def _descend(
    cost: Array, start: tuple[int, ...], step: int, known: dict[tuple[int, ...], float], budget: int
) -> tuple[int, ...]:
    """A centre from which no step along an axis, of `step` pixels and then of ever fewer, lowers the cost.

    Costs of centres are added to `known`, until these have looked at `budget` pixels.
    """
    if start not in known:
        known[start] = least_cost(cost, start)
    best = start
    while step and len(known) * cost.size < budget:
        moves = [sign * step * np.eye(cost.ndim, dtype=int)[axis] for axis in range(cost.ndim) for sign in (-1, 1)]
        near = [tuple(np.clip(best + move, 0, np.array(cost.shape) - 1).tolist()) for move in moves]
        for c in near:
            if c not in known:
                known[c] = least_cost(cost, c)
        least = min(near, key=known.__getitem__)
        if known[least] < known[best]:
            best = least
        else:
            step //= 2
    return best


def _spread(points: Array) -> Array:
    """At most `_PLACES` of the points, evenly spread along their order."""
    if len(points) <= _PLACES:
        return points
    return points[np.linspace(0, len(points) - 1, _PLACES).round().astype(int)]


def _check_centre(centre: tuple[int, ...], inside: Array, outside: Array) -> None:
    """Raise a ScribbleConflictError if the centre that was asked for is beside the object's strokes."""
    there = all(0 <= c < n for c, n in zip(centre, inside.shape, strict=True))
    if there and not outside[centre] and (inside[centre] or not inside.any()):
        return
    where = "in a stroke of the background" if there and outside[centre] else "beside the object's strokes"
    where = where if there else f"outside of the image of shape {inside.shape}"
    raise ScribbleConflictError(
        f"the centre of a star-shaped object must be a pixel of its strokes; got {centre}, which is {where}: draw over "
        "it, or leave centre out and it is found",
        np.array([centre]),
    )
