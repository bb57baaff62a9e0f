"""Every object of a label image as a convex set of least cost, none overlapping:

    C_k = argmin over digitally convex, connected sets C of  sum over C of cost_k       subject to  C_k disjoint

    cost_k(x) = cost(x) where k is the label of x,  |cost(x)| elsewhere

First each object by itself, in the window of its pixels: beyond it nothing is gained, and a convex set cut to a box is
convex. Then, where sets overlap, the pair that overlaps most is cut along the line at which the two lose least
together, and so on till none does; an innermost pixel of each is never cut off. Last, each that was cut is refined once
more, the pixels of all others forbidden. None of these steps makes a set lose its convexity, and none is left empty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..threads import shared_out
from . import refine_2d, refine_3d
from .certify import Certificate, certificate
from .convex_sets import repair, search
from .hulls import fill, is_convex
from .lattice_polygon import best_nearby, best_polygon
from .raster import cheapest_pixel, polygon_mask, total
from .separation import separated

Array = np.ndarray
Window = tuple[slice, ...]

_SMALL_SIDE = 160
"""Pixels along a window's longer side up to which one polygon on a coarse lattice is start enough for refinement."""

_TINY = 200
"""Pixels of a window up to which the best set of many is looked for exactly, in milliseconds."""

_NODES = 17
"""Nodes of that lattice: milliseconds."""

_NEARLY = 0.9
"""Share of its hull that an object fills at which the hull is start enough."""


@dataclass
class Piece:
    """One object: its innermost pixel is held, its mask changes as others take pixels from it."""

    window: Window
    mask: Array
    """Of the window's shape, bool."""

    core: tuple[int, ...] = ()
    """Index in the window of a pixel of its own that is never cut off."""


def convex_objects(zones: Array, cost: Array, blocked: Array | None = None) -> list[Piece]:
    """The convex sets of labels 1 to n, in turn; each has a pixel.

    zones : (*spatial) int, the label k of each pixel, 0 for none; each of 1 to n has a pixel where `cost` is negative.
    cost : (*spatial) float, negative where the pixel's label should have it.
    blocked : (*spatial) bool or None, pixels that no set may hold; `cost` is not negative there.
    """
    from scipy.ndimage import find_objects

    problem = _Problem(zones, cost, blocked)
    # A pixel more on each side, so that an outline may move.
    windows = [
        tuple(slice(max(s.start - 1, 0), min(s.stop + 1, n)) for s, n in zip(window, zones.shape, strict=True))
        for window in find_objects(np.where(cost < 0, zones, 0))
    ]
    labels = range(1, len(windows) + 1)
    masks = shared_out(lambda k: problem.alone(k, windows[k - 1]), labels)
    pieces = [Piece(window, mask) for window, mask in zip(windows, masks, strict=True)]
    cut = _cut(pieces, problem)
    if cut:
        painted = np.zeros(zones.shape, np.int32)
        for k, piece in enumerate(pieces, 1):
            painted[piece.window][piece.mask] = k
        for group in _apart(cut, pieces):
            for k, mask in zip(
                group, shared_out(lambda k: problem.again(k, pieces[k - 1], painted), group), strict=True
            ):
                window = painted[pieces[k - 1].window]
                window[window == k] = 0
                window[mask] = k
                pieces[k - 1].mask = mask
    return pieces


def certificates_of(pieces: list[Piece]) -> list[Certificate]:
    """The exact statement about each object's convexity."""
    return shared_out(lambda k: certificate(pieces[k].mask), range(len(pieces)))


@dataclass(frozen=True)
class _Problem:
    zones: Array
    cost: Array
    blocked: Array | None

    def costs(self, k: int, window: Window) -> Array:
        """cost_k in a window, float64; more than any gain on blocked pixels."""
        cost = self.cost[window].astype(np.float64)
        cost = np.where(self.zones[window] == k, cost, np.abs(cost))
        if self.blocked is not None and (never := self.blocked[window]).any():
            cost[never] = 1 + np.abs(cost).sum()
        return cost

    def alone(self, k: int, window: Window) -> Array:
        """The best convex set of one object by itself."""
        cost = self.costs(k, window)
        blocked = None if self.blocked is None else self.blocked[window]
        wanted = cost < 0
        if is_convex(wanted):
            return wanted
        start = repair(min(_starts(wanted, cost), key=lambda mask: total(cost, mask)), None, blocked, cost)
        best = min(start, cheapest_pixel(cost), key=lambda mask: total(cost, mask))
        found = _refined(best, cost)
        return best_nearby(found, cost) if cost.ndim == 2 and cost.size <= _TINY else found

    def again(self, k: int, piece: Piece, painted: Array) -> Array:
        """The set of an object that was cut, refined with the pixels of all others forbidden."""
        cost, others = self.costs(k, piece.window), painted[piece.window]
        cost[(others != 0) & (others != k)] = 1 + np.abs(cost).sum()
        return _refined(piece.mask, cost)

    def core(self, k: int, piece: Piece) -> tuple[int, ...]:
        """The pixel of the object's own that is farthest from all others, in the window."""
        from scipy.ndimage import distance_transform_edt

        own = piece.mask & (self.zones[piece.window] == k) & (self.cost[piece.window] < 0)
        depth = distance_transform_edt(np.pad(own, 1))[(slice(1, -1),) * own.ndim]
        return tuple(int(i) for i in np.unravel_index(depth.argmax(), own.shape))


