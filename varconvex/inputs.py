"""Checks of images, masks and maps from users, and their conversion to one form; other modules trust the result."""

from types import EllipsisType
from typing import Any

import numpy as np

from . import checks, memory
from .coordinates import labelled
from .errors import AxesWarning, InvalidImageError, InvalidScribblesError, ScribbleWarning
from .images import MOST_CHANNELS, unit_range, without_alpha
from .options import NanPolicy
from .scene import Scene, enough
from .scribbles import label_image

_BYTES_A_PIXEL, _BYTES_A_CHANNEL = 84, 36
"""Most memory that two labels take beside the image, measured on photographs; more labels take more in the solver."""


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
    strict = checks.boolean("strict", strict)
    image, channel_axis, spacing = labelled(image, channel_axis, spacing)
    image = _read(image)
    seeds = label_image(scribbles, image, channel_axis, strict)
    image = _channels_last(image, seeds.shape, channel_axis, rgba)
    labels, seeds = _compact(_without_outside(seeds, mask))
    _remark(seeds)
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
    image, channel_axis, spacing = labelled(image, channel_axis, spacing)
    image = _read(image)
    checks.spatial("image", image, (2, 3, 4))
    axis = channel_axis
    if isinstance(axis, EllipsisType):
        axis = -1 if image.ndim == 4 or (image.ndim == 3 and image.shape[-1] <= MOST_CHANNELS) else None
    shape = image.shape
    if axis is not None and image.ndim > 2:
        shape = tuple(int(n) for n in np.delete(shape, checks.axis(axis, image.ndim)))
    checks.spatial("image without its channels", np.empty(shape, bool))
    image = _channels_last(image, shape, axis, rgba)
    return _scene(image, (), _without_outside(np.zeros(shape, np.int64), mask).astype(np.int32), spacing, nan_policy)


def _read(image: Any) -> np.ndarray:
    """An image on the host, unless there is not enough memory to segment it."""
    array = checks.as_numeric("image", image)
    colours = array.shape[-1] if array.ndim > 2 and 0 < array.shape[-1] <= MOST_CHANNELS else 1
    memory.require(
        array.size * (_BYTES_A_CHANNEL + _BYTES_A_PIXEL / colours),
        f"segmenting an image of shape {array.shape}",
        "Cut out a part of it, or halve its size.",
    )
    return checks.host(array)


def _remark(seeds: np.ndarray) -> None:
    """A warning where scribbles leave nothing to segment, or a separate part of the image has none."""
    inside = seeds >= 0
    if (seeds != 0).all():
        checks.warn_caller(
            "scribbles should leave pixels to segment; they cover every one of them, and are returned as they are. Was "
            "a finished label image passed?",
            ScribbleWarning,
        )
    if inside.all():
        return
    from scipy.ndimage import label

    parts, count = label(inside, np.ones((3,) * seeds.ndim))
    bare = count - np.unique(parts[seeds > 0]).size
    if bare:
        first = int(np.setdiff1d(np.arange(1, count + 1), parts[seeds > 0])[0])
        where = tuple(int(i) for i in np.argwhere(parts == first)[0])
        checks.warn_caller(
            f"each separate part of the image should have a scribble; {bare} of {count} have none, the first at "
            f"{where}: there the colours alone decide. Scribble there, too, or leave it out of the mask.",
            ScribbleWarning,
        )


def _without_outside(seeds: np.ndarray, mask: Any) -> np.ndarray:
    """Seeds that are -1 outside of a mask, where one is given."""
    if mask is None:
        return seeds
    within = checks.region("mask", mask, seeds.shape)
    if not within.any():
        raise InvalidImageError("mask must mark the pixels to segment; got none. Is it inverted?")
    return np.where(within, seeds, -1)


def _scene(image: np.ndarray, labels: tuple[int, ...], seeds: np.ndarray, spacing: Any, nan_policy: NanPolicy) -> Scene:
    """The scene of an image (*spatial, C) and seeds, once its pixels have been checked."""
    good = np.isfinite(image).all(axis=-1) if image.dtype.kind == "f" else np.ones(seeds.shape, bool)
    if nan_policy == "raise":
        checks.finite("image", image, "Repair them, or pass nan_policy='mask' where that is taken.")
    if not good.any():
        raise InvalidImageError("image must have finite pixels; got NaN or infinity everywhere. Check how it was made.")
    valid = good & (seeds >= 0)
    return Scene(
        image=unit_range(image, valid),
        seeds=seeds,
        labels=labels,
        spacing=checks.unit_spacing(spacing, seeds.ndim),
        valid=valid,
        pixel_size=None if spacing is None else checks.spacing(spacing, seeds.ndim),
    )


