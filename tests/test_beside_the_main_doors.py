"""Public functions beside the main ones: what they cannot use is named, as everywhere, and is not taken in silence."""

import os
import sys

import numpy as np
import pytest

from varconvex import ICNN, ChanVese, KConvexShape, pdhg_batch, project, shapes
from varconvex.batch import run
from varconvex.batch.table import read_table
from varconvex.datasets import fetch, list_convexity, list_folder, list_samples
from varconvex.errors import (
    AxesWarning,
    FileFormatError,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    UnsupportedTypeError,
    VarconvexError,
)
from varconvex.geometry import Outline, keep_scribbled, least_outline
from varconvex.io import check_outputs, open_image, write_labels, write_probability, write_whole

SHAPES = (
    "HullShape", "ConvexShape", "PolygonShape", "EllipseShape", "RectangleShape", "StarShape", "ConnectedShape",
    "SymmetricShape", "KConvexShape",
)  # fmt: skip
BAD_POINTS = [
    (3, InvalidParameterError), ("ab", UnsupportedTypeError), ([1, 2], InvalidParameterError),
    ([[1, 2, 3]], InvalidParameterError), ([[np.nan, 1]], InvalidImageError), ([[1e300, 0]], InvalidParameterError),
    ([[1j, 2]], UnsupportedTypeError), ([[1], [1, 2]], UnsupportedTypeError), ([[2**62, 0]], InvalidParameterError),
]  # fmt: skip
MASK = np.zeros((9, 12), bool)
MASK[2:7, 3:10] = True
NOWHERE = np.zeros_like(MASK)
ONE = NOWHERE.copy()
ONE[4, 6] = True


def flat(points, normals):
    """One nat a pixel of boundary."""
    return np.ones(np.broadcast_shapes(points.shape, normals.shape)[:-1])


@pytest.mark.parametrize("name", SHAPES)
def test_points_of_fitted_shapes(name):
    shape = getattr(shapes, name)()
    for fitted in (shape.fit(MASK), shape.fit(MASK * 0.0)):
        pixels = np.argwhere(MASK | True)
        expected = (fitted(pixels) <= 0).reshape(MASK.shape)
        np.testing.assert_array_equal((fitted(pixels.tolist()) <= 0).reshape(MASK.shape), expected)
        assert len(fitted([])) == 0
        for points, error in BAD_POINTS:
            with pytest.raises(error, match=r"points must .*; got .*\. "):
                fitted(points)
        assert (fitted([[1e15, -1e15], [3.5, 11], [-0.5, 2.25]]) > 0).all()


