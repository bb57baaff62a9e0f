"""Outlines of objects for other programs: GeoJSON, COCO, ImageJ's ROIs.

All are exact: they follow the edges of pixels, and fill to the same pixels. A pixel (row, column) covers x from column
to column + 1 and y from row to row + 1, as these three take it.

| ending | kind | an object |
|---|---|---|
| .geojson | GeoJSON (RFC 7946; QuPath, shapely, GIS) | a MultiPolygon with its holes, property `label` |
| .json | COCO (annotation tools, detectors) | its polygons, or run lengths where it has holes |
| .roi, .zip | ImageJ, Fiji (extra imagej) | a polygon a part, in a ZIP file if there are several; holes by a slit |
"""

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import checks
from ..errors import FileFormatError, UnsupportedTypeError
from ..geometry.tracing import Polygon, polygons
from ..keywords import known_keywords
from .kinds import has_ending, require
from .whole import check_writable, write_whole

OUTLINE_ENDINGS = (".geojson", ".json", ".roi", ".zip")


@known_keywords
def write_outlines(
    path: str | os.PathLike,
    labels: np.ndarray,
    object_ids: Sequence[int],
    *,
    image_name: str = "",
    run_lengths: bool = False,
) -> None:
    """Write the outlines of objects in a label image; the path's ending says in which form.

    Parameters
    ----------
    path : str or path
        Ends in .geojson, .json (COCO), .zip or .roi (ImageJ; .roi holds one part only).
    labels : (H, W) integer array
    object_ids : sequence of int
        The labels that are objects.
    image_name : str
        Name of the image's file, for COCO.
    run_lengths : bool
        Whether COCO gets run lengths for all objects, instead of polygons for those without holes.

    Raises
    ------
    FileFormatError
        If this form cannot hold them, or the file cannot be written.
    MissingExtraError
        If roifile, which writes ImageJ's ROIs, is not installed.
    """
    labels = checks.host_array("labels", labels)
    check_outlines(path, labels.ndim)
    if not isinstance(image_name, str):
        raise UnsupportedTypeError(f"image_name must be a text; got {type(image_name).__name__}. Pass its name.")
    run_lengths, object_ids = checks.boolean("run_lengths", run_lengths), checks.label_ids("object_ids", object_ids)
    found = {label: polygons(labels == label) for label in object_ids}
    if has_ending(path, ".geojson"):
        content = _json(geojson(found))
    elif has_ending(path, ".json"):
        content = _json(coco(found, labels, image_name, run_lengths))
    else:
        content = _rois(path, found)
    write_whole(path, lambda file: file.write(content))


def check_outlines(path: str | os.PathLike, ndim: int = 2) -> None:
    """Check, before anything is computed, that outlines can be written; errors are those of `write_outlines`."""
    if not has_ending(path, OUTLINE_ENDINGS):
        endings = ", ".join(OUTLINE_ENDINGS)
        raise FileFormatError(f"the outlines' name must end in {endings}; got {os.fspath(path)}. Rename it.")
    if ndim != 2:
        raise FileFormatError(f"outlines are those of images; got {ndim} axes for {os.fspath(path)}. Take a slice.")
    if has_ending(path, (".roi", ".zip")):
        require("roifile", "imagej", "an ImageJ ROI")
    check_writable(path)


def geojson(found: Mapping[int, Sequence[Polygon]]) -> dict[str, Any]:
    """A FeatureCollection with the polygons of each label; labels without pixels are left out."""
    features = []
    for label, parts in found.items():
        rings = [[_closed(ring) for ring in part] for part in parts]
        kind, coordinates = ("Polygon", rings[0]) if len(rings) == 1 else ("MultiPolygon", rings)
        properties = {"label": label, "name": f"label {label}", "objectType": "annotation"}
        geometry = {"type": kind, "coordinates": coordinates}
        if rings:
            features.append({"type": "Feature", "id": label, "geometry": geometry, "properties": properties})
    return {"type": "FeatureCollection", "features": features}


def coco(
    found: Mapping[int, Sequence[Polygon]], labels: np.ndarray, image_name: str = "", run_lengths: bool = False
) -> dict[str, Any]:
    """A COCO data set of one image, with an annotation and a category for each label."""
    height, width = labels.shape
    annotations: list[dict[str, Any]] = []
    for label, parts in found.items():
        mask = labels == label
        if not parts:
            continue
        rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
        left, top = int(columns[0]), int(rows[0])
        box = [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]
        outlines = [part[0][:, ::-1].ravel().tolist() for part in parts]
        holes = any(len(part) > 1 for part in parts)
        segmentation = {"size": [height, width], "counts": _runs(mask)} if holes or run_lengths else outlines
        annotations.append(
            {
                "id": len(annotations) + 1, "image_id": 1, "category_id": label, "segmentation": segmentation,
                "area": int(mask.sum()), "bbox": box, "iscrowd": 0,
            }
        )  # fmt: skip
    return {
        "images": [{"id": 1, "file_name": image_name, "height": height, "width": width}],
        "categories": [{"id": label, "name": f"label {label}"} for label in found],
        "annotations": annotations,
    }


def _rois(path: str | os.PathLike, found: Mapping[int, Sequence[Polygon]]) -> bytes:
    """A part as an ImageJ ROI, or all parts as a ZIP file of these."""
    from roifile import ImagejRoi

    rois = []
    for label, parts in found.items():
        for k, part in enumerate(parts):
            name = f"label {label}" + f" part {k + 1}" * (len(parts) > 1)
            rois.append((name, ImagejRoi.frompoints(_with_slits(part)[:, ::-1], name=name).tobytes()))
    if has_ending(path, ".roi"):
        if len(rois) != 1:
            raise FileFormatError(f"a .roi file holds one part; got {len(rois)}. Name the output .zip.")
        return rois[0][1]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in rois:
            file.writestr(zipfile.ZipInfo(f"{name}.roi", (1980, 1, 1, 0, 0, 0)), content)
    return packed.getvalue()


def _with_slits(part: Polygon) -> np.ndarray:
    """A polygon with its holes as one path: to each hole and back by the same way, which has no width."""
    outer, *holes = part
    path = [outer]
    for hole in holes:
        path += [outer[:1], hole, hole[:1]]
    return np.concatenate([*path, outer[:1]] if holes else path)


def _closed(ring: np.ndarray) -> list[list[int]]:
    """A ring as (x, y), with its first point again at the end."""
    return np.concatenate([ring, ring[:1]])[:, ::-1].tolist()


def _runs(mask: np.ndarray) -> list[int]:
    """Lengths of the runs down the columns, the first of pixels that are not in the mask."""
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    return [0] * bool(flat[0]) + np.diff(ends, prepend=0, append=flat.size).tolist()


def _json(value: Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
