"""The distance of a soft map to the soft convex sets (paper, eq. 4), by Levenberg-Marquardt:

    min over nu of  sum over x of (N(x) - sigma(-G_nu(x)))^2,        sigma(t) = 1 / (1 + exp(-t))

G is an input convex network, negative inside, and N is the probability of the object: the paper's code has the object
at 0 and so writes sigma(G) for 1 - N, which is the same distance.

Networks of a few units are fitted first, from several starts: cones around the object's ellipse, with the moments of
the map or of the nearest hard set. Their Jacobian, written by hand in `ICNN.jacobian`, has a hundred columns, so a step
of Levenberg-Marquardt solves the normal equations; with weights Wz at zero that would become negative left out, it is
one of a projected Newton method (Bertsekas, SIAM J. Control Optim. 20, 1982, doi:10.1137/0320018). The units of the
best one are split in two, and L-BFGS descends from it and, in noise, from one more cone. A network of some units is one
of the wider network in which the others have no weight. The hard set in closed form, with the best sharpness, and the
best constant are kept if nothing is better.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.special import expit, logit

from ..errors import InvalidParameterError
from ..geometry.raster import grid_points
from .icnn import ICNN, LARGEST, exact_network, widened, without_idle
from .soft_steps import PRECISION, Grid, descended, lbfgs, marquardt

Array = np.ndarray

_SMALL, _LARGE = ({1: 16, 2: 8}, 8), ({1: 48, 2: 24}, 16)
"""Units of the first layer, by the number of layers (2 or more), twice as many in a volume, and of each later one: in
the first networks, and in those that are made from the best of them."""

_STARTS, _TRIAL_STEPS = 2, 10
"""Starts from each place, and steps after which the best half of them goes on."""

_NOISE = 1e-4
"""Mean square above which one more start is tried: noise has more local minima than blur."""

_COARSE_SIDE = 64
"""Pixels along the longest side of the grid on which the starts are fitted, if the map has more."""

_QUICK_SIDE, _QUICK_STEPS = 32, 20
"""The same, and the steps there, where the number of steps is limited: milliseconds."""

_STEPS, _FINE_STEPS, _RESTART_STEPS = 300, 15, 200
"""Most steps of L-BFGS on the coarse grid, and of either method on each finer one and from a start that is passed."""


@dataclass(frozen=True, eq=False)
class ConvexDistance:
    """The distance of a map N to the soft convex sets sigma(-G), and the nearest one that was found."""

    distance: float
    """||N - sigma(-G)||, the root of the sum over pixels."""

    fitted: Array = field(repr=False)
    """(H, W) or (D, H, W) float64 in [0, 1]: sigma(-G) at the pixel centres."""

    network: ICNN
    """G, on row and column (slice, row and column) in the map's pixels; a pixel's centre is an integer."""

    gradient: Array = field(repr=False)
    """2 (N - sigma(-G)), of the map's shape, float64: the gradient of `squared` with respect to N. By the envelope
    theorem (Danskin) G need not be differentiated, as it minimises."""

    @property
    def squared(self) -> float:
        """||N - sigma(-G)||^2, the sum over pixels."""
        return self.distance**2


def soft_distance(
    target: Array,
    hard: Array,
    hidden: tuple[int, ...],
    rng: Generator,
    start: ICNN | None = None,
    steps: int | None = None,
) -> ConvexDistance:
    """The nearest soft convex set to `target` (float64, in [0, 1]) whose network has the widths `hidden`.

    `hard` (bool) is the nearest hard set, which may be empty. With `start`, a network in pixels, nothing else is tried;
    with `steps` a single start is, and at most so many steps on the full grid.
    """
    half = max(max(target.shape) - 1, 1) / 2
    scale, shift = np.full(target.ndim, 1 / half), -(np.array(target.shape) - 1) / (2 * half)
    grids = [Grid(target, scale, shift)]
    while max(grids[0].shape) > (_COARSE_SIDE if steps is None else _QUICK_SIDE):
        grids.insert(0, Grid(target, scale, shift, 2 * grids[0].factor))
    if start is not None:
        begun = start.compose(half * np.ones(target.ndim), -half * shift)
        best = descended(without_idle(begun), grids[-1], _RESTART_STEPS if steps is None else steps, 1e-7)
    elif steps is not None:
        best = _quick(target, hidden, grids, rng, steps)
    else:
        best = _best(target, hard, hidden, grids, rng)
    network = widened(best, hidden).compose(scale, shift)
    fitted = expit(-network(grid_points(target.shape))).reshape(target.shape)
    residual = target - fitted
    return ConvexDistance(float(np.linalg.norm(residual)), fitted, network, 2 * residual)


def check_start(start: Any, dim: int, hidden: tuple[int, ...]) -> None:
    """Raise an InvalidParameterError unless it is a network from R^dim, of the widths `hidden` or narrower ones."""
    if not isinstance(start, ICNN):
        got = type(start).__name__
    elif start.dim != dim or len(start.hidden) > len(hidden) or any(map(int.__gt__, start.hidden, hidden)):
        got = f"one of {start.dim} dimensions and widths {start.hidden}"
    elif not np.isfinite(start.pack()).all():
        got = "one with parameters that are not finite"
    else:
        return
    raise InvalidParameterError(
        f"start must be an ICNN of {dim} dimensions and widths of at most {hidden}; got {got}: "
        "pass the network of a result of the same ConvexShape, or leave it out"
    )


def _best(target: Array, hard: Array, hidden: tuple[int, ...], grids: list[Grid], rng: Generator) -> ICNN:
    """The best network of all starts, in the frame."""
    coarse, fine = grids[0], grids[-1]
    still = [_constant(fine, target.ndim)]
    if hard.any() and (closed := _closed_form(hard, fine, hidden)) is not None:
        still.append(closed)
    least = min(map(fine.squared, still))
    if least > PRECISION * target.size:
        above = np.maximum(coarse.smooth - (coarse.smooth.min() + coarse.smooth.max()) / 2, 0)
        places = [(above, coarse), (hard.ravel().astype(float), fine)]
        places = [place for place in places if place[0].any()]
        small, large = (
            (
                min(first[min(len(hidden), 2)] * (target.ndim - 1), hidden[0]),
                *(min(later, width) for width in hidden[1:]),
            )
            for first, later in (_SMALL, _LARGE)
        )
        tried, steps = [_cone(*place, coarse, small, rng) for place in places for _ in range(_STARTS)], _TRIAL_STEPS
        while len(tried) > 1:
            tried = sorted([marquardt(network, coarse, steps) for network in tried], key=coarse.squared)
            tried, steps = tried[: len(tried) // 2], 2 * steps
        if tried:
            wide = [_grown(tried[0], large, rng)]
            if coarse.squared(tried[0]) > _NOISE * coarse.target.size:
                wide.append(_cone(*places[-1], coarse, large, rng))
            best = min((lbfgs(network, coarse, _STEPS) for network in wide), key=coarse.squared)
            for grid in grids[1:]:
                best = descended(best, grid, _FINE_STEPS)
            still.append(best)
    return min(still, key=fine.squared)


def _quick(target: Array, hidden: tuple[int, ...], grids: list[Grid], rng: Generator, steps: int) -> ICNN:
    """One cone around the pixels above the middle, descended from on the coarsest grid and then on the finest."""
    coarse, fine = grids[0], grids[-1]
    constant = _constant(fine, target.ndim)
    above = np.maximum(coarse.smooth - (coarse.smooth.min() + coarse.smooth.max()) / 2, 0)
    if not above.any():
        return constant
    small, later = (_SMALL[0][min(len(hidden), 2)] * (target.ndim - 1), _SMALL[1])
    widths = (min(small, hidden[0]), *(min(later, width) for width in hidden[1:]))
    found = marquardt(_cone(above, coarse, coarse, widths, rng), coarse, _QUICK_STEPS)
    return min(descended(found, fine, steps), constant, key=fine.squared)


def _constant(grid: Grid, dim: int) -> ICNN:
    """The network whose value everywhere is that of the map's mean."""
    network = ICNN(dim, (1,))
    theta = network.pack()
    theta[-1] = -np.clip(logit(grid.target.mean()), -LARGEST, LARGEST)
    network.unpack(theta)
    return network


