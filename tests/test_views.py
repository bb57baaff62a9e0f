"""What a result says and shows of itself: outlines, tables, files for others, pictures."""

import csv
import html.parser
import json

import numpy as np
import pytest

from varconvex import FileFormatError, InvalidImageError, InvalidParameterError, Segmentation, Session, project, segment
from varconvex.io import open_image, read_image
from varconvex.plots import slices, summary
from varconvex.result import plain


@pytest.fixture(scope="module")
def image_result():
    """Two objects of different size, one with a convex shape, pixels of 0.5 x 0.25 units."""
    rows, columns = np.mgrid[:24, :40]
    image = (np.hypot(rows - 12, columns - 12) < 8) + 0.5 * (np.hypot(rows - 12, columns - 30) < 5)
    scribbles = np.zeros(image.shape, np.int64)
    scribbles[12, 9:15], scribbles[12, 28:32], scribbles[1, 2:38] = 2, 70000, 1
    return segment(image, scribbles, shape={2: "convex"}, spacing=(0.5, 0.25), tol=1e-2)


@pytest.fixture(scope="module")
def volume_result():
    """A box away from the volume's middle."""
    volume = np.zeros((10, 20, 30))
    volume[2:6, 3:9, 4:14] = 1
    scribbles = np.zeros(volume.shape, int)
    scribbles[3, 4:8, 5:13], scribbles[8, 15, 2:28] = 2, 1
    return segment(volume, scribbles, spacing=(3.0, 1.0, 1.0), tol=1e-2, channel_axis=None)


def test_the_spacing_is_kept(image_result, tmp_path):
    assert image_result.spacing == (0.5, 0.25)
    image_result.save(tmp_path / "r.npz")
    assert Segmentation.load(tmp_path / "r.npz").spacing == (0.5, 0.25)
    assert project(np.eye(5, dtype=bool)).spacing is None
    assert project(np.eye(5, dtype=bool), spacing=2).spacing == (2.0, 2.0)
    session = Session(np.arange(400.0).reshape(20, 20), spacing=(3, 1))
    session.add([(2, 2)], 1)
    session.add([(17, 17)], 2)
    assert session.result.spacing == (3.0, 1.0)


def test_the_table_is_what_can_be_counted(image_result):
    rows = image_result.table("µm")
    assert [row["label"] for row in rows] == [2, 70000]
    for row in rows:
        mask = image_result.labels == row["label"]
        assert row["n_pixels"] == mask.sum()
        assert row["area"] == pytest.approx(mask.sum() * 0.125)
        assert row["unit"] == "µm²"
        np.testing.assert_allclose([row["centroid_0"], row["centroid_1"]], np.argwhere(mask).mean(axis=0))
        assert row["n_components"] == 1
        assert row["integrality_gap"] == image_result.integrality_gap
    assert rows[0]["convex"]
    assert rows[0]["hull_share"] == 1
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_the_hull_share_is_that_of_the_hull():
    corner = np.zeros((12, 12), bool)
    corner[1:11, 1:3] = corner[9:11, 1:11] = True
    result = project(corner)
    apart = Segmentation(**{**vars(result), "labels": np.where(corner, 2, 1), "certificates": {}, "shapes": {}})
    (row,) = apart.table()
    morphology = pytest.importorskip("skimage.morphology")
    hull = morphology.convex_hull_image(corner, offset_coordinates=False)
    assert row["hull_share"] == pytest.approx(corner.sum() / hull.sum())
    assert row["convex"] is False


def test_an_empty_object_and_a_volume_have_rows(volume_result):
    (row,) = project(np.zeros((4, 5), bool)).table()
    assert (row["n_pixels"], row["area"], row["centroid_0"], row["hull_share"]) == (0, 0, None, None)
    (row,) = volume_result.table("mm")
    assert row["volume"] == 3 * volume_result.mask.sum()
    assert row["unit"] == "mm³"
    assert "centroid_2" in row


def test_outlines_are_by_label(image_result):
    assert image_result.polygons().keys() == {2, 70000} == image_result.contours().keys()
    for label, polygons in image_result.polygons().items():
        (outer,) = polygons[0]
        mask = image_result.labels == label
        y, x = outer[:, 0], outer[:, 1]
        assert abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2 == mask.sum()
        (curve,) = image_result.contours()[label]
        assert (curve.min(axis=0) == np.argwhere(mask).min(axis=0) - 0.5).all()


def test_a_volume_has_no_outlines(volume_result, tmp_path):
    for wanted in (volume_result.polygons, volume_result.contours):
        with pytest.raises(InvalidImageError, match="outlines are those of images; got a volume"):
            wanted()
    with pytest.raises(FileFormatError, match="outlines are those of images"):
        volume_result.export(tmp_path / "a.geojson")
    assert not list(tmp_path.iterdir())


