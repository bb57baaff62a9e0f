"""Strokes as points in text files: GeoJSON, JSON polylines, LabelMe, and the shapes that napari writes as CSV."""

import csv
import json
import os
from typing import Any

import numpy as np

from .formats.base import readable

Line = tuple[int | None, bool, np.ndarray]
"""A line's label, None where the file has none; whether it is filled; its points, (n, d) float64 in array order."""

_LARGEST = 256 << 20
"""Most bytes of a text of strokes: a million points take 40 MB."""

_NAMES = ("label", "class", "classification", "name", "category", "id")
_OBJECT = ("object", "foreground", "fg", "positive")
_BACKGROUND = ("background", "bg", "negative")


def is_text_of_strokes(path: str) -> bool:
    """Whether a file is JSON or CSV, by its content or its ending."""
    if os.path.splitext(path)[1].lower() in (".json", ".geojson", ".csv"):
        return True
    if os.path.isdir(path):
        return False
    with readable(path, "a file of scribbles", "May it be read?"), open(path, "rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def read_strokes(path: str) -> list[Line]:
    """The lines in a file.

    A FileFormatError if it is neither GeoJSON, polylines by label, LabelMe, nor napari's shapes.
    """
    kind = "strokes as GeoJSON, as polylines {label: [[row, column], ...]}, or as shapes of napari (CSV)"
    with readable(path, kind, "Is it truncated, or of another kind?"):
        if os.path.getsize(path) > _LARGEST:
            raise ValueError(f"it has {os.path.getsize(path):,} bytes, more than {_LARGEST:,}")
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
        if os.path.splitext(path)[1].lower() == ".csv":
            return _napari(text)
        told = json.loads(text)
        if isinstance(told, dict) and isinstance(told.get("shapes"), list):
            return [_labelme(shape) for shape in told["shapes"]]
        if isinstance(told, dict) and isinstance(told.get("type"), str):
            return _geojson(told, None)
        if isinstance(told, list) and told and isinstance(told[0], dict):
            return [line for feature in told for line in _geojson(feature, None)]
        if isinstance(told, dict):
            return [(_label(name), False, line) for name, value in told.items() for line in _polylines(value)]
        return [(None, False, line) for line in _polylines(told)]


def _geojson(thing: Any, label: int | None) -> list[Line]:
    """Lines of a GeoJSON object, whose points are (x, y)."""
    kind = thing.get("type")
    if kind == "FeatureCollection":
        return [line for feature in thing["features"] for line in _geojson(feature, label)]
    if kind == "Feature":
        own = _property(thing.get("properties") or {})
        return _geojson(thing["geometry"], label if own is None else own)
    if kind == "GeometryCollection":
        return [line for geometry in thing["geometries"] for line in _geojson(geometry, label)]
    coordinates = thing["coordinates"]
    if kind in ("Polygon", "MultiPolygon"):
        polygons = [coordinates] if kind == "Polygon" else coordinates
        if any(len(rings) != 1 for rings in polygons):
            raise ValueError("it has a polygon with holes, which is no stroke")
        return [(label, True, _points(rings[0])[:, 1::-1]) for rings in polygons]
    parts = {
        "Point": lambda: [[coordinates]],
        "MultiPoint": lambda: [[point] for point in coordinates],
        "LineString": lambda: [coordinates],
        "MultiLineString": lambda: coordinates,
    }
    if kind not in parts:
        raise ValueError(f"it has a geometry of type {kind!r:.40}")
    return [(label, False, _points(part)[:, 1::-1]) for part in parts[kind]()]


def _property(properties: dict[str, Any]) -> int | None:
    """The label that a feature's properties tell: a number, a name, or a class with a name."""
    for name in _NAMES:
        value = properties.get(name)
        if isinstance(value, dict):
            value = value.get("name")
        if value is not None:
            return _label(value)
    return None


def _label(value: Any) -> int:
    """A label of its number or name."""
    text = str(value).strip().lower()
    if text in _OBJECT:
        return 2
    if text in _BACKGROUND:
        return 1
    if text.isascii() and text.isdigit() and 0 < int(text) <= 2**53:
        return int(text)
    raise ValueError(f"a label must be 'object', 'background' or a whole number from 1 on; it has {value!r:.60}")


def _labelme(shape: Any) -> Line:
    kind = shape.get("shape_type", "polygon")
    if kind not in ("linestrip", "line", "point", "points", "polygon"):
        raise ValueError(f"shapes must be lines, points or polygons; it has a {kind!r:.40}")
    return _label(shape["label"]), kind == "polygon", _points(shape["points"])[:, ::-1]


def _polylines(value: Any) -> list[np.ndarray]:
    """One polyline, or a list of them, of points in array order."""
    if not isinstance(value, list) or not value:
        raise ValueError("a label must have a list of polylines")
    many = isinstance(value[0], list) and value[0] and isinstance(value[0][0], list)
    return [_points(line) for line in (value if many else [value])]


def _points(line: Any) -> np.ndarray:
    """Points as (n, d) float64."""
    points = np.asarray(line, dtype=np.float64)
    if points.ndim != 2 or len(points) == 0 or points.shape[1] < 2 or not np.isfinite(points).all():
        raise ValueError(
            f"a line must be finite points with two or three coordinates; it has one of shape {points.shape}"
        )
    return points


def _napari(text: str) -> list[Line]:
    """Shapes of napari: a row a point, with the shape's number and type, and the axes in array order."""
    rows = list(csv.DictReader(text.splitlines()))
    names = list(rows[0]) if rows else []
    axes = sorted((name for name in names if name.startswith("axis-")), key=lambda name: int(name[5:]))
    if len(axes) < 2:
        raise ValueError(
            f"its columns must be those of napari: index, shape-type, vertex-index, axis-0, axis-1; got {names}"
        )
    column = next((name for name in _NAMES if name in names), None)
    shapes: dict[str, list[dict[str, Any]]] = {}
    for k, row in enumerate(rows):
        shapes.setdefault(str(row.get("index", k)), []).append(row)
    lines = []
    for shape in shapes.values():
        kind = shape[0].get("shape-type") or "points"
        points = _points([[float(row[axis]) for axis in axes] for row in shape])
        if kind == "ellipse":
            points = _ellipse(points)
        label = _label(shape[0][column]) if column else None
        filled = kind in ("polygon", "rectangle", "ellipse")
        lines += [(label, filled, part) for part in (points[:, None] if kind == "points" else [points])]
    return lines


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Points on the ellipse in a rectangle of four corners."""
    centre, turn = corners.mean(axis=0), np.linspace(0, 2 * np.pi, 65)
    first, second = (corners[1] - corners[0]) / 2, (corners[-1] - corners[0]) / 2
    return centre + np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * second
