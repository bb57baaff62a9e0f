"""The problems that solvers are measured on: a photograph of scikit-learn's, and costs learnt from strokes on it.

    cost_k(x) = -log p_k(I(x)),   p_k a smoothed colour histogram of the strokes of label k   (nats)

Two regions have cost = cost_object - cost_background. The photograph is a temple beside trees of much the same
colours, so that a heavy weight of the boundary takes many iterations. Another size is the same problem resampled: the
same costs and the same alpha on more pixels. Everything is made by kept libraries and without chance, so that it is the
same everywhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

_SIDE = 512
"""Side that the costs are computed at, and the strokes are drawn on."""

_BINS, _SMOOTHING, _FLOOR = 16, 0.7, 0.01
"""Bins a channel, their Gaussian smoothing in bins, and the share of all counts that is spread evenly."""

Stroke = tuple[slice, slice]


def _strokes(*rectangles: tuple[int, int, int, int]) -> tuple[Stroke, ...]:
    return tuple((slice(top, bottom), slice(left, right)) for top, bottom, left, right in rectangles)


_ROOF = _strokes((100, 112, 90, 150))
_WALLS = _strokes((235, 265, 20, 240), (345, 400, 10, 260), (440, 450, 140, 230))
_SKY = _strokes((20, 40, 200, 500), (230, 250, 300, 480))
_LAKE = _strokes((300, 320, 340, 500))
_TREES = _strokes((440, 500, 340, 500), (460, 500, 10, 80))
_OBJECT, _BACKGROUND = (*_ROOF, *_WALLS), (*_SKY, *_LAKE, *_TREES)
_FIVE = (_SKY, _LAKE, _TREES, _ROOF, _WALLS)


@dataclass(frozen=True)
class Case:
    """One problem: the cost is what a solver is given; image and strokes are for programs that want those.

    Attributes
    ----------
    name : str
        What it is called in tables.
    cost : (H, W) or (K, H, W) float32 array
        In nats; for two regions negative favours the object.
    alpha : float
        Weight of the boundary, in nats a pixel's side.
    image : (H, W, 3) uint8 array
        The photograph.
    strokes : (H, W) uint8 array
        0 unlabelled, 1 background, 2 object; for K labels 1..K.
    """

    name: str
    cost: np.ndarray
    alpha: float
    image: np.ndarray
    strokes: np.ndarray

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.strokes.size


def segmentation(side: int, alpha: float = 8.0) -> Case:
    """The colour-likelihood problem of two regions at `side` x `side` pixels."""
    background, inside = _costs((_BACKGROUND, _OBJECT))
    return _case(f"{side}² alpha {alpha:g}", side, (inside - background)[None], alpha, (_BACKGROUND, _OBJECT))


def hard(side: int = 1024) -> Case:
    """The two-region problem with twice the boundary weight, which takes more iterations."""
    return segmentation(side, 16.0)


def labels(side: int = 1024, alpha: float = 8.0) -> Case:
    """Five regions: sky, lake, trees, roofs and walls."""
    return _case(f"5 labels {side}² alpha {alpha:g}", side, _costs(_FIVE), alpha, _FIVE)


def denoising(side: int = 512, noise: float = 0.1) -> np.ndarray:
    """The photograph in grey with Gaussian noise, (side, side) float32 in [0, 1]."""
    grey = np.asarray(_photograph().convert("L").resize((side, side), Image.Resampling.BILINEAR), dtype=np.float64)
    return np.clip(grey / 255 + np.random.default_rng(0).normal(scale=noise, size=grey.shape), 0, 1).astype(np.float32)


def _case(name: str, side: int, cost: np.ndarray, alpha: float, strokes: Iterable[tuple[Stroke, ...]]) -> Case:
    size = (side, side)
    planes = [np.asarray(Image.fromarray(c).resize(size, Image.Resampling.BILINEAR)) for c in cost]
    drawn = np.zeros((_SIDE, _SIDE), np.uint8)
    for k, of_label in enumerate(strokes, 1):
        for place in of_label:
            drawn[place] = k
    return Case(
        name=name,
        cost=np.stack(planes) if len(planes) > 1 else planes[0].copy(),
        alpha=alpha,
        image=np.asarray(_photograph().resize(size, Image.Resampling.BILINEAR)),
        strokes=np.asarray(Image.fromarray(drawn).resize(size, Image.Resampling.NEAREST)),
    )


@lru_cache(maxsize=1)
def _photograph() -> Image.Image:
    from sklearn.datasets import load_sample_image  # imports much

    photograph = Image.fromarray(load_sample_image("china.jpg"))
    left, side = (photograph.width - photograph.height) // 2, photograph.height
    return photograph.crop((left, 0, left + side, side)).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)


def _costs(strokes: tuple[tuple[Stroke, ...], ...]) -> np.ndarray:
    """-log p_k of each pixel's colour, (K, 512, 512) float32."""
    colours = np.asarray(_photograph())
    bins = tuple(np.moveaxis(colours.astype(np.int64) * _BINS // 256, -1, 0))
    costs = []
    for of_label in strokes:
        samples = np.concatenate([colours[place].reshape(-1, 3) for place in of_label])
        counts, _ = np.histogramdd(samples, bins=_BINS, range=((0, 256),) * 3)
        counts = gaussian_filter(counts, _SMOOTHING)
        counts += _FLOOR * counts.sum() / counts.size
        costs.append(-np.log(counts / counts.sum())[bins])
    return np.asarray(costs, dtype=np.float32)