def test_points_and_parameters_of_a_network():
    network = ICNN.random(2, (3,), 1)
    theta = network.pack()
    for call in (network, network.value_and_slope):
        for points, error in BAD_POINTS:
            with pytest.raises(error, match=r"points must .*; got .*\. "):
                call(points)
    for call, match in [
        (lambda: network.unpack(3.0), r"the 15 parameters; got shape \(\)"),
        (lambda: network.unpack(theta[:1]), r"the 15 parameters; got shape \(1,\)"),
        (lambda: network.compose([1, 2, 3], [0, 0]), r"scale must have the shape \(2\); got \(3,\)"),
        (lambda: network.compose(1, [0, 0]), r"scale must have the shape \(2\); got \(\)"),
        (lambda: network.compose([1, 2], [0, np.inf]), "shift must be finite"),
        (lambda: ICNN.random(2, random_state="x"), "random_state must be a number"),
        (lambda: ICNN.from_layers([(1, 2)]), "layers must be .* Pass those of `copied_layers`"),
        (lambda: ICNN.from_half_spaces(np.zeros((0, 2)), [], 1), r"normals must have the shape \(n, n\)"),
        (lambda: ICNN.from_half_spaces([[1, 0]], [1, 2], 1), r"offsets must have the shape \(1\)"),
        (lambda: ICNN.from_half_spaces([[1, 0]], [1], 0), "margin must be"),
        (lambda: ICNN.from_half_spaces([[1, 0], [0, 1]], [1, 1], 1, (1,)), "hidden must begin with at least 2"),
    ]:
        with pytest.raises(VarconvexError, match=match):
            call()
    np.testing.assert_array_equal(network.pack(), theta)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"cost": "a"}, UnsupportedTypeError, "cost must"), ({"cost": np.zeros((2, 3, 4))}, InvalidImageError, "2-D"),
        ({"cost": np.where(ONE, np.nan, 0)}, InvalidImageError, "cost must be finite"),
        ({"inside": NOWHERE}, InvalidScribblesError, "inside must hold a pixel"),
        ({"inside": ONE[1:]}, InvalidImageError, "inside must have the spatial shape"),
        ({"outside": ONE * 2}, InvalidImageError, "outside must be boolean"),
        ({"boundary_cost": 1.0}, InvalidParameterError, "must be a function of points and normals"),
        ({"boundary_cost": lambda p, n: p + n}, InvalidParameterError, "a number for each point"),
        ({"boundary_cost": lambda p, n: np.nan}, InvalidImageError, "must be finite"),
        ({"boundary_cost": lambda p, n: "a"}, UnsupportedTypeError, "what boundary_cost returns must"),
    ],
)  # fmt: skip
def test_arguments_of_the_least_outline(change, error, match):
    given = {"cost": np.where(MASK, -1.0, 1.0), "boundary_cost": flat, "inside": ONE, "outside": NOWHERE}
    with pytest.raises(error, match=match):
        least_outline(**given | change)
    given["boundary_cost"] = lambda points, normals: 1.0  # broadcasts
    np.testing.assert_array_equal(least_outline(**given).mask, least_outline(**given | {"boundary_cost": flat}).mask)


@pytest.mark.parametrize("corners", [np.zeros((1, 1, 1, 2)), [[0, 0], [1, 1], [2, 2]], [], [[np.inf, 0]]])
def test_corners_that_make_no_polygon_do_not_end_the_process(corners):
    with pytest.raises(VarconvexError, match=r"(corners|points) must"):
        Outline(corners, (5, 5), 0.0)


