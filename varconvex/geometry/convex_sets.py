"""Digitally convex sets of least cost, in the plane and in volumes: conflicts of scribbles, search, repair, refinement.

    min over digitally convex, connected S    sum of cost over S      subject to   inside <= S,   S and outside disjoint

The functions choose by the number of dimensions between `*_2d` and `*_3d`.
"""

import numpy as np

from ..errors import InvalidScribblesError, ScribbleConflictError
from . import hulls, refine_2d, refine_3d, repair_2d, repair_3d, search_2d, search_3d
from .search_2d import SMALL

__all__ = ["SMALL", "check_hulls", "half_spaces_around", "inradius", "refine", "repair", "search"]


def check_hulls(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The smallest connected convex set found that holds `inside` and avoids `outside` (bool, of one shape).

    It is digitally convex; empty if `inside` is.

    Raises
    ------
    ScribbleConflictError
        If the hull of `inside` contains pixels of `outside`, or is thinner than a pixel and cannot be joined
        between them (in a volume: no way to join it was found); `pixels` are those of `outside` in the way.
    InvalidScribblesError
        If the shapes differ.
    """
    if inside.shape != outside.shape:
        raise InvalidScribblesError(
            f"inside and outside must have one shape; got {inside.shape} and {outside.shape}: pass masks of one image"
        )
    hull = hulls.fill(inside)
    in_the_way = np.argwhere(hull & outside)
    if len(in_the_way):
        raise ScribbleConflictError(
            "the convex hull of the object scribbles must be free of background scribbles; it contains "
            f"{len(in_the_way)} background pixel(s), the first at {_place(in_the_way[0])}: "
            "erase one of the two strokes there, or choose a shape that need not be convex",
            in_the_way,
        )
    if not hull.any() or hulls.is_convex(hull):
        return hull
    wider, hit = (repair_2d if hull.ndim == 2 else repair_3d).join(hull, outside)
    if wider is None:
        in_the_way = np.argwhere(hit)
        raise ScribbleConflictError(
            "object scribbles whose hull is thinner than a pixel need a free pixel beside it to be joined; "
            f"background scribbles block both sides, the first at {_place(in_the_way[0])}: "
            "draw the object's stroke a pixel wider, or erase the background's there",
            in_the_way,
        )
    return wider


def _place(index: np.ndarray) -> str:
    return ", ".join(f"{name} {i}" for name, i in zip(("slice", "row", "column")[-len(index) :], index, strict=True))


def search(cost: np.ndarray, core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners and mask of the best of several convex sets, searched for among all places and sizes.

    Parameters
    ----------
    cost : (*spatial) float, negative favours the object
    core : (*spatial) bool
        A digitally convex set, a candidate as well; may be empty.

    Returns
    -------
    corners : (n, d) float
        Points whose convex hull is the set, in pixels with centres at integers.
    mask : (*spatial) bool, digitally convex
        The pixels within, at least one.
    """
    return (search_2d if cost.ndim == 2 else search_3d).search(cost, core)


def half_spaces_around(corners: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` half-spaces around the hull of `corners` ((n, d)): its largest sides, then tangents where none is near.

    normals : (count, d) float, of length one, pointing outwards
    offsets : (count,) float, normals @ x <= offsets in the hull
    """
    return (search_2d if corners.shape[1] == 2 else search_3d).half_spaces_around(corners, count)


def inradius(normals: np.ndarray, offsets: np.ndarray) -> float:
    """About the largest distance of a point in the half-spaces from their sides, by subgradient steps from 0."""
    x, best = np.zeros(normals.shape[1]), 0.0
    for t in range(1, 101):
        depth = offsets - normals @ x
        nearest = int(depth.argmin())
        best = max(best, float(depth[nearest]))
        x = x - normals[nearest] * (depth.max() - depth[nearest]) / (2 * t)
    return best


def repair(
    mask: np.ndarray, core: np.ndarray | None = None, outside: np.ndarray | None = None, cost: np.ndarray | None = None
) -> np.ndarray:
    """A digitally convex, connected set near to `mask` (bool) that contains `core` and avoids `outside`.

    `core` is what `check_hulls` returned; it and `outside` are empty by default. `cost` (float) chooses among possible
    cuts, so that the set costs little; -1 a pixel by default. The set is empty only if `core` is, and nothing of `mask`
    is left outside of `outside`.
    """
    core = np.zeros_like(mask) if core is None else core
    outside = np.zeros_like(mask) if outside is None else outside
    cost = -np.ones(mask.shape) if cost is None else cost
    return (repair_2d if mask.ndim == 2 else repair_3d).repair(mask, core, outside, cost)


def refine(mask: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """A convex set that costs no more than the convex `mask` (bool), by moving its outline to pixels near.

    `cost` is a float array, negative where it favours the object; the set is digitally convex and connected.
    """
    return (refine_2d if mask.ndim == 2 else refine_3d).refine(mask, cost)
