"""The ball constraint inside soft threshold dynamics, as a layer of a network has it.

    min over u in [0, 1]   <1 - 2 target, u> + alpha <u, k * (1 - u)> + epsilon <u log u + (1 - u) log(1 - u), 1>
    subject to             (1 - u)(B_r * u - 1/2) <= 0    for some radii r

k is a Gaussian, so that the second term is a length in the limit; it is concave, and its tangent at the last u leaves a
sigmoid. The constraint has multipliers m >= 0, raised where it is violated, and is linearised, too:

    u' = sigmoid(-(1 - 2 target + alpha k * (1 - 2 u) + sum over r of the gradient of <m_r, (1 - u)(B_r * u - 1/2)>)
    / epsilon),       m_r' = (m_r + rate (1 - u)(B_r * u - 1/2))_+

J. Liu, X.-C. Tai, S. Luo, "Convex shape prior for deep neural convolution network based eye fundus images
segmentation", 2020, arXiv:2005.07476. Simplified: the target stands for the network's answer and nothing is trained;
balls have sharp rims; no active set.
"""

import numpy as np

from varconvex.shapes.base import Callback

from .ball import balls, smoothed
from .painted import Painted
from .rival import Rival, held, start_mask

__all__ = ["ThresholdDynamicsShape"]

_RATE = 2.0
"""Of the multipliers."""


class ThresholdDynamicsShape(Rival):
    """Convexity by the ball constraint with multipliers, in soft threshold dynamics.

    Promised: `inside` and `outside` are held, and the same input gives the same mask. Not promised: that the mask is
    convex; the certificate may refute it.

    Parameters
    ----------
    alpha : float
        Weight of the length; bigger is smoother. Much for clean targets; less does not remove noise.
    epsilon : float
        Weight of the entropy; 0 is a threshold, bigger leaves u softer and steps smaller.
    radii : tuple of float
        As in `BallShape`, shares of the object's size. None leaves threshold dynamics without a constraint.
    steps : int
        Iterations.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> ThresholdDynamicsShape().fit(target).mask[20, 30]
    np.True_
    """

    def __init__(
        self, alpha: float = 4.0, epsilon: float = 0.3, radii: tuple[float, ...] = (0.2, 0.4, 0.8), steps: int = 100
    ):
        self.alpha, self.epsilon, self.radii, self.steps = alpha, epsilon, tuple(radii), steps

    def _fit(
        self, target: np.ndarray, inside: np.ndarray, outside: np.ndarray, spacing: np.ndarray,
        rng: np.random.Generator, callback: Callback,
    ) -> Painted:  # fmt: skip
        from scipy.special import expit

        self.check(inside, outside)
        cost = 1 - 2 * target.astype(np.float64)
        u = np.where(inside, 1.0, np.where(outside, 0.0, target.astype(np.float64)))
        size = np.count_nonzero(start_mask(target, inside, outside))
        kernel, filled = gaussian(spacing), balls(self.radii, size, spacing)
        multipliers = [np.zeros(u.shape) for _ in filled]
        for _ in range(self.steps):
            slope = cost + self.alpha * smoothed(1 - 2 * u, kernel)
            for m, weights in zip(multipliers, filled, strict=True):
                full = smoothed(u, weights) - 0.5
                m += _RATE * (1 - u) * full
                np.maximum(m, 0, out=m)
                slope += smoothed(m * (1 - u), weights) - m * full
            u = expit(-slope / self.epsilon) if self.epsilon else (slope < 0).astype(float)
            u = np.where(inside, 1.0, np.where(outside, 0.0, u))
            if callback is not None:
                callback(u > 0.5)
        mask = (u > 0.5).astype(np.float64)
        left = sum(float(np.maximum((1 - mask) * (smoothed(mask, b) - 0.5), 0).sum()) for b in filled)
        return held(mask > 0, target, inside, outside, left / max(len(filled), 1))


def gaussian(spacing: np.ndarray, width: float = 1.5) -> np.ndarray:
    """A Gaussian of `width` pixels that sums to one."""
    reach = 3 * width / np.asarray(spacing) * float(np.prod(spacing) ** (1 / len(spacing)))
    axes = [np.exp(-0.5 * (np.arange(-int(n), int(n) + 1) * 3 / n) ** 2) for n in np.maximum(reach, 1)]
    product = axes[0]
    for axis in axes[1:]:
        product = product[..., None] * axis
    return np.asarray(product / product.sum())
