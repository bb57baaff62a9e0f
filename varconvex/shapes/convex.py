"""A convex set fitted to a map of probabilities (paper, eq. 5), with scribbles held exactly:

    min over nu of  <1 - 2 target, sigma(-s G_nu)>     subject to   inside in {G <= 0},   outside in {G > 0}

G is an input convex network. Since |target - 1_C|^2 = const + <1 - 2 target, 1_C> for every set C, this is
the paper's squared distance for masks; for soft targets it is the form that noise does not flatten. A fit is:
the global optimum on a lattice and, for what the lattice is too coarse, the best rectangles (dynamic program; in a
volume the best of several descents over half-spaces), the network that equals it (closed form), descent through a
pyramid, an exact repair in integers, so that the mask is convex as a theorem and not as a tendency, and the best convex
outline within a pixel (a dynamic program again, over all edges between pixels) with corners given back; in a volume
sides are moved, tilted and cut.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from .. import checks
from ..backends import ArrayBackend, get_backend
from ..errors import InvalidParameterError
from ..geometry.certify import Certificate, certify_convexity
from ..geometry.outline import Outline, least_outline
from ..geometry.raster import rasterize
from ..geometry.ray_search import Price
from ..geometry.repair_2d import check_hulls
from ..geometry.search_2d import SMALL, inradius
from ..geometry.stages import stages
from ..solvers._memory import here_or_on_the_cpu
from ._targets import checked_scribbles, checked_spacing, checked_target, grid_shape
from ._training import train
from .base import Shape
from .icnn import ICNN, empty_network, exact_network

__all__ = ["ConvexShape", "FittedConvex", "check_hulls"]

_SCRIBBLE_COST = 1000.0
"""A pixel of a scribble in the search for a start: more than the rest of a neighbourhood can outvote."""

_STEPWISE_COST = 10.0
"""The same in the descent, where a few pixels must not drown the gradient of all others; the repair is exact
anyway."""

_FLOOR = 0.1
"""Depth of the network's floor, as a share of the start's inradius: the deeper, the more the corners are
cut."""

_WIDEST = 4096
"""Its square is the number of weights between two such layers."""

_TOLERATED = 0.02
"""The network may differ from the mask in this share of its pixels before one that equals it takes its place."""


@dataclass(frozen=True)
class FittedConvex:
    """A digitally convex set {G <= 0}."""

    mask: np.ndarray
    """(H, W) or (D, H, W) bool: digitally convex and connected, or empty."""

    n_filled: int
    """Pixels that repair and refinement added or took after the network had been rasterised."""

    network: ICNN
    """G, on row and column (slice, row and column) in the target's pixels; a pixel's centre is an integer."""

    energy: float
    """sum of 1 - 2 target over `mask`; the best possible is below any other convex set's."""

    history: np.ndarray = field(repr=False)
    """Hard energy after every round of the descent, on the pixels looked at, level by level."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """G at `points` ((n, 2) or (n, 3) float, in the target's pixels): (n,) float."""
        return self.network(points)

    @property
    def certificate(self) -> Certificate:
        """What `certify_convexity` says of `mask`."""
        return certify_convexity(self.mask)

    def rasterize(self, shape: tuple[int, ...]) -> np.ndarray:
        """The set on a grid of `shape` pixels over the same field of view.

        At the target's own shape this is `mask`. Elsewhere it is {G <= 0}, made digitally convex and
        connected; a set smaller than the new pixels may be empty. Scribbles are pixels of the target and are
        held on its grid only.

        Parameters
        ----------
        shape : (int, int), or (int, int, int) for a volume

        Returns
        -------
        bool array of this shape

        Raises
        ------
        InvalidParameterError
            If `shape` is not as many positive integers as the target has axes.
        """
        grid = grid_shape(shape, self.mask.ndim)
        if grid == self.mask.shape:
            return self.mask.copy()
        scale = np.array(self.mask.shape) / grid
        # Pixel centres: (i + 1/2) of the new grid times the scale is (i' + 1/2) of the old one.
        raw = rasterize(self.network.compose(scale, scale / 2 - 0.5), grid)
        nothing = np.zeros_like(raw)
        return stages(raw.ndim).repair(raw, nothing, nothing, -np.ones(raw.shape))


class ConvexShape(Shape):
    """Fits a convex set by an input convex network (Amos, Xu and Kolter, ICML 2017, arXiv:1609.07152).

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers, the first at least 4. Wider follows round and many-sided outlines more
        closely and takes longer; the paper's is (130, 130). A network that misses more than a fiftieth of the
        mask's pixels gives way to the one that is exactly the mask, one layer with a unit a side.
    steps : tuple of int
        Steps of the descent at each level of the pyramid from the coarsest; the last repeats. (0,) keeps the
        start.
    backend : {"numba", "numpy", "cupy"}, ArrayBackend or None
        Where the network computes; `segment`'s by default, or else Numba. Start, repair and refinement are the CPU's.

    Raises
    ------
    InvalidParameterError
        If a width or a number of steps is not what it may be.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> fitted = ConvexShape().fit(target)
    >>> bool(fitted.certificate)
    True
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (48,),
        steps: tuple[int, ...] = (25, 20, 10, 5),
        backend: str | ArrayBackend | None = None,
    ):
        self.hidden = _whole_numbers("hidden", hidden, least=1)
        self.steps = _whole_numbers("steps", steps, least=0)
        if self.hidden[0] < 4 or max(self.hidden) > _WIDEST:
            raise InvalidParameterError(
                f"hidden must be widths of hidden layers, the first at least 4, none above {_WIDEST}; got {hidden}: "
                "try (48,)"
            )
        self.backend = None if backend is None else get_backend(backend)

    def with_backend(self, backend: ArrayBackend) -> Self:
        """What it leaves open, said by `segment` and `project`: where to compute."""
        placed = copy(self)
        placed.backend = self.backend or backend
        return placed

    def check(self, inside: np.ndarray, outside: np.ndarray) -> None:
        """Raise a ScribbleConflictError if no convex set can hold `inside` and avoid `outside`."""
        check_hulls(inside, outside)

    def fit(
        self,
        target: np.ndarray,
        *,
        inside: np.ndarray | None = None,
        outside: np.ndarray | None = None,
        spacing: tuple[float, ...] | None = None,
        random_state: int | np.random.Generator | None = None,
        callback: Callable[[np.ndarray], object] | None = None,
    ) -> FittedConvex:
        """The convex set nearest to `target`.

        Parameters
        ----------
        target : (H, W) or (D, H, W) float in [0, 1], or bool
            Probability of the object, 1 is object. With no value above one half and no `inside`, the best set
            is empty, and the result says so: an empty mask, a network that is positive everywhere.
        inside, outside : bool array of the target's shape, optional
            Pixels that must be in the mask and out of it; held exactly.
        spacing : (2,) or (3,) float, optional
            Size of a pixel along each axis; 1 each by default. Convexity does not depend on it, steps do.
        random_state : int, Generator or None
            Chooses the pixels that the descent looks at. The same integer gives the same mask, bit by bit;
            None is 0.
        callback : callable, optional
            Called with the current {G <= 0}, a bool array, before the repair, after every few steps.

        Returns
        -------
        FittedConvex

        Raises
        ------
        InvalidImageError
            If `target` has neither two nor three dimensions, is not finite, or leaves [0, 1].
        InvalidScribblesError
            If `inside` or `outside` has another shape.
        ScribbleConflictError
            If no convex set can hold `inside` and avoid `outside` (in a volume: or none was found for a hull that
            is thinner than a voxel); raised before anything is fitted.
        InvalidParameterError
            If `spacing` is not one positive number an axis.
        """
        target = checked_target(target)
        avoid = checked_scribbles(outside, target, "outside")
        core = check_hulls(checked_scribbles(inside, target, "inside"), avoid)
        size = checked_spacing(spacing, target.ndim)
        of = stages(target.ndim)
        rng = checks.generator(random_state)
        backend = self.backend or get_backend()

        price = np.float32(1) - 2 * target
        cost = price.copy()
        cost[core], cost[avoid] = -_SCRIBBLE_COST, _SCRIBBLE_COST
        if not (cost < 0).any():
            return FittedConvex(
                np.zeros(target.shape, bool), 0, empty_network(target.ndim, self.hidden), 0.0, np.zeros(0)
            )

        corners, start = of.start(cost, core)

        def fitted_on(home):
            network, history = self._descend(home, of, corners, cost, size, rng, callback)
            return network, history, rasterize(network.to(home.xp), target.shape, backend=home)

        with _one_blas_thread():
            network, history, raw = here_or_on_the_cpu(fitted_on, backend)
        # No gain elsewhere may outweigh a pixel that a scribble holds.
        held = price.astype(np.float64)
        held[core], held[avoid] = np.array([-1, 1]) * (1 + 2 * float(np.abs(price).sum(dtype=np.float64)))
        starts = [of.repair(mask, core, avoid, cost) for mask in (start, _cheapest_pixel(cost))]
        cheapest = min(starts, key=lambda mask: _sum(cost, mask))
        mask = _refined([of.repair(raw, core, avoid, cost), cheapest], held)
        changed = int(np.count_nonzero(mask ^ raw))
        if changed > _TOLERATED * np.count_nonzero(mask):
            network = exact_network(mask)
        return FittedConvex(mask, changed, network, _sum(price, mask), np.array(history))

    def outline(self, cost: np.ndarray, price: Price, inside: np.ndarray, outside: np.ndarray) -> Outline:
        """The convex set of least cost and boundary, up to a lattice: see `least_outline`."""
        return least_outline(cost, price, inside, outside)

    def _descend(self, backend, of, corners, cost, size, rng, callback):
        """The network that equals the start, improved within a window around it; in pixel coordinates."""
        low, high = corners.min(axis=0), corners.max(axis=0)
        pad = 0.25 * (high - low).max() + 4
        first = np.maximum(np.floor(low - pad).astype(int), 0)
        stop = np.minimum(np.ceil(high + pad).astype(int) + 1, cost.shape)
        window = np.ascontiguousarray(cost[tuple(map(slice, first, stop))])
        window = np.clip(window, -_STEPWISE_COST, _STEPWISE_COST)

        # In the frame the start's centre is 0, half of its box's longer side is 1, and a unit is as long in
        # rows as in columns.
        centre, half = (low + high) / 2, ((high - low) * size).max() / 2
        scale = size / half
        normals, offsets = of.half_spaces((corners - centre) * scale, self.hidden[0])
        depth = max(inradius(normals, offsets), 5 * float(scale.min()))
        network = ICNN.from_half_planes(normals, offsets, _FLOOR * depth, self.hidden, dtype=np.float32)
        there = network.to(backend.xp)

        def in_pixels():
            network.unpack(backend.to_numpy(there.pack()))
            return network.compose(scale, -centre * scale)

        def report(_):
            callback(rasterize(in_pixels(), cost.shape))

        shift = (first - centre) * scale
        watch = None if callback is None else report
        history = train(backend, there, window, scale, shift, depth, rng, steps=self.steps, callback=watch)
        return in_pixels(), history


def _whole_numbers(name, values, *, least):
    if isinstance(values, str) or np.ndim(values) != 1 or len(values) == 0:
        raise InvalidParameterError(f"{name} must be a tuple of whole numbers; got {values!r}: try (48,)")
    return tuple(checks.whole_number(name, value, least=least) for value in values)


def _one_blas_thread():
    """Products so narrow are slower on several threads, by an order of magnitude where cores are shared."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")  # also the reason why a mask does not depend on the number of cores


def _cheapest_pixel(cost):
    """What is left to try where cuts have left less than that."""
    pixel = np.zeros(cost.shape, bool)
    pixel[np.unravel_index(cost.argmin(), cost.shape)] = True
    return pixel


def _refined(masks, cost):
    """The cheapest of convex sets after their outlines have been moved to the best pixels around.

    A small one is moved whether it leads or not: that takes no time, and noise decides which of them is nearer.
    """
    cheapest = min(masks, key=lambda mask: _sum(cost, mask))
    refine = stages(cheapest.ndim).refine
    moved = [refine(mask, cost) for mask in masks if mask is cheapest or 0 < np.count_nonzero(mask) <= SMALL]
    return min(moved, key=lambda mask: _sum(cost, mask))


def _sum(cost, mask):
    return float(cost[mask].sum(dtype=np.float64))
