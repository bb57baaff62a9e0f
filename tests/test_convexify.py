"""`convexify`: ids, types and pixels outside kept, nothing passed changed, bad label images named."""

import numpy as np
import pytest

from varconvex import Segmentation, convexify
from varconvex.cli import main
from varconvex.errors import (
    AxesWarning,
    InvalidImageError,
    InvalidParameterError,
    ShapeWarning,
    UnknownKeywordError,
    UnsupportedTypeError,
)

Y, X = np.mgrid[:50, :70]


def cells(ids=(1, 2), kind=np.int32):
    """Two discs, one with a dent."""
    labels = np.zeros(Y.shape, kind)
    labels[(np.hypot(Y - 25, X - 18) < 14) & ~(np.hypot(Y - 13, X - 18) < 5)] = ids[0]
    labels[np.hypot(Y - 25, X - 48) < 13] = ids[1]
    return labels


def spoilt(labels, rng):
    """Labels as a network gives them: dents, bumps and ragged outlines."""
    noisy = labels.copy()
    edge = (labels != np.roll(labels, 1, 0)) | (labels != np.roll(labels, 1, 1))
    for place in np.argwhere(edge)[rng.permutation(np.count_nonzero(edge))[:40]]:
        patch = np.hypot(*(np.indices(labels.shape).T - place).T) < rng.uniform(2, 4)
        if rng.random() < 0.7:
            noisy[patch] = 0
        else:
            noisy[patch & (noisy == 0)] = labels[patch].max()
    return noisy


@pytest.mark.parametrize(
    ("ids", "kind"),
    [((1, 2), np.int8), ((3, 200), np.uint8), ((5, 40_000), np.uint16), ((7, 2**32 - 1), np.uint32),
     ((7, 2**32 - 1), np.int64), ((2**31, 2**32 - 1), np.uint64), ((1, 2), ">i4"), ((9, 11), np.int16)],
)  # fmt: skip
def test_ids_are_kept_and_nothing_passed_changes(ids, kind):
    labels = cells(ids, kind)
    labels.flags.writeable = False
    before = labels.copy()
    result = convexify(labels)
    assert np.array_equal(labels, before)
    assert result.label_ids == (0, *ids)
    assert set(result.certificates) == set(ids)
    assert all(result.certificates.values())
    assert result.labels.dtype == np.min_scalar_type(max(ids))
    np.testing.assert_array_equal(result == ids[1], cells() == 2)
    assert (result.labels != labels).sum() == result.energy > 0
    np.testing.assert_array_equal(result.unconstrained, labels)


def test_labels_come_nearer_to_the_truth(rng):
    truth = np.zeros((120, 160), np.int32)
    y, x = np.mgrid[:120, :160]
    for k, (cy, cx, a, b) in enumerate(
        [(30, 30, 20, 14), (32, 62, 15, 17), (30, 110, 22, 24), (85, 40, 24, 19), (88, 100, 20, 30)], 1
    ):
        truth[(np.hypot((y - cy) / a, (x - cx) / b) < 1) & (truth == 0)] = k
    noisy = spoilt(truth, rng)

    def mean_iou(labels):
        pairs = [(labels == k, truth == k) for k in range(1, 6)]
        return np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs])

    assert mean_iou(convexify(noisy).labels) > mean_iou(noisy) + 0.01


def test_the_background_may_have_any_label():
    labels = cells((2, 9)) + (cells((2, 9)) == 0)
    result = convexify(labels, background=1)
    assert result.label_ids == (1, 2, 9)
    np.testing.assert_array_equal(result.mask, convexify(cells()).mask)


def test_pixels_outside_stay_outside():
    labels = cells()
    labels[:, 15:20] = -1
    result = convexify(labels)
    np.testing.assert_array_equal(result.labels < 0, labels < 0)
    assert all(result.certificates.values())
    assert result.labels.dtype == np.int8


def test_a_volume_and_its_spacing():
    labels = np.zeros((12, 30, 30), np.uint16)
    away = np.linalg.norm((np.indices(labels.shape).T - [6, 15, 15]) * [2.5, 1, 1], axis=-1).T
    labels[away < 11], labels[4:9, 12:17, 18:30] = 500, 0
    result = convexify(labels, spacing=(2.5, 1, 1))
    assert result.certificates[500].convex
    assert result.spacing == (2.5, 1, 1)
    assert result.table()[0]["volume"] == pytest.approx(2.5 * (result == 500).sum())


