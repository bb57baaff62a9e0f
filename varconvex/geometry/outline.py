"""What joint unification asks of a convex shape: the convex set of least cost and boundary that holds the scribbles.

    min over convex C     sum over C of cost  +  integral over the boundary of C of price(x, n) ds

By the dynamic program of `_rays.py`: on round rays from the scribbles, then on rays that fit what was found, then, with
the corners moved off the rays' grid, along the outline itself.
"""

from dataclasses import dataclass, replace

import numpy as np

from .ray_search import HARD, Frame, Price, best_outline
from .search_2d import _polygon_mask, edge_normals


@dataclass(frozen=True)
class Outline:
    """A convex polygon.

    Attributes
    ----------
    corners : (n, 2) float
        Row and column in the pixels of the cost, centres at integers; by angle.
    shape : (int, int)
        The cost's grid.
    energy : float
        Cost of the mask and price of the boundary; scribbled pixels cost nothing, but much on the wrong side.
    """

    corners: np.ndarray
    shape: tuple[int, int]
    energy: float

    def rasterize(self, shape: tuple[int, int]) -> np.ndarray:
        """The polygon on a grid of `shape` pixels over the same field of view: (h, w) bool."""
        scale = np.array(shape) / self.shape
        return _polygon_mask((self.corners + 0.5) * scale - 0.5, shape)

    @property
    def mask(self) -> np.ndarray:
        """The polygon on the cost's own grid."""
        return self.rasterize(self.shape)

    def boundary(self, price: Price) -> float:
        """Integral of the price along the part of the boundary that is in the image, by the midpoint rule."""
        normals, lengths = edge_normals(self.corners)
        counts = np.maximum(np.ceil(lengths).astype(int), 1)
        places = []
        for normal, count in zip(normals, counts, strict=True):
            start, end = self.corners[np.argsort(self.corners @ normal)[-2:]]
            share = (np.arange(count) + 0.5) / count
            places.append(start + share[:, None] * (end - start))
        points = np.concatenate(places)
        there = ((points >= -0.5) & (points <= np.array(self.shape) - 0.5)).all(axis=1)
        found = price(points, np.repeat(normals, counts, axis=0)) * there
        return float((found * np.repeat(lengths / counts, counts)).sum())


def least_outline(cost: np.ndarray, price: Price, inside: np.ndarray, outside: np.ndarray) -> Outline:
    """The best outline around `inside`; then on rays that fit it, and twice along it, if that is better.

    Parameters
    ----------
    cost : (H, W) float
        In nats; negative favours the object.
    price : function of points (..., 2) and unit normals (..., 2)
        Nats for a pixel of boundary: (...) float.
    inside, outside : (H, W) bool
        Scribbles; `inside` holds at least one pixel.
    """
    found = _from(Frame.around(np.argwhere(inside).astype(float)), cost, price, inside, outside)
    for frame in (Frame.fitted, Frame.along, Frame.along):
        mask = found.mask
        if not mask.any():
            break
        again = _from(frame(mask, found.corners), cost, price, inside, outside)
        found = min(found, again, key=lambda outline: outline.energy)
    return found


def _from(frame: Frame, cost: np.ndarray, price: Price, inside: np.ndarray, outside: np.ndarray) -> Outline:
    corners, _ = best_outline(cost, price, inside, outside, frame)
    found = Outline(corners, cost.shape, 0.0)
    wrong = np.count_nonzero(found.mask & outside) + np.count_nonzero(inside & ~found.mask)
    # Each frame has its own error of looking costs up: they are compared on the pixels themselves.
    energy = float(cost[found.mask & ~inside & ~outside].sum(dtype=np.float64)) + HARD * wrong
    return replace(found, energy=energy + found.boundary(price))
