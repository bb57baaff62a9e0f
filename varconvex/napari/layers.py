"""The layers that the plugin makes: strokes, objects and their outlines, where the image lies."""

from typing import Any

import napari
import numpy as np
from napari.layers import Labels, Shapes

from ..result import Segmentation
from .polygons import polygons
from .regions import Region, placed_like, spatial_shape


class Output:
    """The layers with answers, one of each kind for each image layer, by the image's name.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: "napari.Viewer"):
        self._viewer = viewer
        self.layers: list[Any] = []

    def show_labels(self, image: Any, region: Region, result: Segmentation) -> None:
        """Show the objects in a Labels layer, whose pixels elsewhere stay; the background is 0."""
        objects = np.where(result.mask, result.labels, 0)
        layer = self._mine(Labels, f"{image.name} objects")
        if layer is None or tuple(layer.data.shape) != region.shape:
            self._remove(layer)
            placed = placed_like(image)
            layer = Labels(region.write(objects, None), name=f"{image.name} objects", opacity=0.5, **placed)
            self._add(layer)
        else:
            region.write(objects, layer.data)
            layer.refresh()

    def show_outlines(self, image: Any, region: Region, result: Segmentation) -> None:
        """Show the outline of each part of each object as a polygon, with its label as a feature."""
        found = list(polygons(np.where(result.mask, result.labels, 0)))
        name = f"{image.name} outlines"
        self._remove(self._mine(Shapes, name))
        layer = Shapes(
            [region.points(corners) for _, corners in found] or None,
            shape_type="polygon",
            ndim=image.ndim,
            features={"label": [label for label, _ in found]},
            face_color="transparent",
            edge_color="yellow",
            edge_width=max(1.0, max(region.shape) / 400),
            name=name,
            **placed_like(image),
        )
        self._add(layer)

    def _mine(self, kind: type[Labels] | type[Shapes], name: str) -> Any:
        """The layer of this kind and name that this object made, if it is still there."""
        self.layers = [layer for layer in self.layers if layer in self._viewer.layers]
        return next((layer for layer in self.layers if isinstance(layer, kind) and layer.name == name), None)

    def _add(self, layer: Any) -> None:
        """Add a layer below what is painted on: the layer that was active stays so."""
        active: Any = self._viewer.layers.selection.active
        self.layers.append(layer)
        self._viewer.add_layer(layer)
        if active is not None:
            self._viewer.layers.move(self._viewer.layers.index(layer), self._viewer.layers.index(active))
            self._viewer.layers.selection.active = active

    def _remove(self, layer: Any) -> None:
        if layer is not None:
            self.layers.remove(layer)
            self._viewer.layers.remove(layer)


def brush_layer(viewer: "napari.Viewer", image: Any) -> Labels:
    """An empty Labels layer where an image layer lies, with the brush ready for the background's strokes."""
    shape = spatial_shape(image)
    layer = viewer.add_labels(np.zeros(shape, np.uint8), name=f"{image.name} strokes", **placed_like(image))
    layer.mode, layer.selected_label = "paint", 1
    layer.brush_size = max(3, max(shape[-2:]) // 80)
    return layer
