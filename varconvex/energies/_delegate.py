"""Base class of an energy that computes the costs of another one and delegates the rest of the protocol to it."""

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..backends import ArrayBackend, Problem
from .potts import Potts
from .two_phase import TwoPhase


class Delegate(ABC):
    """The protocol, delegated to `regions`; subclasses override what differs."""

    @property
    @abstractmethod
    def regions(self) -> TwoPhase | Potts:
        """The energy of the labels."""

    @property
    def cost(self) -> Any:
        """Cost of each label, or the difference of two."""
        return self.regions.cost

    @cached_property
    def cost_error(self) -> float:
        """Sum over pixels of the rounding errors that the costs have before they are given to `regions`."""
        return 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of u, (L, *spatial)."""
        return self.regions.shape

    def problem(self, backend: ArrayBackend) -> Problem:
        """The energy in the arrays of `backend`, float32."""
        problem = self.regions.problem(backend)
        return replace(problem, rounding_slack=problem.rounding_slack + self.cost_error / problem.cost_unit)

    def start(self, backend: ArrayBackend, problem: Problem) -> Any:
        """The minimiser for alpha = 0."""
        return self.regions.start(backend, problem)

    def value(self, backend: ArrayBackend, index: Any) -> float:
        """The energy of a label image (index of each pixel's label)."""
        return backend.primal_value(self.problem(backend), self.regions.indicator(backend, backend.asarray(index)))

    def round(self, backend: ArrayBackend, problem: Problem, u: Any) -> tuple[Any, float]:
        """A binary u and its energy."""
        return self.regions.round(backend, problem, u)

    def recall(self, u: Any) -> Any:
        """The inverse of `present`."""
        return self.regions.recall(u)

    def present(self, u: Any) -> Any:
        """u in the shape of the labels, or (K, *spatial)."""
        return self.regions.present(u)
