"""What both sides of an answer teach: mixtures of appearance, beside the cost the scribbles gave.

    cost_k(x) = (1 - s) first_k(x) + s min(-log p_k(y(x)) - m(x), clip),      m(x) = min_l -log p_l(y(x))

    length(labels) = (1 - s) sum_x first_labels(x)(x) + s sum_x l(x, labels(x)) + s sum_k w_k sum over scribbles l(x, k)

    l(x, k) = -log (p_k / sum_l p_l)(y(x)),  with the p within exp(clip) of the greatest

p_k is a Gaussian mixture, the same in the whole image, of all pixels that bear label k and of its scribbles, each of
which counts as w_k pixels. Its points y(x) are the colour, the colour smoothed, and how lightness varies nearby: a
whole region shows texture, which a stroke does not. The length is that of the labels, in nats, for somebody who sees
the image: short where the mixtures tell the sides apart as the labels do, and the scribbles, too. It is not what EM
makes short (that is the image's own length, for any labels whatever): so it can speak against what has been learnt.
"""

from dataclasses import dataclass, replace

import numpy as np

from .._colour import features
from ..inputs import Scene
from ._common import bounded
from ._mixture import fit_mixture

SAY = 0.7
"""Share s of the mixtures in the cost; the rest stays with the scribbles' first word, which knows places, too."""

CLIP = 4.0
"""Most nats by which a pixel may speak against a label: learnt from a region, tails are better known than from
strokes (3 nats there), but the region is still a guess."""

SCRIBBLES = 0.3
"""Share of the scribbles in what the mixtures are taught: what is certain must not drown in what is guessed."""

_OBJECT, _BACKGROUND = 5, 8
"""Gaussians a mixture: the background is everything else, and has more kinds of things."""

_REG_COVAR = 0.05**2
"""As in the Gaussian mixture likelihood: what noise and compression do to an even surface."""

_SAMPLE = 4000
"""Pixels a mixture is fitted to: a hundred for each number of its means and covariances is plenty."""

_FINE, _TEXTURE, _COARSE = 0.005, 0.0075, 0.015
"""Standard deviations of the windows, in sides of the image N^(1/d)."""


@dataclass(frozen=True)
class LearntLikelihood:
    """Mixtures of both sides; made by `start`, taught by `learn`.

    Attributes
    ----------
    first : (K, *spatial) float32
        Costs learnt from the scribbles alone.
    points : (n, c) float32
        What the mixtures see of each pixel.
    counts : tuple of float
        w_k, how many pixels a scribbled pixel of each label counts as.
    learnt : (K, *spatial) float32
        The mixed costs.
    constant : float
        The terms of the length that labels cannot change.
    """

    first: np.ndarray
    points: np.ndarray
    counts: tuple[float, ...]
    learnt: np.ndarray
    constant: float

    @classmethod
    def start(cls, scene: Scene, first: np.ndarray, index: np.ndarray) -> "LearntLikelihood":
        """Mixtures of the scribbles alone; `index`, the first answer, only says what a scribbled pixel counts as."""
        counts = []
        for k in range(len(scene.labels)):
            area = int(np.count_nonzero((index == k) & scene.valid))
            seeds = max(int(np.count_nonzero((scene.seeds == k + 1) & scene.valid)), 1)
            counts.append(max(SCRIBBLES / (1 - SCRIBBLES) * area / seeds, 1.0))
        begun = cls(first, _appearance(scene), tuple(counts), first, 0.0)
        return begun.learn(scene, np.zeros(first.shape, np.float32))

    def learn(self, scene: Scene, responsibility: np.ndarray) -> "LearntLikelihood":
        """Mixtures of the scribbles and of the pixels that bear each label.

        Parameters
        ----------
        scene : Scene
        responsibility : (K, *spatial) float
            How much each pixel belongs to each label, in [0, 1].
        """
        from threadpoolctl import threadpool_limits

        lengths = np.empty(self.first.shape, np.float32)
        # Products so narrow are slower on several threads, by far where cores are shared.
        with threadpool_limits(1, "blas"):
            self._describe(scene, responsibility, lengths)
        lengths = bounded(lengths, scene, CLIP)
        either = np.log(np.exp(-lengths).sum(axis=0))
        known = float(either[scene.valid].sum(dtype=np.float64))
        for k, count in enumerate(self.counts):
            mine = (scene.seeds == k + 1) & scene.valid
            known += float(count) * float((either[mine] + lengths[k][mine]).sum(dtype=np.float64))
        learnt = (1 - SAY) * self.first + SAY * lengths
        return replace(self, learnt=learnt.astype(np.float32), constant=SAY * known)

    def _describe(self, scene: Scene, responsibility: np.ndarray, lengths: np.ndarray) -> None:
        """Writes -log p_k of every pixel into `lengths` ((K, *spatial))."""
        for k, (length, count) in enumerate(zip(lengths, self.counts, strict=True)):
            taught = np.where(scene.valid, responsibility[k], 0) + count * ((scene.seeds == k + 1) & scene.valid)
            chosen = self.points[_spread_out(taught.ravel())]
            mixture = fit_mixture(chosen, np.ones(len(chosen)), _OBJECT if k else _BACKGROUND, _REG_COVAR)
            length[...] = -mixture.log_density(self.points).reshape(length.shape)

    def costs(self, scene: Scene) -> np.ndarray:
        """The mixed costs."""
        return self.learnt


def _spread_out(weights: np.ndarray, count: int = _SAMPLE) -> np.ndarray:
    """Indices of a sample with these weights, evenly spread over them: the same one each time."""
    total = np.cumsum(weights, dtype=np.float64)
    return np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1])


def _appearance(scene: Scene) -> np.ndarray:
    """(n, c) float32: colour, smoothed colour, the lightness's deviation nearby and its mean in a wider window."""
    from scipy.ndimage import gaussian_filter

    colour = features(scene.image)
    side = float(np.count_nonzero(scene.seeds >= 0)) ** (1 / scene.seeds.ndim)

    def smooth(values: np.ndarray, width: float) -> np.ndarray:
        return gaussian_filter(values, [width * side / step for step in scene.spacing])

    light = colour[..., 0]
    variance = smooth(light**2, _TEXTURE) - smooth(light, _TEXTURE) ** 2
    # A standard deviation is small beside the differences of colours: twice it counts about as much as they do.
    found = [2 * np.sqrt(np.maximum(variance, 0)), smooth(light, _COARSE)]
    found += [smooth(colour[..., c], _FINE) for c in range(colour.shape[-1])]
    return np.concatenate([colour, np.stack(found, axis=-1)], axis=-1).reshape(scene.seeds.size, -1)
