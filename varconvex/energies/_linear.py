"""What the energies with a linear cost share: the checked fields, and how they become a problem."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidImageError, InvalidParameterError

TV = ("isotropic", "anisotropic", "octagonal")
"""How a boundary's length is measured: by Euclid, or as a sum over two or four directions."""

_ORDINARY = 2.0**20
"""Fields between its inverse and it are iterated on as they are."""


_LARGEST = 1e30
"""Sums over an image, and their squares, have to stay finite."""


@dataclass(frozen=True)
class LinearEnergy(ABC):
    """Fields of an energy <cost, u> + q/2 |u - v|^2 + alpha sum_x weight |grad u|, subclassed by what C is."""

    cost: Any
    alpha: float
    weight: Any = field(default=None, kw_only=True)
    lower: Any = field(default=0.0, kw_only=True)
    upper: Any = field(default=1.0, kw_only=True)
    spacing: Any = field(default=None, kw_only=True)
    tv: str = field(default="isotropic", kw_only=True)

    def _check(self, cost: Any, spatial: tuple[int, ...]) -> None:
        checks.finite("cost", cost, "Replace them by 0 where the data say nothing.")
        object.__setattr__(self, "cost", cost)
        check_regulariser(self, spatial)
        check_size("cost", cost, self)

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
        """The fields, in another unit where float32 could not hold them; `share` is the part of alpha a label pays."""
        labels, *spatial = self.shape
        cost = backend.asarray(cost).reshape(self.shape)
        size = backend.mean_size(cost) or self.alpha or 1.0
        unit = 1.0 if 1 / _ORDINARY < size < _ORDINARY else power_of_two(size)
        rounded, rounding_slack = backend.rounded(cost, unit)
        steps, offsets = directions(self.tv, self.spacing)

        def bound(value: Any) -> Any:
            value = backend.asarray(value, np.float32)
            return value.reshape((1,) * (len(spatial) + 1) if value.size == 1 else (labels, *spatial))

        return Problem(
            cost=rounded,
            dual_radius=ball_radius(backend, self, share * self.alpha / unit),
            lower=bound(self.lower),
            upper=bound(self.upper),
            steps=steps,
            offsets=offsets,
            isotropic=self.tv == "isotropic",
            simplex=simplex,
            quadratic_weight=quadratic_weight / unit,
            cost_unit=unit,
            constant=constant,
            rounding_slack=rounding_slack,
        )

    def value(self, backend: ArrayBackend, index: Any) -> float:
        """The energy of a label image (index of each pixel's label)."""
        u = self.indicator(backend, backend.asarray(index))
        return backend.primal_value(self.problem(backend), u)

    def indicator(self, backend: ArrayBackend, index: Any) -> Any:
        """u of a label image: (L, *spatial) float32 zeros and ones."""
        first = 1 if self.shape[0] == 1 else 0  # with two regions u speaks of the object alone
        labels = backend.xp.arange(first, first + self.shape[0]).reshape((-1,) + (1,) * index.ndim)
        return (index[None] == labels).astype(np.float32)

    @abstractmethod
    def problem(self, backend: ArrayBackend) -> Problem:
        """The energy in the arrays of `backend`, float32."""


def check_regulariser(energy: Any, spatial: tuple[int, ...]) -> None:
    """Check the fields alpha, spacing, tv and weight of any energy, and bring them into one form."""
    change = object.__setattr__
    change(energy, "alpha", checks.real_number("alpha", energy.alpha))
    change(energy, "spacing", checks.spacing(energy.spacing, len(spatial)))
    checks.one_of("tv", energy.tv, TV)
    if energy.tv == "octagonal" and len(spatial) != 2:
        raise InvalidParameterError(
            f"tv='octagonal' measures boundaries in images; got {len(spatial)} spatial axes. "
            "Use 'isotropic' or 'anisotropic'."
        )
    if energy.weight is None:
        return
    weight = checks.as_numeric("weight", energy.weight)
    checks.finite("weight", weight, "Replace them by 0 where the boundary costs nothing.")
    if weight.shape != spatial or bool((weight < 0).any()):
        raise InvalidImageError(
            f"weight must be non-negative with the spatial shape {spatial}; got shape {weight.shape}, "
            f"least value {float(weight.min()) if weight.size else 0:g}. Pass one number per pixel."
        )
    change(energy, "weight", weight)


def check_size(name: str, data: Any, energy: Any) -> None:
    """Nothing is so large that its square would not be finite."""
    heaviest = 1.0 if energy.weight is None else float(energy.weight.max())
    largest = max(-float(data.min()), float(data.max()), energy.alpha, energy.alpha * heaviest)
    if largest > _LARGEST:
        raise InvalidParameterError(
            f"{name}, alpha and alpha * weight must be at most {_LARGEST:g} in size; got {largest:g}. Divide "
            "all of them by one number: the answer is the same."
        )


def ball_radius(backend: ArrayBackend, energy: Any, factor: float) -> Any:
    """factor * weight, float32, with as many axes as the image has."""
    ndim = len(energy.spacing)
    # Beyond, a boundary is as good as forbidden, and float32 ends at 3e38.
    factor = min(factor, 1e30)
    if energy.weight is None:
        return backend.asarray(factor, np.float32).reshape((1,) * ndim)
    radius = backend.asarray(factor * backend.asarray(energy.weight, np.float64)).clip(None, 1e30)
    return radius.astype(np.float32)


def power_of_two(size: float) -> float:
    """The power of two just below `size`: dividing by it is exact."""
    return 2.0 ** float(np.clip(np.floor(np.log2(size)), -1000, 1000))


def directions(tv: str, spacing: tuple[float, ...]) -> tuple[tuple[float, ...], Any]:
    """Factors and neighbours of the differences.

    With four directions a difference counts as many lines of its direction as the Cauchy-Crofton formula gives it:
    w = (angle between the directions beside it) / 4 |e|, |e| the distance to the neighbour (Boykov, Kolmogorov 2003,
    doi:10.1109/ICCV.2003.1238310). Between square pixels lengths are then right within 5 % in any direction.
    """
    if tv != "octagonal":
        return tuple(1.0 / h for h in spacing), None
    down, right = spacing
    angle = float(np.arctan2(down, right))
    diagonal = np.pi / (8 * float(np.hypot(down, right)))
    return (
        ((np.pi / 2 - angle) / (2 * down), angle / (2 * right), diagonal, diagonal),
        ((1, 0), (0, 1), (1, 1), (1, -1)),
    )
