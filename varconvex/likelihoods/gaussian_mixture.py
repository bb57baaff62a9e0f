"""A mixture of Gaussians in colour for each label, the same in the whole image.

cost_k(x) = -log sum_c pi_kc N(I(x); mu_kc, S_kc)
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..inputs import Scene
from ..keywords import known_keywords
from .base import CLIP, bounded, change, training_pixels

_SEEDS_PER_COMPONENT = 20
"""Fewer do not tell a mean and a full covariance of three channels (9 numbers), with two samples for each."""


@known_keywords
@dataclass(frozen=True)
class GaussianMixtureLikelihood:
    """Gaussian mixtures of the scribbles' colours, fitted by EM.

    Parameters
    ----------
    n_components : int, at least 1
        Gaussians a label. Bigger follows more different colours, and needs more scribbles; 1 is a single
        blob. A label with few scribbled pixels or few colours gets fewer.
    reg_covar : float, more than 0
        Added to the variances; black to white is 1. Bigger calls more colours alike; smaller believes that
        the strokes show all there is; towards 0 a one-coloured stroke accepts no other colour. The default is
        a deviation of .05, what noise and compression do to an even surface.
    clip : float or None
        Bound on the difference between labels at one pixel, in nats. Bigger gives the colours more weight beside
        the boundary; 0 makes all labels equal at every pixel; None is no bound.
    random_state : int
        Seeds the start of EM: the same seed gives the same costs.

    References
    ----------
    Blake, Rother, Brown, Perez, Torr, ECCV 2004, doi:10.1007/978-3-540-24670-1_33
    """

    n_components: int = 5
    reg_covar: float = 0.05**2
    clip: float | None = CLIP
    random_state: int = 0

    def __post_init__(self) -> None:
        change(
            self,
            n_components=checks.whole_number("n_components", self.n_components, least=1),
            reg_covar=checks.positive("reg_covar", self.reg_covar),
            random_state=checks.whole_number("random_state", self.random_state, most=2**32 - 1),
        )
        if self.clip is not None:
            change(self, clip=checks.real_number("clip", self.clip))

    def costs(self, scene: Scene) -> np.ndarray:
        """(K, *spatial) float32, in nats; see `Likelihood.costs`."""
        colours = scene.colours.reshape(-1, scene.image.shape[-1])
        costs = [-self._fit(colours[mine]).score_samples(colours) for mine in training_pixels(scene)]
        return bounded(np.reshape(costs, (-1, *scene.seeds.shape)), scene, self.clip)

    def _fit(self, colours: np.ndarray) -> Any:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        distinct = len(np.unique(colours, axis=0))
        components = max(1, min(self.n_components, distinct, len(colours) // _SEEDS_PER_COMPONENT))
        mixture = GaussianMixture(components, reg_covar=self.reg_covar, random_state=self.random_state)
        if len(colours) == 1:
            # scikit-learn requires two samples; one repeated has the mean and covariance of one.
            colours = np.repeat(colours, 2, axis=0)
        with warnings.catch_warnings():
            # A mixture that still moves a little after 100 rounds is good enough to compare colours by.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return mixture.fit(colours)
