"""Edge weights: factors on the cost of a boundary that are small where the image has contrast. There are two models.

Of the total variation (`contrast_weight`), a number per pixel:

    g(x) = floor + (1 - floor) exp(-beta |grad I(x)|^2 / (2 mean |grad I|^2))

Of outlines, for which the unit normal n of the boundary is known (`contrast_tensors`, in joint unification only):

    g(x, n) = mean over scales of exp(-n' T(x) n),      T = sum over channels grad I grad I' / mean |grad I|^2

Both are relative to the image's own mean contrast, as in GrabCut, so neither range nor contrast of an image matters.
The second has no parameters: its exponent is that of beta = 2, it has no floor, and its scales are shares of the
image's side. `beta`, `scale` and `floor` of `contrast_weight` have no influence on it. Weights given as an array are
factors in both.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import checks
from .colour import features as colours_of
from .errors import InvalidImageError, InvalidParameterError
from .images import unit_range, without_alpha
from .keywords import known_keywords
from .threads import run

BETA = 2.0
"""An edge of the image's root-mean-square contrast costs 0.43 of a flat place (0.1 + 0.9 exp(-1))."""

SCALE = 1.0
"""Pixels: about the blur that sampling and compression leave."""

FLOOR = 0.1
"""Ten pixels of boundary along a strong edge cost as much as one across a flat place."""


@known_keywords
def contrast_weight(
    image: Any,
    *,
    spacing: Any = None,
    beta: float = BETA,
    scale: float = SCALE,
    floor: float = FLOOR,
    valid: np.ndarray | None = None,
    rgba: bool | None = None,
    features: Any = None,
) -> np.ndarray:
    """Factor on the cost of a boundary at each pixel, small where the image has edges.

    Parameters
    ----------
    image : (*spatial, C) array, or (*spatial) if `spacing` is a tuple with an entry for each of its axes
        Intensities; three channels are taken as sRGB in [0, 1], compared in Lab. Integers, and floats beyond [0, 1],
        are scaled by their own range, as in `segment`.
    spacing : float or tuple of float, optional
        Distance between neighbouring pixels along each spatial axis.
    beta : float, at least 0
        Sensitivity. Bigger makes weaker edges cheap, too; smaller only the strongest; 0 makes all weights 1.
    scale : float, at least 0
        Standard deviation in pixels of the smoothing before the gradient. Bigger ignores more noise and texture, but
        localises edges less; 0 does not smooth.
    floor : float in [0, 1]
        Smallest weight. Bigger makes boundaries along edges shorter and smoother; 0 makes strong edges free, however
        long and ragged; 1 makes all weights 1.
    valid : (*spatial) bool array, optional
        Pixels to take into account. Others make no edges and are not part of the mean.
    rgba : bool, optional
        Meaning of a fourth channel: True leaves it out as transparency, False takes it as data.
    features : array, callable, "timm:NAME", path of an ONNX file, torch.nn.Module, Extractor or Features, optional
        What a model says of each pixel, see `varconvex.extractors.Features`: the mean of the contrast in colour and of
        that in features, each in units of its mean, is taken. Pass the weight to `segment` as `edge_weight`.

    Returns
    -------
    (*spatial) float32
        In [floor, 1]; 1 everywhere in a flat image.

    Raises
    ------
    InvalidImageError
        If the image is not finite or has no spatial axis.
    InvalidParameterError
        If a parameter is outside its range.

    References
    ----------
    Rother, Kolmogorov, Blake, GrabCut, ACM TOG 23, 2004, doi:10.1145/1015706.1015720
    Boykov, Jolly, Interactive Graph Cuts, ICCV 2001, doi:10.1109/ICCV.2001.937505
    """
    image = checks.host_array("image", image)
    if checks.several(spacing) and len(spacing) == image.ndim:
        checks.taken_as_volume("image", image.shape)
        image = image[..., None]
    if image.ndim < 2 or 0 in image.shape:
        raise InvalidImageError(
            f"image must be (*spatial, C) with pixels and channels; got shape {image.shape}. Pass "
            "image[..., None] if it has one channel."
        )
    image = without_alpha(image, image.ndim - 1, rgba)
    checks.finite("image", image, "Replace those values, and mark them by `valid`.")
    if valid is not None:
        valid = checks.region("valid", valid, image.shape[:-1])
    beta = checks.real_number("beta", beta)
    scale = checks.real_number("scale", scale)
    floor = checks.real_number("floor", floor)
    if floor > 1:
        raise InvalidParameterError(f"floor must be in [0, 1]; got {floor:g}. 1 makes all weights 1.")
    steps = checks.unit_spacing(spacing, image.ndim - 1)
    pixels = image if valid is None else image[valid]
    low, high = (pixels.min(), pixels.max()) if pixels.size else (0, 0)
    if low == high and features is None:
        return np.ones(image.shape[:-1], np.float32)
    if image.dtype.kind in "iu" or low < 0 or high > 1:
        image = unit_range(image, np.ones(image.shape[:-1], bool) if valid is None else valid)
    colours = colours_of(image)
    if features is None:
        return colour_contrast_weight(colours, steps, valid, beta=beta, scale=scale, floor=floor)
    from .extractors.features import features_of

    channels = (colours, features_of(features, image))
    contrasts = [_in_means(*squared_gradient(each, steps, scale, valid)) for each in channels]
    return weight_of_contrast(np.mean(contrasts, axis=0), 1.0, beta=beta, floor=floor)


