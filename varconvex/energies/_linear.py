"""Base classes: of the energies with a linear cost, and of those that compute the costs of such an energy."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidImageError, InvalidParameterError
from ..options import TV
from .base import rounding_slack
from .total_variation import check_fields, differences, dual_radius, least_unit, power_of_two

_NOTHING = 2.0**-100
"""Costs of a smaller mean size in the unit in which alpha can be iterated on are as good as none."""

_ORDINARY = 2.0**20
"""Costs of a mean size between its inverse and it are iterated on as they are; others in another unit."""


@dataclass(frozen=True)
class LinearEnergy(ABC):
    """Fields of an energy <cost, u> + q/2 |u - v|^2 + alpha sum_x weight |grad u|, subclassed by what C is."""

    cost: Any
    alpha: float
    weight: Any = field(default=None, kw_only=True)
    lower: Any = field(default=0.0, kw_only=True)
    upper: Any = field(default=1.0, kw_only=True)
    spacing: Any = field(default=None, kw_only=True)
    tv: TV = field(default="isotropic", kw_only=True)

    def _check(self, cost: Any, spatial: tuple[int, ...]) -> None:
        checks.finite("cost", cost, "Replace them by 0 where the data say nothing.")
        object.__setattr__(self, "cost", cost)
        check_fields(self, "cost", spatial)

    def _bound(self, name: str, shape: tuple[int, ...]) -> None:
        bound = checks.as_numeric(name, getattr(self, name))
        checks.finite(name, bound, "Use 0 for a free lower bound, 1 for a free upper one.")
        if bound.ndim and bound.shape != shape:
            raise InvalidImageError(f"{name} must be a number or have the cost's shape {shape}; got {bound.shape}.")
        if bool((bound < 0).any()) or bool((bound > 1).any()):
            raise InvalidParameterError(
                f"{name} must lie in [0, 1], as u does; got values from {float(bound.min()):g} to "
                f"{float(bound.max()):g}. Clip it."
            )
        # A number, rather than an array of one, may be met by arrays of any backend.
        object.__setattr__(self, name, bound if bound.ndim else bound[()])

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of u, (L, *spatial)."""
        return (1, *self.cost.shape)

    def _problem(
        self, backend: ArrayBackend, cost: Any, *, simplex: bool = False, share: float = 1.0,
        quadratic_weight: float = 0.0, constant: float = 0.0,
    ) -> Problem:  # fmt: skip
        """The energy in float32 arrays, in another unit where float32 could not hold them.

        `share` is the part of alpha that each label pays for its boundary.
        """
        labels, *spatial = self.shape
        cost = backend.asarray(cost).reshape(self.shape)
        size = max(backend.mean_size(cost), quadratic_weight) or self.alpha or 1.0
        unit = 1.0 if 1 / _ORDINARY < size < _ORDINARY else power_of_two(size)
        unit = max(unit, least_unit(self, share * self.alpha))
        rounded, data_error = backend.rounded(cost, unit)
        if 0 < backend.mean_size(rounded) < _NOTHING:
            data_error, rounded = data_error + float(abs(rounded).sum(dtype=np.float64)), 0 * rounded

        def bound(value: Any) -> Any:
            value = backend.asarray(value, np.float32)
            return value.reshape((1,) * (len(spatial) + 1) if value.size == 1 else (labels, *spatial))

        problem = Problem(
            cost=rounded,
            dual_radius=dual_radius(backend, self, share * self.alpha, unit),
            lower=bound(self.lower),
            upper=bound(self.upper),
            simplex=simplex,
            quadratic_weight=quadratic_weight / unit,
            cost_unit=unit,
            constant=constant,
            **differences(self.tv, self.spacing),
        )
        slack = rounding_slack(backend, problem, data_error=data_error, lower=self.lower, upper=self.upper)
        return replace(problem, rounding_slack=slack)

    def value(self, backend: ArrayBackend, index: Any) -> float:
        """The energy of a label image (index of each pixel's label)."""
        u = self.indicator(backend, backend.asarray(index))
        return backend.primal_value(self.problem(backend), u)

    def indicator(self, backend: ArrayBackend, index: Any) -> Any:
        """u of a label image: (L, *spatial) float32 zeros and ones."""
        first = 1 if self.shape[0] == 1 else 0  # with two regions u is the object's share alone
        labels = backend.xp.arange(first, first + self.shape[0]).reshape((-1,) + (1,) * index.ndim)
        return (index[None] == labels).astype(np.float32)

    def recall(self, u: Any) -> Any:
        """(*spatial) -> (1, *spatial); (K, *spatial) as it is."""
        return u[None] if self.shape[0] == 1 else u

    def present(self, u: Any) -> Any:
        """(1, *spatial) -> (*spatial); (K, *spatial) as it is."""
        return u[0] if self.shape[0] == 1 else u

    @abstractmethod
    def problem(self, backend: ArrayBackend) -> Problem:
        """The energy in the arrays of `backend`, float32."""


class Delegate(ABC):
    """The protocol, delegated to `regions`; subclasses override what differs."""

    @property
    @abstractmethod
    def regions(self) -> Any:
        """The energy of the labels."""

    @property
    def cost(self) -> Any:
        """Cost of each label, or the difference of two."""
        return self.regions.cost

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of u, (L, *spatial)."""
        return self.regions.shape

    def problem(self, backend: ArrayBackend) -> Problem:
        """The energy in the arrays of `backend`, float32."""
        return self.regions.problem(backend)

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
