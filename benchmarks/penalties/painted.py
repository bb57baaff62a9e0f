"""A mask as a fitted shape: its implicit function is the signed distance to the mask's boundary."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from varconvex.geometry.certify import Certificate, certify_convexity
from varconvex.shapes.base import grid_shape


@dataclass(frozen=True, eq=False)
class Painted:
    """The mask of a fit that promises nothing about it."""

    mask: np.ndarray
    """(H, W) or (D, H, W) bool."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    violation: float
    """The penalty of the mask; 0 where the constraint that it stands for holds everywhere."""

    n_filled: int = 0
    """0: nothing is repaired."""

    @cached_property
    def distance(self) -> np.ndarray:
        from scipy.ndimage import distance_transform_edt

        if self.mask.all() or not self.mask.any():
            return np.where(self.mask, -1.0, 1.0)
        # The boundary is halfway between the centres of neighbours.
        outer, inner = distance_transform_edt(~self.mask) - 0.5, distance_transform_edt(self.mask) - 0.5
        return np.where(self.mask, -inner, outer)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Signed distance in pixels, linear between pixels, at `points` ((n, d) float): (n,) float, negative inside."""
        from scipy.ndimage import map_coordinates

        return map_coordinates(self.distance, np.asarray(points, float).T, order=1, mode="nearest")

    @property
    def certificate(self) -> Certificate:
        """`certify_convexity` of `mask`, which may be refuted."""
        return certify_convexity(self.mask)

    def rasterize(self, shape: tuple[int, ...]) -> np.ndarray:
        """{distance <= 0} on a grid of `shape` pixels over the same field of view; `mask` at its own shape."""
        grid = grid_shape(shape, self.mask.ndim)
        if grid == self.mask.shape:
            return self.mask.copy()
        scale = np.array(self.mask.shape) / grid
        points = np.indices(grid).reshape(len(grid), -1).T * scale + scale / 2 - 0.5
        return (self(points) <= 0).reshape(grid)
