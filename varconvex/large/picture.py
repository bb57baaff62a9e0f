"""An image that is read by rows, and what has to be known of all of it before any pixel has a cost.

Whatever has `shape`, `dtype` and slicing will do: arrays of Zarr, Dask and HDF5, maps of memory.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..colour import features
from ..errors import InvalidImageError
from ..images import Range, without_alpha


class Picture:
    """An image of `shape` (H, W) with `channels`, as a user passed it; errors are those of `segment`."""

    def __init__(self, image: Any, channel_axis: int | None, rgba: bool | None) -> None:
        shape = tuple(int(n) for n in image.shape)
        if len(shape) == 3 and channel_axis is not None:
            self._axis: int | None = checks.axis(channel_axis, 3)
        elif len(shape) == 2:
            self._axis = None
        else:
            raise InvalidImageError(
                f"an image on disk must be (H, W), or have channels along channel_axis; got shape {shape} and "
                f"channel_axis={channel_axis}. Load volumes first: np.asarray(image)."
            )
        checks.spatial("image", np.broadcast_to(np.zeros(1, np.uint8), shape))
        kind = np.dtype(image.dtype)
        checks.as_numeric("image", np.zeros(1, kind))
        height, width = (n for k, n in enumerate(shape) if k != self._axis)
        self.shape = (height, width)
        self._rgba, self._image = rgba, image
        # Told before anything is read.
        one = np.zeros((1, 1, 1 if self._axis is None else shape[self._axis]), kind)
        self.channels, self.dtype = without_alpha(one, 2, rgba).shape[-1], kind

    def rows(self, first: int, last: int) -> np.ndarray:
        """These rows: (last - first, W, C) of finite numbers in the host's byte order."""
        along = [slice(None)] * (2 + (self._axis is not None))
        along[1 if self._axis == 0 else 0] = slice(first, last)
        try:
            found = np.asarray(self._image[tuple(along)])
        except Exception as error:
            raise InvalidImageError(
                f"each chunk of the image must be readable; rows {first} to {last} are not ({type(error).__name__}: "
                f"{error}). What has been done stays in scratch: mend the image and call again."
            ) from error
        found = checks.host(found)
        found = found[..., None] if self._axis is None else np.moveaxis(found, self._axis, -1)
        found = without_alpha(found, 2, self._rgba)
        good = np.isfinite(found).all() if found.dtype.kind == "f" else True
        if not good:
            where = np.argwhere(~np.isfinite(found))[0]
            raise InvalidImageError(
                f"image must be finite everywhere; got NaN or infinity first at row {first + int(where[0])}, column "
                f"{int(where[1])}. Repair it: nan_policy='mask' is for images in memory."
            )
        return found


@dataclass(frozen=True, eq=False)
class Survey:
    """Range, checksums, block means and sampled pixels of an image, found by reading it once.

    Attributes
    ----------
    limits : Range
        Of all numbers.
    checksum : int
        Of all bytes, and of each band.
    bands : (n,) int64 array
        Checksum up to the end of each band.
    means : (h, w, C) float64
        Mean of each block of pixels.
    samples : list of (m, C) arrays
        The pixels that were asked for.
    """

    limits: Range
    bands: np.ndarray
    means: np.ndarray
    samples: list[np.ndarray]

    @property
    def checksum(self) -> int:
        """Of the whole image."""
        return int(self.bands[-1])

    def colours(self, image: np.ndarray) -> np.ndarray:
        """Colours, see `features`, of numbers (..., C) on the scale of the image: float32."""
        return features(self.limits.unit(image))


def survey(picture: Picture, band: int, block: list[int], wanted: Sequence[np.ndarray]) -> Survey:
    """One pass over an image by bands of `band` rows, which whole blocks (rows, columns) of pixels make up.

    `wanted` are ascending flat indices of pixels.
    """
    height, width = picture.shape
    sums = np.zeros((-(-height // block[0]), -(-width // block[1]), picture.channels))
    checksum, ranges = 0, []
    bands, samples = [], [np.zeros((pixels.size, picture.channels), picture.dtype) for pixels in wanted]
    for first in range(0, height, band):
        rows = picture.rows(first, min(first + band, height))
        checksum = checksum_of(np.ascontiguousarray(rows), checksum)
        bands.append(checksum)
        ranges.append(Range.of(rows))
        # Sums of slices: `reduceat` along the first axis takes forty times as long.
        down = np.stack([rows[a : a + block[0]].sum(axis=0, dtype=np.float64) for a in range(0, len(rows), block[0])])
        across = np.add.reduceat(down, np.arange(0, width, block[1]), axis=1)
        sums[first // block[0] : first // block[0] + len(across)] = across
        for found, pixels in zip(samples, wanted, strict=True):
            a, b = np.searchsorted(pixels, (first * width, (first + len(rows)) * width))
            found[a:b] = rows.reshape(-1, picture.channels)[pixels[a:b] - first * width]
    counts = [
        np.minimum(np.arange(0, n, b) + b, n) - np.arange(0, n, b) for n, b in zip(picture.shape, block, strict=True)
    ]
    means = sums / (counts[0][:, None, None] * counts[1][:, None])
    limits = Range(min(one.low for one in ranges), max(one.high for one in ranges))
    limits.warn_of_one_number()
    return Survey(limits, np.array(bands), means, samples)


def checksum_of(rows: np.ndarray, begin: int) -> int:
    """The checksum of an image's first rows, `begin`, carried on over the next ones, which are contiguous."""
    octets: Any = rows.view(np.uint8).reshape(-1)
    return zlib.crc32(octets, begin)


def check_unchanged(known: Survey, band: int, checksum: int) -> None:
    """An error where an image is no longer what it was in the first pass."""
    if checksum != int(known.bands[band]):
        raise InvalidImageError(
            f"an image must stay as it is while it is segmented; band {band} of its rows has changed since it was read "
            "first. Wait until it is complete, and call again with an empty scratch."
        )
