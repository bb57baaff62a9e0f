"""From fields on disk to a certified pair (u, p) on disk: a coarse grid in memory, then pass by pass on finer ones."""

import warnings
from functools import partial
from typing import Any

import numpy as np

from ..backends import ArrayBackend, Problem
from ..energies.total_variation import differences
from ..energies.two_phase import TwoPhase
from ..errors import ConvergenceWarning
from ..options import TV, Status
from ..solvers.pdhg import COARSE_ITERATIONS, COARSEST, pdhg
from ..solvers.solution import GapRecord, StoppingRules
from .fields import Grid, coarser
from .files import RowFile, Scratch
from .passes import Level, Start, descend


def pyramid(grid: Grid, scratch: Scratch, backend: ArrayBackend, band: int, most: int) -> list[Grid]:
    """Grids from the full one to one of at most `most` pixels, which memory can hold while it is solved."""
    grids = [grid]
    while min(grids[-1].shape) >= 2 * COARSEST and (len(grids) == 1 or grids[-1].pixels > most):
        grids.append(coarser(grids[-1], len(grids), scratch, backend, band))
    return grids


def solve(
    grids: list[Grid], scratch: Scratch, backend: ArrayBackend, rules: StoppingRules, spacing: tuple[float, ...],
    tv: TV, band: int,
) -> tuple[list[Any], GapRecord, Status]:  # fmt: skip
    """The states of all grids, the full one first; evaluations of that one, and why it ended."""
    kind = differences(tv, spacing)
    coarse_rules = StoppingRules.checked(COARSE_ITERATIONS, rules.tol, None, None)
    start: Start = partial(_plain_start, backend)
    levels: list[Any] = []
    if len(grids) > 1:
        levels = [_in_memory(grids[-1], len(grids) - 1, scratch, backend, spacing, tv, rules.tol)]
        start = partial(_prolonged, backend, levels[0])
    for number in reversed(range(max(len(grids) - 1, 1))):
        # Bands have so many pixels on every grid.
        height, width = grids[number].shape
        level = Level(grids[number], number, scratch, backend, kind, min(band * grids[0].shape[1] // width, height))
        record, status = descend(level, scratch, start, coarse_rules if number else rules)
        start = partial(_prolonged, backend, level)
        levels.insert(0, level)
    return levels, record, status


def _plain_start(backend: ArrayBackend, problem: Problem, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """The minimiser for alpha = 0."""
    u = backend.asarray(backend.project((problem.cost < 0).astype(np.float32), problem))
    return u, np.zeros((len(problem.steps), *u.shape), np.float32)


def _prolonged(backend: ArrayBackend, coarse: Any, problem: Problem, first: int, last: int) -> tuple[Any, Any]:
    """The coarse state on these rows, of which the first is even; wrong on the outermost rows of a band."""
    a, b = first // 2, -(-last // 2)
    return backend.prolong(problem, coarse.read(a, b, 0), coarse.read(a, b, 1))


class _Stored:
    """u and p of the coarsest grid."""

    def __init__(self, scratch: Scratch, number: int, grid: Grid, count: int) -> None:
        self.grid = grid
        self.files = (
            RowFile(scratch.path / f"u-{number}", (1, *grid.shape)),
            RowFile(scratch.path / f"p-{number}", (count, 1, *grid.shape)),
        )

    def read(self, first: int, last: int, part: int) -> np.ndarray:
        """u (part 0) or p (part 1) of these rows."""
        return self.files[part].read(first, last)


def _in_memory(
    grid: Grid, number: int, scratch: Scratch, backend: ArrayBackend, spacing: tuple[float, ...], tv: TV, tol: float
) -> _Stored:
    """Solve the coarsest grid in memory."""
    stored = _Stored(scratch, number, grid, len(differences(tv, spacing)["steps"]))
    if "coarsest" not in scratch.done:
        height = grid.shape[0]
        lower, upper = (np.broadcast_to(bound, (1, *grid.shape))[0] for bound in grid.bounds.rows(0, height))
        cost, radius = grid.cost.read(0, height)[0], grid.radius.read(0, height)
        energy = TwoPhase(cost, 1.0, weight=radius, lower=lower, upper=upper, spacing=spacing, tv=tv)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            solution = pdhg(energy, backend=backend, max_iter=COARSE_ITERATIONS, tol=tol)
        stored.files[0].write(0, backend.to_numpy(solution.u)[None])
        stored.files[1].write(0, backend.to_numpy(solution.p))
        scratch.note(coarsest=True)
    return stored
