"""What both sides of a convex object teach about each pixel, beside what the strokes said:

    cost(x) = (1 - s) first(x) + s learnt(x),      learnt = clip((everywhere(x) + nearby(x)) / 2)

    everywhere(x) = log p_0(y(x)) - log p_1(y(x)),      p_k Gaussian mixtures of each side's appearance
    nearby(x)     = log q_0(x) - log q_1(x),            q_k(x) = (1 - e) mean_j K_j(x) N(I(x); I_kj, sigma^2) + e

K_j weighs a side's samples by their distance from x, in radii of the object: what is dark against a bright wall here
may be bright against a dark table there. Mixtures know the whole of each side and its texture, kernels its places;
they err in different places, and the mean of both errs less than either. All are log odds of the background against
the object, in nats.
"""

from dataclasses import dataclass, replace

import numpy as np

from .._colour import features
from ..backends import ArrayBackend, get_backend
from ..inputs import Scene
from ._learnt import _BACKGROUND, _OBJECT, _REG_COVAR, CLIP, SCRIBBLES, _appearance, _spread_out
from ._mixture import fit_mixture

SAY = 0.6
"""Share s of what the sides teach; the rest stays with the strokes."""

_NEARBY, _SIGMA, _UNKNOWN = 0.6, 0.1, 0.03
"""Width of K in radii of the object; sigma as in the Nieuwenhuis-Cremers likelihood; share e of any colour whatever."""

_SURROUND = 2.5
"""Radii of the object: how far around it the background is sampled for `nearby`."""

_SAMPLE, _KERNELS = 3000, 400
"""Pixels of each side that mixtures are fitted to, and that kernels sit on."""


@dataclass(frozen=True)
class RegionalCost:
    """Odds of the background against the object, learnt from both sides of a mask.

    Attributes
    ----------
    first : (H, W) float32
        What the strokes alone say: the object's cost less the background's.
    points : (n, c) float32
        What the mixtures see of each pixel.
    cost : (H, W) float32
        What is said now.
    backend : str, ArrayBackend or None
        What sums the kernels.
    """

    first: np.ndarray
    points: np.ndarray
    cost: np.ndarray
    backend: str | ArrayBackend | None = None

    @classmethod
    def start(cls, scene: Scene, costs: np.ndarray, backend: str | ArrayBackend | None = None) -> "RegionalCost":
        """From the strokes' costs ((2, H, W), in nats)."""
        first = costs[1] - costs[0]
        return cls(first, _appearance(scene), first, backend)

    def learn(self, scene: Scene, mask: np.ndarray) -> "RegionalCost":
        """The same with both sides of `mask` ((H, W) bool) re-estimated; the strokes keep their share."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            learnt = (self._everywhere(scene, mask) + self._nearby(scene, mask)) / 2
        cost = (1 - SAY) * self.first + SAY * np.clip(learnt, -CLIP, CLIP)
        return replace(self, cost=np.where(scene.valid, cost, 0).astype(np.float32))

    def _everywhere(self, scene: Scene, mask: np.ndarray) -> np.ndarray:
        lengths = []
        for k, side in enumerate((~mask, mask)):
            weights = (side & scene.valid).astype(np.float64)
            strokes = (scene.seeds == k + 1) & scene.valid
            share = SCRIBBLES / (1 - SCRIBBLES) * weights.sum() / max(int(strokes.sum()), 1)
            chosen = self.points[_spread_out((weights + max(share, 1.0) * strokes).ravel(), _SAMPLE)]
            mixture = fit_mixture(chosen, np.ones(len(chosen)), _OBJECT if k else _BACKGROUND, _REG_COVAR)
            lengths.append(mixture.log_density(self.points))
        return (lengths[0] - lengths[1]).reshape(mask.shape)

    def _nearby(self, scene: Scene, mask: np.ndarray) -> np.ndarray:
        from scipy.ndimage import distance_transform_edt

        backend = get_backend(self.backend)

        def log_mean(points: np.ndarray, seeds: np.ndarray) -> np.ndarray:
            there, width, samples = (backend.asarray(array) for array in (points, weight, seeds))
            return backend.to_numpy(backend.log_kernel_mean(there, width, samples, 2))

        radius = max(float(np.sqrt(mask.sum() / np.pi)), 1.0)
        around = ~mask & (distance_transform_edt(~mask) < _SURROUND * radius)
        places = np.moveaxis(np.indices(mask.shape, dtype=np.float32), 0, -1).reshape(-1, 2)
        colours = features(scene.image).reshape(mask.size, -1) / np.float32(np.sqrt(2) * _SIGMA)
        points = np.concatenate([places, colours], axis=1)
        weight = np.full(mask.size, 0.5 / (_NEARBY * radius) ** 2, np.float32)
        densities = []
        for k, side in enumerate((around, mask)):
            taught = (side & scene.valid) | ((scene.seeds == k + 1) & scene.valid)
            chosen = points[_spread_out(taught.ravel().astype(float), _KERNELS)].T
            both, place = log_mean(points, chosen), log_mean(places, chosen[:2])
            densities.append(np.logaddexp(np.log1p(-_UNKNOWN) + both - place, np.log(_UNKNOWN)))
        return (densities[0] - densities[1]).reshape(mask.shape)


@dataclass(frozen=True)
class GivenCosts:
    """A likelihood whose costs ((K, *spatial) float32) are known already."""

    known: np.ndarray

    def costs(self, scene: Scene) -> np.ndarray:
        """They."""
        return self.known
