"""The primal-dual gap of one problem: its evaluations, the best bound so far, and the solution that it certifies."""

from typing import Any

import numpy as np

from ..backends import ArrayBackend, Problem
from ..energies.base import Energy
from ..options import Status
from .solution import Progress, Solution
from .stopping import StoppingRules

LEAST_SIZE = 1e-3
"""The gap is relative to the energy, or, where that is nearly 0 by cancellation, to this share of the data's size."""


class GapRecord:
    """Evaluations of primal and dual value on one grid.

    `data_size` is the mean size of the data term's coefficients at a pixel and label, in units of the problem's
    `cost_unit`; `count` the number of entries of u.
    """

    def __init__(
        self, energy: Energy, backend: ArrayBackend, problem: Problem, data_size: float, count: int,
        rules: StoppingRules,
    ) -> None:  # fmt: skip
        self.energy, self.backend, self.problem, self.rules = energy, backend, problem, rules
        self.data_size = data_size
        self.floor = LEAST_SIZE * problem.cost_unit * data_size * count + np.finfo(np.float64).tiny
        self.primal, self.dual, self.relative_gap = np.inf, -np.inf, np.inf
        self.history: list[tuple[int, float, float, float]] = []

    @property
    def iteration(self) -> int:
        """Iterations done at the last evaluation; -1 before the first."""
        return self.history[-1][0] if self.history else -1

    def note(self, iteration: int, primal: float, dual: float) -> None:
        """Add an evaluation: energy of u and lower bound from p, after `iteration` iterations."""
        if iteration == self.iteration:  # of another pair after as many iterations, which replaces the last
            self.history.pop()
        self.primal = primal
        # In exact arithmetic dual <= primal; a bound that is lowered stays a bound.
        self.dual = min(max(self.dual, dual), self.primal)
        common = self.problem.common_cost
        size = max(abs(self.primal - common), abs(self.dual - common), self.floor)
        self.relative_gap = (self.primal - self.dual) / size
        self.history.append((iteration, self.rules.elapsed(), self.primal, self.dual))

    def evaluate(self, iteration: int, u: Any, p: Any) -> None:
        """Add the evaluation of a feasible pair."""
        self.note(iteration, *self.backend.values(self.problem, u, p))

    def progress(self, u: Any, index: int = 0) -> Progress:
        """The last evaluation and a copy of u, for a callback."""
        shown = self.energy.present(u.copy())
        return Progress(*self.history[-1], relative_gap=self.relative_gap, u=shown, index=index)

    def status(self, u: Any, index: int = 0) -> Status | None:
        """Why to stop after the last evaluation, or None."""
        return self.rules.status(self.iteration, self.relative_gap, lambda: self.progress(u, index))

    def solution(self, u: Any, p: Any, status: Status) -> Solution:
        """The pair of the last evaluation with its certificate, in the user's units."""
        binary, rounded = self.energy.round(self.backend, self.problem, u)
        per_pixel = self.problem.cost_unit / self.problem.value_scale
        shown = self.energy.present(u)
        return Solution(
            u=shown,
            p=p if per_pixel == 1 else p * np.float32(per_pixel),
            binary=shown if binary is u else self.energy.present(binary),
            energy=rounded,
            primal=self.primal,
            dual=self.dual,
            relative_gap=self.relative_gap,
            history=tuple(self.history),
            converged=self.relative_gap <= self.rules.tol,
            status=status,
        )
