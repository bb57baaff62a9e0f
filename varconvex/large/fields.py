"""The energy's fields on disk: cost and dual radius of each pixel, on the full grid and on coarser ones.

The image is read twice: once for its range and checksums (`picture.survey`), once for costs and contrast, which both
need neighbours only. The costs are those of `NieuwenhuisCremersLikelihood`, from all seeds and exact distances; random
walks (`_harmonic.py`) see mean colours of blocks, here the colour of the mean. The edge weight is that of `edges`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import ArrayBackend
from ..edges import SCALE, squared_gradient, weight_of_contrast
from ..likelihoods._harmonic import Walks, between, block_sides
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood, evenly_spread
from ..threads import checkpoint, run
from .files import RowFile, Scratch
from .picture import Picture, Survey, check_unchanged, checksum_of, survey
from .strokes import Bounds, Strokes

_PART = 64
"""Rows that one thread takes at a time."""


@dataclass(frozen=True, eq=False)
class Grid:
    """One resolution of the energy: fields in files, bounds on u in memory.

    `data_size` and `radius_size` are means of |cost| and of the dual radius.
    """

    shape: tuple[int, int]
    cost: RowFile
    radius: RowFile
    bounds: Bounds
    data_size: float
    radius_size: float

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.shape[0] * self.shape[1]


def bands(height: int, band: int) -> Iterator[tuple[int, int]]:
    """First row and last + 1 of each band."""
    for first in range(0, height, band):
        checkpoint()
        yield first, min(first + band, height)


class Data(ABC):
    """Costs and contrast of an image, band by band; how costs are found is a subclass' own.

    Parameters
    ----------
    picture, strokes : the image and its scribbles
    spacing : (2,) float, a pixel having area 1
    band : rows that are in memory at a time
    block : rows and columns of the blocks of pixels whose means are of interest
    wanted : ascending flat indices of pixels that are
    """

    def __init__(
        self, picture: Picture, strokes: Strokes, spacing: tuple[float, ...], band: int, block: list[int],
        wanted: Sequence[np.ndarray] = (),
    ) -> None:  # fmt: skip
        self._picture, self._strokes, self._spacing, self._block = picture, strokes, spacing, block
        self.band = max(band // block[0], 1) * block[0]
        self.known: Survey = survey(picture, self.band, block, wanted)

    @abstractmethod
    def _costs(self, colours: np.ndarray, first: int) -> np.ndarray:
        """Cost of the object minus that of the background on rows from `first` on: float32."""

    def _between(self, values: np.ndarray, first: int, last: int) -> np.ndarray:
        """Rows of what is known in the middles of blocks ((h, w)), interpolated."""
        if max(self._block) == 1:
            return values[first:last]
        spans = zip((first, 0), (last, self._picture.shape[1]), self._block, strict=True)
        return between(values, [(np.arange(a, b) + 0.5) / f - 0.5 for a, b, f in spans])

    def fill(self, scratch: Scratch, cost: RowFile, contrast: RowFile) -> tuple[float, float]:
        """Cost of the object minus that of the background, and |grad I|^2, into files; the means of |cost| and of it.

        Goes on where it was interrupted.
        """
        height, width = self._picture.shape
        count = -(-height // self.band)
        sums = scratch.arrays.get("data", np.zeros((count, 2)))
        checksum = 0
        for k, (first, last) in enumerate(bands(height, self.band)):
            if k < scratch.done.get("filled", 0):
                checksum = int(self.known.bands[k])
                continue
            # Smoothing and differences need some rows around.
            reach = int(4 * SCALE / self._spacing[0] + 0.5) + 2
            low, high = max(first - reach, 0), min(last + reach, height)
            image = self._picture.rows(low, high)
            mine = np.ascontiguousarray(image[first - low : last - low])
            checksum = checksum_of(mine, checksum)
            check_unchanged(self.known, k, checksum)
            parts = [(image[a : a + _PART],) for a in range(0, len(image), _PART)]
            colours = np.concatenate(run(self.known.colours, parts))
            steep = squared_gradient(colours, self._spacing, SCALE, None)[0][first - low : last - low]
            difference = self._costs(colours[first - low : last - low], first)
            sums[k] = np.abs(difference).sum(dtype=np.float64), steep.sum()
            cost.write(first, difference[None])
            contrast.write(first, steep.astype(np.float32))
            scratch.note({"data": sums}, filled=k + 1)
        mean = sums.sum(axis=0) / (height * width)
        return float(mean[0]), float(mean[1])


class KernelData(Data):
    """Costs of the Nieuwenhuis-Cremers likelihood; the other parameters are those of `Data`."""

    def __init__(
        self, picture: Picture, strokes: Strokes, likelihood: NieuwenhuisCremersLikelihood, backend: ArrayBackend,
        spacing: tuple[float, ...], band: int,
    ) -> None:  # fmt: skip
        chosen = [evenly_spread(mine, min(mine.size, int(likelihood.max_seeds))) for mine in strokes.pixels]
        super().__init__(picture, strokes, spacing, band, block_sides(picture.shape), chosen)
        self._likelihood, self._backend = likelihood, backend
        self._seeds = [
            likelihood.kernels(np.stack(np.divmod(mine, picture.shape[1]), axis=1), self.known.colours(sample), spacing)
            for mine, sample in zip(chosen, self.known.samples, strict=True)
        ]
        # The harmonic measure of the labels on a grid of blocks, (K, h, w); there may be no need of it.
        self._reached: np.ndarray | None = None
        if likelihood.detour:
            steps = np.array(spacing) * self._block
            colours = self.known.colours(self.known.means)
            walks = Walks.on_grid(np.ones(colours.shape[:-1], bool), colours, steps)
            self._reached = walks.reach(strokes.pooled(self._block), len(strokes.labels))

    def _costs(self, colours: np.ndarray, first: int) -> np.ndarray:
        """Cost of the object minus that of the background on rows from `first` on: float32."""
        last, labels = first + len(colours), range(len(self._strokes.labels))
        distances = np.stack([self._strokes.distances(self._backend, k, first, last, self._spacing) for k in labels])
        detours = np.zeros(distances.shape, np.float32)
        if self._reached is not None:
            for k in labels[1:]:
                detours[k] = self._likelihood.detour_costs(self._between(self._reached[k], first, last))
        costs = self._likelihood.costs_nearby(colours, first, distances, detours, self._seeds, self._spacing)
        costs -= costs.min(axis=0)
        return np.clip(costs[1] - costs[0], -self._likelihood.clip, self._likelihood.clip)  # type: ignore[operator]


def finest(
    shape: tuple[int, int], cost: RowFile, contrast: RowFile, bounds: Bounds, data_size: float, mean: float,
    alpha: float, edges: bool, scratch: Scratch, band: int,
) -> Grid:  # fmt: skip
    """The full grid, once costs and contrast are there: dual radii from contrast relative to its `mean`."""
    radius = RowFile(scratch.path / "radius-0", shape)
    if "radius" not in scratch.done:
        total = 0.0
        for first, last in bands(shape[0], band):
            rows = np.full((last - first, shape[1]), alpha, np.float32)
            if edges:
                rows = (alpha * weight_of_contrast(contrast.read(first, last), mean).astype(np.float64)).astype(
                    np.float32
                )
            radius.write(first, rows)
            total += float(rows.sum(dtype=np.float64))
        scratch.note(radius=total / (shape[0] * shape[1]))
    return Grid(shape, cost, radius, bounds, data_size, scratch.done["radius"])


def coarser(grid: Grid, level: int, scratch: Scratch, backend: ArrayBackend, band: int) -> Grid:
    """The grid of half the size, as in `ArrayBackend.coarsen`."""
    shape = (-(-grid.shape[0] // 2), -(-grid.shape[1] // 2))
    cost, radius = coarse_files(scratch.path, level, shape)
    name = f"grid-{level}"
    if name not in scratch.done:
        sums = [0.0, 0.0]
        for first, last in bands(grid.shape[0], band + band % 2):
            halves: list[tuple[RowFile, np.ndarray, Callable]] = [
                (cost, backend.halve(grid.cost.read(first, last), 2), np.abs),
                (radius, np.float32(0.5) * backend.halve(grid.radius.read(first, last), 2), np.asarray),
            ]
            for k, (file, rows, size) in enumerate(halves):
                file.write(first // 2, rows)
                sums[k] += float(size(rows).sum(dtype=np.float64))
        told: dict[str, Any] = {name: [total / (shape[0] * shape[1]) for total in sums]}
        scratch.note(None, **told)
    return Grid(shape, cost, radius, grid.bounds.halved(), *scratch.done[name])


def coarse_files(folder: Path, level: int, shape: tuple[int, int]) -> tuple[RowFile, RowFile]:
    """Cost and dual radius of a coarser grid."""
    return RowFile(folder / f"cost-{level}", (1, *shape)), RowFile(folder / f"radius-{level}", shape)
