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
from ..errors import InvalidImageError, InvalidParameterError
from ..options import TV

_ONLY = {"octagonal": "images"}
"""Variants that are defined for images or for volumes only."""

_LARGEST = 1e30
"""Sums over an image, and their squares, have to stay finite; a longer dual vector forbids boundaries anyway."""


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
    change(energy, "spacing", checks.spacing(energy.spacing, len(spatial)))
    checks.one_of("tv", energy.tv, TV)
    check_supported(energy.tv, len(spatial))
    heaviest = 1.0
    if energy.weight is not None:
        weight = checks.as_numeric("weight", energy.weight)
        checks.finite("weight", weight, "Replace them by 0 where the boundary costs nothing.")
        if weight.shape != spatial or bool((weight < 0).any()):
            raise InvalidImageError(
                f"weight must be non-negative with the spatial shape {spatial}; got shape {weight.shape}, "
                f"least value {float(weight.min()) if weight.size else 0:g}. Pass one number per pixel."
            )
        change(energy, "weight", weight)
        heaviest = float(weight.max())
    data = getattr(energy, name)
    largest = max(-float(data.min()), float(data.max()), energy.alpha, energy.alpha * heaviest)
    if largest > _LARGEST:
        raise InvalidParameterError(
            f"{name}, alpha and alpha * weight must be at most {_LARGEST:g} in size; got {largest:g}. Divide "
            "all of them by one number: the answer is the same."
        )


def power_of_two(size: float) -> float:
    """The power of two just below `size`: dividing by it is exact."""
    return 2.0 ** float(np.clip(np.floor(np.log2(size)), -1000, 1000))


def dual_radius(backend: ArrayBackend, energy: Any, factor: float) -> Any:
    """factor * weight: float32, of the spatial shape or broadcastable to it."""
    factor = min(factor, _LARGEST)
    if energy.weight is None:
        return backend.asarray(factor, np.float32).reshape((1,) * len(energy.spacing))
    radius = backend.asarray(factor * backend.asarray(energy.weight, np.float64)).clip(None, _LARGEST)
    return radius.astype(np.float32)
