"""`open_image`: one door for files of all formats, which are found by what they contain."""

import os
from collections.abc import Sequence

from .. import checks
from ..errors import FileFormatError
from ..keywords import known_keywords
from .axes import image_file
from .formats import arrays, dicom, elsewhere, hdf5, nifti, pictures, tiff, zarrs
from .formats.base import Format, Source, Wanted, readable
from .image_file import ImageFile

FORMATS: tuple[Format, ...] = (dicom, tiff, nifti, zarrs, hdf5, arrays, pictures)
"""In the order in which they are asked: DICOM may begin like TIFF; the last one is the judge of all that is left."""

_HEAD = 4096

_HUGE, _PACKED = 1 << 30, 1000
"""An image of more bytes than this, in a file so many times smaller, is a trap or has one colour."""


@known_keywords
def open_image(
    path: str | os.PathLike,
    *,
    frame: int | Sequence[int] | None = None,
    level: int | None = None,
    key: str | int | None = None,
    axes: str | None = None,
    large: bool = False,
    indices: bool = False,
) -> ImageFile:
    """Open an image of any format with its spacing, unit and orientation in space.

    The format is found by the file's content. PNG, JPEG, GIF, WebP, BMP and others are read by Pillow, TIFF by
    tifffile, ``.npy`` and ``.npz`` by NumPy; NIfTI, OME-Zarr, DICOM and HDF5 need the extras ``nifti``, ``zarr``,
    ``dicom`` and ``hdf5``.

    Parameters
    ----------
    path : path
        A file, or a folder that is a Zarr array or group or holds the slices of a DICOM series.
    frame : int or sequence of int, optional
        Which frame to read of a file with a time axis, or which page of a TIFF file whose pages have no meaning; one
        number for each such axis, in the file's order. Without it pages are a stack (z), and time is refused.
    level : int, optional
        Resolution level of a pyramid: 0, the default, is the finest.
    key : str or int, optional
        Name or number of the array in a file that holds several (``.npz``, Zarr, HDF5, series of a TIFF file).
    axes : str, optional
        A letter for each axis of the file's array, where the file does not name its axes or is wrong: z, y and x are
        spatial, c and s channels, t time. Without names, a last axis of at most four is taken for channels.
    large : bool
        Read what is larger than the memory there is, or 1,000 times larger than its file.
    indices : bool
        Of an indexed picture return the indices, and its colours as `palette`, in place of colours.

    Returns
    -------
    ImageFile

    Raises
    ------
    FileFormatError
        If the file is missing, truncated or of a format that is not read, or holds several images or frames of which
        none is named.
    MissingExtraError
        If an optional package is needed.
    NotEnoughMemoryError
        If the image is larger than the memory there is.
    UnsupportedTypeError
        If the numbers are complex, or no numbers.

    Examples
    --------
    >>> from varconvex import segment
    >>> from varconvex.io import open_image
    >>> file = open_image("cells.ome.tif")  # doctest: +SKIP
    >>> result = segment(file.array, scribbles, spacing=file.spacing)  # doctest: +SKIP
    """
    name = checks.path("path", path)
    with readable(name, "a readable image file", f"Is it truncated, or of another kind? {known()}"):
        source = format_of(name).source(name, Wanted(level, key, indices))
        if not large:
            _plausible(name, source)
        return image_file(name, source, frame, axes, large)


def known() -> str:
    """Which formats are read, as a sentence."""
    return f"Read are {'; '.join(form.NAME for form in FORMATS)}."


def format_of(path: str) -> Format:
    """The format of a file or folder; one that is known and not read is an error that says what reads it."""
    head = b""
    if not os.path.isdir(path):
        with open(path, "rb") as file:
            head = file.read(_HEAD)
        if not head:
            raise FileFormatError(f"a readable image file was expected; {path} is empty. Is the download complete?")
    form = next((form for form in FORMATS if form.matches(path, head)), None)
    if form is None or form is FORMATS[-1]:
        elsewhere.refuse(path, head)
    if form is None:
        raise FileFormatError(f"a readable image file was expected; {path} is a folder of another kind. {known()}")
    return form


def _plausible(path: str, source: Source) -> None:
    """An error for a file that declares a huge image and is tiny."""
    if os.path.isdir(path):
        return  # of a Zarr array what was never written is not stored
    declared, stored = source.dtype.itemsize, os.path.getsize(path)
    for n in source.shape:
        declared *= n
    if declared > _HUGE and declared > _PACKED * stored:
        raise FileFormatError(
            f"an image that its file can hold was expected; {path} declares more pixels than that: {source.shape}, "
            f"{declared:,} bytes, in a file of {stored:,}. Pass large=True if it is meant so."
        )
