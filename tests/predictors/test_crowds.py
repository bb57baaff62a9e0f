"""One object in a crowd of its kind: neighbours that touch it are held off, and nothing else is."""

import numpy as np
import pytest

from varconvex import segment
from varconvex.metrics import iou


def scene_of(masks, rng, scale=1.0):
    """An image with bright parts in noise, and scribbles in and beside the first of them."""
    image = rng.normal(0.3, 0.05, masks[0].shape)
    image[np.any(masks, axis=0)] += 0.4
    scribbles = np.zeros(masks[0].shape, int)
    places = np.argwhere(masks[0])
    row, column = places.mean(axis=0).round().astype(int)
    scribbles[row, column - 4 : column + 5] = 2
    scribbles[places[:, 0].min() - 4, column - 8 : column + 9] = 1
    return image, scribbles


def discs(centres, radius=12, shape=(140, 200)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return [np.hypot(rows - y, columns - x) < radius for y, x in centres]


APART = [(25, 30), (25, 80), (115, 40), (110, 100), (30, 160), (115, 165)]


@pytest.mark.parametrize("flip", [False, True])
def test_a_neighbour_that_touches_is_held_off(rng, flip):
    masks = discs([(70, 70), (70, 92), (89, 58), *APART])
    image, scribbles = scene_of(masks, rng)
    if flip:
        masks, image, scribbles = [mask[::-1, ::-1] for mask in masks], image[::-1, ::-1], scribbles[::-1, ::-1]
    assert iou(segment(image, scribbles).mask, masks[0]) > 0.8
    whole = segment(image, scribbles, components="all").mask
    assert iou(whole, np.any(masks, axis=0)) > 0.9
    # Bounds are bounds: the gap is that of the problem with them.
    assert 0 <= segment(image, scribbles).relative_gap <= 1e-3


@pytest.mark.parametrize(
    "keywords", [{"shape": "convex", "unify": "sequential"}, {"shape": "star"}, {"shape": "connected"}]
)
def test_a_shape_is_fitted_to_the_object_without_its_neighbours(rng, keywords):
    masks = discs([(70, 70), (70, 92), (89, 58), *APART])
    image, scribbles = scene_of(masks, rng)
    found = segment(image, scribbles, **keywords)
    assert iou(found.mask, masks[0]) > 0.8
    assert all(found.certificates.values())


def test_an_object_that_is_alone_keeps_its_parts(rng):
    """Two discs that touch are one object where no other is like them."""
    masks = discs([(70, 70), (70, 92)])
    image, scribbles = scene_of(masks, rng)
    assert iou(segment(image, scribbles).mask, np.any(masks, axis=0)) > 0.95


def test_others_that_are_not_convex_say_nothing(rng):
    """Dumbbells in a crowd of dumbbells are objects."""
    pairs = [(y, x + side) for y, x in ((70, 70), *APART) for side in (0, 18)]
    masks = discs(pairs, 11)
    whole = masks[0] | masks[1]
    image, scribbles = scene_of([masks[0], *masks[1:]], rng)
    assert iou(segment(image, scribbles).mask, whole) > 0.95


def test_a_convex_object_in_a_crowd_is_what_it_would_be_alone(rng):
    masks = discs([(70, 70), *APART])
    image, scribbles = scene_of(masks, rng)
    found = segment(image, scribbles)
    assert iou(found.mask, masks[0]) > 0.95
    np.testing.assert_array_equal(found.mask, segment(image, scribbles, unify="sequential").mask)