def _refined(mask: Array, cost: Array) -> Array:
    """`refine`; in the plane a pixel at a time, which loses a thousandth of the cost and saves a third of the time."""
    return refine_2d.refine(mask, cost, band=1) if mask.ndim == 2 else refine_3d.refine(mask, cost)


def _starts(wanted: Array, cost: Array) -> list[Array]:
    """The hull, and the best polygon on a lattice where the hull holds much else; more for large objects."""
    hull = fill(wanted)
    if np.count_nonzero(wanted) >= _NEARLY * np.count_nonzero(hull):
        return [hull]
    if cost.ndim == 3 or max(cost.shape) > _SMALL_SIDE:
        return [hull, search(cost, np.zeros_like(wanted))[1]]
    corners, _ = best_polygon(cost, n_nodes=_NODES)
    return [hull, polygon_mask(corners - 0.5, cost.shape)] if len(corners) else [hull]


def _cut(pieces: list[Piece], problem: _Problem) -> list[int]:
    """Cut the masks of all pairs that overlap, those that overlap most first; the labels of those that were cut."""
    cut: set[int] = set()
    for pair, _ in sorted(_overlaps(pieces, problem.zones.shape).items(), key=lambda entry: (-entry[1], entry[0])):
        both = [pieces[k - 1] for k in pair]
        window = tuple(
            slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(*(p.window for p in both), strict=True)
        )
        first, second = (_moved(piece.mask, piece.window, window) for piece in both)
        if not (first & second).any():
            continue
        for k, piece in zip(pair, both, strict=True):
            piece.core = piece.core or problem.core(k, piece)
        seeds = tuple(_moved(_pixel(piece.core, piece.mask.shape), piece.window, window) for piece in both)
        costs = tuple(problem.costs(k, window) for k in pair)
        for piece, mask in zip(both, separated((first, second), seeds, costs), strict=True):  # type: ignore[arg-type]
            inner = mask[
                tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(piece.window, window, strict=True))
            ]
            piece.mask = repair(inner, _pixel(piece.core, inner.shape))
        cut |= set(pair)
    return sorted(cut)


def _overlaps(pieces: list[Piece], shape: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Number of common pixels of each pair of labels that has some."""
    count = np.zeros(shape, np.uint16)
    for piece in pieces:
        count[piece.window] += piece.mask
    owners: dict[int, list[int]] = {}
    for k, piece in enumerate(pieces, 1):
        shared = piece.mask & (count[piece.window] > 1)
        if shared.any():
            places = [i + s.start for i, s in zip(np.nonzero(shared), piece.window, strict=True)]
            for pixel in np.ravel_multi_index(places, shape).tolist():
                owners.setdefault(pixel, []).append(k)
    found: dict[tuple[int, int], int] = {}
    for labels in owners.values():
        for pair in combinations(labels, 2):
            found[pair] = found.get(pair, 0) + 1
    return found


def _apart(labels: Iterable[int], pieces: list[Piece]) -> Iterable[list[int]]:
    """The labels in groups of which no two have windows that meet."""
    rest = list(labels)
    while rest:
        group: list[int] = []
        for k in rest:
            if not any(_meet(pieces[k - 1].window, pieces[other - 1].window) for other in group):
                group.append(k)
        yield group
        rest = [k for k in rest if k not in set(group)]


def _meet(first: Window, second: Window) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))


def _moved(mask: Array, window: Window, wider: Window) -> Array:
    """A mask of `window` as one of `wider`."""
    found = np.zeros([s.stop - s.start for s in wider], bool)
    at = tuple(
        slice(s.start - w.start, s.start - w.start + n) for s, w, n in zip(window, wider, mask.shape, strict=True)
    )
    found[at] = mask
    return found


def _pixel(place: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    mask = np.zeros(shape, bool)
    mask[place] = True
    return mask
