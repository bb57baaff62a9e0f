"""Costs estimated from the regions of a label image of which some are convex, beside the scribbles' costs.

    cost_k(x) = (1 - s) first_k(x) + s min(l_k(x) - m(x), clip),      m(x) = min_j l_j(x)

    l_k(x) = -(log p_k(y(x)) + log q_k(x)) / 2

    p_k a Gaussian mixture of the region's appearance,  q_k(x) = (1 - e) mean_j K_kj(x) N(I(x); I_kj, sigma^2) + e

K_kj weighs a region's samples by their distance from x, in radii of the object: what is dark against a bright wall
here may be bright against a dark table there. Mixtures describe the whole of each region and its texture, kernels its
dependence on position; their errors are in different places, and the mean of both is better than either.
"""

from dataclasses import dataclass, replace

import numpy as np

from ...backends import ArrayBackend, get_backend
from ...inputs import Scene
from ...likelihoods.base import bounded
from .base import grid_weights, posterior_cost, scribble_weights, spread_sample
from .mixtures import CLIP, appearance_features, mixture_lengths

MIXING_WEIGHT = 0.6
"""Share s of the regional models; the rest stays with the scribbles' costs."""

_NEARBY, _SIGMA, _OUTLIERS = 0.6, 0.1, 0.03
"""Width of K in radii of the object; sigma as in the Nieuwenhuis-Cremers likelihood; share e of uniform outliers."""

_SURROUND = 2.5
"""Distance from an object, in its radii, up to which the background is sampled for q."""

_SAMPLE, _KERNELS = 3000, 400
"""Pixels of each region that mixtures are fitted to, and that kernels are centred at."""

_UNDERFLOW = 1e-290
"""Mean kernel below which rounding may have taken digits."""


@dataclass(frozen=True)
class RegionalAppearance:
    """Costs of each label at each pixel, estimated from the regions of a label image.

    Attributes
    ----------
    first, mixed : (K, H, W) float32
        The scribbles' costs and the present ones, in nats; only differences between labels matter.
    points : (n, c) float32
        Feature vector y of each pixel; the first C channels are its colour.
    weights : tuple of float
        Pixels that a scribbled pixel of each label counts as in the data cost.
    backend : str, ArrayBackend or None
        Computes the sums of kernels.
    """

    first: np.ndarray
    points: np.ndarray
    mixed: np.ndarray
    weights: tuple[float, ...]
    backend: str | ArrayBackend | None = None

    @classmethod
    def start(cls, scene: Scene, costs: np.ndarray, backend: str | ArrayBackend | None = None) -> "RegionalAppearance":
        """The model before any region is known: the scribbles' costs ((K, H, W), in nats)."""
        return cls(costs, appearance_features(scene), costs, grid_weights(scene), backend)

    def learn(self, scene: Scene, index: np.ndarray) -> "RegionalAppearance":
        """The model re-estimated from all regions of `index` ((H, W) int); the scribbles keep their share."""
        lengths = (self.by_mixtures(scene, index) + self.by_kernels(scene, index)) / 2
        regional = bounded(lengths, scene, CLIP)
        mixed = (1 - MIXING_WEIGHT) * self.first * scene.valid + MIXING_WEIGHT * regional
        return replace(self, mixed=mixed.astype(np.float32))

    def costs(self, scene: Scene) -> np.ndarray:
        """Present costs."""
        return self.mixed

    def data_cost(self, scene: Scene, index: np.ndarray) -> float:
        """Data part of J for the label image `index` ((H, W) int), in nats."""
        return posterior_cost(self.mixed, scene, index, self.weights)

    def by_mixtures(self, scene: Scene, index: np.ndarray) -> np.ndarray:
        """-log p_k: (K, H, W)."""
        return mixture_lengths(self.points, scene, index, scribble_weights(scene, index), _SAMPLE)

    def by_kernels(self, scene: Scene, index: np.ndarray) -> np.ndarray:
        """-log q_k: (K, H, W). The background's kernels are as wide as those of an object of mean area."""
        from scipy.ndimage import distance_transform_edt

        backend = get_backend(self.backend)

        def log_mean(points: np.ndarray, weight: float, seeds: np.ndarray) -> np.ndarray:
            weights = np.full(len(points), weight, np.float32)
            there, wide, samples = (backend.asarray(array) for array in (points, weights, seeds))
            return backend.to_numpy(backend.log_kernel_mean(there, wide, samples, 2))

        def log_mean_of_places(weight: float, seeds: np.ndarray) -> np.ndarray:
            # Its terms are products of one factor for the row and one for the column.
            rows, columns = (
                np.exp(-weight * (np.arange(n)[:, None] - at) ** 2)
                for n, at in zip(index.shape, seeds.astype(np.float64), strict=True)
            )
            mean = np.einsum("ij,kj->ik", rows, columns).ravel() / seeds.shape[1]
            far = np.flatnonzero(mean < _UNDERFLOW)
            found = np.log(np.maximum(mean, _UNDERFLOW)).astype(np.float32)
            if far.size:
                found[far] = log_mean(places[far], weight, seeds)
            return found

        masks = [index == k for k in range(len(self.first))]
        areas = np.array([mask.sum() for mask in masks], float)
        areas[0] = areas[1:].mean()
        radii = np.maximum(np.sqrt(areas / np.pi), 1.0)
        around = np.zeros(index.shape, bool)
        for mask, radius in zip(masks[1:], radii[1:], strict=True):
            around |= distance_transform_edt(~mask) < _SURROUND * radius
        masks[0] &= around
        places = np.moveaxis(np.indices(index.shape, dtype=np.float32), 0, -1).reshape(-1, 2)
        colours = self.points[:, : scene.image.shape[-1]] / np.float32(np.sqrt(2) * _SIGMA)
        points = np.concatenate([places, colours], axis=1)
        lengths = np.empty(self.first.shape)
        for k, (mask, radius) in enumerate(zip(masks, radii, strict=True)):
            known = (mask | (scene.seeds == k + 1)) & scene.valid
            chosen = points[spread_sample(known.ravel().astype(float), _KERNELS)].T
            weight = 0.5 / (_NEARBY * radius) ** 2
            density = log_mean(points, weight, chosen) - log_mean_of_places(weight, chosen[:2])
            lengths[k] = -np.logaddexp(np.log1p(-_OUTLIERS) + density, np.log(_OUTLIERS)).reshape(index.shape)
        return lengths
