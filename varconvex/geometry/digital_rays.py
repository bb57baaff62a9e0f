"""Star-shaped sets of pixels about a centre: a tree of digital rays, its best rooted subtree, its certificate.

A pixel at c + x is on the ring m = max |x_i| around the centre c. The next pixel on its ray towards c, its parent, is

    |x_i| - [|x_i| > s_m]  along each axis, with the same sign,      s_m = floor(m phi(m)),

where phi is the radical inverse in base 2 (van der Corput). It is on ring m - 1 and touches the pixel, so that every
pixel has one ray to the centre; rays that meet stay together. They are consistent digital rays: a ray leaves the
straight segment by O(log m) pixels, which no such system betters (at most 2.1 up to m = 128, 2.8 up to 512). A set is
star-shaped about c if it holds with each pixel its parent: all of the ray. The set of least cost is the best subtree,

    best(p) = cost(p) + sum over children q of min(best(q), 0),

found exactly in one pass from the outermost ring inwards.

J. Chun, M. Korman, M. Noellenburg, T. Tokuyama, Consistent digital rays, Discrete & Computational Geometry 42, 2009,
doi:10.1007/s00454-009-9166-2
"""

from functools import lru_cache

import numpy as np

from ..compiling import compiled

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")


@lru_cache(maxsize=64)
def splits(most: int) -> Array:
    """s_m for m from 0 to `most`, in integers: (most + 1,) int64."""
    m = np.arange(most + 1, dtype=np.int64)
    bits = max(int(most).bit_length(), 1)
    reverse = np.zeros_like(m)
    for bit in range(bits):
        reverse |= ((m >> bit) & 1) << (bits - 1 - bit)
    return (m * reverse) >> bits


def parents(shape: tuple[int, ...], centre: tuple[int, ...]) -> Array:
    """Flat index of each pixel's parent, its own for the centre: (*shape) int64; the specification."""
    x = np.stack(np.meshgrid(*(np.arange(n) - c for n, c in zip(shape, centre, strict=True)), indexing="ij"))
    size = np.abs(x)
    split = splits(int(size.max()))[size.max(axis=0)]
    moved = np.sign(x) * (size - (size > split))
    place = [step + c for step, c in zip(moved, centre, strict=True)]
    return np.ravel_multi_index(place, shape)


def star_violations(mask: Array, centre: tuple[int, ...]) -> Array:
    """Pixels of `mask` whose parent is not in it, and the centre if it is missing from a mask with pixels: (n, d) int.

    In integers. A mask with no violations holds the ray of each of its pixels.
    """
    wrong = mask & ~mask.ravel()[parents(mask.shape, centre)]
    if mask.any() and not mask[centre]:
        wrong = wrong.copy()
        wrong[centre] = True
    return np.argwhere(wrong)


def rays(mask: Array, centre: tuple[int, ...]) -> Array:
    """The smallest star-shaped set about `centre` that holds `mask` (bool), and the centre: a new bool array."""
    held = mask.copy()
    held[centre] = True
    _close(held.reshape(_cube(mask.shape)), _lifted(centre), splits(max(mask.shape)))
    return held


def best_star(cost: Array, centre: tuple[int, ...]) -> Array:
    """The star-shaped set about `centre` of least cost, the centre in it: bool; of equal ones the smallest."""
    kept = np.zeros(cost.shape, bool)
    cube = np.ascontiguousarray(cost, np.float64).reshape(_cube(cost.shape))
    _least(cube, _lifted(centre), splits(max(cost.shape)), kept.reshape(cube.shape))
    return kept


def least_cost(cost: Array, centre: tuple[int, ...]) -> float:
    """Cost of `best_star`."""
    cube = np.ascontiguousarray(cost, np.float64).reshape(_cube(cost.shape))
    return float(_least(cube, _lifted(centre), splits(max(cost.shape)), np.zeros((0, 0, 0), bool)))


def hits(points: Array, centres: Array, blocked: Array) -> Array:
    """Number of pixels of `blocked` (bool) on the rays of `points` ((n, d) int) to each of `centres` ((k, d) int).

    (k,) int; a pixel on several rays counts for each.
    """
    pad = 3 - blocked.ndim
    lift = [(0, 0), (pad, 0)]
    found = np.zeros(len(centres), np.int64)
    cube = blocked.reshape(_cube(blocked.shape))
    _hits(np.pad(points, lift), np.pad(centres, lift), splits(max(blocked.shape)), cube, found)
    return found