def test_exports_by_their_ending(image_result, volume_result, tmp_path):
    for name in ("a.tif", "a.npy"):
        image_result.export(tmp_path / name, unit="µm")
        np.testing.assert_array_equal(open_image(tmp_path / name).array, image_result.labels)
    assert open_image(tmp_path / "a.tif").spacing == pytest.approx((0.5, 0.25))
    assert open_image(tmp_path / "a.tif").unit == "µm"
    image_result.export(tmp_path / "p.tif", "probability")
    np.testing.assert_array_equal(
        open_image(tmp_path / "p.tif", axes="cyx").array, np.moveaxis(image_result.probability, 0, -1)
    )
    volume_result.export(tmp_path / "v.tif", "mask", unit="mm")
    file = open_image(tmp_path / "v.tif")
    np.testing.assert_array_equal(file.array, 255 * volume_result.mask)
    assert (file.spacing, file.unit) == (pytest.approx((3, 1, 1)), "mm")
    image_result.export(tmp_path / "t.csv", unit="µm")
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as opened:
        (first, second) = csv.DictReader(opened)
    assert (first["label"], second["label"], first["unit"]) == ("2", "70000", "µm²")
    image_result.export(tmp_path / "o.geojson")
    assert len(json.loads((tmp_path / "o.geojson").read_text())["features"]) == 2
    for path, content, match in [
        ("a.png", None, "labels up to 65535; got 70000"),
        ("a.csv", "labels", "must end in .png"),
        ("a.png", "table", "must end in .csv"),
        ("a.png", "probability", "must end in .tif"),
    ]:
        with pytest.raises(FileFormatError, match=match):
            image_result.export(tmp_path / path, content)
    with pytest.raises(InvalidParameterError, match="content must be one of"):
        image_result.export(tmp_path / "a.png", "pixels")


def test_affine_and_ids_in_nifti(volume_result, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[0, -1.0, 0, 3], [2, 0, 0, 4], [0, 0, 3, 5], [0, 0, 0, 1]])
    volume_result.export(tmp_path / "a.nii.gz", affine=affine)
    image = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image.affine, affine)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), volume_result.labels)
    file = open_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(file.affine, affine)


def test_slices_go_through_the_objects(volume_result):
    views = slices(volume_result)
    middle = np.median(np.argwhere(volume_result.mask), axis=0).astype(int)
    for axis, (title, view) in enumerate(views):
        assert title == f"axis {axis}, slice {middle[axis]}: "
        np.testing.assert_array_equal(view.labels, volume_result.labels.take(middle[axis], axis))
        np.testing.assert_array_equal(view.image, volume_result.image.take(middle[axis], axis))
        np.testing.assert_array_equal(view.costs, volume_result.costs.take(middle[axis], axis + 1))
    assert [view.spacing for _, view in views] == [(1, 1), (3, 1), (3, 1)]


@pytest.mark.parametrize("spacing", [(1, 1), (1, 2), (2.5, 1), (1000, 1), (1, 1000)])
def test_pixels_have_their_proportions(spacing):
    rows, columns = np.mgrid[:40, :50]
    result = project(np.hypot(rows - 20, columns - 25) < 9, spacing=spacing)
    width, height = summary(result).size
    wanted = np.clip((50 * spacing[1]) / (40 * spacing[0]), 50 / 40 / 16, 50 / 40 * 16)
    assert width / height == pytest.approx(wanted, rel=0.05)
    assert max(width, height) <= 2000


def test_a_volume_has_pictures(volume_result, tmp_path):
    picture = volume_result.plot(tmp_path / "v.png")
    assert read_image(tmp_path / "v.png").shape[:2] == picture.size[::-1]
    assert picture.width > 800
    assert volume_result._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["image_result", "volume_result"])
def test_it_is_drawn_on_axes(name, request):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    result = request.getfixturevalue(name)
    figure, ax = pyplot.subplots()
    assert result.plot(ax=ax) is ax
    assert len(ax.lines) == len(result.label_ids) - 1
    assert ax.images[0].get_array().shape[:2] == slices(result)[0][1].labels.shape
    figure.canvas.draw()
    pyplot.close(figure)


def test_the_page_of_a_notebook_is_whole_html(image_result, volume_result):
    class Checker(html.parser.HTMLParser):
        """Keeps the stack of open tags."""

        def __init__(self):
            super().__init__()
            self.open, self.seen = [], []

        def handle_starttag(self, tag, attributes):
            self.seen.append(tag)
            if tag != "img":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    for result in (image_result, volume_result, project(np.zeros((3, 4), bool))):
        checker = Checker()
        checker.feed(result._repr_html_())
        assert not checker.open
        assert {"img", "table"} <= set(checker.seen)
    assert "label 70000" in image_result._repr_html_()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.bool_(True), True),
        (np.float32(np.nan), None),
        ({np.int64(3): np.uint8(2)}, {3: 2}),
        (np.array([[1.5, np.inf]]), [[1.5, None]]),
        ((np.int16(1), [np.float64(2)]), [1, [2.0]]),
    ],
)
def test_numbers_in_jsons_types(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)
