"""TIFF by tifffile: pages, ImageJ and OME axes, planar and tiled layouts, pyramids, resolution as spacing."""

import logging
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...errors import FileFormatError, MissingExtraError
from .base import Source, Wanted, level_of, one_of_several, palette_colours
from .tiff_spacing import spacing

NAME = "TIFF (also ImageJ, OME, BigTIFF, LSM, pyramids)"

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _RGB, _INDEXED, _SEPARATED, _YCBCR = 0, 2, 3, 5, 6
_LAB = (8, 9, 10)
_JPEG = (6, 7, 34892)
"""Compressions that come with the colours: whoever decodes them makes RGB of YCbCr."""

_OPACITY = (1, 2)
"""Kinds of extra samples that are opacity; 0 is a further channel."""

_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""What makes an array with rows and columns first upright, by orientation."""

_TURNED_BACK = {**_TURNS, 6: _TURNS[8], 8: _TURNS[6]}

_BROKEN = re.compile(r"corrupt|invalid|missing|truncat|incomplete|failed|not (?:found|match)|mismatch|raised", re.I)
"""What tifffile logs and goes on from, with other pages or zeros."""


def matches(path: str, head: bytes) -> bool:
    """Whether it begins like a TIFF or BigTIFF file."""
    return head.startswith(_MAGIC)


def source(path: str, wanted: Wanted) -> Source:
    """The series that is wanted; one of several has to be named by its number."""
    with _file(path) as file:
        number = _series(path, file, wanted.key)
        levels = file.series[number].levels
        _marked(path, file, levels, wanted.level)
        level = level_of(path, len(levels), wanted.level)
        series, page = levels[level], levels[level].keyframe
        _complete(path, file, series)
        letters, shape = _letters(series), tuple(int(n) for n in series.shape)
        coarser = [n / m for n, m in zip(levels[0].shape, shape, strict=True)]
        scale = {} if letters == "?" else dict(zip(letters, coarser, strict=True))
        steps, unit = spacing(file, number, page)
        made = Source(
            shape,
            np.dtype(series.dtype).newbyteorder("="),
            letters,
            partial(_numbers, path, number, level),
            {axis: step * scale.get(axis, 1) for axis, step in steps.items()},
            unit,
            alpha="s" in letters and _opaque(page),
        )
        kind, samples, packed = page.photometric, page.samplesperpixel, page.compression
        name = f"{samples} samples of photometric kind {kind!s}"
        palette = palette_colours(page.colormap.T) if kind == _INDEXED and not file.is_imagej else None
        turned = int(page.tags.valueof(274, 1))
        ours = series.kind == "shaped"  # tifffile itself calls bools so, and does not mean it
    if kind == _WHITE_IS_ZERO and not ours and (made.dtype == bool or wanted.indices):
        made = _then(made, _inverted)
    if kind in _LAB or (palette is not None and samples > 1):
        raise FileFormatError(f"grey, colours or a palette were expected; {path} has {name}. Convert it to RGB.")
    if kind == _SEPARATED and samples == 4:
        made = _as_rgb(path, made, "CMYK")
    elif kind == _YCBCR and samples == 3 and packed not in _JPEG:
        made = _as_rgb(path, made, "YCbCr")
    if palette is not None and wanted.indices:
        made = replace(made, palette=palette)
    elif palette is not None:
        colours = lambda array: palette[array]  # noqa: E731
        made = _then(made, colours, shape=(*shape, 3), dtype=palette.dtype, axes=letters + "s")
    return _upright(made, turned)


@contextmanager
def _file(path: str) -> Iterator[Any]:
    """An open TiffFile; what tifffile would log and go on from is an error."""
    import tifffile

    said: list[str] = []
    here = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if record.thread == here and (record.levelno >= logging.ERROR or _BROKEN.search(text)):
                said.append(text)

    logger, listener = logging.getLogger("tifffile"), Listener(logging.WARNING)
    logger.addHandler(listener)
    try:
        with tifffile.TiffFile(path) as file:
            _ends(path, file)
            yield file
    finally:
        logger.removeHandler(listener)
    if said:
        raise FileFormatError(
            f"a whole TIFF file was expected; of {path} tifffile says: {said[0][:200]}. Save it anew."
        )


def _ends(path: str, file: Any) -> None:
    """An error if the chain of pages leads back to one of them: tifffile would follow it four billion times."""
    handle, tiff, offset = file.filehandle, file.tiff, int(file.pages.first.offset)
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise FileFormatError(
                f"pages one after the other were expected; those of {path} go in a circle. Save it anew."
            )
        seen.add(offset)
        handle.seek(offset)
        head = handle.read(tiff.tagnosize)
        if len(head) < tiff.tagnosize:
            return
        handle.seek(offset + tiff.tagnosize + struct.unpack(tiff.tagnoformat, head)[0] * tiff.tagsize)
        after = handle.read(tiff.offsetsize)
        if len(after) < tiff.offsetsize:
            return
        offset = struct.unpack(tiff.offsetformat, after)[0]


def _series(path: str, file: Any, key: str | int | None) -> int:
    """Number of the series to read; smaller copies of others and what has its own name beside slides do not count."""
    offered = [k for k, series in enumerate(file.series) if not series.keyframe.is_reduced] or [0]
    if file.is_svs or file.is_ndpi or file.is_scn or file.is_qpi:
        offered = offered[:1] if key is None else offered
    names = [f"{k}" for k in offered]
    return offered[one_of_several(path, names, key if key is None else str(key), "series of pages")]


def _marked(path: str, file: Any, levels: list[Any], level: int | None) -> None:
    """An error if pages are taken for levels of a pyramid only because their sizes would fit."""
    pyramids = file.is_svs or file.is_ndpi or file.is_scn or file.is_qpi or file.is_philips or file.is_bif
    marked = all(isinstance(part.keyframe.index, tuple) or part.keyframe.is_reduced for part in levels[1:])
    if level is None and not (marked or pyramids):
        sizes = ", ".join(str(part.shape) for part in levels)
        raise FileFormatError(
            f"one image can be read; {path} has pages of the sizes {sizes}, which may be levels of one. Pass level= 0 "
            f"to {len(levels) - 1} for one of them."
        )


def _letters(series: Any) -> str:
    """A letter an axis of a series; "?" where they are those of a NumPy array (H, W, C) that was written as pages."""
    axes, shape = series.axes, series.shape
    if series.kind == "shaped" and set(axes) <= set("QYX") and len(axes) > 2 and shape[-1] < 5 <= shape[-2]:
        return "?"
    taken: list[str] = []
    for axis in axes:
        likely = {"I": "pqu", "Q": "pqu", "P": "f", "E": "ce"}.get(axis, axis.lower())
        taken.append(next(letter for letter in f"{likely}qubdgjkn" if letter not in taken))
    return "".join(taken)


def _complete(path: str, file: Any, series: Any) -> None:
    """An error if parts of the series are not in the file: tifffile would take them for zeros."""
    size = file.filehandle.size
    needed = series.nbytes
    if series.dataoffset is not None and not series.is_multifile:
        if series.dataoffset + needed > size:
            raise FileFormatError(f"{path} declares {needed} bytes of pixels; it ends before. Is it truncated?")
        return
    for page in series:
        if page is None:
            raise FileFormatError(f"all pages of {path} were expected; some are missing. Are they in another file?")
        counts, offsets = page.databytecounts, page.dataoffsets
        parts = int(np.prod(page.keyframe.chunked, dtype=np.int64))
        own = page.parent.filehandle.size if series.is_multifile and page.parent is not None else size
        if (
            len(counts) < parts
            or min(counts, default=0) == 0
            or max(map(sum, zip(offsets, counts, strict=False))) > own
        ):
            raise FileFormatError(f"{path} declares {parts} parts a page; some are not in it. Is it truncated?")


def _numbers(path: str, number: int, level: int, index: tuple[Any, ...]) -> np.ndarray:
    """The numbers of a series at an index; only the pages that hold them are read."""
    import tifffile

    with _file(path) as file:
        series = file.series[number].levels[level]
        if series.dataoffset is not None and not series.is_multifile:
            return np.array(tifffile.memmap(path, series=number, level=level, mode="r")[index])
        depth = len(series.shape) - len(series.keyframe.shape)
        lead = tuple(series.shape[:depth])
        if series.transform is not None or int(np.prod(lead)) != len(series):
            return np.asarray(series.asarray())[index]
        pages = np.arange(len(series)).reshape(lead)[index[:depth]]
        keys = [int(k) for k in pages.ravel()]
        rest = (slice(None),) * pages.ndim + index[depth:]
        try:
            array = file.asarray(key=keys, series=number, level=level)
        except (ValueError, NotImplementedError) as error:
            if "imagecodecs" not in str(error) and "COMPRESSION" not in str(error):
                raise
            array = _by_pillow(path, [series[k] for k in keys], str(error))
        return array.reshape(*pages.shape, *series.keyframe.shape)[rest]


def _by_pillow(path: str, pages: list[Any], trouble: str) -> np.ndarray:
    """Pages in a compression that tifffile alone does not know, where Pillow gives all of their numbers."""
    from .pictures import opened

    arrays = []
    for page in pages:
        form = page.keyframe
        array = np.empty(0)
        if isinstance(page.index, int) and form.samplesperpixel in (1, 2, 3, 4):
            with opened(path) as image:
                image.seek(page.index)
                turned = int(form.tags.valueof(274, 1))
                array = np.asarray(image)
            array = _TURNED_BACK.get(turned, lambda a: a)(array)
            array = ~array if form.photometric == _WHITE_IS_ZERO and array.dtype.kind in "bu" else array
        if array.shape != form.shape or array.dtype.newbyteorder("=") != np.dtype(form.dtype).newbyteorder("="):
            raise MissingExtraError(
                f"reading {path} needs imagecodecs ({trouble}). Install it: pip install imagecodecs, or the extra "
                "tiff; or save the file without compression."
            )
        arrays.append(array)
    return np.stack(arrays)


def _opaque(page: Any) -> bool:
    """Whether the last sample is opacity: by its tag, or of four where OpenCV and others leave the tag out."""
    if page.tags.get(338) is None:
        return bool(page.photometric == _RGB and page.samplesperpixel == 4)
    return len(page.extrasamples) > 0 and int(page.extrasamples[-1]) in _OPACITY


def _inverted(array: np.ndarray) -> np.ndarray:
    """A mask in which 0 is white as it is seen; label images as they are."""
    if array.dtype == bool:
        return ~array
    full = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 0
    return full - array if full and np.isin(array, (0, full)).all() else array


def _then(made: Source, change: Any, **fields: Any) -> Source:
    """A source whose numbers are changed after reading; new axes come last and are read whole."""
    count = len(made.shape)
    return replace(made, read=lambda index: change(made.read(index[:count])), **fields)


def _as_rgb(path: str, made: Source, mode: str) -> Source:
    """Inks, or brightness and colour differences, as RGB."""
    if made.dtype != np.uint8 or made.axes[-1] != "s":
        raise FileFormatError(
            f"{mode} of 8 bits, pixel by pixel, was expected; {path} has {made.dtype}. Convert it to RGB."
        )

    def convert(array: np.ndarray) -> np.ndarray:
        from PIL import Image

        flat = np.ascontiguousarray(array.reshape(-1, *array.shape[-2:]))
        picture = Image.frombytes(mode, flat.shape[1::-1], flat.tobytes())
        return np.asarray(picture.convert("RGB")).reshape(*array.shape[:-1], 3)

    return _then(made, convert, shape=(*made.shape[:-1], 3), alpha=False)


def _upright(made: Source, orientation: int) -> Source:
    """A source turned as its orientation says."""
    if orientation not in _TURNS or not {"y", "x"} <= set(made.axes):
        return made
    turn, axes = _TURNS[orientation], made.axes

    def read(index: tuple[Any, ...]) -> np.ndarray:
        array = made.read(index)
        kept = [axis for axis, i in zip(axes, index, strict=True) if isinstance(i, slice)]
        places = (kept.index("y"), kept.index("x"))
        return np.moveaxis(turn(np.moveaxis(array, places, (0, 1))), (0, 1), places)

    if orientation < 5:
        return replace(made, read=read)
    lengths = dict(zip(axes, made.shape, strict=True))
    lengths["y"], lengths["x"] = lengths["x"], lengths["y"]
    steps = dict(made.steps)
    if {"y", "x"} <= set(steps):
        steps["y"], steps["x"] = steps["x"], steps["y"]
    return replace(made, read=read, shape=tuple(lengths[axis] for axis in axes), steps=steps)
