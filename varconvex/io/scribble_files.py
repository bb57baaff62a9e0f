"""Scribbles from files of all kinds: label images, painted strokes, points in texts, one file or one for each part."""

import os
from collections.abc import Sequence

import numpy as np

from .. import checks
from ..errors import FileFormatError, InvalidParameterError
from ..keywords import known_keywords
from ..scribbles import label_image
from . import painted
from .image_file import ImageFile
from .labels import grey_levels, plain_labels
from .lazy import ImageOnDisk, open_on_disk
from .opening import open_image
from .painted import Colour
from .stroke_files import Line, is_text_of_strokes, read_strokes

_OURS = [(255, 64, 64), (40, 120, 255)]
"""Colours in which this library itself writes the object and the background of an indexed picture."""

_MOST_INDICES = 33
_MOST_LABELS = 100
"""An indexed or grey picture with more values is a painted copy, or no scribbles at all."""


@known_keywords
def read_scribbles(
    path: str | os.PathLike,
    photograph: np.ndarray | ImageFile,
    *,
    object_label: int | None = None,
    background_label: int | None = None,
    object_colour: Colour | None = None,
    background_colour: Colour | None = None,
    frame: int | Sequence[int] | None = None,
    level: int | None = None,
    key: str | int | None = None,
) -> np.ndarray:
    """Scribbles from a file as a label image: 0 unlabelled, 1 background, 2 object, others as they are.

    The file may be

    - a label image of any format that `open_image` reads: grey, indexed, integers, or floats that are whole numbers;
    - a picture in colours: strokes painted on a copy of the photograph, on a transparent layer of its size, or on a
      plain ground. An indexed picture is one if it has a red and a blue pen, or if a colour is named;
    - GeoJSON, polylines ``{"object": [[[row, column], ...], ...], "background": ...}``, LabelMe's JSON, or the CSV of
      napari's shapes with a column ``label``.

    Parameters
    ----------
    path : path
    photograph : array or ImageFile
        What was scribbled on: (*spatial) or (*spatial, C).
    object_label, background_label : int, optional
        Values in the file that become 2 and 1; for label images only.
    object_colour, background_colour : tuple of int, optional
        Red, green and blue of the pens, 0 to 255 (`colour` makes them from names). The nearest pens in the file are
        meant. With one of them named, the other pen is the other part's. With none, a red pen marks the object and a
        blue one the background, with a warning; other pens are an error that lists them.
    frame, level, key
        As in `open_image`.

    Returns
    -------
    scribbles : (*spatial) int array

    Raises
    ------
    FileFormatError
        If the file cannot be read or has another size, or its strokes are not of two pens; the message says what was
        looked for and what was found.
    InvalidParameterError
        If a label is not in the file.

    Warns
    -----
    ScribbleWarning
        If red was taken for the object, or strokes leave the image.

    Examples
    --------
    >>> from varconvex.io import colour, open_image, read_scribbles
    >>> photograph = open_image("cat.jpg")  # doctest: +SKIP
    >>> scribbles = read_scribbles("painted.png", photograph, object_colour=colour("lime"))  # doctest: +SKIP
    """
    name, image = checks.path("path", path), _array(photograph)
    shape = _spatial(photograph, image)
    labels = (object_label, background_label)
    colours = (object_colour, background_colour)
    if is_text_of_strokes(name):
        return _drawn(name, read_strokes(name), image, shape)
    file = open_image(name, frame=frame, level=level, key=key, indices=True)
    pictured = _colours(file, colours) if labels == (None, None) else None
    if pictured is None:
        seeds = plain_labels(file)
        _same_shape(name, seeds.shape, shape)
        found = np.unique(seeds)
        if len(found) > _MOST_LABELS:
            raise FileFormatError(
                f"scribbles were looked for as labels, at most {_MOST_LABELS}, or in the colours of two pens; {name} "
                f"has {len(found)} values and no colours. Is it a photograph?"
            )
        return _rename(seeds, object_label, background_label)
    strokes = painted.strokes(pictured, image, len(shape))
    chosen = painted.choose(strokes, name, object_colour, background_colour)
    return np.array([0, 2, 1])[strokes.numbers(chosen)]


