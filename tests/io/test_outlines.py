"""Outlines as other libraries read them: shapely, pycocotools, roifile with Pillow."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageDraw

from varconvex.errors import FileFormatError, MissingExtraError
from varconvex.io.outlines import write_outlines


@pytest.fixture
def labels():
    """Two objects, one in two parts and one with two holes, on label 1; and a label without pixels."""
    labels = np.ones((17, 23), np.int32)
    labels[2:7, 3:9] = labels[9:11, 1:3] = 2
    labels[4:15, 12:21] = 70000
    labels[6:9, 14:16] = labels[10, 18] = 1
    return labels


IDS = (2, 70000, 5)


def inside(shape, polygon):
    """Pixels whose centres are in a shapely polygon."""
    shapely = pytest.importorskip("shapely")
    rows, columns = np.indices(shape) + 0.5
    return shapely.contains_xy(polygon, columns, rows)


def test_geojson_is_read_by_shapely(tmp_path, labels):
    geometry = pytest.importorskip("shapely.geometry")
    write_outlines(tmp_path / "a.geojson", labels, IDS)
    found = json.loads((tmp_path / "a.geojson").read_text())
    assert found["type"] == "FeatureCollection"
    assert [feature["properties"]["label"] for feature in found["features"]] == [2, 70000]
    for feature in found["features"]:
        shape = geometry.shape(feature["geometry"])
        assert shape.is_valid
        np.testing.assert_array_equal(inside(labels.shape, shape), labels == feature["id"])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
@pytest.mark.parametrize("run_lengths", [False, True])
def test_coco_is_read_by_pycocotools(tmp_path, labels, run_lengths, capsys):
    tools = pytest.importorskip("pycocotools.coco")
    write_outlines(tmp_path / "a.json", labels, IDS, image_name="cells.png", run_lengths=run_lengths)
    data = tools.COCO(str(tmp_path / "a.json"))
    assert data.loadImgs([1])[0] == {"id": 1, "file_name": "cells.png", "height": 17, "width": 23}
    for annotation in data.loadAnns(data.getAnnIds()):
        mask = labels == annotation["category_id"]
        np.testing.assert_array_equal(data.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
        rows, columns = mask.nonzero()
        x, y, width, height = annotation["bbox"]
        assert (y, x, y + height - 1, x + width - 1) == (rows.min(), columns.min(), rows.max(), columns.max())
        assert isinstance(annotation["segmentation"], dict) == (run_lengths or annotation["category_id"] == 70000)
    assert len(data.getAnnIds()) == 2


def test_rois_are_read_by_roifile(tmp_path, labels):
    roifile = pytest.importorskip("roifile")
    write_outlines(tmp_path / "a.zip", labels, IDS)
    rois = roifile.roiread(tmp_path / "a.zip")
    assert [roi.name for roi in rois] == ["label 2 part 1", "label 2 part 2", "label 70000"]
    assert zipfile.ZipFile(tmp_path / "a.zip").testzip() is None
    canvas = {2: Image.new("1", (230, 170)), 70000: Image.new("1", (230, 170))}
    for roi in rois:
        points = [(10 * x, 10 * y) for x, y in roi.coordinates().tolist()]
        ImageDraw.Draw(canvas[int(roi.name.split()[1])]).polygon(points, fill=1, outline=0)
    for label, drawn in canvas.items():
        np.testing.assert_array_equal(np.asarray(drawn)[5::10, 5::10], labels == label)
    write_outlines(tmp_path / "a.roi", labels, (70000,))
    (roi,) = [roifile.roiread(tmp_path / "a.roi")]
    assert roi.name == "label 70000"
    with pytest.raises(FileFormatError, match=r"a \.roi file holds one part; got 3"):
        write_outlines(tmp_path / "b.roi", labels, IDS)


def test_what_cannot_be_written_is_refused(tmp_path, labels, monkeypatch):
    with pytest.raises(FileFormatError, match="outlines are those of images; got 3 axes"):
        write_outlines(tmp_path / "a.geojson", labels[None], IDS)
    with pytest.raises(FileFormatError, match=r"must end in \.geojson, \.json, \.roi, \.zip"):
        write_outlines(tmp_path / "a.svg", labels, IDS)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install roifile, or the extra imagej"):
        write_outlines(tmp_path / "a.zip", labels, IDS)
    assert not list(tmp_path.iterdir())
