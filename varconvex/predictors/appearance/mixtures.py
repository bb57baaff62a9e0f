"""Gaussian mixtures of all regions of a label image, beside the cost that the scribbles gave.

    cost_k(x) = (1 - s) first_k(x) + s min(-log p_k(y(x)) - m(x), clip),      m(x) = min_l -log p_l(y(x))

    data_cost(C) = (1 - s) sum_x first_C(x)(x) + s sum_x l(x, C(x)) + s sum_k w_k sum over scribbles of k  l(x, k)

    l(x, k) = -log (p_k / sum_l p_l)(y(x)),  with the p within exp(clip) of the greatest

p_k is one Gaussian mixture for the whole image, fitted to all pixels that bear label k and to its scribbles, each of
which counts as w_k pixels. Its points y(x) are the colour, the colour smoothed, and the local variation of lightness:
a whole region shows texture, which a stroke does not. See `base` for what the data cost means.

The fit of a mixture is deterministic: binary splitting, then EM. It starts from one Gaussian; the part with the
greatest scatter along its longest axis is cut across that axis, until there are enough (Orchard, Bouman 1991,
doi:10.1109/78.134461).
"""

from dataclasses import dataclass, replace

import numpy as np

from ...inputs import Scene
from ...likelihoods.base import bounded
from ...threads import checkpoint
from .base import scribble_weights, spread_sample

MIXING_WEIGHT = 0.7
"""Share s of the mixtures in the cost; the rest stays with the scribble model, which also depends on position."""

CLIP = 4.0
"""Bound on the difference between labels at one pixel, in nats: the tails of densities estimated from a region are
more reliable than those from strokes (3 nats there), but the region is still a guess."""

_OBJECT, _BACKGROUND = 5, 8
"""Gaussians in a mixture: the background is everything else, and has more kinds of things."""

_REG_COVAR = 0.05**2
"""As in the Gaussian mixture likelihood: what noise and compression do to an even surface."""

_SAMPLE = 4000
"""Pixels that a mixture is fitted to: a hundred for each number of its means and covariances is plenty."""

_FINE, _TEXTURE, _COARSE = 0.005, 0.0075, 0.015
"""Standard deviations of the windows, in sides of the image N^(1/d)."""

_ROUNDS = 15
"""Iterations of EM: afterwards the parameters still move a little, the densities of the pixels do not."""

_LEAST = 1e-4
"""A Gaussian with a smaller share of the points is dropped: its covariance would be noise."""

_CHUNK = 4096
"""Points at a time, so that intermediate arrays stay in the cache."""


@dataclass(frozen=True)
class MixtureAppearance:
    """Mixtures of all labels; made by `start`, re-estimated by `learn`.

    Attributes
    ----------
    first, mixed : (K, *spatial) float32
        Costs of the scribble model, and mixed costs.
    points : (n, c) float32
        Feature vector y of each pixel.
    weights : tuple of float
        w_k, the number of pixels that a scribbled pixel of each label counts as.
    constant : float
        Terms of the data cost that do not depend on the labels, in nats.
    """

    first: np.ndarray
    points: np.ndarray
    weights: tuple[float, ...]
    mixed: np.ndarray
    constant: float

    @classmethod
    def start(cls, scene: Scene, first: np.ndarray, index: np.ndarray) -> "MixtureAppearance":
        """Mixtures of the scribbles alone; of the first label image `index`, only the labels' areas are used (w_k)."""
        start = cls(first, appearance_features(scene), scribble_weights(scene, index), first, 0.0)
        return start.learn(scene, np.full(index.shape, -1))

    def learn(self, scene: Scene, index: np.ndarray) -> "MixtureAppearance":
        """Mixtures of the scribbles and of the regions of `index` ((*spatial) int; -1 belongs to no region)."""
        lengths = bounded(mixture_lengths(self.points, scene, index, self.weights, _SAMPLE), scene, CLIP)
        either = np.log(np.exp(-lengths).sum(axis=0))
        known = float(either[scene.valid].sum(dtype=np.float64))
        for k, weight in enumerate(self.weights):
            mine = (scene.seeds == k + 1) & scene.valid
            known += weight * float((either[mine] + lengths[k][mine]).sum(dtype=np.float64))
        mixed = (1 - MIXING_WEIGHT) * self.first + MIXING_WEIGHT * lengths
        return replace(self, mixed=mixed.astype(np.float32), constant=MIXING_WEIGHT * known)

    def costs(self, scene: Scene) -> np.ndarray:
        """Mixed costs."""
        return self.mixed

    def data_cost(self, scene: Scene, index: np.ndarray) -> float:
        """Data part of J for the label image `index` ((*spatial) int), in nats."""
        costs = np.take_along_axis(self.mixed, index[None], axis=0)[0]
        return float(costs[scene.seeds >= 0].sum(dtype=np.float64)) + self.constant


def mixture_lengths(
    points: np.ndarray, scene: Scene, index: np.ndarray, weights: tuple[float, ...], sample: int
) -> np.ndarray:
    """-log p_k of each pixel: (K, *spatial) float32; each p_k is fitted to `sample` pixels of its region and scribbles.

    `points` ((n, c)) are the pixels' features, and a scribbled pixel of label k counts `weights[k]` times.
    """
    from threadpoolctl import threadpool_limits

    lengths = np.empty((len(weights), *index.shape), np.float32)
    # Products so narrow are slower on several threads, by far where cores are shared.
    with threadpool_limits(1, "blas"):
        for k, (length, weight) in enumerate(zip(lengths, weights, strict=True)):
            pixels = ((index == k) + weight * (scene.seeds == k + 1)) * scene.valid
            chosen = points[spread_sample(pixels.ravel(), sample)]
            mixture = fit_mixture(chosen, _OBJECT if k else _BACKGROUND, _REG_COVAR)
            length[...] = -mixture.log_density(points).reshape(length.shape)
    return lengths


def appearance_features(scene: Scene) -> np.ndarray:
    """(n, C + 2 + C) float32: colour, local deviation of lightness, its mean in a wider window, smoothed colour.

    (n, C) in a volume, colour alone: its sides are so few voxels long that windows blur over the rims of objects, which
    then look like whatever region they are in.
    """
    colour, light = scene.colours, scene.colours[..., :1]
    if scene.seeds.ndim == 3:
        return colour.reshape(scene.seeds.size, -1)
    variance = scene.smoothed(light**2, _TEXTURE) - scene.smoothed(light, _TEXTURE) ** 2
    # A standard deviation is small beside the differences of colours: twice it counts about as much as they do.
    found = [2 * np.sqrt(np.maximum(variance, 0)), scene.smoothed(light, _COARSE), scene.smoothed(colour, _FINE)]
    return np.concatenate([colour, *found], axis=-1).reshape(scene.seeds.size, -1)


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
            checkpoint()
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
