"""What the plugin does without napari: regions of layers, strokes brought to a session, newest requests, outlines."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from varconvex import Session, segment
from varconvex.errors import InvalidImageError, InvalidScribblesError
from varconvex.napari.polygons import polygons
from varconvex.napari.regions import Region, placed_like, spatial_shape
from varconvex.napari.work import Request, Work, draw


class Layer(SimpleNamespace):
    """As much of a napari layer as the plugin asks for, with a matrix from pixels to the world."""

    def __init__(self, data, name="layer", rgb=False, matrix=None, multiscale=False):
        finest = data[0] if multiscale else data
        ndim = finest.ndim - rgb
        matrix = np.eye(ndim) if matrix is None else np.array(matrix, float)
        super().__init__(data=data, name=name, rgb=rgb, ndim=ndim, multiscale=multiscale, matrix=matrix)

    def data_to_world(self, point):
        return self.matrix @ point + 5

    def world_to_data(self, point):
        return np.linalg.solve(self.matrix, point[-self.ndim :] - 5)


def rotated(degrees, *scale):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s], [s, c]]) @ np.diag(scale)


@pytest.mark.parametrize("degrees", [0, 30, 200])
def test_spacing_is_that_of_the_world_whichever_way_the_image_lies(degrees):
    layer = Layer(np.zeros((8, 9)), matrix=rotated(degrees, 3, 0.5))
    region = Region.of([layer], volume=False, point=(0, 0), displayed=(0, 1))
    np.testing.assert_allclose(region.spacing, (3, 0.5))
    assert region.index == (slice(None), slice(None))


def test_a_sheared_image_is_refused():
    layer = Layer(np.zeros((8, 9)), "slanted", matrix=[[1, 0.4], [0, 1]])
    with pytest.raises(InvalidImageError, match=r"'slanted' must be perpendicular .* shear"):
        Region.of([layer], volume=False, point=(0, 0), displayed=(0, 1))


@pytest.mark.parametrize(
    ("volume", "displayed", "place"),
    [(False, (2, 3), (3, 2, None, None)), (False, (1, 3), (3, None, 4, None)), (True, (2, 3), (3, None, None, None))],
)
def test_a_plane_or_a_volume_of_a_series_is_read_and_written(rng, volume, displayed, place):
    data = rng.random((5, 4, 6, 7))
    layer = Layer(data, matrix=np.diag([1, 2, 1, 1]))
    point = np.array([3, 4, 4, 1]) + 5.2
    region = Region.of([layer], volume=volume, point=point, displayed=displayed)
    assert region.place == place
    part = region.pixels([layer])
    np.testing.assert_array_equal(part, data[region.index])
    whole = region.write(np.ones(part.shape, int), None)
    assert whole.sum() == part.size
    assert (whole[region.index] == 1).all()
    corner = region.points(np.zeros((1, part.ndim)))[0]
    assert [a == b or a is None for a, b in zip(place, corner, strict=True)] == [True] * 4


def test_sliders_beyond_a_layer_and_pyramids_are_taken_as_they_are():
    pyramid = Layer([np.zeros((4, 6, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)], rgb=True, multiscale=True)
    region = Region.of([pyramid], volume=False, point=(99, -99, 3), displayed=(1, 2))
    assert spatial_shape(pyramid) == region.shape == (4, 6)
    assert region.keywords([pyramid]) == {"spacing": (1, 1), "channel_axis": -1}
    stack = Layer(np.zeros((3, 4, 6)))
    assert Region.of([stack], volume=False, point=(99, 0, 0), displayed=(1, 2)).place[0] == 2


def test_grey_images_of_one_shape_are_channels():
    layers = [Layer(np.full((4, 6), k), f"c{k}") for k in range(3)]
    region = Region.of(layers, volume=False, point=(0, 0), displayed=(0, 1))
    assert region.pixels(layers)[2, 3].tolist() == [0, 1, 2]
    assert region.keywords(layers)["channel_axis"] == -1
    with pytest.raises(InvalidImageError, match=r"of one shape; got c0 \(4, 6\), other \(4, 7\)"):
        Region.of([layers[0], Layer(np.zeros((4, 7)), "other")], volume=False, point=(0, 0), displayed=(0, 1))
    strokes = Layer(np.zeros((6, 4), int), "strokes")
    with pytest.raises(InvalidScribblesError, match=r"the shape \(4, 6\) of the image; layer 'strokes' has \(6, 4\)"):
        region.seeds(strokes)
    assert (region.seeds(Layer(np.full((4, 6), -1))) == 0).all()


def test_new_layers_take_only_what_their_napari_knows():
    assert placed_like(SimpleNamespace(scale=(1, 2), affine="a", data=0)) == {"scale": (1, 2), "affine": "a"}


def test_strokes_become_those_of_the_layer_whatever_was_painted(rng):
    session, image = Session(rng.random((12, 15))), np.zeros((12, 15), np.int64)
    for _ in range(60):
        top, left = rng.integers(0, 12), rng.integers(0, 15)
        image[top : top + 4, left : left + 4] = rng.integers(0, 4)
        draw(session, image)
        np.testing.assert_array_equal(session.scribbles, image)


def test_undo_in_the_layer_finds_the_former_answer(two_blobs):
    image, strokes, _ = two_blobs
    session, more = Session(image), strokes.copy()
    draw(session, strokes)
    first = session.result
    more[60:64, 90:100] = 2
    draw(session, more)
    second = session.result
    draw(session, strokes)
    assert session.result is first
    draw(session, more)
    assert session.known is second


class Desk:
    """Work, with what it told."""

    def __init__(self):
        self.answers, self.shares, self.begun = [], [], threading.Event()
        self.work = Work(self.answers.append, self.progressed)

    def progressed(self, share):
        self.shares.append(share)
        self.begun.set()

    def ask(self, image, seeds, shapes=None, key=0, **keywords):
        request = Request(key, lambda: image, seeds, shapes or {}, keywords)
        self.work.ask(request)
        return request


@pytest.fixture
def desk():
    made = Desk()
    yield made
    made.work.close()
    assert made.work.wait(20)


def test_the_newest_of_fifty_requests_is_answered(desk, two_blobs):
    image, strokes, _ = two_blobs
    seeds = strokes * 0
    for k in range(50):
        seeds = seeds.copy()
        seeds[:, : 2 + 2 * k] = strokes[:, : 2 + 2 * k]
        last = desk.ask(image, seeds)
    assert desk.work.wait(60)
    found = desk.answers[-1]
    assert found.request is last
    assert found.final
    np.testing.assert_array_equal(found.result.labels, segment(image, seeds).labels)
    assert [0 <= share <= 1 for share in desk.shares if share is not None]


def test_shapes_settings_and_images_have_their_sessions(desk, two_blobs):
    image, strokes, _ = two_blobs
    for shapes, key, keywords in (({2: "hull"}, 0, {}), ({}, 0, {}), ({}, 1, {"alpha": 0.0}), ({2: "hull"}, 0, {})):
        desk.ask(image, strokes, shapes, key, **keywords)
        assert desk.work.wait(60)
        result = desk.answers[-1].result
        assert set(result.shapes) == set(shapes)
        expected = segment(image, strokes, shape=shapes or None, **keywords)
        np.testing.assert_array_equal(result.labels, expected.labels)


def test_what_is_wrong_is_told_and_the_next_request_is_answered(desk, two_blobs):
    image, strokes, _ = two_blobs
    desk.ask(image, np.where(strokes == 1, 1, 0))
    assert desk.work.wait(60)
    assert desk.answers[-1].quiet
    assert "there are those of 1" in desk.answers[-1].text
    around = strokes.copy()
    around[39:41, 36:38] = 1
    desk.ask(image, around, {2: "convex"})
    assert desk.work.wait(60)
    assert "convex" in desk.answers[-1].text
    assert not desk.answers[-1].quiet
    desk.ask(image * np.nan, strokes, key=1)
    assert desk.work.wait(60)
    assert "must be finite" in desk.answers[-1].text
    desk.work.ask(Request(2, lambda: 1 / 0, strokes, {}, {}))
    assert desk.work.wait(60)
    assert desk.answers[-1].text == "ZeroDivisionError: division by zero"
    desk.ask(image, strokes)
    assert desk.work.wait(60)
    assert desk.answers[-1].result is not None


def test_nothing_is_told_after_cancel(desk, rng):
    image = rng.random((200, 200, 3))  # so small that there is no preview
    strokes = np.zeros((200, 200), np.int64)
    strokes[10:190:40, 10:190:40], strokes[20:190:40, 10:190:40] = 1, 2
    desk.ask(image, strokes, alpha=1.0, tol=0.0, max_iter=1_000_000)
    assert desk.begun.wait(60)
    desk.work.cancel()
    assert desk.work.wait(5)
    assert not desk.answers


def test_outlines_hold_the_pixels_of_their_object(rng):
    from scipy.ndimage import binary_fill_holes, label
    from skimage.draw import polygon2mask

    labels = np.zeros((40, 50), int)
    for k, (row, column, radius) in enumerate([(10, 10, 8), (0, 40, 12), (30, 25, 9.5), (38, 48, 1)], 2):
        labels[np.hypot(*np.ogrid[-row : 40 - row, -column : 50 - column]) < radius] = k
    labels[3:6, 20:30], labels[30, 25] = 2, 0  # a second part, a hole
    found = list(polygons(labels))
    assert len(found) == 5
    for k in range(2, 6):
        parts = [polygon2mask(labels.shape, corners) for label_, corners in found if label_ == k]
        assert len(parts) == label(labels == k)[1]
        np.testing.assert_array_equal(np.any(parts, axis=0), binary_fill_holes(labels == k))
    volume = np.stack([labels * 0, labels])
    planes = list(polygons(volume))
    assert [corners.shape[1] for _, corners in planes] == [3] * 5
    assert all((corners[:, 0] == 1).all() for _, corners in planes)
