"""NumPy's own files: ``.npy`` and ``.npz``, never with pickled objects."""

import zipfile
from typing import Any

import numpy as np

from ...errors import FileFormatError
from .base import Source, Wanted, alone, level_of, one_of_several

NAME = "NumPy arrays (.npy, .npz)"

_REMEDY = "Save it without objects."


def matches(path: str, head: bytes) -> bool:
    """Whether it begins like a ``.npy`` file, or is a zip file of them."""
    lower = path.lower()
    return head.startswith(b"\x93NUMPY") or lower.endswith((".npy", ".npz")) or (_is_zip(head) and _members(path) != [])


def source(path: str, wanted: Wanted) -> Source:
    """The array, of which the header has been read."""
    with open(path, "rb") as begun:
        head = begun.read(6)
    level_of(path, 1, wanted.level)
    if not _is_zip(head):
        alone(path, wanted)
        with open(path, "rb") as plain:
            shape, dtype = _header(plain, path)
            room = plain.seek(0, 2)
        if np.prod(shape, dtype=np.float64) * dtype.itemsize > room:
            raise FileFormatError(f"{path} declares {shape} numbers of type {dtype}; it is shorter. Is it truncated?")
        return Source(shape, dtype, "?", lambda index: np.load(path, mmap_mode="r", allow_pickle=False)[index])
    names = _members(path)
    ours = wanted.key is None and {"header", "labels"} <= set(names)  # what `Segmentation.save` wrote
    name = names[one_of_several(path, names, "labels" if ours else wanted.key, "array")]
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        shape, dtype = _header(member, path)

    def read(index: tuple[Any, ...]) -> np.ndarray:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name][index]

    return Source(shape, dtype, "?", read)


def _is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _members(path: str) -> list[str]:
    """Names of the arrays in a zip file."""
    with zipfile.ZipFile(path) as archive:
        return [name[:-4] for name in archive.namelist() if name.endswith(".npy")]


def _header(file: Any, path: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that the head of a ``.npy`` file declares."""
    version = np.lib.format.read_magic(file)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}.get(version[0])
    if read is None:
        raise FileFormatError(f"{path} must be a .npy file of version 1 or 2; it has version {version}. Save it anew.")
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise FileFormatError(
            f"plain numbers were expected; {path} holds Python objects, which are not read. {_REMEDY}"
        )
    return shape, dtype
