"""Sets of pixels with a rotational symmetry: their classes, the best symmetric set, violations.

The plane about a centre c is cut into n sectors of the angle 2 pi / n, the first one from the direction of the rows'
axis on. The representative of a pixel x in sector k is

    r(x) = round(c + M_k^T (x - c)),        M_k the rotation by 2 pi k / n,    halves rounded up,

the pixel of the first sector that it is turned to. A set is symmetric if of pixels with one representative it holds all
or none: it is then what the pixel centres see of {x : r(x) in T}, a set in the plane that the rotation by 2 pi / n maps
to itself. What is turned to outside of the grid is in no symmetric set. So for a given centre the set of least cost has
the classes whose sum of costs is negative, exactly.

All of this is in integers: c has halves, and the entries of M_k are rounded to multiples of 2^-20. For n = 2 and 4
nothing is rounded if c's coordinates are both whole or both halves (any halves for n = 2): a pixel is then in a set if
and only if the pixel that it is turned to is.
"""

import math
from functools import lru_cache

import numpy as np

from ..compiling import compiled

Array = np.ndarray

Centre = tuple[int, int]
"""Twice the row and the column."""

MOST = 64
"""Sectors; their arcs are then a tenth of the radius."""

_UNIT = 1 << 20

_compiled = compiled(nogil=True, error_model="numpy")


@lru_cache
def turns(n: int) -> Array:
    """Cosine and sine of the angles 2 pi k / n, in units of 2^-20: (n, 2) int64."""
    angles = np.arange(n) * (2 * np.pi / n)
    return np.rint(_UNIT * np.stack([np.cos(angles), np.sin(angles)], axis=-1)).astype(np.int64)


def classes(shape: tuple[int, ...], n: int, centre: Centre, only: Array | None = None) -> Array:
    """A number for each class of pixels with one representative, 0 for what is turned to outside: (H, W) int64.

    With `only` (bool) those of its pixels, and 0 elsewhere.
    """
    found = np.zeros(shape, np.int64)
    wanted = np.ones(shape, bool) if only is None else only
    _number(turns(n), *centre, wanted, found, np.zeros(found.size + 1, np.int8))
    return found


def best_turned(cost: Array, n: int, centre: Centre) -> Array:
    """The symmetric set of least cost: (H, W) bool; of equal ones the smallest."""
    number = classes(cost.shape, n, centre)
    sums = np.bincount(number.ravel(), cost.ravel(), cost.size + 1)
    sums[0] = 0
    return (sums < 0)[number]


def turned_cost(cost: Array, n: int, centre: Centre) -> float:
    """Cost of `best_turned`."""
    sums = np.bincount(classes(cost.shape, n, centre).ravel(), cost.ravel(), cost.size + 1)
    return float(sums[1:][sums[1:] < 0].sum())


def turn_violations(mask: Array, n: int, centre: Centre) -> Array:
    """Pixels of `mask` that are turned to outside, and classes of which a part is in `mask`: (m, 2) int."""
    number = classes(mask.shape, n, centre)
    has, lacks = np.zeros((2, mask.size + 1), bool)
    has[number[mask]] = lacks[number[~mask]] = True
    return np.argwhere(np.where(number > 0, (has & lacks)[number], mask))


def cannot_hold(inside: Array, outside: Array, n: int, centre: Centre) -> Array:
    """Pixels of `inside` that no set symmetric about this centre can hold while it avoids `outside`: (m, 2) int."""
    number = classes(inside.shape, n, centre, inside | outside)
    barred = np.zeros(inside.size + 1, bool)
    barred[number[outside]] = True
    barred[0] = True
    return np.argwhere(inside & barred[number])


@_compiled
def _ahead(turns: Array, k: int, u: int, v: int) -> bool:
    """Whether (u, v) is less than a half turn ahead of direction k, or on it."""
    a, b = turns[k, 0], turns[k, 1]
    side = a * v - b * u
    return side > 0 or (side == 0 and a * u + b * v > 0)


@_compiled
def _sector(turns: Array, u: int, v: int) -> int:
    """The sector of (u, v)."""
    n = len(turns)
    guess = math.floor(math.atan2(v, u) * n / (2 * math.pi))
    for step in (0, -1, 1):  # rounding may miss a pixel on the border of two sectors
        k = (guess + step) % n
        if _ahead(turns, k, u, v) and not _ahead(turns, (k + 1) % n, u, v):
            return k
    return 0


@_compiled
def _within(turns: Array, u: int, v: int, row: int, column: int, height: int, width: int) -> bool:
    """Whether the pixel (u, v) is turned to pixels of the grid only."""
    k = 0
    while k < len(turns) and _turned(turns[k, 0], turns[k, 1], u, v, row, column, height, width) > 0:
        k += 1
    return k == len(turns)


@_compiled
def _number(turns: Array, row: int, column: int, wanted: Array, found: Array, state: Array) -> None:
    """Write the classes: one more than the flat index of the representative, 0 if that is barred.

    `state` by class is 0 before it is known, 1 if all its images are in the grid and 2 if one is not.
    """
    height, width = found.shape
    for y in range(height):
        for x in range(width):
            if not wanted[y, x]:
                continue
            u, v = 2 * y - row, 2 * x - column
            k = _sector(turns, u, v)
            at = _turned(turns[k, 0], -turns[k, 1], u, v, row, column, height, width)
            if at > 0 and state[at] == 0:
                u, v = 2 * ((at - 1) // width) - row, 2 * ((at - 1) % width) - column
                state[at] = 1 if _within(turns, u, v, row, column, height, width) else 2
            found[y, x] = at if state[at] == 1 else 0


@_compiled
def _turned(a: int, b: int, u: int, v: int, row: int, column: int, height: int, width: int) -> int:
    """One more than the flat index of the pixel nearest to the turned one, 0 outside."""
    y = (row * _UNIT + a * u - b * v + _UNIT) // (2 * _UNIT)
    x = (column * _UNIT + b * u + a * v + _UNIT) // (2 * _UNIT)
    if y < 0 or y >= height or x < 0 or x >= width:
        return 0
    return y * width + x + 1
