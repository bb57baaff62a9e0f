"""Conversion of scribbles (label images, pairs of masks, polylines) to a label image.

0 is unlabelled, 1 the background, 2 and more are objects, -1 is outside.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from . import checks
from .errors import InvalidScribblesError, ScribbleConflictError, ScribbleWarning

_BRUSH = 1.5
"""Radius of a polyline's stroke in pixels: it is three pixels wide."""

_LARGEST_LABEL = 2**53
"""Largest integer up to which float64 represents every integer."""

_NAMES = {"background": 1, "object": 2}


def label_image(scribbles: Any, image: np.ndarray, channel_axis: int | None, strict: bool) -> np.ndarray:
    """Scribbles in any form that `segment` accepts, as a (*spatial) int64 label image."""
    if isinstance(scribbles, Mapping):
        return _draw(scribbles, image, channel_axis, strict)
    if isinstance(scribbles, tuple | list) and len(scribbles) == 2 and np.ndim(scribbles[0]) >= 2:
        first, second = (checks.host(checks.as_numeric("scribbles", part)) for part in scribbles)
        if first.dtype == second.dtype == bool:
            if first.shape != second.shape:
                raise InvalidScribblesError(
                    f"the two masks (object, background) must have one shape; got {first.shape}, {second.shape}. Crop "
                    "alike."
                )
            checks.spatial("scribbles", first)
            return _overwrite(np.where(first, 2, 0), second, 1, strict)
    seeds = checks.host(checks.as_numeric("scribbles", scribbles))
    checks.spatial("scribbles", seeds)
    if seeds.dtype.kind == "b":
        raise InvalidScribblesError(
            "scribbles must be a label image (0 unlabelled, 1 background, 2 object); got one boolean mask. Pass a pair "
            "of boolean masks (object, background)."
        )
    if seeds.dtype.kind == "f":
        seeds = seeds.astype(np.float64)
        checks.finite("scribbles", seeds, "Use 0 for unlabelled pixels.")
        odd = seeds[seeds != np.rint(seeds)]
        if odd.size:
            raise InvalidScribblesError(
                f"scribbles must hold whole numbers; got {odd.size} others, the first {odd[0]:g}. Were labels "
                "interpolated on resizing? Resize with order 0."
            )
    if seeds.max() > _LARGEST_LABEL or seeds.min() < -_LARGEST_LABEL:
        raise InvalidScribblesError(
            f"labels must be at most {_LARGEST_LABEL} in size; got {seeds.min()} to {seeds.max()}. Renumber them."
        )
    return seeds.astype(np.int64)


def _overwrite(seeds: np.ndarray, where: np.ndarray, label: int, strict: bool) -> np.ndarray:
    """`seeds` with `label` at the pixels `where`; an error or warning where another label is replaced."""
    clash = where & (seeds > 0) & (seeds != label)
    if clash.any():
        pixels = np.argwhere(clash)
        message = (
            f"each pixel can be scribbled with one label; got {len(pixels)} pixels with label {label} on top of "
            f"another, the first at {tuple(int(i) for i in pixels[0])}."
        )
        if strict:
            raise ScribbleConflictError(f"{message} Erase one of the strokes.", pixels)
        checks.warn_caller(f"{message} The later stroke wins.", ScribbleWarning)
    return np.where(where, label, seeds)


def _draw(strokes: Mapping, image: np.ndarray, channel_axis: int | None, strict: bool) -> np.ndarray:
    """The label image of polylines {label: line or lines}, each (n, d) points in array order (row, column)."""
    lines = [(_label(key), line) for key, value in strokes.items() for line in _polylines(value)]
    if not lines:
        raise InvalidScribblesError("scribbles must hold a polyline for each of two labels; got an empty dict.")
    ndim = lines[0][1].shape[1]
    shape = image.shape
    if image.ndim == ndim + 1 and channel_axis is not None:
        shape = tuple(np.delete(shape, checks.axis(channel_axis, image.ndim)))
    seeds = np.zeros(tuple(int(n) for n in shape), np.int64)
    for label, line in lines:
        if line.shape[1] != seeds.ndim:
            raise InvalidScribblesError(
                f"a polyline's points must have one coordinate for each of the {seeds.ndim} spatial axes of an image "
                f"of shape {image.shape}; got points with {line.shape[1]}. Pass (row, column) pairs."
            )
        seeds = _overwrite(seeds, _stroke(line, seeds.shape), label, strict)
    return seeds


def _label(key: Any) -> int:
    """The label of a dict's key: "background" is 1, "object" 2."""
    label = _NAMES.get(key, key) if isinstance(key, str) else key
    if not isinstance(label, int | np.integer) or isinstance(label, bool) or label < 1:
        raise InvalidScribblesError(
            f"a label must be 'background', 'object' or a whole number from 1 on; got {key!r}. Rename the dict's key."
        )
    return int(label)


def _polylines(value: Any) -> list[np.ndarray]:
    """One polyline or a sequence of them as a list of (n, d) float64 arrays."""
    many = isinstance(value, Sequence | np.ndarray) and len(value) > 0 and np.ndim(value[0]) == 2
    lines = []
    for line in value if many else [value]:
        try:
            points = np.asarray(line, dtype=np.float64)
        except (TypeError, ValueError):
            points = np.empty(0)
        if points.ndim != 2 or points.shape[0] == 0 or not np.isfinite(points).all():
            raise InvalidScribblesError(
                f"a polyline must be finite points of shape (n, 2), n >= 1; got {type(line).__name__} of shape "
                f"{np.shape(points)}. Pass [(row, column), ...]."
            )
        lines.append(points)
    return lines


def _stroke(line: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels within the brush's radius of a polyline, clipped to an image of this shape: bool array."""
    pieces = [line[:1]]
    for a, b in pairwise(line):
        n = min(int(np.ceil(np.abs(b - a).max())) + 1, 100 * max(shape))
        pieces.append(np.linspace(a, b, max(n, 2)))
    points = np.concatenate(pieces)
    reach = int(_BRUSH)
    brush = np.indices((2 * reach + 1,) * len(shape)).reshape(len(shape), -1).T - reach
    brush = brush[(brush**2).sum(axis=1) <= _BRUSH**2]
    limit = np.array(shape)
    inside = ((points > -0.5) & (points < limit - 0.5)).all(axis=1)
    if not inside.all():
        checks.warn_caller(
            f"scribbles should lie on the image of shape {shape}; {int((~inside).sum())} of {len(points)} points of a "
            "stroke do not and were clipped. Are rows and columns swapped?",
            ScribbleWarning,
        )
    pixels = (np.rint(points[inside]).astype(np.int64)[:, None] + brush[None]).reshape(-1, len(shape))
    pixels = pixels[((pixels >= 0) & (pixels < limit)).all(axis=1)]
    drawn = np.zeros(shape, bool)
    drawn[tuple(pixels.T)] = True
    return drawn
