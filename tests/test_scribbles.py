"""Strokes of a brush against discs set down one by one, and against distances from the line; bounds of labels."""

from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from varconvex.errors import InvalidScribblesError, ScribbleWarning
from varconvex.inputs import prepare
from varconvex.scribbles import border_pixels, brush_stroke, label_image, label_of, stroke_pieces


def discs(line, shape, width):
    """Discs around the pixels nearest to points that are at most a pixel apart."""
    drawn = np.zeros(shape, bool)
    pixels = np.moveaxis(np.indices(shape), 0, -1)
    for a, b in pairwise(line) if len(line) > 1 else [(line[0], line[0])]:
        for t in np.linspace(0, 1, max(int(np.ceil(abs(b - a).max())) + 1, 2)):
            drawn |= ((pixels - np.floor(a + t * (b - a) + 0.5)) ** 2).sum(axis=-1) <= (width / 2) ** 2
    return drawn


def distances(line, shape):
    """From each pixel to the line."""
    pixels, least = np.moveaxis(np.indices(shape), 0, -1).astype(float), np.inf
    for a, b in pairwise(line):
        along = ((pixels - a) @ (b - a) / max((b - a) @ (b - a), 1e-300)).clip(0, 1)
        least = np.minimum(least, np.linalg.norm(pixels - a - along[..., None] * (b - a), axis=-1))
    return least


@pytest.mark.parametrize("shape", [(17, 23), (9, 8, 11)])
@pytest.mark.parametrize("width", [1.0, 3.0, 4.5, 8.0])
def test_strokes_are_discs_along_a_line(rng, shape, width):
    for points in (1, 2, 3):
        for _ in range(6):
            line = rng.uniform(0, np.array(shape) - 1, (points, len(shape)))
            np.testing.assert_array_equal(brush_stroke(line, shape, width), discs(line, shape, width))
            whole = np.rint(line)
            np.testing.assert_array_equal(brush_stroke(whole, shape, width), discs(whole, shape, width))


@pytest.mark.parametrize("reach", [6.0, 60.0, 1e5])
def test_strokes_that_leave_the_image_are_where_the_line_is(rng, reach):
    shape, width, met = (14, 19), 7.0, 0
    for _ in range(60):
        line = np.array(shape) / 2 + reach * rng.uniform(-1, 1, (3, 2))
        line[1] = rng.uniform(-3, np.array(shape) + 3)
        drawn, far = brush_stroke(line, shape, width), distances(line, shape)
        assert drawn[far < width / 2 - 1.5].all()
        assert not drawn[far > width / 2 + 1].any()
        met += drawn.any()
        thin = brush_stroke(line[:2], shape, 1.0)
        assert ndimage.label(thin, np.ones((3, 3)))[1] <= 1  # no gaps
    assert met > 40
    assert not brush_stroke(np.array([[-5.0, -9.0], [-5.0, 40.0]]), shape, width).any()
    assert brush_stroke(np.array([[-3.0, 9.0]]), shape, width).any()


@pytest.mark.parametrize("width", [1.0, 3.0, 6.0])
def test_pieces_are_the_stroke(rng, width):
    shape = (30, 1400)
    for first, last in (((3, 2), (25, 1390)), ((-4, 40), (33, 1500)), ((1, 1), (1, 1))):
        line = np.array([first, last], float)
        drawn = np.zeros(shape, bool)
        inside = (line >= 0).all() and (line < shape).all()
        with nullcontext() if inside else pytest.warns(ScribbleWarning):
            pieces = list(stroke_pieces(line, shape, width))
        for (row, column), piece in pieces:
            assert piece.shape[1] < 600
            drawn[row : row + piece.shape[0], column : column + piece.shape[1]] |= piece
        np.testing.assert_array_equal(drawn, brush_stroke(line, shape, width))
        assert drawn.any()


@pytest.mark.parametrize(
    ("point", "outside"),
    [((-0.4, 4.4), False), ((3.4, -0.4), False), ((-0.6, 2.0), True), ((3.6, 2.0), True), ((2.0, 4.6), True)],
)
def test_points_beyond_the_outermost_pixels_are_told(point, outside):
    with pytest.warns(ScribbleWarning, match="1 of 2 points") if outside else nullcontext():
        label_image({1: [(1, 1), point]}, np.zeros((4, 5)), None, False)


def test_lists_of_slices_are_volumes():
    slices = [np.array([[0, 1], [2, 0]])]
    np.testing.assert_array_equal(label_image(slices, np.zeros((1, 2, 2)), None, False), np.stack(slices))
    slices = [np.array([[0, 1], [1, 0]]), np.array([[0, 2], [0, 0]])]  # no pair of masks
    np.testing.assert_array_equal(label_image(slices, np.zeros((2, 2, 2, 3)), -1, False), np.stack(slices))


def test_the_border_is_two_pixels_wide():
    for shape in ((7, 9), (3, 9), (6, 5, 8)):
        inner = tuple(slice(2, max(n - 2, 2)) for n in shape)
        expected = np.ones(shape, bool)
        expected[inner] = False
        np.testing.assert_array_equal(border_pixels(shape), expected)


def test_labels_from_one_to_the_largest_whole_number():
    assert [label_of(name) for name in ("background", "object", 1, np.uint8(9), 2**53)] == [1, 2, 1, 9, 2**53]
    for bad in (0, -1, 2**53 + 1, True, 1.0, "1", None):
        with pytest.raises(InvalidScribblesError, match="a label must be"):
            label_of(bad)
    image = np.zeros((2, 3))
    for size in (2**53, -(2**53)):
        assert label_image(np.full((2, 3), size), image, None, False)[0, 0] == size
        with pytest.raises(InvalidScribblesError, match="labels must be at most"):
            label_image(np.full((2, 3), size + np.sign(size)), image, None, False)


@pytest.mark.parametrize(
    ("scribbles", "match"),
    [
        ([np.array([[1, 2, 0]] * 4), np.zeros((4, 3), int)], "spatial shape"),  # two label images are no pair of masks
        ([np.array([[0, -1, 0]] * 4), np.ones((4, 3), int)], "spatial shape"),
        ({1: [(1, 1)], 2: [3.0, 4.0]}, "finite points of shape"),
        ({1: [(1, 1)], 2: np.zeros((0, 2))}, "finite points of shape"),
        ({1: [(1, 1)], 2: [[[(1, 1)]]]}, "finite points of shape"),
    ],
)
def test_what_is_no_scribble(rng, scribbles, match):
    with pytest.raises(InvalidScribblesError, match=match):
        prepare(rng.random((4, 3)), scribbles)
