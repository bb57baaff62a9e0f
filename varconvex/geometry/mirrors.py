"""Sets of pixels with a mirror axis: pixels that mirror each other, the best symmetric set, the axis.

The axis is {p y + q x = o / 2} in rows y and columns x, p, q, o integers. The mirror image of a pixel is

    m(y, x) = round((y, x) - (2 (p y + q x) - o) (p, q) / (p^2 + q^2)),        halves rounded up,

a pixel again, in integer arithmetic. A set is symmetric if it holds with each pixel its mirror image, and a pixel with
its mirror image in the set; what is mirrored to outside of the grid is in no symmetric set. So pixels that mirror each
other, directly or by way of others, are all in or all out: for a given axis the set of least cost has the classes whose
sum of costs is negative, exactly. The axis is searched for, among all directions and places on a small grid, and then
in ever smaller steps.
"""

import math

import numpy as np

from ..compiling import compiled
from .paths import root_of
from .raster import pool

Array = np.ndarray

Axis = tuple[int, int, int]

_compiled = compiled(nogil=True, error_model="numpy")

_UNIT = 512
"""Length of the integer normal (p, q) of an axis; an angle is off by at most 1/1024."""

_SIDE, _MIDDLE = 56, 200
"""Pixels along the longer side of the grids on which all axes are tried, and the best of them moved."""

_REACH = 0.35
"""Greatest distance of an axis that is tried to the middle of what favours the object, in sides of the image."""

_STEPS = 20
"""About how many axes a descent looks at."""

_ANGLES = 48
"""Directions that are tried."""

_BEST = 6
"""Axes from which to descend."""

_BUDGET = 5_000_000
"""Pixels that may be looked at on the full grid, each axis all of them: tenths of a second."""


def axis_of(angle: float, row: float, column: float) -> Axis:
    """The axis through (row, column) whose normal is (cos angle, sin angle), in integers; the nearest there is."""
    p, q = round(_UNIT * math.cos(angle)), round(_UNIT * math.sin(angle))
    common = math.gcd(p, q)
    p, q = p // common, q // common
    return p, q, round(2 * (p * row + q * column))


def mirrored(shape: tuple[int, ...], axis: Axis) -> Array:
    """Flat index of each pixel's mirror image, -1 outside of the grid: (H, W) int64; the specification."""
    p, q, o = axis
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    square, twice = p * p + q * q, 2 * (p * y + q * x) - o
    row = (2 * (y * square - twice * p) + square) // (2 * square)
    column = (2 * (x * square - twice * q) + square) // (2 * square)
    there = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    return np.where(there, row * shape[1] + column, -1)


def mirror_violations(mask: Array, axis: Axis) -> Array:
    """Pixels of which one of the two, they or their mirror images, are in `mask`, the other not: (n, 2) int."""
    if not any(axis[:2]):
        return np.argwhere(mask)
    image = mirrored(mask.shape, axis)
    return np.argwhere(mask ^ (mask.ravel()[image] & (image >= 0)))


def classes(shape: tuple[int, ...], axis: Axis) -> Array:
    """A number for each class of pixels that mirror each other, 0 for what leads outside: (H, W) int64."""
    found = np.zeros(shape, np.int64)
    _join(np.array(axis, np.int64), found)
    return found


def best_symmetric(cost: Array, axis: Axis) -> Array:
    """The symmetric set of least cost: (H, W) bool; of equal ones the smallest."""
    number = classes(cost.shape, axis)
    sums = np.bincount(number.ravel(), cost.ravel(), cost.size + 1)
    sums[0] = 0
    return (sums < 0)[number]


def symmetric_cost(cost: Array, axis: Axis) -> float:
    """Cost of `best_symmetric`."""
    sums = np.bincount(classes(cost.shape, axis).ravel(), cost.ravel(), cost.size + 1)
    return float(sums[1:][sums[1:] < 0].sum())


def can_hold(inside: Array, outside: Array, axis: Axis) -> Array:
    """Pixels of `inside` that no set with this axis can hold while it avoids `outside`: (n, 2) int."""
    number = classes(inside.shape, axis)
    barred = np.zeros(inside.size + 1, bool)
    barred[number[outside]] = True
    barred[0] = True
    return np.argwhere(inside & barred[number])


