"""Checks of images, masks and maps from users, and their conversion to one form; other modules trust the result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from types import EllipsisType
from typing import Any, TypeVar

import numpy as np

from . import checks
from .colour import features
from .edges import colour_contrast_weight
from .errors import DataTermWarning, InvalidImageError, InvalidScribblesError
from .options import NanPolicy
from .scribbles import label_image

T = TypeVar("T")

_MOST_CHANNELS = 4
"""A last axis that is longer is taken as a spatial one, where nothing else says what it is."""

_MOST_LABELS = 100
"""A label image with more labels is probably a photograph passed as scribbles."""


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and its scribbles after all checks.

    Attributes
    ----------
    image : (*spatial, C) float32
        Intensities in [0, 1], scaled by the image's own range.
    seeds : (*spatial,) int32
        0 unlabelled, k + 1 for a seed of the k-th label, -1 outside (not part of the problem).
    labels : tuple of int
        The K label ids of the user, ascending; ``labels[0]`` is the background.
    spacing : tuple of float
        Distance between neighbouring pixels along each spatial axis, in units in which a pixel has volume 1.
    valid : (*spatial,) bool
        Pixels whose intensities may be used; False where they were not finite (``nan_policy="mask"``) or outside.
    """

    image: np.ndarray
    seeds: np.ndarray
    labels: tuple[int, ...]
    spacing: tuple[float, ...]
    valid: np.ndarray

    @property
    def colours(self) -> np.ndarray:
        """Colours that are compared by Euclidean distances: (*spatial, C) float32, computed once; see `features`."""
        return self.once("colours", lambda: features(self.image))

    @property
    def contrast_weight(self) -> np.ndarray:
        """Edge weight by the image's contrast, in [0, 1]: (*spatial) float32, computed once; see `edges`."""
        return self.once("contrast", lambda: colour_contrast_weight(self.colours, self.spacing, self.valid))

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """The result of `compute()`, kept by its name for all scenes of this image that `with_seeds` makes."""
        known = self._known
        if name not in known:
            known[name] = compute()
        return known[name]

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {}

    def with_seeds(self, seeds: np.ndarray, labels: tuple[int, ...]) -> "Scene":
        """A scene of this image with other seeds ((*spatial) int32) and labels; pixels outside must be the same."""
        scene = replace(self, labels=labels, seeds=seeds)
        vars(scene)["_known"] = self._known  # no field: a copy with another image begins with nothing
        return scene

    def with_scribbles(self, scribbles: np.ndarray, labels: tuple[int, ...]) -> "Scene":
        """A scene of this image with scribbles from a label image ((*spatial) int) of these ascending label ids.

        Pixels outside stay outside.
        """
        seeds = np.zeros(self.seeds.shape, np.int32)
        drawn = np.flatnonzero(scribbles)
        seeds.ravel()[drawn] = np.searchsorted(labels, scribbles.ravel()[drawn]) + 1
        if not self.valid.all():
            seeds[self.seeds < 0] = -1
        return self.with_seeds(seeds, _checked(labels))

    @property
    def side(self) -> float:
        """Side N^(1/d) of the image in pixels, without those outside."""
        return float(np.count_nonzero(self.seeds >= 0)) ** (1 / self.seeds.ndim)

    def widths(self, width: float) -> list[float]:
        """A width in sides of the image as pixels along each axis."""
        return [width * self.side / step for step in self.spacing]

    def smoothed(self, values: np.ndarray, width: float) -> np.ndarray:
        """Channels ((*spatial, C)) smoothed by a Gaussian whose standard deviation is in sides of the image."""
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(values, [*self.widths(width), 0])

    def held(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels that the k-th label must hold, and those that it must avoid, pixels outside included: bool arrays."""
        inside = self.seeds == k + 1
        return inside, (self.seeds != 0) & ~inside


def prepare(
    image: Any,
    scribbles: Any,
    *,
    channel_axis: int | None = -1,
    spacing: Any = None,
    mask: Any = None,
    nan_policy: NanPolicy = "raise",
    rgba: bool | None = None,
    strict: bool = False,
) -> Scene:
    """Check an image and its scribbles and convert them to a `Scene`; parameters and errors are those of `segment`."""
    checks.one_of("nan_policy", nan_policy, NanPolicy)
    image = checks.host(checks.as_numeric("image", image))
    seeds = label_image(scribbles, image, channel_axis, strict)
    image = _channels_last(image, seeds.shape, channel_axis, rgba)
    labels, seeds = _compact(_without_outside(seeds, mask))
    return _scene(image, labels, seeds, spacing, nan_policy)


def blank_scene(
    image: Any,
    *,
    channel_axis: int | EllipsisType | None = ...,
    spacing: Any = None,
    mask: Any = None,
    nan_policy: NanPolicy = "raise",
    rgba: bool | None = None,
) -> Scene:
    """The scene of an image without scribbles and labels; parameters and errors are those of `segment`.

    Scribbles do not say here which axes are spatial. Of an image with one axis more than it could do without,
    `channel_axis` has the channels where it is passed; else the last axis, if it is no longer than four.
    """
    checks.one_of("nan_policy", nan_policy, NanPolicy)
    image = checks.host(checks.as_numeric("image", image))
    checks.spatial("image", image, (2, 3, 4))
    axis = channel_axis
    if isinstance(axis, EllipsisType):
        axis = -1 if image.ndim == 4 or (image.ndim == 3 and image.shape[-1] <= _MOST_CHANNELS) else None
    shape = image.shape
    if axis is not None and image.ndim > 2:
        shape = tuple(int(n) for n in np.delete(shape, checks.axis(axis, image.ndim)))
    checks.spatial("image without its channels", np.empty(shape, bool))
    image = _channels_last(image, shape, axis, rgba)
    return _scene(image, (), _without_outside(np.zeros(shape, np.int64), mask).astype(np.int32), spacing, nan_policy)


def _without_outside(seeds: np.ndarray, mask: Any) -> np.ndarray:
    """Seeds that are -1 outside of a mask, where one is given."""
    if mask is None:
        return seeds
    within = region("mask", mask, seeds.shape)
    if not within.any():
        raise InvalidImageError("mask must mark the pixels to segment; got none. Is it inverted?")
    return np.where(within, seeds, -1)


def _scene(image: np.ndarray, labels: tuple[int, ...], seeds: np.ndarray, spacing: Any, nan_policy: NanPolicy) -> Scene:
    """The scene of an image (*spatial, C) and seeds, once its pixels have been checked."""
    good = np.isfinite(image).all(axis=-1) if image.dtype.kind == "f" else np.ones(seeds.shape, bool)
    if nan_policy == "raise":
        checks.finite("image", image, "Repair them, or pass nan_policy='mask' to leave them out of the data term.")
    if not good.any():
        raise InvalidImageError("image must have finite pixels; got NaN or infinity everywhere. Check how it was made.")
    valid = good & (seeds >= 0)
    steps = checks.spacing(spacing, seeds.ndim)
    unit = float(np.exp(np.mean(np.log(steps))))
    return Scene(
        image=_unit_range(image, valid),
        seeds=seeds,
        labels=labels,
        spacing=tuple(step / unit for step in steps),
        valid=valid,
    )


def intensities(image: Any, channel_axis: int | None) -> Any:
    """An image in floats, on the device that holds it: integers divided by their type's largest value.

    An InvalidImageError, InvalidParameterError or UnsupportedTypeError if it is no image of two or three dimensions.
    """
    image = checks.as_numeric("image", image)
    checks.spatial("image", image, (2, 3) if channel_axis is None else (3, 4))
    if channel_axis is not None:
        checks.axis(channel_axis, image.ndim)
    elif image.ndim == 3 and image.shape[-1] in (3, 4) and min(image.shape[:2]) > 4:
        checks.warn_caller(
            f"image of shape {image.shape} is taken as a volume; pass channel_axis=-1 if its last axis holds colours.",
            DataTermWarning,
        )
    checks.finite("image", image, "Repair them first: every pixel is data here.")
    if image.dtype.kind in "iu":
        return image.astype(np.float64) / np.iinfo(image.dtype).max
    return image.astype(np.float32) if image.dtype.kind == "b" else image


def unit_image(image: Any, channel_axis: int | None) -> np.ndarray:
    """An image as (*spatial, C) float32 in [0, 1], scaled by its own range, on the host; errors as `intensities`."""
    image = checks.host(intensities(image, channel_axis))
    image = image[..., None] if channel_axis is None else np.moveaxis(image, channel_axis, -1)
    return _unit_range(image, np.ones(image.shape[:-1], bool))


def probability_map(target: Any) -> np.ndarray:
    """A mask or a map of probabilities as (H, W) or (D, H, W) float32 in [0, 1].

    A mask is bool, or an integer array with 0 and one other value (255 in PNG files). An InvalidImageError or
    UnsupportedTypeError if it is neither.
    """
    target = checks.host(checks.as_numeric("target", target))
    checks.spatial("target", target)
    checks.finite("target", target, "Replace them by 0.5 where nothing is known.")
    if target.dtype.kind == "b":
        return target.astype(np.float32)
    if target.dtype.kind in "iu":
        values = np.unique(target)
        if (values[0] >= 0 and (values.size == 1 and values[0] in (0, 1))) or (values.size == 2 and values[0] == 0):
            return (target > 0).astype(np.float32)
        raise InvalidImageError(
            f"an integer target must be a mask with 0 and one other value; got {values.size} values from {values[0]} "
            f"to {values[-1]}. Pass e.g. labels == 2, or probabilities as floats in [0, 1]."
        )
    low, high = float(target.min()), float(target.max())
    if low < 0 or high > 1:
        raise InvalidImageError(
            f"target must hold probabilities in [0, 1]; got values from {low:g} to {high:g}. Divide by the largest "
            "value, or pass logits through a sigmoid first."
        )
    return target.astype(np.float32)


def region(name: str, mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A mask (bool, or zeros and ones) as bool array of this `shape`, or an InvalidImageError."""
    mask = checks.host(checks.as_numeric(name, mask))
    if mask.shape != shape:
        raise InvalidImageError(f"{name} must have the spatial shape {shape}; got {mask.shape}. Crop it alike.")
    if mask.dtype.kind != "b" and not np.isin(mask, (0, 1)).all():
        raise InvalidImageError(
            f"{name} must be boolean; got dtype {mask.dtype} with other values than 0 and 1. Compare it."
        )
    return mask.astype(bool)


def _channels_last(
    image: np.ndarray, shape: tuple[int, ...], channel_axis: int | None, rgba: bool | None
) -> np.ndarray:
    """The image as (*spatial, C), where `shape` (the scribbles') is that of the spatial axes."""
    if 0 in image.shape or image.ndim not in (2, 3, 4):
        checks.spatial("image", image, (2, 3, 4))
    if image.shape == shape:
        return image[..., None]
    found = image.shape
    if image.ndim == len(shape) + 1 and channel_axis is not None:
        image = np.moveaxis(image, checks.axis(channel_axis, image.ndim), -1)
        found = image.shape[:-1]
    if found != shape:
        hint = " Is one of them transposed?" if found == shape[::-1] else " Scribble on the image as it is passed."
        raise InvalidScribblesError(
            f"scribbles must have the image's spatial shape {found}; got {shape} for an image of shape {image.shape} "
            f"(channel_axis={channel_axis}).{hint}"
        )
    if image.shape[-1] == 4:
        if rgba is None:
            raise InvalidImageError(
                f"image must have colour channels only; got 4 channels (shape {image.shape}), of which the last may be "
                "transparency. Pass rgba=True to leave it out, or rgba=False if all four are data."
            )
        if rgba:
            image = image[..., :3]
    return image


def _compact(seeds: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """The K label ids, ascending, and the seeds renumbered 1..K."""
    found = np.unique(seeds)
    if found[0] < -1:
        raise InvalidScribblesError(
            f"scribbles must hold -1 (outside), 0 (unlabelled) or labels from 1 on; got {found[0]}. Renumber them."
        )
    labels = _checked(tuple(int(i) for i in found[found > 0]))
    compact = np.searchsorted(labels, seeds) + 1
    return labels, np.where(seeds > 0, compact, seeds).astype(np.int32)


def _checked(labels: tuple[int, ...]) -> tuple[int, ...]:
    """Label ids, if they are enough for a segmentation and not too many."""
    if len(labels) < 2:
        names = ", ".join(str(i) for i in labels) or "none"
        raise InvalidScribblesError(
            f"scribbles must hold at least two labels (1 background, 2 object); got labels: {names}. Scribble on both "
            "the object and the background."
        )
    if len(labels) > _MOST_LABELS:
        raise InvalidScribblesError(
            f"scribbles may hold at most {_MOST_LABELS} labels; got {len(labels)}. Is it a photograph?"
        )
    return labels


def _unit_range(image: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Intensities in [0, 1], scaled by the range of the valid pixels over all channels; invalid pixels are 0."""
    # A power of two first: differences of the largest floats would overflow, and scaling by it is exact.
    values = (image if valid.all() else image[valid]).astype(np.float64)
    largest = float(np.abs(values).max(initial=0.0))
    scale = 2.0 ** min(-float(np.floor(np.log2(largest))), 1000.0) if largest > 0 else 1.0
    low, high = (values * scale).min(initial=np.inf), (values * scale).max(initial=-np.inf)
    if not high > low:
        checks.warn_caller(
            "the image should vary; got one value everywhere, so the data term says nothing except at the scribbles. "
            "Check the image.",
            DataTermWarning,
        )
        return np.zeros(image.shape, np.float32)
    unit = (np.where(valid[..., None], image, 0).astype(np.float64) * scale - low) / (high - low)
    return np.where(valid[..., None], unit, 0).astype(np.float32)
