"""`refine`: finer than interpolation, strokes held, shapes certified, label images kept apart, bad maps named."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, gaussian_filter

from varconvex import convexify, refine
from varconvex.cli import main
from varconvex.errors import (
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    ScribbleConflictError,
    UnknownKeywordError,
)
from varconvex.io import read_labels
from varconvex.metrics import boundary_f, iou
from varconvex.predictors.small_grid import resized

SIDE = 192
Y, X = np.mgrid[:SIDE, :SIDE]
ANGLE = np.arctan2(Y - 96, X - 92)
TRUTH = np.hypot(Y - 96, X - 92) < 52 + 8 * np.cos(3 * ANGLE) + 4 * np.sin(5 * ANGLE)
ROUND = np.hypot((Y - 96) / 1.2, X - 92) < 50


def picture(truth, seed=0):
    rng = np.random.default_rng(seed)
    image = np.where(truth[..., None], (0.6, 0.45, 0.4), (0.4, 0.5, 0.45))
    return gaussian_filter(image, (0.8, 0.8, 0)) + 0.04 * rng.standard_normal((*truth.shape, 3))


def coarse(truth, factor=4, blur=1.0, noise=0.8):
    share = resized(truth.astype(np.float32), tuple(n // factor for n in truth.shape))
    share = np.clip(gaussian_filter(share, blur), 0.01, 0.99)
    field = gaussian_filter(np.random.default_rng(3).standard_normal(share.shape), 1.0)
    return np.log(share / (1 - share)) + noise * field / field.std()


def linear(logits):
    return resized(logits.astype(np.float32), (SIDE, SIDE)) > 0


def test_outlines_are_finer_than_interpolated_ones():
    logits = coarse(TRUTH)
    result = refine(logits, picture(TRUTH), kind="logits")
    assert boundary_f(linear(logits), TRUTH, tolerance=2) < 0.85
    assert boundary_f(result.mask, TRUTH, tolerance=2) > 0.97
    assert result.label_ids == (1, 2)
    assert result.converged
    assert 0 <= result.relative_gap <= 1e-3
    assert result.dual <= result.energy
    assert set(result.seconds) >= {"prepare", "likelihood", "solve", "certify"}


def test_probabilities_are_logits_and_masks_are_sure_maps():
    logits, image = coarse(TRUTH), picture(TRUTH)
    probability = 1 / (1 + np.exp(-logits))
    first, second = refine(logits, image, kind="logits"), refine(probability, image)
    assert np.count_nonzero(first.mask != second.mask) < 5
    masks = [refine(mask, image).mask for mask in (logits > 0, np.where(logits > 0, 255, 0).astype(np.uint8))]
    np.testing.assert_array_equal(*masks)
    assert boundary_f(masks[0], TRUTH, tolerance=2) > 0.95


def test_a_mask_in_full_resolution():
    rng = np.random.default_rng(1)
    ragged = (
        np.hypot(Y - 96, X - 92)
        < 52
        + 8 * np.cos(3 * ANGLE)
        + 4 * np.sin(5 * ANGLE)
        + 2 * gaussian_filter(rng.standard_normal(TRUTH.shape), 2) / 0.14
    )
    result = refine(ragged, picture(TRUTH), reach=3)
    assert boundary_f(result.mask, TRUTH, tolerance=1) > boundary_f(ragged, TRUTH, tolerance=1) + 0.2


def test_an_image_that_says_nothing_changes_little():
    logits = coarse(TRUTH, noise=0.2)
    rng = np.random.default_rng(0)
    result = refine(logits, 0.5 + 0.1 * rng.standard_normal((SIDE, SIDE)), kind="logits")
    assert iou(result.mask, linear(logits)) > 0.97


def test_strokes_are_held():
    logits = coarse(TRUTH)
    strokes = np.zeros((SIDE, SIDE), int)
    strokes[20:26, 20:40], strokes[90:96, 60:100] = 2, 1
    result = refine(logits, picture(TRUTH), strokes, kind="logits")
    assert (result == 2)[strokes == 2].all()
    assert (result == 1)[strokes == 1].all()
    one = refine(logits, picture(TRUTH), {"object": [(22, 20), (22, 40)]}, kind="logits")
    assert one.mask[22, 20:40].all()
    assert (one.seeds == 2).any()


def test_convex_by_choice():
    logits = coarse(ROUND)
    strokes = {"object": [(96, 80), (96, 100)], "background": [(96, 158), (60, 158)]}
    for drawn in (None, strokes):
        result = refine(logits, picture(ROUND), drawn, "convex", kind="logits")
        assert result.certificate.convex
        assert iou(result.mask, ROUND) > 0.98
        assert result.energy >= result.dual
    with pytest.raises(ScribbleConflictError, match="hull"):
        refine(
            logits,
            picture(ROUND),
            {"object": [[(80, 80), (80, 100)], [(110, 80), (110, 100)]], "background": [(94, 90), (96, 90)]},
            "convex",
        )


def test_a_volume():
    z, y, x = np.indices((16, 40, 40))
    ball = np.sqrt((2 * (z - 8)) ** 2 + (y - 20) ** 2 + (x - 20) ** 2) < 12
    image = 0.3 + 0.4 * ball + 0.03 * np.random.default_rng(0).standard_normal(ball.shape)
    half = resized(ball.astype(np.float32), (8, 20, 20))
    result = refine(half, image, channel_axis=None, spacing=(2, 1, 1))
    assert iou(result.mask, ball) > iou(resized(half, ball.shape) > 0.5, ball)
    assert result.spacing == (2, 1, 1)


def cells():
    labels = np.zeros((SIDE, SIDE), np.int32)
    labels[np.hypot(Y - 60, X - 60) < 30] = 3
    labels[(np.hypot(Y - 60, X - 112) < 28) & (labels == 0)] = 70_000
    labels[np.hypot(Y - 140, X - 90) < 33] = 9
    return labels


def test_label_images_of_lower_resolution():
    labels = cells()
    image = picture(labels > 0)
    low = labels[2::4, 2::4].copy()
    low[8:12, 14:17] = 0  # a dent
    nearest = low.repeat(4, 0).repeat(4, 1)
    for shape in (None, "convex"):
        result = refine(low, image, shape=shape)
        assert result.label_ids == (0, 3, 9, 70_000)
        assert result.labels.dtype == np.uint32
        scores = [(iou(result == k, labels == k), iou(nearest == k, labels == k)) for k in (3, 9, 70_000)]
        assert all(ours > theirs for ours, theirs in scores)
        assert result.dual <= result.energy
        assert all(result.certificates.values())
        assert len(result.certificates) == (3 if shape else 0)
    assert result.plot().size[0] > 100


def test_convexify_by_the_image():
    labels = cells()
    image = picture(labels > 0)
    spoilt = np.zeros_like(labels)
    for k in (3, 9, 70_000):
        spoilt[binary_erosion(labels == k, iterations=2)] = k
    alone, seen = convexify(spoilt), convexify(spoilt, image)
    assert all(seen.certificates.values())
    assert seen.label_ids == (0, 3, 9, 70_000)
    assert np.mean(seen.labels == labels) > np.mean(alone.labels == labels)
    outside = spoilt.copy()
    outside[:, 150:] = -1
    found = convexify(outside, image)
    np.testing.assert_array_equal(found.labels < 0, outside < 0)
    with pytest.raises(InvalidImageError, match=r"labels must have the image's spatial shape \(192, 192\); got \(191"):
        convexify(spoilt[1:], image)


def test_an_object_that_the_image_contradicts_does_not_vanish():
    labels = np.zeros((SIDE, SIDE), np.int32)
    labels[40:44, 40:44], labels[100:160, 60:140] = 5, 8
    result = convexify(labels, picture(labels == 8))
    assert set(np.unique(result.labels)) == {0, 5, 8}


def test_nothing_that_is_passed_changes_and_answers_repeat():
    logits, image = coarse(ROUND), picture(ROUND)
    kept = logits.copy(), image.copy()
    logits.flags.writeable = image.flags.writeable = False
    masks = [refine(logits, image, shape="convex", kind="logits").mask for _ in range(2)]
    np.testing.assert_array_equal(*masks)
    np.testing.assert_array_equal(logits, kept[0])
    np.testing.assert_array_equal(image, kept[1])


def test_the_callback_stops():
    seen = []
    result = refine(coarse(TRUTH), picture(TRUTH), kind="logits", callback=lambda progress: seen.append(1) or True)
    assert result.status == "stopped"
    assert len(seen) >= 1


IMAGE = np.random.default_rng(0).random((40, 60))
FULL, BAR, MANY = np.ones((10, 15)), np.eye(10, 15), np.arange(150).reshape(10, 15)
STROKE = {2: [(1, 1), (2, 2)]}


@pytest.mark.parametrize(
    ("target", "more", "error", "match"),
    [
        (FULL * 3.0, {}, InvalidImageError, r"in \[0, 1\]; got values from 3 to 3\. Pass kind='logits'"),
        (BAR, {"kind": "logits"}, InvalidImageError, r"negative on the background; got values from 0 to 1"),
        (FULL * np.nan, {}, InvalidImageError, r"target must be finite.*Replace them by 0\.5"),
        (FULL < 0, {}, InvalidImageError, r"the map must have an object; got none"),
        (-FULL, {"kind": "logits"}, InvalidImageError, r"the map must have an object"),
        (np.eye(41, 60), {}, InvalidImageError, r"must not be finer than the image; got \(41, 60\)"),
        (BAR.T, {}, InvalidImageError, r"must have the image's proportions; got \(15, 10\).*padding"),
        (BAR[None], {}, InvalidImageError, r"2 spatial axes; got shape \(1, 10, 15\).*masks\[0\]"),
        (BAR.astype(int) - 1, {}, InvalidImageError, r"from 0 on; got values from -1 to 0\. Pass logits"),
        (BAR, {"kind": "odds"}, InvalidParameterError, r"kind must be"),
        (BAR, {"reach": 0}, InvalidParameterError, r"reach must be"),
        (BAR, {"alpha": -1}, InvalidParameterError, r"alpha must be"),
        (BAR, {"shape": "convx"}, InvalidParameterError, r"shape must be one of"),
        (MANY, {"shape": "hull"}, InvalidParameterError, r"label image's objects must be 'convex' or None"),
        (MANY, {"scribbles": STROKE}, InvalidScribblesError, r"got them with a label image of 149"),
        (BAR, {"scribbles": {3: [(1, 1)]}}, InvalidScribblesError, r"labels 1 \(background\) and 2.*got 3"),
        (BAR, {"scribbles": MANY}, InvalidScribblesError, r"spatial shape \(40, 60\); got \(10, 15\)"),
        (BAR, {"knd": 1}, UnknownKeywordError, r"Did you mean 'kind'"),
    ],
)  # fmt: skip
def test_bad_input_is_named(target, more, error, match):
    with pytest.raises(error, match=match):
        refine(target, IMAGE, **more)


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    logits, image = coarse(ROUND).astype(np.float32), (255 * np.clip(picture(ROUND), 0, 1)).astype(np.uint8)
    np.save("logits.npy", logits)
    np.save("image.npy", image)
    strokes = np.zeros((SIDE, SIDE), np.uint8)
    strokes[90:96, 60:100] = 2
    strokes[4:8, 4:180] = 1
    np.save("strokes.npy", strokes)
    files = ["logits.npy", "image.npy", "strokes.npy", "-o", "out.png", "--figure", "f.png", "--shape", "convex"]
    assert main(["refine", *files, "--kind", "logits", "-q"]) == 0
    expected = refine(logits, image, strokes, "convex", kind="logits")
    np.testing.assert_array_equal(read_labels("out.png") == 255, expected.mask)
    assert "certificate" in capsys.readouterr().out
    assert main(["refine", "logits.npy", "image.npy", "-o", "out.png", "-q"]) == 2
    assert "Pass --kind logits if that" in capsys.readouterr().err
    np.save("grey.npy", np.clip(255 / (1 + np.exp(-logits)), 0, 255).astype(np.uint8))
    assert main(["refine", "grey.npy", "image.npy", "-o", "p.npy", "-q", "--probability", "--threads", "2"]) == 0
    assert iou(np.load("p.npy") == 2, ROUND) > 0.97
    np.save("cells.npy", cells()[2::4, 2::4])
    np.save("picture.npy", picture(cells() > 0))
    assert main(["refine", "cells.npy", "picture.npy", "-o", "cells.tif", "--shape", "convex", "-q"]) == 0
    assert set(np.unique(read_labels("cells.tif"))) == {0, 3, 9, 70_000}
    np.save("full.npy", cells())
    assert main(["convexify", "full.npy", "--image", "picture.npy", "-o", "convex.tif", "-q"]) == 0
    np.testing.assert_array_equal(read_labels("convex.tif"), convexify(cells(), picture(cells() > 0)).labels)
