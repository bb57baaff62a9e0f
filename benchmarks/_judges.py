"""What sets of each shape are, said once more without the package: rational numbers, paths, enumeration."""

import math
from collections import deque
from fractions import Fraction
from itertools import product

import numpy as np


def parent(pixel, centre):
    """The next pixel on the digital ray to the centre, with the radical inverse read from a string of digits."""
    x = [p - c for p, c in zip(pixel, centre, strict=True)]
    m = max(map(abs, x))
    if m == 0:
        return pixel
    inverse = sum(Fraction(int(digit), 2 ** (k + 1)) for k, digit in enumerate(reversed(bin(m)[2:])))
    moved = [(abs(a) - (abs(a) > int(m * inverse))) * (1 if a > 0 else -1) for a in x]
    return tuple(c + a for c, a in zip(centre, moved, strict=True))


def is_star(mask, centre):
    pixels = set(map(tuple, np.argwhere(mask).tolist()))
    return bool(pixels) and tuple(centre) in pixels and all(parent(p, centre) in pixels for p in pixels)


def reached(pixels, start, corners=False):
    """The pixels of a set that paths from `start` reach."""
    steps = [s for s in product((-1, 0, 1), repeat=len(start)) if sum(map(abs, s)) == 1 or (corners and any(s))]
    seen, queue = {start}, deque([start])
    while queue:
        p = queue.popleft()
        for step in steps:
            q = tuple(a + b for a, b in zip(p, step, strict=True))
            if q in pixels and q not in seen:
                seen.add(q)
                queue.append(q)
    return seen


def is_connected(mask):
    pixels = set(map(tuple, np.argwhere(mask).tolist()))
    return bool(pixels) and reached(pixels, next(iter(pixels))) == pixels


def has_holes(mask):
    around = set(map(tuple, np.argwhere(np.pad(~mask, 1, constant_values=True)).tolist()))
    return reached(around, (0,) * mask.ndim, corners=True) != around


def within(numbers, shape, round_):
    """The pixels of an ellipse or rectangle, in Python's integers."""
    found = np.zeros(shape, bool)
    for y, x in product(*map(range, shape)):
        if round_:
            a, b, c, d, e, f = numbers
            found[y, x] = a * y * y + b * y * x + c * x * x + d * y + e * x + f <= 0
        else:
            p, q, k, upper, m, n = numbers
            found[y, x] = k <= p * y + q * x <= upper and m <= p * x - q * y <= n
    return found


def mirror(pixel, axis):
    """The pixel nearest to the mirror image, in rational numbers."""
    p, q, o = axis
    away = Fraction(2 * (p * pixel[0] + q * pixel[1]) - o, p * p + q * q)
    return tuple(math.floor(x - away * n + Fraction(1, 2)) for x, n in zip(pixel, (p, q), strict=True))


def is_symmetric(mask, axis):
    pixels = set(map(tuple, np.argwhere(mask).tolist()))
    every = product(*map(range, mask.shape))
    return bool(pixels) and all((p in pixels) == (mirror(p, axis) in pixels) for p in every)


def representative(pixel, n, centre):
    """The pixel of the first sector that it is turned to, in rational numbers; the sector by half-planes."""
    y, x = (Fraction(p) - Fraction(c) for p, c in zip(pixel, centre, strict=True))
    turns = [[Fraction(round(f(2 * math.pi * k / n) * 2**20), 2**20) for f in (math.cos, math.sin)] for k in range(n)]
    ahead = [(a * x - b * y, a * y + b * x) for a, b in turns]
    sector = [k for k in range(n) if half(*ahead[k]) and not half(*ahead[(k + 1) % n])]
    a, b = turns[sector[0] if sector else 0]
    return tuple(
        math.floor(Fraction(c) + d + Fraction(1, 2))
        for c, d in zip(centre, (a * y + b * x, a * x - b * y), strict=True)
    )


def half(side, along):
    return side > 0 or (side == 0 and along > 0)


def images(pixel, n, centre):
    """The n pixels nearest to a pixel's turned places."""
    y, x = (Fraction(p) - Fraction(c) for p, c in zip(pixel, centre, strict=True))
    found = []
    for k in range(n):
        a, b = (Fraction(round(f(2 * math.pi * k / n) * 2**20), 2**20) for f in (math.cos, math.sin))
        turned = a * y - b * x, b * y + a * x
        found.append(tuple(math.floor(Fraction(c) + d + Fraction(1, 2)) for c, d in zip(centre, turned, strict=True)))
    return found


def is_rotational(mask, n, centre):
    def within(p):
        return all(0 <= a < size for q in images(p, n, centre) for a, size in zip(q, mask.shape, strict=True))

    chosen = {}
    for p in product(*map(range, mask.shape)):
        chosen.setdefault(representative(p, n, centre), set()).add(bool(mask[p]))
    return bool(mask.any()) and all(len(v) == 1 and (True not in v or within(p)) for p, v in chosen.items())


def is_convex(mask):
    """Whether the pixels are the lattice points of their hull, by a chain of turns, and 8-connected."""
    pixels = sorted(map(tuple, np.argwhere(mask).tolist()))
    if not pixels or reached(set(pixels), pixels[0], corners=True) != set(pixels):
        return False
    chains = []
    for points in (pixels, pixels[::-1]):
        chain = []
        for p in points:
            while len(chain) > 1 and turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        chains.append(chain)
    hull = chains[0][:-1] + chains[1][:-1]
    if len(hull) < 3:  # on a line: no lattice point of it may be missing between the ends
        steps = math.gcd(*(a - b for a, b in zip(pixels[0], pixels[-1], strict=True)))
        return len(pixels) == steps + 1
    sides = list(zip(hull, hull[1:] + hull[:1], strict=True))
    every = product(*map(range, mask.shape))
    return all(bool(mask[p]) == all(turn(a, b, p) >= 0 for a, b in sides) for p in every)


def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def same_union(fitted):
    return bool((np.logical_or.reduce(fitted.parts) == fitted.mask).all())


def keeps(name, fitted):
    """Whether a fitted set that is not empty is of its shape."""
    if name == "star":
        return is_star(fitted.mask, fitted.centre)
    if name in ("connected", "solid"):
        return is_connected(fitted.mask) and not (name == "solid" and has_holes(fitted.mask))
    if name == "symmetric":
        return is_symmetric(fitted.mask, fitted.axis)
    if name == "periodic":
        opened = fitted.mask
        for axis in fitted.axes:
            opened = np.concatenate(np.split(opened, [fitted.cut[axis]], axis)[::-1], axis)
        return all(c == 0 or axis in fitted.axes for axis, c in enumerate(fitted.cut)) and is_convex(opened)
    if name.startswith("rotational"):
        return is_rotational(fitted.mask, fitted.n, fitted.centre)
    if name == "frames":
        judge = is_convex if fitted.kind == "convex" else is_connected
        return all(judge(frame) for frame in fitted.mask if frame.any())
    if name in ("two", "three"):
        return (
            len(fitted.parts) <= (2 if name == "two" else 3)
            and all(map(is_convex, fitted.parts))
            and same_union(fitted)
        )
    numbers = fitted.conic if name == "ellipse" else fitted.sides
    if name == "ellipse" and not (numbers[0] > 0 and 4 * numbers[0] * numbers[2] > numbers[1] ** 2):
        return False
    return bool((within(numbers, fitted.mask.shape, name == "ellipse") == fitted.mask).all())


def subsets(n):
    """All subsets of n things but the empty one: (2^n - 1, n) bool."""
    return (np.arange(1, 1 << n)[:, None] >> np.arange(n) & 1).astype(bool)
