"""The union of at most k convex sets that is near to a target (eq. 4):

    min over convex P_1, ..., P_k      sum over their union of (1 - 2 target),       G = min over i of G_i

with G_i the exact convex network of the i-th part, so that {G <= 0} is the union of the {G_i <= 0}. The parts are found
in turns (`geometry.unions`); they may overlap, touch or lie apart.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from .. import checks
from ..errors import InvalidParameterError
from ..geometry.convex_sets import repair
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import cheapest_pixel, checked_points, holding, total
from ..geometry.unions import best_union, shared
from ..keywords import known_keywords
from .base import Array, Callback, Shape, grid_shape
from .convex import rasterize
from .icnn import ICNN, exact_network

__all__ = ["FittedKConvex", "KConvexShape"]

_MOST = 9
"""More parts than these are no longer told apart, and take minutes."""


@dataclass(frozen=True, eq=False)
class FittedKConvex:
    """A union of digitally convex sets."""

    mask: Array
    """(H, W) bool: the union, or empty."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    parts: Array = field(repr=False)
    """(n, H, W) bool: the parts, each digitally convex and connected; n is at most k, 0 for the empty set."""

    n_filled: int = 0
    """Always 0: the mask is what was found."""

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "k_convex", parts=parts)`."""
        return certificate_of("k_convex", self.mask, parts=self.parts)

    @cached_property
    def networks(self) -> tuple[ICNN, ...]:
        """G of each part, convex, on row and column in the target's pixels."""
        return tuple(exact_network(part) for part in self.parts)

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, 2) float, in the target's pixels), the least of the parts' G: (n,) float."""
        if not len(self.parts):
            return np.full(len(checked_points(points, 2)), np.inf)
        return np.min([network(points) for network in self.networks], axis=0)

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The set on a grid of `shape` pixels over the same field of view: (h, w) bool, each part digitally convex.

        Scribbles are pixels of the target and held on its grid only. Raises an InvalidParameterError unless `shape` is
        two positive integers.
        """
        grid = grid_shape(shape, 2)
        if grid == self.mask.shape:
            return self.mask.copy()
        scale = np.array(self.mask.shape) / grid
        found = np.zeros(grid, bool)
        for network in self.networks:
            found |= repair(rasterize(network.compose(scale, scale / 2 - 0.5), grid))
        return found


@known_keywords
class KConvexShape(Shape[FittedKConvex]):
    """A union of at most k convex sets near to the target; images only. ``"convex:3"`` is ``KConvexShape(3)``.

    Promised: the mask is the union of at most k digitally convex, connected sets, holds all of `inside` and nothing of
    `outside`. Not promised: that no such union is nearer; the parts take turns until none can be bettered by itself.
    Nothing is random.

    Parameters
    ----------
    k : int in [1, 9]
        Most parts. Parts that make the union no nearer are left out.

    Raises
    ------
    InvalidParameterError
        If `k` is out of its range.

    References
    ----------
    H. Isack, L. Gorelick, K. Ng, O. Veksler, Y. Boykov, K-convexity shape priors for segmentation, ECCV 2018,
    doi:10.1007/978-3-030-01252-6_3

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[5:35, 5:12] = target[28:35, 5:55] = 1
    >>> fitted = KConvexShape(2).fit(target)
    >>> bool(fitted.certificate), bool((fitted.mask == target).all()), len(fitted.parts)
    (True, True, 2)
    """

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, k: int = 2):
        self.k = checks.whole_number("k", k, least=1)
        if self.k > _MOST:
            raise InvalidParameterError(
                f"k must be at most {_MOST}; got {k}: give parts labels of their own, or take 'connected'"
            )

    def check(self, inside: Array, outside: Array) -> list[Array]:
        """Raise a ScribbleConflictError if no k convex sets were found that hold `inside` and avoid `outside`.

        Returned are convex sets around the strokes, at most k.
        """
        return shared(inside, outside, self.k)

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedKConvex:
        cores = self.check(inside, outside)
        plain = 1 - 2 * target.astype(np.float64)
        cost = holding(plain, np.any(cores, axis=0) if cores else inside, outside)
        if not (cost < 0).any():
            return FittedKConvex(np.zeros(target.shape, bool), 0.0, np.zeros((0, *target.shape), bool))
        parts = best_union(cost, cores, outside, self.k) or [cheapest_pixel(cost)]
        mask = np.any(parts, axis=0)
        if callback is not None:
            callback(mask.copy())
        return FittedKConvex(mask, total(plain, mask), np.array(parts))
