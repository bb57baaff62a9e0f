"""Closed paths that only turn to the left, bent as little as may be: geodesics of (place, direction) on a coarse grid.

    min over closed x(s), theta(s)   sum over C of (1 - 2 target) + alpha * integral of (1 + (xi theta')^2) ds
    subject to                       x' = (sin theta, cos theta),   theta' >= 0,   theta(end) = theta(start) + 2 pi

C is what the path encloses: never turning right, and turning once in all, it is simple and convex. By Stokes' theorem
the sum over C is an integral along the path, of a field whose curl is the cost. A path is a chain of steps between
pixels in 32 directions, each followed by a turn of 0 to 90 degrees; it starts and ends in a given pixel of the last
path, and its states never return to an earlier direction: the least chain is found in one pass over directions. Then it
starts from a pixel on the far side, till nothing falls. The path stays within a tube around the last one.

D. Chen, J.-M. Mirebeau, M. Shu, X.-C. Tai, L. D. Cohen, "Geodesic models with convexity shape prior", IEEE TPAMI 45(7),
2023, arXiv:2111.00794; D. Chen, L. D. Cohen, J.-M. Mirebeau, X.-C. Tai, "An elastica geodesic approach with convexity
shape prior", ICCV 2021. Simplified: a lattice and its directions in place of Hamiltonian fast marching, so that the
field need not be small against the length; the image at `side` pixels at most; no edge weight.
"""

import math

import numba
import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt, map_coordinates

from varconvex.shapes.base import Callback

from .rival import LocalSearch

__all__ = ["GeodesicShape"]

STEPS = np.array(
    sorted(
        ((r, c) for r in range(-3, 4) for c in range(-3, 4) if math.gcd(r, c) == 1),
        key=lambda step: math.atan2(step[0], step[1]) % (2 * math.pi),
    )
)
"""(32, 2) rows and columns of the steps, by their angle from columns towards rows."""

_TURNS = len(STEPS) // 4
"""Most turns after a step: 90 degrees."""

_MARGIN = 3
"""Blocks around the image, where a path costs only its length."""


