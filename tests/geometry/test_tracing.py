"""Polygons of masks: valid by shapely, the same pixels by OpenCV and Pillow; contours as scikit-image's."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import label

from varconvex.geometry.tracing import contours, polygons


def masks():
    rng = np.random.default_rng(0)
    yield "empty", np.zeros((4, 5), bool)
    yield "full", np.ones((4, 5), bool)
    yield "pixel", np.eye(1, dtype=bool)
    yield "diagonal", np.eye(6, dtype=bool)
    yield "chessboard", np.indices((7, 8)).sum(axis=0) % 2 == 0
    ring = np.ones((5, 5), bool)
    ring[1, 1] = ring[2, 2] = ring[3, 3] = False  # holes that touch at corners
    yield "holes that touch", ring
    open_ring = np.ones((5, 5), bool)
    open_ring[1:4, 1:4] = False
    open_ring[0, 0] = False  # open at a corner only
    yield "open at a corner", open_ring
    nested = np.zeros((9, 9), bool)
    nested[1:8, 1:8] = True
    nested[2:7, 2:7] = False
    nested[3:6, 3:6] = True
    yield "nested", nested
    for share in (0.3, 0.5, 0.7):
        yield f"noise {share}", rng.random((23, 31)) < share


MASKS = dict(masks())


def filled(found, shape):
    """Pixels whose centres are in the polygons, by the crossing rule, from the vertices alone."""
    inside = np.zeros(shape, bool)
    rows, columns = np.indices(shape) + 0.5
    for polygon in found:
        for ring in polygon:
            for (y0, x0), (y1, x1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if x0 == x1:  # a vertical edge flips all that is to its right
                    inside ^= (rows > min(y0, y1)) & (rows < max(y0, y1)) & (columns > x0)
    return inside


@pytest.mark.parametrize("name", MASKS)
def test_polygons_fill_to_the_mask(name):
    mask = MASKS[name]
    found = polygons(mask)
    parts, count = label(mask)
    assert len(found) == count
    np.testing.assert_array_equal(filled(found, mask.shape), mask)
    for k, polygon in enumerate(found):
        np.testing.assert_array_equal(filled([polygon], mask.shape), parts == k + 1)
        for ring in polygon:
            assert len({tuple(point) for point in ring}) == len(ring)


@pytest.mark.parametrize("name", MASKS)
def test_polygons_are_valid_and_of_the_right_area(name):
    geometry = pytest.importorskip("shapely.geometry")
    for polygon in polygons(MASKS[name]):
        made = geometry.Polygon(polygon[0][:, ::-1], [ring[:, ::-1] for ring in polygon[1:]])
        assert made.is_valid
        assert made.exterior.is_ccw
        assert not any(hole.is_ccw for hole in made.interiors)
        assert made.area == filled([polygon], MASKS[name].shape).sum()


@pytest.mark.parametrize("name", MASKS)
def test_contours_are_those_of_marching_squares(name):
    measure = pytest.importorskip("skimage.measure")
    mask = MASKS[name]
    theirs = measure.find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="low")

    def segments(curves, shift):
        ends = [np.stack([curve[:-1], curve[1:]], axis=1) - shift for curve in curves if len(curve) > 1]
        return sorted(sorted(map(tuple, segment.tolist())) for segment in np.concatenate(ends)) if ends else []

    ours = contours(mask)
    assert segments(ours, 0) == segments(theirs, 1)
    assert all((curve[0] == curve[-1]).all() for curve in ours)


def test_a_polygon_drawn_by_pillow_is_the_mask():
    mask = MASKS["nested"]
    canvas = Image.new("1", (90, 90))
    for polygon in polygons(mask):
        for k, ring in enumerate(polygon):
            ImageDraw.Draw(canvas).polygon([(10 * x, 10 * y) for y, x in ring.tolist()], fill=int(k == 0))
    np.testing.assert_array_equal(np.asarray(canvas)[5::10, 5::10], mask)
