"""Volumes by nibabel: NIfTI-1 and -2, Analyze, MGH, MINC."""

import zlib
from typing import Any

import numpy as np

from ...errors import FileFormatError
from .base import MILLIMETRE, Source, Wanted, alone, in_one_unit, optional

NAME = "NIfTI, Analyze, MGH (.nii, .nii.gz, .hdr/.img, .mgz; extra nifti)"

_ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".hdr.gz", ".mgh", ".mgz", ".mnc")
_SIZES = (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c")
"""The first bytes of the header: its length, 348 or 540, in both byte orders."""

_MAGIC = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0")


def matches(path: str, head: bytes) -> bool:
    """Whether it has a NIfTI header, compressed or not, or an ending of nibabel's formats that others do not claim."""
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(31).decompress(head, 600)
        except zlib.error:
            return path.lower().endswith(_ENDINGS)
    if head[344:348] in _MAGIC or head[4:8] in _MAGIC:
        return True
    if head.startswith(_SIZES) and len(head) >= 348:
        return True
    return path.lower().endswith((".nii", ".nii.gz", ".img", ".mgh", ".mgz", ".mnc"))


def source(path: str, wanted: Wanted) -> Source:
    """The volume in the order (i, j, k[, t[, channels]]), with its zooms and affine."""
    alone(path, wanted)
    nibabel = optional("nibabel", "nifti", "NIfTI")
    if not path.lower().endswith(_ENDINGS):
        raise FileFormatError(f"a NIfTI file must have its ending, .nii or .nii.gz; {path} holds one. Rename it.")
    image = nibabel.load(path)
    shape = tuple(int(n) for n in image.shape)
    scaled = _scaled(image.dataobj)
    stored = np.dtype(image.get_data_dtype())
    colours = stored.names is not None
    axes = "xyztcuvw"[: len(shape)]
    zooms = image.header.get_zooms()[: min(3, len(shape))]
    units = getattr(image.header, "get_xyzt_units", lambda: ("mm", "sec"))()
    unit = MILLIMETRE if units[0] == "unknown" else units[0]
    steps, unit_told = in_one_unit({axis: (float(step), unit) for axis, step in zip("xyz", zooms, strict=False)})
    if colours:
        shape, axes, dtype = (*shape, len(stored.names)), axes + "s", stored[0]
    else:
        dtype = np.dtype(np.float64) if scaled else stored

    def read(index: tuple[Any, ...]) -> np.ndarray:
        inner = index[:-1] if colours else index
        array = np.asanyarray(image.dataobj[inner])
        if colours:
            array = np.stack([array[name] for name in stored.names], axis=-1)
        return array

    return Source(shape, dtype, axes, read, steps, unit_told, np.asarray(image.affine, float))


def _scaled(dataobj: Any) -> bool:
    """Whether stored numbers are scaled to others."""
    slope, intercept = getattr(dataobj, "slope", 1), getattr(dataobj, "inter", 0)
    return bool(np.any(np.asarray(slope) != 1) or np.any(np.asarray(intercept) != 0))
