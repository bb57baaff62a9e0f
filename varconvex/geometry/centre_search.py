"""The centre of the set with a rotational symmetry that costs least, by search among all places.

    min over c    sum over classes of pixels that are turned to each other of min(0, sum of their costs)

As if a pixel x were turned to n pixels x_k that are turned to each other, this is

    sum over x with cost(x) < 0 of    min(0, sum_k cost(x_k))  cost(x) / (sum of those cost(x_k) that are negative),

so that only pixels that favour the object are looked at (`evidence`). All places of a grid are compared, the last few
are moved in ever smaller steps, all half pixels near to the best are tried, and the best of all are judged by their
classes (`rotations`).
"""

import math
from functools import partial
from typing import Any

import numpy as np

from ..compiling import compiled
from .evidence import REACH, Evidence, around
from .rotations import Centre, turned_cost, turns

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")

_MOVED, _SWEPT = 8, 2
"""Places that are moved in small steps, and those around which all near ones are tried."""

_AROUND = 3
"""Half the side of the square of near ones, in half pixels."""


def search(cost: Array, n: int) -> list[Centre]:
    """The centre whose best symmetric set costs least, or none if nothing favours the object.

    `cost` ((H, W) float) is below -1 at pixels that must be held, and only there.
    """
    if not (cost < 0).any():
        return []
    evidence = _Places(cost, n)
    places = evidence.apart(evidence.best(evidence.spread()))[:_MOVED]
    places = evidence.moved(places, np.full(2, evidence.step / 2))
    near = [evidence.near(place, np.full(2, 0.5), _AROUND) for place in places[:_SWEPT]]
    row, column = evidence.judged(np.concatenate([places, *near]), partial(_cost_about, n))
    return [(row, column)]


def _cost_about(n: int, cost: Array, centre: Centre) -> float:
    return turned_cost(cost, n, centre)


@_compiled
def costs_in_turns(
    turns: Array, cost: Array, places: Array, n_held: int, looks: int, centres: Array, values: Array, begin: int,
    end: int,
) -> None:  # fmt: skip
    """Write about the least cost of pixels and what they are turned to, as if each were turned to each other."""
    height, width = cost.shape
    last = min(len(places), n_held + looks)
    share = (len(places) - n_held) / max(last - n_held, 1)
    for k in range(begin, end):
        row, column = centres[k, 0] / 2, centres[k, 1] / 2
        held = total = 0.0
        for at in range(last):
            u, v = places[at, 0] - row, places[at, 1] - column
            every = against = 0.0
            for j in range(len(turns)):
                a, b = turns[j, 0] / 1048576.0, turns[j, 1] / 1048576.0
                y, x = math.floor(row + a * u - b * v + 0.5), math.floor(column + b * u + a * v + 0.5)
                if y < 0 or y >= height or x < 0 or x >= width:
                    every = 0.0
                    break
                every += cost[y, x]
                against += min(cost[y, x], 0.0)
            if every < 0:
                gain = every * cost[places[at, 0], places[at, 1]] / against
                if at < n_held:
                    held += gain
                else:
                    total += gain
        values[k] = held + share * total


class _Places(Evidence):
    """Rows and columns."""

    kernel = staticmethod(costs_in_turns)

    def __init__(self, cost: Array, n: int):
        super().__init__(cost, 2 / n)  # each look is at n pixels
        self.turns = turns(n)

    def spread(self) -> Array:
        """Places of a grid."""
        span = np.arange(0, REACH * self.side + 1, self.step)
        return around(self.middle, np.full(2, self.step), len(span))

    def before(self) -> tuple[Any, ...]:
        """The turns."""
        return (self.turns,)

    def numbers(self, candidates: Array) -> Array:
        """Twice the places, the nearest within the image."""
        return np.clip(np.rint(2 * candidates), 0, 2 * np.array(self.cost.shape) - 2).astype(np.int64)

    def away(self, one: Array, other: Array) -> float:
        """Their distance."""
        return float(np.hypot(*(one - other)))
