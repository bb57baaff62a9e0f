"""What is written comes back through other libraries: labels, spacing, affine; whole or not at all."""

import csv
import errno
import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from varconvex.errors import (
    FileFormatError,
    InvalidImageError,
    InvalidParameterError,
    MissingExtraError,
    UnsupportedTypeError,
)
from varconvex.io import open_image, whole
from varconvex.io.writing import (
    check_labels,
    check_outputs,
    write_labels,
    write_mask,
    write_picture,
    write_probability,
    write_table,
    write_text,
)

IDS = [(1, 2), (1, 255), (1, 256), (1, 65535), (1, 65536, 70000), (1, 2**32 - 1), (1, 2**32), (-1, 1, 2), (-1, 1, 300)]
PLACE = {"spacing": (2.5, 0.5, 0.325), "unit": "um"}
AFFINE = np.array([[0.0, -0.5, 0.0, 7.0], [0.25, 0.0, 0.0, -3.0], [0.0, 0.0, 2.0, 1.5], [0.0, 0.0, 0.0, 1.0]])


def label_image(ids, ndim, dtype=np.int64):
    shape = (4, 5, 6)[-ndim:]
    return np.random.default_rng(0).choice(np.array([*ids, 0], np.int64), shape).astype(dtype)


def read_tiff(path):
    tifffile = pytest.importorskip("tifffile")
    return tifffile.imread(path)


def read_nifti(path):
    nibabel = pytest.importorskip("nibabel")
    return np.asanyarray(nibabel.load(path).dataobj)


def read_zarr(path):
    zarr = pytest.importorskip("zarr")
    return zarr.open_group(path, mode="r")["0"][...]


