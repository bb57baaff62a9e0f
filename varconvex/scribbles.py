"""Conversion of scribbles (label images, pairs of masks, polylines) to a label image.

0 is unlabelled, 1 the background, 2 and more are objects, -1 is outside.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from . import checks
from .errors import InvalidScribblesError, ScribbleConflictError, ScribbleWarning

WIDTH = 3.0
"""Width of a polyline's stroke in pixels."""

BORDER = "border"
"""What stands for the border of the image in place of a polyline."""

_RIM = 2
"""Width in pixels of what is scribbled along the border."""

_PIECE = 512
"""Points of a stroke, a pixel apart, that are drawn at a time where an image is too large for an array of its size."""

_LARGEST_LABEL = 2**53
"""Largest integer up to which float64 represents every integer."""

_NAMES = {"background": 1, "object": 2}


def label_image(scribbles: Any, image: np.ndarray, channel_axis: int | None, strict: bool) -> np.ndarray:
    """Scribbles in any form that `segment` accepts, as a (*spatial) int64 label image."""
    if isinstance(scribbles, Mapping):
        return _draw(scribbles, image, channel_axis, strict)
    if isinstance(scribbles, tuple | list) and len(scribbles) == 2 and checks.n_axes(scribbles[0]) >= 2:
        first, second = (checks.host_array("scribbles", part) for part in scribbles)
        volume = image.shape[:3] == (2, *first.shape)  # a label image of two slices as a list of them
        if first.dtype == second.dtype == bool or (not volume and _is_mask(first) and _is_mask(second)):
            first, second = first > 0, second > 0
            if first.shape != second.shape:
                raise InvalidScribblesError(
                    f"the two masks (object, background) must have one shape; got {first.shape}, {second.shape}. Crop "
                    "alike."
                )
            checks.spatial("scribbles", first)
            return _overwrite(np.where(first, 2, 0), second, 1, strict)
    seeds = checks.host_array("scribbles", scribbles)
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


def _is_mask(array: np.ndarray) -> bool:
    """Whether integers are 0 and one positive number, as in masks of 0 and 255."""
    values = np.unique(array[array != 0]) if array.dtype.kind in "biu" and array.ndim > 1 else np.zeros(2)
    return len(values) <= 1 and bool((values > 0).all())


def tell_covered(pixels: np.ndarray, how: str, strict: bool) -> None:
    """An error, or a warning, about `pixels` ((n, d) int) that have several labels; `how` says in which way."""
    message = (
        f"each pixel can be scribbled with one label; got {len(pixels)} pixels {how}, the first at "
        f"{tuple(int(i) for i in pixels[0])}."
    )
    if strict:
        raise ScribbleConflictError(f"{message} Erase one of the strokes.", pixels)
    checks.warn_caller(f"{message} The later stroke wins.", ScribbleWarning)


def _overwrite(seeds: np.ndarray, where: np.ndarray, label: int, strict: bool) -> np.ndarray:
    """`seeds` with `label` at the pixels `where`; an error or warning where another label is replaced."""
    clash = where & (seeds > 0) & (seeds != label)
    if clash.any():
        tell_covered(np.argwhere(clash), f"with label {label} on top of another", strict)
    return np.where(where, label, seeds)


def _draw(strokes: Mapping, image: np.ndarray, channel_axis: int | None, strict: bool) -> np.ndarray:
    """The label image of polylines {label: line or lines}, each (n, d) points in array order (row, column)."""
    border = [label_of(key) for key, value in strokes.items() if isinstance(value, str) and value == BORDER]
    drawn = {key: value for key, value in strokes.items() if not (isinstance(value, str) and value == BORDER)}
    lines = [(label_of(key), line) for key, value in drawn.items() for line in polylines(value)]
    if not lines:
        raise InvalidScribblesError("scribbles must hold a polyline for each of two labels; got an empty dict.")
    ndim = lines[0][1].shape[1]
    shape = image.shape
    if image.ndim == ndim + 1 and channel_axis is not None:
        shape = tuple(np.delete(shape, checks.axis(channel_axis, image.ndim)))
    seeds = np.zeros(tuple(int(n) for n in shape), np.int64)
    for label in border:
        seeds[border_pixels(seeds.shape)] = label  # strokes cover it
    for label, line in lines:
        if line.shape[1] != seeds.ndim:
            raise InvalidScribblesError(
                f"a polyline's points must have one coordinate for each of the {seeds.ndim} spatial axes of an image "
                f"of shape {image.shape}; got points with {line.shape[1]}. Pass (row, column) pairs."
            )
        seeds = _overwrite(seeds, _stroke(line, seeds.shape), label, strict)
    return seeds


def border_pixels(shape: tuple[int, ...]) -> np.ndarray:
    """Pixels along the border of an image or volume of this shape: bool array."""
    found = np.zeros(shape, bool)
    for part in border_slices(shape):
        found[part] = True
    return found


