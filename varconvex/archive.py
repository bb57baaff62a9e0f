"""Segmentations in files: a NumPy archive of plain arrays, one of which holds the rest as JSON.

No pickle is written or read, so that a file from anybody can be opened. A network is stored as its parameter vector.
"""

import json
import os
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from . import checks
from .errors import UnsupportedTypeError
from .geometry.certify import Certificate
from .geometry.promises import ShapeCertificate
from .io.reading import readable
from .io.whole import write_whole
from .margins import Margins
from .result import Segmentation
from .shapes.base import FittedShape
from .shapes.connected import FittedConnected
from .shapes.convex import FittedConvex
from .shapes.ellipse import FittedEllipse
from .shapes.frames import FittedFrames
from .shapes.icnn import ICNN
from .shapes.k_convex import FittedKConvex
from .shapes.periodic import FittedPeriodic
from .shapes.polygon import FittedPolygon
from .shapes.rectangle import FittedRectangle
from .shapes.rotational import FittedRotational
from .shapes.star import FittedStar
from .shapes.symmetric import FittedSymmetric

_VERSION = 1
_ARRAYS = ("labels", "probability", "unconstrained", "costs", "seeds", "image")
_FITTED = (
    FittedConnected, FittedConvex, FittedEllipse, FittedFrames, FittedKConvex, FittedPeriodic,
    FittedPolygon, FittedRectangle, FittedRotational, FittedStar, FittedSymmetric,
)  # fmt: skip
_SHAPES: dict[str, type] = {kind.__name__: kind for kind in _FITTED}


def save(path: str | os.PathLike, result: Segmentation) -> None:
    """Write a result; see `Segmentation.save`."""
    arrays = {name: value for name in _ARRAYS if (value := getattr(result, name)) is not None}
    apart = (*_ARRAYS, "certificates", "shapes", "margins")
    arrays |= {f"margins{label}": found.map for label, found in result.margins.items()}
    header = {
        "format": "varconvex.Segmentation",
        "version": _VERSION,
        "fields": {f.name: getattr(result, f.name) for f in fields(result) if f.name not in apart},
        "certificates": {label: asdict(found) for label, found in result.certificates.items()},
        "margins": {k: {"reach": found.reach, "constant": found.constant} for k, found in result.margins.items()},
        "shapes": {label: _described(shape, f"shape{label}.", arrays) for label, shape in result.shapes.items()},
    }
    text = json.dumps(header, default=lambda scalar: scalar.item())
    write_whole(path, lambda file: np.savez_compressed(file, header=np.array(text), **arrays))


def load(path: str | os.PathLike) -> Segmentation:
    """Read a result; see `Segmentation.load`."""
    kind = f"a segmentation in format {_VERSION}, as Segmentation.save writes it,"
    with readable(path, kind, "Is it truncated, or of another kind or a later version?"):
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] != "varconvex.Segmentation" or header["version"] > _VERSION:
                raise ValueError(f"it holds {header['format']} in version {header['version']}")
            arrays = {name: file[name] for name in file.files}
        found: dict[str, Any] = header["fields"]
        for name in ("label_ids", "history", "objective"):
            found[name] = tuple(tuple(v) if isinstance(v, list) else v for v in found[name])
        if found.get("spacing") is not None:  # older files have none
            found["spacing"] = tuple(found["spacing"])
        found |= {name: arrays.get(name) for name in _ARRAYS}
        result = Segmentation(
            **found,
            certificates={int(label): _certificate(values) for label, values in header["certificates"].items()},
            margins={int(k): Margins(arrays[f"margins{k}"], **v) for k, v in header.get("margins", {}).items()},
            shapes={int(k): _made(values, f"shape{k}.", arrays) for k, values in header["shapes"].items()},
        )
        grid = result.labels.shape
        shapes = (result.seeds.shape, result.unconstrained.shape, result.costs.shape[1:], grid)
        if any(shape != grid for shape in shapes) or len(result.costs) not in (2, len(result.label_ids)):
            raise ValueError("its arrays have different shapes")
        return result


def _certificate(values: dict[str, Any]) -> Certificate | ShapeCertificate:
    """The certificate with these fields."""
    if "holds" not in values:
        return Certificate(**values)
    return ShapeCertificate(**values | {"pixels": tuple(map(tuple, values["pixels"]))})


def _described(shape: FittedShape, prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Class and numbers of a fitted shape; its arrays are added to `arrays`, their names after `prefix`."""
    kind = type(shape)
    if _SHAPES.get(kind.__name__) is not kind:
        raise UnsupportedTypeError(
            f"a shape must be one of {', '.join(_SHAPES)} to be saved; got {kind.__module__}.{kind.__name__}. Pickle "
            "the result, or save dataclasses.replace(result, shapes={})."
        )
    numbers: dict[str, Any] = {}
    for name, value in ((f.name, getattr(shape, f.name)) for f in fields(shape)):  # type: ignore[arg-type]
        if type(value) in _FITTED:  # a shape made of another one
            value = _described(value, f"{prefix}{name}.", arrays)
        if isinstance(value, ICNN):
            numbers["dim"], numbers["hidden"] = value.dim, value.hidden
            value = checks.host(value.pack())
        if isinstance(value, np.ndarray):
            arrays[prefix + name] = value
        else:
            numbers[name] = value
    return {"class": kind.__name__, **numbers}


def _made(values: dict[str, Any], prefix: str, arrays: dict[str, np.ndarray]) -> FittedShape:
    """The fitted shape that `_described` took apart."""
    numbers = dict(values)
    kind = _SHAPES[numbers.pop("class")]
    entries: dict[str, Any] = {n.removeprefix(prefix): array for n, array in arrays.items() if n.startswith(prefix)}
    if kind is FittedPeriodic:
        entries = {"part": _made(numbers.pop("part"), f"{prefix}part.", arrays)}
    if kind is FittedConvex:
        network = ICNN(numbers.pop("dim"), tuple(numbers.pop("hidden")), entries["network"].dtype)
        network.unpack(entries.pop("network"))
        numbers["network"] = network
    return kind(**numbers, **entries)
