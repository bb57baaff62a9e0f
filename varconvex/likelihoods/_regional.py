"""What the regions of an answer teach about each pixel, where some are convex, beside what the strokes said:

    cost_k(x) = (1 - s) first_k(x) + s min(l_k(x) - m(x), clip),      m(x) = min_j l_j(x)

    l_k(x) = -(log p_k(y(x)) + log q_k(x)) / 2

    p_k a Gaussian mixture of the region's appearance,  q_k(x) = (1 - e) mean_j K_kj(x) N(I(x); I_kj, sigma^2) + e

K_kj weighs a region's samples by their distance from x, in radii of the object: what is dark against a bright wall
here may be bright against a dark table there. Mixtures know the whole of each region and its texture, kernels its
places; they err in different places, and the mean of both errs less than either.
"""

from dataclasses import dataclass, replace

import numpy as np

from .._colour import features
from ..backends import ArrayBackend, get_backend
from ..inputs import Scene
from ._common import bounded
from ._learnt import _BACKGROUND, _OBJECT, _REG_COVAR, CLIP, SCRIBBLES, _appearance, _spread_out
from ._mixture import fit_mixture

SAY = 0.6
"""Share s of what the regions teach; the rest stays with the strokes."""

_NEARBY, _SIGMA, _UNKNOWN = 0.6, 0.1, 0.03
"""Width of K in radii of the object; sigma as in the Nieuwenhuis-Cremers likelihood; share e of any colour whatever."""

_SURROUND = 2.5
"""Radii of an object: how far around it the background is sampled for q."""

_SAMPLE, _KERNELS = 3000, 400
"""Pixels of each region that mixtures are fitted to, and that kernels sit on."""


@dataclass(frozen=True)
class RegionalCost:
    """What each label costs at each pixel, learnt from the regions of an answer.

    Attributes
    ----------
    first : (K, H, W) float32
        What the strokes alone say, in nats.
    points : (n, c) float32
        What the mixtures see of each pixel.
    costs : (K, H, W) float32
        What is said now; only differences between labels matter.
    backend : str, ArrayBackend or None
        What sums the kernels.
    """

    first: np.ndarray
    points: np.ndarray
    costs: np.ndarray
    backend: str | ArrayBackend | None = None

    @classmethod
    def start(cls, scene: Scene, costs: np.ndarray, backend: str | ArrayBackend | None = None) -> "RegionalCost":
        """From the strokes' costs ((K, H, W), in nats)."""
        return cls(costs, _appearance(scene), costs, backend)

    def learn(self, scene: Scene, index: np.ndarray) -> "RegionalCost":
        """The same with all regions re-estimated; the strokes keep their share.

        Parameters
        ----------
        scene : Scene
        index : (H, W) int
            Index of each pixel's label.
        """
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            lengths = (self._everywhere(scene, index) + self._nearby(scene, index)) / 2
        learnt = bounded(lengths, scene, CLIP)
        return replace(self, costs=((1 - SAY) * self.first * scene.valid + SAY * learnt).astype(np.float32))

    def _everywhere(self, scene: Scene, index: np.ndarray) -> np.ndarray:
        """-log p_k: (K, H, W)."""
        lengths = np.empty(self.first.shape)
        for k, length in enumerate(lengths):
            weights = ((index == k) & scene.valid).astype(np.float64)
            strokes = (scene.seeds == k + 1) & scene.valid
            share = SCRIBBLES / (1 - SCRIBBLES) * weights.sum() / max(int(strokes.sum()), 1)
            chosen = self.points[_spread_out((weights + max(share, 1.0) * strokes).ravel(), _SAMPLE)]
            mixture = fit_mixture(chosen, np.ones(len(chosen)), _OBJECT if k else _BACKGROUND, _REG_COVAR)
            length[...] = -mixture.log_density(self.points).reshape(index.shape)
        return lengths

    def _nearby(self, scene: Scene, index: np.ndarray) -> np.ndarray:
        """-log q_k: (K, H, W). The background's kernels are as wide as an object of mean area would have them."""
        from scipy.ndimage import distance_transform_edt

        backend = get_backend(self.backend)

        def log_mean(points: np.ndarray, width: np.ndarray, seeds: np.ndarray) -> np.ndarray:
            there, weight, samples = (backend.asarray(array) for array in (points, width, seeds))
            return backend.to_numpy(backend.log_kernel_mean(there, weight, samples, 2))

        masks = [index == k for k in range(len(self.first))]
        areas = np.array([mask.sum() for mask in masks], float)
        areas[0] = areas[1:].mean()
        radii = np.maximum(np.sqrt(areas / np.pi), 1.0)
        around = np.zeros(index.shape, bool)
        for mask, radius in zip(masks[1:], radii[1:], strict=True):
            around |= distance_transform_edt(~mask) < _SURROUND * radius
        masks[0] &= around
        places = np.moveaxis(np.indices(index.shape, dtype=np.float32), 0, -1).reshape(-1, 2)
        colours = features(scene.image).reshape(index.size, -1) / np.float32(np.sqrt(2) * _SIGMA)
        points = np.concatenate([places, colours], axis=1)
        lengths = np.empty(self.first.shape)
        for k, (mask, radius) in enumerate(zip(masks, radii, strict=True)):
            taught = (mask | (scene.seeds == k + 1)) & scene.valid
            chosen = points[_spread_out(taught.ravel().astype(float), _KERNELS)].T
            width = np.full(index.size, 0.5 / (_NEARBY * radius) ** 2, np.float32)
            density = log_mean(points, width, chosen) - log_mean(places, width, chosen[:2])
            lengths[k] = -np.logaddexp(np.log1p(-_UNKNOWN) + density, np.log(_UNKNOWN)).reshape(index.shape)
        return lengths


@dataclass(frozen=True)
class GivenCosts:
    """A likelihood whose costs ((K, *spatial) float32) are known already."""

    known: np.ndarray

    def costs(self, scene: Scene) -> np.ndarray:
        """They."""
        return self.known