def border_slices(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Boxes, two for each axis, that together are what is scribbled along the border."""
    for axis, n in enumerate(shape):
        for ends in (slice(0, min(_RIM, n)), slice(max(n - _RIM, 0), n)):
            yield tuple(ends if k == axis else slice(None) for k in range(len(shape)))


def label_of(name: Any) -> int:
    """The label of a name: "background" is 1, "object" 2; a whole number from 1 on is one itself."""
    label = _NAMES.get(name, name) if isinstance(name, str) else name
    if (
        not isinstance(label, int | np.integer)
        or isinstance(label, bool | np.timedelta64)
        or not 1 <= label <= _LARGEST_LABEL
    ):
        raise InvalidScribblesError(
            f"a label must be 'background', 'object' or a whole number from 1 on; got {name!r}. Rename it."
        )
    return int(label)


def polylines(value: Any) -> list[np.ndarray]:
    """One polyline or a sequence of them as a list of (n, d) float64 arrays."""
    many = isinstance(value, Sequence | np.ndarray) and len(value) > 0 and checks.n_axes(value[0]) == 2
    return [polyline(line) for line in (value if many else [value])]


def polyline(line: Any) -> np.ndarray:
    """Points of a polyline as an (n, d) float64 array."""
    points = given = np.empty(0)
    try:
        given = np.asanyarray(line)
        if given.dtype.kind not in "bc" and not np.ma.is_masked(given):
            points = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    if points.ndim != 2 or points.shape[0] == 0 or not np.isfinite(points).all():
        raise InvalidScribblesError(
            f"a polyline must be finite points of shape (n, 2), n >= 1; got {type(line).__name__} of shape "
            f"{given.shape} and type {given.dtype}. Pass [(row, column), ...]."
        )
    return points


def _stroke(line: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels of a polyline's stroke, with a warning where it leaves an image of this shape: bool array."""
    _warn_outside(line, shape)
    return brush_stroke(line, shape, WIDTH)


def stroke_pieces(
    line: np.ndarray, shape: tuple[int, ...], width: float
) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Pixels of a polyline's stroke in small boxes, each with its first corner; they may overlap.

    All together are the stroke, with the same warning where it leaves the image; no array is of the image's size.
    """
    _warn_outside(line, shape)
    reach = int(width) + 1
    samples = _samples(line, shape, width / 2)
    for first in range(0, len(samples), _PIECE):
        piece = samples[first : first + _PIECE + 1]
        low = np.maximum(np.floor(piece.min(axis=0)).astype(np.int64) - reach, 0)
        high = np.minimum(np.ceil(piece.max(axis=0)).astype(np.int64) + reach + 1, shape)
        if (low < high).all():
            yield tuple(low.tolist()), brush_stroke(piece - low, tuple((high - low).tolist()), width)


def _warn_outside(line: np.ndarray, shape: tuple[int, ...]) -> None:
    """A warning where points of a polyline are not on an image of this shape."""
    inside = ((line > -0.5) & (line < np.array(shape) - 0.5)).all(axis=1)
    if not inside.all():
        checks.warn_caller(
            f"scribbles should lie on the image of shape {shape}; {int((~inside).sum())} of {len(line)} points of a "
            "stroke do not and were clipped. Are rows and columns swapped?",
            ScribbleWarning,
        )


def brush_stroke(line: np.ndarray, shape: tuple[int, ...], width: float) -> np.ndarray:
    """Pixels within half of `width` of a polyline ((n, d) float), on an image of this shape: bool array.

    Each position of the brush is an interval on every row that it touches: what costs is its height, not its area.
    """
    radius = width / 2
    offsets = np.indices((2 * int(radius) + 1,) * (len(shape) - 1)).reshape(len(shape) - 1, -1).T - int(radius)
    room = radius**2 - (offsets**2).sum(axis=1)
    # `rint` would leave out every other pixel of a line through the middles between pixels.
    centres = np.unique(np.floor(_samples(line, shape, radius) + 0.5).astype(np.int64), axis=0)
    drawn = np.zeros(shape, bool)
    if not len(centres):
        return drawn
    low = np.maximum(centres.min(axis=0) - int(radius), 0)
    high = np.minimum(centres.max(axis=0) + int(radius) + 1, shape)
    size, last = high[:-1] - low[:-1], high[-1] - low[-1]
    # How many intervals begin at a pixel, less those that end before it; one column more, where the last ones end.
    change = np.zeros(np.maximum((*size, last + 1), 0), np.int32)
    centres = centres - low
    for offset, half in zip(offsets[room >= 0], np.sqrt(room[room >= 0]).astype(np.int64), strict=True):
        rows, columns = centres[:, :-1] + offset, centres[:, -1]
        on = ((rows >= 0) & (rows < size)).all(axis=1) & (columns + half >= 0) & (columns - half < last)
        place = tuple(rows[on].T)
        np.add.at(change, (*place, np.maximum(columns[on] - half, 0)), 1)
        np.add.at(change, (*place, np.minimum(columns[on] + half + 1, last)), -1)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    drawn[box] = change.cumsum(axis=-1, dtype=np.int32)[..., :-1] > 0
    return drawn


def _samples(line: np.ndarray, shape: tuple[int, ...], radius: float) -> np.ndarray:
    """Points at most a pixel apart along a polyline, where it is so near to the image that its brush may touch it."""
    low, high = -radius - 1, np.array(shape) + radius
    pieces = [line[:1][((line[:1] >= low) & (line[:1] <= high)).all(axis=1)]]
    for a, b in pairwise(line):
        # The part a + t (b - a) within the box: t from the last entry into an axis' range to the first exit from one.
        move = b / 2 - a / 2  # halves do not overflow
        still = move == 0
        if (still & ((a < low) | (a > high))).any():
            continue
        step = np.where(still, 1, move)
        ends = np.sort([(low / 2 - a / 2) / step, (high / 2 - a / 2) / step], axis=0)
        first, last = np.where(still, 0, ends[0]).max(initial=0), np.where(still, 1, ends[1]).min(initial=1)
        if first <= last:
            a, b = a + 2 * first * move if first else a, a + 2 * last * move if last < 1 else b
            # One more where the ends have been rounded: steps of a pixel and a bit would leave one out.
            count = int(np.ceil(np.abs(b - a).max())) + 1 + (first > 0 or last < 1)
            pieces.append(np.linspace(a, b, max(count, 2)))
    return np.concatenate(pieces)
