"""Strokes of a canvas in the form that a session takes."""

import numpy as np

from .messages import Stroke
from .pictures import Planes


def in_plane(stroke: Stroke, planes: Planes) -> np.ndarray:
    """The points of a stroke on an image; in a volume, whose other planes stay as they are, the mask of its pixels."""
    if len(planes.shape) == 2:
        return stroke.points
    rows, columns = planes.axes(stroke.axis)
    mask = np.zeros(planes.shape, bool)
    place: list[slice | int] = [slice(None)] * 3
    place[stroke.axis] = stroke.index
    mask[tuple(place)] = raster(stroke.points, (planes.shape[rows], planes.shape[columns]), stroke.width)
    return mask


def raster(points: np.ndarray, shape: tuple[int, int], width: float) -> np.ndarray:
    """Pixels whose centres are within half a width of a polyline (n, 2), and the pixels on it: (H, W) bool."""
    drawn = np.zeros(shape, bool)
    radius = max(width / 2, 0.71)
    for a, b in zip(points, [*points[1:], points[-1]], strict=True):
        low = np.clip(np.floor(np.minimum(a, b) - radius), 0, shape).astype(int)
        high = np.clip(np.ceil(np.maximum(a, b) + radius) + 1, 0, shape).astype(int)
        r, c = np.ogrid[low[0] : high[0], low[1] : high[1]]
        along = b - a
        t = np.clip(((r - a[0]) * along[0] + (c - a[1]) * along[1]) / max(along @ along, 1e-12), 0, 1)
        near = (r - a[0] - t * along[0]) ** 2 + (c - a[1] - t * along[1]) ** 2 <= radius**2
        drawn[low[0] : high[0], low[1] : high[1]] |= near
    return drawn
