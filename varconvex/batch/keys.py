"""SHA-256 digests of all that a result depends on: settings, files, and the package's source code."""

import hashlib
import json
import os
import pickle
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ..errors import UnsupportedTypeError

_PRESENT = (
    "annotate", "batch/command", "batch/manifest", "batch/page", "batch/progress", "batch/workers", "cli",
    "commands/console", "commands/outputs", "demo", "doctor", "logs", "napari/", "plots", "reproduce/command",
    "reproduce/layout", "widget/",
)  # fmt: skip
"""Modules on which no result depends."""


def key_of(settings: Any, *contents: str) -> str:
    """SHA-256, in hexadecimal digits, of settings, of contents that are digests themselves, and of `fingerprint`.

    Settings that JSON cannot hold (parts with arrays, ...) count by what a pickle of them holds.
    """
    try:
        text = json.dumps(settings, sort_keys=True)
    except TypeError:
        from joblib import hash as digest

        try:
            text = str(digest(settings, hash_name="sha1"))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise UnsupportedTypeError(
                f"settings of a batch must be values that can be pickled; got {settings!r:.300} ({error!s:.120}). Name "
                "functions at the top of a module; of networks pass a file."
            ) from error
    return hashlib.sha256("\n".join((text, fingerprint(), *contents)).encode()).hexdigest()


def digest_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file, or of all files of a folder with their names; an OSError if it cannot be read."""
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(f"{path} is a device or a pipe, not a file")  # reading it might never end
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for below in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(os.fsencode(below.relative_to(path)) + b"\0" + digest_of(below).encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """SHA-256 of the package's source code, except for modules that only present or pass on results."""
    digest = hashlib.sha256()
    for name, text in _sources(files("varconvex")):
        if not name.startswith(_PRESENT):
            digest.update(name.encode() + text)
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Relative path and text of every Python file below a package's folder, in a zip file as well."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _sources(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".py"):
            yield prefix + item.name, item.read_bytes()