READ = {
    "a.png": lambda path: np.asarray(Image.open(path)),
    "a.tif": read_tiff,
    "a.npy": np.load,
    "a.nii": read_nifti,
    "a.nii.gz": read_nifti,
    "a.ome.zarr": read_zarr,
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("ndim", [2, 3])
def test_labels_come_back(tmp_path, name, ndim):
    pytest.importorskip({"a.nii": "nibabel", "a.nii.gz": "nibabel", "a.ome.zarr": "zarr"}.get(name, "numpy"))
    for ids in IDS:
        labels = label_image(ids, ndim)
        before = labels.copy()
        expected = np.maximum(labels, 0) if name == "a.png" else labels
        path = tmp_path / name
        if name == "a.png" and (ndim == 3 or max(ids) > 65535):
            with pytest.raises(FileFormatError, match="a volume needs a file" if ndim == 3 else "labels up to 65535"):
                write_labels(path, labels)
            continue
        write_labels(path, labels, **{**PLACE, "spacing": PLACE["spacing"][-ndim:]})
        np.testing.assert_array_equal(READ[name](path), expected)
        np.testing.assert_array_equal(labels, before)
    assert [entry.name for entry in tmp_path.iterdir()] in ([name], [])


def test_a_tiff_file_has_the_spacing_that_others_read(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for dtype, ids in [(np.uint8, (1, 2)), (np.uint16, (1, 300)), (np.uint32, (1, 70000)), (np.int16, (-1, 1, 200))]:
        write_labels(tmp_path / "a.tif", label_image(ids, 3, dtype), **PLACE)
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            assert file.series[0].axes == "ZYX"
            assert file.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
            x, y = (file.pages[0].tags[f"{axis}Resolution"].value for axis in "XY")
            np.testing.assert_allclose([x[1] / x[0], y[1] / y[0]], [0.325, 0.5], rtol=1e-6)
            if file.is_imagej:
                assert (file.imagej_metadata["spacing"], file.imagej_metadata["unit"]) == (2.5, "um")
            else:
                assert 'PhysicalSizeZ="2.5"' in file.ome_metadata
                assert 'PhysicalSizeXUnit="µm"' in file.ome_metadata


def test_a_nifti_file_has_the_affine(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    labels = label_image((1, 2), 3)
    write_labels(tmp_path / "a.nii.gz", labels, affine=AFFINE, unit="mm", spacing=(9, 9, 9))
    image = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image.affine, AFFINE)
    np.testing.assert_allclose(image.header.get_zooms(), (0.25, 0.5, 2))
    assert image.header.get_xyzt_units()[0] == "mm"
    write_labels(tmp_path / "a.nii", labels, **PLACE)
    np.testing.assert_allclose(nibabel.load(tmp_path / "a.nii").header.get_zooms(), PLACE["spacing"])
    first = gzip.decompress((tmp_path / "a.nii.gz").read_bytes())
    write_labels(tmp_path / "a.nii.gz", labels, affine=AFFINE, unit="mm")
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes()) == first


def test_a_png_file_has_a_fine_spacing_only(tmp_path):
    labels = label_image((1, 2), 2)
    write_labels(tmp_path / "a.png", labels, spacing=(0.5, 0.325), unit="µm")
    found = open_image(tmp_path / "a.png")
    assert found.unit == "mm"
    assert found.spacing == pytest.approx((0.5e-3, 0.325e-3), rel=1e-4)
    np.testing.assert_array_equal(found.array, labels)
    for place in ({"spacing": (3.1, 3.1), "unit": "mm"}, {"spacing": (1, 1)}, {"spacing": 1, "unit": "furlong"}):
        write_labels(tmp_path / "a.png", labels, **place)  # not as whole numbers of pixels a metre
        assert open_image(tmp_path / "a.png").spacing is None


@pytest.mark.parametrize("name", ["a.tif", "a.nii", "a.ome.zarr"])
@pytest.mark.parametrize("unit", ["um", "µm", "micron", "mm", "nm", "cm", "m", "inch", "Å", None])
def test_units_come_back_as_the_same_length(tmp_path, name, unit):
    pytest.importorskip({"a.nii": "nibabel", "a.ome.zarr": "zarr"}.get(name, "numpy"))
    metres = {"um": 1e-6, "µm": 1e-6, "micron": 1e-6, "mm": 1e-3, "nm": 1e-9, "cm": 1e-2, "m": 1, "inch": 0.0254}
    metres["Å"] = 1e-10
    write_labels(tmp_path / name, label_image((1, 2), 3), spacing=(2.5, 0.5, 0.25), unit=unit)
    found = open_image(tmp_path / name)
    if unit is None:
        assert found.spacing == pytest.approx((2.5, 0.5, 0.25))
        return
    lengths = [step * metres[found.unit] for step in found.spacing]
    np.testing.assert_allclose(lengths, np.array([2.5, 0.5, 0.25]) * metres[unit], rtol=1e-5)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy", "a.nii", "a.ome.zarr"])
@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"spacing": 0}, InvalidParameterError, "spacing must be"),
        ({"spacing": (1, 2, 3)}, InvalidParameterError, "each of the 2 axes"),
        ({"spacing": "a"}, InvalidParameterError, "spacing"),
        ({"spacing": np.nan}, InvalidParameterError, "spacing"),
        ({"unit": 5}, InvalidParameterError, "unit must be a text"),
        ({"affine": np.eye(3)}, InvalidParameterError, "affine must be"),
        ({"affine": np.zeros((4, 4))}, InvalidParameterError, "affine must be"),
        ({"labels": np.ones(3, int)}, InvalidImageError, "labels must be"),
        ({"labels": np.ones((1, 2, 3, 4), int)}, InvalidImageError, "labels must be"),
        ({"labels": np.ones((0, 3), int)}, InvalidImageError, "labels must have pixels"),
        ({"labels": np.ones((2, 3))}, FileFormatError, "labels must be integers"),
        ({"labels": np.ones((2, 3), complex)}, UnsupportedTypeError, "labels must hold"),
    ],
)
def test_what_has_no_form_in_a_file(tmp_path, name, change, error, match):
    pytest.importorskip({"a.nii": "nibabel", "a.ome.zarr": "zarr"}.get(name, "numpy"))
    given = {"labels": label_image((1, 2), 2), **change}
    with pytest.raises(error, match=match):
        write_labels(tmp_path / name, given.pop("labels"), **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda labels: labels.astype(">u2"),
        lambda labels: labels.astype(np.uint64),
        np.asfortranarray,
        lambda labels: labels[::-1, ::-1],
        lambda labels: labels.repeat(2, axis=1)[:, ::2],
        lambda labels: labels.tolist(),
        lambda labels: labels > 1,
    ],
)
def test_arrays_of_every_layout(tmp_path, change):
    labels = change(label_image((1, 2), 2))
    for name in ("a.png", "A.TIFF", "a.npy"):
        write_labels(tmp_path / name, labels)
        np.testing.assert_array_equal(open_image(tmp_path / name).array, labels)


