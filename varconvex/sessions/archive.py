"""Sessions in files: strokes and settings, and the image if asked, in a NumPy archive without pickle; see `archive`."""

import inspect
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backends import ArrayBackend
from ..errors import InvalidImageError, UnsupportedTypeError
from ..families import find, names
from ..io.reading import readable
from ..io.whole import write_whole
from ..predictors.appearance.taught import TaughtLikelihood
from .strokes import Drawing, Stroke

_FORMAT, _VERSION = "varconvex.Session", 1
_FAMILIES = ("likelihoods", "predictors", "shapes")


def save(
    path: str | os.PathLike, keywords: Mapping[str, Any], drawing: Drawing, image: np.ndarray | None, shape: Any
) -> None:
    """Write strokes, the keywords that a session was made with, and an image on whose grid of `shape` they lie."""
    arrays: dict[str, Any] = {} if image is None else {"image": image}
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "shape": shape,
        "labels": [stroke.label for stroke in drawing],
        "sizes": [stroke.pixels.size for stroke in drawing],
        "keywords": {name: _plain(name, value, arrays) for name, value in keywords.items() if name != "callback"},
    }
    arrays["pixels"] = np.concatenate([np.empty(0, np.int64), *(stroke.pixels for stroke in drawing)])
    text = json.dumps(header)
    write_whole(path, lambda file: np.savez_compressed(file, header=np.array(text), **arrays))


def load(path: str | os.PathLike, image: Any) -> tuple[Any, dict[str, Any], Drawing, tuple[int, ...]]:
    """The image (`image`, or the file's if that is None), keywords, strokes, and the shape of the grid."""
    kind = f"a session in format {_VERSION}, as Session.save writes it,"
    with readable(path, kind, "Is it truncated, or of another kind or a later version?"):
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] != _FORMAT or header["version"] > _VERSION:
                raise ValueError(f"it holds {header['format']} in version {header['version']}")
            arrays = {name: file[name] for name in file.files}
        shape = tuple(int(n) for n in header["shape"])
        ends = np.cumsum(header["sizes"], dtype=np.int64)[:-1]
        parts = np.split(arrays["pixels"].astype(np.int64), ends) if header["sizes"] else []
        drawing = tuple(Stroke(int(k), part) for k, part in zip(header["labels"], parts, strict=True))
        if any(((stroke.pixels < 0) | (stroke.pixels >= np.prod(shape))).any() for stroke in drawing):
            raise ValueError("its strokes leave the image")
        keywords = {str(name): _made(value, arrays) for name, value in header["keywords"].items()}
    image = arrays.get("image") if image is None else image
    if image is None:
        raise InvalidImageError(
            f"a session needs its image; {os.fspath(path)} was saved without it. Pass image=, or save with image=True."
        )
    return image, keywords, drawing, shape


def _plain(name: str, value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A keyword's value in JSON's types; its arrays are added to `arrays`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple | list):
        return [_plain(f"{name}.{i}", entry, arrays) for i, entry in enumerate(value)]
    if isinstance(value, Mapping):
        return {"mapping": [[_plain(name, k, arrays), _plain(f"{name}.{k}", v, arrays)] for k, v in value.items()]}
    if isinstance(value, ArrayBackend):
        return value.name
    family, _, own = type(value).__module__.removeprefix("varconvex.").partition(".")
    if isinstance(value, TaughtLikelihood):
        return {"part": [], "fields": _fields(name, value, arrays)}
    if family in _FAMILIES and own in names(family) and find(family, own) is type(value):
        return {"part": [family, own], "fields": _fields(name, value, arrays)}
    raise UnsupportedTypeError(
        f"a session's keywords must be numbers, names, arrays or parts of varconvex to be saved; got {name}={value!r}. "
        "Make the session with one of them."
    )


def _fields(name: str, value: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The arguments of a part's constructor, which it keeps under their names."""
    given = inspect.signature(type(value)).parameters
    return {field: _plain(f"{name}.{field}", getattr(value, field), arrays) for field in given}


def _made(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The value that `_plain` took apart; nothing is made but parts of varconvex."""
    if isinstance(value, list):
        return tuple(_made(entry, arrays) for entry in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "mapping" in value:
        return {_made(k, arrays): _made(v, arrays) for k, v in value["mapping"]}
    kind = TaughtLikelihood if not value["part"] else find(*value["part"])
    return kind(**{field: _made(entry, arrays) for field, entry in value["fields"].items()})
