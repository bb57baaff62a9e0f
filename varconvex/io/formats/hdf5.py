"""HDF5 by h5py: one array of a file, with the axes and element sizes that ilastik, Fiji or netCDF give it."""

import json
from typing import Any

import numpy as np

from .base import MICRON, Source, Wanted, in_one_unit, level_of, one_of_several, optional

NAME = "HDF5 (.h5, .hdf5; extra hdf5)"


def matches(path: str, head: bytes) -> bool:
    """Whether it begins like an HDF5 file."""
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def source(path: str, wanted: Wanted) -> Source:
    """The array that `key` names, or the only one of two or more axes."""
    level_of(path, 1, wanted.level)
    h5py = optional("h5py", "hdf5", "HDF5")
    names: list[str] = []

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and len(node.shape or ()) > 1:
            names.append(name)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
        key = wanted.key.strip("/") if isinstance(wanted.key, str) else wanted.key
        name = names[one_of_several(path, names, key, "array")]
        array = file[name]
        letters = _letters(array)
        shape, dtype = tuple(array.shape), np.dtype(array.dtype)
        sizes = np.ravel(array.attrs.get("element_size_um", ()))
        space = [axis for axis in (letters if letters != "?" else "zyx") if axis in "zyx"]
        told = zip("zyx" if len(sizes) == 3 else space, sizes, strict=False)
        steps, unit = in_one_unit({axis: (float(size), MICRON) for axis, size in told})

    def read(index: tuple[Any, ...]) -> np.ndarray:
        with h5py.File(path, "r") as file:
            return np.asarray(file[name][index])

    return Source(shape, dtype, letters, read, steps, unit)


def _letters(array: Any) -> str:
    """Letters of the axes by ilastik's tags or the labels of the dimensions; "?" where these do not tell."""
    if "axistags" in array.attrs:
        letters = "".join(axis["key"] for axis in json.loads(array.attrs["axistags"])["axes"])
    else:
        scales = [dimension.label or next(iter(dimension.keys()), "") for dimension in array.dims]
        letters = "".join({"lat": "y", "lon": "x"}.get(label, label)[:1] for label in scales).lower()
    return letters if len(letters) == array.ndim == len(set(letters)) and {"y", "x"} <= set(letters) else "?"
