"""What the axes and the numbers of an image mean: volume or colours, transparency, the unit of integers.

One rule for every function that takes an image. An array of three axes is a volume, unless `channel_axis` says which of
them holds channels; where one looks like colours a warning says so (`checks.taken_as_volume`). Four channels may hold
transparency, so that `rgba` has to say what they are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import checks
from .errors import DataTermWarning, InvalidImageError

MOST_CHANNELS = 4
"""A last axis that is longer is probably a spatial one, where nothing else says what it is."""

_UNITS = (1, 2**8 - 1, 2**10 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1, 2**32 - 1)
"""Largest values of masks, and of cameras' integers of 8 to 32 bits, in whatever type they are stored."""


def plain_image(image: Any, channel_axis: int | None, rgba: bool | None) -> Any:
    """An image of finite numbers on the device that holds it, without its transparency; errors as `intensities`."""
    image = checks.as_numeric("image", image)
    channels = channel_axis is not None
    checks.spatial("image", image, (3, 4) if channels else (2, 3), channels)
    if channel_axis is not None:
        image = without_alpha(image, checks.axis(channel_axis, image.ndim), rgba)
    else:
        checks.taken_as_volume("image", image.shape)
    checks.finite("image", image, "Repair them first: every pixel is data here.")
    return image


def intensities(image: Any, channel_axis: int | None, rgba: bool | None) -> Any:
    """An image in floats, on the device that holds it: integers divided by the largest value of their kind.

    That is the largest of their type, unless they are masks or come from a camera of fewer bits: then a warning says by
    what they are divided. An InvalidImageError, InvalidParameterError or UnsupportedTypeError if it is no image of two
    or three dimensions, or has four channels without `rgba`.
    """
    image = plain_image(image, channel_axis, rgba)
    if image.dtype.kind in "iu":
        return image.astype(np.float64) / _unit(image)
    return image.astype(np.float32) if image.dtype.kind == "b" else image


def unit_image(image: Any, channel_axis: int | None, rgba: bool | None) -> np.ndarray:
    """An image as (*spatial, C) float32 in [0, 1], scaled by its own range, on the host; errors as `intensities`."""
    image = checks.host(plain_image(image, channel_axis, rgba))
    image = image[..., None] if channel_axis is None else np.moveaxis(image, channel_axis, -1)
    return unit_range(image, np.ones(image.shape[:-1], bool))


def without_alpha(image: Any, axis: int, rgba: bool | None) -> Any:
    """An image whose channels are along `axis`, without its transparency where `rgba`; four need it to be said."""
    if rgba is not None:
        rgba = checks.boolean("rgba", rgba)
    if image.shape[axis] != 4:
        return image
    if rgba is None:
        raise InvalidImageError(
            f"image must have colour channels only; got 4 channels (shape {image.shape}), of which the last may be "
            "transparency. Pass rgba=True to leave it out, or rgba=False if all four are data."
        )
    return image[(slice(None),) * axis + (slice(3),)] if rgba else image


@dataclass(frozen=True)
class Range:
    """From the number of an image that becomes 0, `low`, to the one that becomes 1, `high`; int for integers."""

    low: float
    high: float

    @classmethod
    def of(cls, numbers: np.ndarray) -> "Range":
        """The range of numbers of an image; (0, 0) if there are none."""
        as_python = float if numbers.dtype.kind == "f" else int
        return cls(as_python(numbers.min()), as_python(numbers.max())) if numbers.size else cls(0, 0)

    def warn_of_one_number(self) -> None:
        """A warning if there is only one number in the whole image."""
        if not self.high > self.low:
            checks.warn_caller(
                "the image should vary; got one value everywhere, so the data term says nothing except at the "
                "scribbles. Check the image.",
                DataTermWarning,
            )

    def unit(self, image: np.ndarray) -> np.ndarray:
        """Numbers of an image in [0, 1]: float32; all of them 0 if the range holds only one."""
        if not self.high > self.low:
            return np.zeros(image.shape, np.float32)
        if image.dtype.kind in "iu" and max(-self.low, self.high) > 2**53:
            # float64 would round them, but not their differences, which are computed modulo 2^64.
            offset = image.astype(np.uint64) - np.uint64(int(self.low) % 2**64)
            return Range(0, self.high - self.low)._scaled(offset)
        levels = 256**image.dtype.itemsize
        if image.dtype.kind not in "biu" or image.dtype.itemsize > 2 or image.size <= levels:
            return self._scaled(image)
        code = np.dtype(f"u{image.dtype.itemsize}")
        return self._scaled(np.arange(levels, dtype=code).view(image.dtype))[image.view(code)]

    def _scaled(self, image: np.ndarray) -> np.ndarray:
        # A power of two first: differences of the largest floats would overflow, and scaling by it is exact.
        scale = 2.0 ** min(-float(np.floor(np.log2(max(-self.low, self.high)))), 1000.0)
        low, high = self.low * scale, self.high * scale
        unit = image.astype(np.float64)
        unit *= scale
        unit -= low
        unit /= high - low
        return unit.astype(np.float32)


def unit_range(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Intensities in [0, 1], scaled by the range of the valid pixels over all channels; invalid pixels are 0."""
    everywhere = bool(valid.all())
    limits = Range.of(image if everywhere else image[valid])
    limits.warn_of_one_number()
    unit = limits.unit(image if everywhere else np.where(valid[..., None], image, 0))
    if not everywhere:
        unit[~valid] = 0
    return unit


def _unit(image: Any) -> int:
    """What integers are divided by; a warning where that is not the largest value of their type."""
    most, largest = int(np.iinfo(image.dtype).max), max(-int(image.min()), int(image.max()))
    unit = min((unit for unit in _UNITS if largest <= unit < most), default=most)
    if unit != most and largest:
        checks.warn_caller(
            f"integers are divided by the largest value of their type, {most} for {image.dtype}; the image's largest "
            f"is {largest}, so it is divided by {unit}. Pass floats, e.g. image / {most}, if that is not its unit.",
            DataTermWarning,
        )
        return unit
    return most