def test_a_unit_that_nifti_does_not_know_is_refused(tmp_path):
    pytest.importorskip("nibabel")
    with pytest.raises(FileFormatError, match="NIfTI holds units of length; got 'furlong'"):
        write_labels(tmp_path / "a.nii", label_image((1, 2), 2), spacing=1, unit="furlong")
    assert not list(tmp_path.iterdir())


def test_a_folder_may_have_a_question_mark_in_its_name(tmp_path):
    """Zarr takes texts as addresses, and what is behind a question mark as no part of the name."""
    pytest.importorskip("zarr")
    path, labels = tmp_path / "which one?.ome.zarr", label_image((1, 2), 2)
    write_labels(path, labels)
    assert os.listdir(tmp_path) == [path.name]
    np.testing.assert_array_equal(open_image(path).array, labels)


def test_an_ome_zarr_folder_says_what_its_axes_are(tmp_path):
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "a.ome.zarr"
    write_labels(path, label_image((1, 2), 3), **PLACE)
    attributes = zarr.open_group(path, mode="r").attrs
    (scale,) = attributes["multiscales"]
    assert [axis["name"] for axis in scale["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in scale["axes"]} == {"micrometer"}
    assert scale["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [2.5, 0.5, 0.325]}]
    assert "image-label" in attributes
    write_labels(path, label_image((1, 7), 3))  # an earlier output is replaced
    assert read_zarr(path).max() == 7
    zarr.open_group(tmp_path / "raw.zarr", mode="w")
    with pytest.raises(FileFormatError, match="holds something else"):
        check_labels(tmp_path / "raw.zarr", 2, (1, 2))
    with pytest.raises(FileFormatError, match="holds something else"):
        write_labels(tmp_path / "raw.zarr", label_image((1, 2), 3))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.ome.zarr", "raw.zarr"]


@pytest.mark.parametrize("version", [2, 3])
def test_labels_are_written_into_an_ome_zarr_image(tmp_path, version):
    zarr = pytest.importorskip("zarr")
    axes = [{"name": name, "type": "space"} for name in "yx"]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0, 0.5]}]}
    described = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": [level]}]}
    attributes = described if version == 2 else {"ome": {"version": "0.5", **described}}
    image = zarr.open_group(tmp_path / "image.zarr", mode="w", zarr_format=version, attributes=attributes)
    image.create_array("0", shape=(4, 5), dtype="u1")[...] = 7
    for ids in ((1, 2), (1, 70000)):
        for name in ("cells", "others"):
            path = tmp_path / "image.zarr" / "labels" / name
            check_labels(path, 2, ids)
            write_labels(path, label_image(ids, 2), spacing=(2.0, 0.5))
            found = open_image(tmp_path / "image.zarr", key=f"labels/{name}")
            np.testing.assert_array_equal(found.array, label_image(ids, 2))
            assert found.spacing == (2, 0.5)
    group = zarr.open_group(tmp_path / "image.zarr", mode="r")
    assert group.metadata.zarr_format == group["labels/cells/0"].metadata.zarr_format == version
    listed = group["labels"].attrs if version == 2 else group["labels"].attrs["ome"]
    assert listed["labels"] == ["cells", "others"]
    told = group["labels/cells"].attrs if version == 2 else group["labels/cells"].attrs["ome"]
    assert "image-label" in told
    np.testing.assert_array_equal(open_image(tmp_path / "image.zarr").array, np.full((4, 5), 7))
    with pytest.raises(FileFormatError, match="must end in"):
        check_labels(tmp_path / "no.zarr" / "labels" / "cells", 2, (1, 2))
    with pytest.raises(FileFormatError, match="must end in"):
        check_labels(tmp_path / "image.zarr" / "cells", 2, (1, 2))


