"""A convex set fitted to a map of probabilities (paper, eq. 5), with scribbles held exactly:

    min over nu of  <1 - 2 target, sigma(-s G_nu)>     subject to   inside in {G <= 0},   outside in {G > 0}

G is an input convex network. Since |target - 1_C|^2 = const + <1 - 2 target, 1_C> for every set C, this is
the paper's squared distance for masks; for soft targets it is a linear form of it, which noise does not flatten.

Search and exact refinement FIND the set: the global optimum on a lattice and, for objects smaller than its cells, the
best rectangles, by dynamic programs (in a volume the end of several descents over polytopes); an exact repair in
integers, so that the mask is convex by a theorem; and the best convex outline within a pixel or two, by a shortest path
over all edges between pixels, with corners restored (in a volume sides are moved, tilted and cut). Descent of the
network through a pyramid (`training`) from the start is a second start for repair and refinement. Without it energies
are at most .1, .5 and 1.6 % higher at 128^2, 256^2 and 512^2 (noise with blobs; the median is 0, 21, 19 and 12 of 24
masks are identical), and a search on rays along the outline in its place, without a network, ends within .04 % of them
(`python -m benchmarks.training`).

The network REPRESENTS the set: it is the trained one where {G <= 0} is the mask on every pixel of the grid, 3 times in
72 there, and else the exact network of the mask's hull in closed form.
"""

import itertools
import time
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.random import Generator

from .. import checks
from ..backends import ArrayBackend, get_backend
from ..errors import InvalidParameterError
from ..geometry.certify import Certificate, certificate
from ..geometry.convex_sets import SMALL, half_spaces_around, inradius, refine, repair, search
from ..geometry.hulls import is_convex
from ..geometry.lattice_polygon import best_polygon
from ..geometry.raster import cheapest_pixel, grid_points, holding, polygon_mask, total
from ..keywords import known_keywords
from ..solvers._memory import here_or_on_the_cpu
from ..threads import deadline, in_time
from .base import Array, Callback, ConvexSets, grid_shape
from .icnn import ICNN, exact_network, whole_numbers
from .soft import ConvexDistance, check_start, soft_distance
from .training import train

__all__ = ["ConvexShape", "FittedConvex"]

Backend = str | ArrayBackend | None

SCRIBBLE_COST = 1000.0
"""Cost of a scribbled pixel on the wrong side in the search: more than the evidence of its neighbourhood."""

_STEPWISE_COST = 10.0
"""Largest cost of a pixel in the descent, where a few pixels must not dominate the gradient; the repair is exact
anyway."""

_FLOOR = 0.1
"""Depth of the network's floor, as a share of the start's inradius: the deeper, the more the corners are
cut."""

_FEW_NODES = 17
"""Nodes of the lattice on which a set is looked for when time is out: hundredths of a second."""

_WIDEST = 4096
"""Its square is the number of weights between two such layers."""


@dataclass(frozen=True, eq=False)
class FittedConvex:
    """A digitally convex set {G <= 0}."""

    mask: Array
    """(H, W) or (D, H, W) bool: {G <= 0} at the pixel centres; digitally convex and connected, or empty."""

    n_filled: int
    """Pixels that repair and refinement added or removed after the trained network had been rasterised."""

    network: ICNN
    """G, on row and column (slice, row and column) in the target's pixels; a pixel's centre is an integer."""

    energy: float
    """sum of 1 - 2 target over `mask`."""

    history: Array = field(repr=False)
    """Hard energy after every round of the training, on the sampled pixels, level by level; empty without one."""

    def __call__(self, points: Array) -> Array:
        """G at `points` ((n, 2) or (n, 3) float, in the target's pixels): (n,) float."""
        return self.network(points)

    @property
    def certificate(self) -> Certificate:
        """`certify_convexity` of `mask`."""
        return certificate(self.mask)

    def rasterize(self, shape: tuple[int, ...]) -> Array:
        """The set on a grid of `shape` pixels over the same field of view: bool of this shape.

        At the target's own shape this is `mask`. Elsewhere it is {G <= 0}, made digitally convex and
        connected; a set smaller than the new pixels may be empty. Scribbles are pixels of the target and are
        held on its grid only. Raises an InvalidParameterError unless `shape` is one positive integer for each axis.
        """
        grid = grid_shape(shape, self.mask.ndim)
        if grid == self.mask.shape:
            return self.mask.copy()
        scale = np.array(self.mask.shape) / grid
        # Pixel centres: (i + 1/2) of the new grid times the scale is (i' + 1/2) of the old one.
        return repair(rasterize(self.network.compose(scale, scale / 2 - 0.5), grid))


