"""Appearance near an outline: Gaussians of the colours on either side of it, each from a window around the pixel.

    log p(I(x) | object, x) - log p(I(x) | background, x),      p = N(I(x); mu(x), S(x)) + outliers

mu and S are the moments of the pixels that surely belong to the label, weighted by a Gaussian around x, as in localised
active contours (Lankton and Tannenbaum, IEEE TIP 17, 2008, doi:10.1109/TIP.2008.2004611): what is dark against a bright
wall here may be bright against a dark table there. A colour that is likely under neither, as in the blur between two
regions, says nothing.
"""

import numpy as np

from ..small_grid import resized

Array = np.ndarray

_DEVIATION = 0.06
"""Added to the colours' deviations, black to white is 1: what noise, shading and compression do to one surface."""

_LIKELY = 0.9
"""Share of a Gaussian beyond which a colour is rather an outlier's, for the less concentrated of the two."""

_LEAST = 0.02
"""Share of sure pixels in the window below which nothing is known of a label there."""


def local_log_odds(colours: Array, sure: tuple[Array, Array], width: float, step: float, where: Array) -> Array:
    """Log-odds of the object at the pixels `where`, by their colours: (n,) float32, 0 where a label has no pixels near.

    colours : (*spatial, C) float32
    sure : two (*spatial) bool arrays, pixels that surely belong to the object and to the background.
    width : standard deviation of the window, in pixels.
    step : pixels along a side of the cells on which moments are summed, at most about half of `width`.
    where : (*spatial) bool
    """
    from scipy.special import chdtri

    count = colours.shape[-1]
    moments = _products(colours)
    points, places = colours[where].astype(np.float64), np.nonzero(where)
    lengths, peaks, known = [], [], np.ones(len(points), bool)
    for mask in sure:
        share, means, covariances = _moments(moments, mask, width, step, places, count)
        known &= share > _LEAST
        factors = np.linalg.cholesky(covariances)
        away = np.linalg.solve(factors, (points - means)[..., None])[..., 0]
        peaks.append(-np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1))
        lengths.append(peaks[-1] - 0.5 * (away * away).sum(axis=-1))
    outliers = np.minimum(*peaks) - 0.5 * float(chdtri(count, 1 - _LIKELY))
    odds = np.logaddexp(lengths[0], outliers) - np.logaddexp(lengths[1], outliers)
    return np.where(known, odds, 0).astype(np.float32)


def _products(colours: Array) -> Array:
    """1, the colours, and their products: (1 + C + C (C + 1) / 2, *spatial) float32."""
    channels = np.moveaxis(colours, -1, 0)
    rows, columns = np.triu_indices(len(channels))
    return np.concatenate([np.ones_like(channels[:1]), channels, channels[rows] * channels[columns]])


def _moments(
    products: Array, mask: Array, width: float, step: float, places: tuple[Array, ...], count: int
) -> tuple[Array, Array, Array]:
    """Share of the mask in the window around each place (n,); mean (n, C) and covariance (n, C, C) of its pixels."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    cells = tuple(max(1, round(n / step)) for n in mask.shape)
    scales = [n / cell for n, cell in zip(mask.shape, cells, strict=True)]
    at = [(place + 0.5) / scale - 0.5 for place, scale in zip(places, scales, strict=True)]
    widths = [width / scale for scale in scales]

    def found(product: Array) -> Array:
        smooth = gaussian_filter(resized(product * mask, cells), widths, truncate=3)
        return map_coordinates(smooth, at, order=1, mode="nearest", output=np.float64)

    share, *sums = (found(product) for product in products)
    sums = [total / np.maximum(share, 1e-6) for total in sums]
    means = np.stack(sums[:count], axis=-1)
    covariances = np.empty((len(share), count, count))
    for k, (i, j) in enumerate(zip(*np.triu_indices(count), strict=True)):
        covariances[:, i, j] = covariances[:, j, i] = sums[count + k] - means[:, i] * means[:, j]
    return share, means, covariances + _DEVIATION**2 * np.eye(count)
