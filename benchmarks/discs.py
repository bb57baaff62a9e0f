"""Noisy discs and ellipses with strokes at random, one-sided ones among them: how well each way finds them.

    python -m benchmarks.discs [--cases 200] [--ways convex default sequential projection]

128 x 128 pixels, 8-bit, grey and colours in turns; noise of .1 to .3 of the contrast in each channel. convex,
sequential, default: `segment` with ``shape="convex"``, the same with ``unify="sequential"``, without a shape.
projection: `project` of the probabilities under the true colours and noise, which only the truth knows. Printed are the
least IoU, its mean and 5 % quantile, the share of .97 and more, and the time; then the worst cases.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.draw import line

from varconvex import project

from .volumes import WAYS, compare

SIDE = 128
STROKES = ("around", "two sides", "one side", "corner")

_GOOD = 0.97
_HALF_AXES = (0.12, 0.34)
"""Least and greatest, in sides."""

_COLOURS = np.array([(0.2, 0.4, 0.7), (0.8, 0.3, 0.2)]), np.array([(0.3,), (0.7,)])
"""Background and object, in colour and in grey."""

_EDGE = 4
"""Pixels between the image's border and the strokes along it, and width of these."""


@dataclass(frozen=True)
class Disc:
    """An image with its truth and scribbles (0 unlabelled, 1 background, 2 object), and what only its maker knows.

    Attributes
    ----------
    image : (H, W, C) uint8
    truth : (H, W) bool
    scribbles : (H, W) int
    evidence : (H, W) float
        Log-odds of the object by the true colours and the true noise.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    scribbles: np.ndarray
    evidence: np.ndarray
    spacing: tuple[float, float] = (1.0, 1.0)


def disc(seed: int) -> Disc:
    """The case of a seed: strokes, colour and kind of body take turns; pose, size and noise are drawn."""
    rng = np.random.default_rng(seed)
    strokes, grey, round_ = STROKES[seed % 4], seed // 4 % 2, seed // 8 % 2
    half = SIDE * rng.uniform(*_HALF_AXES, 2)
    truth = _ellipse(half[[0, 0]] if round_ else half, rng)
    colours = _COLOURS[grey]
    contrast = float(np.linalg.norm(colours[1] - colours[0]))
    sigma = rng.uniform(0.1, 0.3)
    values = colours[truth.astype(int)] + sigma * contrast * rng.normal(size=(SIDE, SIDE, colours.shape[1]))
    far, near = (((values - colour) ** 2).sum(axis=-1) for colour in colours)
    evidence = (far - near) / (2 * (sigma * contrast) ** 2)
    image = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    scribbles = np.where(_object_stroke(truth, rng), 2, _background_strokes(strokes, truth, rng))
    name = f"{'disc' if round_ else 'ellipse'}, {'grey' if grey else 'colour'}, {strokes}, noise {sigma:.2f}"
    return Disc(name, image, truth, scribbles, evidence)


def _ellipse(half: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The pixels in an ellipse turned at random, clear of the border and of the strokes along it."""
    angle = rng.uniform(0, np.pi)
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    reach = np.sqrt((turn**2) @ half**2) + 2 * _EDGE + 1
    centre = rng.uniform(reach, SIDE - 1 - reach)
    along = (np.moveaxis(np.indices((SIDE, SIDE)), 0, -1) - centre) @ turn / half
    return (along**2).sum(axis=-1) <= 1


def _object_stroke(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line, three pixels wide, between two points well inside."""
    depth = distance_transform_edt(truth)
    deep = np.argwhere(depth > 0.4 * depth.max())
    return _line(*deep[rng.choice(len(deep), 2)]) & truth


def _background_strokes(kind: str, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines along all sides of the image, along two that meet or face each other, along one, or a blob in a corner."""
    found = np.zeros(truth.shape, bool)
    if kind == "corner":
        size = SIDE // 8
        row, column = rng.choice([0, SIDE - size], 2)
        found[row : row + size, column : column + size] = True
        return found & ~truth
    count = {"around": 4, "two sides": 2, "one side": 1}[kind]
    for side in rng.choice(4, count, replace=False):
        first, last = np.sort(rng.uniform(0.05, 0.95, 2))
        if last - first < 0.2:
            first, last = 0.3, 0.7
        strip = np.zeros(truth.shape, bool)
        strip[_EDGE : 2 * _EDGE, int(first * SIDE) : int(last * SIDE)] = True
        found |= np.rot90(strip, side)
    return found & ~truth


def _line(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    found = np.zeros((SIDE, SIDE), bool)
    found[line(*first, *last)] = True
    return distance_transform_edt(~found) <= 1


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    ways = {name: WAYS[name] for name in ("convex", "default", "sequential")} | {"projection": projection}
    return compare("discs", __doc__, disc, 200, ways, _GOOD, argv)


def projection(case: Disc) -> np.ndarray:
    """The convex set nearest to the true probabilities."""
    return project(0.5 * (1 + np.tanh(case.evidence / 2))).mask


if __name__ == "__main__":
    raise SystemExit(main())
