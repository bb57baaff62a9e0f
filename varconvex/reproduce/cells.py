"""Results on disk while a table is computed, so that an interruption loses one result at most.

    <folder>/cells/<cell>/<image>.json
    key = SHA-256 of the settings, the sample's pixels, and the package's source code

A result is used again only if its key is the present one; after a change of settings, image or code it is computed
again.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.folders import Sample
from ..files import write_text

Result = dict[str, Any]
"""Numbers of one cell for one image."""


class Cells:
    """The results of one table in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder / "cells"

    def get(self, cell: str, name: str, key: str, compute: Callable[[], Result]) -> tuple[Result, bool]:
        """The result of a cell for an image, computed and written unless it is there; and whether it was there."""
        path = self.folder / cell / f"{_file_name(name)}.json"
        found = _read(path)
        if found is not None and found.get("key") == key and isinstance(found.get("result"), dict):
            return found["result"], True
        result = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"key": key, "image": name, "result": result}, indent=1))
        return result, False


def key_of(settings: dict[str, Any], sample: Sample) -> str:
    """SHA-256 of everything that a result depends on, in hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(fingerprint().encode())
    for array in (sample.image, sample.scribbles, sample.truth, sample.scored):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """SHA-256 of the package's source code, except for modules that only present results."""
    digest = hashlib.sha256()
    for name, text in _sources(files("varconvex")):
        if not name.startswith(("reproduce/layout", "reproduce/pictures", "cli", "plots", "doctor", "demo")):
            digest.update(name.encode() + text)
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Relative path and text of every Python file below a package's folder, in a zip file as well."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _sources(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".py"):
            yield prefix + item.name, item.read_bytes()


def _read(path: Path) -> dict[str, Any] | None:
    """The dict in a JSON file; None if it is missing or invalid."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _file_name(name: str) -> str:
    """A file name without path separators, different for different images."""
    plain = re.sub(r"[^\w.-]", "_", name)[:100]
    if plain == name and not name.startswith("."):
        return plain
    return f"{plain.lstrip('.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
