"""Silhouettes that have a property other than convexity: star-shaped, symmetric by a mirror or by turns, of two or
three convex parts, in one piece.
"""

from collections.abc import Callable

import numpy as np

from ._silhouettes import SHAPES as CONVEX, silhouette

Polar = Callable[[np.ndarray], np.ndarray]

_RADII: dict[str, Polar] = {
    "flower": lambda t: 1 + 0.35 * np.cos(5 * t),
    "starfish": lambda t: 0.45 + 0.55 * np.cos(2.5 * t) ** 4,
    "gear": lambda t: 1 + 0.12 * np.sign(np.cos(12 * t)),
    "bean": lambda t: 1 - 0.45 * np.exp(-((t / 0.7) ** 2)),
    "kidney": lambda t: 0.9 + 0.25 * np.cos(2 * t) - 0.2 * np.cos(t),
    "leaf": lambda t: np.abs(np.cos(t / 2)) ** 0.5 * (0.8 + 0.25 * np.cos(3 * t)) + 0.15,
    "blob": lambda t: 1 + 0.2 * np.cos(2 * t + 1) + 0.12 * np.cos(3 * t + 2),
}
"""Radius by angle, symmetric but for the last."""

_TURNED: dict[str, Polar] = {
    "S": lambda t: 1 + 0.4 * np.cos(2 * t) + 0.2 * np.sin(4 * t),
    "pinwheel": lambda t: 1 + 0.3 * np.cos(5 * t) + 0.12 * np.sin(10 * t),
}
"""Radius by angle, with a symmetry by turns and no axis."""

_PARTS = {
    "L": [(-0.9, -0.55, -0.9, 0.9), (-0.9, 0.9, 0.5, 0.9)],
    "T": [(-0.9, 0.9, -0.9, -0.5), (-0.2, 0.2, -0.9, 0.9)],
    "cross": [(-0.9, 0.9, -0.22, 0.22), (-0.25, 0.25, -0.9, 0.9)],
    "U": [(-0.9, -0.5, -0.9, 0.9), (0.5, 0.9, -0.9, 0.9), (-0.9, 0.9, 0.5, 0.9)],
}
"""Rectangles in units of the radius: columns from and to, rows from and to."""

_PAIRS = {"two discs": [(-0.45, 0.5), (0.5, 0.42)], "snowman": [(-0.35, 0.55), (0.5, 0.4)]}
"""Centres along an axis, and radii."""

_SYMMETRIC_CONVEX = tuple(name for name in CONVEX if name != "random polygon")

CONTAINED: dict[str, tuple[str, ...]] = {
    "star": (*_RADII, *CONVEX[:7]),
    "connected": (*_RADII, *_PARTS, "snowman", "square", "egg"),
    "solid": (*_RADII, *_PARTS, "snowman", "square", "egg"),
    "ellipse": ("disc", "ellipse", "flat ellipse"),
    "rectangle": ("square", "bar"),
    "symmetric": (*tuple(_RADII)[:-1], *_SYMMETRIC_CONVEX[:8]),
    "rotational:2": ("S", "cross", *CONVEX[:4], "flat ellipse", "bar"),
    "rotational:5": ("pinwheel", "flower", "starfish", "disc"),
    "periodic": CONVEX[:9],
    "convex:2": ("L", "T", "cross", *_PAIRS, *CONVEX[:9]),
    "convex:3": ("U", "L", "T", "cross", *_PAIRS, *CONVEX[:8]),
}
"""Silhouettes by the shape that has them."""


def drawn(name: str, side: int, seed: int) -> np.ndarray:
    """A silhouette in a pose that the seed draws: (side, side) bool."""
    if name in CONVEX:
        return silhouette(name, "medium", side, seed)
    rng = np.random.default_rng([sum(map(ord, name)), seed])
    radius, angle = side * 0.28 * rng.uniform(0.85, 1.1), rng.uniform(0, 2 * np.pi)
    centre = side * (0.5 + rng.uniform(-0.1, 0.1, 2))
    y, x = np.indices((side, side)) - (centre - 0.5)[:, None, None]
    down = (np.cos(angle) * y + np.sin(angle) * x) / radius
    right = (np.cos(angle) * x - np.sin(angle) * y) / radius
    if name in _RADII or name in _TURNED:
        return np.hypot(down, right) <= (_RADII | _TURNED)[name](np.arctan2(down, right))
    if name in _PAIRS:
        return np.any([np.hypot(down, right - at) <= size for at, size in _PAIRS[name]], axis=0)
    boxes = [(a <= right) & (right <= b) & (c <= down) & (down <= d) for a, b, c, d in _PARTS[name]]
    return np.any(boxes, axis=0)
