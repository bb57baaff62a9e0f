"""Images whose axes wrap around, as a panorama's columns: where to cut them open, and arrays that are cut open there.

A cut is an index along each axis, 0 where it does not wrap: the pixel there becomes the first one. Good cuts go where
little of the object is on both sides, and far from it.
"""

import itertools
from collections.abc import Sequence

import numpy as np

Array = np.ndarray

Cut = tuple[int, ...]

_FEW = 64
"""Pixels of images of which many cuts are tried."""

_MANY, _MOST = 9, 200
"""Cuts of such images that are tried, and most cuts that strokes may rule out before it is given up."""


def unrolled(values: Array, cut: Cut) -> Array:
    """`values` (*spatial) cut open."""
    return np.roll(values, [-c for c in cut], tuple(range(len(cut))))


def rolled(values: Array, cut: Cut) -> Array:
    """The inverse of `unrolled`."""
    return np.roll(values, cut, tuple(range(len(cut))))


def rolled_pixels(pixels: Array, shape: tuple[int, ...], cut: Cut) -> Array:
    """Indices of pixels in an image cut open, (n, d), as those of the image, in array order."""
    found = np.zeros(shape, bool)
    found[tuple(((np.reshape(pixels, (-1, len(shape))).astype(np.int64) + cut) % shape).T)] = True
    return np.argwhere(found)


def cuts(cost: Array, inside: Array, axes: Sequence[int]) -> tuple[list[Cut], int]:
    """Cuts along these axes, the better ones first, and how many of them are worth a fit.

    `cost` ((*spatial) float) is negative where it favours the object.
    """
    several = [_along(cost, inside, axis) if axis in axes else [0] for axis in range(cost.ndim)]
    count = max(round(_MANY ** (1 / max(len(axes), 1))), 2) if cost.size <= _FEW else 2
    found = sorted(itertools.product(*(range(len(places)) for places in several)), key=sum)[:_MOST]
    enough = int(np.prod([min(count, len(places)) for places in several]))
    return [tuple(places[k] for places, k in zip(several, one, strict=True)) for one in found], enough


def _along(cost: Array, inside: Array, axis: int) -> list[int]:
    """All places along an axis: the best, the best of those at least a quarter away, and so on, and then the rest."""
    from scipy.ndimage import uniform_filter1d

    size = cost.shape[axis]
    width = max(min(cost.shape) // 32, 1)
    blurred = uniform_filter1d(cost, width, axis, mode="wrap")
    for other in set(range(cost.ndim)) - {axis}:
        blurred = uniform_filter1d(blurred, width, other, mode="nearest")
    others = tuple(set(range(cost.ndim)) - {axis})
    crossed = np.maximum(-np.maximum(blurred, np.roll(blurred, 1, axis)), 0).sum(axis=others)
    strokes = (inside & np.roll(inside, 1, axis)).sum(axis=others)
    near = np.maximum(-blurred, 0).sum(axis=others)
    score = crossed + strokes * (1 + float(np.abs(cost).sum()))
    for reach, weight in ((8, 1e-2), (2, 1e-4)):  # of places that are as good the one farthest from the object
        score = score + weight * uniform_filter1d(near, max(size // reach, 1), mode="wrap")
    order = np.argsort(score, kind="stable").tolist()
    best: list[int] = []
    for least in (size / 4, 2, 0):
        for place in order:
            away = [min((place - other) % size, (other - place) % size) for other in best]
            if all(a >= max(least, 1) for a in away):
                best.append(place)
    return best


def wrapped(points: Array, shape: tuple[int, ...], cut: Cut, axes: Sequence[int]) -> Array:
    """Places, (n, d) float, in the image cut open, within half a pixel of it along the axes that wrap."""
    moved = np.asarray(points, np.float64) - cut
    for axis in axes:
        moved[:, axis] = (moved[:, axis] + 0.5) % shape[axis] - 0.5
    return moved
