"""Computation of a table, one result per image and cell; results of earlier runs are used again."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..datasets.folders import Entry, Sample
from ..errors import FileFormatError, MissingExtraError, VarconvexError
from .cells import Cells, Result, key_of

Settings = dict[str, object]


@dataclass
class Results:
    """The results of a table.

    Attributes
    ----------
    by_cell : dict of cell to dict of image to Result
    skipped : dict of image (or image and cell) to the reason
    reused : int
        Number of results of earlier runs.
    samples : list of Sample
        The first images with results, for pictures.
    """

    by_cell: dict[str, dict[str, Result]]
    skipped: dict[str, str] = field(default_factory=dict)
    reused: int = 0
    samples: list[Sample] = field(default_factory=list)

    def images(self) -> list[str]:
        """Names of images with a result in any cell, in order."""
        return list(dict.fromkeys(name for results in self.by_cell.values() for name in results))


def run(
    entries: Sequence[Entry],
    cells: dict[str, Settings],
    compute: Callable[[Settings, Sample], Result],
    folder: Path,
    *,
    depends: Callable[[Settings, Sample], Settings] = lambda settings, sample: {},
    pictures: int = 0,
    whole: bool = True,
) -> Results:
    """Compute every cell for every image, or read it from `folder`.

    A cell's settings, with those that `depends` adds for an image (such as a file's checksum), hold everything that its
    result depends on besides the image. `whole` leaves an image out of all cells if one of them fails, so that all
    means are over the same images. `pictures` samples are kept for pictures.

    Raises
    ------
    FileFormatError
        If no image has a result, or the folder cannot be written.
    MissingExtraError
        If a package is missing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(f"{folder} cannot be made ({error.strerror}). Choose another folder.") from error
    if not os.access(folder, os.W_OK):
        raise FileFormatError(f"{folder} cannot be written. Choose another folder.")
    store, found = Cells(folder), Results({name: {} for name in cells})

    def row(sample: Sample) -> dict[str, Result]:
        done = {}
        for name, settings in cells.items():
            try:
                key = key_of({**settings, **depends(settings, sample)}, sample)
                done[name], there = store.get(name, sample.name, key, partial(compute, settings, sample))
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


def mean(results: dict[str, Result], name: str) -> float:
    """Mean of one number over the images; NaN without images."""
    values = [float(result[name]) for result in results.values()]
    return float(np.mean(values)) if values else float("nan")


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (with n - 1, as in the paper; 0 for one value) over seeds."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
