"""Pictures by Pillow: PNG, JPEG, GIF, WebP, BMP, PNM and others, upright, in all of their bits."""

import re
import threading
import warnings
from functools import partial
from typing import Any

import numpy as np

from ...errors import FileFormatError
from .base import MILLIMETRE, Source, Wanted, alone

NAME = "pictures (PNG, JPEG, GIF, WebP, BMP, PNM, JPEG 2000, TGA, ...)"

_LOSSLESS = {"LA": "LA", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB"}
_TYPES: dict[str, type] = {"1": bool, "I": np.int32, "F": np.float32}
_COLOURS = ("CMYK", "YCbCr", "LAB", "HSV")

_SCREEN = (72.0, 96.0)
"""Dots per inch that programs write where nobody has measured anything."""

_TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange rows and columns."""

_LOCK = threading.Lock()
"""Pillow's own limit of pixels, which belongs to all threads, is changed by one at a time."""

_LAYERS = ("PSD", "ICO", "ICNS", "CUR")
"""Formats whose first picture is the whole one; others are its layers, or smaller."""


def matches(path: str, head: bytes) -> bool:
    """Whether it is a file of none of the other formats: Pillow itself is the judge."""
    return head != b""


def source(path: str, wanted: Wanted) -> Source:
    """The picture, or the frames of an animation along t, none of them decoded yet."""
    alone(path, wanted)
    if (numbers := _netpbm(path)) is not None:
        return numbers
    with opened(path) as image:
        frames = 1 if image.format in _LAYERS else getattr(image, "n_frames", 1)
        if image.format == "MPO":
            frames = _same_size(image, frames)
        depth, bands = _deep(path, image)
        mode = image.mode
        palette = _palette(image) if mode == "P" and wanted.indices else None
        shape = image.size[::-1]
        if _orientation(image) in _TURNED:
            shape = shape[::-1]
        steps = _steps(image)
    target = _target(mode, image.info, wanted.indices)
    if frames > 1 and target in ("L", "RGB", "LA"):
        target = "RGBA"  # later frames may have colours and transparency that the first has not
    count = bands or {"RGB": 3, "RGBA": 4, "LA": 2, "PA": 2}.get(target, 1)
    dtype = np.dtype(np.uint16 if bands or mode.startswith("I;16") else _TYPES.get(target, np.uint8))
    load = partial(_load_deep, path, depth) if bands else partial(_load, path, target)

    def read(index: tuple[Any, ...]) -> np.ndarray:
        array = load(index[0] if frames > 1 else 0)
        rest = index[1:] if frames > 1 else index
        return array[rest]

    return Source(
        shape=(frames,) * (frames > 1) + shape + (count,) * (count > 1),
        dtype=dtype,
        axes="t" * (frames > 1) + "yx" + "c" * (count > 1),
        read=read,
        steps=steps,
        unit=MILLIMETRE,
        alpha=count in (2, 4),
        palette=palette,
    )


def opened(path: str) -> Any:
    """A PIL image of which the header has been read; sizes are judged by whoever decodes it."""
    from PIL import Image

    with _LOCK:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _target(mode: str, info: dict[str, Any], indices: bool) -> str:
    """The mode whose numbers are those of the file."""
    seen = "transparency" in info  # one colour, or some of a palette, that is not seen
    if mode == "P" and indices:
        return "PA" if seen else "P"
    if seen and mode in ("P", "RGB", "L"):
        return "LA" if mode == "L" else "RGBA"
    return "RGB" if mode == "P" or mode in _COLOURS else _LOSSLESS.get(mode, mode)


def _load(path: str, target: str, frame: int) -> np.ndarray:
    """The decoded numbers of a frame, upright."""
    from PIL import ImageOps

    with opened(path) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if frame:
            image.seek(frame)
        image.load()
        upright = ImageOps.exif_transpose(image)
        if target in ("P", "PA") and upright.mode != "P":
            raise FileFormatError(f"{path} has colours of its own in this frame. Read frame 0, or save it by itself.")
        if target == "PA":
            return np.dstack([np.asarray(upright), np.asarray(upright.convert("RGBA"))[..., 3]])
        return np.asarray(upright if upright.mode == target else upright.convert(target))


def _orientation(image: Any) -> int:
    """EXIF orientation, without decoding the picture; 1 is upright."""
    from PIL import Image

    try:
        if image.format != "PNG" or "exif" in image.info or "Raw profile type exif" in image.info:
            return int(image.getexif().get(0x0112, 1))
        exif = Image.Exif()
        exif.load(_chunk(image.filename, b"eXIf"))
        return int(exif.get(0x0112, 1))
    except Exception:  # whatever is wrong with what a camera wrote, the picture is there
        return 1


def _chunk(path: str, name: bytes) -> bytes:
    """The content of a PNG file's first chunk of this name, which may come behind the pixels; b"" without one."""
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] == name:
                return file.read(length)
            file.seek(length + 4, 1)
    return b""


