"""Colours in a perceptually uniform space: equal distances are about equally visible differences.

sRGB -> linear light -> XYZ (D65) -> L = 116 f(Y) - 16,  a = 500 (f(X) - f(Y)),  b = 200 (f(Y) - f(Z))
"""

import numpy as np

from .threads import run

_XYZ_OF_LINEAR = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""IEC 61966-2-1 primaries."""

_WHITE = _XYZ_OF_LINEAR.sum(axis=1)
"""White point: XYZ of R = G = B = 1, so that greys have a = b = 0 exactly."""

_KNEE = 6 / 29
"""Below its cube, CIE 1976 replaces the cube root, whose slope is infinite at 0, by its tangent."""

CHROMA = 2.0
"""Weight of differences in a and b relative to those in L.

Light and shade change the lightness within one surface, and hardly its hue: lightness tells objects apart less well.
"""

_BLOCK = 1 << 15
"""Pixels that are converted at a time: what they need meanwhile stays in the processor's cache."""


def srgb_to_lab(image: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of sRGB in [0, 1]: (..., 3) float32, L in [0, 100]; a and b in about [-110, 100], 0 for greys.

    CIE 015:2018, Colorimetry, 4th edition, doi:10.25039/TR.015.2018
    """
    srgb = np.ascontiguousarray(image, np.float32)
    pixels, lab = srgb.reshape(-1, 3), np.empty((srgb.size // 3, 3), np.float32)

    def convert(first: int) -> None:
        lab[first : first + _BLOCK] = _lab(pixels[first : first + _BLOCK])

    run(convert, [(first,) for first in range(0, max(len(pixels), 1), _BLOCK)])
    return lab.reshape(srgb.shape)


def _lab(srgb: np.ndarray) -> np.ndarray:
    """`srgb_to_lab` of some pixels (n, 3)."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    ratio = linear @ (_XYZ_OF_LINEAR.T / _WHITE).astype(np.float32)
    f = np.where(ratio > _KNEE**3, np.cbrt(ratio), ratio / (3 * _KNEE**2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def features(image: np.ndarray) -> np.ndarray:
    """Coordinates in which colours are compared by Euclidean distance: (L, CHROMA a, CHROMA b) / 100, float32.

    Three channels of an image (*spatial, C) in [0, 1] are taken as sRGB; with any other number it is returned. The
    distance of black and white is 1 in both cases.
    """
    if image.shape[-1] != 3:
        return np.asarray(image, np.float32)
    lab = srgb_to_lab(image)
    lab *= np.array([0.01, 0.01 * CHROMA, 0.01 * CHROMA], np.float32)
    return lab