class GeodesicShape(LocalSearch):
    """A convex outline of least length and bending energy, as a path through places and directions. Images only.

    Promised: `inside` and `outside` are held, and the same input gives the same mask. The outline encloses `inside` and
    is convex; pixels of `outside` are taken out of it afterwards, so that the mask need not be.

    Parameters
    ----------
    alpha : float
        Weight of the length, in pixels of the coarse grid.
    bend : float
        xi, in pixels of the coarse grid: the radius of a circle that bends as much as it is long. 0 leaves corners.
    side : int
        Pixels along the longer side of the coarse grid. Finer is slower, by the square.
    tube : float
        Pixels of the coarse grid that an outline can move in one round.
    rounds : int
        Most rounds.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> GeodesicShape().fit(target).mask[20, 30]
    np.True_
    """

    def __init__(self, alpha: float = 0.1, bend: float = 0.5, side: int = 128, tube: float = 10.0, rounds: int = 12):
        self.alpha, self.bend, self.side, self.tube, self.rounds = alpha, bend, side, tube, rounds

    def improved(
        self, start: np.ndarray, cost: np.ndarray, inside: np.ndarray, outside: np.ndarray, rng: np.random.Generator,
        callback: Callback,
    ) -> tuple[np.ndarray, float]:  # fmt: skip
        step = -(-max(cost.shape) // self.side)
        cost[outside] = 10.0
        coarse, chain, points = self._begin(cost, start, inside, step)
        edges = edge_costs(coarse)
        best = np.inf
        for r in range(self.rounds):
            first = chain[0] if r % 2 == 0 else chain[len(chain) // 2]
            tube = near(chain, coarse.shape, self.tube)
            value, found = least_path(edges, first, tube, points, self.alpha * step**2, self.bend)
            if not len(found):
                break
            chain = found
            if callback is not None:
                callback(enclosed(chain - _MARGIN, step, cost.shape))
            if r > 1 and value > best - 1e-9:
                break
            best = value
        return enclosed(chain - _MARGIN, step, cost.shape), 0.0

    def _begin(
        self, cost: np.ndarray, begun: np.ndarray, inside: np.ndarray, step: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The coarse cost, the pixels around the start, and those that must be enclosed."""
        strokes = np.argwhere(blocks(inside.astype(float), step) > 0)
        thick = blocks(begun.astype(float), step) > 0.5 * step**2
        thick[tuple(strokes.T)] = True
        if not thick.any():
            thick = blocks(begun.astype(float), step) > 0
        middle = np.argwhere(thick).mean(axis=0)
        rim = np.argwhere(binary_dilation(thick, iterations=2) & ~binary_dilation(thick))
        order = np.argsort(np.arctan2(*(rim - middle).T))
        return blocks(cost, step), rim[order], strokes if len(strokes) else np.rint(middle).astype(int)[None]


def blocks(values: np.ndarray, step: int) -> np.ndarray:
    """Sums over blocks of step x step pixels, with a margin of empty blocks."""
    size = [-(-n // step) for n in values.shape]
    padded = np.zeros([n * step for n in size])
    padded[: values.shape[0], : values.shape[1]] = values
    return np.pad(padded.reshape(size[0], step, size[1], step).sum(axis=(1, 3)), _MARGIN)


def edge_costs(cost: np.ndarray) -> np.ndarray:
    """What a step from each pixel adds to the sum over what is enclosed: (32, H, W).

    By Stokes: the integral of F along rows, where F is the sum of the cost over columns up to there.
    """
    field = np.cumsum(cost, axis=1) - cost / 2
    rows, columns = np.indices(cost.shape).astype(float)
    found = np.zeros((len(STEPS), *cost.shape))
    for k, (dr, dc) in enumerate(STEPS):
        for t in (np.arange(4) + 0.5) / 4 if dr else ():
            place = np.stack([rows + t * dr, columns + t * dc])
            found[k] += dr / 4 * map_coordinates(field, place, order=1, mode="nearest")
    return found


def near(chain: np.ndarray, shape: tuple[int, ...], reach: float) -> np.ndarray:
    """Pixels within `reach` of the pixels of a chain."""
    free = np.ones(shape, bool)
    free[tuple(chain.T)] = False
    return np.asarray(distance_transform_edt(free) <= reach)


def least_path(
    edges: np.ndarray, start: np.ndarray, allowed: np.ndarray, points: np.ndarray, alpha: float, bend: float
) -> tuple[float, np.ndarray]:
    """Value and pixels ((n, 2) int) of the best closed path through `start` that stays where it is allowed.

    It encloses `points`, each as a square of a pixel. No pixels, and infinity, if there is no such path.
    """
    across = np.stack([STEPS[:, 1], -STEPS[:, 0]], axis=1)
    support = (points @ across.T).min(axis=0) - np.abs(STEPS).sum(axis=1) / 2
    angles = np.arctan2(STEPS[:, 0], STEPS[:, 1]) % (2 * np.pi)
    best, chain = np.inf, np.zeros((0, 2), np.int64)
    for first in range(len(STEPS)):
        cost, turns = _spread(edges, start, first, allowed, support, STEPS, angles, alpha, bend)
        if cost < best:
            best, chain = cost, _walk_back(turns, start, first)
    return float(best), chain


def _walk_back(turns: np.ndarray, start: np.ndarray, first: int) -> np.ndarray:
    """The pixels of the path that ends in `start`, in its order."""
    place, layer, chain = np.array(start), len(STEPS), []
    while True:
        layer -= int(turns[layer, place[0], place[1]])
        place = place - STEPS[(first + layer) % len(STEPS)]
        chain.append(place)
        if layer == 0 and (place == start).all():
            return np.array(chain[::-1])


@numba.njit(cache=True, nogil=True)
def _spread(edges, start, first, allowed, support, steps, angles, alpha, bend):
    """Least cost of a closed path that begins in direction `first`, and the last turn of the best way to each state."""
    rows, columns = allowed.shape
    count = len(steps)
    cost = np.full((count + 1, rows, columns), np.inf)
    turns = np.zeros((count + 1, rows, columns), np.int8)
    cost[0, start[0], start[1]] = 0.0
    for layer in range(count):
        k = (first + layer) % count
        dr, dc = steps[k]
        length = math.sqrt(dr * dr + dc * dc)
        for i in range(rows):
            r = i if dr >= 0 else rows - 1 - i
            for j in range(columns):
                c = j if dc >= 0 else columns - 1 - j
                here = cost[layer, r, c]
                y, x = r + dr, c + dc
                if here == np.inf or dc * r - dr * c > support[k] or not (0 <= y < rows and 0 <= x < columns):
                    continue
                if not allowed[y, x]:
                    continue
                here += edges[k, r, c] + alpha * length
                for turn in range(min(_TURNS, count - layer) + 1):
                    angle = (angles[(k + turn) % count] - angles[k]) % (2 * math.pi)
                    there = here + alpha * (bend * angle) ** 2 / length
                    if there < cost[layer + turn, y, x]:
                        cost[layer + turn, y, x] = there
                        turns[layer + turn, y, x] = turn
    return cost[count, start[0], start[1]], turns


def enclosed(chain: np.ndarray, step: int, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels within a path over blocks of step x step pixels, in integers: (H, W) bool."""
    corners = (2 * chain + 1) * step - 1
    ways = np.roll(corners, -1, axis=0) - corners
    rows, columns = 2 * np.arange(shape[0])[:, None], 2 * np.arange(shape[1])[None]
    mask = np.ones(shape, bool)
    for (r, c), (dr, dc) in zip(corners, ways, strict=True):
        mask &= dc * (rows - r) - dr * (columns - c) >= 0
    return mask