def _palette(image: Any) -> np.ndarray:
    """Colours of an indexed picture, (n, 3) uint8."""
    return np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)


def _steps(image: Any) -> dict[str, float]:
    """Millimetres between pixels by the file's resolution, without those that stand for "not known"."""
    try:
        across, down = (float(dots) for dots in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return {}
    if not (0 < across < 1e9 and 0 < down < 1e9) or (round(across, 1) in _SCREEN and round(down, 1) in _SCREEN):
        return {}
    if _orientation(image) in _TURNED:
        across, down = down, across
    return {"y": 25.4 / down, "x": 25.4 / across}


def _same_size(image: Any, frames: int) -> int:
    """Number of pictures of a multi-picture JPEG; 1 if the others are smaller: thumbnails and gain maps of phones."""
    sizes = set()
    for k in range(frames):
        image.seek(k)
        sizes.add(image.size)
    image.seek(0)
    return frames if len(sizes) == 1 else 1


def _deep(path: str, image: Any) -> tuple[str, int]:
    """Mode and number of channels of a PNG of 16 bits a channel, of which Pillow keeps 8; ("", 0) of others.

    A FileFormatError of other formats whose upper bits alone Pillow would keep.
    """
    raw = image.tile[0][3] if image.tile else ""
    if image.format == "PNG" and raw in ("RGB;16B", "RGBA;16B", "LA;16B"):
        return raw[:-4], {"RGB": 3, "RGBA": 4, "LA": 2}[raw[:-4]]
    with open(path, "rb") as file:
        head = file.read(4096)
    bits = 8
    if image.format == "JPEG2000" and (at := head.find(b"\xff\x51")) >= 0 and len(head) > at + 40:
        bits = (head[at + 40] & 0x7F) + 1 if image.mode not in ("I;16", "I") else 8
    elif image.format == "AVIF" and (at := head.find(b"pixi")) >= 0 and len(head) > at + 9:
        bits = head[at + 9]
    elif image.format == "SGI":
        bits = 8 * head[3]
    if bits > 8:
        raise FileFormatError(
            f"a picture of 8 bits, or a PNG or TIFF, was expected; {path} is {image.format} with {bits} bits a "
            "channel, of which 8 would be read. Convert it to PNG or TIFF with 16 bits."
        )
    return "", 0


def _load_deep(path: str, mode: str, frame: int) -> np.ndarray:
    """All 16 bits a channel of a PNG: Pillow unpacks the upper byte of each, and in a second pass the lower one."""
    from PIL import Image, ImageOps

    def unpacked(rawmode: str, target: str) -> np.ndarray:
        with opened(path) as image:
            orientation = {0x0112: _orientation(image)}
            image._mode = target
            image.tile = [(*image.tile[0][:3], rawmode)]
            image.load()
            plain = Image.fromarray(np.asarray(image))
        plain.getexif().update(orientation)
        return np.asarray(ImageOps.exif_transpose(plain)).astype(np.uint16)

    if mode == "LA":
        both = unpacked("RGBA", "RGBA")  # four bytes a pixel, as they are
        return both[..., ::2] * np.uint16(256) + both[..., 1::2]
    return unpacked(f"{mode};16B", mode) * np.uint16(256) + unpacked(f"{mode};16L", mode)


def _netpbm(path: str) -> Source | None:
    """A binary PGM or PPM whose largest value is not 255, which Pillow would scale; None for other files."""
    with open(path, "rb") as file:
        head = file.read(4096)
    found = re.match(
        rb"(P[56])(?:\s+(?:#[^\n]*\n\s*)*)(\d+)(?:\s+(?:#[^\n]*\n\s*)*)(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s", head
    )
    if found is None or int(found[4]) == 255 or not 0 < int(found[4]) < 65536:
        return None
    channels = 3 if found[1] == b"P6" else 1
    shape = (int(found[3]), int(found[2])) + (3,) * (channels == 3)
    dtype = np.dtype(">u2" if int(found[4]) > 255 else np.uint8)

    def read(index: tuple[Any, ...]) -> np.ndarray:
        array = np.fromfile(path, dtype, count=int(np.prod(shape)), offset=found.end())
        if array.size < np.prod(shape):
            raise FileFormatError(f"{path} declares {shape} values; it holds {array.size}. Is it truncated?")
        return array.reshape(shape)[index]

    return Source(shape, dtype, "yxc" if channels == 3 else "yx", read)
