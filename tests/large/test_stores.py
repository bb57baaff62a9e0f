"""From stores to stores: paths, axes and spacings of files, strokes, and the command in the shell."""

import json

import numpy as np
import pytest

from varconvex import FileFormatError, InvalidParameterError, segment
from varconvex.cli import main
from varconvex.io import open_image, open_on_disk, read_labels
from varconvex.io.scribble_files import strokes_on_disk

zarr = pytest.importorskip("zarr")

STROKES = {"object": [[(45, 40), (50, 55)]], "background": [[(5, 5), (5, 70)], [(90, 10), (88, 100)]]}


def picture():
    """A disc: (96, 120, 3) uint8."""
    disc = np.hypot(*np.mgrid[-48:48, -50:70]) < 25
    noise = np.random.default_rng(5).normal(scale=20, size=(96, 120, 3))
    return np.clip(np.where(disc[..., None], (170, 90, 80), (90, 110, 130)) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def slide(tmp_path, monkeypatch):
    """An OME-Zarr image with channels first and a spacing, and its strokes; the process works beside them."""
    monkeypatch.chdir(tmp_path)
    axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space", "unit": "micrometer"} for a in "yx")]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 0.5]}]}
    told = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": [level]}]}
    group = zarr.open_group("slide.ome.zarr", mode="w", zarr_format=2, attributes=told)
    array = group.create_array("0", shape=(3, 96, 120), chunks=(1, 40, 50), dtype="uint8")
    array[...] = picture().transpose(2, 0, 1)
    features = [
        {"type": "Feature", "properties": {"label": name},
         "geometry": {"type": "MultiLineString", "coordinates": [[p[::-1] for p in line] for line in lines]}}
        for name, lines in STROKES.items()
    ]  # fmt: skip
    (tmp_path / "strokes.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return tmp_path


def test_a_path_is_an_image(slide):
    known = segment(picture(), STROKES, spacing=0.5)
    found = segment("slide.ome.zarr", STROKES)
    assert found.spacing == (0.5, 0.5)
    assert (found != known).mean() < 1e-3
    np.save("image.npy", picture())
    np.testing.assert_array_equal(segment(slide / "image.npy", STROKES), found)
    file = open_on_disk("slide.ome.zarr")
    assert (file.shape, file.channel_axis, file.unit) == ((96, 120, 3), -1, "µm")
    np.testing.assert_array_equal(file[10:30], picture()[10:30])


def test_the_command_goes_from_store_to_store(slide, capsys):
    command = ["segment", "slide.ome.zarr", "strokes.geojson", "-o", "labels.ome.zarr", "--memory", "1G", "-q"]
    assert main([*command, "--scratch", "scratch", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = open_image("labels.ome.zarr")
    assert found.spacing == (0.5, 0.5)
    assert found.unit == "µm"
    np.testing.assert_array_equal(found.array, segment("slide.ome.zarr", STROKES))
    assert told["labels"]["2"] == (found.array == 2).sum()
    labels = zarr.open_array("strokes.zarr", mode="w", shape=(96, 120), dtype="uint8")
    labels[45:50, 40:55], labels[5, 5:70] = 2, 1
    assert main(["segment", "slide.ome.zarr", "strokes.zarr", "-o", "labels.ome.zarr", "--memory", "1G", "-q"]) == 0
    assert (read_labels("labels.ome.zarr") == found.array).mean() > 0.98


def test_large_labels_have_a_pyramid(slide, monkeypatch):
    monkeypatch.setattr("varconvex.commands.on_disk._SMALL", 32)
    monkeypatch.setattr("varconvex.io.ome_zarr._LARGE_CHUNK", 16)
    assert main(["segment", "slide.ome.zarr", "strokes.geojson", "-o", "l.ome.zarr", "--memory", "1G", "-q"]) == 0
    full = open_image("l.ome.zarr").array
    for level, side in ((1, 2), (2, 4)):
        found = open_image("l.ome.zarr", level=level)
        np.testing.assert_array_equal(found.array, full[::side, ::side])
        assert found.spacing == (0.5 * side, 0.5 * side)
    assert not (slide / "l.ome.zarr" / "3").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["-o", "l.tif"], "written as OME-Zarr"),
        (["-o", "l.zarr", "--table", "t.csv"], "got --table"),
        (["-o", "l.zarr", "--frame", "1"], "got --frame"),
        (["-o", "l.zarr", "--shape", "hull"], "shape must be None"),
    ],
)
def test_options_of_images_in_memory_are_named(slide, capsys, options, match):
    assert main(["segment", "slide.ome.zarr", "strokes.geojson", "--memory", "1G", *options]) != 0
    assert match in capsys.readouterr().err


def test_files_that_are_read_as_a_whole_are_named(slide):
    from PIL import Image

    Image.fromarray(picture()).save("image.png")
    with pytest.raises(FileFormatError, match="which are read in parts"):
        open_on_disk("image.png")
    np.save("volume.npy", np.zeros((5, 6, 7)))
    with pytest.raises(FileFormatError, match="rows and columns, and channels at most"):
        open_on_disk("volume.npy")
    with pytest.raises(FileFormatError, match="does not exist"):
        segment("nothing.zarr", STROKES)
    ring = {"type": "Polygon", "coordinates": [[[1, 1], [5, 1], [5, 5], [1, 1]]]}
    (slide / "filled.json").write_text(
        json.dumps({"type": "Feature", "properties": {"label": "object"}, "geometry": ring})
    )
    with pytest.raises(FileFormatError, match="lines or points"):
        strokes_on_disk("filled.json")
    assert main(["segment", "slide.ome.zarr", "-o", "l.zarr", "--memory", "1G"]) != 0


def test_a_session_has_no_scratch():
    from varconvex import Session
    from varconvex.errors import UnknownKeywordError

    with pytest.raises(UnknownKeywordError, match="unknown keyword 'scratch'"):
        Session(picture(), scratch="x", channel_axis=-1)
    with pytest.raises(InvalidParameterError, match="memory must be a number of bytes"):
        segment(picture(), STROKES, memory=-3)
