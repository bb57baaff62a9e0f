"""A convex set fitted to a map of probabilities (paper, eq. 5), with scribbles held exactly:

    min over nu of  <1 - 2 target, sigma(-s G_nu)>     subject to   inside in {G <= 0},   outside in {G > 0}

G is an input convex network. Since |target - 1_C|^2 = const + <1 - 2 target, 1_C> for every set C, this is
the paper's squared distance for masks; for soft targets it is the form that noise does not flatten. A fit is:
the global optimum on a lattice (dynamic program), the network that equals it (closed form), descent through a
pyramid, and an exact repair in integers, so that the mask is convex as a theorem and not as a tendency.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .. import checks
from ..certify import Certificate, as_mask, certify_convexity
from ..errors import InvalidImageError, InvalidParameterError, InvalidScribblesError
from ._outline import Outline, least_outline
from ._raster import rasterize
from ._rays import Price
from ._repair import check_hulls, repair
from ._start import convex_start, empty_network, exact_network, half_planes, inradius
from ._training import train
from .icnn import ICNN

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

_TOLERATED = 0.01
"""The network's set may cost this share more than the start's before the start is taken instead."""


@dataclass(frozen=True)
class FittedConvex:
    """A digitally convex set {G <= 0}."""

    mask: np.ndarray
    """(H, W) bool: digitally convex and 8-connected, or empty."""

    n_filled: int
    """Pixels that the exact repair added or took after the network had been rasterised."""

    network: ICNN
    """G, on row and column in the target's pixels; a pixel's centre is an integer."""

    energy: float
    """sum of 1 - 2 target over `mask`; the best possible is below any other convex set's."""

    history: np.ndarray = field(repr=False)
    """Hard energy after every round of the descent, on the pixels looked at, level by level."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """G at `points` ((n, 2) float, row and column in the target's pixels): (n,) float."""
        return self.network(points)

    @property
    def certificate(self) -> Certificate:
        """What `certify_convexity` says of `mask`."""
        return certify_convexity(self.mask)

    def rasterize(self, shape: tuple[int, int]) -> np.ndarray:
        """The set on a grid of `shape` pixels over the same field of view.

        At the target's own shape this is `mask`. Elsewhere it is {G <= 0}, made digitally convex and
        connected; a set smaller than the new pixels may be empty. Scribbles are pixels of the target and are
        held on its grid only.

        Parameters
        ----------
        shape : (int, int)

        Returns
        -------
        (h, w) bool

        Raises
        ------
        InvalidParameterError
            If `shape` is not two positive integers.
        """
        height, width = _grid_shape(shape)
        if (height, width) == self.mask.shape:
            return self.mask.copy()
        scale = np.array(self.mask.shape) / (height, width)
        # Pixel centres: (i + 1/2) of the new grid times the scale is (i' + 1/2) of the old one.
        raw = rasterize(self.network.compose(scale, scale / 2 - 0.5), (height, width))
        nothing = np.zeros_like(raw)
        return repair(raw, nothing, nothing, -np.ones(raw.shape))


class ConvexShape:
    """Fits a convex set by an input convex network (Amos, Xu and Kolter, ICML 2017, arXiv:1609.07152).

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers, the first at least 4. Wider follows round and many-sided outlines more
        closely and takes longer; the paper's is (130, 130).
    steps : tuple of int
        Steps of the descent at each level of the pyramid from the coarsest; the last repeats. (0,) keeps the
        start.

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

    def __init__(self, hidden: tuple[int, ...] = (48,), steps: tuple[int, ...] = (60, 40, 30, 30)):
        self.hidden = _whole_numbers("hidden", hidden, least=1)
        self.steps = _whole_numbers("steps", steps, least=0)
        if self.hidden[0] < 4 or max(self.hidden) > _WIDEST:
            raise InvalidParameterError(
                f"hidden must be widths of hidden layers, the first at least 4, none above {_WIDEST}; got {hidden}: "
                "try (48,)"
            )

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
        target : (H, W) float in [0, 1], or bool
            Probability of the object, 1 is object. With no value above one half and no `inside`, the best set
            is empty, and the result says so: an empty mask, a network that is positive everywhere.
        inside, outside : (H, W) bool, optional
            Pixels that must be in the mask and out of it; held exactly.
        spacing : (2,) float, optional
            Size of a pixel in rows and columns; 1 each by default. Convexity does not depend on it, steps do.
        random_state : int, Generator or None
            Chooses the pixels that the descent looks at. The same integer gives the same mask, bit by bit;
            None is 0.
        callback : callable, optional
            Called with the current {G <= 0}, (H, W) bool, before the repair, after every few steps.

        Returns
        -------
        FittedConvex

        Raises
        ------
        InvalidImageError
            If `target` is not two-dimensional, not finite, or leaves [0, 1].
        InvalidScribblesError
            If `inside` or `outside` has another shape.
        ScribbleConflictError
            If no convex set can hold `inside` and avoid `outside`; raised before anything is fitted.
        InvalidParameterError
            If `spacing` is not two positive numbers.
        """
        target = _checked_target(target)
        avoid = _checked_scribbles(outside, target, "outside")
        core = check_hulls(_checked_scribbles(inside, target, "inside"), avoid)
        size = _checked_spacing(spacing)
        rng = checks.generator(random_state)

        price = np.float32(1) - 2 * target
        cost = price.copy()
        cost[core], cost[avoid] = -_SCRIBBLE_COST, _SCRIBBLE_COST
        if not (cost < 0).any():
            return FittedConvex(np.zeros(target.shape, bool), 0, empty_network(self.hidden), 0.0, np.zeros(0))

        corners, start = convex_start(cost, core)
        with _one_blas_thread():
            network, history = self._descend(corners, cost, size, rng, callback)
            raw = rasterize(network, target.shape)
        mask = repair(raw, core, avoid, cost)
        fallback = _cheaper_start(start, core, avoid, cost)
        expected = _sum(price, fallback)
        if not mask.any() or _sum(price, mask) > expected + _TOLERATED * abs(expected):
            mask = fallback
        changed = int(np.count_nonzero(mask ^ raw))
        if changed > _TOLERATED * np.count_nonzero(mask):
            network = exact_network(mask)
        return FittedConvex(mask, changed, network, _sum(price, mask), np.array(history))

    def outline(self, cost: np.ndarray, price: Price, inside: np.ndarray, outside: np.ndarray) -> Outline:
        """The convex set of least cost and boundary, up to a lattice: see `least_outline`."""
        return least_outline(cost, price, inside, outside)

    def _descend(self, corners, cost, size, rng, callback):
        """The network that equals the start, improved within a window around it; in pixel coordinates."""
        low, high = corners.min(axis=0), corners.max(axis=0)
        pad = 0.25 * (high - low).max() + 4
        first = np.maximum(np.floor(low - pad).astype(int), 0)
        stop = np.minimum(np.ceil(high + pad).astype(int) + 1, cost.shape)
        window = np.ascontiguousarray(cost[first[0] : stop[0], first[1] : stop[1]])
        window = np.clip(window, -_STEPWISE_COST, _STEPWISE_COST)

        # In the frame the start's centre is 0, half of its box's longer side is 1, and a unit is as long in
        # rows as in columns.
        centre, half = (low + high) / 2, ((high - low) * size).max() / 2
        scale = size / half
        normals, offsets = half_planes((corners - centre) * scale, self.hidden[0])
        depth = max(inradius(normals, offsets), 5 * float(scale.min()))
        network = ICNN.from_half_planes(normals, offsets, _FLOOR * depth, self.hidden, dtype=np.float32)

        def in_pixels():
            return network.compose(scale, -centre * scale)

        def report(_):
            if callback is not None:
                callback(rasterize(in_pixels(), cost.shape))

        shift = (first - centre) * scale
        history = train(network, window, scale, shift, depth, rng, steps=self.steps, callback=report)
        return in_pixels(), history


def _whole_numbers(name, values, *, least):
    if isinstance(values, str) or np.ndim(values) != 1 or len(values) == 0:
        raise InvalidParameterError(f"{name} must be a tuple of whole numbers; got {values!r}: try (48,)")
    return tuple(checks.whole_number(name, value, least=least) for value in values)


def _one_blas_thread():
    """Products so narrow are slower on several threads, by an order of magnitude where cores are shared."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")  # also the reason why a mask does not depend on the number of cores


def _cheaper_start(start, core, avoid, cost):
    """The start, repaired, or the best single pixel where cuts have left less than that."""
    pixel = np.zeros_like(start)
    pixel[np.unravel_index(cost.argmin(), cost.shape)] = True
    return min((repair(mask, core, avoid, cost) for mask in (start, pixel)), key=lambda mask: _sum(cost, mask))


def _sum(cost, mask):
    return float(cost[mask].sum(dtype=np.float64))


def _checked_target(target):
    array = np.asarray(target)
    if array.ndim != 2 or array.size == 0:
        raise InvalidImageError(
            f"the convex shape needs a target with two dimensions; got shape {array.shape}: fit one 2-D slice at a time"
        )
    if array.dtype.kind not in "buif":
        raise InvalidImageError(f"the target must be numbers in [0, 1]; got {array.dtype}: convert it to float32")
    array = array.astype(np.float32)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):
        raise InvalidImageError(
            "the target must be probabilities in [0, 1]; "
            f"got values from {low} to {high}: rescale it, replace NaN by 0.5"
        )
    return array


def _checked_scribbles(mask, target, name):
    if mask is None:
        return np.zeros(target.shape, bool)
    mask = as_mask(mask)
    if mask.shape != target.shape:
        raise InvalidScribblesError(
            f"{name} must have the target's shape {target.shape}; got {mask.shape}: transposed, or of another image?"
        )
    return mask


def _checked_spacing(spacing):
    size = np.ones(2) if spacing is None else np.asarray(spacing, float)
    if size.shape != (2,) or not np.isfinite(size).all() or (size <= 0).any():
        raise InvalidParameterError(
            f"spacing must be two positive numbers, rows and columns; got {spacing!r}: leave it out for square pixels"
        )
    return size


def _grid_shape(shape):
    values = tuple(shape)
    if len(values) != 2 or any(value != int(value) or value < 1 for value in values):
        raise InvalidParameterError(f"shape must be two positive integers; got {shape!r}: pass (rows, columns)")
    return int(values[0]), int(values[1])
