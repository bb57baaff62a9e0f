"""Ellipses and rectangles of pixels in integers, and those of least cost.

    {a y^2 + b y x + c x^2 + d y + e x + f <= 0},  4 a c > b^2        {k <= p y + q x <= l,  m <= p x - q y <= n}

in rows y and columns x. Both have five parameters: centre, two half sizes, an angle. A row of the set is a run of
columns, so that the cost of a set is a few look-ups in the sums along rows, and thousands of sets are tried in
hundredths of a second: from several starts, steps of single parameters, of single sides, and in random directions.
"""

import math

import numpy as np
from numpy.random import Generator

from ..compiling import compiled
from .raster import row_sums

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")

_UNIT = 4096
"""Length of the integer direction (p, q) of a rectangle; an angle is off by at most 1/8192."""

_SHORTEST = 0.05
"""Step at which the search ends, in pixels."""

_POLISHED = 4
"""Starts that are followed to the end."""

_ENDS = [(a / 2, 0, b / 2, 0, 0) for a in (-1, 1) for b in (-1, 1)]
_MOVES = np.array([*np.eye(5), *-np.eye(5), *_ENDS, *((0, along, 0, size, 0) for along, _, size, _, _ in _ENDS)], float)
"""Steps of the parameters, the centre's along and across the set: one by one, and of one end or side alone."""

_TURNS = 40
"""Random directions for each length of the steps."""


def is_ellipse(conic: tuple[int, ...]) -> bool:
    """Whether {a y^2 + ... <= 0} is bounded by an ellipse."""
    a, b, c = conic[:3]
    return a > 0 and 4 * a * c > b * b


