"""Computation of a table, one result per image and cell, each on disk, so that an interruption loses one at most.

    <folder>/cells/<cell>/<image>.json
    key = SHA-256 of the settings, the sample's pixels, and the package's source code

A result is used again only if its key is the present one; after a change of settings, image or code it is computed
again.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..datasets.folders import Entry, Sample
from ..errors import FileFormatError, MissingExtraError, VarconvexError
from ..io.writing import write_text

Settings = dict[str, Any]

Result = dict[str, Any]
"""Numbers of one cell for one image."""


@dataclass
class Results:
    """The results of a table by cell and image.

    `skipped` is the reason by image (or image and cell), `reused` the number of results of earlier runs; `samples` are
    the first images with results, for pictures.
    """

    by_cell: dict[str, dict[str, Result]]
    skipped: dict[str, str] = field(default_factory=dict)
    reused: int = 0
    samples: list[Sample] = field(default_factory=list)

    def figures(self, cells: Sequence[str], *kinds: str) -> dict[str, float]:
        """Each number's mean over the images (NaN without any) and over `cells`, which differ by their seed.

        ``<kind>_spread`` is the standard deviation over the cells (with n - 1, as in the paper; 0 for one cell).
        """
        found = {}
        for kind in kinds:
            means = [np.mean([float(r[kind]) for r in self.by_cell[c].values()] or [np.nan]) for c in cells]
            found[kind] = float(np.mean(means))
            found[f"{kind}_spread"] = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
        return found

    def table(self, number: int, rows: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
        """The finished table, ready for JSON."""
        images = {name for results in self.by_cell.values() for name in results}
        found = {"table": number, "images": len(images), **settings, "cells": rows}
        return {**found, "skipped": self.skipped, "reused": self.reused}


def run(
    entries: Sequence[Entry],
    cells: dict[str, Settings],
    compute: Callable[[Settings, Sample], Result],
    folder: Path,
    depends: Callable[[Settings, Sample], Settings],
    pictures: int = 0,
    whole: bool = True,
) -> Results:
    """Compute every cell for every image, or read it from `folder`.

    A cell's settings, with those that `depends` adds for an image (such as a file's checksum), hold everything that its
    result depends on besides the image. `whole` leaves an image out of all cells if one of them fails, so that all
    means are over the same images. `pictures` samples are kept for pictures. A FileFormatError if no image has a
    result, or the folder cannot be written; a MissingExtraError if a package is missing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(f"{folder} cannot be made ({error.strerror}). Choose another folder.") from error
    if not os.access(folder, os.W_OK):
        raise FileFormatError(f"{folder} cannot be written. Choose another folder.")
    found = Results({name: {} for name in cells})

    def row(sample: Sample) -> dict[str, Result]:
        done = {}
        for name, settings in cells.items():
            try:
                key = key_of({**settings, **depends(settings, sample)}, sample)
                make = partial(compute, settings, sample)
                done[name], there = stored(folder / "cells" / name, sample.name, key, make)
                found.reused += there
            except VarconvexError as error:
                if whole or isinstance(error, MissingExtraError):
                    raise
                found.skipped[f"{sample.name}, {name}"] = str(error)
            bar.update()
        return done

    # disable=None shows the bar only where standard error is a terminal.
    with tqdm(total=len(entries) * len(cells), unit="result", disable=None, smoothing=0.05) as bar:
        for k, entry in enumerate(entries):
            bar.set_description(entry.name[:24])
            try:
                sample = entry.read()
                done = row(sample)
            except MissingExtraError:
                raise
            except VarconvexError as error:
                found.skipped[entry.name] = str(error)
                continue
            finally:
                bar.update((k + 1) * len(cells) - bar.n)
            for name, result in done.items():
                found.by_cell[name][sample.name] = result
            if done and len(found.samples) < pictures:
                found.samples.append(sample)
    if not any(found.by_cell.values()):
        reasons = "; ".join(f"{name}: {why}" for name, why in list(found.skipped.items())[:3])
        raise FileFormatError(f"at least one image that can be used was expected; got none ({reasons}). Repair them.")
    return found


def stored(folder: Path, image: str, key: str, compute: Callable[[], Result]) -> tuple[Result, bool]:
    """The result of a cell, whose `folder` this is, for an image, computed and written unless it is there; whether so.

    A file that is invalid, as a killed run leaves it, is written again.
    """
    # A file name without path separators, different for different images.
    name = re.sub(r"[^\w.-]", "_", image)[:100]
    if name != image or image.startswith("."):
        name = f"{name.lstrip('.')}-{hashlib.sha256(image.encode()).hexdigest()[:8]}"
    path = folder / f"{name}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if isinstance(found, dict) and found.get("key") == key and isinstance(found.get("result"), dict):
        return found["result"], True
    result = compute()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"key": key, "image": image, "result": result}, indent=1))
    return result, False


def key_of(settings: Settings, sample: Sample) -> str:
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
        if not name.startswith(("reproduce/layout", "cli", "plots", "doctor", "demo")):
            digest.update(name.encode() + text)
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Relative path and text of every Python file below a package's folder, in a zip file as well."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _sources(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".py"):
            yield prefix + item.name, item.read_bytes()


def own_file(folder: Path, sample: Sample, *endings: str) -> Path:
    """The user's file for an image in a folder, with one of the endings."""
    for ending in endings:
        if (path := folder / f"{sample.name}{ending}").is_file():
            return path
    raise FileFormatError(f"{sample.name}{' or '.join(endings)} was expected in {folder}; it is not there. Add it.")
