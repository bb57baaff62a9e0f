"""Convex sets with a bounded number of pixels, against all convex sets of a small grid."""

import numpy as np
import pytest

from benchmarks._judges import is_convex, subsets
from varconvex import Segmentation, SizedShape, certify, project, segment
from varconvex.errors import InvalidParameterError, ScribbleConflictError
from varconvex.metrics import iou
from varconvex.shapes.sized import peeled


@pytest.fixture(scope="module")
def every():
    """All digitally convex, connected sets of a grid of 3 x 4 pixels: (n, 3, 4) bool."""
    masks = subsets(12).reshape(-1, 3, 4)
    return masks[[is_convex(mask) for mask in masks]]


def test_bounds_hold_and_little_is_lost_to_the_best_of_all(every):
    counts, excess = every.sum(axis=(1, 2)), []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        target = rng.random((3, 4)).astype(np.float32)
        least = int(rng.integers(1, 7))
        most = int(rng.integers(least, 12))
        fitted = SizedShape(least, most).fit(target)
        assert least <= fitted.mask.sum() <= most
        assert is_convex(fitted.mask)
        energies = (every * (1 - 2 * target)).sum(axis=(1, 2))
        excess.append(fitted.energy - energies[(counts >= least) & (counts <= most)].min())
    assert min(excess) > -1e-5
    assert np.mean(np.array(excess) < 1e-5) > 0.7
    assert np.mean(excess) < 0.1


@pytest.mark.parametrize("bounds", [{"most": 300}, {"least": 900}, {"least": 500, "most": 510}, {}])
def test_noisy_objects_with_strokes(bounds, rng):
    rows, columns = np.mgrid[:48, :56]
    target = np.clip(0.5 + (13 - np.hypot(rows - 24, columns - 28)) / 10 + rng.normal(0, 0.2, rows.shape), 0, 1)
    inside, outside = np.zeros((2, *rows.shape), bool)
    inside[20:28, 26], outside[24, 46:] = True, True
    fitted = SizedShape(**bounds).fit(target, inside=inside, outside=outside)
    assert bounds.get("least", 0) <= fitted.mask.sum() <= bounds.get("most", np.inf)
    assert fitted.certificate
    assert certify(fitted.mask)
    assert fitted.mask[inside].all()
    assert not fitted.mask[outside].any()
    free = project(target, "convex", inside=inside, outside=outside).mask
    if not bounds:
        np.testing.assert_array_equal(fitted.mask, free)
    assert iou(fitted.mask, free) > 0.5


def test_an_image_is_segmented_within_a_size_that_is_known(tmp_path, rng):
    rows, columns = np.mgrid[:50, :90]
    truth = np.hypot(rows - 25, columns - 28) < 14
    image = np.where(truth | (np.hypot(rows - 25, columns - 58) < 15), 0.7, 0.3) + rng.normal(0, 0.05, rows.shape)
    strokes = {"object": [(20, 26), (30, 30)], "background": [(2, 2), (2, 87)]}
    shape = SizedShape(most=450)
    for unify in ("joint", "sequential"):
        result = segment(image, strokes, shape=shape, unify=unify)
        assert result.certificate.convex
        assert 0 < result.mask.sum() <= 450
    result.save(tmp_path / "a.npz")
    np.testing.assert_array_equal(Segmentation.load(tmp_path / "a.npz").mask, result.mask)
    assert segment(image, strokes, shape="convex", unify="sequential").mask.sum() > 450


def test_what_cannot_be():
    nothing = np.zeros((6, 6), bool)
    apart, wall = nothing.copy(), nothing.copy()
    apart[0, 0] = apart[5, 5] = True
    wall[2] = True
    with pytest.raises(ScribbleConflictError, match="most=3") as caught:
        SizedShape(most=3).fit(np.ones((6, 6)), inside=apart)
    np.testing.assert_array_equal(caught.value.pixels, [[0, 0], [5, 5]])
    with pytest.raises(ScribbleConflictError, match="at least 25"):
        SizedShape(least=25).fit(np.ones((6, 6)), outside=wall)
    with pytest.raises(InvalidParameterError, match="36 pixels"):
        SizedShape(least=37).fit(np.ones((6, 6)))
    for bounds in ({"least": 0}, {"most": -1}, {"least": 5, "most": 4}, {"most": 2.5}):
        with pytest.raises(InvalidParameterError):
            SizedShape(**bounds)
    assert not SizedShape(least=5).fit(np.zeros((6, 6))).mask.any()


def test_extreme_points_go_the_dearest_first():
    cost = np.arange(25.0).reshape(5, 5)
    kept, nothing = np.ones((5, 5), bool), np.zeros((5, 5), bool)
    (less,) = peeled(kept, 20, cost, nothing)
    assert less.sum() == 20
    assert is_convex(less)
    assert not less[4, 4]
    assert kept.all()
    line = np.eye(3, dtype=bool)
    assert peeled(line, 1, np.ones((3, 3)), line) == []
