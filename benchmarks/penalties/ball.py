"""The ball constraint of Luo and Tai as a penalty: from outside of a convex set, no ball is more than half full.

    C convex   <=>   (1 - u)(B_r * u - 1/2) <= 0   for u = 1_C and all radii r,      B_r the mean over a ball

(through a point outside there is a hyperplane with the set on one side). Penalised is what exceeds, for a few radii,

    P(u) = sum over r, x of  (1 - u)(B_r * u - 1/2)_+

S. Luo, X.-C. Tai, Y. Wang, "Convex shape representation with binary labels for image segmentation: models and fast
algorithms", 2020, arXiv:2002.09600.
"""

import numpy as np

from .penalty import PenaltyShape

__all__ = ["BallShape"]


class BallShape(PenaltyShape):
    """Convexity by the ball constraint, linearised, in the primal-dual solver.

    Promised: `inside` and `outside` are held, and the same input gives the same mask. Not promised: that the mask is
    convex. It is a penalty on a few radii whose local minimum depends on the target; the certificate may refute it.

    Parameters
    ----------
    weight, alpha, steps
        As in `PenaltyShape`.
    radii : tuple of float
        Radii of the balls, as shares of the object's size, the square root of its area (the cube root of its volume).
        Each is at least two pixels. Large ones see bays, small ones dents.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> BallShape().fit(target).mask[20, 30]
    np.True_
    """

    def __init__(
        self, weight: float = 1.0, alpha: float = 0.5, steps: int = 12, radii: tuple[float, ...] = (0.2, 0.4, 0.8)
    ):
        super().__init__(weight, alpha, steps)
        self.radii = tuple(radii)

    def penalty(self, u: np.ndarray, spacing: np.ndarray) -> tuple[float, np.ndarray]:
        """P(u) and its gradient, the mean over the radii."""
        value, gradient = 0.0, np.zeros(u.shape)
        for weights in balls(self.radii, float(u.sum()), spacing):
            too_full = np.maximum(smoothed(u, weights) - 0.5, 0)
            out = 1 - u.astype(np.float64)
            value += float((out * too_full).sum())
            gradient += smoothed(out * (too_full > 0), weights) - too_full
        return value / len(self.radii), gradient / len(self.radii)


def balls(radii: tuple[float, ...], count: float, spacing: np.ndarray) -> list[np.ndarray]:
    """The balls for an object of `count` pixels, whose size the radii are shares of; at least two pixels each."""
    unit = float(np.prod(spacing) ** (1 / len(spacing)))
    size = max(count, 1.0) ** (1 / len(spacing))
    return [ball(max(2.0, share * size) * unit, spacing) for share in radii]


def smoothed(u: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of u with these weights around each pixel; 0 beyond the border."""
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(u, weights, mode="same"))


def ball(radius: float, spacing: np.ndarray) -> np.ndarray:
    """Weights that sum to one on the pixels within `radius` of the middle one."""
    reach = [int(radius / step) for step in spacing]
    grid = np.meshgrid(*(step * np.arange(-n, n + 1) for step, n in zip(spacing, reach, strict=True)), indexing="ij")
    within = (sum(g * g for g in grid) <= radius**2).astype(np.float64)
    return within / within.sum()
