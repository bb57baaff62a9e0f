"""Several objects with shapes of their own: convex by proof, never overlapping, every seed respected."""

import itertools

import numpy as np
import pytest

from varconvex import ConvexShape, segment
from varconvex.errors import InvalidParameterError, InvalidScribblesError, ScribbleConflictError
from varconvex.geometry.certify import certify_convexity, fill_hull
from varconvex.geometry.separation import separated, separating_normals
from varconvex.inputs import Scene
from varconvex.objects import check, fit


@pytest.fixture(scope="module")
def three_things():
    """Two overlapping discs of two colours, and a ring of a third; scribbles with labels 1, 2, 3 and 5."""
    rows, columns = np.mgrid[:80, :130]
    red = np.hypot(rows - 40, columns - 35) < 22
    green = (np.hypot(rows - 40, columns - 68) < 20) & ~red
    ring = np.abs(np.hypot(rows - 40, columns - 108) - 13) < 5
    image = np.full((80, 130, 3), 0.5)
    for mask, colour in ((red, (0.9, 0.1, 0.1)), (green, (0.1, 0.8, 0.1)), (ring, (0.1, 0.2, 0.9))):
        image[mask] = colour
    image = np.clip(image + np.random.default_rng(0).normal(scale=0.06, size=image.shape), 0, 1)
    scribbles = np.zeros(red.shape, int)
    scribbles[2, 5:125], scribbles[39:42, 106:110] = 1, 1
    scribbles[36:44, 25:35], scribbles[38:42, 64:74], scribbles[52, 104:112] = 2, 3, 5
    return image, scribbles, {2: red, 3: green, 5: ring}


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_each_object_has_the_shape_that_its_label_asks_for(three_things):
    image, scribbles, truth = three_things
    result = segment(image, scribbles, shape={2: "convex", 3: "convex", 5: None})
    assert set(result.certificates) == set(result.shapes) == {2, 3}
    assert all(result.certificates.values())
    for label in (2, 3):
        assert certify_convexity(result.labels == label)
        assert np.array_equal(result.shapes[label].mask, result.labels == label)
    assert not certify_convexity(result.labels == 5)
    assert (result.labels[scribbles > 0] == scribbles[scribbles > 0]).all()
    assert iou(result.labels == 2, truth[2]) > 0.95
    # The second disc is cut by the first one's arc, which no convex set can follow.
    assert iou(result.labels == 3, truth[3]) > 0.85
    assert iou(result.labels == 5, truth[5]) > 0.85
    assert (result.certificate, result.shape) == (None, None)
    assert set(result.to_dict()["certificates"]) == {2, 3}
    assert "label 3 convex" in repr(result)
    assert result.plot().size[0] > 300


def test_one_shape_among_several_labels(three_things):
    image, scribbles, _ = three_things
    result = segment(image, scribbles, shape={3: ConvexShape(steps=(10,))})
    assert result.certificate
    assert np.array_equal(result.shape.mask, result.labels == 3)
    alone = segment(image, scribbles, shape={2: None, 3: None})
    assert not alone.certificates


def test_parts_without_scribbles_are_left_out_of_objects_without_shape(three_things):
    image, scribbles, truth = three_things
    second = image.copy()
    second[66:76, 5:15] = (0.1, 0.2, 0.9)
    common = {"shape": {2: "convex", 3: "convex"}, "unify": "sequential"}
    everything, vouched = (segment(second, scribbles, components=c, **common) for c in ("all", "scribbled"))
    assert (everything.labels[66:76, 5:15] == 5).mean() > 0.9
    assert not (vouched.labels[66:76, 5:15] == 5).any()
    assert iou(vouched.labels == 5, truth[5]) > 0.85
    assert all(np.array_equal(vouched.shapes[k].mask, vouched.labels == k) for k in (2, 3))


def test_a_mapping_of_one_object_is_the_shape_itself(two_blobs):
    image, scribbles, _ = two_blobs
    first, second = (segment(image, scribbles, shape=shape) for shape in ({2: "convex"}, "convex"))
    assert np.array_equal(first.labels, second.labels)
    assert first.certificates == {2: second.certificate}


