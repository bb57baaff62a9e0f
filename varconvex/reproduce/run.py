"""Computation of a table as a batch of one task per image and cell, so that an interruption loses one at most.

<folder>/manifest.jsonl      a line a task, "<cell>/<image>"
key = SHA-256 of the settings, the sample's pixels, and the package's source code
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..batch.keys import key_of
from ..batch.manifest import Manifest, Record
from ..batch.progress import Counter, Reporter
from ..batch.tasks import Prepared, Task, complete, way
from ..datasets.folders import Entry, Sample
from ..errors import FileFormatError, MissingExtraError
from ..signals import ended_by_sigterm

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
    compute: Callable[[tuple[Settings, Sample]], Result],
    folder: Path,
    depends: Callable[[Settings, Sample], Settings],
    pictures: int = 0,
    whole: bool = True,
    jobs: int | None = None,
) -> Results:
    """Compute every cell for every image, or take it from the manifest of `folder`.

    A cell's settings, with those that `depends` adds for an image (such as a file's checksum), hold everything that its
    result depends on besides the image. `whole` leaves an image out of all cells if one of them fails, so that all
    means are over the same images. `pictures` samples are kept for pictures, `jobs` is as in `batch.run`. A
    FileFormatError if no image has a result, or the folder is in use or cannot be written; a MissingExtraError if a
    package is missing.
    """
    read = lru_cache(maxsize=1)(lambda entry: entry.read())

    def prepare(entry: Entry, cell: str) -> Prepared:
        sample = read(entry)
        settings = {**cells[cell], **depends(cells[cell], sample)}
        return Prepared(sample_key(settings, sample), (cells[cell], sample), {"image": entry.name})

    names = {f"{cell}/{entry.name}": (cell, entry) for entry in entries for cell in cells}
    tasks = [Task(name, partial(prepare, entry, cell)) for name, (cell, entry) in names.items()]
    records: dict[str, Record] = {}
    with ended_by_sigterm(), Manifest(folder) as manifest, Reporter("result") as reporter:
        counter = Counter(len(tasks), reporter)
        counter.tell()
        with closing(complete(manifest, tasks, compute, way(jobs))) as found:
            for kind, record in found:
                if record.get("error") == "MissingExtraError":
                    raise MissingExtraError(record["message"])
                records[record["name"]] = record
                counter.tell(kind, record["name"])
    results = Results({cell: {} for cell in cells}, reused=counter.counts["reused"])
    for entry in entries:
        _collect(results, entry, {cell: records[f"{cell}/{entry.name}"] for cell in cells}, whole)
        used = any(entry.name in done for done in results.by_cell.values())
        if used and len(results.samples) < pictures:
            results.samples.append(entry.read())
    if not any(results.by_cell.values()):
        reasons = "; ".join(f"{name}: {why}" for name, why in list(results.skipped.items())[:3])
        raise FileFormatError(f"at least one image that can be used was expected; got none ({reasons}). Repair them.")
    return results


def _collect(results: Results, entry: Entry, row: dict[str, Record], whole: bool) -> None:
    """Add an image's results to those of the table, or the reasons why there are none."""
    failed = {cell: record["message"] for cell, record in row.items() if record["status"] == "failed"}
    if failed and (whole or len(failed) == len(row)):
        results.skipped[entry.name] = next(iter(failed.values()))
        return
    results.skipped |= {f"{entry.name}, {cell}": why for cell, why in failed.items()}
    for cell, record in row.items():
        if cell not in failed:
            results.by_cell[cell][entry.name] = record["result"]


def sample_key(settings: Settings, sample: Sample) -> str:
    """SHA-256 of everything that a result depends on, in hexadecimal digits."""
    digest = hashlib.sha256()
    for array in (sample.image, sample.scribbles, sample.truth, sample.scored):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return key_of(settings, digest.hexdigest())


def own_file(folder: Path, sample: Sample, *endings: str) -> Path:
    """The user's file for an image in a folder, with one of the endings."""
    for ending in endings:
        if (path := folder / f"{sample.name}{ending}").is_file():
            return path
    raise FileFormatError(f"{sample.name}{' or '.join(endings)} was expected in {folder}; it is not there. Add it.")