def _closed_form(hard: Array, grid: Grid, hidden: tuple[int, ...]) -> ICNN | None:
    """The hard set's exact network with the best of several sharpnesses; None if its hull has too many sides."""
    exact = exact_network(hard)
    if exact.hidden[0] > hidden[0]:
        return None
    half = max(max(hard.shape) - 1, 1) / 2
    exact = exact.compose(np.full(hard.ndim, half), (np.array(hard.shape) - 1) / 2)
    g = exact(grid.points)
    return _times(exact, min(2.0 ** np.arange(-6, 8), key=lambda k: float(np.sum((expit(-k * g) - grid.target) ** 2))))


def _times(network: ICNN, factor: float, level: float = 0.0) -> ICNN:
    """factor (G - level)."""
    layers = network.copied_layers()
    for a in layers[-1]:
        a *= factor
    layers[-1][2][:] -= factor * level
    return ICNN.from_layers(layers)


def _cone(weight: Array, seen: Grid, grid: Grid, hidden: tuple[int, ...], rng: Generator) -> ICNN:
    """A cone around the ellipse with the moments of `weight` on `seen`, as sharp as suits the map on `grid`."""
    weight = weight / weight.sum()
    dim = seen.points.shape[1]
    centre = weight @ seen.points
    away = seen.points - centre
    values, vectors = np.linalg.eigh(away.T @ (away * weight[:, None]))
    # A uniform ellipsoid has the squared semi-axes (d + 2) times its covariances.
    round_ = (vectors / np.sqrt((dim + 2) * np.maximum(values, 1 / np.prod(seen.shape) ** (2 / dim) / 4))).T
    count = hidden[0]
    if dim == 2:
        angles = 2 * np.pi * (np.arange(count) + rng.random()) / count
        normals = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        normals = rng.standard_normal((count, dim))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    layers = ICNN(dim, hidden).copied_layers()
    layers[0][1][:] = normals @ round_
    layers[0][2][:] = -layers[0][1] @ centre - 0.9 * rng.permutation(count) / count
    for z, x, b in layers[1:-1]:
        z[:] = rng.exponential(size=z.shape) ** 2
        z /= z.sum(axis=1, keepdims=True)
        # Without slopes of their own all of these units would be active at once, and so act as one.
        x[:] = 1.5 * rng.standard_normal(x.shape) @ round_
        b[:] = -x @ centre - rng.random(len(b))
    layers[-1][0][:] = 1 / hidden[-1]
    cone = ICNN.from_layers(layers)
    g = cone(grid.points)
    ring = np.abs(np.linalg.norm((grid.points - centre) @ round_.T, axis=1) - 1) < 0.2
    edge = float(np.mean(g[ring] if ring.any() else g))
    tried = [(2.0**k, level) for k in range(-2, 10) for level in edge + np.array([-0.3, -0.15, 0, 0.15, 0.3])]
    factor, level = min(tried, key=lambda f: float(np.sum((expit(-f[0] * (g - f[1])) - grid.target) ** 2)))
    return _times(cone, factor, level)


def _grown(network: ICNN, hidden: tuple[int, ...], rng: Generator) -> ICNN:
    """`network` with units split in two until it has the widths `hidden`."""
    while network.hidden != hidden:
        widths = tuple(min(2 * a, b) for a, b in zip(network.hidden, hidden, strict=True))
        network = widened(network, widths, rng)
    return network
