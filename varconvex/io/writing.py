"""Masks, labels, pictures and texts into files: whole or not at all."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileFormatError

MASK_ENDINGS = (".png", ".tif", ".tiff", ".npy")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".pdf")


def write_labels(path: str | os.PathLike, labels: np.ndarray, colours: Sequence[str]) -> None:
    """Write scribbles as an indexed picture, whose indices are the labels (at most 255), or as ``.npy``.

    `colours` are those of the labels from 1 on in a picture, as #rrggbb.
    """
    from PIL import Image

    if Path(path).suffix.lower() == ".npy":
        write_whole(path, lambda file: np.save(file, labels, allow_pickle=False))
        return
    if labels.max(initial=0) > 255:
        raise FileFormatError(f"a picture holds labels up to 255; got {labels.max()}. Write to .npy.")
    picture = Image.fromarray(np.maximum(labels, 0).astype(np.uint8))
    palette = bytes(3) + bytes.fromhex("".join(colours).replace("#", ""))
    picture.putpalette(palette[:768].ljust(768, b"\xff"))  # a short one would be written with fewer bits
    write_picture(path, picture)


def write_mask(path: str | os.PathLike, labels: np.ndarray, label_ids: tuple[int, ...]) -> None:
    """Write a label image: pictures hold 255 for a single object, or the ids of several; ``.npy`` the array itself."""
    from PIL import Image

    if Path(path).suffix.lower() == ".npy":
        write_whole(path, lambda file: np.save(file, labels, allow_pickle=False))
        return
    check_outputs([(path, MASK_ENDINGS)], [])
    if len(label_ids) == 2:
        picture = Image.fromarray(np.where(labels == label_ids[1], 255, 0).astype(np.uint8))
    else:
        largest = max(label_ids)
        if largest > 65535:
            raise FileFormatError(f"a picture holds labels up to 65535; got {largest}. Write to .npy.")
        picture = Image.fromarray(np.maximum(labels, 0).astype(np.uint8 if largest < 256 else np.uint16))
    write_picture(path, picture)


def write_picture(path: str | os.PathLike, picture: Any) -> None:
    """Write a PIL image in the format of the path's ending."""
    from PIL import Image

    check_outputs([(path, PICTURE_ENDINGS)], [])
    Image.init()
    write_whole(path, lambda file: picture.save(file, format=Image.EXTENSION[Path(path).suffix.lower()]))


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in UTF-8."""
    write_whole(path, lambda file: file.write(text.encode()))


def check_outputs(outputs: Sequence[tuple[str | os.PathLike | None, Sequence[str]]], inputs: Sequence[Any]) -> None:
    """Check files that will be written, pairs (path or None, endings), before anything is computed.

    A FileFormatError if a folder does not exist, an ending is not allowed, or a file is an input or named twice.
    """
    taken = {Path(path).resolve() for path in inputs}
    for path, endings in outputs:
        if path is None:
            continue
        target = Path(path)
        if target.suffix.lower() not in endings:
            raise FileFormatError(f"the output's name must end in {', '.join(endings)}; got {target}. Rename it.")
        if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
            raise FileFormatError(f"{target} cannot be written: no such folder, or none to write to. Choose another.")
        if target.resolve() in taken:
            raise FileFormatError(f"{target} is already an input or an output of this command. Choose another name.")
        taken.add(target.resolve())


def write_whole(path: str | os.PathLike, write: Callable[[Any], None]) -> None:
    """Write a file by `write`, which takes a binary file: beside `path` first, then renamed, so that it is whole."""
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise FileFormatError(f"{target} cannot be written ({error.strerror}). Choose a folder that exists.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise FileFormatError(f"{target} cannot be written ({error}). Is the disk full?") from error
        raise
