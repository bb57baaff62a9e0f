"""Scribbles as lists of pixels: a stroke is thin, and an image that does not fit into memory is mostly without one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend
from ..errors import InvalidScribblesError
from ..likelihoods._harmonic import pooled
from ..scene import enough
from ..scribbles import BORDER, WIDTH, border_slices, label_of, polylines, stroke_pieces, tell_covered

_SHARE = 0.05
"""Most of an image that may be scribbled."""


@dataclass(frozen=True, eq=False)
class Strokes:
    """Scribbled pixels of an image of `shape` (H, W): label ids, and ascending flat indices of each label's pixels."""

    shape: tuple[int, int]
    labels: tuple[int, ...]
    pixels: tuple[np.ndarray, ...]

    def rows(self, k: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Row within [first, last) and column of each pixel of the k-th label there."""
        width = self.shape[1]
        mine = self.pixels[k]
        low, high = np.searchsorted(mine, (first * width, last * width))
        return mine[low:high] // width - first, mine[low:high] % width

    def index(self, first: int, last: int) -> np.ndarray:
        """Rows of the seeds: (n, W) int32, 0 unlabelled, k + 1 on strokes of the k-th label."""
        found = np.zeros((last - first, self.shape[1]), np.int32)
        for k in range(len(self.labels)):
            found[self.rows(k, first, last)] = k + 1
        return found

    def pooled(self, block: list[int]) -> np.ndarray:
        """Seeds of a grid of blocks of pixels: the label with most pixels there, 0 without, as of `index`."""
        drawn, sizes = np.concatenate(self.pixels), [mine.size for mine in self.pixels]
        return pooled(drawn, np.repeat(np.arange(len(sizes)), sizes), self.shape, block, len(sizes))

    def bounds(self) -> "Bounds":
        """Bounds on u, where there are two labels."""
        ones = tuple(np.ones(mine.size, np.float32) for mine in self.pixels)
        return Bounds(self.shape, (self.pixels[1], ones[1]), (self.pixels[0], ones[0]))

    def distances(self, backend: ArrayBackend, k: int, first: int, last: int, spacing: tuple[float, ...]) -> np.ndarray:
        """Distance of each pixel of these rows to the nearest of the k-th label: (n, W) float64."""
        width = self.shape[1]
        mine = self.pixels[k]
        low, high = np.searchsorted(mine, (first * width, last * width))
        above, below = np.full(width, -np.inf), np.full(width, np.inf)
        np.maximum.at(above, mine[:low] % width, (mine[:low] // width).astype(float))
        np.minimum.at(below, mine[high:] % width, (mine[high:] // width).astype(float))
        there = np.zeros((last - first, width), bool)
        there[self.rows(k, first, last)] = True
        found = np.empty(there.shape)
        for i in range(last - first):
            above = np.where(there[i], first + i, above)
            found[i] = first + i - above
        for i in reversed(range(last - first)):
            below = np.where(there[i], first + i, below)
            np.minimum(found[i], below - (first + i), out=found[i])
        return backend.distance_along_rows((found * spacing[0]) ** 2, spacing[1])


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds on u that are 0 and 1 at most pixels: flat indices, and lower or 1 - upper at these."""

    shape: tuple[int, int]
    lower: tuple[np.ndarray, np.ndarray]
    upper: tuple[np.ndarray, np.ndarray]

    def rows(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of these rows: (1, n, W) float32, or (1, 1, 1) where all are equal."""
        held, kept_out = (self._filled(*part, first, last) for part in (self.lower, self.upper))
        return held, 1 - kept_out

    def _filled(self, pixels: np.ndarray, values: np.ndarray, first: int, last: int) -> np.ndarray:
        width = self.shape[1]
        low, high = np.searchsorted(pixels, (first * width, last * width))
        if low == high:
            return np.zeros((1, 1, 1), np.float32)
        found = np.zeros((1, last - first, width), np.float32)
        found.reshape(-1)[pixels[low:high] - first * width] = values[low:high]
        return found

    def halved(self) -> "Bounds":
        """On a grid of half the size: means, as in `ArrayBackend.coarsen`."""
        shape = (-(-self.shape[0] // 2), -(-self.shape[1] // 2))
        return Bounds(shape, self._halved(*self.lower, shape), self._halved(*self.upper, shape))

    def _halved(self, pixels: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        height, width = self.shape
        row, column = pixels // width, pixels % width
        # An odd last row or column is its own block.
        share = np.where((row == height - 1) & (height % 2 == 1), 0.5, 0.25)
        share = np.where((column == width - 1) & (width % 2 == 1), 2 * share, share)
        coarse, where = np.unique(row // 2 * shape[1] + column // 2, return_inverse=True)
        return coarse, np.bincount(where, share * values, len(coarse)).astype(np.float32)


def strokes_of(scribbles: Any, shape: tuple[int, int], band: int, strict: bool) -> Strokes:
    """The strokes of scribbles in any form: polylines, a label image, a pair of masks; arrays are read by `band` rows.

    Errors and warnings are those of `segment`.
    """
    parts = list(_drawn(scribbles, shape) if isinstance(scribbles, Mapping) else _painted(scribbles, shape, band))
    pixels = np.concatenate([part for part, _ in parts]) if parts else np.zeros(0, np.int64)
    labels = np.concatenate([np.full(part.size, label) for part, label in parts]) if parts else pixels
    # The last stroke on a pixel wins: it is the first one in reverse.
    found, first = np.unique(pixels[::-1], return_index=True)
    won = labels[::-1][first]
    covered = pixels[labels != won[np.searchsorted(found, pixels)]]
    if covered.size:
        tell_covered(np.stack(np.divmod(np.unique(covered), shape[1]), axis=1), "with two", strict)
    ids = enough(tuple(int(i) for i in np.unique(won)))
    return Strokes(shape, ids, tuple(found[won == label] for label in ids))


def _drawn(strokes: Mapping, shape: tuple[int, int]) -> Iterator[tuple[np.ndarray, int]]:
    """Flat indices and label of each piece of the polylines; the border first, since strokes cover it."""
    for key, value in strokes.items():
        if isinstance(value, str) and value == BORDER:
            for part in border_slices(shape):
                rows, columns = (np.arange(n)[s] for n, s in zip(shape, part, strict=True))
                yield (rows[:, None] * shape[1] + columns).ravel(), label_of(key)
    for key, value in strokes.items():
        if isinstance(value, str) and value == BORDER:
            continue
        for line in polylines(value):
            if line.shape[1] != 2:
                raise InvalidScribblesError(
                    f"a polyline's points must have one coordinate for each of the 2 spatial axes of an image of shape "
                    f"{shape}; got points with {line.shape[1]}. Pass (row, column) pairs."
                )
            for (row, column), drawn in stroke_pieces(line, shape, WIDTH):
                rows, columns = np.nonzero(drawn)
                yield (rows + row) * shape[1] + columns + column, label_of(key)


def _painted(scribbles: Any, shape: tuple[int, int], band: int) -> Iterator[tuple[np.ndarray, int]]:
    """Flat indices and labels of label images, or of two masks (object, background), by bands of rows."""
    pair = isinstance(scribbles, tuple | list) and len(scribbles) == 2 and hasattr(scribbles[0], "shape")
    arrays = tuple(scribbles) if pair else (scribbles,)
    for array in arrays:
        if tuple(getattr(array, "shape", ())) != shape:
            raise InvalidScribblesError(
                f"scribbles must have the image's spatial shape {shape}; got {getattr(array, 'shape', type(array))}. "
                "Scribble on the image as it is passed."
            )
    count = 0
    for first in range(0, shape[0], band):
        for k, array in enumerate(arrays):
            rows = checks.host_array("scribbles", np.asarray(array[first : first + band]))
            rows = (rows > 0) * (2 - k) if pair else rows
            if rows.dtype.kind not in "iu" or (rows < 0).any():
                raise InvalidScribblesError(
                    f"scribbles on an image on disk must be whole numbers from 0 (unlabelled) on; got dtype "
                    f"{rows.dtype}, least {rows.min()}. Pixels outside (-1) are for images in memory."
                )
            flat = np.flatnonzero(rows)
            count += flat.size
            _thin(count, shape)
            values = rows.ravel()[flat]
            for label in np.unique(values):
                yield flat[values == label] + first * shape[1], int(label)


def _thin(count: int, shape: tuple[int, int]) -> None:
    """An error where so many pixels are no strokes."""
    if count > _SHARE * shape[0] * shape[1] + 2**16:
        raise InvalidScribblesError(
            f"scribbles on an image on disk must be strokes, on {_SHARE:.0%} of its pixels at most; got more than "
            f"{count} of {shape[0]} x {shape[1]}. Thin them out."
        )