def _in_means(contrast: np.ndarray, known: np.ndarray) -> np.ndarray:
    """|grad I|^2 in units of its mean where it is known; 0 for a flat image, which is flat up to rounding."""
    mean = float(contrast[known].mean()) if known.any() else 0.0
    return contrast / mean if mean > np.finfo(np.float32).eps ** 2 else np.zeros_like(contrast)


def colour_contrast_weight(
    colours: np.ndarray,
    steps: tuple[float, ...],
    valid: np.ndarray | None,
    *,
    beta: float = BETA,
    scale: float = SCALE,
    floor: float = FLOOR,
) -> np.ndarray:
    """`contrast_weight` of an image whose colours ((*spatial, C) float32, see `colour.features`) are known already."""
    contrast, known = squared_gradient(colours, steps, scale, valid)
    mean = float(contrast[known].mean()) if known.any() else 0.0
    return weight_of_contrast(contrast, mean, beta=beta, floor=floor)


def weight_of_contrast(contrast: np.ndarray, mean: float, *, beta: float = BETA, floor: float = FLOOR) -> np.ndarray:
    """g of |grad I|^2 at some pixels of an image whose `mean` is this: float32."""
    # A flat image that has been smoothed is flat up to rounding, which makes no edges.
    if mean <= np.finfo(np.float32).eps ** 2:
        return np.ones(contrast.shape, np.float32)
    weight = floor + (1 - floor) * np.exp(-beta * (contrast / (2 * mean)))
    return np.clip(weight, floor, 1).astype(np.float32)


SCALES = (0.0025, 0.00625)
"""Standard deviations of the smoothing before the gradients of `contrast_tensors`, as shares of the image's side: for
sharp edges, and for blurred ones."""


def contrast_tensors(image: np.ndarray, valid: np.ndarray) -> list[np.ndarray]:
    """Normalised structure tensors of an image (H, W, C) on square pixels: contrast by direction, a scale an entry.

    (3, H, W) float64 each: entries 00, 01 and 11 of T, relative to the image's mean contrast; 0 in a flat image and
    where a pixel or a neighbour is not `valid`.
    """
    from scipy.ndimage import binary_erosion

    channels = colours_of(image)
    side = float(valid.size) ** 0.5
    known = binary_erosion(valid, border_value=1)
    found = []
    for scale in SCALES:
        tensor = np.zeros((3, *valid.shape))
        for smooth in _smoothed(channels, (1.0, 1.0), max(scale * side, 0.5), valid):
            down, right = (np.gradient(smooth, axis=k) if n > 1 else 0 * smooth for k, n in enumerate(valid.shape))
            tensor += (down * down, down * right, right * right)
        tensor *= known
        mean = float((tensor[0] + tensor[2])[known].mean()) if known.any() else 0.0
        found.append(tensor / mean if mean > np.finfo(np.float32).eps ** 2 else 0 * tensor)
    return found


def _smoothed(channels: np.ndarray, steps: tuple[float, ...], scale: float, valid: np.ndarray) -> Iterator[np.ndarray]:
    """Each channel smoothed over valid pixels (normalised convolution), float32."""
    from scipy.ndimage import gaussian_filter

    within = valid.astype(np.float32)
    pixel = float(np.prod(steps)) ** (1 / len(steps))
    # Wider than the image is as wide as the image.
    widths = [min(scale * pixel / step, 4.0 * n) for step, n in zip(steps, channels.shape[:-1], strict=True)]
    each = [(channel,) for channel in np.moveaxis(channels, -1, 0)]
    if valid.all():
        yield from run(lambda channel: gaussian_filter(channel, widths), each)
        return
    share = np.maximum(gaussian_filter(within, widths), 1e-6)
    yield from run(lambda channel: gaussian_filter(channel * within, widths) / share, each)


def squared_gradient(
    channels: np.ndarray, steps: tuple[float, ...], scale: float, valid: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """|grad I|^2 by forward differences, as in the total variation, and where all pixels that enter it are valid."""
    known = np.ones(channels.shape[:-1], bool) if valid is None else valid.copy()
    total = np.zeros(channels.shape[:-1], np.float64)
    for smooth in _smoothed(channels, steps, scale, known):
        for axis, step in enumerate(steps):
            change = np.diff(smooth, axis=axis)
            if step != 1:
                change /= step
            total[tuple(slice(-1) if k == axis else slice(None) for k in range(total.ndim))] += change * change
    if valid is not None:
        from scipy.ndimage import binary_dilation

        known &= ~binary_dilation(~known)
        total[~known] = 0
    return total, known