@known_keywords
class ConvexShape(ConvexSets[FittedConvex]):
    """Fits a convex set, by search and exact refinement, and represents it by an input convex network.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers of the network that is trained (Amos, Xu and Kolter, ICML 2017, arXiv:1609.07152),
        the first at least 4; the paper's is (130, 130). Where its set differs from the mask in any pixel, the network
        of the result is the exact one, one layer with a unit for each side of the mask's hull.
    steps : tuple of int
        Steps of the descent at each level of the pyramid from the coarsest; the last repeats. (0,) keeps the
        start.
    backend : {"numba", "numpy", "cupy"}, ArrayBackend or None
        Where the network computes; `segment`'s by default, or else Numba. Search, repair and refinement run on the CPU.

    Raises
    ------
    InvalidParameterError
        If a width or a number of steps is out of its range.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> fitted = ConvexShape().fit(target)
    >>> bool(fitted.certificate)
    True
    """

    def __init__(
        self, hidden: tuple[int, ...] = (48,), steps: tuple[int, ...] = (25, 20, 10, 5), backend: Backend = None
    ):
        self.hidden = whole_numbers("hidden", hidden, least=1, shortest=1)
        self.steps = whole_numbers("steps", steps, least=0, shortest=1)
        if self.hidden[0] < 4 or max(self.hidden) > _WIDEST:
            raise InvalidParameterError(
                f"hidden must be widths of hidden layers, the first at least 4, none above {_WIDEST}; got {hidden}: "
                "try (48,)"
            )
        self.backend = None if backend is None else get_backend(backend)

    def __getstate__(self) -> dict[str, Any]:
        # A backend holds modules; those of the package are found again by their names.
        return self.__dict__ | {"backend": self.backend and self.backend.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.backend = self.backend and get_backend(self.backend)

    def with_backend(self, backend: ArrayBackend) -> Self:
        """A copy that computes on `backend`, unless it has one of its own."""
        placed = copy(self)
        placed.backend = self.backend or backend
        return placed

    def distance(
        self,
        target: Any,
        *,
        start: ICNN | None = None,
        max_iter: int | None = None,
        random_state: int | Generator | None = None,
    ) -> ConvexDistance:
        """The distance of a map N to the soft convex sets, min over nu of ||N - sigma(-G_nu)|| (paper, eq. 4).

        The soft counterpart of `fit`: no scribbles, and noise and blur of N are fitted as far as a convex G of the
        widths `hidden` can. Not convex in nu: what is found is a good local minimum, in noise within about 1 %.
        In wide networks a few dozen units are used and the others have no weight. Computed on the CPU in float64.

        Parameters
        ----------
        target : (H, W) or (D, H, W) float in [0, 1], or bool
            N, probability of the object.
        start : ICNN, optional
            A network in the map's pixels, as a result's, from which alone to descend: as N changes a little from one
            step of a training to the next. Of the widths `hidden` or narrower ones.
        max_iter : int, optional
            Most steps on the full grid. Without `start` a single one is tried then, on at most 32 pixels a side first.
        random_state : int, Generator or None
            Seed of the starts: equal seeds give equal networks; None is 0.

        Returns
        -------
        ConvexDistance
            Its `gradient`, with respect to N, is that of the squared distance.

        Raises
        ------
        InvalidImageError
            If `target` has not two or three dimensions, is not finite, or leaves [0, 1].
        InvalidParameterError
            If `start` is no network of the map's dimension and at most the widths `hidden`.
        UnsupportedTypeError
            If `target` is no array of numbers.

        Examples
        --------
        >>> rows, columns = np.mgrid[:40, :40]
        >>> soft = 1 / (1 + np.exp(0.5 * (np.hypot(rows - 20, columns - 18) - 9)))
        >>> ConvexShape((130, 130)).distance(soft).distance < 0.1
        True
        """
        from threadpoolctl import threadpool_limits

        values, rng = self._checked_target(target), checks.generator(random_state)
        steps = None if max_iter is None else checks.whole_number("max_iter", max_iter)
        if start is not None:
            check_start(start, values.ndim, self.hidden)
        with threadpool_limits(1, "blas"):
            if start is None and steps is None:
                untrained = copy(self)
                untrained.steps = (0,)
                hard = untrained.fit(values).mask
            else:
                hard = np.zeros(values.shape, bool)
            return soft_distance(np.asarray(target, np.float64), hard, self.hidden, rng, start, steps)

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedConvex:
        core = self.check(inside, outside)
        plain = np.float32(1) - 2 * target
        cost = plain.copy()
        cost[core], cost[outside] = -SCRIBBLE_COST, SCRIBBLE_COST
        if not (cost < 0).any():
            empty = np.zeros(target.shape, bool)
            return FittedConvex(empty, 0, exact_network(empty), 0.0, np.zeros(0))
        if time.perf_counter() >= deadline() or (cost.ndim == 3 and is_convex(cost < 0)):
            return _at_once(plain, cost, core, outside)

        from threadpoolctl import threadpool_limits

        corners, start = search(cost, core)

        def trained_on(backend: ArrayBackend) -> tuple[ICNN, list[float], Array]:
            network, history = self._trained(backend, corners, cost, spacing, rng, callback)
            return network, history, rasterize(network.to(backend.xp), target.shape, backend=backend)

        # Products so narrow are slower on several threads, by an order of magnitude where cores are shared; with one, a
        # mask does not depend on the number of cores either.
        with threadpool_limits(1, "blas"):
            trained = in_time(lambda: here_or_on_the_cpu(trained_on, self.backend or get_backend()))
        network, history, raw = trained or (None, [], start)
        exact = holding(plain, core, outside)
        # One pixel may cost less than a start that was cut to avoid `outside`.
        starts = [repair(mask, core, outside, cost) for mask in (start, cheapest_pixel(cost))]
        masks = [repair(raw, core, outside, cost)] if network else []
        masks.append(min(starts, key=lambda mask: total(cost, mask)))
        cheapest = min(masks, key=lambda mask: total(exact, mask))
        # Small ones take no time to refine, and noise decides which of them is cheapest before.
        chosen = [mask for mask in masks if mask is cheapest or 0 < np.count_nonzero(mask) <= SMALL]
        refined = in_time(lambda: [refine(mask, exact) for mask in chosen]) or [cheapest]
        mask = min(refined, key=lambda mask: total(exact, mask))
        changed = int(np.count_nonzero(mask ^ raw))
        if network is None or changed:
            network = exact_network(mask)
        return FittedConvex(mask, changed, network, total(plain, mask), np.array(history))

    def _trained(
        self, backend: ArrayBackend, corners: Array, cost: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> tuple[ICNN, list[float]]:
        """The network whose set is the hull of `corners`, trained within a window around it; in pixel coordinates."""
        low, high = corners.min(axis=0), corners.max(axis=0)
        pad = 0.25 * (high - low).max() + 4
        first = np.maximum(np.floor(low - pad).astype(int), 0)
        stop = np.minimum(np.ceil(high + pad).astype(int) + 1, cost.shape)
        window = np.ascontiguousarray(cost[tuple(map(slice, first, stop))])
        window = np.clip(window, -_STEPWISE_COST, _STEPWISE_COST)

        # In the frame the start's centre is 0, half of its box's longer side is 1, and a unit is as long in
        # rows as in columns.
        centre, half = (low + high) / 2, ((high - low) * spacing).max() / 2
        scale = spacing / half
        normals, offsets = half_spaces_around((corners - centre) * scale, self.hidden[0])
        depth = max(inradius(normals, offsets), 5 * float(scale.min()))
        network = ICNN.from_half_spaces(normals, offsets, _FLOOR * depth, self.hidden, dtype=np.float32)
        there = network.to(backend.xp)

        def in_pixels() -> ICNN:
            network.unpack(backend.to_numpy(there.pack()))
            return network.compose(scale, -centre * scale)

        shift = (first - centre) * scale
        watch = None if callback is None else lambda _: callback(rasterize(in_pixels(), cost.shape))
        history = train(backend, there, window, scale, shift, depth, rng, steps=self.steps, callback=watch)
        return in_pixels(), history


def _at_once(plain: Array, cost: Array, core: Array, outside: Array) -> FittedConvex:
    """The set of the negative costs where that is convex: none costs less.

    Or else, repaired, the best polygon on a coarse lattice; in a volume the hull of all of them.
    """
    mask = raw = cost < 0
    if not certificate(mask):
        if cost.ndim == 2:
            corners, _ = best_polygon(cost, n_nodes=_FEW_NODES)
            raw = polygon_mask(corners - 0.5, (cost.shape[0], cost.shape[1])) if len(corners) else core
        mask = repair(raw if raw.any() else cheapest_pixel(cost), core, outside, cost)
    return FittedConvex(mask, int(np.count_nonzero(mask ^ raw)), exact_network(mask), total(plain, mask), np.zeros(0))


def rasterize(network: ICNN, shape: tuple[int, ...], block: int = 0, backend: ArrayBackend | None = None) -> np.ndarray:
    """{G <= 0} at the integer points of a grid of `shape`, equal to evaluating G at every pixel: bool.

    G is convex. So a block of pixels lies inside {G <= 0} if its corners do, and outside if at one of them

        G(c) + min over the block of <grad G(c), x - c>  >  0,

    because a convex function is nowhere below its tangents. G is evaluated pixel by pixel in the other blocks only.
    `block` is the side of a block, 0 for one that suits the size of the grid; it changes the time only. `backend`
    evaluates G, NumPy by default; `network` is in its arrays.
    """
    dim = len(shape)
    backend = backend or get_backend("numpy")
    block = block or (4 if dim == 3 else 8 if np.prod(shape) <= 1024**2 else 16)
    blocks = tuple(-(-size // block) for size in shape)
    corners = block * grid_points(tuple(n + 1 for n in blocks))
    g, slope = map(backend.to_numpy, backend.network_slope(network, backend.asarray(corners, network.dtype)))
    g = g.reshape([n + 1 for n in blocks])
    slope = slope.reshape(*g.shape, dim)

    inside = np.ones(blocks, bool)
    possible = np.ones(blocks, bool)
    for side in itertools.product((0, 1), repeat=dim):
        at = tuple(slice(s, n + s) for s, n in zip(side, blocks, strict=True))
        inside &= g[at] <= 0
        # Seen from this corner, the block lies towards smaller rows if it is a lower one, and so on.
        away = slope[at] * (1 - 2 * np.array(side))
        possible &= g[at] + block * np.minimum(away, 0).sum(axis=-1) <= 0
    mask = np.zeros((*blocks, *(block,) * dim), bool)
    mask[:] = inside.reshape(*blocks, *(1,) * dim)
    where = np.nonzero(possible & ~inside)
    points = block * np.stack(where, axis=-1)[:, None] + grid_points((block,) * dim)
    near = backend.network_value(network, backend.asarray(points.reshape(-1, dim), network.dtype))
    mask[where] = backend.to_numpy(near).reshape(-1, *(block,) * dim) <= 0
    paired = mask.transpose([i for k in range(dim) for i in (k, dim + k)])
    padded = paired.reshape([n * block for n in blocks])
    return np.ascontiguousarray(padded[tuple(slice(size) for size in shape)])
