"""Files of the commands: own output is input, volumes are written, and what cannot be is refused before solving."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from varconvex import FileFormatError, Segmentation, segment
from varconvex.cli import main
from varconvex.io import open_image, read_labels, write_labels

ROWS, COLUMNS = np.mgrid[:30, :36]
DISC = np.hypot(ROWS - 15, COLUMNS - 18) < 9


@pytest.fixture
def files(tmp_path, monkeypatch):
    """An image, a volume with spacing and their scribbles; the process works beside them."""
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.chdir(tmp_path)
    image = (50 + 150 * DISC).astype(np.uint8)
    scribbles = np.zeros(DISC.shape, np.uint8)
    scribbles[15, 14:22], scribbles[1, 2:34] = 2, 1
    Image.fromarray(image).save("image.png")
    Image.fromarray(scribbles).save("scribbles.png")
    place = {"imagej": True, "resolution": (2.0, 2.0), "metadata": {"axes": "ZYX", "spacing": 3.0, "unit": "um"}}
    tifffile.imwrite("volume.tif", np.stack([image] * 6), **place)
    volume = np.zeros((6, *DISC.shape), np.uint8)
    volume[1] = scribbles
    np.save("volume.npy", volume)
    np.save("many.npy", np.where(scribbles == 2, 70000, scribbles.astype(int)) + 2 * (COLUMNS == 35))
    return tmp_path


SEGMENT = ["segment", "image.png", "scribbles.png", "-q"]
VOLUME = ["segment", "volume.tif", "volume.npy", "-q", "--tol", "1e-2"]


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.npy", "m.nii.gz", "m.ome.zarr"])
def test_own_output_is_input(files, name):
    if "nii" in name or "zarr" in name:
        pytest.importorskip("nibabel" if "nii" in name else "zarr")
    assert main([*SEGMENT, "-o", name]) == 0
    assert main(["project", name, "-o", "out.npy", "-q"]) == 0
    np.testing.assert_array_equal(np.load("out.npy") == 2, DISC)


def test_output_with_pixels_outside_is_input(files):
    write_labels("part.tif", np.where(ROWS < 26, 2, 1))
    assert main([*SEGMENT, "--mask", "part.tif", "-o", "inside.tif"]) == 0
    np.testing.assert_array_equal(open_image("inside.tif").array, 255 * DISC)
    assert main([*SEGMENT, "--mask", "part.tif", "-o", "inside.npy"]) == 0
    np.testing.assert_array_equal(np.load("inside.npy"), np.where(ROWS < 26, 1 + DISC, -1))
    assert main(["project", "inside.npy", "-o", "again.npy", "-q"]) == 0
    np.testing.assert_array_equal(np.load("again.npy") == 2, DISC)


def test_a_probability_that_was_written_is_given_and_projected(files):
    assert main([*SEGMENT, "-o", "m.npy", "--save-probability", "p.tif"]) == 0
    assert open_image("p.tif").array.dtype == np.float32
    assert main(["project", "p.tif", "-o", "out.npy", "-q", "--probability"]) == 0
    np.testing.assert_array_equal(np.load("out.npy") == 2, DISC)
    assert main([*SEGMENT, "-o", "again.npy", "--given", "p.tif"]) == 0
    np.testing.assert_array_equal(np.load("again.npy"), np.load("m.npy"))


def test_a_label_among_several(files, capsys):
    labels = np.ones(DISC.shape, np.uint16)
    labels[DISC], labels[:3] = 300, 9
    np.save("labels.npy", labels)
    assert main(["project", "labels.npy", "-o", "out.png", "-q"]) == 2
    assert "has 3 values: 1, 9, 300. Pass --label N, or --probability." in capsys.readouterr().err
    assert main(["project", "labels.npy", "-o", "out.png", "-q", "--label", "300"]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open("out.png")) == 255, DISC)


def test_a_volume_keeps_its_spacing(files, capsys):
    arguments = [*VOLUME, "-o", "out.tif", "--figure", "f.png", "--table", "t.csv", "--save", "r.npz", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["converged"]
    file = open_image("out.tif")
    np.testing.assert_array_equal(file.array, np.stack([255 * DISC] * 6))
    assert (file.spacing, file.unit) == (pytest.approx((3, 0.5, 0.5)), "µm")
    assert "µm³" in (files / "t.csv").read_text(encoding="utf-8")
    result = Segmentation.load("r.npz")
    assert result.spacing == pytest.approx((3, 0.5, 0.5))
    expected = segment(open_image("volume.tif").array, np.load("volume.npy"), spacing=(3, 0.5, 0.5), tol=1e-2)
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert main([*VOLUME, "-o", "out.tif", "--spacing", "7"]) == 0
    assert open_image("out.tif").spacing == pytest.approx((7, 7, 7))


def test_a_nifti_volume_keeps_its_affine(files):
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[0, -0.5, 0, 7], [0.5, 0, 0, -3], [0, 0, 3, 1.5], [0, 0, 0, 1]])
    volume = np.moveaxis(open_image("volume.tif").array, 0, -1)
    nibabel.save(nibabel.Nifti1Image(volume, affine), "volume.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.moveaxis(np.load("volume.npy"), 0, -1), affine), "scribbles.nii")
    arguments = ["segment", "volume.nii.gz", "scribbles.nii", "-q", "--tol", "1e-2", "--save-probability", "p.nii"]
    assert main([*arguments, "-o", "out.nii.gz", "--table", "t.csv"]) == 0
    for name in ("out.nii.gz", "p.nii"):
        image = nibabel.load(name)
        np.testing.assert_array_equal(image.affine, affine)
        assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(nibabel.load("out.nii.gz").dataobj, np.stack([1 + DISC] * 6, axis=-1))
    (row,) = csv.DictReader((files / "t.csv").read_text(encoding="utf-8").splitlines())
    assert float(row["volume"]) == pytest.approx(DISC.sum() * 6 * 0.75)
    assert row["unit"] == "mm³"
    assert main(["project", "out.nii.gz", "-o", "convex.nii", "-q"]) == 0
    np.testing.assert_array_equal(nibabel.load("convex.nii").affine, affine)


def test_outlines_of_the_command_are_those_of_the_mask(files):
    assert main([*SEGMENT, "-o", "m.png", "--outlines", "o.json"]) == 0
    found = json.loads((files / "o.json").read_text())
    assert found["images"][0]["file_name"] == "image.png"
    assert found["annotations"][0]["area"] == DISC.sum()


REFUSED = {
    "volume.png": ([*VOLUME, "-o", "volume.png"], "a volume needs a file that holds one"),
    "outlines": ([*VOLUME, "-o", "m.tif", "--outlines", "o.geojson"], "outlines are those of images"),
    "ending": ([*SEGMENT, "-o", "m.jpg"], "must end in .png"),
    "ending of a probability": ([*SEGMENT, "-o", "m.png", "--save-probability", "p.png"], "must end in .tif"),
    "ending of a table": ([*SEGMENT, "-o", "m.png", "--table", "t.txt"], "must end in .csv"),
    "folder": ([*SEGMENT, "-o", "folder.png"], "it is a folder"),
    "no folder": ([*SEGMENT, "-o", "m.png", "--figure", "no/f.png"], "no such folder"),
    "twice": ([*SEGMENT, "-o", "m.png", "--figure", "m.png"], "already an input or an output"),
    "an option's file": ([*SEGMENT, "-o", "mask.npy", "--mask", "mask.npy"], "already an input or an output"),
    "foreign zarr": ([*SEGMENT, "-o", "raw.zarr"], "holds something else"),
    "label": (["segment", "image.png", "many.npy", "-q", "-o", "m.png"], "labels up to 65535; got 70000"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_is_refused_before_solving(files, capsys, monkeypatch, case):
    if "zarr" in case:
        pytest.importorskip("zarr").open_group("raw.zarr", mode="w")
    (files / "folder.png").mkdir()
    np.save("mask.npy", DISC)
    before = sorted(files.iterdir())
    monkeypatch.setattr("varconvex.api.segment", None)
    arguments, match = REFUSED[case]
    assert main(arguments) == 2
    assert match in capsys.readouterr().err
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize("place", [1, 2])
def test_inputs_that_are_not_there_are_named(files, capsys, place):
    arguments = [*SEGMENT, "-o", "m.png"]
    arguments[place] = "nothing.png"
    assert main(arguments) == 2
    assert "nothing.png does not exist. Check the path." in capsys.readouterr().err


def test_transparent_pixels_are_told_of(files, capsys):
    opaque = np.where(COLUMNS > 2, 255, 0).astype(np.uint8)
    grey = np.asarray(Image.open("image.png"))
    Image.fromarray(np.dstack([grey, grey, grey, opaque])).save("alpha.png")
    assert main(["segment", "alpha.png", "scribbles.png", "-q", "-o", "m.png", "--max-iter", "200"]) == 0
    said = capsys.readouterr().err
    assert f"warning: {3 * 30} pixels of alpha.png are transparent" in said
    assert "name a mask: --mask FILE" in said


def test_an_error_of_the_system_is_a_sentence(files, capsys, monkeypatch):
    def fail(*arguments, **keywords):
        raise PermissionError(13, "Permission denied", "image.png")

    monkeypatch.setattr("varconvex.io.opening.open_image", fail)
    assert main([*SEGMENT, "-o", "m.png"]) == 2
    assert "error: [Errno 13] Permission denied: 'image.png'. Check the path" in capsys.readouterr().err


def test_labels_beyond_a_picture_are_written_elsewhere(files):
    assert main(["segment", "image.png", "many.npy", "-q", "-o", "m.tif", "--max-iter", "200"]) == 0
    assert {1, 70000} <= set(np.unique(read_labels("m.tif")))


def test_a_failure_while_writing_is_named_and_leaves_nothing(files, capsys, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    before = sorted(files.iterdir())
    assert main([*SEGMENT, "-o", "m.png", "--max-iter", "5"]) == 2
    assert "m.png cannot be written: the disk is full" in capsys.readouterr().err
    assert sorted(files.iterdir()) == before
    with pytest.raises(FileFormatError, match="the disk is full"):
        segment(np.arange(12.0).reshape(3, 4), {1: [(0, 0)], 2: [(2, 3)]}).plot("picture.png")
    assert sorted(files.iterdir()) == before
