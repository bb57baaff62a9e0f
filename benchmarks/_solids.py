"""Random convex bodies in noise, with strokes as somebody draws them who leafs through the slices of a volume."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import ConvexHull

GRIDS = (
    ((16, 96, 96), (4.0, 1.0, 1.0)),
    ((20, 80, 80), (4.0, 1.0, 1.0)),
    ((24, 72, 72), (2.5, 1.0, 1.0)),
    ((48, 48, 48), (1.0, 1.0, 1.0)),
    ((64, 64, 64), (1.0, 1.0, 1.0)),
)
"""Voxels and spacing."""

BODIES = ("ellipsoid", "polytope", "box")
STROKES = ("around", "one-sided", "corner")

_SIZES = (0.16, 0.36)
"""Least and greatest half-axis, as a share of the volume's shortest side."""


@dataclass(frozen=True)
class Solid:
    """A volume with its truth and scribbles (0 unlabelled, 1 background, 2 object), all of one shape."""

    name: str
    image: np.ndarray
    truth: np.ndarray
    scribbles: np.ndarray
    spacing: tuple[float, ...]


def solid(seed: int) -> Solid:
    """The case of a seed: grid, body and strokes take turns; pose, contrast and noise (.1 to .3 of it) are drawn."""
    rng = np.random.default_rng(seed)
    shape, spacing = GRIDS[seed % len(GRIDS)]
    body, strokes = BODIES[seed // len(GRIDS) % 3], STROKES[seed // (3 * len(GRIDS)) % 3]
    sigma, sign = rng.uniform(0.1, 0.3), rng.choice([-1, 1])
    truth = _body(body, shape, np.array(spacing), rng)
    image = sign * truth + rng.normal(scale=sigma, size=shape)
    scribbles = np.where(_object_stroke(truth, rng), 2, _background_strokes(strokes, truth, rng))
    return Solid(f"{body} {'x'.join(map(str, shape))} {strokes}, noise {sigma:.2f}", image, truth, scribbles, spacing)


def _body(kind: str, shape: tuple[int, ...], spacing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The voxels whose centres lie in a body turned at random, clear of the border."""
    size = spacing * shape
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    half = rng.uniform(*_SIZES, 3) * size.min()
    centre = size / 2 + rng.uniform(-0.1, 0.1, 3) * size
    points = (np.moveaxis(np.indices(shape), 0, -1) + 0.5) * spacing - centre
    along = points @ turn / half
    if kind == "ellipsoid":
        inside = (along**2).sum(axis=-1) < 1
    elif kind == "box":
        inside = (np.abs(along) < 0.8).all(axis=-1)
    else:
        corners = rng.normal(size=(rng.integers(8, 25), 3))
        hull = ConvexHull(corners / np.linalg.norm(corners, axis=1)[:, None])
        inside = (along @ hull.equations[:, :3].T < -hull.equations[:, 3]).all(axis=-1)
    return inside


def _object_stroke(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line through one slice, or across several, between two points well inside."""
    depth = distance_transform_edt(truth)
    deep = np.argwhere(depth > 0.5 * depth.max())
    first = deep[rng.integers(len(deep))]
    if rng.random() < 0.7:
        deep = deep[deep[:, 0] == first[0]]
    return _line(first, deep[rng.integers(len(deep))], truth.shape) & truth


def _background_strokes(kind: str, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines in slices around the object, on one side of it, or a blob in a corner."""
    found = np.zeros(truth.shape, bool)
    if kind == "corner":
        corner = [rng.choice([0, n - max(2, n // 6)]) for n in truth.shape]
        found[tuple(slice(c, c + max(2, n // 6)) for c, n in zip(corner, truth.shape, strict=True))] = True
        return found & ~truth
    _, rows, columns = truth.shape
    middle = int(np.argwhere(truth)[:, 0].mean())
    slices = (middle,) if kind == "one-sided" else (middle, truth.shape[0] // 8, -1 - truth.shape[0] // 8)
    ends = [((2, 2), (2, columns - 3)), ((2, columns - 3), (rows - 3, columns - 3)),
            ((rows - 3, columns - 3), (rows - 3, 2)), ((rows - 3, 2), (2, 2))]  # fmt: skip
    for index in slices:
        sides = [rng.integers(4)] if kind == "one-sided" else range(4)
        for side in sides:
            a, b = (np.array([index % truth.shape[0], *end]) for end in ends[side])
            found |= _line(a, b, truth.shape)
    return found & ~truth


def _line(first: np.ndarray, last: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The voxels on the segment between two."""
    count = int(np.abs(last - first).max()) + 1
    there = np.rint(np.linspace(first, last, count)).astype(int)
    found = np.zeros(shape, bool)
    found[tuple(there.T)] = True
    return found
