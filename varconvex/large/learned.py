"""Joint unification with a convex shape, where the image lies on disk.

theta and a first set are found in memory, on means of blocks of pixels: at most `SIDE` of them along the longer side
(joint unification in memory finds its sets on a still smaller grid). On the full grid the costs are theta's,
interpolated; edges, the relaxed minimiser and its gap are those of every pixel. There `outline.py` refines the set.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ScribbleConflictError
from ..geometry.certify import Certificate, certificate_of_runs, hull_vertices
from .fields import Data, bands
from .outline import Runs, refined
from .passes import Level
from .picture import Picture
from .strokes import Strokes

SIDE = 1024
"""Pixels along the longer side of the grid on which theta and the first set are found."""

_HELD = 1000.0
"""Cost of a scribbled pixel on the wrong side."""


class LearnedData(Data):
    """Costs that joint unification has learned; `solve(image, seeds, side, spacing)` is its call in memory.

    Attributes
    ----------
    coarse : Segmentation
        Its result, on the grid of blocks.
    block : list of int
        Rows and columns of pixels in a block.
    """

    def __init__(
        self, picture: Picture, strokes: Strokes, spacing: tuple[float, ...], band: int, solve: Callable[..., Any]
    ) -> None:
        side = max(1, -(-max(picture.shape) // SIDE))
        self.block = [side, side]
        super().__init__(picture, strokes, spacing, band, self.block)
        ids = np.array([0, *strokes.labels])
        self.coarse = solve(self.known.limits.unit(self.known.means), ids[strokes.pooled(self.block)], side, spacing)
        costs = self.coarse.costs
        self._difference = np.ascontiguousarray(costs[1] - costs[0], np.float32)

    def _costs(self, colours: np.ndarray, first: int) -> np.ndarray:
        return self._between(self._difference, first, first + len(colours)).astype(np.float32)


def convex_runs(data: LearnedData, levels: list[Any], strokes: Strokes, band: int) -> tuple[Runs, Certificate]:
    """The convex set near that of the blocks which suits u best, and its certificate.

    `levels` are states of grids from the full one on, each of half the size of the one before. A ScribbleConflictError
    if the set has come to lie across a stroke.
    """
    shape = levels[0].grid.shape
    side = data.block[0]
    rows, columns = hull_vertices(data.coarse.mask).T
    squares = [np.stack([rows + dr, columns + dc], axis=1) for dr in (-0.5, 0.5) for dc in (-0.5, 0.5)]
    corners = (np.concatenate(squares) + 0.5) * side - 0.5
    steps = min(max(side // 2, 1).bit_length() - 1, len(levels) - 1)
    found = refined(corners, shape, 2**steps, lambda factor: _cost_on(levels[factor.bit_length() - 1], band))
    for k, inside in ((1, True), (0, False)):
        for first, last in bands(shape[0], band):
            wrong = found.mask(first, last)[strokes.rows(k, first, last)] != inside
            if wrong.any():
                where = np.stack(strokes.rows(k, first, last), axis=1)[wrong] + [first, 0]
                raise ScribbleConflictError(
                    f"a convex object must hold its strokes and no others; {len(where)} scribbled pixels are on the "
                    f"wrong side, the first at {tuple(int(i) for i in where[0])}. Move those strokes.",
                    where,
                )
    return found, certificate_of_runs(found.first, found.last)


def _cost_on(level: Level, band: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """1 - 2 u at pixels of a level, read by bands of rows; scribbled pixels are held."""
    height = level.grid.shape[0]

    def cost(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        found = np.empty(rows.shape)
        for first, last in bands(height, band):
            mine = (rows >= first) & (rows < last)
            if not mine.any():
                continue
            low, high = int(rows[mine].min()), int(rows[mine].max()) + 1
            u = level.read(low, high, 0)[0]
            lower, upper = (np.broadcast_to(bound, (1, *u.shape))[0] for bound in level.grid.bounds.rows(low, high))
            where = rows[mine] - low, columns[mine]
            found[mine] = 1 - 2 * u[where] - _HELD * (lower[where] > 0) + _HELD * (upper[where] < 1)
        return found

    return cost
