"""Zarr by zarr-python: single arrays, groups, and OME-Zarr images with their axes, scales and levels."""

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FileFormatError
from .base import Source, Wanted, alone, in_one_unit, level_of, one_of_several, optional

NAME = "Zarr and OME-Zarr, folders or zip files (extra zarr)"

_MARKS = (".zarray", ".zgroup", "zarr.json", ".zattrs")
_LETTERS = {"channel": "c", "time": "t", "depth": "z", "row": "y", "column": "x", "band": "c", "plane": "z"}
_MOST_NODES = 1000


def matches(path: str, head: bytes) -> bool:
    """Whether it is a folder, or a zip file, with the metadata of an array or a group."""
    if os.path.isdir(path):
        return any(os.path.exists(os.path.join(path, mark)) for mark in _MARKS)
    if not head.startswith(b"PK\x03\x04"):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(mark in archive.namelist() for mark in _MARKS)


def source(path: str, wanted: Wanted) -> Source:
    """The array, or the level of an OME-Zarr image; labels and images of a group are named by `key`."""
    zarr = optional("zarr", "zarr", "Zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = zarr.open(Path(path) if os.path.isdir(path) else zarr.storage.ZipStore(path, mode="r"), mode="r")
        return _source(path, node, wanted)


def _source(path: str, node: Any, wanted: Wanted) -> Source:
    """The array that is wanted of a group, or the array itself."""
    if hasattr(node, "shape"):
        alone(path, wanted)
        told = _of_parent(path)
        return told or _plain(node)
    ome = _ome(node)
    if isinstance(wanted.key, str):
        child = node.get(wanted.key)
        if child is not None:
            return _source(os.path.join(path, wanted.key), child, Wanted(wanted.level))
    if images := ome.get("multiscales"):
        names = [str(image.get("name") or k) for k, image in enumerate(images)]
        image = images[one_of_several(path, names, wanted.key, "image")]
        levels = image["datasets"]
        return _scaled(node[levels[level_of(path, len(levels), wanted.level)]["path"]], image, wanted.level or 0)
    names = _inside(node)
    name = names[one_of_several(path, names, wanted.key, "image or array")]
    return _source(os.path.join(path, name), node[name], Wanted(wanted.level))


def _ome(group: Any) -> dict[str, Any]:
    """Metadata of OME-Zarr: from version 0.5 on in a place of their own."""
    attributes = dict(group.attrs)
    return attributes.get("ome", attributes)


def _scaled(array: Any, image: dict[str, Any], level: int) -> Source:
    """An array of an OME-Zarr image with its axes and the scale of its level."""
    named: list[Any] = image.get("axes") or list("tczyx")[-array.ndim :]
    axes = [{"name": axis} if isinstance(axis, str) else axis for axis in named]
    letters = "".join(_letter(str(axis["name"]), str(axis.get("type", ""))) for axis in axes)
    if len(axes) != array.ndim:
        raise FileFormatError(
            f"an axis was expected for each of {array.shape}; the metadata name {letters}. Mend them."
        )
    scale, told = np.ones(array.ndim), False
    for place in (image["datasets"][level], image):
        for change in place.get("coordinateTransformations", ()):
            if change.get("type") == "scale":
                scale, told = scale * np.asarray(change["scale"], float), True
    found = {
        letter: (float(step), axis.get("unit"))
        for letter, step, axis in zip(letters, scale, axes, strict=True)
        if told and letter in "zyx"
    }
    steps, unit = in_one_unit(found)
    return Source(
        tuple(array.shape), np.dtype(array.dtype), letters, lambda index: np.asarray(array[index]), steps, unit
    )


def _of_parent(path: str) -> Source | None:
    """A level of an OME-Zarr image that was opened by the path of its array, with what the group around it tells."""
    parent, name = os.path.split(os.path.abspath(path))
    if not (os.path.isdir(path) and matches(parent, b"")):
        return None
    import zarr

    group: Any = zarr.open(Path(parent), mode="r")
    for image in [] if hasattr(group, "shape") else _ome(group).get("multiscales", []):
        for level, dataset in enumerate(image["datasets"]):
            if dataset["path"] == name:
                return _scaled(group[name], image, level)
    return None


def _plain(array: Any) -> Source:
    """An array, with the names that xarray or version 3 of Zarr give its axes."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    letters = "".join(_letter(str(name), "") for name in names or ())
    known = len(letters) == array.ndim == len(set(letters)) and {"y", "x"} <= set(letters)
    return Source(
        tuple(array.shape), np.dtype(array.dtype), letters if known else "?", lambda index: np.asarray(array[index])
    )


def _letter(name: str, kind: str) -> str:
    """The letter of an axis by its name, or else by its type."""
    name = name.lower()
    if name in _LETTERS:
        return _LETTERS[name]
    return name if len(name) == 1 and name.isalpha() else _LETTERS.get(kind, name[:1] or "?")


def _inside(group: Any, prefix: str = "", depth: int = 0) -> list[str]:
    """Paths of the images and arrays in a group and up to three levels below."""
    found: list[str] = []
    for name, child in sorted(group.members(), key=lambda member: member[0]):
        if len(found) >= _MOST_NODES:
            break
        if hasattr(child, "shape"):
            found += [prefix + name] * (child.ndim > 1)
        elif "multiscales" in _ome(child):
            found.append(prefix + name)
        elif depth < 3:
            found += _inside(child, f"{prefix}{name}/", depth + 1)
    return found
