"""Labels, probabilities, pictures, tables and texts into files: whole or not at all."""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import checks
from ..errors import FileFormatError, InvalidImageError, InvalidParameterError, UnsupportedTypeError
from ..keywords import known_keywords
from .grid import Grid
from .kinds import LABEL_ENDINGS, check_format, format_of, has_ending
from .ome_zarr import is_inside
from .whole import check_writable, write_whole

MASK_ENDINGS = LABEL_ENDINGS
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".pdf")


@known_keywords
def write_labels(
    path: str | os.PathLike,
    labels: np.ndarray,
    colours: Sequence[str] = (),
    *,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    affine: np.ndarray | None = None,
) -> None:
    """Write a label image, whose ids come back as they are.

    Parameters
    ----------
    path : str or path
        Its ending says the kind: .png (labels up to 65535, images only), .tif (compressed), .npy, .nii or .nii.gz
        (extra nifti), .zarr (OME-Zarr, extra zarr); or it is IMAGE.zarr/labels/NAME, inside of an OME-Zarr image.
    labels : (H, W) or (D, H, W) integer array
        Negative ones, outside, are 0 in a PNG file and kept in others.
    colours : sequence of str
        Colours of the labels from 1 on, as #rrggbb, for a PNG file that is to be looked at: it is indexed then, and
        holds labels up to 255.
    spacing : sequence of float, optional
        Size of a pixel along each axis: written to TIFF, NIfTI and OME-Zarr files.
    unit : str, optional
        Unit of the spacing, such as "µm" or "mm".
    affine : (4, 4) float array, optional
        From indices to positions in millimetres: written to NIfTI files, in place of the spacing.

    Raises
    ------
    FileFormatError
        If this kind of file cannot hold the labels, or the file cannot be written.
    MissingExtraError
        If the package for this kind of file is not installed.
    InvalidImageError, InvalidParameterError, UnsupportedTypeError
        If the labels, the spacing, the unit or the affine are none.

    Examples
    --------
    >>> write_labels("cells.tif", labels, spacing=(2.5, 0.3, 0.3), unit="um")  # doctest: +SKIP
    """
    path, labels = checks.path("path", path), _integers(labels)
    colours = checks.listed("colours", colours, "['#ff0000']")
    kind = check_format(path, labels.ndim, int(labels.max(initial=0)))
    if has_ending(path, ".png"):
        labels = np.maximum(labels, 0)
    if not (len(colours) and has_ending(path, ".png") and labels.max(initial=0) < 256):
        kind.write(path, labels, Grid.checked(labels.ndim, spacing, unit, affine))
        return
    from PIL import Image

    picture = Image.fromarray(labels.astype(np.uint8))
    if not all(isinstance(colour, str) and re.fullmatch("#[0-9a-fA-F]{6}", colour) for colour in colours):
        raise InvalidParameterError(f"colours must be texts #rrggbb; got {colours!r:.80}. Pass e.g. ['#ff0000'].")
    palette = bytes(3) + bytes.fromhex("".join(colours).replace("#", ""))
    picture.putpalette(palette[:768].ljust(768, b"\xff"))  # a short one would be written with fewer bits
    write_picture(path, picture)


def write_mask(path: str | os.PathLike, labels: np.ndarray, label_ids: tuple[int, ...], **place: Any) -> None:
    """Write a label image as a mask: PNG and TIFF hold 255 for a single object, or the ids of several; others the ids.

    `place` and errors are those of `write_labels`.
    """
    path, label_ids = checks.path("path", path), checks.label_ids("label_ids", label_ids)
    labels = checks.host_array("labels", labels)
    check_labels(path, labels.ndim, label_ids, mask=True)
    if has_ending(path, (".png", ".tif", ".tiff")) and len(label_ids) == 2:
        labels = np.where(labels == label_ids[1], 255, 0).astype(np.uint8)
    write_labels(path, labels, **place)


