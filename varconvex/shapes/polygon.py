"""The convex polygon that is nearest to a target, globally, among those with corners on a lattice (paper, eq. 4):

    min over convex polygons P     sum over P of (1 - 2 target)  +  alpha * perimeter(P)

by the dynamic program of `_polygon.py`: no start, no local minimum, no network. Its optimum is a statement about all
polygons with corners on a lattice of `nodes` nodes along the longer side and edges in its 32 directions; a finer
lattice says more and takes longer, with the fourth power.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from ..geometry.lattice_polygon import best_polygon
from ..geometry.outline import Outline, least_outline
from ..geometry.ray_search import Price
from ..geometry.repair_2d import check_hulls, repair
from ..geometry.search_2d import _polygon_mask, edge_normals
from ._targets import checked_scribbles, checked_spacing, checked_target, grid_shape
from .base import Shape
from .convex import _SCRIBBLE_COST, _sum

_MOST_NODES = 129
"""Time grows with the fourth power: these take a minute already."""


@dataclass(frozen=True)
class FittedPolygon:
    """A convex polygon and the digitally convex mask of the pixels within."""

    mask: np.ndarray
    """(H, W) bool: digitally convex and 8-connected, or empty."""

    n_filled: int
    """Pixels that the exact repair added or took, scribbles among them."""

    corners: np.ndarray
    """(n, 2) float, row and column with pixel centres at integers; n is 0 for the empty set."""

    energy: float
    """sum of 1 - 2 target over `mask`, without the perimeter."""

    optimum: float
    """Least of sum + alpha * perimeter that any polygon on the lattice reaches, which `corners` do; pixels count by the
    share that is covered, along rows, and those of scribbles as a thousand others do."""

    alpha: float = field(default=0.0, repr=False)
    """Weight of the perimeter."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Pixels to the farthest half-plane at `points` ((n, 2) float): (n,) float, at most 0 inside."""
        points = np.asarray(points, float)
        if not len(self.corners):
            return np.full(len(points), np.inf)
        normals, _ = edge_normals(self.corners)
        return (points @ normals.T - (normals @ self.corners.T).max(axis=1)).max(axis=1)

    def rasterize(self, shape: tuple[int, int]) -> np.ndarray:
        """The set on a grid of `shape` pixels over the same field of view: (h, w) bool, digitally convex.

        At the target's own shape this is `mask`; elsewhere it is the polygon, without what scribbles have changed.

        Raises
        ------
        InvalidParameterError
            If `shape` is not two positive integers.
        """
        height, width = grid_shape(shape, 2)
        if (height, width) == self.mask.shape:
            return self.mask.copy()
        if not len(self.corners):
            return np.zeros((height, width), bool)
        scale = np.array((height, width)) / self.mask.shape
        raw = _polygon_mask((self.corners + 0.5) * scale - 0.5, (height, width))
        nothing = np.zeros_like(raw)
        return repair(raw, nothing, nothing, -np.ones(raw.shape))


class PolygonShape(Shape):
    """The convex polygon on a lattice that is globally nearest to the target.

    Parameters
    ----------
    nodes : int in [3, 129]
        Nodes along the longer side of the target, never closer than a pixel. Bigger follows outlines more closely; time
        grows with the fourth power.
    alpha : float, at least 0
        Weight of the perimeter, in pixels of a certain target. Bigger is smaller and rounder; 0 looks at the target
        alone.

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its range.

    References
    ----------
    The recursion over corners in angular order goes back to Eppstein, Overmars, Rote, Woeginger, Finding minimum area
    k-gons, Discrete & Computational Geometry 7, 1992, doi:10.1007/BF02187823

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 15:45] = 1
    >>> fitted = PolygonShape(nodes=13).fit(target)
    >>> float(fitted.optimum), int(fitted.mask.sum())
    (-600.0, 600)
    """

    def __init__(self, nodes: int = 33, alpha: float = 0.0):
        self.nodes = checks.whole_number("nodes", nodes, least=3)
        if self.nodes > _MOST_NODES:
            raise InvalidParameterError(
                f"nodes must be at most {_MOST_NODES}; got {nodes}: time grows with its fourth power"
            )
        self.alpha = checks.real_number("alpha", alpha)

    def check(self, inside: np.ndarray, outside: np.ndarray) -> None:
        """Raise a ScribbleConflictError if no convex set can hold `inside` and avoid `outside`."""
        check_hulls(inside, outside)

    def outline(self, cost: np.ndarray, price: Price, inside: np.ndarray, outside: np.ndarray) -> Outline:
        """The convex set of least cost and boundary, up to a lattice of rays: see `least_outline`."""
        return least_outline(cost, price, inside, outside)

    def fit(
        self,
        target: np.ndarray,
        *,
        inside: np.ndarray | None = None,
        outside: np.ndarray | None = None,
        spacing: tuple[float, ...] | None = None,
        random_state: int | np.random.Generator | None = None,
        callback: Callable[[np.ndarray], object] | None = None,
    ) -> FittedPolygon:
        """The best polygon for `target`, and its mask with scribbles held.

        Parameters
        ----------
        target : (H, W) float in [0, 1], or bool
            Probability of the object, 1 is object.
        inside, outside : (H, W) bool, optional
            Pixels that must be in the mask and out of it; held exactly.
        spacing : (2,) float, optional
            Size of a pixel in rows and columns, for the perimeter.
        random_state
            Not used: nothing is random.
        callback : callable, optional
            Called with the mask, once.

        Raises
        ------
        InvalidImageError, InvalidScribblesError, InvalidParameterError
            If something passed is not what it has to be.
        ScribbleConflictError
            If no convex set can hold `inside` and avoid `outside`; raised before anything is fitted.
        """
        target = checked_target(target, (2,))
        avoid = checked_scribbles(outside, target, "outside")
        core = check_hulls(checked_scribbles(inside, target, "inside"), avoid)
        size = checked_spacing(spacing, 2)
        price = np.float32(1) - 2 * target
        cost = price.copy()
        cost[core], cost[avoid] = -_SCRIBBLE_COST, _SCRIBBLE_COST
        corners, optimum = best_polygon(cost, n_nodes=self.nodes, alpha=self.alpha, spacing=size)
        corners = corners - 0.5
        raw = _polygon_mask(corners, target.shape) if len(corners) else np.zeros(target.shape, bool)
        mask = repair(raw, core, avoid, cost) if raw.any() or core.any() else raw
        if callback is not None:
            callback(mask.copy())
        changed = int(np.count_nonzero(mask ^ raw))
        return FittedPolygon(mask, changed, corners, _sum(price, mask), float(optimum), self.alpha)
