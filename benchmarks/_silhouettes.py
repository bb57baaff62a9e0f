"""Convex silhouettes that have a formula, and noise.

Every silhouette is a set of the unit square, {x : a few inequalities}, in a pose that a seed draws. Without noise it is
itself the best convex answer, to the pixel.
"""

from collections.abc import Callable

import numpy as np

Coordinates = tuple[np.ndarray, np.ndarray]


def _polygon(y: np.ndarray, x: np.ndarray, angles: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    inside = np.ones(np.broadcast(y, x).shape, bool)
    for angle, offset in zip(angles, offsets, strict=True):
        inside &= np.sin(angle) * y + np.cos(angle) * x <= offset
    return inside


def _regular(sides: int) -> Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]:
    angles = 2 * np.pi * np.arange(sides) / sides
    return lambda y, x, rng: _polygon(y, x, angles, np.full(sides, np.cos(np.pi / sides)))


def _random_polygon(y: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angles = 2 * np.pi * (np.arange(9) + rng.uniform(-0.4, 0.4, 9)) / 9
    return _polygon(y, x, angles, rng.uniform(0.6, 1.0, 9))


# In units of the silhouette's radius, along axes of its own.
_FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]] = {
    "disc": lambda y, x, rng: y**2 + x**2 <= 1,
    "ellipse": lambda y, x, rng: (y / 0.5) ** 2 + x**2 <= 1,
    "flat ellipse": lambda y, x, rng: (y / 0.12) ** 2 + x**2 <= 1,
    "superellipse": lambda y, x, rng: (y / 0.7) ** 4 + x**4 <= 0.8,
    "half disc": lambda y, x, rng: (y**2 + x**2 <= 1) & (y >= -0.1),
    "quarter disc": lambda y, x, rng: (y**2 + x**2 <= 1) & (y >= 0) & (x >= 0),
    "lens": lambda y, x, rng: ((y - 0.9) ** 2 + x**2 <= 1.7) & ((y + 0.9) ** 2 + x**2 <= 1.7),
    "stadium": lambda y, x, rng: y**2 + np.maximum(np.abs(x) - 0.6, 0) ** 2 <= 0.16,
    "square": _regular(4),
    "bar": lambda y, x, rng: (np.abs(y) <= 0.08) & (np.abs(x) <= 1),
    "triangle": _regular(3),
    "needle": lambda y, x, rng: _polygon(y, x, np.array([1.45, -1.45, np.pi]), np.array([0.12, 0.12, 0.8])),
    "pentagon": _regular(5),
    "octagon": _regular(8),
    "trapezium": lambda y, x, rng: (np.abs(y) <= 0.5) & (np.abs(x) <= 0.75 - 0.4 * y),
    "random polygon": _random_polygon,
    "egg": lambda y, x, rng: (y / 0.6) ** 2 <= (1 - x**2) * np.exp(-0.4 * x),
}

_SIZES = {"small": 0.06, "medium": 0.3, "large": 0.46, "at the border": 0.45}

SHAPES = tuple(_FORMULAS)
PLACES = tuple(_SIZES)
SPOILT = ("clean", "soft", "salt and pepper", "blobs")


def silhouette(name: str, place: str, side: int, seed: int) -> np.ndarray:
    """One silhouette in a pose that the seed draws: (side, side) bool.

    Parameters
    ----------
    name : one of SHAPES
    place : one of PLACES
        Radius as a share of the side: .06, .3, .46, or .45 with the centre near a border.
    side : int
    seed : int
        The same pose at every side.
    """
    rng = np.random.default_rng([SHAPES.index(name), PLACES.index(place), seed])
    radius, angle = _SIZES[place] * rng.uniform(0.9, 1.05), rng.uniform(0, 2 * np.pi)
    slack = max(0.48 - radius, 0.0)
    centre = 0.5 + rng.uniform(-slack, slack, 2)
    if place == "at the border":
        centre[rng.integers(2)] = rng.uniform(0.0, 0.15)
    axis = (np.arange(side) + 0.5) / side
    y, x = (axis[:, None] - centre[0]) / radius, (axis[None] - centre[1]) / radius
    turned = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
    return _FORMULAS[name](*turned, rng)


def spoil(mask: np.ndarray, how: str, seed: int) -> np.ndarray:
    """A target in [0, 1], float32, made of a silhouette and noise.

    "soft" blurs it by a Gaussian of 1/200 of the side and adds noise of .1; "salt and pepper" flips 30 % of the pixels;
    "blobs" flips them, too, after adding three discs, each a tenth of the silhouette's area at most, apart from it.
    """
    rng = np.random.default_rng([SPOILT.index(how), seed])
    side = mask.shape[0]
    if how == "clean":
        return mask.astype(np.float32)
    if how == "soft":
        from scipy.ndimage import gaussian_filter

        blurred = gaussian_filter(mask.astype(np.float32), side / 200)
        return np.clip(blurred + rng.normal(scale=0.1, size=mask.shape), 0, 1).astype(np.float32)
    target = mask.copy()
    if how == "blobs":
        _add_blobs(target, rng)
    return (target ^ (rng.random(mask.shape) < 0.3)).astype(np.float32)


def _add_blobs(target: np.ndarray, rng: np.random.Generator) -> None:
    from scipy.ndimage import distance_transform_edt

    side = target.shape[0]
    away = distance_transform_edt(~target)
    radius = min(np.sqrt(0.1 * np.count_nonzero(target) / np.pi), 0.05 * side)
    rows, columns = np.mgrid[:side, :side]
    free = np.argwhere(away > radius + 0.1 * side)
    for row, column in free[rng.integers(len(free), size=3)] if len(free) else []:
        target |= np.hypot(rows - row, columns - column) <= radius
