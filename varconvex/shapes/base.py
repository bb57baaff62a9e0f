"""The interface of shapes: sets {x : G(x) <= 0} of a kind, fitted to a map of probabilities (paper, eq. 4-5).

    min over nu of |target - sigma(-s G_nu)|^2      subject to   inside in {G <= 0},  outside in {G > 0}

A shape derives from `Shape` and writes `check` and `_fit`, whose arguments have been checked. A shape that can minimise
any cost and boundary cost over its sets is an `OutlineShape` as well, which joint unification then prefers to
projections. A new shape is one new file in this folder, ``disc.py`` with a class ``DiscShape``, and is found by its
name.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.random import Generator

from .. import checks
from ..backends import ArrayBackend
from ..errors import InvalidImageError, InvalidParameterError, InvalidScribblesError
from ..geometry.certify import as_mask
from ..geometry.convex_sets import check_hulls, least_solid
from ..geometry.outline import Outline, least_outline
from ..geometry.raster import grid_points
from ..geometry.ray_search import BoundaryCost
from ..memory import require

_NUMBERS = {2: "two", 3: "three"}

Array = np.ndarray
Callback = Callable[[Array], object] | None


class FittedShape(Protocol):
    """A set in the plane or in space that is the result of a fit."""

    @property
    def mask(self) -> np.ndarray:
        """Pixels of the set on the target's grid: (H, W) or (D, H, W) bool."""

    @property
    def n_filled(self) -> int:
        """Number of pixels that were added or removed after rasterisation, so that the mask is convex and cheapest."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """G at `points` ((n, d) float, in the target's pixels along its d axes; a pixel's centre is an integer)."""

    def rasterize(self, shape: tuple[int, ...]) -> np.ndarray:
        """The set on a grid of `shape` pixels that covers the same field of view: bool of this shape."""


F = TypeVar("F", bound=FittedShape)


class Shape(ABC, Generic[F]):
    """Fits a set of its kind to a target.

    Attributes
    ----------
    dimensions : tuple of int
        Numbers of dimensions of the targets that it takes.
    """

    dimensions: ClassVar[tuple[int, ...]] = (2, 3)

    def with_backend(self, backend: ArrayBackend) -> Self:
        """The shape computing on `backend`, unless it has a backend of its own or uses none."""
        return self

    def wraps(self, ndim: int) -> tuple[int, ...]:
        """Axes, of `ndim`, that wrap around, so that what is cut by the image's border may be in one piece."""
        return ()

    @abstractmethod
    def check(self, inside: np.ndarray, outside: np.ndarray) -> object:
        """Raise a ScribbleConflictError if no set of this kind can hold `inside` and avoid `outside` (bool)."""

    def fit(
        self,
        target: np.ndarray,
        *,
        inside: np.ndarray | None = None,
        outside: np.ndarray | None = None,
        spacing: tuple[float, ...] | None = None,
        random_state: int | Generator | None = None,
        callback: Callback = None,
    ) -> F:
        """The best set of this kind that was found for `target`, with scribbles held exactly.

        Parameters
        ----------
        target : (H, W) or (D, H, W) float in [0, 1], or bool
            Probability of the object, 1 is object. With no value above one half and no `inside`, the mask is empty.
        inside, outside : bool array of the target's shape, optional
            Pixels that must be in the mask and out of it.
        spacing : (2,) or (3,) float, optional
            Size of a pixel along each axis; 1 each by default.
        random_state : int, Generator or None
            For shapes that sample. The same integer gives the same mask, bit by bit; None is 0.
        callback : callable, optional
            Called with intermediate masks, bool arrays of the target's shape.

        Returns
        -------
        FittedShape

        Raises
        ------
        InvalidImageError
            If `target` has a number of dimensions that the shape does not take, is not finite, or leaves [0, 1].
        InvalidScribblesError
            If `inside` or `outside` has another shape.
        ScribbleConflictError
            If no set of this kind can hold `inside` and avoid `outside` (in a volume: or none was found for a hull that
            is thinner than a voxel); raised before anything is fitted.
        InvalidParameterError
            If `spacing` is not one positive number an axis, or axes differ by more than a factor of 1e6.
        UnsupportedTypeError
            If one of them is no array of numbers.
        """
        values = self._checked_target(target)
        held, avoid = _checked_scribbles("inside", inside, values), _checked_scribbles("outside", outside, values)
        size = np.array(checks.spacing(spacing, values.ndim))
        checks.function("callback", callback)
        return self._fit(values, held, avoid, size, checks.generator(random_state), callback)

    def check_axes(self, shape: tuple[int, ...]) -> None:
        """Raise an InvalidImageError if targets of this shape have a number of axes that is not taken."""
        if len(shape) not in self.dimensions or 0 in shape:
            known = " or ".join(_NUMBERS[n] for n in self.dimensions)
            remedy = "pass one slice of it" if 0 not in shape else "pass one that has pixels"
            if len(shape) < min(self.dimensions):
                stack = "stack images along a first axis, or choose a shape of images"
                remedy = stack if len(shape) == 2 else "reshape it, so that each axis is one of space"
            raise InvalidImageError(
                f"{type(self).__name__} needs a target with {known} dimensions; got shape {shape}: {remedy}"
            )

    def _checked_target(self, target: Any) -> np.ndarray:
        """As float32, or an InvalidImageError."""
        array = checks.host_array("target", target)
        self.check_axes(array.shape)
        with np.errstate(over="ignore"):  # infinite then, and refused
            values = array.astype(np.float32)
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 1):
            raise InvalidImageError(
                "the target must be probabilities in [0, 1]; "
                f"got values from {low} to {high}: rescale it, replace NaN by 0.5"
            )
        return values

    @abstractmethod
    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> F:
        """`fit` for a float32 target, bool scribbles and (d,) float spacing; raises what `check` raises."""


