"""Masks and label images from files of all formats; palettes by their colours where these say more than the indices."""

import os
from typing import Any

import numpy as np

from .. import checks
from ..checks import warn_caller
from ..errors import FileFormatError, VarconvexWarning
from .image_file import ImageFile
from .opening import open_image

_SOFT_EDGES = 8
"""Number of grey levels from which on a mask may have been blurred: fewer are labels."""


def read_labels(path: str | os.PathLike, **which: Any) -> np.ndarray:
    """A label image from a file of any format.

    Of an indexed picture the indices are the labels, unless its colours are different greys: then these are. Floats
    must be whole numbers.

    Parameters
    ----------
    path : path
    **which
        The keywords of `open_image`: which frame, level or array to read.

    Returns
    -------
    labels : (*spatial) int array
        In the file's integer type; int64 of floats.

    Raises
    ------
    FileFormatError
        If the file cannot be read, has colours, or numbers that are not whole.

    Examples
    --------
    >>> from varconvex.io import read_labels
    >>> labels = read_labels("cells.tif")  # doctest: +SKIP
    """
    return plain_labels(open_image(path, indices=True, **which))


def read_mask(
    path: str | os.PathLike, *, probability: bool = False, label: int | None = None, **which: Any
) -> np.ndarray:
    """A mask, or a map of probabilities, from a file of any format.

    Parameters
    ----------
    path : path
    probability : bool
        The file has probabilities: grey values, which are divided by their type's largest, or floats from 0 to 1.
    label : int, optional
        The object's label in a label image. Without it a mask must hold 0 and one other value, whichever that is, or 1
        for the background and 2 for the object as this library writes them; floats from 0 to 1 are probabilities.
    **which
        The keywords of `open_image`: which frame, level or array to read.

    Returns
    -------
    mask : (*spatial) bool array, or float32 array of probabilities

    Raises
    ------
    FileFormatError
        If the file cannot be read, or has other values; the message says which.

    Warns
    -----
    VarconvexWarning
        If a mask was blurred by JPEG or has soft edges: it is cut at half.

    Examples
    --------
    >>> from varconvex import project
    >>> from varconvex.io import read_mask
    >>> result = project(read_mask("mask.png"))  # doctest: +SKIP
    """
    probability = checks.boolean("probability", probability)
    file = open_image(path, indices=not probability, **which)
    if probability:
        return _probabilities(file)
    values = file.array
    grey = values.dtype.kind == "f" and file.channel_axis is None and label is None
    if grey and np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
        return values.astype(np.float32)
    if file.alpha is not None and file.palette is None and label is None and (file.alpha == 0).any():
        colours = values if file.channel_axis is not None else values[..., None]
        if len(np.unique(colours[seen(file)], axis=0)) == 1:
            return seen(file)
    if file.channel_axis is not None and grey_levels(file) is None:
        return _two_colours(file)
    return _two_values(file, plain_labels(file), label)


def seen(file: ImageFile) -> np.ndarray:
    """Where a file is more opaque than not: bool array."""
    if file.alpha is None:
        return np.ones(file.shape, bool)
    full = np.iinfo(file.alpha.dtype).max if file.alpha.dtype.kind in "iu" else 1
    return file.alpha > full / 2


def grey_levels(file: ImageFile) -> np.ndarray | None:
    """The grey level at each pixel of a picture whose colours are all different greys; None if some are no greys."""
    array = file.array
    if file.palette is not None:
        used = np.unique(array)
        if used[-1] >= len(file.palette):
            return None
        colours = file.palette[used]
        grey = (colours == colours[:, :1]).all() and len(np.unique(colours[:, 0])) == len(used)
        return file.palette[array, 0] if grey else None
    if file.channel_axis is None or array.shape[-1] not in (2, 3):
        return None
    return array[..., 0] if (array == array[..., :1]).all() else None


def plain_labels(file: ImageFile) -> np.ndarray:
    """The numbers of a file that was opened with ``indices=True`` as whole numbers, one a pixel."""
    values = grey_levels(file)
    if values is None and file.channel_axis is not None:
        colours = np.unique(file.array.reshape(-1, file.array.shape[-1]), axis=0)
        raise FileFormatError(
            f"labels must be an indexed or grey picture; {file.path} has colours, {len(colours)} of them. Name "
            "another file."
        )
    values = file.array if values is None else values
    if file.alpha is not None:
        values = np.where(seen(file), values, values.dtype.type(0))
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind != "f":
        return values
    with np.errstate(invalid="ignore"):  # some NaN of a damaged file
        whole = np.rint(values)
    odd = values[(values != whole) | (np.abs(values.astype(np.float64)) > 2**53)]  # float16 does not reach as far
    if odd.size:
        raise FileFormatError(
            f"labels must be whole numbers; {file.path} has {odd.size} others, the first {odd[0]:g}. Was it resized "
            "with interpolation? Resize with order 0."
        )
    return whole.astype(np.int64)


def _probabilities(file: ImageFile) -> np.ndarray:
    """Grey values divided by their type's largest, as float32."""
    values = file.array
    if file.channel_axis is not None:
        if values.shape[-1] not in (2, 3):
            raise FileFormatError(f"probabilities must be grey; {file.path} has {values.shape[-1]} channels. Save one.")
        values = values[..., 0] if values.shape[-1] == 2 else values @ np.array([0.299, 0.587, 0.114])
    largest = float(np.iinfo(file.array.dtype).max) if file.array.dtype.kind in "iu" else 1.0
    return (values / largest).astype(np.float32)


def _two_values(file: ImageFile, values: np.ndarray, label: int | None) -> np.ndarray:
    """A mask from a label image."""
    found = np.unique(values[values >= 0]) if (values >= 0).any() else np.zeros(1, values.dtype)  # -1 is outside
    if label is not None:
        if label not in found:
            raise FileFormatError(f"the label must be one of {_few(found)}, which {file.path} has; got {label}.")
        return values == label
    positive = found[found != 0]
    if len(found) == 2 and found.tolist() == [1, 2]:
        return values == 2
    if len(positive) <= 1:
        return values > 0
    if values.dtype == np.uint8 and len(found) >= _SOFT_EDGES and np.mean((values < 32) | (values > 223)) > 0.9:
        warn_caller(
            f"a mask should have two values; {file.path} has {len(found)}, nearly all of them near 0 or 255, as JPEG "
            "and soft edges leave them: it is cut at 128. Pass probability=True to use them as they are.",
            VarconvexWarning,
        )
        return values > 127
    raise FileFormatError(
        f"a mask must hold 0 and one other value, or 1 and 2; {file.path} has {len(found)} values: {_few(found)}. Say "
        "which label is the object's, or that they are probabilities."
    )


def _two_colours(file: ImageFile) -> np.ndarray:
    """A mask from a picture of black and one colour."""
    colours = np.where(seen(file)[..., None], file.array, 0)
    black = (colours == 0).all(axis=-1)
    others = np.unique(colours[~black], axis=0)
    count = len(others) + int(black.any())
    if len(others) > 1:
        raise FileFormatError(
            f"a mask must have two values, or black and one colour; {file.path} has {count} colours. Save it as grey."
        )
    return ~black


def _few(values: np.ndarray) -> str:
    return ", ".join(map(str, values[:9].tolist())) + (", ..." if len(values) > 9 else "")
