"""Base class of the energies whose u is an image: fields, range and channels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidParameterError
from ..options import TV
from .base import rounding_slack
from .total_variation import check_fields, check_sizes, differences, dual_radius, least_unit, power_of_two

_LEAST_RANGE, _FARTHEST, _SHORTEST = 1e-150, 1e15, 1e-20
"""Least range whose square is a number; largest distance of the data from the bounds, in ranges; gradients that count
as none, in ranges."""

_LARGEST_UNIT = 2.0**126
"""Its inverse is float32's least number that is no denormal."""


@dataclass(frozen=True)
class ImageEnergy(ABC):
    """Fields of an energy D(u, image) + alpha R(grad u); subclasses define D and R.

    A minimiser stays within the image's range, so [lower, upper] is no restriction, and gives a better bound. The
    solver works on v = (u - lower) / scale, which is of the order of 1 whatever the image's unit.
    """

    image: Any
    alpha: float
    weight: Any = field(default=None, kw_only=True)
    channel_axis: int | None = field(default=None, kw_only=True)
    spacing: Any = field(default=None, kw_only=True)
    tv: TV = field(default="isotropic", kw_only=True)
    lower: Any = field(default=None, kw_only=True)
    upper: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        image = checks.as_numeric("image", self.image)
        channels = self.channel_axis is not None
        checks.spatial("image", image, (3, 4) if channels else (2, 3))
        checks.finite("image", image, "Repair them first: every pixel is data here.")
        change = object.__setattr__
        change(self, "image", image)
        if channels:
            change(self, "channel_axis", checks.axis(self.channel_axis, image.ndim))
        check_fields(self, "image", self.shape[1:])
        low = float(image.min()) if self.lower is None else checks.real_number("lower", self.lower, least=-np.inf)
        high = float(image.max()) if self.upper is None else checks.real_number("upper", self.upper, least=-np.inf)
        if low > high:
            raise InvalidParameterError(
                f"lower and upper must be finite numbers with lower <= upper; got {self.lower!r} and {self.upper!r}. "
                "Leave them out to use the image's own range."
            )
        check_sizes("lower and upper", low, high)
        if 0 < high - low < _LEAST_RANGE:
            raise InvalidParameterError(
                f"the range of the image, or from lower to upper, must be 0 or at least {_LEAST_RANGE:g}, so that its "
                f"square is a number; got {high - low:g}. Multiply the image and its parameters by one number."
            )
        if max(high - float(image.min()), float(image.max()) - low) > _FARTHEST * (high - low) > 0:
            raise InvalidParameterError(
                f"the image must be within {_FARTHEST:g} times upper - lower of both; got values from {image.min():g} "
                f"to {image.max():g} for {low:g} and {high:g}. Widen the bounds."
            )
        change(self, "lower", low)
        change(self, "upper", high)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of the solver's u, (C, *spatial)."""
        return self._channels_first(self.image).shape

    def _channels_first(self, image: Any) -> Any:
        return image[None] if self.channel_axis is None else np.moveaxis(image, self.channel_axis, 0)

    @property
    def scale(self) -> float:
        """Unit of the solver's u: the power of two below the range, dividing by which is exact."""
        return power_of_two(self.upper - self.lower or 1.0)

    def _problem(
        self, backend: ArrayBackend, *, cost_unit: float, radius: float, data_error: float = 0.0, **terms: Any
    ) -> Problem:
        """The fields that all image energies have; `radius` and `terms` are in units of `cost_unit`, for v."""
        ndim, top = len(self.spacing), (self.upper - self.lower) / self.scale
        grid = differences(self.tv, self.spacing)
        radius, terms = self._within_reach(radius, terms, top, grid["steps"])
        unit = max(1.0, least_unit(self, radius))
        if unit > _LARGEST_UNIT:
            raise InvalidParameterError(
                f"alpha must be in proportion to the image, whose numbers differ by {self.upper - self.lower:g}; got "
                f"{self.alpha:g}, beside which float32 cannot hold them. Divide it."
            )
        if unit != 1:
            cost_unit, radius, data_error = cost_unit * unit, radius / unit, data_error / unit
            terms["cost"] = terms["cost"] / np.float32(unit)
            terms |= {name: terms[name] / unit for name in ("quadratic_weight", "l1_weight") if name in terms}
        problem = Problem(
            dual_radius=dual_radius(backend, self, radius),
            lower=backend.xp.zeros((1,) * (ndim + 1), np.float32),
            upper=backend.xp.full((1,) * (ndim + 1), top, np.float32),
            coupling="joint" if self.shape[0] > 1 else "separate",
            cost_unit=cost_unit,
            value_scale=self.scale,
            **grid,
            **terms,
        )
        if problem.truncated:
            return problem
        data, per_value = (problem.target, 1.0) if problem.l1_weight else (problem.cost, -problem.quadratic_weight)
        low, high = sorted((float(data.min()) / per_value, float(data.max()) / per_value))
        # Bounds around the data bind nowhere. A change of the data enters the square times |v - data|.
        wide = low >= 0 and high <= float(problem.upper.max())
        reach = 1.0 if problem.l1_weight else max(2.0, max(high, top) - min(low, 0.0))
        slack = rounding_slack(backend, problem, data_error=data_error, reach=reach, upper=None if wide else top)
        return replace(problem, rounding_slack=slack)

    def _within_reach(
        self, radius: float, terms: dict[str, Any], top: float, steps: tuple[float, ...]
    ) -> tuple[float, dict[str, Any]]:
        """The same charge of gradients, as long as they can be within the bounds, by numbers that float32 can hold.

        radius t^2 / (2 huber) depends on the quotient only; it is all there is where t <= huber, or where a truncation
        t^2 = 2 huber is not met. So `huber` need not be more than what the longest gradient asks for; and less than
        1e-20 of that, squared for a truncation, float32 does not tell from as much.
        """
        reach = (top or 1.0) * float(np.sqrt(self.shape[0] * sum(step * step for step in steps)))
        huber = terms.get("huber", 0.0)
        most = reach**2 / 2 if terms.get("truncated") else reach
        if huber > most:
            return radius * (most / huber), terms | {"huber": most}
        # A jump that costs less than the least float is still a truncation.
        charged = huber or terms.get("truncated")
        return radius, terms | ({"huber": max(huber, _SHORTEST * most)} if charged else {})

    def data(self, backend: ArrayBackend, times: float = 1.0) -> tuple[Any, float]:
        """The image in the solver's unit, (C, *spatial) float32, times a power of two; and the sum of its changes."""
        layers = self._channels_first(self.image)
        layers = backend.asarray(layers, None if layers.dtype == np.float32 else np.float64)
        return backend.rounded(layers, self.scale / times, self.lower)

    def _quadratic(self, backend: ArrayBackend, weight: float, **terms: Any) -> Problem:
        """`_problem` with weight/2 |u - image|^2: a linear cost, a quadratic term around 0 and a constant."""
        cost, data_error = self.data(backend, times=-weight)
        flat, unit = cost.ravel(), self.scale**2
        square = float(backend.xp.einsum("i,i->", flat, flat, dtype=np.float64))
        terms |= {"quadratic_weight": weight, "constant": 0.5 / weight * unit * square}
        return self._problem(backend, cost=cost, cost_unit=unit, data_error=data_error, **terms)

    def start(self, backend: ArrayBackend, problem: Problem) -> Any:
        """The minimiser for alpha = 0: the image itself."""
        data = problem.target if problem.l1_weight else problem.cost / np.float32(-problem.quadratic_weight)
        return backend.project(data, problem)

    @abstractmethod
    def problem(self, backend: ArrayBackend) -> Problem:
        """The energy in the arrays of `backend`, float32."""

    def value(self, backend: ArrayBackend, image: Any) -> float:
        """The energy of an image of the same shape."""
        return backend.primal_value(self.problem(backend), replace(self, image=image, weight=None).data(backend)[0])

    def round(self, backend: ArrayBackend, problem: Problem, u: Any) -> tuple[Any, float]:
        """u itself: an image is not rounded to labels."""
        return u, backend.primal_value(problem, u)

    def recall(self, u: Any) -> Any:
        """An image -> (C, *spatial) in the solver's unit."""
        return ((self._channels_first(u).astype(np.float64) - self.lower) / self.scale).astype(np.float32)

    def present(self, u: Any) -> Any:
        """(C, *spatial) in the solver's unit -> the image's shape and range."""
        # Not always both: of a large array a copy takes as long as several iterations.
        if self.scale != 1:
            u = u * np.float32(self.scale)
        if self.lower != 0:
            u = u + np.float32(self.lower)
        return u[0] if self.channel_axis is None else np.moveaxis(u, 0, self.channel_axis)
