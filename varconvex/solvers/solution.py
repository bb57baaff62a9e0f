"""Results of the primal-dual solvers, the state that they pass to callbacks, and when they stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from .. import checks, threads
from ..backends import ArrayBackend, Problem
from ..energies.base import Energy
from ..errors import ConvergenceWarning, InvalidParameterError
from ..options import Status

LEAST_SIZE = 1e-3
"""The gap is relative to the energy, or, where that is nearly 0 by cancellation, to this share of the data's size."""


@dataclass(frozen=True, eq=False)
class Progress:
    """State of a solver at one evaluation, passed to its callback. Returning True from the callback stops the solver.

    Attributes
    ----------
    iteration : int
        Iterations done on the grid of full size.
    seconds : float
        Time since the start, coarse grids included.
    primal, dual : float
        Energy of u, and the best lower bound so far (-inf where none is known, as in `stationary`).
    relative_gap : float
        (primal - dual) as a share of the energy's size; inf where no bound is known.
    u : array
        Copy of the current u, in the shape of the cost or image.
    change : float
        `stationary` only: mean movement of a pixel in the last iteration, as a share of the image's range; else NaN.
    index : int
        `pdhg_batch` only: position of the energy in the batch; else 0.
    """

    iteration: int
    seconds: float
    primal: float
    dual: float
    relative_gap: float
    u: Any
    change: float = float("nan")
    index: int = 0


@dataclass(frozen=True, eq=False)
class Solution:
    """A minimiser with its certificate. Two solutions are equal only if they are one object.

    Attributes
    ----------
    u : array float32
        In [0, 1], in the shape of the cost; (K, *spatial) for K labels.
    p : (d, L, *spatial) array float32
        Dual variable, one component a spatial axis (or direction of differences).
    binary : array
        The rounded u, float32 zeros and ones; of `ROF` and `TVL1` u itself, for which `labels` and `mask` mean nothing.
    energy : float
        Energy of `binary`.
    primal, dual : float
        Energy of u, raised by what float32 may have rounded off it, and a lower bound of every energy.
    gap, relative_gap : float
        primal - dual, and its share of the energy's size (or of a thousandth of the data's, if that is more),
        not counting the cost that all labels have in common.
    history : tuple of (iteration, seconds, primal, dual)
        One entry a gap evaluation, on the grid of full size.
    converged : bool
        Whether the relative gap is at most `tol`.
    status : {"converged", "max_iter", "time_limit", "stopped"}
        Why the solver stopped.
    """

    u: Any
    p: Any
    binary: Any
    energy: float
    primal: float
    dual: float
    relative_gap: float
    history: tuple[tuple[int, float, float, float], ...]
    converged: bool
    status: Status

    @property
    def gap(self) -> float:
        """Primal - dual, in the unit of the energy."""
        return self.primal - self.dual

    @property
    def iterations(self) -> int:
        """Iterations on the grid of full size."""
        return self.history[-1][0]

    @cached_property
    def labels(self) -> Any:
        """Index of each pixel's label, in the smallest unsigned type that holds K; for two regions 1 is the object."""
        if self.p.shape[1] == 1:
            return self.mask.astype(np.uint8)
        return self.binary.argmax(axis=0).astype(np.min_scalar_type(self.p.shape[1] - 1))

    @cached_property
    def mask(self) -> Any:
        """The object, bool; for K labels everything but label 0."""
        return self.binary > 0.5 if self.p.shape[1] == 1 else self.labels > 0


Callback = Callable[[Progress], object] | None
"""Called with one `Progress` at each evaluation; True (a bool, no other value) stops the solver."""


@dataclass(frozen=True)
class StoppingRules:
    """Checked parameters of a solver's end, and its clock, which starts with the object.

    `tol` is the criterion (relative gap, or change of u) to stop at, `seconds` the time limit, `begin` the start by
    `time.perf_counter`.
    """

    max_iter: int
    tol: float
    seconds: float
    callback: Callback
    begin: float = field(default_factory=time.perf_counter)

    @classmethod
    def checked(cls, max_iter: Any, tol: Any, time_limit: Any, callback: Any) -> Self:
        """The rules, from parameters as a user gave them."""
        checks.function("callback", callback)
        max_iter, tol = checks.whole_number("max_iter", max_iter), checks.real_number("tol", tol)
        seconds = np.inf if time_limit is None else checks.real_number("time_limit", time_limit, most=np.inf)
        seconds = min(seconds, max(threads.deadline() - time.perf_counter(), 0.0))
        return cls(max_iter, tol, seconds, callback)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.begin

    @property
    def deadline(self) -> float:
        """When the time limit passes, by `time.perf_counter`."""
        return self.begin + self.seconds

    def seconds_left(self) -> float | None:
        """Seconds until the time limit, at least 0; None if there is no limit."""
        return None if np.isinf(self.seconds) else max(self.deadline - time.perf_counter(), 0.0)

    def out_of_time(self) -> bool:
        """Whether the time limit has passed."""
        return self.elapsed() >= self.seconds

    def status(self, iteration: int, criterion: float, progress: Callable[[], Progress]) -> Status | None:
        """The first rule that holds after an evaluation, or None to go on; `progress` is called for a callback only."""
        answer = None if self.callback is None else self.callback(progress())
        if isinstance(answer, bool | np.bool_) and answer:
            return "stopped"
        if criterion <= self.tol:
            return "converged"
        if iteration >= self.max_iter:
            return "max_iter"
        return "time_limit" if self.out_of_time() else None

    def warn(self, status: Status, sentence: str, criterion: float, detail: str) -> None:
        """A ConvergenceWarning, unless the tolerance was met, the callback stopped the solver, or `max_iter` is 0.

        `sentence` has places {found} and {tol}, which are filled with enough digits to differ.
        """
        if status in ("converged", "stopped") or not self.max_iter:
            return
        digits = next((n for n in range(2, 17) if f"{criterion:.{n}g}" != f"{self.tol:.{n}g}"), 17)
        text = sentence.format(found=f"{criterion:.{digits}g}", tol=f"{self.tol:.{digits}g}")
        checks.warn_caller(f"{text}{detail}; raise max_iter or time_limit, or tol", ConvergenceWarning)


def check_energy(name: str, energy: Any, example: str) -> None:
    """Refuse anything but an instance of an energy."""
    if not hasattr(energy, "problem") or isinstance(energy, type):
        raise InvalidParameterError(
            f"{name} must be an energy such as {example}; got {energy!r:.80}. Wrap the data in one."
        )


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
        self.pace = 0.0  # seconds that an iteration took last

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

    def status(self, u: Any, index: int = 0) -> Status | None:
        """Why to stop after the last evaluation, or None."""

        def progress() -> Progress:
            shown = self.energy.present(u.copy())
            return Progress(*self.history[-1], relative_gap=self.relative_gap, u=shown, index=index)

        return self.rules.status(self.iteration, self.relative_gap, progress)

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
            # The energy as given may be higher than the rounded problem's by its slack, as the bound may be lower.
            primal=self.primal + self.problem.cost_unit * self.problem.rounding_slack,
            dual=self.dual,
            relative_gap=self.relative_gap,
            history=tuple(self.history),
            converged=self.relative_gap <= self.rules.tol,
            status=status,
        )
