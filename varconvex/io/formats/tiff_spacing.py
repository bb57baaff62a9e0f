"""Distances between the pixels of a TIFF file: of OME, ImageJ, LSM and slides, else of its resolution."""

import re
from typing import Any
from xml.etree import ElementTree

from .base import MICRON, MILLIMETRE, in_one_unit

_UNITS = {2: 25.4, 3: 10.0}
"""Millimetres in the unit of a resolution, by its tag."""

_UNMEASURED = (0.0, 1.0, 72.0, 96.0)
"""Resolutions that programs write where nobody has measured anything."""


def spacing(file: Any, number: int, page: Any) -> tuple[dict[str, float], str | None]:
    """Distances by axis and their unit, of the series with this number."""
    if file.is_ome:
        return _ome(file.ome_metadata, number)
    if file.is_imagej:
        return _imagej(file.imagej_metadata or {}, page)
    own: dict[str, Any] = (file.shaped_metadata or ({},))[0] if file.is_shaped else {}
    if "spacing" in own:  # as `write_labels` writes what neither ImageJ nor OME can hold
        return _imagej(own, page)
    if file.is_lsm:
        found = {axis: file.lsm_metadata.get(f"VoxelSize{axis.upper()}", 0.0) for axis in "zyx"}
        return in_one_unit({axis: (1e6 * step, MICRON) for axis, step in found.items()})
    if file.is_svs and (told := re.search(r"MPP\s*=\s*([\d.]+)", page.description)):
        return {"y": float(told[1]), "x": float(told[1])}, MICRON
    if (pixel := page.tags.valueof(33550)) and len(pixel) >= 2:  # of a map, in its own unit
        return in_one_unit({"y": (pixel[1], None), "x": (pixel[0], None)})
    across, down = _resolution(page, 282), _resolution(page, 283)
    millimetres = _UNITS.get(int(page.tags.valueof(296, 2)))
    if millimetres is None or (across in _UNMEASURED and down in _UNMEASURED) or not across or not down:
        return {}, None
    return in_one_unit({"y": (millimetres / down, MILLIMETRE), "x": (millimetres / across, MILLIMETRE)})


def _resolution(page: Any, tag: int) -> float:
    """Pixels in a unit; 0 where the file does not tell."""
    value = page.tags.valueof(tag)
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return value[0] / value[1]


def _imagej(told: dict[str, Any], page: Any) -> tuple[dict[str, float], str | None]:
    across, down = _resolution(page, 282), _resolution(page, 283)
    unit = str(told.get("unit", ""))
    known = unit or "spacing" in told
    if not known or not across or not down:
        return {}, None
    steps = {"y": (1 / down, unit), "x": (1 / across, unit)}
    return in_one_unit({"z": (told.get("spacing", 1.0), unit), **steps})


def _ome(text: str, number: int) -> tuple[dict[str, float], str | None]:
    root = ElementTree.fromstring(text)
    pixels = [element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"]
    told = pixels[number].attrib if number < len(pixels) else {}
    found = {}
    for axis in "zyx":
        size = told.get(f"PhysicalSize{axis.upper()}")
        if size is not None:
            found[axis] = (float(size), told.get(f"PhysicalSize{axis.upper()}Unit", MICRON))
    return in_one_unit(found)
