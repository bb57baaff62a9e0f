"""The promises of star, connected, ellipse and rectangle, judged without the package, on random targets and strokes."""

import json
import pickle

import numpy as np
import pytest

from benchmarks._judges import has_holes, is_connected, is_star, keeps, parent
from varconvex import (
    ConnectedShape,
    EllipseShape,
    KConvexShape,
    RectangleShape,
    RotationalShape,
    Segmentation,
    StarShape,
    SymmetricShape,
    certify,
    project,
    segment,
)
from varconvex.errors import InvalidParameterError, ScribbleConflictError, UnknownKeywordError
from varconvex.metrics import iou

SHAPES = {
    "star": StarShape(), "connected": ConnectedShape(), "solid": ConnectedShape(holes=False),
    "ellipse": EllipseShape(), "rectangle": RectangleShape(), "symmetric": SymmetricShape(), "two": KConvexShape(2),
    "rotational:2": RotationalShape(2), "rotational:5": RotationalShape(5),
}  # fmt: skip
named = pytest.mark.parametrize("name", SHAPES)


def random_target(rng, ndim=2):
    size = tuple(rng.integers(1, 15 if ndim == 2 else 6, ndim))
    values = rng.random(size)
    return values if rng.random() < 0.5 else (values < rng.random()).astype(float)


@named
@pytest.mark.parametrize("strokes", [0.0, 0.06])
@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 80), marks=pytest.mark.slow)], ids=["few", "many"])
def test_random_targets_keep_the_promise(name, strokes, seeds):
    shape, kept = SHAPES[name], 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        target = random_target(rng, 2 + (seed % 3 == 0 and 3 in shape.dimensions))
        inside, outside = rng.random((2, *target.shape)) < strokes
        outside &= ~inside
        try:
            fitted = shape.fit(target, inside=inside, outside=outside, random_state=seed)
        except ScribbleConflictError:
            continue
        kept += 1
        wanted = inside.any() or ((target > 0.5) & ~outside).any()
        assert fitted.mask.any() == wanted
        assert not wanted or keeps(name, fitted)
        assert bool(fitted.certificate) == wanted
        assert not (inside & ~fitted.mask).any()
        assert not (outside & fitted.mask).any()
        assert fitted.energy == pytest.approx(float((1 - 2 * target.astype(np.float32))[fitted.mask].sum()), abs=1e-4)
    assert kept > len(seeds) / 4


@named
def test_the_levels_of_g_at_the_pixels_are_the_mask(name):
    rng = np.random.default_rng(4)
    for ndim in SHAPES[name].dimensions:
        target = rng.random((11, 9, 7)[:ndim])
        fitted = SHAPES[name].fit(target)
        pixels = np.argwhere(np.ones(target.shape, bool))
        assert np.array_equal((fitted(pixels) <= 0).reshape(target.shape), fitted.mask)
        assert np.array_equal(fitted.rasterize(target.shape), fitted.mask)
        again = pickle.loads(pickle.dumps(fitted))
        points = rng.uniform(-3, 12, (40, ndim))
        assert np.array_equal(again(points), fitted(points))
        assert fitted.n_filled == 0
        finer = fitted.rasterize(tuple(2 * n for n in target.shape))
        assert abs(finer.sum() - 2**ndim * fitted.mask.sum()) < 0.5 * 2**ndim * fitted.mask.sum()


def test_each_level_of_a_star_is_a_star_and_each_level_of_a_piece_a_piece():
    rng = np.random.default_rng(0)
    target = np.pad(rng.random((24, 30)), 6) + 0.2 * (np.hypot(*np.mgrid[-18:18, -21:21]) < 12)
    for name, judge in (("star", is_star), ("connected", lambda mask, centre: is_connected(mask))):
        fitted = SHAPES[name].fit(np.clip(target, 0, 1))
        values = np.unique(fitted.levels)
        assert len(values) > 8
        assert all(judge(fitted.levels <= t, getattr(fitted, "centre", None)) for t in values)
    assert is_connected(fitted.rasterize((60, 60)))


