"""The primal-dual iteration on a grid that lies on disk: many iterations each time the state passes through memory.

A pass takes one band of full rows after the other into memory, with n rows more to both sides for n iterations: what is
wrong at the ends of a band comes nearer by a row an iteration. So a pass is n iterations of the whole grid. It reads
one set of files and writes another, so that a kill in the middle leaves the state before it.

    gap = sum_x [(cost - div p) u - min_v (cost - div p) v]  +  [radius |grad u| - <p, grad u>],     each term >= 0

Bands without a pixel that still changes are not iterated, nor read again. At first these are pixels where a term of the
gap is not 0: where the coarse grid's p certifies u, nothing is ever done. Primal and dual value are sums over rows in
float64, of p that is feasible everywhere: one gap for the whole image.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..backends import ArrayBackend, Problem
from ..options import Status
from ..solvers.solution import GapRecord, Progress, StoppingRules
from ..solvers.steps import StepSizes, dual_step
from .fields import Grid, bands
from .files import RowFile, Scratch

RELAXATION = 1.9
_MOST, _LEAST = 48, 16
"""Iterations in a pass."""

_RESET = 8
"""Passes after which all pixels that the certificate leaves open are active again."""

_SAMPLED = 8
"""Of the rows every so many say how far u and p move."""

Start = Callable[[Problem, int, int], tuple[np.ndarray, np.ndarray]]
"""A first pair (u, p) for the rows from first to last of a problem."""


class Level:
    """The state (u, p) of a grid in two sets of files, of which `which` (bands,) has the last one; and what is known.

    `moved` (H, 2) are the columns of each row that still change, `primal` and `dual` (H,) the values of each row.
    """

    def __init__(self, grid: Grid, number: int, scratch: Scratch, backend: ArrayBackend, kind: dict, band: int) -> None:
        self.grid, self.number, self.backend, self._kind = grid, number, backend, kind
        height, width = grid.shape
        band += band % 2
        self.bands = list(bands(height, band))
        self.most = max(min(_MOST, band // 8 // 8 * 8), _LEAST)
        u, p = (1, height, width), (len(kind["steps"]), 1, height, width)
        self._files = [
            (RowFile(scratch.path / f"u-{number}-{k}", u), RowFile(scratch.path / f"p-{number}-{k}", p)) for k in (0, 1)
        ]
        stored = scratch.arrays
        self.which = stored.get(f"which-{number}", np.zeros(len(self.bands), np.int8))
        self.moved = stored.get(f"moved-{number}", np.tile(np.array([0, width]), (height, 1)))
        self.primal, self.dual = stored.get(f"values-{number}", np.zeros((2, height)))

    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name that are kept with the files, so that an interrupted call can go on."""
        values = {"which": self.which, "moved": self.moved, "values": np.stack([self.primal, self.dual])}
        return {f"{name}-{self.number}": value for name, value in values.items()}

    def problem(self, first: int, last: int) -> Problem:
        """The problem of these rows by themselves."""
        lower, upper = self.grid.bounds.rows(first, last)
        cost, radius = self.grid.cost.read(first, last), self.grid.radius.read(first, last)
        return Problem(cost, radius, lower, upper, **self._kind)

    def read(self, first: int, last: int, part: int) -> np.ndarray:
        """u (part 0) or p (part 1) of these rows."""
        found = []
        for (a, b), k in zip(self.bands, self.which, strict=True):
            low, high = max(a, first), min(b, last)
            if low < high:
                found.append(self._files[k][part].read(low, high))
        return found[0] if len(found) == 1 else np.concatenate(found, axis=-2)

    def u(self) -> np.ndarray:
        """u as a map of its file, which all bands are copied to: (H, W) float32."""
        for (first, last), k in zip(self.bands, self.which, strict=True):
            if k:
                self._files[0][0].write(first, self._files[1][0].read(first, last))
        return self._files[0][0].mapped()[0]

    def idle(self, k: int, n: int, fresh: bool) -> bool:
        """Whether nothing changes within the reach of band k."""
        first, last = self.bands[k]
        near = self.moved[max(first - n // 4, 0) : last + n // 4]
        return not fresh and bool((near[:, 0] >= near[:, 1]).all())

    def sweep(self, n: int, steps: StepSizes, start: Start | None, fresh: bool) -> tuple[float, float]:
        """One pass of `n` iterations; how far u and p have moved. `fresh` asks the certificate which pixels change."""
        moved, which = self.moved.copy(), self.which.copy()
        values = np.stack([self.primal, self.dual])
        travelled, above = np.zeros(2), None
        for k, (first, last) in enumerate(self.bands):
            if self.idle(k, n, fresh or start is not None):
                above = None
                continue
            skipped = k + 1 < len(self.bands) and self.idle(k + 1, n, fresh or start is not None)
            low, high = max(first - n - 2, 0), min(last + n + 2, self.grid.shape[0])
            problem = self.problem(low, high)
            if start is not None:
                u, p = start(problem, low, high)
            else:
                u, p = self.read(low, high, 0), self.read(low, high, 1)
            own = slice(first - low, last - low)
            # Rows of the bands beside that the values of this one's need: as they are after the pass.
            if above is None and first > 0:
                above = u[:, own.start - 1 : own.start].copy(), p[:, :, own.start - 1 : own.start].copy()
            below = (u[:, own.stop : own.stop + 1].copy(), p[:, :, own.stop : own.stop + 1].copy()) if skipped else None
            before = u[:, own][:, ::_SAMPLED].copy(), p[:, :, own][:, :, ::_SAMPLED].copy()
            active = self.backend.new_active_set(problem)
            if active is not None:
                active.moved[:] = self._open(problem, u, p) if fresh or start is not None else self.moved[low:high]
            self.backend.iterate(
                problem, u, p, n=n, tau=steps.tau, sigma=steps.sigma, rho=RELAXATION, finish=True, active_set=active
            )
            if active is not None:
                moved[first:last] = active.moved[own]
            u, p = u[:, own], p[:, :, own]
            travelled += [
                float(np.square(a - b).sum(dtype=np.float64))
                for a, b in zip((u[:, ::_SAMPLED], p[:, :, ::_SAMPLED]), before, strict=True)
            ]
            which[k] = 1 - self.which[k]
            for file, rows in zip(self._files[which[k]], (u, p), strict=True):
                file.write(first, rows)
            self._add_values(values, problem, low, (u, p), first, above, below)
            above = u[:, -1:].copy(), p[:, :, -1:].copy()
        self.moved, self.which = moved, which
        self.primal, self.dual = values
        return float(travelled[0] ** 0.5), float(travelled[1] ** 0.5)

    def _add_values(
        self, values: np.ndarray, problem: Problem, low: int, pair: tuple, first: int, above: Any, below: Any
    ) -> None:
        """Set the values of a band's rows, and of the rows beside that its state enters."""
        together = [part for part in (above, pair, below) if part is not None]
        u, p = (np.concatenate([part[k] for part in together], axis=-2) for k in (0, 1))
        begin = first - (above is not None)
        end = begin + u.shape[1]
        part = rows_of(problem, begin - low, end - low)
        bottom = end == self.grid.shape[0]
        primal, dual = self.backend.primal_slices(part, u), self.backend.dual_slices(part, p)
        stop = len(primal) - (not bottom)
        values[0, begin : begin + stop] = primal[:stop]
        skip = int(above is not None)
        values[1, begin + skip : end] = dual[skip:]

    def _open(self, problem: Problem, u: np.ndarray, p: np.ndarray) -> np.ndarray:
        """First column and last + 1 of what the certificate leaves open in each row: (n, 2)."""
        found = np.empty((u.shape[1], 2), np.int64)
        width = u.shape[-1]
        for first in range(0, u.shape[1], 64):
            a, b = max(first - 1, 0), min(first + 65, u.shape[1])
            part = rows_of(problem, a, b)
            slope = part.cost - self.backend.divergence(
                np.ascontiguousarray(p[:, :, a:b]), problem.steps, problem.offsets
            )
            here = u[:, a:b]
            wrong = ((slope < 0) & (here < part.upper)) | ((slope > 0) & (here > part.lower))
            wrong |= (self.backend.gradient(here, problem.steps, problem.offsets) != 0).any(axis=0)
            wrong = wrong[0, first - a : min(first + 64, u.shape[1]) - a]
            found[first : first + 64, 0] = np.where(wrong.any(axis=1), wrong.argmax(axis=1), width)
            found[first : first + 64, 1] = np.where(wrong.any(axis=1), width - wrong[:, ::-1].argmax(axis=1), 0)
        return found


def rows_of(problem: Problem, first: int, last: int) -> Problem:
    """Some rows of a problem by themselves."""

    def cut(field: np.ndarray) -> np.ndarray:
        return field if field.shape[-2] == 1 and problem.cost.shape[-2] > 1 else field[..., first:last, :]

    return replace(
        problem, cost=cut(problem.cost), dual_radius=cut(problem.dual_radius), lower=cut(problem.lower),
        upper=cut(problem.upper),
    )  # fmt: skip


def descend(level: Level, scratch: Scratch, start: Start | None, rules: StoppingRules) -> tuple[GapRecord, Status]:
    """Iterate until a rule says stop, from `start` or from where it was interrupted; the evaluations, and the rule."""
    grid, name = level.grid, f"level-{level.number}"
    kind = level.problem(0, 1)
    sigma = float(dual_step(kind.norm, grid.data_size, grid.radius_size))
    nothing = np.zeros((1, 1, 1), np.float32)
    steps = StepSizes(kind.norm, sigma, nothing, nothing[None])
    energy: Any = level  # an evaluation needs none
    record = GapRecord(energy, level.backend, kind, grid.data_size, grid.pixels, rules)
    if told := scratch.done.get(name):
        steps.set(told["sigma"])
        steps.gain = told["gain"]
        record.history = [tuple(entry) for entry in told["history"]]
        record.primal, record.dual, record.relative_gap = told["values"]
    while True:
        if record.history and (status := rules.status(record.iteration, record.relative_gap, partial(_told, record))):
            return record, status
        done = max(record.iteration, 0)
        n = min(_iterations(record, level.most), max(rules.max_iter - done, 0))
        fresh = len(record.history) % _RESET == _RESET - 1
        travelled = level.sweep(n, steps, None if record.history else start, fresh)
        record.note(done + n, float(level.primal.sum()), float(level.dual.sum()))
        steps.follow(done + n, *travelled)
        numbers = [record.primal, record.dual, record.relative_gap]
        told = {"sigma": steps.sigma, "gain": steps.gain, "history": record.history, "values": numbers}
        scratch.note(level.arrays(), **{name: told})


def _iterations(record: GapRecord, most: int) -> int:
    """Iterations of the next pass: as many as seem to be left, if the gap goes on falling as it did."""
    if len(record.history) < 2:
        return most
    (before, _, *last), (now, _, *this) = record.history[-2:]
    tiny = np.finfo(np.float64).tiny
    fall = (last[0] - last[1]) / max(this[0] - this[1], tiny)
    if fall <= 1:
        return most
    left = (now - before) * np.log(record.relative_gap / max(record.rules.tol, tiny)) / np.log(fall)
    return int(np.clip(-(-left // 8) * 8, _LEAST, most))


def _told(record: GapRecord) -> Progress:
    """The last evaluation, for a callback; u stays on disk."""
    return Progress(*record.history[-1], relative_gap=record.relative_gap, u=None)
