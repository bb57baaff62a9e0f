"""The convex polygon that is nearest to a target, globally, among those with corners on a lattice (paper, eq. 4):

    min over convex polygons P     sum over P of (1 - 2 target)  +  alpha * perimeter(P)

by the dynamic program of `geometry.lattice_polygon`: no start, no local minimum, no network. It is the optimum over the
polygons with corners on a lattice of `nodes` nodes along the longer side and edges in its 32 directions, for this
objective; other sets may be better. A finer lattice holds more polygons; the time grows with its fourth power.
"""

import math
import time
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from .. import checks
from ..errors import InvalidParameterError
from ..geometry.convex_sets import repair
from ..geometry.lattice_polygon import best_polygon
from ..geometry.raster import checked_points, edge_normals, polygon_mask, total
from ..keywords import known_keywords
from ..threads import deadline
from .base import Array, Callback, ConvexSets, grid_shape
from .convex import SCRIBBLE_COST

__all__ = ["FittedPolygon", "PolygonShape"]

_MOST_NODES = 129
"""Time grows with the fourth power: this many take a minute."""

_FEW_NODES = 17
"""On so many a polygon is there in hundredths of a second."""


@dataclass(frozen=True, eq=False)
class FittedPolygon:
    """A convex polygon, and a digitally convex mask that differs from the pixels within it by `n_filled` pixels."""

    mask: Array
    """(H, W) bool: digitally convex and 8-connected, or empty."""

    n_filled: int
    """Pixels that the exact repair added or removed, scribbles among them."""

    corners: Array
    """(n, 2) float, row and column with pixel centres at integers; n is 0 for the empty set."""

    energy: float
    """sum of 1 - 2 target over `mask`, without the perimeter."""

    optimum: float
    """Least sum + alpha * perimeter of any polygon on the lattice, which is that of `corners`; a pixel that an edge
    crosses counts by the share that is covered along its row, and one of a scribble as a thousand others."""

    alpha: float = field(default=0.0, repr=False)
    """Weight of the perimeter."""

    def __call__(self, points: Array) -> Array:
        """Pixels to the farthest half-plane at `points` ((n, 2) float): (n,) float, at most 1e-9 inside."""
        points = checks.host(checked_points(points, 2)).astype(float)
        if not len(self.corners):
            return np.full(len(points), np.inf)
        normals, _ = edge_normals(self.corners)
        return (points @ normals.T - (normals @ self.corners.T).max(axis=1)).max(axis=1)

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The set on a grid of `shape` pixels over the same field of view: (h, w) bool, digitally convex.

        At the target's own shape this is `mask`; elsewhere it is the polygon, which scribbles have not changed.
        Raises an InvalidParameterError unless `shape` is two positive integers.
        """
        grid = grid_shape(shape, 2)
        if grid == self.mask.shape:
            return self.mask.copy()
        if not len(self.corners):
            return np.zeros(grid, bool)
        scale = np.array(grid) / self.mask.shape
        return repair(polygon_mask((self.corners + 0.5) * scale - 0.5, grid))


@known_keywords
class PolygonShape(ConvexSets[FittedPolygon]):
    """The globally best convex polygon on a lattice; images only, and nothing is random.

    Parameters
    ----------
    nodes : int in [3, 129]
        Nodes along the longer side of the target, never closer than a pixel. Bigger follows outlines more closely; time
        grows with the fourth power.
    alpha : float, at least 0
        Weight of the perimeter, in pixels of a certain target. Bigger is smaller and rounder; 0 leaves the perimeter
        out.

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

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, nodes: int = 33, alpha: float = 0.0):
        self.nodes = checks.whole_number("nodes", nodes, least=3)
        if self.nodes > _MOST_NODES:
            raise InvalidParameterError(
                f"nodes must be at most {_MOST_NODES}; got {nodes}: time grows with its fourth power"
            )
        self.alpha = checks.real_number("alpha", alpha)

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedPolygon:
        core = self.check(inside, outside)
        plain = np.float32(1) - 2 * target
        cost = plain.copy()
        cost[core], cost[outside] = -SCRIBBLE_COST, SCRIBBLE_COST
        corners, optimum = self._best(cost, spacing)
        corners = corners - 0.5
        raw = polygon_mask(corners, target.shape) if len(corners) else np.zeros(target.shape, bool)
        mask = repair(raw, core, outside, cost) if raw.any() or core.any() else raw
        if callback is not None:
            callback(mask.copy())
        changed = int(np.count_nonzero(mask ^ raw))
        return FittedPolygon(mask, changed, corners, total(plain, mask), float(optimum), self.alpha)

    def _best(self, cost: Array, spacing: Array) -> tuple[Array, float]:
        """The best polygon: on a coarser lattice where there is a time limit that the fine one would pass."""
        nodes = self.nodes if math.isinf(deadline()) else min(self.nodes, _FEW_NODES)
        while True:
            begin = time.perf_counter()
            found = best_polygon(cost, n_nodes=nodes, alpha=self.alpha, spacing=spacing)
            finer = min(2 * nodes - 1, self.nodes)
            end = time.perf_counter()
            if nodes == self.nodes or end + (end - begin) * (finer / nodes) ** 4 > deadline():
                return found
            nodes = finer
