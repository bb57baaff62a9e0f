"""Which part of an image layer is segmented, and where it is in the world; no layer is changed here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidImageError, InvalidScribblesError

PLACED = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""What a layer is created with so that it lies where another one lies."""

_SHEARED = 0.02
"""Cosine of the angle between two axes from which on they are not taken as perpendicular: that of 89 degrees."""


@dataclass(frozen=True)
class Region:
    """A plane or a volume of image layers of one shape, which are channels if there are several.

    Attributes
    ----------
    names : tuple of str
        The layers.
    place : tuple of int or None
        Index of the region along each spatial axis; None along those that it has all of.
    spacing : tuple of float
        Distance between neighbouring pixels along each axis of the region.
    shape : tuple of int
        Pixels of the whole layer along each spatial axis.
    """

    names: tuple[str, ...]
    place: tuple[int | None, ...]
    spacing: tuple[float, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, layers: Sequence[Any], *, volume: bool, point: Sequence[float], displayed: Sequence[int]) -> "Region":
        """The region of image layers that a viewer shows.

        Parameters
        ----------
        layers : sequence of napari.layers.Image
            At least one.
        volume : bool
            Whether the region has the last three axes of a layer with as many; or else the two that are displayed.
        point : sequence of float
            Where the viewer's sliders are, in the world.
        displayed : sequence of int
            Axes of the world that the viewer displays.

        Raises
        ------
        InvalidImageError
            If the layers differ in shape, one of several has colours, or two axes of the region are not perpendicular.
        """
        first, shapes = layers[0], [spatial_shape(layer) for layer in layers]
        if len(set(shapes)) > 1 or (len(layers) > 1 and any(layer.rgb for layer in layers)):
            found = ", ".join(f"{layer.name} {shape}{' with colours' * layer.rgb}" for layer, shape in
                              zip(layers, shapes, strict=True))  # fmt: skip
            raise InvalidImageError(
                f"several images are taken as channels and must be grey, of one shape; got {found}. Select one of them."
            )
        ndim, shape = first.ndim, shapes[0]
        # A layer with fewer axes than the world has its last ones.
        here = np.rint(first.world_to_data(np.asarray(point, float)))[-ndim:]
        shown = [axis - (len(point) - ndim) for axis in displayed]
        shown = sorted(axis for axis in shown if axis >= 0)[-2:]
        whole = range(ndim)[-3:] if volume else shown if len(shown) == 2 else range(ndim)[-2:]
        inside = np.clip(here, 0, np.array(shape) - 1).astype(int)
        place = tuple(None if axis in whole else int(inside[axis]) for axis in range(ndim))
        return cls(tuple(layer.name for layer in layers), place, _spacing(first, list(whole)), shape)

    @property
    def index(self) -> tuple[int | slice, ...]:
        """The region as an index of arrays of the layer's spatial shape."""
        return tuple(slice(None) if at is None else at for at in self.place)

    def pixels(self, layers: Sequence[Any]) -> np.ndarray:
        """The region's pixels of image layers: (*spatial), or (*spatial, C) of colours or of several layers."""
        parts = [np.asarray(_finest(layer)[self.index]) for layer in layers]
        return parts[0] if len(parts) == 1 else np.stack(parts, axis=-1)

    def keywords(self, layers: Sequence[Any]) -> dict[str, Any]:
        """What `Session` has to know of `pixels`: spacing, and where the channels are."""
        colours = layers[0].rgb or len(layers) > 1
        transparent = layers[0].rgb and _finest(layers[0]).shape[-1] == 4
        known: dict[str, Any] = {"rgba": True} if transparent else {}
        return {**known, "spacing": self.spacing, "channel_axis": -1 if colours else None}

    def seeds(self, strokes: Any) -> np.ndarray:
        """The region's part of a Labels layer as scribbles: (*spatial) int64, a copy; what is below 0 is 0.

        Raises
        ------
        InvalidScribblesError
            If the layer has another shape than the image.
        """
        data = _finest(strokes)
        if tuple(data.shape) != self.shape:
            raise InvalidScribblesError(
                f"strokes must have the shape {self.shape} of the image; layer {strokes.name!r} has "
                f"{tuple(data.shape)}. Choose another layer, or make one with New."
            )
        return np.maximum(np.asarray(data[self.index]), 0).astype(np.int64)

    def write(self, values: np.ndarray, whole: np.ndarray | None) -> np.ndarray:
        """`values` of the region in an array of the layer's shape: `whole`, or one of zeros."""
        target = np.zeros(self.shape, np.int32) if whole is None else whole
        target[self.index] = values
        return target

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points of the region, (n, d) in its pixels, in pixels of the layer: (n, ndim)."""
        found = np.empty((len(points), len(self.place)))
        found[:] = [0 if at is None else at for at in self.place]
        found[:, [axis for axis, at in enumerate(self.place) if at is None]] = points
        return found


def spatial_shape(layer: Any) -> tuple[int, ...]:
    """Pixels of an image or Labels layer along each axis, without that of colours; of a pyramid at its finest level."""
    return tuple(int(n) for n in _finest(layer).shape[: layer.ndim])


def placed_like(layer: Any) -> dict[str, Any]:
    """Keywords with which a new layer of as many axes lies where this one lies."""
    return {name: getattr(layer, name) for name in PLACED if hasattr(layer, name)}


def _finest(layer: Any) -> Any:
    """The data of a layer; of a pyramid its finest level."""
    return layer.data[0] if layer.multiscale else layer.data


def _spacing(layer: Any, axes: list[int]) -> tuple[float, ...]:
    """Distance in the world between neighbouring pixels along these axes, whichever transforms a layer has."""
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    steps = np.stack([np.asarray(layer.data_to_world(np.eye(layer.ndim)[axis])) - origin for axis in axes])
    lengths = np.linalg.norm(steps, axis=1)
    between = steps @ steps.T / np.outer(lengths, lengths)
    if not (np.abs(between - np.eye(len(axes))) < _SHEARED).all():
        raise InvalidImageError(
            f"the axes of layer {layer.name!r} must be perpendicular in the world; got a shear between them. Resample "
            "the image, or take the shear away."
        )
    return tuple(float(length) for length in lengths)