def search(cost: Array) -> list[Axis]:
    """The axis whose best symmetric set costs least, or none if nothing favours the object."""
    factor = max(-(-max(cost.shape) // _SIDE), 1)
    small = np.ascontiguousarray(pool(cost, factor), np.float64)
    weight = pool(np.minimum(cost, 0), factor)
    if not weight.any():
        return []
    y, x = np.indices(small.shape)
    centre = np.array([(y * weight).sum(), (x * weight).sum()]) / weight.sum()
    reach = _REACH * max(small.shape) + 1
    offsets = np.arange(-reach, reach + 0.3, 0.6)
    angles = np.arange(_ANGLES) * (np.pi / _ANGLES)
    values = np.empty((len(angles), len(offsets)))
    _try_all(small, centre, angles, offsets, values)
    starts: list[tuple[Array, float, float]] = []
    for k in np.argsort(values, axis=None, kind="stable"):
        i, j = divmod(int(k), len(offsets))
        place = ((centre + 0.5) * factor - 0.5, angles[i], offsets[j] * factor)
        if all(_differ(place, other) for other in starts):
            starts.append(place)
        if len(starts) == _BEST:
            break
    along = [(starts[0][0], angles[i], offsets[values[i].argmin()] * factor) for i in range(0, _ANGLES, _ANGLES // 4)]
    return _descended(cost, starts, along, factor)


def _differ(one: tuple[Array, float, float], other: tuple[Array, float, float]) -> bool:
    """Whether the directions of two axes differ by more than three steps."""
    return abs(math.sin(one[1] - other[1])) > math.sin(3.5 * math.pi / _ANGLES)


def _descended(
    cost: Array, starts: list[tuple[Array, float, float]], along: list[tuple[Array, float, float]], factor: int
) -> list[Axis]:
    """The axes moved to where no small step lowers the cost: on a middle grid all, on the full one the best.

    `along` are axes along the grid and its diagonals, where pixels mirror each other exactly: in noise only the full
    grid shows that they cost less.
    """
    middle = max(-(-max(cost.shape) // _MIDDLE), 1)
    grid = np.ascontiguousarray(pool(cost, middle), np.float64)
    reach = float(max(cost.shape))
    found = []
    for centre, angle, offset in starts:
        here = (centre + 0.5) / middle - 0.5
        value, best = _descend(grid, here, (angle, offset / middle), (factor / middle, 4.0 * factor / reach))
        found.append((value, best[0], best[1] * middle))
    found.sort()
    found = found[:3]
    found += [(0.0, angle, offset) for _, angle, offset in along]
    found = [(symmetric_cost(cost, _axis(starts[0][0], angle, offset)), angle, offset) for _, angle, offset in found]
    ends: list[tuple[float, Axis]] = []
    for _, angle, offset in sorted(found)[: max(1, _BUDGET // (_STEPS * cost.size))]:
        value, last = _descend(cost, starts[0][0], (angle, offset), (middle / 2 + 0.5, (middle + 1) / reach))
        ends.append((value, _axis(starts[0][0], *last)))
    return [min(ends)[1]]


def _axis(centre: Array, angle: float, offset: float) -> Axis:
    return axis_of(angle, centre[0] + offset * math.cos(angle), centre[1] + offset * math.sin(angle))


def _descend(
    cost: Array, centre: Array, start: tuple[float, float], steps: tuple[float, float]
) -> tuple[float, tuple[float, float]]:
    """The least cost, its angle and offset; steps of both are halved while those of the offset are above a quarter."""
    angle, offset = start
    shift, turn = steps
    value = symmetric_cost(cost, _axis(centre, angle, offset))
    while shift > 0.25:
        moves = [(turn, 0.0), (-turn, 0.0), (0.0, shift), (0.0, -shift)]
        tried = [(symmetric_cost(cost, _axis(centre, angle + a, offset + b)), angle + a, offset + b) for a, b in moves]
        best = min(tried)
        if best[0] < value:
            value, angle, offset = best
        else:
            shift, turn = shift / 2, turn / 2
    return value, (angle, offset)


@_compiled
def _image(y: int, x: int, p: int, q: int, o: int, square: int, height: int, width: int) -> int:
    """Flat index of the mirror image of a pixel, -1 outside."""
    twice = 2 * (p * y + q * x) - o
    # In floating point as exact: integers below 2^53, whose quotient is whole or at least 1/(2 square) from it.
    row = math.floor((2 * (y * square - twice * p) + square) / (2.0 * square))
    column = math.floor((2 * (x * square - twice * q) + square) / (2.0 * square))
    if row < 0 or row >= height or column < 0 or column >= width:
        return -1
    return row * width + column


@_compiled
def _join(axis: Array, found: Array) -> None:
    """Write the classes: union by the mirror images; 0 is the class of what is outside."""
    height, width = found.shape
    p, q, o = axis
    square = p * p + q * q
    root = np.arange(height * width + 1)
    for y in range(height):
        for x in range(width):
            a = root_of(root, y * width + x + 1)
            b = root_of(root, _image(y, x, p, q, o, square, height, width) + 1)
            root[max(a, b)] = min(a, b)
    flat = found.ravel()
    for k in range(1, root.size):
        root[k] = root[root[k]]
        flat[k - 1] = root[k]


@_compiled
def _try_all(cost: Array, centre: Array, angles: Array, offsets: Array, values: Array) -> None:
    """Write about the least cost for each direction and place."""
    for i in range(len(angles)):
        p, q = math.cos(angles[i]), math.sin(angles[i])
        for j in range(len(offsets)):
            values[i, j] = _in_pairs(cost, p, q, p * centre[0] + q * centre[1] + offsets[j])


@_compiled
def _in_pairs(cost: Array, p: float, q: float, offset: float) -> float:
    """The least cost of pixels and their mirror images, as if each were the other's."""
    height, width = cost.shape
    total = 0.0
    for y in range(height):
        for x in range(width):
            away = 2 * (p * y + q * x - offset)
            r, c = math.floor(y - away * p + 0.5), math.floor(x - away * q + 0.5)
            if 0 <= r < height and 0 <= c < width:
                total += min(cost[y, x] + cost[r, c], 0.0)
    return total / 2
