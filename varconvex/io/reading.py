"""Images, scribbles and masks from files, by Pillow (PNG, TIFF, JPEG, ...) or NumPy (``.npy``)."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import warn_caller
from ..errors import FileFormatError, InvalidParameterError, VarconvexWarning
from .formats.base import readable as readable
from .opening import open_image

Colour = tuple[int, int, int]

_STROKE_TOLERANCE = 60
"""Largest difference of a channel between a painted stroke and its colour: JPEG blurs the colour of thin strokes."""

_CHANGED = 30
"""Difference of a channel from which on a pixel counts as painted: more than compression causes."""


def read_image(path: str | os.PathLike, **which: Any) -> np.ndarray:
    """The numbers of an image file: (*spatial) or (*spatial, C), in the file's integer or float type.

    Parameters
    ----------
    path : path
        Of any format that `open_image` reads, which gives spacing and opacity as well.
    **which
        The keywords of `open_image`: which frame, level or array to read.

    Raises
    ------
    FileFormatError, MissingExtraError, NotEnoughMemoryError
        As `open_image`.

    Examples
    --------
    >>> from varconvex.io import read_image
    >>> image = read_image("photograph.jpg")  # doctest: +SKIP
    """
    file = open_image(path, **which)
    if file.alpha is not None and (hidden := int(np.count_nonzero(file.alpha == 0))):
        warn_caller(
            f"an image without transparency was expected; {hidden} pixels of {file.path} are transparent, and are read "
            "with the colours that are stored behind. To leave them out pass open_image(path).alpha > 0 as mask.",
            VarconvexWarning,
        )
    return file.array


def read_mask(path: str | os.PathLike, *, probability: bool = False) -> np.ndarray:
    """A mask's values as (H, W) array, or with `probability` its grey values divided by their type's largest."""
    if Path(path).suffix.lower() == ".npy":
        return _load_npy(path)
    image = _open(path)
    values = np.asarray(image if image.mode in ("1", "L", "P", "I", "I;16", "F") else image.convert("L"))
    if probability and values.dtype.kind in "iu":
        return values.astype(np.float32) / np.iinfo(np.uint16 if values.dtype.itemsize > 1 else np.uint8).max
    return values


def read_scribbles(
    path: str | os.PathLike,
    photograph: np.ndarray,
    *,
    object_label: int = 2,
    background_label: int = 1,
    object_colour: Colour = (255, 0, 0),
    background_colour: Colour = (0, 0, 255),
) -> np.ndarray:
    """Scribbles as a label image (0 unlabelled, 1 background, 2 object).

    An indexed or grey PNG (or ``.npy``) holds labels: `background_label` and `object_label` become 1 and 2, others stay
    as they are. A colour file is a copy of the photograph with strokes painted on it in the two given colours; only
    pixels that differ from the photograph count. A FileFormatError if the file cannot be read, or a painted copy has
    another size than the photograph.
    """
    if Path(path).suffix.lower() == ".npy":
        return _rename(_load_npy(path), object_label, background_label)
    image = _open(path)
    if image.mode in ("P", "L", "1", "I", "I;16"):
        return _rename(np.asarray(image).astype(np.int64), object_label, background_label)
    painted = np.asarray(image.convert("RGB")).astype(np.int64)
    if painted.shape[:2] != photograph.shape[:2]:
        raise FileFormatError(
            f"strokes must be painted on a copy of the photograph, {photograph.shape[:2]} pixels; {os.fspath(path)} "
            f"has {painted.shape[:2]}. Export it at the photograph's size."
        )
    original = photograph if photograph.ndim == 3 else photograph[..., None].repeat(3, axis=-1)
    changed = np.abs(painted - original).max(axis=-1) > _CHANGED
    seeds = np.zeros(painted.shape[:2], np.int64)
    for label, colour in ((1, background_colour), (2, object_colour)):
        seeds[changed & (np.abs(painted - np.array(colour)).max(axis=-1) <= _STROKE_TOLERANCE)] = label
    return seeds


def read_labels(path: str | os.PathLike) -> np.ndarray:
    """A label image from an indexed or grey picture or ``.npy``; a FileFormatError for colours."""
    if Path(path).suffix.lower() == ".npy":
        return _load_npy(path)
    image = _open(path)
    if image.mode not in ("P", "L", "1", "I", "I;16"):
        raise FileFormatError(
            f"labels must be an indexed or grey picture; {os.fspath(path)} has colours. Name another file."
        )
    return np.asarray(image).astype(np.int64)


def colour(text: str) -> Colour:
    """Red, green and blue from 0 to 255 of a colour's name or #rrggbb that Pillow knows."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError:
        message = f"a colour must be a name or #rrggbb; got {text!r}. Use e.g. red or #ff0000."
        raise InvalidParameterError(message) from None
    return red, green, blue


def _rename(labels: np.ndarray, object_label: int, background_label: int) -> np.ndarray:
    """A label image whose `background_label` became 1 and whose `object_label` became 2."""
    if (object_label, background_label) == (2, 1):
        return labels
    if object_label == background_label:
        raise InvalidParameterError(f"object and background must have two labels; got {object_label} for both.")
    for name, label in (("object", object_label), ("background", background_label)):
        if label < 1 or not (labels == label).any():
            raise InvalidParameterError(
                f"the {name}'s label must be one of the scribbles' ({sorted(set(labels[labels > 0].tolist()))[:9]}); "
                f"got {label}. 0 is what is not labelled."
            )
    renamed = labels.copy()
    renamed[labels == background_label] = 1
    renamed[labels == object_label] = 2
    return renamed


def _open(path: str | os.PathLike) -> Any:
    """A fully decoded PIL image; too large ones are refused by their header, before anything is decoded."""
    from PIL import Image

    with readable(path, "a readable image file", "Is it truncated, or of another kind?"), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                image.load()
                return image
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            message = f"{os.fspath(path)} declares more pixels than an image should have ({error}). Crop it."
            raise FileFormatError(message) from error


def _load_npy(path: str | os.PathLike) -> np.ndarray:
    """The array of a ``.npy`` file; one that holds pickled objects is refused."""
    with readable(path, "a .npy file with plain numbers", "Save it without objects."):
        return np.load(path, allow_pickle=False)
