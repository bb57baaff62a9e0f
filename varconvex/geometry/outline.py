"""The convex set of least cost and boundary cost that holds the scribbles, for joint unification:

    min over convex C     sum over C of cost  +  integral over the boundary of C of boundary_cost(x, n) ds

By the dynamic program of `ray_search`: on round rays from the scribbles, then on rays that fit the set that was found,
then twice along its outline, where corners lie on other rays.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .. import checks
from ..errors import InvalidParameterError, InvalidScribblesError
from ..keywords import known_keywords
from ..threads import checkpoint
from .raster import checked_points, edge_normals, polygon_mask
from .ray_search import HARD, BoundaryCost, Frame, best_outline

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Outline:
    """A convex polygon on the grid of a cost."""

    corners: Array
    """(n, 2) float, row and column in the pixels of the cost, centres at integers; by angle."""

    shape: tuple[int, int]
    """Shape of the cost."""

    energy: float
    """Cost of the mask plus boundary cost; a scribbled pixel costs nothing on its own side, `HARD` on the other."""

    def __post_init__(self) -> None:
        corners = checks.host(checked_points(self.corners, 2)).astype(float)
        if not len(corners) or np.linalg.matrix_rank(corners - corners[0]) < 2:  # Qhull knows none, or ends the process
            raise InvalidParameterError(
                f"corners must be three or more, not on one line; got {corners.tolist()!r:.80}. Add one beside it."
            )
        object.__setattr__(self, "corners", corners)

    def rasterize(self, shape: tuple[int, int]) -> Array:
        """The polygon on a grid of `shape` pixels over the same field of view: (h, w) bool."""
        scale = np.array(shape) / self.shape
        return polygon_mask((self.corners + 0.5) * scale - 0.5, shape)

    @cached_property
    def mask(self) -> Array:
        """The polygon on the cost's own grid, computed once: (H, W) bool."""
        return self.rasterize(self.shape)

    def boundary(self, boundary_cost: BoundaryCost) -> float:
        """Integral of the boundary cost along the part of the boundary that is in the image, by the midpoint rule."""
        normals, lengths = edge_normals(self.corners)
        counts = np.maximum(np.ceil(lengths).astype(int), 1)
        places = []
        for normal, count in zip(normals, counts, strict=True):
            start, end = self.corners[np.argsort(self.corners @ normal)[-2:]]
            share = (np.arange(count) + 0.5) / count
            places.append(start + share[:, None] * (end - start))
        points = np.concatenate(places)
        there = ((points >= -0.5) & (points <= np.array(self.shape) - 0.5)).all(axis=1)
        found = boundary_cost(points, np.repeat(normals, counts, axis=0)) * there
        return float((found * np.repeat(lengths / counts, counts)).sum())


@known_keywords
def least_outline(cost: Array, boundary_cost: BoundaryCost, inside: Array, outside: Array) -> Outline:
    """The best outline around `inside`; then on rays that fit it, and twice along it, while that is better.

    `cost` ((H, W) float, nats) is negative where it favours the object, `boundary_cost` is in nats a pixel of boundary,
    and the scribbles `inside` ((H, W) bool) hold at least one pixel. An InvalidImageError, InvalidParameterError or
    InvalidScribblesError if these are none.
    """
    cost = checks.host_array("cost", cost)
    checks.spatial("cost", cost, (2,))
    checks.finite("cost", cost, "Replace them by 0 where nothing is known.")
    inside, outside = checks.region("inside", inside, cost.shape), checks.region("outside", outside, cost.shape)
    if not inside.any():
        raise InvalidScribblesError("inside must hold a pixel to draw an outline around; got none. Mark one.")
    _check_boundary_cost(boundary_cost)
    found = _from(Frame.around(np.argwhere(inside).astype(float)), cost, boundary_cost, inside, outside)
    for frame in (Frame.fitted, Frame.along, Frame.along):
        if not found.mask.any():
            break
        again = _from(frame(found.mask, found.corners), cost, boundary_cost, inside, outside)
        found = min(found, again, key=lambda outline: outline.energy)
    return found


def _check_boundary_cost(boundary_cost: BoundaryCost) -> None:
    """An InvalidParameterError if it is no function of points and normals that gives a number for each."""
    if not callable(boundary_cost):
        raise InvalidParameterError(
            f"boundary_cost must be a function of points and normals; got {boundary_cost!r:.80}. Pass e.g. "
            "lambda points, normals: np.ones(points.shape[:-1])."
        )
    found = boundary_cost(np.zeros((3, 2)), np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    array = checks.host_array("what boundary_cost returns", found)
    if array.shape not in ((), (1,), (3,)):
        raise InvalidParameterError(
            f"boundary_cost must return a number for each point; got shape {array.shape} for 3 points. Reduce the last "
            "axis."
        )
    checks.finite("what boundary_cost returns", array, "Return 0 where the boundary costs nothing.")


def _from(frame: Frame, cost: Array, boundary_cost: BoundaryCost, inside: Array, outside: Array) -> Outline:
    """The best outline on the rays of `frame`; energies are taken on the pixels, so that those of frames compare."""
    checkpoint()
    corners, _ = best_outline(cost, boundary_cost, inside, outside, frame)
    found = Outline(corners, (cost.shape[0], cost.shape[1]), 0.0)
    mask = found.mask
    wrong = np.count_nonzero(mask & outside) + np.count_nonzero(inside & ~mask)
    energy = float(cost[mask & ~inside & ~outside].sum(dtype=np.float64)) + HARD * wrong
    return replace(found, energy=energy + found.boundary(boundary_cost))
