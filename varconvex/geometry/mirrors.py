"""Sets of pixels with a mirror axis: pixels that mirror each other, the best symmetric set, the axis.

The axis is {p y + q x = o / 2} in rows y and columns x, p, q, o integers. The mirror image of a pixel is

    m(y, x) = round((y, x) - (2 (p y + q x) - o) (p, q) / (p^2 + q^2)),        halves rounded up,

a pixel again, in integer arithmetic. A set is symmetric if it holds with each pixel its mirror image, and a pixel with
its mirror image in the set; what is mirrored to outside of the grid is in no symmetric set. So pixels that mirror each
other, directly or by way of others, are all in or all out: for a given axis the set of least cost has the classes whose
sum of costs is negative, exactly. `axis_search` finds an axis.
"""

import math

import numpy as np

from ..compiling import compiled
from .paths import root_of

Array = np.ndarray

Axis = tuple[int, int, int]

_compiled = compiled(nogil=True, error_model="numpy")

_UNIT = 512
"""Length of the integer normal (p, q) of an axis; an angle is off by at most 1/1024."""


def axis_of(angle: float, row: float, column: float) -> Axis:
    """The axis through (row, column) whose normal is (cos angle, sin angle), in integers; the nearest there is."""
    p, q, o = axes_of(*np.array([[angle], [row], [column]], float))[0].tolist()
    return p, q, o


def axes_of(angle: Array, row: Array, column: Array) -> Array:
    """`axis_of` for n angles and places: (n, 3) int64."""
    normal = np.rint(_UNIT * np.stack([np.cos(angle), np.sin(angle)], axis=-1)).astype(np.int64)
    normal //= np.gcd.reduce(normal, axis=-1, keepdims=True)
    offset = np.rint(2 * (normal * np.stack([row, column], axis=-1)).sum(axis=-1)).astype(np.int64)
    return np.concatenate([normal, offset[:, None]], axis=-1)


def mirrored(shape: tuple[int, ...], axis: Axis) -> Array:
    """Flat index of each pixel's mirror image, -1 outside of the grid: (H, W) int64; the specification."""
    p, q, o = axis
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    square, side = p * p + q * q, max(shape)
    if 2 * (side * square + (2 * (abs(p) + abs(q)) * side + abs(o)) * max(abs(p), abs(q))) + square >= 2**62:
        y, x = y.astype(object), x.astype(object)  # Python's integers where 64 bits do not suffice
    twice = 2 * (p * y + q * x) - o
    row = (2 * (y * square - twice * p) + square) // (2 * square)
    column = (2 * (x * square - twice * q) + square) // (2 * square)
    there = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    return np.where(there, row * shape[1] + column, -1).astype(np.int64)


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