@known_keywords
def strokes_on_disk(path: str | os.PathLike) -> dict[int, list[np.ndarray]] | ImageOnDisk:
    """Scribbles of an image that does not fit into memory, for `segment`: lines by label, or a label image on disk.

    A FileFormatError if the file is neither a text of lines nor a store that is read in parts.
    """
    name = checks.path("path", path)
    if not is_text_of_strokes(name):
        return open_on_disk(name)
    lines = read_strokes(name)
    if any(filled for _, filled, _ in lines):
        raise FileFormatError(
            f"strokes on an image on disk must be lines or points; {name} has filled polygons. Draw lines, or convert "
            "them to a label image in Zarr."
        )
    return _by_label(name, lines, 2)


@known_keywords
def read_scribble_pair(
    object_path: str | os.PathLike,
    background_path: str | os.PathLike,
    photograph: np.ndarray | ImageFile,
    *,
    frame: int | Sequence[int] | None = None,
    level: int | None = None,
    key: str | int | None = None,
) -> np.ndarray:
    """Scribbles from a file for the object and one for the background, as a label image (0, 1 background, 2 object).

    Each is a mask (0 and one other value), a copy of the photograph, a transparent layer or a plain ground with strokes
    of one pen of any colour, or a text of points as in `read_scribbles`, whose labels do not matter.

    Parameters
    ----------
    object_path, background_path : path
    photograph : array or ImageFile
        What was scribbled on: (*spatial) or (*spatial, C).
    frame, level, key
        As in `open_image`, for both files.

    Returns
    -------
    scribbles : (*spatial) int64 array

    Raises
    ------
    FileFormatError
        If a file cannot be read, has another size, no stroke, or strokes of several pens.

    Warns
    -----
    ScribbleWarning
        Where both files have a stroke; it is the background's.

    Examples
    --------
    >>> from varconvex.io import read_scribble_pair
    >>> scribbles = read_scribble_pair("cell.png", "rest.png", photograph)  # doctest: +SKIP
    """
    image = _array(photograph)
    shape = _spatial(photograph, image)
    parts = []
    for path in (object_path, background_path):
        name = checks.path("path", path)
        if is_text_of_strokes(name):
            lines: list[Line] = [(2, filled, line) for _, filled, line in read_strokes(name)]
            parts.append(_drawn(name, lines, image, shape) > 0)
        else:
            parts.append(_one_pen(open_image(name, frame=frame, level=level, key=key, indices=True), image, shape))
    return label_image(tuple(parts), image, None, False)


