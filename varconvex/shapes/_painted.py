"""A shape that is a mask and no more: its implicit function is the signed distance to the mask's boundary."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..geometry.certify import Certificate, certify_convexity
from ._targets import grid_shape


@dataclass(frozen=True)
class Painted:
    """A mask that came out of a fit, with nothing promised but its pixels."""

    mask: np.ndarray
    """(H, W) or (D, H, W) bool."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    violation: float
    """What is left of the penalty; 0 where the constraint that it stands for holds everywhere."""

    n_filled: int = 0
    """Nothing is repaired."""

    @cached_property
    def _distance(self):
        from scipy.ndimage import distance_transform_edt

        if self.mask.all() or not self.mask.any():
            return np.where(self.mask, -1.0, 1.0)
        # The boundary is halfway between the centres of neighbours.
        outer, inner = distance_transform_edt(~self.mask) - 0.5, distance_transform_edt(self.mask) - 0.5
        return np.where(self.mask, -inner, outer)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Signed distance in pixels, linear between pixels, at `points` ((n, d) float): (n,) float, negative inside."""
        from scipy.ndimage import map_coordinates

        return map_coordinates(self._distance, np.asarray(points, float).T, order=1, mode="nearest")

    @property
    def certificate(self) -> Certificate:
        """What `certify_convexity` says of `mask`; it may say no."""
        return certify_convexity(self.mask)

    def rasterize(self, shape: tuple[int, ...]) -> np.ndarray:
        """{distance <= 0} on a grid of `shape` pixels over the same field of view; `mask` at its own shape."""
        grid = grid_shape(shape, self.mask.ndim)
        if grid == self.mask.shape:
            return self.mask.copy()
        scale = np.array(self.mask.shape) / grid
        points = np.indices(grid).reshape(len(grid), -1).T * scale + scale / 2 - 0.5
        return (self(points) <= 0).reshape(grid)