@named
def test_a_result_travels(name, tmp_path):
    rows, columns = np.mgrid[:40, :50]
    mask = np.hypot(rows - 20, columns - 24) < 12
    mask[4:7, 4:7] = True
    result = project(mask, SHAPES[name])
    assert result.certificate
    assert not hasattr(result.certificate, "convex")
    result.save(tmp_path / "a.npz")
    again = Segmentation.load(tmp_path / "a.npz")
    assert again.certificate == result.certificate
    assert np.array_equal(again.shape.mask, result.shape.mask)
    points = np.random.default_rng(0).uniform(0, 40, (30, 2))
    assert np.array_equal(again.shape(points), result.shape(points))
    told = json.loads(json.dumps(result.to_dict()))["certificate"]
    assert (told["shape"], told["holds"]) == (result.certificate.shape, True)
    assert result.table()[0]["n_pixels"] == result.mask.sum()
    assert f"{result.certificate.shape}: " in repr(result)


@named
@pytest.mark.parametrize("unify", ["joint", "sequential"])
def test_an_image_is_segmented(name, unify, two_blobs):
    image, scribbles, _ = two_blobs
    result = segment(image, scribbles, shape=SHAPES[name], unify=unify, max_iter=300)
    assert result.certificate
    assert result.mask[scribbles == 2].all()
    assert not result.mask[scribbles == 1].any()


def test_a_flower_by_name():
    rows, columns = np.mgrid[-40:41, -40:41]
    flower = np.hypot(rows, columns) < 24 + 9 * np.cos(5 * np.arctan2(rows, columns))
    noisy = np.clip(0.25 + 0.5 * flower + np.random.default_rng(0).normal(scale=0.15, size=flower.shape), 0, 1)
    strokes = {"object": [(36, 36), (44, 44)], "background": "border"}
    star, convex = (segment(noisy, strokes, shape=name) for name in ("star", None))
    assert iou(star.mask, flower) > 0.97
    assert iou(star.mask, flower) >= iou(convex.mask, flower) - 0.005


def test_messages_of_conflicts():
    inside, outside = np.zeros((2, 9, 9), bool)
    inside[4, 1] = inside[4, 7] = True
    outside[:, 4] = True
    target = np.full((9, 9), 0.4)
    for name, told in {
        "star": "sees all of them", "connected": "way between all its strokes",
        "ellipse": "leave no room", "rectangle": "within the smallest one",
    }.items():  # fmt: skip
        with pytest.raises(ScribbleConflictError, match=told) as caught:
            SHAPES[name].fit(target, inside=inside, outside=outside)
        assert len(caught.value.pixels)
    with pytest.raises(ScribbleConflictError, match="scribbled as both"):
        ConnectedShape().fit(target, inside=inside, outside=inside)
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    ring, middle = np.pad(ring, 3), np.pad(~ring, 3) & np.pad(np.ones((3, 3), bool), 3)
    assert ConnectedShape().fit(target, inside=ring, outside=middle).certificate
    with pytest.raises(ScribbleConflictError, match="without holes cannot surround"):
        ConnectedShape(holes=False).fit(target, inside=ring, outside=middle)


def test_messages_of_parameters():
    target = np.zeros((5, 6))
    for wrong in (3, (1.5, 2), (1,), "ab", (1, 2, 3, 4)):
        with pytest.raises(InvalidParameterError, match="centre must be the indices of a pixel"):
            StarShape(centre=wrong)
    with pytest.raises(InvalidParameterError, match="one index an axis, 2 here"):
        StarShape(centre=(1, 2, 3)).fit(target)
    with pytest.raises(ScribbleConflictError, match="outside of the image"):
        StarShape(centre=(9, 9)).fit(target)
    inside, outside = np.zeros((2, 5, 6), bool)
    inside[2, 2], outside[0, 0] = True, True
    with pytest.raises(ScribbleConflictError, match="beside the object's strokes"):
        StarShape(centre=(4, 4)).fit(target, inside=inside)
    with pytest.raises(ScribbleConflictError, match="in a stroke of the background"):
        StarShape(centre=(0, 0)).fit(target, outside=outside)
    with pytest.raises(InvalidParameterError, match="holes must be"):
        ConnectedShape(holes="no")
    with pytest.raises(InvalidParameterError, match="positive integers"):
        StarShape().fit(target).rasterize((0, 3))
    for shape in (EllipseShape(), RectangleShape()):
        assert shape.fit(target).parameters == {}
        assert np.isinf(shape.fit(target)(np.zeros((1, 2)))).all()
        assert not shape.fit(target).rasterize((7, 8)).any()


