"""The mirror axis of the symmetric set of least cost, by search among all directions and places.

    min over axes     sum over classes of pixels that mirror each other of min(0, sum of their costs)

As if pixels mirrored each other in pairs, x and m(x), this is

    sum over x with cost(x) < 0 of    min(0, cost(x) + max(0, cost(m(x)))),

so that only pixels that favour the object are looked at. All axes of a grid are compared (`evidence`), the last few are
moved in ever smaller steps, all axes near to the best are tried, and the best of all are judged by their classes
(`mirrors`).
"""

import math

import numpy as np

from ..compiling import compiled
from .evidence import REACH, Evidence
from .mirrors import Axis, axes_of, symmetric_cost

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")

_ANGLES = 96
"""Directions that are tried, a multiple of four."""

_MOVED, _SWEPT = 8, 3
"""Axes that are moved in small steps, and those around which all near ones are tried."""

_AROUND = 4
"""Half the side of the square of near ones, in steps of half a pixel and of the angle that moves the rim by one."""


def search(cost: Array) -> list[Axis]:
    """The axis whose best symmetric set costs least, or none if nothing favours the object.

    `cost` ((H, W) float) is below -1 at pixels that must be held, and only there.
    """
    if not (cost < 0).any():
        return []
    evidence = _Lines(cost)
    steps = np.array([np.pi / _ANGLES / 2, evidence.step / 2])
    lines = evidence.moved(evidence.apart(evidence.best(evidence.spread()))[:_MOVED], steps)
    along = evidence.best(evidence.along_grid())
    near = [evidence.near(line, np.array([evidence.turn, 0.5]), _AROUND) for line in lines[:_SWEPT]]
    tried = np.concatenate([lines, along, *near])
    p, q, o = evidence.judged(tried, symmetric_cost)
    return [(p, q, o)]


@_compiled
def costs_in_pairs(
    cost: Array, places: Array, n_held: int, looks: int, axes: Array, values: Array, begin: int, end: int
) -> None:
    """Write about the least cost of pixels and their mirror images, as if each were the other's."""
    height, width = cost.shape
    n = len(places)
    last = min(n, n_held + looks)
    share = (n - n_held) / max(last - n_held, 1)
    for k in range(begin, end):
        p, q, half = float(axes[k, 0]), float(axes[k, 1]), axes[k, 2] / 2
        square = p * p + q * q
        # The mirror image is (a y + b x + e, b y - a x + f); half a pixel more, for rounding.
        a, b, e, f = 1 - 2 * p * p / square, -2 * p * q / square, 2 * half * p / square, 2 * half * q / square
        held = total = 0.0
        for at in range(last):
            y, x = places[at]
            r, c = math.floor(a * y + b * x + e + 0.5), math.floor(b * y - a * x + f + 0.5)
            if 0 <= r < height and 0 <= c < width:
                here, there = cost[y, x], cost[r, c]
                gain = here if there < 0 else min(here + there, 0.0)
                if at < n_held:
                    held += gain
                else:
                    total += gain
        values[k] = held + share * total


class _Lines(Evidence):
    """Lines: the angle of the normal, and the distance to `middle` along it."""

    kernel = staticmethod(costs_in_pairs)

    def __init__(self, cost: Array):
        super().__init__(cost)
        self.turn = 1 / max(math.sqrt(np.count_nonzero(cost < 0) / 3), 2.0)
        """The angle by which the object's rim moves about a pixel."""

    def spread(self) -> Array:
        """All directions and places."""
        reach = REACH * self.side + 1
        angles, offsets = np.arange(_ANGLES) * (np.pi / _ANGLES), np.arange(-reach, reach + self.step, self.step)
        return np.stack(np.meshgrid(angles, offsets, indexing="ij"), axis=-1).reshape(-1, 2)

    def along_grid(self) -> Array:
        """Those along rows, columns and diagonals, about which pixels mirror each other exactly: in noise they differ
        from all near ones.
        """
        found = []
        for k, step in enumerate((0.5, math.sqrt(0.125)) * 2):
            angle = k * np.pi / 4
            # o is an integer; the multiples of `step` need not be those of a line through the middle.
            start = (self.middle @ (math.cos(angle), math.sin(angle))) % step
            offsets = np.arange(-REACH * self.side, REACH * self.side, step) // step * step - start
            found.append(np.stack([np.full_like(offsets, angle), offsets], axis=-1))
        return np.concatenate(found)

    def numbers(self, candidates: Array) -> Array:
        """The axes."""
        angle, offset = candidates.T
        return axes_of(angle, self.middle[0] + offset * np.cos(angle), self.middle[1] + offset * np.sin(angle))

    def away(self, one: Array, other: Array) -> float:
        """About by how many pixels two lines differ at the object's rim."""
        turned = (one[0] - other[0] + np.pi / 2) // np.pi
        moved = abs(one[1] * (-1) ** turned - other[1])
        return float(max(moved, abs(one[0] - other[0] - turned * np.pi) / self.turn))
