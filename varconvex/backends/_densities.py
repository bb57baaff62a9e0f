"""Kernel densities around scribbles, and distances from them; part of the specification in `base.py`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .problem import Array

_PAIRS = 2**20
"""Pairs of a point and a seed in memory at a time."""


class Densities:
    """Sums of kernels and distances. Subclasses set `xp`."""

    xp: Any
    asarray: Any

    def log_kernel_mean(self, points: Array, weight: Array, seeds: Array, axes: int) -> Array:
        """log 1/m sum_j exp(-weight |x - x_j|^2 - |c - c_j|^2) at each point, (n,) float32.

        Of the features of a point (`points` (n, F) float32) and of a seed (`seeds` (F, m)) the first `axes` are its
        position x, the others its colour c; `weight` ((n,)) is that of the squared distance in position.
        """
        xp = self.xp
        points, weight, seeds = (self.asarray(array, np.float32) for array in (points, weight, seeds))
        out = xp.empty(len(points), np.float32)
        rows = max(1, _PAIRS // seeds.shape[1])
        for part in (slice(start, start + rows) for start in range(0, len(points), rows)):
            square = (points[part, :, None] - seeds) ** 2
            e = weight[part, None] * square[:, :axes].sum(axis=1) + square[:, axes:].sum(axis=1)
            # The least exponent is factored out, so that the sum does not underflow.
            least = e.min(axis=1)
            out[part] = xp.log(xp.exp(least[:, None] - e).mean(axis=1)) - least
        return out

    def kernel_costs(
        self, points: Array, weights: Array, offsets: Array, seeds: Sequence[Array], shape: tuple[int, ...], clip: float
    ) -> Array:
        """Costs of labels by their mean kernels, offset - log(mean kernel), above the point's cheapest label.

        (K, n) float32 in [0, clip], in nats, for the pixels of a grid of `shape` in the order of their flat indices;
        `offsets` is (K, n), `weights` (K, n) and `seeds` (K of (F, m_k)) are those of `log_kernel_mean` for each label.
        """
        xp, axes = self.xp, len(shape)
        sums = [self.log_kernel_mean(points, w, mine, axes) for w, mine in zip(weights, seeds, strict=True)]
        costs = self.asarray(offsets, np.float32) - xp.stack(sums)
        return xp.minimum(costs - costs.min(axis=0), xp.float32(clip))

    def distance(self, there: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        """Distance of each pixel to the nearest one of `there` (bool, not all False): float64, in units of `spacing`.

        All in the host's memory.
        """
        from scipy.ndimage import distance_transform_edt

        return distance_transform_edt(~there, sampling=spacing)

    def distance_along_rows(self, squares: np.ndarray, step: float) -> np.ndarray:
        """Root of min over y of (step (x - y))^2 + squares(i, y), on each row i of (n, W) float64; on the host.

        The second half of `distance`: where `squares` are those of distances along columns, inf where a column has
        none, the result is the distance.
        """
        places = step * np.arange(squares.shape[1])
        square = (places[:, None] - places) ** 2
        return np.sqrt(np.stack([(square + row).min(axis=1) for row in squares]))
