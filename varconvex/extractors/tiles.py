"""A network on windows of a large image: their maps put together, each without a margin.

Windows start at multiples of the stride, so that cells fall on cells; a window at the image's border has no margin
there, as the image itself has none. What a network sees beyond the margin is lost at the seams: away from them the maps
are those of the whole image if its reach is no longer than the margin.
"""

import itertools

import numpy as np

from ..errors import InvalidParameterError
from ..threads import checkpoint
from .base import Extractor

Window = tuple[int, int, int, int]
"""Where a window begins and ends along an axis, and where the part of it that counts does."""


def maps_of(extractor: Extractor, image: np.ndarray, tile: int | None, margin: int) -> tuple[list[np.ndarray], tuple]:
    """The extractor's maps of an image (*spatial, C), and the shape that they cover: the image's, padded by mirroring.

    Windows have at most `tile` pixels a side, or the only size that the network takes, and overlap by two margins.
    """
    unit, fixed = extractor.stride, extractor.size
    shape = image.shape[:-1]
    padded = covered(extractor, shape)
    if padded != shape:
        after = [(0, more - n) for n, more in zip(shape, padded, strict=True)]
        image = np.pad(image, [*after, (0, 0)], mode="symmetric")
    sides = padded if tile is None else tuple(min(n, -(-tile // unit) * unit) for n in padded)
    if fixed is not None:
        sides = fixed
    margin = -(-margin // unit) * unit
    axes = [
        windows(n, side, min(margin, (side - 1) // (2 * unit) * unit), unit)
        for n, side in zip(padded, sides, strict=True)
    ]
    found: list[np.ndarray] = []
    for place in itertools.product(*axes):
        checkpoint()
        part = image[tuple(slice(first, last) for first, last, _, _ in place)]
        for number, values in enumerate(extractor.maps(part)):
            if all(len(axis) == 1 for axis in axes):
                found.append(values)
                continue
            steps = tuple(n / m for n, m in zip(part.shape[:-1], values.shape[:-1], strict=True))
            if any(step != int(step) or unit % step for step in steps):
                raise InvalidParameterError(
                    f"maps must have a cell for each stride of {unit} pixels, or a part of it, to be put together; got "
                    f"{values.shape[:-1]} cells for {part.shape[:-1]} pixels. Pass the network's stride, or tile=None."
                )
            if number == len(found):
                whole = tuple(int(n / step) for n, step in zip(padded, steps, strict=True))
                found.append(np.empty((*whole, values.shape[-1]), np.float32))
            there = tuple(slice(int(b / s), int(e / s)) for (_, _, b, e), s in zip(place, steps, strict=True))
            here = tuple(
                slice(int((b - first) / s), int((e - first) / s))
                for (first, _, b, e), s in zip(place, steps, strict=True)
            )
            found[number][there] = values[here]
    return found, padded


def covered(extractor: Extractor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that an image of this one is padded to, at its ends."""
    unit = extractor.stride
    padded = tuple(-(-n // unit) * unit for n in shape)
    return padded if extractor.size is None else tuple(map(max, padded, extractor.size))


def windows(n: int, side: int, margin: int, unit: int) -> list[Window]:
    """Windows of `side` pixels along an axis of `n`: each counts up to its margin, or the axis' end."""
    if side >= n:
        return [(0, n, 0, n)]
    step = max(side - 2 * margin, unit)
    starts = [*range(0, n - side, step), n - side]
    found, done = [], 0
    for first in starts:
        end = n if first == n - side else first + side - margin
        found.append((first, first + side, done, end))
        done = end
    return found
