"""Fitted sets of pixels whose G is known at the pixel centres, where {G <= 0} is the mask, and linear between them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import checks
from ..geometry.promises import ShapeCertificate
from ..geometry.raster import checked_points
from .base import Array, below_zero, grid_shape


@dataclass(frozen=True, eq=False)
class FittedPixels(ABC):
    """A set of pixels of a shape, {G <= 0} at the pixel centres."""

    mask: Array
    """(H, W) or (D, H, W) bool: a set of this shape, or empty."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    n_filled: int = 0
    """Always 0: the mask is what was found."""

    @property
    @abstractmethod
    def certificate(self) -> ShapeCertificate:
        """`certify` of `mask` with what the shape is about."""

    @cached_property
    @abstractmethod
    def levels(self) -> Array:
        """G at the pixels: float64 of the mask's shape, at most 0 in the mask and above 0 elsewhere."""

    @abstractmethod
    def _again(self, raw: Array) -> Array:
        """The set of this shape nearest to `raw`, a bool array over the same field of view."""

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, d) float, in the target's pixels): (n,) float.

        Linear between pixels; beyond the grid its value at the border plus the distance to it.
        """
        from scipy.ndimage import map_coordinates

        points = checks.host(checked_points(points, self.mask.ndim)).astype(float)
        if not self.mask.any():
            return np.full(len(points), np.inf)  # between pixels it would be 0 times infinity
        within = np.clip(points, 0, np.array(self.mask.shape) - 1)
        found = map_coordinates(self.levels, list(within.T), order=1, mode="nearest")
        return found + np.sqrt(((points - within) ** 2).sum(axis=1))

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The set on a grid of `shape` pixels over the same field of view: bool of this shape.

        At the target's own shape this is `mask`; elsewhere it is the set of this shape nearest to {G <= 0} there. A set
        smaller than the new pixels may be empty. Raises an InvalidParameterError unless `shape` is one positive integer
        for each axis.
        """
        grid = grid_shape(shape, self.mask.ndim)
        if grid == self.mask.shape:
            return self.mask.copy()
        raw = below_zero(self, grid)
        return self._again(raw) if raw.any() else raw
