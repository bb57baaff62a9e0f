"""Is there an ellipse, or a rectangle, that holds some pixels and none of others?

Ellipses: a conic is linear in its six numbers, so it is a linear program with one more condition, that the form be
definite; that is met by cutting planes, v'Av >= 0 for ever more v. Rectangles: the smallest in each of 360 directions.
"""

import math

import numpy as np

from ..errors import ScribbleConflictError
from .conics import ellipse_pixels, is_ellipse, sides_of
from .hulls import extreme_points, fill

Array = np.ndarray

_DIRECTIONS = 360
"""Directions of rectangles in a quarter turn."""

_CUTS, _AT_ONCE = 40, 200
"""Most rounds of cutting planes, and most pixels that are added in one."""


def enclosing_ellipse(inside: Array, outside: Array) -> tuple[int, ...]:
    """An integer conic around all pixels of `inside` (bool, not empty) and none of `outside`.

    Or a ScribbleConflictError; its `pixels` are those of `outside` that leave no room.
    """
    held = extreme_points(inside).astype(float)
    others = np.argwhere(outside)
    in_the_way = np.argwhere(fill(inside) & outside)
    if not len(in_the_way):
        middle, size = held.mean(axis=0), float(np.abs(held - held.mean(axis=0)).max()) + 4
        found, tight = _least_conic((held - middle) / size, (others - middle) / size)
        if found is not None:
            conic = _whole(found, middle, size, inside.shape)
            there = ellipse_pixels(conic, inside.shape)
            if is_ellipse(conic) and not (inside & ~there).any() and not (outside & there).any():
                return conic
        in_the_way = others[tight]
    raise ScribbleConflictError(
        "an ellipse must hold all of the object's strokes and none of the background's; "
        f"{len(in_the_way)} background pixel(s) leave no room for one, the first at "
        f"{tuple(in_the_way[0].tolist())}: erase one of the two strokes there, or choose another shape",
        in_the_way,
    )


def _least_conic(held: Array, others: Array) -> tuple[Array | None, Array]:
    """The conic with the widest margin between the two sets, (6,) float; None if there is none.

    Returned as well is which of the others are at the margin.
    """
    from scipy.optimize import linprog

    angles = np.arange(16) * (np.pi / 16)
    cuts = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    near = np.argsort((others**2).sum(axis=1), kind="stable")[:_AT_ONCE]
    inner, outer = _monomials(held), _monomials(others)
    found = np.zeros(7)
    for _ in range(_CUTS):
        definite = np.stack([cuts[:, 0] ** 2, cuts[:, 0] * cuts[:, 1], cuts[:, 1] ** 2], axis=1)
        rows = np.concatenate(
            [
                np.concatenate([inner, np.ones((len(inner), 1))], axis=1),
                np.concatenate([-outer[near], np.ones((len(near), 1))], axis=1),
                np.concatenate([-definite, np.zeros((len(definite), 4))], axis=1),
            ]
        )
        limit = [(-1.0, 1.0)] * 6 + [(0.0, 1.0)]
        found = linprog([0.0] * 6 + [-1.0], rows, np.zeros(len(rows)), bounds=limit).x
        values = outer @ found[:6]
        short = np.flatnonzero(values < found[6] - 1e-9)
        form = np.array([[found[0], found[1] / 2], [found[1] / 2, found[2]]])
        least, vector = np.linalg.eigh(form)
        if found[6] < 1e-9 or (not len(short) and least[0] > -1e-9):
            break
        near = np.union1d(near, short[np.argsort(values[short], kind="stable")[:_AT_ONCE]])
        cuts = np.concatenate([cuts, vector[:, :1].T])
    values = outer @ found[:6]
    tight = values <= values.min(initial=np.inf) + 1e-7
    if found[6] < 1e-9 or (values < found[6] / 2).any():
        return None, tight
    # Rounder, by less than the margin.
    largest = max(float((held**2).sum(axis=1).max()), 1e-9)
    rounder = found[:6] + np.array([1, 0, 1, 0, 0, 0]) * (0.25 * found[6] / largest)
    return rounder, tight


def _monomials(points: Array) -> Array:
    y, x = points.T
    return np.stack([y * y, y * x, x * x, y, x, np.ones(len(points))], axis=1)


def _whole(conic: Array, middle: Array, size: float, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A conic in (points - middle) / size, in integers."""
    a, b, c, d, e, f = map(float, conic)
    y, x = map(float, middle)
    a, b, c, d, e = a / size**2, b / size**2, c / size**2, d / size, e / size
    f += a * y * y + b * y * x + c * x * x - d * y - e * x
    d, e = d - 2 * a * y - b * x, e - 2 * c * x - b * y
    numbers, side = (a, b, c, d, e, f), max(shape)
    largest = max(abs(n) * side**k for n, k in zip(numbers, (2, 2, 2, 1, 1, 0), strict=True))
    scale = 2.0 ** (55 - math.ceil(math.log2(largest)))
    return tuple(round(n * scale) for n in numbers)


def five_of_conic(conic: tuple[int, ...]) -> Array:
    """Row, column, half sizes and angle of an ellipse."""
    a, b, c, d, e, f = (n / max(map(abs, conic)) for n in conic)
    form = np.array([[a, b / 2], [b / 2, c]])
    centre = np.linalg.solve(form, [-d / 2, -e / 2])
    level = float(centre @ form @ centre - f)
    values, axes = np.linalg.eigh(form)
    sizes = np.sqrt(max(level, 1e-12) / values)
    return np.array([*centre, *sizes, math.atan2(axes[1, 0], axes[0, 0])])


def enclosing_rectangles(inside: Array, outside: Array) -> list[tuple[int, ...]]:
    """The sides of the smallest rectangles around `inside` (bool, not empty) that hold nothing of `outside`.

    One for each of the directions in which there is one, or a ScribbleConflictError with the pixels in the way in the
    direction where they are fewest.
    """
    held, others = extreme_points(inside), np.argwhere(outside)
    fewest = np.zeros((0, 2), int)
    free: list[tuple[int, ...]] = []
    for k in range(_DIRECTIONS):
        p, q = sides_of(np.array([0.0, 0.0, 1.0, 1.0, k * (np.pi / 2 / _DIRECTIONS)]))[:2]
        frame = np.array([[p, -q], [q, p]])
        low, high = (held @ frame).min(axis=0), (held @ frame).max(axis=0)
        within = ((others @ frame >= low) & (others @ frame <= high)).all(axis=1)
        if not within.any():
            free.append((p, q, int(low[0]), int(high[0]), int(low[1]), int(high[1])))
        elif not len(fewest) or within.sum() < len(fewest):
            fewest = others[within]
    if free:
        return free
    raise ScribbleConflictError(
        "a rectangle must hold all of the object's strokes and none of the background's; in every direction "
        f"{len(fewest)} background pixel(s) or more are within the smallest one, the first at "
        f"{tuple(fewest[0].tolist())}: erase one of the two strokes there, or choose another shape",
        fewest,
    )


def five_of_sides(sides: tuple[int, ...]) -> Array:
    """Row, column, half sizes and angle of a rectangle."""
    p, q, *ends = sides
    low, high = np.array(ends[::2], float), np.array(ends[1::2], float)
    length = math.hypot(p, q)
    along, across = (low + high) / 2
    centre = np.array([p * along - q * across, q * along + p * across]) / length**2
    return np.array([*centre, *((high - low) / (2 * length)), math.atan2(q, p)])