def test_random_scenes_never_overlap_and_keep_their_seeds():
    fitted_scenes, conflicts = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shape = (4, 5, 6) if seed % 4 == 0 else (14, 17)
        u = rng.random((4, *shape)) ** 2
        seeds = np.zeros(shape, int)
        for k in range(1, 5):
            for index in rng.integers(0, shape, (rng.integers(1, 3), len(shape))):
                seeds[tuple(index)] = k
        if len(np.unique(seeds)) < 5:
            continue
        scene = Scene(u[0][..., None], seeds, (1, 2, 3, 4), (1.0,) * len(shape), np.ones(shape, bool))
        shapes = dict.fromkeys((1, 2, 3) if seed % 2 else (1, 3), ConvexShape((8,), steps=(5,)))
        try:
            check(shapes, scene)
            index, fitted = fit(shapes, scene, u)
        except ScribbleConflictError:
            conflicts += 1
            continue
        fitted_scenes += 1
        assert (index[seeds > 0] == seeds[seeds > 0] - 1).all()
        for k, part in fitted.items():
            assert certify_convexity(part.mask)
            assert np.array_equal(part.mask, index == k)
    assert fitted_scenes > 6
    assert conflicts > 0


def test_hulls_are_separated_exactly_where_they_can_be():
    for seed in range(300):
        rng = np.random.default_rng(seed)
        masks = np.zeros((2, 7, 8), bool)
        for mask in masks:
            for row, column in rng.integers(0, (7, 8), (rng.integers(1, 4), 2)):
                mask[row, column] = True
        normals, low, high = separating_normals(*masks)
        # Every line through two of the points, moved and turned by less than a pixel, is among those of large normals.
        every = np.array([n for n in itertools.product(range(-14, 15), repeat=2) if any(n)])
        below = (every @ np.argwhere(masks[0]).T).max(axis=1)
        above = (every @ np.argwhere(masks[1]).T).min(axis=1)
        assert bool(len(normals)) == bool((below < above).any())
        assert (low <= high).all()


def test_the_cheapest_line_is_taken():
    rng, seeds = np.random.default_rng(0), np.zeros((2, 9, 9), bool)
    seeds[0, 4, 1] = seeds[1, 4, 7] = True
    masks, costs = np.ones((2, 9, 9), bool), rng.normal(size=(2, 9, 9))
    parted = separated(tuple(masks), tuple(seeds), tuple(costs))
    best = np.inf
    along = np.indices((9, 9)).reshape(2, -1)
    for normal in itertools.product(range(-4, 5), repeat=2):
        side = (np.array(normal) @ along).reshape(9, 9)
        for offset in range(int(side[4, 1]), int(side[4, 7])):
            best = min(best, costs[0][side <= offset].sum() + costs[1][side > offset].sum())
    assert costs[0][parted[0]].sum() + costs[1][parted[1]].sum() == pytest.approx(best)
    assert not (parted[0] & parted[1]).any()
    assert np.array_equal(fill_hull(parted[0]), parted[0])


def test_crossing_objects_are_named(three_things):
    image, scribbles, _ = three_things
    crossed = scribbles.copy()
    crossed[20:60, 30], crossed[50, 15:50] = 3, 2
    crossed[crossed == 3] = 3
    with pytest.raises(ScribbleConflictError, match=r"hull|line between"):
        segment(image, crossed, shape={2: "convex", 3: "convex"})
    seeds = np.zeros((9, 9), int)
    seeds[0, 0] = seeds[1, 0] = 1
    seeds[2, 2] = seeds[6, 6] = 2
    seeds[3, 5] = seeds[5, 3] = 3
    scene = Scene(np.zeros((9, 9, 1)), seeds, (1, 2, 3), (1.0, 1.0), np.ones((9, 9), bool))
    with pytest.raises(ScribbleConflictError, match="of labels 2 and 3 have none, their hulls cross near"):
        check(dict.fromkeys((1, 2), ConvexShape()), scene)


@pytest.mark.parametrize(
    ("shape", "error", "match"),
    [
        ({4: "convex"}, InvalidParameterError, "got 4, which is no label of the scribbles"),
        ({1: "convex"}, InvalidParameterError, "got 1, which is the background"),
        ({"2": "convex"}, InvalidParameterError, "got '2'"),
        ({2: "round"}, InvalidParameterError, "shape must be one of"),
        ("convex", InvalidScribblesError, r"Name the objects that have it, e.g. shape=\{5: 'convex'\}"),
    ],
)
def test_bad_mappings_are_named(three_things, shape, error, match):
    with pytest.raises(error, match=match):
        segment(*three_things[:2], shape=shape)


def test_what_several_objects_cannot_do_is_named(three_things):
    image, scribbles, _ = three_things
    with pytest.raises(InvalidScribblesError, match="tells one object from the background, two labels"):
        segment(image, scribbles, shape={2: "convex", 3: "convex"}, unify="joint", predictor="fcn")
    with pytest.raises(InvalidScribblesError, match=r"needs a background \(label 1\)"):
        segment(image, np.where(scribbles == 1, 7, scribbles), shape={3: "convex"})
