"""The mirror axis of the symmetric set of least cost, by search among all directions and places.

    min over axes     sum over classes of pixels that mirror each other of min(0, sum of their costs)

As if pixels mirrored each other in pairs, x and m(x), this is

    sum over x with cost(x) < 0 of    min(0, cost(x) + max(0, cost(m(x)))),

so that only pixels that favour the object are looked at, and evenly spread ones of them estimate it. All axes of a grid
are compared on few pixels, the best of them on more, and so on (successive halving): what an axis costs is always that
of the pixels, never of a blurred image, in which noise costs nothing. The last few are moved in ever smaller steps, all
axes near to the best are tried, and the best of all are judged by their classes (`mirrors`).
"""

import math
from itertools import pairwise

import numpy as np

from ..compiling import compiled
from ..threads import n_threads, run
from .mirrors import Axis, axes_of, symmetric_cost

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")

_ANGLES, _OFFSETS = 96, 128
"""Directions that are tried, a multiple of four; and places in each of them, in the longer side of the image."""

_REACH = 0.36
"""Greatest distance of an axis that is tried to the middle of what favours the object, in sides of the image."""

_LOOKS, _KEPT = (400, 3000, 20_000), (480, 96, 24)
"""Pixels that are looked at for each axis, and axes that are kept then."""

_MOVED, _SWEPT = 8, 3
"""Axes that are moved in small steps, and those around which all near ones are tried."""

_AROUND = 4
"""Half the side of the square of near ones, in steps of half a pixel and of the angle that moves the rim by one."""

_JUDGED = 6
"""Axes that are judged by their classes."""


def search(cost: Array) -> list[Axis]:
    """The axis whose best symmetric set costs least, or none if nothing favours the object.

    `cost` ((H, W) float) is below -1 at pixels that must be held, and only there.
    """
    if not (cost < 0).any():
        return []
    evidence = _Evidence(cost)
    lines = evidence.moved(evidence.apart(evidence.best(evidence.spread()))[:_MOVED])
    along = evidence.best(evidence.along_grid())
    return [evidence.judged(np.concatenate([lines, along, *map(evidence.around, lines[:_SWEPT])]))]


class _Evidence:
    """The pixels that favour the object: first those that must be held, then the others, in an order of which the first
    n are spread evenly over the image, for any n.

    Lines are (n, 2) float: the angle of the normal, and the distance to `middle` along it.
    """

    def __init__(self, cost: Array):
        self.cost = np.ascontiguousarray(cost, np.float64)
        rows, columns = np.nonzero(cost < 0)
        size = np.minimum(-cost[rows, columns], 1)
        self.middle = np.array([rows @ size, columns @ size]) / size.sum()
        self.side = float(max(cost.shape))
        self.turn = 1 / max(math.sqrt(len(rows) / 3), 2.0)
        """The angle by which the object's rim moves about a pixel."""
        order = np.argsort(np.arange(len(rows)) * ((math.sqrt(5) - 1) / 2) % 1, kind="stable")
        held = cost[rows, columns][order] < -1
        # In the image's order between two numbers of looks: neighbours are near in memory.
        parts = [order[held], *(np.sort(part) for part in np.split(order[~held], _LOOKS))]
        self.places = np.stack([rows, columns], axis=1).astype(np.int32)[np.concatenate(parts)]
        self.n_held = int(held.sum())

    def spread(self) -> Array:
        """All directions and places."""
        reach = _REACH * self.side + 1
        step = max(self.side / _OFFSETS, 0.5)
        angles, offsets = np.arange(_ANGLES) * (np.pi / _ANGLES), np.arange(-reach, reach + step, step)
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
            offsets = np.arange(-_REACH * self.side, _REACH * self.side, step) // step * step - start
            found.append(np.stack([np.full_like(offsets, angle), offsets], axis=-1))
        return np.concatenate(found)

    def best(self, lines: Array) -> Array:
        """Those left after the halvings, the best first."""
        for looks, kept in zip(_LOOKS, _KEPT, strict=True):
            lines = lines[np.argsort(self.values(lines, looks), kind="stable")[:kept]]
        return lines

    def axes(self, lines: Array) -> Array:
        """In integers, (n, 3)."""
        angle, offset = lines.T
        return axes_of(angle, self.middle[0] + offset * np.cos(angle), self.middle[1] + offset * np.sin(angle))

    def values(self, lines: Array, looks: int) -> Array:
        """About the cost of the best symmetric sets, from `looks` pixels: (n,) float."""
        axes, found = self.axes(lines), np.empty(len(lines))
        parts = min(n_threads(), len(lines))
        bounds = [len(lines) * k // parts for k in range(parts + 1)]
        head = (self.cost, self.places, self.n_held, looks, axes, found)
        run(costs_in_pairs, [(*head, a, b) for a, b in pairwise(bounds)])
        return found

    def apart(self, lines: Array) -> Array:
        """Those of them that are not near to one before."""
        kept: list[Array] = []
        for line in lines:
            if all(self._away(line, other) > 6 for other in kept):
                kept.append(line)
        return np.array(kept)

    def _away(self, one: Array, other: Array) -> float:
        """About by how many pixels two lines differ at the object's rim."""
        turned = (one[0] - other[0] + np.pi / 2) // np.pi
        moved = abs(one[1] * (-1) ** turned - other[1])
        return float(max(moved, abs(one[0] - other[0] - turned * np.pi) / self.turn))

    def moved(self, lines: Array) -> Array:
        """Each moved to where no small step lowers the cost, the best first."""
        looks, values = _LOOKS[-1], self.values(lines, _LOOKS[-1])
        steps = np.array([np.pi / _ANGLES / 2, max(self.side / _OFFSETS, 0.5) / 2])
        moves = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
        scale = np.ones(len(lines))
        while (going := np.flatnonzero(scale * steps[1] > 0.2)).size:
            tried = lines[going, None] + moves * steps * scale[going, None, None]
            there = self.values(tried.reshape(-1, 2), looks).reshape(tried.shape[:2])
            best = there.argmin(axis=1)
            least = there[np.arange(len(going)), best]
            lower = least < values[going]
            lines[going[lower]] = tried[lower, best[lower]]
            values[going[lower]] = least[lower]
            scale[going[~lower]] /= 2
        return lines[np.argsort(values, kind="stable")]

    def around(self, line: Array) -> Array:
        """The best of all that are near to a line."""
        span = np.arange(-_AROUND, _AROUND + 1)
        near = line + np.stack(np.meshgrid(span * self.turn, span * 0.5, indexing="ij"), axis=-1).reshape(-1, 2)
        return near[np.argsort(self.values(near, _LOOKS[-1]), kind="stable")[: 2 * _JUDGED]]

    def judged(self, lines: Array) -> Axis:
        """The one whose best symmetric set costs least."""
        order = np.argsort(self.values(lines, len(self.places)), kind="stable")
        axes: list[Axis] = []
        for p, q, o in self.axes(lines[order]).tolist():
            if (p, q, o) not in axes:
                axes.append((p, q, o))
        axes = axes[:_JUDGED]
        costs = run(symmetric_cost, [(self.cost, axis) for axis in axes])
        return axes[int(np.argmin(costs))]


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
