"""The weighted total variation on a grid, as all energies share it.

    alpha sum_x weight(x) |K u(x)|,   (K u)_k(x) = steps_k (u(x + offsets_k) - u(x))

"isotropic" takes the Euclidean length of the differences along the axes, "anisotropic" the sum of their sizes;
"octagonal" is a sum over axes and diagonals of an image, each weighted by the number of lines of its direction in the
Cauchy-Crofton formula: (angle between the directions beside it) / (4 |offset|) (Boykov, Kolmogorov 2003,
doi:10.1109/ICCV.2003.1238310). Between square pixels its lengths are right within 5 % in any direction.
"""

from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend
from ..errors import InvalidParameterError
from ..options import TV

_ONLY = {"octagonal": "images"}
"""Variants that are defined for images or for volumes only."""

_LONGEST = 2.0**53
"""Longest dual vector, in the unit that is iterated in: a sum of its squares has to stay finite in float32."""


def supports(tv: str, ndim: int) -> bool:
    """Whether a variant is defined for `ndim` spatial axes."""
    return _ONLY.get(tv) in (None, {2: "images", 3: "volumes"}[ndim])


def check_supported(tv: str, ndim: int) -> None:
    """Raise an InvalidParameterError unless a variant is defined for `ndim` spatial axes."""
    if not supports(tv, ndim):
        raise InvalidParameterError(
            f"tv={tv!r} measures boundaries in {_ONLY[tv]}; got {ndim} spatial axes. Use 'isotropic' or 'anisotropic'."
        )


def differences(tv: str, spacing: tuple[float, ...]) -> dict[str, Any]:
    """The fields `steps`, `offsets` and `isotropic` of a `Problem`; offsets None are the axes."""
    check_supported(tv, len(spacing))
    if tv == "octagonal":
        down, right = spacing
        angle = float(np.arctan2(down, right))
        diagonal = np.pi / (8 * float(np.hypot(down, right)))
        steps = ((np.pi / 2 - angle) / (2 * down), angle / (2 * right), diagonal, diagonal)
        return {"steps": steps, "offsets": ((1, 0), (0, 1), (1, 1), (1, -1)), "isotropic": False}
    return {"steps": tuple(1.0 / h for h in spacing), "offsets": None, "isotropic": tv == "isotropic"}


def check_fields(energy: Any, name: str, spatial: tuple[int, ...]) -> None:
    """Check alpha, spacing, tv and weight of an energy and bring them into one form; then all sizes.

    Sums over the array `name`, over alpha and the weight, and their squares, have to stay finite.
    """
    change = object.__setattr__
    change(energy, "alpha", checks.real_number("alpha", energy.alpha))
    change(energy, "spacing", checks.unit_spacing(energy.spacing, len(spatial)))
    checks.one_of("tv", energy.tv, TV)
    check_supported(energy.tv, len(spatial))
    heaviest = 1.0
    if energy.weight is not None:
        weight = checks.weight(energy.weight, spatial)
        change(energy, "weight", weight)
        heaviest = float(weight.max())
    check_sizes(f"{name}, alpha and alpha * weight", getattr(energy, name), energy.alpha, energy.alpha * heaviest)


def check_sizes(names: str, *values: Any, most: float = checks.LARGEST) -> None:
    """An InvalidParameterError if a number, or one in an array, is too large for sums of squares to stay finite."""
    largest = max(max(-float(value.min()), float(value.max())) if hasattr(value, "min") else abs(value)
                  for value in values)  # fmt: skip
    if not largest <= most:
        raise InvalidParameterError(
            f"{names} must be at most {most:g} in size; got {largest:g}. Divide all of them by one number: "
            "the answer is the same."
        )


def power_of_two(size: float) -> float:
    """The power of two just below `size`: dividing by it is exact."""
    return 2.0 ** float(np.clip(np.floor(np.log2(size)), -1000, 1000))


def least_unit(energy: Any, factor: float) -> float:
    """A power of two by which `factor` * weight has to be divided at least to be short enough to be iterated on."""
    least = factor * (1.0 if energy.weight is None else float(energy.weight.max())) / _LONGEST
    return 2 * power_of_two(least) if least > 0 else 0.0


def dual_radius(backend: ArrayBackend, energy: Any, factor: float, unit: float = 1.0) -> Any:
    """factor * weight / unit: float32, of the spatial shape or broadcastable to it.

    Divided last: where the weight is next to nothing the factor alone may be too large for its unit.
    """
    if energy.weight is None:
        return backend.asarray(factor / unit, np.float32).reshape((1,) * len(energy.spacing))
    return backend.asarray(factor * backend.asarray(energy.weight, np.float64) / unit).astype(np.float32)