def steps_outside(mask: Array, centre: tuple[int, ...]) -> Array:
    """Steps along its ray from each pixel to a star-shaped `mask`, and within it minus the steps that the set reaches
    beyond the pixel on rays through it, minus one: (*shape) int64, at most -1 within and at least 1 outside.

    Each of its level sets is star-shaped about `centre`.
    """
    found = np.zeros(mask.shape, np.int64)
    _steps(mask.reshape(_cube(mask.shape)), _lifted(centre), splits(max(mask.shape)), found.reshape(_cube(mask.shape)))
    return found


def _cube(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape of three axes for the kernels; an image is a volume of one slice."""
    return (1,) * (3 - len(shape)) + tuple(shape)


def _lifted(centre: tuple[int, ...]) -> Array:
    return np.array([0] * (3 - len(centre)) + list(centre), np.int64)


@_compiled
def _toward(p: int, c: int, split: int) -> int:
    """Coordinate of the parent of a pixel at coordinate `p`."""
    x = p - c
    if x > split:
        return p - 1
    if -x > split:
        return p + 1
    return p


@_compiled
def _by_ring(shape: tuple[int, int, int], c: Array) -> Array:
    """Flat indices of all pixels from the innermost ring to the outermost, by counting."""
    depth, height, width = shape
    most = 0
    for axis in range(3):
        most = max(most, c[axis], shape[axis] - 1 - c[axis])
    first = np.zeros(most + 2, np.int64)
    for i in range(depth):
        for j in range(height):
            far = max(abs(i - c[0]), abs(j - c[1]))
            for k in range(width):
                first[max(far, abs(k - c[2])) + 1] += 1
    for m in range(1, most + 2):
        first[m] += first[m - 1]
    order = np.empty(depth * height * width, np.int64)
    for i in range(depth):
        for j in range(height):
            far = max(abs(i - c[0]), abs(j - c[1]))
            for k in range(width):
                m = max(far, abs(k - c[2]))
                order[first[m]] = (i * height + j) * width + k
                first[m] += 1
    return order


@_compiled
def _parent(flat: int, shape: tuple[int, int, int], c: Array, split: Array) -> int:
    """Flat index of the parent of a pixel."""
    height, width = shape[1], shape[2]
    i, j, k = flat // (height * width), flat // width % height, flat % width
    s = split[max(abs(i - c[0]), abs(j - c[1]), abs(k - c[2]))]
    return (_toward(i, c[0], s) * height + _toward(j, c[1], s)) * width + _toward(k, c[2], s)


@_compiled
def _least(cost: Array, c: Array, split: Array, kept: Array) -> float:
    """Cost of the best subtree; it is written to `kept` unless that has no pixels."""
    order = _by_ring(cost.shape, c)
    best = cost.copy().ravel()
    n = order.size
    above = np.empty(n, np.int64)
    for at in range(n - 1, 0, -1):
        p = order[at]
        q = _parent(p, cost.shape, c, split)
        above[at] = q
        if best[p] < 0:
            best[q] += best[p]
    if kept.size:
        flat = kept.ravel()
        flat[order[0]] = True
        for at in range(1, n):
            flat[order[at]] = best[order[at]] < 0 and flat[above[at]]
    return best[order[0]]


@_compiled
def _close(held: Array, c: Array, split: Array) -> None:
    """Add the parents of all pixels of `held`."""
    order, flat = _by_ring(held.shape, c), held.ravel()
    for at in range(order.size - 1, 0, -1):
        if flat[order[at]]:
            flat[_parent(order[at], held.shape, c, split)] = True


@_compiled
def _hits(points: Array, centres: Array, split: Array, blocked: Array, found: Array) -> None:
    """Write the number of blocked pixels on the rays to each centre."""
    for n in range(len(centres)):
        c = centres[n]
        for at in range(len(points)):
            i, j, k = points[at]
            while True:
                found[n] += blocked[i, j, k]
                s = split[max(abs(i - c[0]), abs(j - c[1]), abs(k - c[2]))]
                if i == c[0] and j == c[1] and k == c[2]:
                    break
                i, j, k = _toward(i, c[0], s), _toward(j, c[1], s), _toward(k, c[2], s)


@_compiled
def _steps(mask: Array, c: Array, split: Array, found: Array) -> None:
    """Write `steps_outside`."""
    order, inside, steps = _by_ring(mask.shape, c), mask.ravel(), found.ravel()
    for at in range(order.size):
        p = order[at]
        if inside[p]:
            steps[p] = -1
        else:
            steps[p] = 1 if at == 0 else max(steps[_parent(p, mask.shape, c, split)], 0) + 1
    for at in range(order.size - 1, 0, -1):
        p = order[at]
        if inside[p]:
            q = _parent(p, mask.shape, c, split)
            steps[q] = min(steps[q], steps[p] - 1)