def test_scribbled_parts_of_label_images_only():
    index = np.array([[1, 0, 1], [0, 2, 0]])
    seeds = np.array([[2, 0, 0], [0, 2**40 + 1, 0]])
    np.testing.assert_array_equal(keep_scribbled(index.tolist(), seeds), [[1, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(keep_scribbled(np.where(index == 2, 2**40, index), seeds)[1], [0, 2**40, 0])
    np.testing.assert_array_equal(keep_scribbled(index, seeds, besides={1: None}), index)
    for args, match in [
        ((index, seeds[:1]), "integers of one shape"), ((index * 1.0, seeds), "integers of one shape"),
        ((index, seeds, 3), "besides must be a sequence"), ((index, seeds, "a"), "besides must be a sequence"),
        (("a", seeds), "index must"), ((index[0], seeds), "index must be 2-D or 3-D"),
    ]:  # fmt: skip
        with pytest.raises(VarconvexError, match=match):
            keep_scribbled(*args)


@pytest.mark.parametrize("write", [3, None, "text", b"bytes"])
def test_what_writes_is_a_function(tmp_path, write):
    with pytest.raises(InvalidParameterError, match="write must be a function of a binary file; got"):
        write_whole(tmp_path / "a", write)
    assert not list(tmp_path.iterdir())


PATHS = ["x" * 5000, "a/" + "y" * 300, "[" + "z" * 300, "a\0b", "\ud800", b"\xff\0"]


@pytest.mark.skipif(sys.platform == "win32", reason="other rules for names")
@pytest.mark.parametrize(
    "path", ["x" * 5000, "a/" + "y" * 300, "[" + "z" * 300, "a\0b", "\ud800", b"\xff\0"], ids=range(6)
)
def test_names_that_no_file_can_have(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    address = "file:///" + os.fsdecode(path).replace("/", "")
    for call in (
        list_samples, list_folder, list_convexity, open_image, read_table, lambda name: list_folder(tmp_path, name),
        lambda name: fetch("file:///etc/hostname", name), lambda _: fetch(address, tmp_path),
        lambda name: run(name, tmp_path / "out"), lambda name: run("a.png", name),
        lambda name: run("a.png", tmp_path / "out", scribbles=name),
        lambda name: run("a.png", tmp_path / "out", transfer="a.png", scribbles=name),
        lambda name: write_whole(name, lambda file: file.write(b"")),
    ):  # fmt: skip
        with pytest.raises(VarconvexError, match=r"; got|; \S+ (is not|does not exist|has)|cannot be"):
            call(path)


def test_paths_in_bytes_are_paths(tmp_path):
    labels = np.eye(3, dtype=int)
    for k, write in enumerate((write_labels, write_probability)):
        write(os.fsencode(tmp_path / f"{k}.tif"), labels)
        np.testing.assert_array_equal(open_image(os.fsencode(tmp_path / f"{k}.tif")).array, labels)


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8"])
@pytest.mark.parametrize("step", [5e-324, 1e-12, 2e-9, 4e8, 1e12, 1e300])
def test_sizes_of_pixels_are_kept_or_refused(tmp_path, dtype, step):
    path, largest = tmp_path / "a.tif", 2 ** {"u1": 3, "i4": 20, "i8": 40}[dtype]
    labels = np.array([[0, largest], [1, 0]])
    if not 1e-9 <= step <= 1e9:
        with pytest.raises(FileFormatError, match=r"may have sizes from 1e-09 to 1e\+09; got .* in another unit"):
            write_labels(path, labels, spacing=step)
        return
    write_labels(path, labels, spacing=(step, 2 * step))
    assert open_image(path).spacing == pytest.approx((step, 2 * step), rel=1e-6)


@pytest.mark.parametrize("given", [{"spacing": 1e-300}, {"affine": np.diag([1e90, 1e90, 1e90, 1])}])
def test_sizes_that_nifti_cannot_hold_are_refused(tmp_path, given):
    pytest.importorskip("nibabel")
    with pytest.raises(FileFormatError, match=r"may have sizes from 1e-12 to 1e\+12; got"):
        write_labels(tmp_path / "a.nii", np.eye(3, dtype=int), **given)


def test_one_call_gives_one_remark_about_axes():
    with pytest.warns(AxesWarning) as heard:
        project(np.ones((12, 15, 3), bool), "hull", inside=np.ones((12, 15, 3), bool))
    assert len(heard) == 1


def test_targets_beyond_float32_are_refused_without_a_foreign_warning():
    with pytest.raises(InvalidImageError, match=r"probabilities in \[0, 1\]; got values from 0.0 to inf"):
        KConvexShape().fit(np.where(MASK, 1e300, 0))
    assert KConvexShape().fit(MASK).mask.any()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: check_outputs(3, []), "outputs must be a list"),
        (lambda: check_outputs([], "a"), "inputs must be a list"),
        (lambda: check_outputs([("a.png",)], []), "outputs must be pairs"),
        (lambda: write_labels("a.png", MASK * 1, None), "colours must be a list; got None"),
        (lambda: write_probability("a.npy", MASK * 1e300), "probability must hold numbers of float32"),
        (lambda: pdhg_batch(np.array(2.0)), "energies must be several"),
        (lambda: ChanVese([], [0, 1], 1.0), "image must"),
        (lambda: ChanVese(MASK * 1.0, [], 1.0), "means must be"),
        (lambda: project(MASK, "hull").table(unit=np.arange(3)), "unit must be a text"),
        (lambda: project(MASK, "hull").plot(ax=3), "ax must be axes of matplotlib; got int"),
    ],
)  # fmt: skip
def test_lists_units_and_axes(tmp_path, monkeypatch, call, match):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VarconvexError, match=match):
        call()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of Unix")
def test_a_table_that_is_a_pipe_or_a_folder_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name, match in [("pipe", "is a pipe or a device"), ("folder", "is not one"), ("none", "does not exist")]:
        with pytest.raises(FileFormatError, match=f"a table in UTF-8 was expected; .*{match}"):
            read_table(tmp_path / f"{name}.csv")
