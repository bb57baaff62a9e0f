"""When a solver stops: the one place for all rules, shared by `pdhg`, `pdhg_batch` and `stationary`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from .. import checks
from ..errors import ConvergenceWarning, InvalidParameterError
from ..options import Status
from .solution import Progress

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
        return cls(
            checks.whole_number("max_iter", max_iter),
            checks.real_number("tol", tol),
            np.inf if time_limit is None else checks.real_number("time_limit", time_limit),
            callback,
        )

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.begin

    def out_of_time(self) -> bool:
        """Whether the time limit has passed."""
        return self.elapsed() >= self.seconds

    def status(self, iteration: int, criterion: float, progress: Callable[[], Progress]) -> Status | None:
        """The first rule that holds after an evaluation, or None to go on; `progress` is called for a callback only."""
        if self.callback is not None and _is_true(self.callback(progress())):
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


def _is_true(answer: object) -> bool:
    return isinstance(answer, bool | np.bool_) and bool(answer)