def test_the_result_is_saved_shown_and_exported(tmp_path):
    result = convexify(cells((5, 70_000)))
    result.save(tmp_path / "cells.npz")
    again = Segmentation.load(tmp_path / "cells.npz")
    np.testing.assert_array_equal(again.labels, result.labels)
    assert again.certificates == result.certificates
    assert again.label_ids == result.label_ids
    assert result.plot().size[0] > 100
    assert [row["convex"] for row in result.table()] == [True, True]
    result.export(tmp_path / "cells.geojson")
    assert set(result.polygons()) == {5, 70_000}
    assert "label 70000 convex" in repr(result)
    many = convexify(np.arange(64).reshape(8, 8).repeat(3, 0).repeat(3, 1))
    assert "63 of 63 objects certified>" in repr(many)


def test_a_result_of_ours_is_a_label_image():
    once = convexify(cells())
    twice = convexify(once)
    np.testing.assert_array_equal(once.labels, twice.labels)
    assert twice.energy == 0


def test_ten_thousand_labels():
    labels = np.arange(1, 10_001).reshape(100, 100).repeat(4, 0).repeat(4, 1)
    labels[::4] = 0
    result = convexify(labels)
    np.testing.assert_array_equal(result.labels, labels)
    assert len(result.certificates) == 10_000
    assert all(result.certificates.values())


def test_the_number_of_threads_changes_nothing(rng, monkeypatch):
    labels = spoilt(cells(), rng)
    first = convexify(labels).labels
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 1)
    np.testing.assert_array_equal(convexify(labels).labels, first)


@pytest.mark.parametrize(
    ("labels", "error", "match"),
    [
        (cells() > 0, InvalidImageError, r"integers, an id for each object; got a mask\. Number its parts first"),
        (cells() / 2, InvalidImageError, r"got float64\. Convert whole numbers by labels\.astype"),
        (np.zeros((9, 9), int), InvalidImageError, r"must hold an object; got the background, 0, everywhere"),
        (np.full((9, 9), -1), InvalidImageError, r"must hold an object"),
        (cells() - 3, InvalidImageError, r"-1 \(outside\) or ids from 0 to 2\^32 - 1; got values from -3 to -1"),
        (cells((1, 2**32), np.int64), InvalidImageError, r"to 4294967296\. Renumber"),
        (np.ones(9, int), InvalidImageError, r"labels must be 2-D or 3-D"),
        (np.ones((0, 9), int), InvalidImageError, r"labels must have pixels"),
        (np.full((9, 9), "a"), UnsupportedTypeError, r"labels must hold"),
        ("cells.tif", UnsupportedTypeError, r"labels must be an array of numbers; got the path"),
    ],
)
def test_what_is_no_label_image_is_named(labels, error, match):
    with pytest.raises(error, match=match):
        convexify(labels)


def test_other_bad_arguments():
    with pytest.raises(InvalidParameterError, match="background must be"):
        convexify(cells(), background=-2)
    with pytest.raises(InvalidParameterError, match="spacing"):
        convexify(cells(), spacing=(1, 2, 3))
    with pytest.raises(UnknownKeywordError, match="Did you mean 'background'"):
        convexify(cells(), backgruond=1)
    with pytest.warns(AxesWarning, match="taken as a volume"):
        convexify(np.ones((12, 15, 3), int))


def test_objects_in_pieces_are_remarked():
    labels = cells()
    labels[2:6, 60:70] = labels[40:50, 60:70] = labels[40:50, :6] = 1
    labels[np.hypot(Y - 25, X - 18) < 12] = 0
    with pytest.warns(ShapeWarning, match=r"objects should be nearly convex; 1 of 2 are not, label 1 least"):
        convexify(labels)


def test_the_command(tmp_path, capsys):
    np.save(tmp_path / "cells.npy", cells((5, 300)))
    files = ["--table", f"{tmp_path}/t.csv", "--figure", f"{tmp_path}/f.png"]
    assert main(["convexify", f"{tmp_path}/cells.npy", "-o", f"{tmp_path}/out.tif", *files, "--threads", "2"]) == 0
    assert "2 of 2 objects convex, none overlapping" in capsys.readouterr().out
    from varconvex.io import read_labels

    np.testing.assert_array_equal(read_labels(tmp_path / "out.tif"), convexify(cells((5, 300))).labels)
    np.save(tmp_path / "one.npy", np.where(cells() == 2, 40, 1))
    assert main(["convexify", f"{tmp_path}/one.npy", "-o", f"{tmp_path}/one.png", "--background", "1", "-q"]) == 0
    assert set(np.unique(read_labels(tmp_path / "one.png"))) == {1, 40}
    assert main(["convexify", f"{tmp_path}/cells.npy", "-o", f"{tmp_path}/out.jpg"]) == 2
