"""Sets that are convex, or in one piece, in each frame: judged without the package, and frame by frame."""

import numpy as np
import pytest

from benchmarks._judges import keeps
from varconvex import ConnectedShape, ConvexShape, FramesShape, Segmentation, certify, project, segment
from varconvex.errors import InvalidImageError, InvalidParameterError, ScribbleConflictError

kinds = pytest.mark.parametrize("kind", ["convex", "connected"])


@kinds
@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 60), marks=pytest.mark.slow)], ids=["few", "many"])
def test_random_targets_keep_the_promise(kind, seeds):
    kept = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        target = rng.random(rng.integers(1, 12, 3)) ** rng.choice([0.5, 1, 2])
        inside, outside = rng.random((2, *target.shape)) < rng.choice([0, 0.03])
        outside &= ~inside
        try:
            fitted = FramesShape(kind).fit(target, inside=inside, outside=outside)
        except ScribbleConflictError:
            continue
        kept += 1
        assert keeps("frames", fitted)
        assert bool(fitted.certificate) == fitted.mask.any()
        assert not (inside & ~fitted.mask).any()
        assert not (outside & fitted.mask).any()
        assert fitted.energy == pytest.approx(float((1 - 2 * target.astype(np.float32))[fitted.mask].sum()), abs=1e-4)
        # No frame is farther from the target than its own fit.
        each = ConvexShape(steps=(0,)) if kind == "convex" else ConnectedShape()
        for t, frame in enumerate(target):
            own = each.fit(frame, inside=inside[t], outside=outside[t])
            np.testing.assert_array_equal(fitted.mask[t], own.mask)
    assert kept > len(seeds) / 4


@kinds
def test_g_is_the_mask_and_travels(kind, tmp_path):
    target = np.random.default_rng(1).random((4, 9, 11))
    target[2] = 0  # an empty frame
    fitted = FramesShape(kind).fit(target)
    pixels = np.argwhere(np.ones(target.shape, bool))
    np.testing.assert_array_equal((fitted(pixels) <= 0).reshape(target.shape), fitted.mask)
    assert not fitted.mask[2].any()
    finer = fitted.rasterize((8, 18, 22))
    assert certify(finer, "frames", kind=kind)
    assert abs(finer.sum() - 8 * fitted.mask.sum()) < 4 * fitted.mask.sum()
    result = project(target, FramesShape(kind))
    result.save(tmp_path / "a.npz")
    again = Segmentation.load(tmp_path / "a.npz")
    assert again.certificate == result.certificate
    np.testing.assert_array_equal(again.shape(pixels), result.shape(pixels))


def test_a_film_is_segmented():
    rng = np.random.default_rng(0)
    t, rows, columns = np.mgrid[:6, :40, :48]
    truth = np.hypot((rows - 18 - t) / 1.2, columns - 16 - 3 * t) < 9
    image = np.where(truth, 0.7, 0.3) + rng.normal(scale=0.1, size=truth.shape)
    image[:, 15:18, 20:24] = 0.3  # a dent that does not move with the object
    strokes = np.zeros(truth.shape, int)
    strokes[0, 14:22, 16], strokes[5, 19:27, 31] = 2, 2
    strokes[:, 1, 2:46] = 1
    free, held = segment(image, strokes), segment(image, strokes, shape="frames")
    assert held.certificate
    assert not certify(free.mask, "frames")
    assert held.mask[strokes == 2].all()
    both, either = (held.mask & truth).sum(), (held.mask | truth).sum()
    assert both / either > 0.9


def test_strokes_that_no_frame_can_hold_are_named():
    inside, outside = np.zeros((2, 3, 8, 8), bool)
    inside[1, 4, [1, 6]], outside[1, 4, 3] = True, True
    with pytest.raises(ScribbleConflictError, match="frame 1") as caught:
        FramesShape().fit(np.full((3, 8, 8), 0.4), inside=inside, outside=outside)
    np.testing.assert_array_equal(caught.value.pixels, [[1, 4, 3]])
    joined = FramesShape("connected").fit(np.full((3, 8, 8), 0.4), inside=inside, outside=outside)
    assert joined.certificate
    assert not joined.mask[[0, 2]].any()


def test_bad_calls():
    with pytest.raises(InvalidParameterError, match="kind"):
        FramesShape("star")
    with pytest.raises(InvalidImageError, match="three dimensions"):
        FramesShape().fit(np.ones((4, 4)))
    strokes = {"object": [(4, 4)], "background": "border"}
    for unify in ("sequential", "joint"):
        with pytest.raises(InvalidImageError, match="three dimensions"):
            segment(np.eye(9), strokes, shape="frames", unify=unify)
        with pytest.raises(InvalidImageError, match="two dimensions"):
            segment(
                np.indices((9, 9, 9))[0], {"object": [(4, 4, 4)], "background": "border"}, shape="ellipse", unify=unify
            )
    with pytest.raises(InvalidImageError, match="stack them"):
        certify(np.ones((4, 4), bool), "frames")
    with pytest.raises(InvalidParameterError, match="kind"):
        certify(np.ones((2, 4, 4), bool), "frames", kind="star")
    broken = np.ones((2, 5, 5), bool)
    broken[1, 2, 2] = False
    assert certify(broken, "frames").pixels == ((1, 2, 2),)
    assert certify(broken, "frames", kind="connected")
    assert not certify(np.zeros((2, 3, 3), bool), "frames")
