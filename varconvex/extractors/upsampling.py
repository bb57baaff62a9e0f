"""Maps of features on the cells of a coarse grid, brought to the image's pixels.

    bilinear   between the centres of the cells
    guided     q = mean(a) I + mean(b),   a = cov(I, p) / (var(I) + e),   b = mean(p) - a mean(I)

p is the bilinear map, I the image's brightness; means are over windows of three cells around each pixel. In each
window q is linear in I, so that where the image has an edge, the features have it, too (guided filter; He, Sun, Tang
2013, doi:10.1109/TPAMI.2012.213).
"""

import numpy as np

from ..threads import run

_SLIGHT = 1e-3
"""e: contrast, as a variance of brightness in [0, 1], from which on a window has an edge."""

_REACH = 1.5
"""Radius of the windows, in cells."""


def bilinear(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values (*cells, F) over an image at the pixels of a grid of this `shape`: (*shape, F) float32."""
    from scipy.ndimage import zoom

    if values.shape[:-1] == shape:
        return values.astype(np.float32, copy=False)
    factors = [n / m for n, m in zip(shape, values.shape[:-1], strict=True)]

    def enlarged(channel: np.ndarray) -> np.ndarray:
        return zoom(channel, factors, np.float32, order=1, mode="nearest", grid_mode=True)

    return np.stack(run(enlarged, [(channel,) for channel in np.moveaxis(values, -1, 0)]), axis=-1)


def guided(values: np.ndarray, image: np.ndarray, cell: float) -> np.ndarray:
    """Values (*spatial, F) sharpened where the image (*spatial, C) in [0, 1] has edges; `cell` in pixels."""
    from scipy.ndimage import uniform_filter

    size = 2 * max(round(_REACH * cell), 1) + 1
    bright = image.mean(axis=-1, dtype=np.float64)

    def mean(array: np.ndarray) -> np.ndarray:
        return uniform_filter(array, size, mode="nearest")

    middle = mean(bright)
    variance = np.maximum(mean(bright * bright) - middle * middle, 0)

    def sharpened(channel: np.ndarray) -> np.ndarray:
        channel = channel.astype(np.float64)
        level = mean(channel)
        slope = (mean(bright * channel) - middle * level) / (variance + _SLIGHT)
        return (mean(slope) * bright + mean(level - slope * middle)).astype(np.float32)

    return np.stack(run(sharpened, [(channel,) for channel in np.moveaxis(values, -1, 0)]), axis=-1)
