"""Searches that compare thousands of candidates by what favours the object: few pixels of it first, then more.

Only pixels that favour the object are looked at, and evenly spread ones of them estimate the cost of a candidate. All
are compared on few pixels, the best of them on more, and so on (successive halving): what a candidate costs is always
that of the pixels, never of a blurred image, in which noise costs nothing. The last few are moved in smaller steps.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ..threads import n_threads, run

Array = np.ndarray

_LOOKS, _KEPT = (400, 3000, 20_000), (480, 96, 24)
"""Pixels that are looked at for each candidate, and candidates that are kept then."""

_JUDGED = 6
"""Candidates that are judged exactly."""

STEPS = 128
"""Places that are tried, in the longer side of the image."""

REACH = 0.36
"""Greatest distance of a place that is tried to the middle of what favours the object, in sides of the image."""

_APART = 6
"""Pixels by which candidates that are apart differ."""


class Evidence(ABC):
    """The pixels that favour the object: first those that must be held, then the others, in an order of which the first
    n are spread evenly over the image, for any n.

    Candidates are rows of floats; `cost` ((H, W) float) is below -1 at pixels that must be held, and only there. Of the
    others `share` as many are looked at as usual.
    """

    kernel: ClassVar[Callable[..., None]]
    """Writes about what candidates cost: (*`before`, cost, places, n_held, looks, numbers, values, begin, end)."""

    def __init__(self, cost: Array, share: float = 1.0):
        self.cost = np.ascontiguousarray(cost, np.float64)
        rows, columns = np.nonzero(cost < 0)
        size = np.minimum(-cost[rows, columns], 1)
        self.middle = np.array([rows @ size, columns @ size]) / size.sum()
        self.side = float(max(cost.shape))
        self.step = max(self.side / STEPS, 0.5)
        self.looks = [round(share * looks) for looks in _LOOKS]
        order = np.argsort(np.arange(len(rows)) * ((math.sqrt(5) - 1) / 2) % 1, kind="stable")
        held = cost[rows, columns][order] < -1
        # In the image's order between two numbers of looks: neighbours are near in memory.
        parts = [order[held], *(np.sort(part) for part in np.split(order[~held], self.looks))]
        self.places = np.stack([rows, columns], axis=1).astype(np.int32)[np.concatenate(parts)]
        self.n_held = int(held.sum())

    @abstractmethod
    def numbers(self, candidates: Array) -> Array:
        """In integers, a row a candidate."""

    @abstractmethod
    def away(self, one: Array, other: Array) -> float:
        """About by how many pixels two candidates differ."""

    def before(self) -> tuple[Any, ...]:
        """First arguments of the kernel."""
        return ()

    def values(self, candidates: Array, looks: int) -> Array:
        """About what they cost, from `looks` pixels: (n,) float."""
        numbers, found = self.numbers(candidates), np.empty(len(candidates))
        parts = min(n_threads(), len(candidates))
        bounds = [len(candidates) * k // parts for k in range(parts + 1)]
        head = (*self.before(), self.cost, self.places, self.n_held, looks, numbers, found)
        run(type(self).kernel, [(*head, a, b) for a, b in pairwise(bounds)])
        return found

    def best(self, candidates: Array) -> Array:
        """Those left after the halvings, the best first."""
        for looks, kept in zip(self.looks, _KEPT, strict=True):
            candidates = candidates[np.argsort(self.values(candidates, looks), kind="stable")[:kept]]
        return candidates

    def apart(self, candidates: Array) -> Array:
        """Those of them that are not near to one before."""
        kept: list[Array] = []
        for one in candidates:
            if all(self.away(one, other) > _APART for other in kept):
                kept.append(one)
        return np.array(kept)

    def moved(self, candidates: Array, steps: Array) -> Array:
        """Each moved to where no small step lowers the cost, the best first; `steps` ((2,)) are halved."""
        looks, values = self.looks[-1], self.values(candidates, self.looks[-1])
        moves = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
        scale = np.ones(len(candidates))
        while (going := np.flatnonzero(scale * steps[1] > 0.2)).size:
            tried = candidates[going, None] + moves * steps * scale[going, None, None]
            there = self.values(tried.reshape(-1, 2), looks).reshape(tried.shape[:2])
            best = there.argmin(axis=1)
            least = there[np.arange(len(going)), best]
            lower = least < values[going]
            candidates[going[lower]] = tried[lower, best[lower]]
            values[going[lower]] = least[lower]
            scale[going[~lower]] /= 2
        return candidates[np.argsort(values, kind="stable")]

    def near(self, candidate: Array, steps: Array, count: int) -> Array:
        """The best of all up to `count` steps ((2,)) away."""
        every = around(candidate, steps, count)
        return every[np.argsort(self.values(every, self.looks[-1]), kind="stable")[: 2 * _JUDGED]]

    def judged(self, candidates: Array, exact: Callable[..., float]) -> tuple[int, ...]:
        """The numbers of the one that costs least by `exact`, called with the cost and the numbers as a tuple."""
        order = np.argsort(self.values(candidates, len(self.places)), kind="stable")
        several = list(dict.fromkeys(map(tuple, self.numbers(candidates[order]).tolist())))[:_JUDGED]
        return several[int(np.argmin(run(exact, [(self.cost, numbers) for numbers in several])))]


def around(candidate: Array, steps: Array, count: int) -> Array:
    """All candidates up to `count` steps ((2,)) away: ((2 count + 1)^2, 2)."""
    span = np.arange(-count, count + 1)
    return candidate + np.stack(np.meshgrid(*np.multiply.outer(steps, span), indexing="ij"), axis=-1).reshape(-1, 2)
