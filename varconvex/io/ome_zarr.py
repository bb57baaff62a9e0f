"""OME-Zarr: labels or probabilities as an image of their own, or as labels inside of the image that they belong to.

cells.ome.zarr                 a group with one level, in version 0.4
image.ome.zarr/labels/cells    the same among the image's labels, in the image's version, 0.4 or 0.5
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileFormatError
from .formats.base import MICRON, MILLIMETRE
from .grid import Grid
from .whole import write_folder

_UNITS = {"m": "meter", MILLIMETRE: "millimeter", MICRON: "micrometer", "nm": "nanometer", "cm": "centimeter"}
_UNITS |= {"inch": "inch", "pm": "picometer", "Å": "angstrom", "km": "kilometer"}
_CHUNK, _LARGE_CHUNK = 256, 1024
_OWN = "varconvex"
"""Attribute of groups that were written here, which may be replaced."""


def is_inside(path: str | os.PathLike) -> bool:
    """Whether a path is that of labels inside of an image: IMAGE.zarr/labels/NAME."""
    labels = Path(path).parent
    return labels.name == "labels" and labels.parent.name.lower().endswith(".zarr") and labels.parent.is_dir()


def check_place(path: str | os.PathLike) -> None:
    """A FileFormatError if a folder is there that was not written here: it may hold more than one array."""
    if Path(path).exists() and _OWN not in _attributes(Path(path)):
        raise FileFormatError(
            f"an OME-Zarr output must be new, or an earlier output; {os.fspath(path)} holds something else. Choose "
            "another name."
        )


def write_ome_zarr(path: str | os.PathLike, array: Any, grid: Grid, *, levels: int = 1) -> None:
    """Write an array as a group; labels inside of an image are listed there.

    With `levels`, each has every second pixel of the one before: labels have no means. An array on disk is copied by
    rows.
    """
    import zarr

    target, inside = Path(path), is_inside(path)
    later = inside and (target.parent.parent / "zarr.json").exists()
    attributes = _described(target.name.split(".")[0], array, grid, "0.5" if later else "0.4", levels)

    def write(folder: Path) -> None:
        group = zarr.open_group(folder, mode="w", zarr_format=3 if later else 2, attributes=attributes)
        keys = {} if later else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        kind: Any = array.dtype
        source = array
        for level in range(levels):
            side = 1 if level == 0 else 2
            shape = tuple(-(-n // side) for n in source.shape)
            chunks = tuple(min(n, _CHUNK if levels == 1 else _LARGE_CHUNK) for n in shape)
            made: Any = group.create_array(
                str(level),
                shape=shape,
                dtype=kind,
                chunks=chunks,
                fill_value=0,
                **keys,  # type: ignore[arg-type]
            )
            for first in range(0, shape[0], chunks[0]):
                rows = np.asarray(source[side * first : side * (first + chunks[0])])
                made[first : first + chunks[0]] = rows if level == 0 else rows[(slice(None, None, 2),) * rows.ndim]
            source = made

    check_place(path)
    labels = zarr.open_group(target.parent, mode="a", zarr_format=3 if later else 2) if inside else None
    write_folder(path, write)
    if labels is not None:
        given: Any = labels.attrs.asdict()
        told = given.get("ome", {"version": "0.5"}) if later else given
        found = {"labels": list(dict.fromkeys([*told.get("labels", []), target.name]))}
        labels.attrs.update({"ome": {**told, **found}} if later else found)


def _described(name: str, array: Any, grid: Grid, version: str, levels: int) -> dict[str, Any]:
    """Metadata of the group, in the form of a version."""
    labels = array.dtype.kind != "f"
    unit = _UNITS.get(grid.unit, grid.unit) if grid.unit else None
    axes: list[dict[str, str]] = []
    for letter in grid.axes(array).lower():
        space = {"type": "space"} | ({"unit": unit} if unit else {})
        axes.append({"name": letter, **({"type": "channel"} if letter == "c" else space)})
    scale = [1.0] * grid.channels + [float(step) for step in grid.spacing or (1.0,) * (array.ndim - grid.channels)]
    datasets = [
        {"path": str(k), "coordinateTransformations": [{"type": "scale", "scale": [2**k * step for step in scale]}]}
        for k in range(levels)
    ]
    image: dict[str, Any] = {"name": name, "axes": axes, "datasets": datasets}
    told: dict[str, Any] = {"multiscales": [image]} | ({"image-label": {}} if labels else {})
    own: dict[str, Any] = {"content": "labels" if labels else "probability"}
    if grid.affine is not None:
        own["affine"] = np.asarray(grid.affine, float).tolist()
    if version == "0.5":
        return {"ome": {"version": version, **told}, _OWN: own}
    for part in (image, told.get("image-label", {})):
        part["version"] = version
    return {**told, _OWN: own}


def _attributes(path: Path) -> dict[str, Any]:
    """Attributes of a group; none of what is no group."""
    import zarr

    try:
        return dict(zarr.open_group(path, mode="r").attrs)
    except Exception:
        return {}
