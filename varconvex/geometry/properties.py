"""Which shapes a mask nearly has: how much it agrees with the nearest set of each.

share = |mask and nearest| / |mask or nearest|,  1 if the mask has the shape.
"""

import numpy as np

from . import hulls
from .axis_search import search as search_axis
from .conics import best_five, conic_of, ellipse_pixels, moments, rectangle_pixels, sides_of
from .mirrors import best_symmetric
from .pieces import stray_pixels
from .stars import search as search_star
from .unions import best_union

Array = np.ndarray

_SIDE = 192
"""Pixels along the longer side of the object's box beyond which it is looked at on every n-th pixel."""

_NEARLY = 0.97
"""Share from which a mask nearly has a shape."""


def shares(mask: Array) -> dict[str, float]:
    """The share by the shape's name, of a mask with pixels ((H, W) or (D, H, W) bool); in volumes for three shapes."""
    where = np.argwhere(mask)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    box = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    step = -(-max(box.shape) // _SIDE)
    small = box[(slice(step // 2, None, step),) * box.ndim]
    small = np.pad(small if small.any() else box, 3 + max(box.shape) // step // 2 if box.ndim == 2 else 1)
    cost = np.where(small, -1.0, 1.0)
    star, _ = search_star(cost, np.zeros((0, mask.ndim), np.int64))
    one = small.copy()
    one[tuple(stray_pixels(small).T)] = False
    found = {"convex": hulls.fill(small), "star": star, "connected": one}
    if mask.ndim == 2:
        found |= _planar(small, cost)
    return {name: _agreement(small, nearest) for name, nearest in found.items()}


def nearly(found: dict[str, float]) -> list[str]:
    """Names of the shapes that a mask with these shares nearly has, the most telling first."""
    order = ("ellipse", "rectangle", "convex", "symmetric", "star", "convex:2", "convex:3", "connected")
    return [name for name in order if found.get(name, 0.0) >= _NEARLY]


def _planar(small: Array, cost: Array) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    nowhere = np.zeros(small.shape, bool)
    ellipse, rectangle = (
        best_five(cost, [moments(small, flat)], round_, rng) for round_, flat in ((True, 2.0), (False, 3**0.5))
    )
    return {
        "ellipse": ellipse_pixels(conic_of(ellipse, small.shape), small.shape),
        "rectangle": rectangle_pixels(sides_of(rectangle), small.shape),
        "symmetric": best_symmetric(cost, search_axis(cost)[0]),
        **{f"convex:{k}": np.any([nowhere, *best_union(cost, [], nowhere, k)], axis=0) for k in (2, 3)},
    }


def _agreement(mask: Array, other: Array) -> float:
    return float(np.count_nonzero(mask & other) / np.count_nonzero(mask | other))