def test_certificates_name_the_pixels():
    mask = np.zeros((7, 9), bool)
    mask[2:5, 2:7] = True
    assert certify(mask).pixels == ()
    assert certify(mask, "connected", holes=False, inside=mask)
    mask[3, 4] = False
    assert certify(mask).pixels == ((3, 4),)
    assert certify(mask, "connected").holds
    assert certify(mask, "connected", holes=False).pixels == ((3, 4),)
    assert certify(mask, "connected", inside=np.ones((7, 9), bool)).pixels[0] == (0, 0)
    pixels = set(map(tuple, np.argwhere(mask).tolist()))
    unseen = tuple(sorted(p for p in pixels if parent(p, (3, 3)) not in pixels))
    assert certify(mask, "star", centre=(3, 3)).pixels == unseen
    assert (3, 5) in unseen
    assert (3, 4) in certify(mask, "star", centre=(3, 4)).pixels
    mask[0, 0] = True
    assert certify(mask, "connected").pixels == ((0, 0),)
    assert "violate" in str(certify(mask, "connected"))
    assert not certify(np.zeros((3, 3), bool), "connected")
    assert "empty" in str(certify(np.zeros((3, 3), bool), "star", centre=(1, 1)))
    assert not certify(mask, "ellipse", conic=(1, 2, 1, 0, 0, -1))  # a parabola
    assert not certify(mask, "rectangle", sides=(0, 0, 0, 0, 0, 0))
    assert certify(np.ones((2, 3), bool), "rectangle", sides=(2**70, 0, 0, 2**71, 0, 2**72))  # beyond 64 bits


def test_messages_of_certificates():
    mask = np.ones((3, 4), bool)
    with pytest.raises(InvalidParameterError, match=r"shape must be one of convex, .*; got 'round'"):
        certify(mask, "round")
    with pytest.raises(InvalidParameterError, match="centre must be 2 integers; got None"):
        certify(mask, "star")
    with pytest.raises(InvalidParameterError, match="centre must be a pixel of the mask"):
        certify(mask, "star", centre=(3, 0))
    with pytest.raises(InvalidParameterError, match="conic must be 6 integers"):
        certify(mask, "ellipse", conic=(0.5,) * 6)
    with pytest.raises(UnknownKeywordError, match=r"unknown keyword 'center'\. Did you mean 'centre'"):
        certify(mask, "star", center=(1, 1))


def test_holes_are_filled_or_opened():
    target = np.zeros((20, 30))
    target[2:18, 2:28] = 1
    inside, outside = np.zeros((2, 20, 30), bool)
    for width, way in ((2, "filled"), (4, "opened")):
        target[8 : 8 + width, 8 : 8 + width] = 0  # 4 pixels, or 16; 6 to the border
        found = SHAPES["solid"].fit(target).mask
        assert not has_holes(found)
        assert found[8:10, 8:10].all() == (way == "filled")
    outside[9, 9], inside[3, 3] = True, True
    opened = SHAPES["solid"].fit(target, inside=inside, outside=outside)
    assert not has_holes(opened.mask)
    assert opened.certificate
    assert not opened.mask[9, 9]
    # The thinnest place is 6 pixels wide, the whole costs nothing more.
    assert opened.energy == pytest.approx(-(target.sum() - 6), abs=1)