def seeds_of_one_object(scribbles: Any, scene: Scene) -> np.ndarray:
    """Scribbles of one object, in any form and also of one label only: (*spatial) int32 of 0, 1 and 2.

    Raises
    ------
    InvalidScribblesError, UnsupportedTypeError
        If they are none, have another shape than the scene's image, or other labels.
    """
    drawn = label_image(scribbles, np.empty(scene.seeds.shape, bool), None, False)
    if drawn.shape != scene.seeds.shape:
        raise InvalidScribblesError(
            f"scribbles must have the image's spatial shape {scene.seeds.shape}; got {drawn.shape}. Scribble on the "
            "image as it is passed."
        )
    others = np.setdiff1d(drawn, [0, 1, 2])
    if others.size:
        raise InvalidScribblesError(
            f"scribbles must have labels 1 (background) and 2 (object), as the map has one object; got {others[0]}. "
            "Renumber it."
        )
    return drawn.astype(np.int32)


def probability_map(target: Any, name: str = "target") -> np.ndarray:
    """A mask or a map of probabilities as (H, W) or (D, H, W) float32 in [0, 1].

    A mask is bool, or an integer array with 0 and one other value (255 in PNG files). An InvalidImageError or
    UnsupportedTypeError, with its name, if it is neither.
    """
    target = checks.host_array(name, target)
    checks.spatial(name, target)
    checks.taken_as_volume(name, target.shape, mask=True)
    checks.finite(name, target, "Replace them by 0.5 where nothing is known.")
    if target.dtype.kind == "b":
        return target.astype(np.float32)
    if target.dtype.kind in "iu":
        values = np.unique(target)
        if (values.size == 1 and values[0] in (0, 1, 255)) or (values.size == 2 and values[0] == 0):
            return (target > 0).astype(np.float32)
        raise InvalidImageError(
            f"{name} of integers must be a mask with 0 and one other value; got {values.size} values from {values[0]} "
            f"to {values[-1]}. Pass e.g. labels == 2, or probabilities as floats in [0, 1]."
        )
    low, high = float(target.min()), float(target.max())
    if low < 0 or high > 1:
        raise InvalidImageError(
            f"{name} must hold probabilities in [0, 1]; got values from {low:g} to {high:g}. Divide by the largest "
            "value, or pass logits through a sigmoid first."
        )
    return target.astype(np.float32)


def _channels_last(
    image: np.ndarray, shape: tuple[int, ...], channel_axis: int | None, rgba: bool | None
) -> np.ndarray:
    """The image as (*spatial, C), where `shape` (the scribbles') is that of the spatial axes."""
    checks.spatial("image", image, (2, 3, 4))
    if channel_axis is not None:
        checks.axis(channel_axis, len(shape) + 1)  # also where the image turns out to have no channels
    if image.shape == shape:
        checks.taken_as_volume("image", shape, scribbled=True)
        return image[..., None]
    found = given = image.shape
    if image.ndim == len(shape) + 1 and channel_axis is not None:
        image = np.moveaxis(image, checks.axis(channel_axis, image.ndim), -1)
        found = image.shape[:-1]
    if found != shape:
        hint = " Is one of them transposed?" if found == shape[::-1] else " Scribble on the image as it is passed."
        for axis in (0, image.ndim - 1):
            if image.ndim == len(shape) + 1 and tuple(np.delete(given, axis)) == shape:
                hint = f" If axis {axis} of the image holds channels, pass channel_axis={axis}."
        raise InvalidScribblesError(
            f"scribbles must have the image's spatial shape {found}; got {shape} for an image of shape {given} "
            f"(channel_axis={channel_axis}).{hint}"
        )
    if channel_axis == -1 and image.shape[-1] > MOST_CHANNELS:
        last = len(shape)
        checks.warn_caller(
            f"image of shape {given} is taken as an image of {image.shape[-1]} channels, as the scribbles have "
            f"{last} axes; pass channel_axis={last} if that is right, or scribbles with {last + 1} coordinates if it "
            "is a volume.",
            AxesWarning,
        )
    if channel_axis == -1 and image.shape[-1] == 2:
        checks.warn_caller(
            f"image of shape {given} is taken as an image of 2 channels; pass image[..., 0] if the second is "
            f"transparency, or channel_axis={len(shape)} if both are data.",
            AxesWarning,
        )
    return without_alpha(image, len(shape), rgba)


def _compact(seeds: np.ndarray) -> tuple[tuple[int, ...], np.ndarray]:
    """The K label ids, ascending, and the seeds renumbered 1..K."""
    drawn = seeds != 0
    values = seeds[drawn]
    found = np.unique(values)
    if found.size and found[0] < -1:
        raise InvalidScribblesError(
            f"scribbles must hold -1 (outside), 0 (unlabelled) or labels from 1 on; got {found[0]}. Renumber them."
        )
    labels = enough(tuple(int(i) for i in found[found > 0]))
    compact = np.zeros(seeds.shape, np.int32)
    compact[drawn] = np.where(values > 0, np.searchsorted(labels, values) + 1, values)
    return labels, compact
