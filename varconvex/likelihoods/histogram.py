"""A smoothed histogram of each label's colours, the same in the whole image.

cost_k(x) = -log((1 - outliers) (G_sigma * h_k)(I(x)) + outliers / cells)
"""

from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError
from ..inputs import Scene
from ..keywords import known_keywords
from .base import CLIP, bounded, change, training_pixels

_MAX_CHANNELS = 3
_MAX_CELLS = 1 << 24
_LEAST_SHARE = 1e-300
"""Of it every bin still gets a share."""

_MAX_WORK = 1e9


@known_keywords
@dataclass(frozen=True)
class HistogramLikelihood:
    """Joint histograms of the scribbles' colours: a Parzen window, binned.

    Bins are cubes over the range of the image's colours. The cost is one look-up a pixel, whatever the
    scribbles' size.

    Parameters
    ----------
    sigma : float, more than 0
        Width of the Gaussian that smooths the histogram; black to white is 1. Bigger calls more colours
        alike; smaller asks for the very colours of the strokes; towards 0 it is the plain histogram.
    bin_width : float, more than 0
        Side of a bin, in the same unit. Bigger is coarser; smaller is closer to the unbinned density, but the
        bins' number grows with the power of the channels. Half of `sigma` loses hardly anything.
    outliers : float in (0, 1)
        Share of pixels whose colours no stroke of their label has shown. Bigger makes rare colours count less;
        towards 0 a new colour is impossible.
    clip : float or None
        Bound on the difference between labels at one pixel, in nats. Bigger gives the colours more weight beside
        the boundary; 0 makes all labels equal at every pixel; None is no bound.

    References
    ----------
    Boykov, Jolly, Interactive Graph Cuts, ICCV 2001, doi:10.1109/ICCV.2001.937505
    """

    sigma: float = 0.1
    bin_width: float = 0.05
    outliers: float = 0.01
    clip: float | None = CLIP

    def __post_init__(self) -> None:
        for name, least in (("sigma", 0.0), ("bin_width", 0.0), ("outliers", _LEAST_SHARE)):
            change(self, **{name: checks.real_number(name, getattr(self, name), least=least, strict=True)})
        if self.outliers >= 1:
            raise InvalidParameterError(
                f"outliers must be less than 1; got {self.outliers:g}. Pass a small share, as 0.01."
            )
        if self.clip is not None:
            change(self, clip=checks.real_number("clip", self.clip))

    def costs(self, scene: Scene) -> np.ndarray:
        """(K, *spatial) float32, in nats; see `Likelihood.costs`.

        Raises
        ------
        InvalidImageError
            If the image has more than three channels, or `bin_width` would make more than 2^24 bins.
        """
        from scipy.ndimage import gaussian_filter

        bins, shape = self._bins(scene)
        # Wider than eight times the whole histogram it is flat.
        cells, width = int(np.prod(shape)), min(self.sigma / self.bin_width, 8.0 * max(shape))
        if width * cells * len(shape) > _MAX_WORK:
            raise InvalidImageError(
                f"smoothing the histogram may take at most {_MAX_WORK:g} additions; got {shape} bins and a width of "
                f"{width:.3g} of them. Pass a bigger bin_width: half of sigma loses hardly anything."
            )
        costs = []
        for mine in training_pixels(scene):
            counts = np.bincount(bins[mine], minlength=cells).reshape(shape)
            share = gaussian_filter(counts / mine.size, width, mode="constant").ravel()
            costs.append(-np.log((1 - self.outliers) * share + self.outliers / cells)[bins])
        return bounded(np.reshape(costs, (-1, *scene.seeds.shape)), scene, self.clip)

    def _bins(self, scene: Scene) -> tuple[np.ndarray, tuple[int, ...]]:
        """(n,) flat index of each pixel's bin, and the number of bins along each channel."""
        channels = scene.image.shape[-1]
        if channels > _MAX_CHANNELS:
            raise InvalidImageError(
                f"a joint histogram takes at most {_MAX_CHANNELS} channels; got {channels}. Use the "
                "Nieuwenhuis-Cremers or the Gaussian mixture likelihood."
            )
        colours = scene.colours.reshape(-1, channels)
        low = colours[scene.valid.ravel()].min(axis=0)
        side = max(self.bin_width, 1e-30)  # float32 colours divided by it stay finite, and the bins are refused
        cell = np.maximum(np.floor((colours - low) / side), 0).astype(np.float64)
        bins = cell.max(axis=0) + 1
        if np.prod(bins) > _MAX_CELLS:
            raise InvalidImageError(
                f"the histogram may have at most {_MAX_CELLS} bins; got {' x '.join(f'{n:g}' for n in bins)} with a "
                f"bin_width of {self.bin_width:g}. Pass a bigger one."
            )
        cell, shape = cell.astype(np.int64), tuple(int(n) for n in bins)
        return np.ravel_multi_index(tuple(cell.T), shape), shape
