"""A Gaussian mixture of points, deterministic: binary splitting, then EM.

    p(y) = sum_c pi_c N(y; mu_c, S_c),      maximising   sum_i log p(y_i)

It starts from one Gaussian; the part with the greatest scatter along its longest axis is cut across that axis, until
there are enough (Orchard, Bouman 1991, doi:10.1109/78.134461).
"""

from dataclasses import dataclass

import numpy as np

_ROUNDS = 15
"""Iterations of EM: afterwards the parameters still move a little, the densities of the pixels do not."""

_LEAST = 1e-4
"""A Gaussian with a smaller share of the points is dropped: its covariance would be noise."""

_CHUNK = 4096
"""Points at a time, so that intermediate arrays stay in the cache."""


@dataclass(frozen=True)
class GaussianMixture:
    """Shares, means and covariances of m Gaussians in c dimensions."""

    shares: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """The log density at each of n points: (n,) float32."""
        found = np.empty(len(points), np.float32)
        for first in range(0, len(points), _CHUNK):
            terms = self.terms(points[first : first + _CHUNK])
            most = terms.max(axis=1)
            found[first : first + _CHUNK] = most + np.log(np.exp(terms - most[:, None]).sum(axis=1))
        return found

    def terms(self, points: np.ndarray) -> np.ndarray:
        """(n, m) log pi_c N(y; mu_c, S_c), in the precision of the points."""
        roots = np.linalg.cholesky(self.covariances)
        whiten = np.linalg.inv(roots).transpose(0, 2, 1)
        count, size = self.means.shape
        # All Gaussians in one product: y (L_c^-1)' - mu_c (L_c^-1)', side by side.
        matrix = whiten.transpose(1, 0, 2).reshape(size, -1).astype(points.dtype)
        offset = (self.means[:, None] @ whiten).ravel().astype(points.dtype)
        white = (points @ matrix - offset).reshape(-1, count, size)
        scale = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1) + 0.5 * size * np.log(2 * np.pi)
        return (np.log(self.shares) - scale).astype(points.dtype) - 0.5 * np.einsum("nmc,nmc->nm", white, white)


def fit_mixture(points: np.ndarray, count: int, reg_covar: float) -> GaussianMixture:
    """The mixture of at most `count` Gaussians for `points` ((n, c) float); `reg_covar` is added to all variances."""
    points, weights = points.astype(np.float64), np.full(len(points), 1 / len(points))
    mixture = _from_parts(points, weights, _split(points, weights, count), reg_covar)
    for _ in range(_ROUNDS):
        terms = mixture.terms(points)
        parts = np.exp(terms - terms.max(axis=1, keepdims=True))
        mixture = _from_parts(points, weights, (parts / parts.sum(axis=1, keepdims=True)).T, reg_covar)
    return mixture


def _split(points: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """The part that each point starts in: (m, n) of zeros and ones."""
    parts = [np.arange(len(points))]
    spread = [_spread(points, weights)]
    while len(parts) < count:
        widest = int(np.argmax([size for size, _ in spread]))
        size, axis = spread[widest]
        mine = parts[widest]
        along = points[mine] @ axis
        beyond = along > np.average(along, weights=weights[mine])
        if size <= 0 or beyond.all() or not beyond.any():
            break
        halves = mine[beyond], mine[~beyond]
        parts[widest : widest + 1] = halves
        spread[widest : widest + 1] = [_spread(points[half], weights[half]) for half in halves]
    chosen = np.zeros((len(parts), len(points)))
    for row, part in zip(chosen, parts, strict=True):
        row[part] = 1
    return chosen


def _spread(points: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Weighted scatter along the longest axis, and the axis."""
    share, _, covariance = _moments(points, weights)
    values, axes = np.linalg.eigh(covariance)
    return share * values[-1], axes[:, -1]


def _moments(points: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Total weight, mean (c,) and covariance (c, c)."""
    share = float(weights.sum())
    mean = weights @ points / share
    away = points - mean
    return share, mean, (away * weights[:, None]).T @ away / share


def _from_parts(points: np.ndarray, weights: np.ndarray, parts: np.ndarray, reg_covar: float) -> GaussianMixture:
    """The M-step: shares, means and covariances of each part ((m, n), responsibilities of the m Gaussians)."""
    heavy = parts @ weights > _LEAST
    found = [_moments(points, weights * part) for part in parts[heavy]]
    shares = np.array([share for share, _, _ in found])
    floor = reg_covar * np.eye(points.shape[1])
    covariances = np.stack([covariance + floor for _, _, covariance in found])
    return GaussianMixture(shares / shares.sum(), np.stack([mean for _, mean, _ in found]), covariances)