def ellipse_pixels(conic: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Pixels of a grid with a y^2 + b y x + c x^2 + d y + e x + f <= 0, exactly: (H, W) bool."""
    (a, b, c, d, e, f), (y, x) = conic, _indices(shape, conic, (2, 2, 2, 1, 1, 0))
    return np.asarray((a * y + b * x + d) * y + (c * x + e) * x + f <= 0, bool)


def rectangle_pixels(sides: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Pixels of a grid with k <= p y + q x <= l and m <= p x - q y <= n, exactly: (H, W) bool."""
    (p, q, k, upper, m, n), (y, x) = sides, _indices(shape, sides, (1, 1, 0, 0, 0, 0))
    along, across = p * y + q * x, p * x - q * y
    return np.asarray((k <= along) & (along <= upper) & (m <= across) & (across <= n), bool)


def _indices(shape: tuple[int, ...], numbers: tuple[int, ...], degrees: tuple[int, ...]) -> tuple[Array, Array]:
    """Rows (H, 1) and columns (1, W); Python's integers where 64 bits do not suffice for terms of these degrees."""
    most = sum(abs(n) * max(shape) ** degree for n, degree in zip(numbers, degrees, strict=True))
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    return (y, x) if most < 2**62 else (y.astype(object), x.astype(object))


def conic_of(five: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The integer conic nearest to an ellipse (row, column, half sizes, angle), with as many digits as 64 bits hold."""
    y, x, r, s, angle = map(float, five)
    u, v = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    form = np.outer(u, u) / r**2 + np.outer(v, v) / s**2
    a, b, c = form[0, 0], 2 * form[0, 1], form[1, 1]
    d, e = -2 * a * y - b * x, -2 * c * x - b * y
    numbers = (a, b, c, d, e, a * y * y + b * y * x + c * x * x - 1)
    side = max(shape)
    largest = max(abs(n) * side**k for n, k in zip(numbers, (2, 2, 2, 1, 1, 0), strict=True))
    scale = 2.0 ** (55 - math.ceil(math.log2(largest)))
    return tuple(round(n * scale) for n in numbers)


def sides_of(five: Array) -> tuple[int, ...]:
    """The integer sides nearest to a rectangle (row, column, half sizes, angle)."""
    y, x, r, s, angle = map(float, five)
    p, q = round(_UNIT * math.cos(angle)), round(_UNIT * math.sin(angle))
    common = math.gcd(p, q)
    p, q = p // common, q // common
    length = math.hypot(p, q)
    along, across = p * y + q * x, p * x - q * y
    return (
        p, q, math.ceil(along - r * length), math.floor(along + r * length),
        math.ceil(across - s * length), math.floor(across + s * length),
    )  # fmt: skip


def moments(mask: Array, flat: float) -> Array:
    """Five parameters with the centre and the spread of `mask` (bool, not empty); half sizes are `flat` deviations."""
    points = np.argwhere(mask).astype(float)
    spread = np.cov(points.T) if len(points) > 1 else np.zeros((2, 2))
    values, axes = np.linalg.eigh(spread + np.eye(2) / 12)
    return np.array([*points.mean(axis=0), *(flat * np.sqrt(values)), math.atan2(axes[1, 0], axes[0, 0])])


def best_five(cost: Array, starts: list[Array], round_: bool, rng: Generator) -> Array:
    """The ellipse (`round_`) or rectangle of least cost that a search from `starts` finds: five parameters.

    The starts are tried with long steps, and the best of them with ever shorter ones.
    """
    sums = row_sums(cost)
    ends = []
    for start in starts:
        found = start.astype(float)
        value = _descend(sums, found, max(0.2 * float(start[2:4].max()), 2.0), 1.0, _MOVES, round_)
        ends.append((value, found))
    ends.sort(key=lambda pair: pair[0])
    polished = [(_polished(sums, found, round_, rng), found) for _, found in ends[:_POLISHED]]
    return min(polished, key=lambda pair: pair[0])[1]


def _polished(sums: Array, five: Array, round_: bool, rng: Generator) -> float:
    """Cost after steps in random directions as well; `five` is changed."""
    value = np.inf
    for first in 3 * (8.0, 4.0, 2.0, 1.0):
        turned = rng.standard_normal((_TURNS, 5))
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        directions = np.concatenate([_MOVES, turned, -turned])
        value = _descend(sums, five, first, _SHORTEST, directions, round_)
    return value


@_compiled
def _descend(sums: Array, five: Array, first: float, last: float, directions: Array, round_: bool) -> float:
    """Steps that lower the cost, of `first` pixels and then halves of it down to `last`; `five` is changed."""
    value = _cost(sums, five, round_)
    step = first
    trial = five.copy()
    while step >= last:
        lowered = False
        for k in range(len(directions)):
            reach = max(five[2], five[3], 1.0)
            along, across, p, q = directions[k, 0], directions[k, 1], math.cos(five[4]), math.sin(five[4])
            trial[0] = five[0] + step * (p * along - q * across)
            trial[1] = five[1] + step * (q * along + p * across)
            trial[2], trial[3] = five[2] + step * directions[k, 2], five[3] + step * directions[k, 3]
            trial[4] = five[4] + step * directions[k, 4] / reach
            there = _cost(sums, trial, round_) if min(trial[2], trial[3]) > 0.3 else np.inf
            if there < value:
                value, lowered = there, True
                for i in range(5):
                    five[i] = trial[i]
        if not lowered:
            step /= 2
    return value


@_compiled
def _cost(sums: Array, five: Array, round_: bool) -> float:
    """Sum of the costs of the pixels within; `sums` are the cost's `row_sums`."""
    r, s = five[2], five[3]
    p, q = math.cos(five[4]), math.sin(five[4])
    if round_:
        a, b = (p / r) ** 2 + (q / s) ** 2, p * q * (1 / r**2 - 1 / s**2)
        c = (q / r) ** 2 + (p / s) ** 2
        return _within_ellipse(sums, five[0], five[1], math.sqrt((r * p) ** 2 + (s * q) ** 2), b / c, a / c, 1 / c)
    return _within_rectangle(sums, five, p, q, abs(r * p) + abs(s * q))


@_compiled
def _within_ellipse(sums: Array, y: float, x: float, reach: float, b: float, a: float, c: float) -> float:
    """`_cost` of {dx^2 + 2 b dy dx + a dy^2 <= c}."""
    height, width = sums.shape[0], sums.shape[1] - 1
    total = 0.0
    for i in range(max(0, math.ceil(y - reach)), min(height - 1, math.floor(y + reach)) + 1):
        dy = i - y
        square = (b * b - a) * dy * dy + c
        if square < 0:
            continue
        root, middle = math.sqrt(square), x - b * dy
        first, last = max(0, math.ceil(middle - root)), min(width - 1, math.floor(middle + root))
        if first <= last:
            total += sums[i, last + 1] - sums[i, first]
    return total


@_compiled
def _within_rectangle(sums: Array, five: Array, p: float, q: float, reach: float) -> float:
    """`_cost` of {|p dy + q dx| <= r, |p dx - q dy| <= s}."""
    height, width = sums.shape[0], sums.shape[1] - 1
    y, x, r, s = five[0], five[1], five[2], five[3]
    across, along = abs(q) > 1e-12, abs(p) > 1e-12
    total = 0.0
    for i in range(max(0, math.ceil(y - reach)), min(height - 1, math.floor(y + reach)) + 1):
        dy, low, high = i - y, -1e9, 1e9
        if across:
            low, high = -r / abs(q) - p * dy / q, r / abs(q) - p * dy / q
        elif abs(p * dy) > r:
            continue
        if along:
            low, high = max(low, -s / abs(p) + q * dy / p), min(high, s / abs(p) + q * dy / p)
        elif abs(q * dy) > s:
            continue
        first, last = max(0, math.ceil(x + low)), min(width - 1, math.floor(x + high))
        if first <= last:
            total += sums[i, last + 1] - sums[i, first]
    return total
