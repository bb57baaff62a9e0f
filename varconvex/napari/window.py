"""A napari window with one image, its strokes and the plugin: what ``varconvex annotate`` opens."""

from collections.abc import Callable, Mapping
from typing import Any

import napari
import numpy as np

from ..result import Segmentation
from ..session import Session
from .panel import Panel
from .regions import placed_like
from .work import draw


def draw_in_window(
    session: Session,
    name: str,
    keywords: Mapping[str, Any],
    changed: Callable[[np.ndarray, Segmentation | None], object],
    placed: Mapping[str, Any],
) -> None:
    """Open a window and wait until it is closed; the session then has the strokes that were drawn.

    Parameters
    ----------
    session : Session
        Has the image, and the strokes to begin with.
    name : str
        Of the image.
    keywords : mapping
        Those that the session was made with.
    changed : callable
        As in `Panel`.
    placed : mapping
        Keywords of napari's layers that say where the image lies: ``scale``, ``affine``, ``units``.
    """
    viewer = napari.Viewer(title=f"{name} - varconvex")
    image, strokes = session.image, session.scribbles
    channels = image.ndim > strokes.ndim
    if channels and image.shape[-1] == 3:
        images = [viewer.add_image(image, name=name, rgb=True, **placed)]
    elif channels:
        names = [f"{name} {k}" for k in range(image.shape[-1])]
        images = viewer.add_image(image, name=names, channel_axis=image.ndim - 1, **placed)
    else:
        images = [viewer.add_image(image, name=name, rgb=False, **placed)]
    layer = viewer.add_labels(strokes.astype(np.uint16 if strokes.max(initial=0) < 2**16 else np.int64),
                              name=f"{name} strokes", **placed_like(images[0]))  # fmt: skip
    panel = Panel(viewer, dict(keywords), changed)
    panel.choose(images, layer)
    viewer.window.add_dock_widget(panel, name="Segment from strokes")
    layer.mode, layer.selected_label = "paint", 1
    if session.ready:
        panel.segment()
    napari.run()
    panel.let_go()
    draw(session, np.maximum(np.asarray(layer.data), 0).astype(np.int64))