def _checked_scribbles(name: str, mask: np.ndarray | None, target: np.ndarray) -> np.ndarray:
    """As bool of the target's shape, all False for None, or an InvalidScribblesError."""
    if mask is None:
        return np.zeros(target.shape, bool)
    mask = as_mask(mask, (2, 3), remark=False)
    if mask.shape != target.shape:
        raise InvalidScribblesError(
            f"{name} must have the target's shape {target.shape}; got {mask.shape}: transposed, or of another image?"
        )
    return mask


def grid_shape(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """`shape` as a tuple of `ndim` integers, or an InvalidParameterError."""
    try:
        values = tuple(checks.whole_number("shape", value, least=1) for value in shape)
    except (TypeError, InvalidParameterError):
        values = ()
    if len(values) != ndim:
        raise InvalidParameterError(
            f"shape must be {_NUMBERS[ndim]} positive integers; got {shape!r}: pass one size an axis of the target"
        )
    require(math.prod(values), f"a mask of {values} pixels", "Pass a smaller shape.")
    return values


def below_zero(fitted: FittedShape, grid: tuple[int, ...]) -> np.ndarray:
    """{G <= 0} at the pixel centres of another grid over the same field of view: bool of its shape."""
    require(16 * len(grid) * math.prod(grid), f"a mask of {grid} pixels", "Pass a smaller shape.")  # for the points
    scale = np.array(fitted.mask.shape) / grid
    return (fitted((grid_points(grid) + 0.5) * scale - 0.5) <= 0).reshape(grid)


@runtime_checkable
class OutlineShape(Protocol):
    """A shape that can minimise any pixel cost plus boundary cost over its sets; joint unification asks for it."""

    def outline(self, cost: Array, boundary_cost: BoundaryCost, inside: Array, outside: Array) -> Outline:
        """The set of least cost and boundary cost that holds `inside` and avoids `outside`: see `least_outline`."""


class ConvexSets(Shape[F]):
    """A shape whose sets are convex, which joint unification can minimise any cost over."""

    def check(self, inside: Array, outside: Array) -> Array:
        """Raise a ScribbleConflictError if no convex set can hold `inside` and avoid `outside`: see `check_hulls`."""
        return check_hulls(inside, outside)

    def outline(self, cost: Array, boundary_cost: BoundaryCost, inside: Array, outside: Array) -> Outline:
        """The convex set of least cost and boundary cost, up to a lattice of rays: see `least_outline`."""
        return least_outline(cost, boundary_cost, inside, outside)

    def solid(self, cost: Array, inside: Array, outside: Array, start: Array | None = None) -> Array:
        """The convex set of voxels of least cost, from a set to start at or among all: see `least_solid`."""
        return least_solid(cost, inside, outside, start)
