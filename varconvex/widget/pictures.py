"""What a canvas shows of an image and of an answer: planes of them, as PNG or JPEG."""

import hashlib
import io
from typing import Any

import numpy as np
from PIL import Image

from .. import checks

_LARGE = 2_000_000
"""Pixels from which on a plane is sent as JPEG: writing a PNG of 12 megapixels takes seconds."""

_UNSURE = (255, 0, 200)


class Planes:
    """The planes of an image, as a canvas shows them.

    Parameters
    ----------
    image : (*spatial) or (*spatial, C) array
        Bytes are shown as they are; of other types the range from the .1st to the 99.9th percentile. Of more than two
        channels the first three are red, green and blue.
    spatial : tuple of int
        Its spatial shape, of 2 or 3 axes.
    spacing : float or tuple of float, optional
        Distance between neighbouring pixels along each axis.
    """

    def __init__(self, image: Any, spatial: tuple[int, ...], spacing: Any = None):
        array = np.asarray(image)
        self.shape = tuple(spatial)
        self._image = array[..., None] if array.shape == self.shape else array
        self._spacing = checks.spacing(spacing, len(self.shape))
        self._low, self._high = _window(self._image)
        known = hashlib.blake2b(repr((array.shape, array.dtype.str)).encode(), digest_size=12)
        known.update(np.ascontiguousarray(array.reshape(-1)[:: max(1, array.size // 1_000_003)]).tobytes())
        self.digest = known.hexdigest()

    def header(self, axis: int) -> dict[str, Any]:
        """Size of a plane across `axis`, and height and width of its pixels in units of the smaller one."""
        rows, columns = self.axes(axis)
        step = np.array([self._spacing[rows], self._spacing[columns]])
        return {
            "rows": self.shape[rows],
            "columns": self.shape[columns],
            "shape": list(self.shape),
            "step": (step / step.min()).tolist(),
            "digest": self.digest,
        }

    def axes(self, axis: int) -> tuple[int, int]:
        """The axes of the image that are rows and columns of a plane across `axis`."""
        rows, columns = (0, 1) if len(self.shape) == 2 else tuple(a for a in range(3) if a != axis)
        return rows, columns

    def plane(self, array: np.ndarray, axis: int, index: int) -> np.ndarray:
        """Rows and columns of an array (*spatial, ...) in a plane."""
        return array if len(self.shape) == 2 else np.take(array, index, axis)

    def picture(self, axis: int, index: int) -> tuple[str, bytes]:
        """Media type and bytes of the picture of a plane."""
        values = self.plane(self._image, axis, index)
        values = values[..., :3] if values.shape[-1] >= 3 else values[..., 0]
        if values.dtype != np.uint8:
            scaled = (np.nan_to_num(values.astype(np.float64)) - self._low) * (255 / (self._high - self._low))
            values = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
        picture, file = Image.fromarray(np.ascontiguousarray(values)), io.BytesIO()
        if values.shape[0] * values.shape[1] < _LARGE:
            picture.save(file, "PNG", compress_level=1)
            return "image/png", file.getvalue()
        picture.save(file, "JPEG", quality=92, subsampling=0)
        return "image/jpeg", file.getvalue()


def doubt(shades: np.ndarray) -> bytes:
    """A PNG that covers pixels the more, the less certain they are: (H, W) float, 0 doubtful to 1 certain."""
    covered = np.clip(np.rint(255 * (1 - shades)), 0, 255).astype(np.uint8)
    picture, file = Image.fromarray(covered), io.BytesIO()  # of palette colours that grow opaque
    picture.putpalette(_UNSURE * 256)
    picture.save(file, "PNG", compress_level=1, transparency=bytes(range(256)))
    return file.getvalue()


def _window(image: np.ndarray) -> tuple[float, float]:
    """The intensities that are black and white."""
    values = image.reshape(-1)[:: max(1, image.size // 1_000_003)]
    values = values[np.isfinite(values)].astype(np.float64)
    if image.dtype == bool or not values.size or (image.shape[-1] >= 3 and values.min() >= 0 and values.max() <= 1):
        return 0.0, 1.0
    low, high = np.percentile(values, [0.1, 99.9])
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)