def _one_pen(file: ImageFile, image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Where a file has strokes, as bool array: a mask, or painted with one pen."""
    pictured = _colours(file, (None, None), one=True)
    if pictured is None:
        values = plain_labels(file)
        _same_shape(file.path, values.shape, shape)
        found = np.unique(values)
        if len(found) > 2 or found[-1] <= 0 or (len(found) == 2 and found[0] != 0):
            raise FileFormatError(
                f"a mask of strokes must hold 0 and one other value; {file.path} has {_few(found)}. Pass a file for "
                "each part, or one with both to read_scribbles."
            )
        return values > 0
    strokes = painted.strokes(pictured, image, len(shape))
    found_pens = strokes.pens()
    if len(found_pens) != 1:
        told = ", ".join(map(str, found_pens)) or "none"
        raise FileFormatError(f"strokes of one pen were looked for; the pens found in {file.path} are: {told}.")
    return strokes.numbers(found_pens) > 0


def _colours(file: ImageFile, wanted: tuple[Colour | None, Colour | None], one: bool = False) -> ImageFile | None:
    """The file in colours, if it is to be understood by them; None if by its numbers."""
    if file.palette is not None and file.palette.dtype == np.uint8 and file.array.max() < len(file.palette):
        if grey_levels(file) is not None or _by_index(file, wanted, one):
            return None
        return _with(file, file.palette[file.array])
    if file.alpha is not None and (file.alpha == 0).any():
        return file if file.channel_axis is not None else _with(file, file.array[..., None])
    return None if file.channel_axis is None or grey_levels(file) is not None else file


def _by_index(file: ImageFile, wanted: tuple[Colour | None, Colour | None], one: bool) -> bool:
    """Whether an indexed picture is a label image by its indices, whatever their colours are."""
    used = np.unique(file.array)
    palette = np.asarray(file.palette)[used]
    if one:
        return len(used) < 3 and file.alpha is None
    if wanted != (None, None):
        return False
    red, blue = painted.holds(palette, 0), painted.holds(palette, 2)
    if red is None or blue is None:
        return len(used) <= _MOST_INDICES
    usual = (used[red], used[blue]) == (2, 1)
    return usual and (len(used) > 3 or [tuple(palette[k].tolist()) for k in (red, blue)] == _OURS)


def _with(file: ImageFile, colours: np.ndarray) -> ImageFile:
    return ImageFile(colours, -1, file.spacing, file.unit, file.affine, file.path, file.alpha)


def _by_label(path: str, lines: list[Line], axes: int) -> dict[int, list[np.ndarray]]:
    """The points of each label's lines, on an image with so many axes."""
    if not lines:
        raise FileFormatError(f"strokes were looked for; {path} has none. Draw some.")
    if any(label is None for label, _, _ in lines):
        raise FileFormatError(
            f"each stroke must have a label; those in {path} have none. Pass a file for the object and one for the "
            "background, or add a column or property label: object or background."
        )
    for _, _, points in lines:
        if points.shape[1] != axes:
            raise FileFormatError(
                f"points must have {axes} coordinates, as the image has axes; {path} has points with "
                f"{points.shape[1]}. Draw on this image."
            )
    by_label: dict[int, list[np.ndarray]] = {}
    for label, _, points in lines:
        by_label.setdefault(int(label or 0), []).append(points)
    return by_label


def _drawn(path: str, lines: list[Line], image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The label image of lines and filled outlines."""
    by_label = _by_label(path, lines, len(shape))
    seeds = label_image(by_label, np.empty(shape, bool), None, False)
    for label, filled, points in lines:
        if filled and len(shape) == 2:
            seeds[_inside(points, shape)] = label
    return seeds


def _inside(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels within a polygon of points (row, column): bool array."""
    from PIL import Image, ImageDraw

    canvas = Image.new("1", (shape[1], shape[0]))
    near = np.clip(points[:, ::-1], -1e6, 1e6)
    if len(near) > 1:
        ImageDraw.Draw(canvas).polygon([tuple(point) for point in near.tolist()], fill=1)
    return np.asarray(canvas)


def _array(photograph: np.ndarray | ImageFile) -> np.ndarray:
    return photograph.array if isinstance(photograph, ImageFile) else checks.host_array("photograph", photograph)


def _spatial(photograph: np.ndarray | ImageFile, image: np.ndarray) -> tuple[int, ...]:
    """Spatial shape of an image; of an array, a last axis of at most four after two others has channels."""
    if isinstance(photograph, ImageFile):
        return photograph.shape
    shape = image.shape
    return shape[:-1] if len(shape) == 4 or (len(shape) == 3 and shape[-1] <= 4) else shape


def _same_shape(path: str, found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """An error if a label image has another size than the photograph."""
    if found != shape:
        turned = " Is it transposed, or drawn on the photograph as it lies in the file?"
        hint = turned if found == shape[::-1] else ""
        raise FileFormatError(
            f"scribbles must have the image's {shape} pixels; {path} has {found}.{hint} Export it anew."
        )


def _few(values: np.ndarray) -> str:
    return ", ".join(map(str, values[:9].tolist())) + (", ..." if len(values) > 9 else "")


def _rename(labels: np.ndarray, object_label: int | None, background_label: int | None) -> np.ndarray:
    """A label image whose `background_label` became 1 and whose `object_label` became 2."""
    first, second = (2 if object_label is None else object_label), (1 if background_label is None else background_label)
    if (first, second) == (2, 1):
        return labels
    if first == second:
        raise InvalidParameterError(f"object and background must have two labels; got {first} for both.")
    for name, label in (("object", first), ("background", second)):
        if label < 1 or not (labels == label).any():
            raise InvalidParameterError(
                f"the {name}'s label must be one of the scribbles' ({_few(np.unique(labels[labels > 0]))}); got "
                f"{label}. 0 is what is not labelled."
            )
    renamed = labels.copy()
    renamed[labels == second] = 1
    renamed[labels == first] = 2
    return renamed
