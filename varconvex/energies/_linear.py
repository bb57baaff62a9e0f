"""What the energies with a linear cost share: the checked fields, and the half-size problem."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem
from ..errors import InvalidImageError, InvalidParameterError

COARSEST = 32
"""A grid whose shorter side is below twice this is solved as it stands."""

_LARGEST = 1e30
"""Sums over an image, and their squares, have to stay finite."""


@dataclass(frozen=True)
class LinearEnergy(ABC):
    """Fields of an energy <cost, u> + pull/2 |u - v|^2 + alpha sum_x weight |grad u|, subclassed by what C is."""

    cost: Any
    alpha: float
    weight: Any = field(default=None, kw_only=True)
    lower: Any = field(default=0.0, kw_only=True)
    upper: Any = field(default=1.0, kw_only=True)
    spacing: Any = field(default=None, kw_only=True)
    tv: str = field(default="isotropic", kw_only=True)

    _halved: ClassVar[tuple[str, ...]] = ("cost", "weight", "lower", "upper")
    """Fields with one number per pixel, which a coarser grid has means of."""

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
        object.__setattr__(self, name, bound)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of u, (L, *spatial)."""
        return (1, *self.cost.shape)

    def _problem(
        self, backend: ArrayBackend, cost: Any, *, simplex: bool = False, share: float = 1.0, pull: float = 0.0,
        constant: float = 0.0,
    ) -> Problem:  # fmt: skip
        """The fields in units of the mean cost, so that no scale of the numbers is special.

        `cost` is float64; `share` is the part of alpha that each label pays.
        """
        labels, *spatial = self.shape
        cost = backend.asarray(cost).reshape(self.shape)
        unit = power_of_two(float(abs(cost).mean()) or self.alpha or 1.0)
        rounded = backend.asarray(cost / unit, np.float32)

        def bound(value: Any) -> Any:
            value = backend.asarray(value, np.float32)
            return value.reshape((1,) * (len(spatial) + 1) if value.size == 1 else (labels, *spatial))

        return Problem(
            cost=rounded,
            radius=ball_radius(backend, self, share * self.alpha / unit),
            lower=bound(self.lower),
            upper=bound(self.upper),
            steps=tuple(1.0 / h for h in self.spacing),
            isotropic=self.tv == "isotropic",
            simplex=simplex,
            pull=pull / unit,
            unit=unit,
            constant=constant,
            doubt=float(abs(rounded - cost / unit).sum()),
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

    def coarsen(self) -> Self | None:
        """Half the size: costs and bounds means of 2 x 2 pixels, alpha halved (E is a quarter of the fine one's)."""
        ndim = len(self.spacing)
        if min(self.cost.shape[-ndim:]) < 2 * COARSEST:
            return None
        fields = {name: halve(getattr(self, name), ndim) for name in self._halved}
        return replace(self, **fields, alpha=self.alpha / 2)


def check_regulariser(energy: Any, spatial: tuple[int, ...]) -> None:
    """Check the fields alpha, spacing, tv and weight of any energy, and bring them into one form."""
    change = object.__setattr__
    change(energy, "alpha", checks.real_number("alpha", energy.alpha))
    change(energy, "spacing", checks.spacing(energy.spacing, len(spatial)))
    checks.one_of("tv", energy.tv, ("isotropic", "anisotropic"))
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
    largest = max(float(abs(data).max()), energy.alpha, energy.alpha * heaviest)
    if largest > _LARGEST:
        raise InvalidParameterError(
            f"{name}, alpha and alpha * weight must be at most {_LARGEST:g} in size; got {largest:g}. Divide "
            "all of them by one number: the answer is the same."
        )


def ball_radius(backend: ArrayBackend, energy: Any, factor: float) -> Any:
    """factor * weight, float32, with as many axes as the image has."""
    ndim = len(energy.spacing)
    radius: Any = factor if energy.weight is None else factor * backend.asarray(energy.weight, np.float64)
    # Beyond, a boundary is as good as forbidden, and float32 ends at 3e38.
    radius = backend.xp.minimum(backend.asarray(radius, np.float64), 1e30).astype(np.float32)
    return radius.reshape((1,) * ndim) if energy.weight is None else radius


def power_of_two(size: float) -> float:
    """The power of two just below `size`: dividing by it is exact."""
    return 2.0 ** float(np.clip(np.floor(np.log2(size)), -1000, 1000))


def halve(array: Any, ndim: int) -> Any:
    """Means over blocks of two pixels along the last `ndim` axes; an odd last pixel is a block of its own."""
    if array is None or np.ndim(array) < ndim:
        return array
    array = array.astype(np.float32, copy=False)
    for axis in range(array.ndim - ndim, array.ndim):
        odd = array.shape[axis] % 2
        even = [slice(None)] * array.ndim
        even[axis] = slice(None, array.shape[axis] - odd)
        pairs = array[tuple(even)]
        shape = (*pairs.shape[:axis], pairs.shape[axis] // 2, 2, *pairs.shape[axis + 1 :])
        means = pairs.reshape(shape).mean(axis=axis + 1)
        if odd:
            rest = [slice(None)] * array.ndim
            rest[axis] = slice(-1, None)
            joined = np.empty_like(array, shape=(*means.shape[:axis], means.shape[axis] + 1, *means.shape[axis + 1 :]))
            joined[(*even[:axis], slice(None, -1))] = means
            joined[tuple(rest)] = array[tuple(rest)]
            means = joined
        array = means
    return array