@known_keywords
def write_probability(
    path: str | os.PathLike,
    probability: np.ndarray,
    *,
    channels: bool = False,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    affine: np.ndarray | None = None,
) -> None:
    """Write a map of probabilities in float32: TIFF, NumPy, NIfTI or OME-Zarr.

    `probability` is (*spatial), or with `channels` (K, *spatial), which NIfTI holds with K as the last axis; the rest
    and errors are as for `write_labels`.
    """
    path, channels = checks.path("path", path), checks.boolean("channels", channels)
    values = checks.host_array("probability", probability)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if np.isinf(single).any() and not np.isinf(values).any():
        raise InvalidImageError("probability must hold numbers of float32; got larger ones. Divide by the largest.")
    values = single
    ndim = values.ndim - channels
    checks.spatial("probability", values[0] if channels and len(values) else values)
    kind = check_format(path, ndim, floats=True)
    kind.write(path, values, Grid.checked(ndim, spacing, unit, affine, channels=channels))


def check_labels(
    path: str | os.PathLike, ndim: int, label_ids: Sequence[int], *, mask: bool = False, told: str = ""
) -> None:
    """Check, before anything is computed, that a file can hold labels; `mask` is for `write_mask`.

    Errors are those of `write_labels`; `told` is that of `check_format`.
    """
    alone = mask and len(label_ids) == 2 and has_ending(path, (".png", ".tif", ".tiff"))
    check_format(path, ndim, 255 if alone else max(label_ids, default=0), told=told)


@known_keywords
def write_picture(path: str | os.PathLike, picture: Any) -> None:
    """Write a PIL image in the format of the path's ending."""
    from PIL import Image

    check_outputs([(path, PICTURE_ENDINGS)], [])
    if not hasattr(picture, "save"):
        raise UnsupportedTypeError(
            f"picture must be one of Pillow's; got {type(picture).__name__}. Pass PIL.Image.fromarray(array)."
        )
    Image.init()
    ending = next(ending for ending in PICTURE_ENDINGS if has_ending(path, ending))
    write_whole(path, lambda file: picture.save(file, format=Image.EXTENSION[ending]))


@known_keywords
def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in UTF-8."""
    if not isinstance(text, str):
        raise UnsupportedTypeError(f"text must be one; got {type(text).__name__}. Pass str(text).")
    # Names of files that are no UTF-8 have surrogates.
    write_whole(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def write_table(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys as comma-separated values, the keys first; None is an empty cell."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


@known_keywords
def check_outputs(outputs: Sequence[tuple[str | os.PathLike | None, Sequence[str]]], inputs: Sequence[Any]) -> None:
    """Check files that will be written, pairs (path or None, endings), before anything is computed.

    A FileFormatError if an ending is not allowed, a file is an input or named twice, or it cannot be written: its
    folder does not exist or is read-only, it is a folder itself, the disk is full. A MissingExtraError if a package
    that writes it is not installed.
    """
    taken = {os.path.realpath(checks.path("inputs", path)) for path in checks.listed("inputs", inputs, "['a.png']")}
    for pair in checks.listed("outputs", outputs, "[('out.png', ['.png'])]"):
        if len(checks.listed("outputs", pair, "('out.png', ['.png'])")) != 2:
            raise InvalidParameterError(f"outputs must be pairs (path, endings); got {pair!r:.80}. Pass both.")
        path, endings = pair
        if path is None:
            continue
        if not has_ending(path, tuple(endings)) and not (".zarr" in endings and is_inside(path)):
            raise FileFormatError(f"the output's name must end in {', '.join(endings)}; got {path}. Rename it.")
        target = os.path.realpath(path)
        if target in taken:
            raise FileFormatError(f"{path} is already an input or an output of this command. Choose another name.")
        taken.add(target)
        kind = format_of(path) if has_ending(path, LABEL_ENDINGS) or is_inside(path) else None
        check_writable(path, folder=kind is not None and kind.folder)


def _integers(labels: np.ndarray) -> np.ndarray:
    """Labels in the smallest integer type that holds them; a FileFormatError if they are no integers."""
    labels = checks.host_array("labels", labels)
    checks.spatial("labels", labels)
    if labels.dtype.kind == "b":
        return labels.astype(np.uint8)
    if labels.dtype.kind == "f":
        raise FileFormatError(f"labels must be integers; got dtype {labels.dtype}. Convert them first.")
    least, largest = labels.min(), labels.max()
    kind = np.promote_types(np.min_scalar_type(least), np.min_scalar_type(largest))
    return labels.astype(kind.str, copy=False)  # "Q" and "L" are the same to NumPy only
