"""Images of xarray: which axis has channels, and how far apart pixels are, by the names and coordinates of axes."""

from types import EllipsisType
from typing import Any

import numpy as np

from .errors import InvalidImageError

_CHANNELS = ("c", "channel", "channels", "band", "bands", "rgb", "rgba", "s", "colour", "color")

_UNEVEN = 1e-3
"""Largest deviation of a distance between coordinates from their median, as a share of it."""


def labelled(image: Any, channel_axis: int | EllipsisType | None, spacing: Any) -> tuple[Any, Any, Any]:
    """An image's numbers, its channels' axis and its spacing, both by its axes if it is an xarray; others as they are.

    An axis named like channels has them, where `channel_axis` is -1 or not given. Coordinates along every other axis
    are the spacing, where none is given. An InvalidImageError if these are not evenly spaced.
    """
    if not all(hasattr(image, name) for name in ("dims", "coords", "values")) or callable(image.values):
        return image, channel_axis, spacing
    names = [str(name).lower() for name in image.dims]
    if channel_axis in (-1, ...):
        channel_axis = next((k for k, name in enumerate(names) if name in _CHANNELS), channel_axis)
    if spacing is None:
        bare = (
            bool(names) and names[-1] not in ("z", "y", "x") and image.dims[-1] not in image.coords and image.ndim > 2
        )
        channels = image.ndim - 1 if channel_axis in (-1, ...) and bare else channel_axis
        steps = [_step(image, name) for k, name in enumerate(image.dims) if k != channels]
        spacing = None if None in steps or len(steps) not in (2, 3) else tuple(steps)
    return image.values, channel_axis, spacing


def _step(image: Any, name: Any) -> float | None:
    """Distance between the coordinates along an axis; None where there are no numbers."""
    if name not in image.coords:
        return None
    places = np.asarray(image.coords[name].values)
    if places.ndim != 1 or len(places) < 2 or places.dtype.kind not in "iuf":
        return None
    gaps = np.diff(places.astype(np.float64))
    middle = float(np.median(gaps))
    if not middle or not (np.abs(gaps - middle) <= _UNEVEN * abs(middle)).all():
        raise InvalidImageError(
            f"coordinates along {name!r} must be evenly spaced; got distances from {gaps.min():g} to {gaps.max():g}. "
            "Resample the image, or pass spacing=."
        )
    return abs(middle)