@pytest.mark.parametrize("name", ["a.tif", "a.nii.gz", "a.ome.zarr", "a.npy"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_what_is_written_is_opened_with_its_place(tmp_path, name, ndim):
    pytest.importorskip({"a.nii.gz": "nibabel", "a.ome.zarr": "zarr"}.get(name, "numpy"))
    for ids in IDS:
        labels = label_image(ids, ndim)
        write_labels(tmp_path / name, labels, **{**PLACE, "spacing": PLACE["spacing"][-ndim:]})
        found = open_image(tmp_path / name)
        np.testing.assert_array_equal(found.array, labels)
        if name != "a.npy":
            assert found.spacing == pytest.approx(PLACE["spacing"][-ndim:], rel=1e-6)
            assert found.unit == "µm"
    if name == "a.nii.gz" and ndim == 3:
        write_labels(tmp_path / name, labels, affine=AFFINE)
        np.testing.assert_array_equal(open_image(tmp_path / name).affine, AFFINE)


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.nii", "a.ome.zarr"])
@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("ndim", [2, 3])
def test_probabilities_come_back(tmp_path, name, channels, ndim):
    shape = (3,) * channels + (4, 5, 6)[-ndim:]
    probability = np.random.default_rng(0).random(shape).astype(np.float32)
    READ[name] is np.load or pytest.importorskip({"a.tif": "tifffile", "a.nii": "nibabel"}.get(name, "zarr"))
    write_probability(tmp_path / name, probability, channels=channels, spacing=PLACE["spacing"][-ndim:], unit="mm")
    found = READ[name](tmp_path / name)
    if channels and name == "a.nii":
        found = np.moveaxis(found, -1, 0)
        found = found[..., 0] if ndim == 2 else found
    if channels and ndim == 3 and name == "a.tif":  # ImageJ's order
        found = np.moveaxis(found, 1, 0)
    np.testing.assert_array_equal(found, probability)
    assert found.dtype == np.float32
    with pytest.raises(FileFormatError, match=r"must end in \.tif"):
        write_probability(tmp_path / "a.png", probability, channels=channels)


@pytest.mark.parametrize(("module", "name"), [("nibabel", "a.nii.gz"), ("zarr", "a.ome.zarr")])
def test_a_missing_extra_is_named_first(tmp_path, monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, module, None)
    extra = {"nibabel": "nifti"}.get(module, module)
    for check in (
        lambda: check_labels(tmp_path / name, 2, (1, 2)),
        lambda: check_outputs([(tmp_path / name, (name[1:],))], []),
    ):
        with pytest.raises(MissingExtraError, match=f"needs {module}.*pip install {module}, or the extra {extra}"):
            check()


def refusals(folder):
    """Names that cannot be written, and what is said of them."""
    (folder / "folder.png").mkdir()
    (folder / "file").write_text("")
    return [
        ("folder.png", "it is a folder"),
        ("no/mask.png", "no such folder"),
        ("file/mask.png", "no such folder"),
        ("a" * 300 + ".png", "name is too long"),
        ("a\0.png", "null"),
        ("mask.jpg", "must end in .png"),
    ]


def test_what_cannot_be_written_is_refused_before(tmp_path):
    for name, match in refusals(tmp_path):
        for attempt in (
            lambda path: check_labels(path, 2, (1, 2), mask=True),
            lambda path: write_mask(path, np.ones((3, 3), int), (1, 2)),
        ):
            with pytest.raises(FileFormatError, match=match):
                attempt(tmp_path / name)
    with pytest.raises(FileFormatError, match="labels up to 65535; got 70000"):
        check_labels(tmp_path / "a.png", 2, (1, 2, 70000))
    check_labels(tmp_path / "a.png", 2, (1, 70000), mask=True)  # one object is 255 there
    with pytest.raises(FileFormatError, match="a volume needs a file"):
        check_labels(tmp_path / "a.png", 3, (1, 2))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (errno.ENOSPC, "the disk is full. Free some space"),
        (errno.EROFS, "the disk is read-only. Choose another folder"),
        (errno.EACCES, "the folder is read-only"),
        (errno.EDQUOT, "the quota of this disk is used up"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_a_full_disk_and_a_read_only_folder_are_named(tmp_path, monkeypatch, code, match):
    (tmp_path / "a.png").write_bytes(b"before")

    def fail(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    for write in (
        lambda: write_labels(tmp_path / "a.png", np.ones((3, 4), int)),
        lambda: write_picture(tmp_path / "a.png", Image.new("RGB", (3, 4))),
        lambda: write_text(tmp_path / "a.png", "text"),
    ):
        with pytest.raises(FileFormatError, match=match):
            write()
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a.png", b"before")]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy", "a.nii", "a.nii.gz", "a.ome.zarr"])
def test_a_disk_that_fills_up_leaves_nothing(tmp_path, name):
    """A limit on the size of files stands for the disk: writing fails in the middle."""
    pytest.importorskip({"a.tif": "tifffile", "a.ome.zarr": "zarr"}.get(name, "nibabel" if "nii" in name else "numpy"))
    import resource

    labels = np.random.default_rng(0).integers(0, 255, (300, 300))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(FileFormatError, match=r"cannot be written(: the file is larger than|.*Is the disk full)"):
            write_labels(tmp_path / name, labels)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_temporaries_of_a_killed_process_are_cleared_and_those_of_a_living_one_kept(tmp_path):
    code = (
        "import sys, time; from varconvex.io.whole import write_whole, write_folder\n"
        "def stop(target):\n"
        "    (target.write(b'half') if hasattr(target, 'write') else (target / 'half').write_text('half'))\n"
        "    print(flush=True); time.sleep(60)\n"
        "{}(sys.argv[1], stop)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code.format(kind), tmp_path / name], stdout=subprocess.PIPE)
        for kind, name in (("write_whole", "a.png"), ("write_folder", "b.zarr"))
    ]
    try:
        for run in runs:
            run.stdout.readline()
        write_text(tmp_path / "c.txt", "c")
        assert len(list(tmp_path.glob(f"{whole.PREFIX}*"))) == 2
    finally:
        for run in runs:
            run.kill()
            run.communicate()
    write_text(tmp_path / "c.txt", "c")
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.txt"]


def test_a_folder_that_was_being_replaced_is_put_back(tmp_path):
    left = tmp_path / f"{whole.PREFIX}left"
    (left / "old").mkdir(parents=True)
    (left / "old" / "content").write_text("before")
    (left / "name").write_text("a.zarr")
    write_text(tmp_path / "c.txt", "c")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.zarr", "c.txt"]
    assert (tmp_path / "a.zarr" / "content").read_text() == "before"


def test_a_link_is_followed_and_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "file.txt")
    write_text(tmp_path / "link.txt", "text")
    assert (tmp_path / "real" / "file.txt").read_text() == "text"
    assert (tmp_path / "link.txt").is_symlink()
    with pytest.raises(FileFormatError, match="it is a folder"):
        write_text(tmp_path / "real", "text")


def test_tables_are_read_by_others(tmp_path):
    rows = [{"label": 2, "area": 1.5, "name": 'a,"b"'}, {"label": 3, "area": None, "name": "c\nd"}]
    write_table(tmp_path / "t.csv", rows)
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert found == [
        {"label": "2", "area": "1.5", "name": 'a,"b"'},
        {"label": "3", "area": "", "name": "c\nd"},
    ]
