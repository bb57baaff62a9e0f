"""Images that are read where they are looked at: stores of Zarr, HDF5 files and .npy files, larger than memory."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..errors import FileFormatError
from ..keywords import known_keywords
from .axes import MOST_CHANNELS, selection
from .formats import arrays, hdf5, zarrs
from .formats.base import Source, Wanted, readable
from .opening import format_of

_IN_PARTS = (zarrs, hdf5, arrays)
"""Formats of which a part can be read without the rest."""


@dataclass(frozen=True, eq=False)
class ImageOnDisk:
    """An image (H, W) or (H, W, C) in a file, sliced along its rows like an array.

    Attributes
    ----------
    shape, dtype
        Of the array, spatial axes first.
    channel_axis : int or None
        -1 where the last axis has channels, None where there are none.
    spacing : tuple of float or None
        Distance between neighbouring pixels; None where the file does not tell.
    unit : str or None
        Unit of the spacing.
    path : str
        Where it lies.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    channel_axis: int | None
    spacing: tuple[float, ...] | None
    unit: str | None
    path: str
    source: Source
    index: tuple[int | slice, ...]
    letters: str

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Rows: a slice, or a tuple that begins with one and leaves the others whole."""
        first = rows[0] if isinstance(rows, tuple) else rows
        axes = [
            letter for letter, i in zip(self.source.axes_or("yxc"), self.index, strict=True) if isinstance(i, slice)
        ]
        asked = iter(first if letter == "y" else slice(None) for letter in axes)
        found = self.source.read(tuple(next(asked) if isinstance(i, slice) else i for i in self.index))
        wanted = [axes.index(letter) for letter in "yx" + self.letters]
        return np.asarray(found).transpose(wanted)


def is_store(path: Any) -> bool:
    """Whether it is the path of a folder or file of which a part can be read without the rest."""
    if not isinstance(path, str | os.PathLike):
        return False
    name = os.fsdecode(path)
    return os.path.isdir(name) or name.lower().endswith((".zarr", ".h5", ".hdf5", ".npy"))


@known_keywords
def open_on_disk(path: str | os.PathLike, *, level: int | None = None, key: str | int | None = None) -> ImageOnDisk:
    """Open an image without reading it, for `segment`.

    Parameters
    ----------
    path : path
        A store of Zarr or OME-Zarr (extra zarr), an HDF5 file (extra hdf5), or a .npy file.
    level : int, optional
        Resolution level of a pyramid: 0, the default, is the finest.
    key : str or int, optional
        Name or number of the array in a file that holds several.

    Returns
    -------
    ImageOnDisk

    Raises
    ------
    FileFormatError
        If the file is missing, or of a kind that is read as a whole, or holds no image of two spatial axes.
    MissingExtraError
        If an optional package is needed.

    Examples
    --------
    >>> from varconvex import segment
    >>> from varconvex.io import open_on_disk
    >>> result = segment(open_on_disk("slide.ome.zarr"), strokes, scratch="scratch")  # doctest: +SKIP
    """
    name = checks.path("path", path)
    with readable(name, "an image on disk", "Pass a store of Zarr, an HDF5 file or a .npy file."):
        form = format_of(name)
        if form not in _IN_PARTS:
            raise FileFormatError(
                f"an image on disk must be a store of Zarr, an HDF5 file or a .npy file, which are read in parts; got "
                f"{name}. Convert it, or load it: varconvex.io.open_image({name!r}).array."
            )
        source = form.source(name, Wanted(level, key))
        letters = source.axes_or("yxc")
        if source.axes == "?" and source.shape[2:] > (MOST_CHANNELS,):
            letters = "zyx"[: len(source.shape)]
        index, kept = selection(name, source.shape, letters, None)
    lengths = dict(zip(letters, source.shape, strict=True))
    space, channels = [a for a in kept if a in "zyx"], [a for a in kept if a in "cs"]
    if space != ["y", "x"] or len(channels) > 1:
        raise FileFormatError(
            f"an image on disk must have rows and columns, and channels at most; {name} has the axes {letters} of "
            f"{source.shape}. Load volumes: varconvex.io.open_image."
        )
    told = all(axis in source.steps for axis in space)
    return ImageOnDisk(
        shape=tuple(lengths[axis] for axis in (*space, *channels)),
        dtype=source.dtype,
        channel_axis=-1 if channels else None,
        spacing=tuple(float(source.steps[axis]) for axis in space) if told else None,
        unit=source.unit if told else None,
        path=name,
        source=source,
        index=index,
        letters="".join(channels),
    )
