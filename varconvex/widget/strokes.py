"""Strokes of a canvas in the form that a session takes, and where the next one would tell most."""

import numpy as np

from ..result import Segmentation
from ..scribbles import brush_stroke
from .messages import Stroke, View
from .pictures import Planes


def in_plane(stroke: Stroke, planes: Planes) -> np.ndarray:
    """The points of a stroke on an image; in a volume, whose other planes stay as they are, the mask of its pixels."""
    if len(planes.shape) == 2:
        return stroke.points
    rows, columns = planes.axes(stroke.axis)
    mask = np.zeros(planes.shape, bool)
    place: list[slice | int] = [slice(None)] * 3
    place[stroke.axis] = stroke.index
    mask[tuple(place)] = brush_stroke(stroke.points, (planes.shape[rows], planes.shape[columns]), stroke.width)
    return mask


def next_in_plane(result: Segmentation, view: View) -> list[int] | None:
    """Row and column, in the plane of a view, where one more stroke would tell most, if that is in this plane."""
    place = list(result.next_stroke() or [])
    if len(place) == 3 and place.pop(view.axis) != view.index:
        return None
    return place or None
