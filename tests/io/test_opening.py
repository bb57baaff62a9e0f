"""One door for files: what they say beside the numbers, and what is refused with its name."""

import gzip
import io
import os
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from written_by_others import CASES, dicom, numbers

from varconvex import memory
from varconvex.errors import (
    FileFormatError,
    MissingExtraError,
    NotEnoughMemoryError,
    UnsupportedTypeError,
    VarconvexError,
    VarconvexWarning,
)
from varconvex.io import open_image, read_image, read_mask

PICTURE = numbers((12, 20, 3), "u1")


# --- orientation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "late.png"])
def test_photographs_stand_upright(tmp_path, orientation, ending):
    """All eight orientations, as Pillow turns them; spacing turns along."""
    path = tmp_path / f"a.{ending}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    if ending == "tif":
        tifffile.imwrite(
            path, PICTURE, photometric="rgb", extratags=[(274, 3, 1, orientation, True)],
            resolution=(100, 200), resolutionunit="CENTIMETER",
        )  # fmt: skip
    elif ending == "late.png":  # the chunk behind the pixels, where Pillow finds it after decoding only
        Image.fromarray(PICTURE).save(path)
        body, data = path.read_bytes(), exif.tobytes()[6:]
        chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
        path.write_bytes(body[:-12] + chunk + body[-12:])
    else:
        Image.fromarray(PICTURE).save(path, exif=exif, dpi=(254, 508), **options)
    file = open_image(path)
    with Image.open(path) as image:
        np.testing.assert_array_equal(file.array, np.asarray(ImageOps.exif_transpose(image)))
    if ending in ("jpg", "png", "tif"):
        upright = (0.05, 0.1)
        np.testing.assert_allclose(file.spacing, upright if orientation < 5 else upright[::-1], rtol=1e-4)
        assert file.unit == "mm"


def test_orientation_of_16_bits(tmp_path):
    cv2 = pytest.importorskip("cv2")
    deep = numbers((12, 20, 3), "u2")
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    body = (tmp_path / "a.png").read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes()[6:]
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
    (tmp_path / "a.png").write_bytes(body[:33] + chunk + body[33:])
    np.testing.assert_array_equal(open_image(tmp_path / "a.png").array, np.rot90(deep, -1))


def png_of_16_bits(array, kind, interlaced):
    """The bytes of a PNG file with two bytes a channel, which few programs write with opacity or interlaced."""
    values = array.astype(">u2")
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [values[y::down, x::across] for y, x, down, across in passes] if interlaced else [values]
    rows = b"".join(b"\0" + row.tobytes() for part in parts for row in part if part.size)
    head = struct.pack(">IIBBBBB", *array.shape[1::-1], 16, kind, 0, 0, interlaced)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)])
def test_all_bits_of_png(tmp_path, kind, channels, interlaced):
    array = numbers((13, 17, channels), "u2")
    (tmp_path / "a.png").write_bytes(png_of_16_bits(array, kind, interlaced))
    file = open_image(tmp_path / "a.png")
    np.testing.assert_array_equal(file.array.reshape(13, 17, -1), array[..., : channels - (channels + 1) % 2])
    if channels in (2, 4):
        np.testing.assert_array_equal(file.alpha, array[..., -1])


# --- spacing, unit, affine --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "spacing", "unit"),
    [
        ({"resolution": (2000, 1000), "resolutionunit": "CENTIMETER"}, (0.01, 0.005), "mm"),
        ({"resolution": (254, 508), "resolutionunit": "INCH"}, (0.05, 0.1), "mm"),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None, None),
        ({}, None, None),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}, (0.25, 0.25), "µm"),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "\\u00B5m"}}, (0.25, 0.25), "µm"),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "nm"}}, (0.25, 0.25), "nm"),
        ({"imagej": True, "resolution": (1, 1), "metadata": {"unit": "pixel"}}, (1, 1), None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2}}, (0.2, 0.1), "µm"),
        (
            {"ome": True, "metadata": {"PhysicalSizeX": 1, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 500}},
            (0.5, 1.0),
            "mm",
        ),
    ],
)
def test_resolution_of_tiff_is_spacing(tmp_path, options, spacing, unit):
    tifffile.imwrite(tmp_path / "a.tif", numbers((12, 20), "u1"), **options)
    file = open_image(tmp_path / "a.tif")
    assert file.spacing == (None if spacing is None else pytest.approx(spacing))
    assert file.unit == unit


def test_spacing_of_stacks(tmp_path):
    stack = numbers((4, 12, 20), "u2")
    axes = {"axes": "ZYX"}
    tifffile.imwrite(
        tmp_path / "i.tif", stack, imagej=True, resolution=(5, 5), metadata={**axes, "spacing": 3, "unit": "um"}
    )
    tifffile.imwrite(
        tmp_path / "o.ome.tif", stack, photometric="minisblack",
        metadata={**axes, "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 3000, "PhysicalSizeZUnit": "nm"},
    )  # fmt: skip
    for path in tmp_path.iterdir():
        file = open_image(path)
        assert file.spacing == pytest.approx((3, 0.2, 0.2))
        assert (file.unit, file.channel_axis, file.shape) == ("µm", None, stack.shape)
    # A page by itself has the spacing of its two axes.
    tifffile.imwrite(tmp_path / "t.tif", stack, imagej=True, resolution=(5, 5), metadata={"axes": "TYX", "unit": "um"})
    assert open_image(tmp_path / "t.tif", frame=1).spacing == pytest.approx((0.2, 0.2))


def test_pages_and_axes_by_choice(tmp_path):
    stack = numbers((4, 12, 20), "u2")
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").array, stack)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif", frame=2).array, stack[2])
    colours = open_image(tmp_path / "a.tif", axes="cyx")
    assert colours.channel_axis == -1
    np.testing.assert_array_equal(colours.array, np.moveaxis(stack, 0, -1))
    with pytest.raises(FileFormatError, match=r"frame along pages must be from 0 to 3; got 9"):
        open_image(tmp_path / "a.tif", frame=9)
    with pytest.raises(FileFormatError, match=r"there is one only; got frame=3"):
        open_image(tmp_path / "a.tif", axes="zyx", frame=3)
    with pytest.raises(FileFormatError, match=r"one letter for each of the 3 axes.*got 'yx'"):
        open_image(tmp_path / "a.tif", axes="yx")
    np.save(tmp_path / "five.npy", np.zeros((2, 3, 4, 5, 6)))
    with pytest.raises(FileFormatError, match=r"two or three spatial axes.*Name its axes"):
        open_image(tmp_path / "five.npy")
    assert open_image(tmp_path / "five.npy", axes="tczyx", frame=1).array.shape == (4, 5, 6, 3)
    np.save(tmp_path / "one.npy", np.zeros(7))
    with pytest.raises(FileFormatError, match=r"has the shape \(7,\)"):
        open_image(tmp_path / "one.npy")


def test_several_series_are_named(tmp_path):
    first, second = numbers((12, 20), "u1"), numbers((9, 8), "u2")
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(first, metadata=None)
        writer.write(second, metadata=None)
    with pytest.raises(FileFormatError, match=r"has 2 and which one is not said. Pass key= one of 0, 1"):
        open_image(tmp_path / "a.tif")
    for key in (1, "1"):
        np.testing.assert_array_equal(open_image(tmp_path / "a.tif", key=key).array, second)


def test_zooms_and_affine_of_nifti(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    turned = np.array([[0, -2, 0, 10], [3, 0, 0, 20], [0, 0, 0.5, 30], [0, 0, 0, 1.0]])
    volume = numbers((5, 6, 7), "i2")
    for name, array in [("a.nii.gz", volume), ("k.nii", volume[:, :, 2:3]), ("i.nii", volume[2:3])]:
        nibabel.save(nibabel.Nifti1Image(array, turned), tmp_path / name)
        file = open_image(tmp_path / name)
        np.testing.assert_array_equal(file.array, array.squeeze())
        # The corner's place in the patient is the same, by index in the array or in the file.
        corner = np.array(array.shape) - 1
        kept = [n for n in range(3) if array.shape[n] > 1]
        index = np.zeros(4)
        index[: len(kept)], index[3] = corner[kept], 1
        np.testing.assert_allclose(file.affine @ index, turned @ [*corner, 1])
        np.testing.assert_allclose(file.spacing, np.array([3, 2, 0.5])[kept])
        assert file.unit == "mm"


def ome_zarr(path, version, array, scale):
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(path, zarr_format=version)
    names = [("c", "channel", None), *((axis, "space", "micrometer") for axis in "zyx")]
    axes = [{"name": name, "type": kind, **({"unit": unit} if unit else {})} for name, kind, unit in names]
    levels = []
    for level in range(2):
        part = array[:, :, :: 2**level, :: 2**level]
        group.create_array(str(level), shape=part.shape, dtype=part.dtype, chunks=(1, 2, 8, 8))[:] = part
        step = [1.0, scale[0], scale[1] * 2**level, scale[2] * 2**level]
        levels.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": step}]})
    told = {"multiscales": [{"name": "cells", "axes": axes, "datasets": levels}]}
    group.attrs.update({"ome": {**told, "version": "0.5"}} if version == 3 else told)
    inner = group.create_group("labels").create_group("nuclei")
    inner.create_array("0", shape=array.shape[1:], dtype="u4", chunks=(2, 8, 8))[:] = array[0]
    space = {
        "axes": axes[1:],
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }
    told = {"multiscales": [space]}
    inner.attrs.update({"ome": {**told, "version": "0.5"}} if version == 3 else told)


@pytest.mark.parametrize("version", [2, 3])
def test_levels_of_ome_zarr(tmp_path, version):
    array = numbers((2, 4, 16, 20), "u2")
    ome_zarr(tmp_path / "a.zarr", version, array, [2.0, 0.5, 0.25])
    for level in (0, 1):
        expected = np.moveaxis(array[:, :, :: 2**level, :: 2**level], 0, -1)
        for file in (
            open_image(tmp_path / "a.zarr", level=level),
            open_image(tmp_path / "a.zarr" / str(level)),
            open_image(tmp_path / "a.zarr", key="cells", level=level),
        ):
            np.testing.assert_array_equal(file.array, expected)
            assert file.spacing == (2, 0.5 * 2**level, 0.25 * 2**level)
            assert (file.unit, file.channel_axis) == ("µm", -1)
    for labels in (open_image(tmp_path / "a.zarr", key="labels/nuclei"), open_image(tmp_path / "a.zarr/labels/nuclei")):
        np.testing.assert_array_equal(labels.array, array[0])
        assert labels.spacing == (2, 0.5, 0.25)
    with pytest.raises(FileFormatError, match=r"level must be from 0, the finest, to 1; got 2"):
        open_image(tmp_path / "a.zarr", level=2)


def test_groups_list_what_they_hold(tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(tmp_path / "a.zarr")
    for name in ("first", "inner/second"):
        group.create_array(name, data=numbers((4, 5), "u1"))
    with pytest.raises(FileFormatError, match=r"has 2 and which one is not said. Pass key= one of first, inner/second"):
        open_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr", key="inner/second").array, numbers((4, 5), "u1"))


# --- DICOM ------------------------------------------------------------------------------------------------------------


def slices(folder, heights, **more):
    """A series of slices with oblique rows, and the volume."""
    volume = numbers((len(heights), 6, 8), "i2")
    cosines = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    normal = np.cross(cosines[:3], cosines[3:])
    folder.mkdir()
    for k, height in enumerate(heights):
        position = (np.array([5.0, -7.0, 11.0]) + normal * height).tolist()
        dicom(
            volume[k], folder / f"{(k * 7) % len(heights)}.dcm", PixelSpacing=[0.5, 0.25], SeriesInstanceUID="1.2.3",
            ImageOrientationPatient=cosines, ImagePositionPatient=position, **more,
        )  # fmt: skip
    return volume, np.array(cosines), normal


def test_a_folder_of_slices_is_a_volume(tmp_path):
    volume, cosines, normal = slices(tmp_path / "ct", [0, 2, 4, 6, 8], RescaleSlope=1, RescaleIntercept=-1024)
    file = open_image(tmp_path / "ct")
    np.testing.assert_array_equal(file.array, volume - 1024.0)
    assert file.spacing == (2, 0.5, 0.25)
    assert file.unit == "mm"
    k, row, column = 3, 2, 5
    place = np.array([5, -7, 11]) + normal * 2 * k + cosines[3:] * 0.5 * row + cosines[:3] * 0.25 * column
    # DICOM counts towards the patient's left and back, the affine towards right and front.
    np.testing.assert_allclose(file.affine @ [k, row, column, 1], [-place[0], -place[1], place[2], 1])
    one = open_image(tmp_path / "ct" / "0.dcm")
    place = np.array([5, -7, 11]) + cosines[3:] * 0.5 * row + cosines[:3] * 0.25 * column
    np.testing.assert_allclose(one.affine @ [row, column, 0, 1], [-place[0], -place[1], place[2], 1])


def test_slices_that_are_no_volume_are_refused(tmp_path):
    slices(tmp_path / "gap", [0, 2, 6, 8])
    with pytest.raises(FileFormatError, match=r"evenly spaced; those in .* are \[2\.0, 4\.0, 2\.0\] mm apart"):
        open_image(tmp_path / "gap")
    slices(tmp_path / "twice", [0, 2, 2, 4])
    with pytest.raises(FileFormatError, match="evenly spaced"):
        open_image(tmp_path / "twice")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match=r"is a folder of another kind\. Read are"):
        open_image(tmp_path / "empty")


def test_frames_of_dicom_are_slices_or_moments(tmp_path):
    frames = numbers((4, 6, 8), "u2")
    dicom(frames, tmp_path / "z.dcm", SpacingBetweenSlices=3, PixelSpacing=[1, 2])
    assert open_image(tmp_path / "z.dcm").spacing == (3, 1, 2)
    dicom(frames, tmp_path / "t.dcm", FrameTime=40)
    with pytest.raises(FileFormatError, match=r"which has t 4, y 6, x 8"):
        open_image(tmp_path / "t.dcm")
    np.testing.assert_array_equal(open_image(tmp_path / "t.dcm", frame=3).array, frames[3])


# --- what is refused --------------------------------------------------------------------------------------------------


def test_labels_that_are_no_numbers_are_named(tmp_path):
    for k, values in enumerate((np.full((3, 4), np.nan, np.float32), np.array([[0, np.nan, 2]], np.float32))):
        np.save(tmp_path / f"{k}.npy", values)
        with np.errstate(all="raise"), pytest.raises(FileFormatError, match="labels must be whole numbers"):
            read_mask(tmp_path / f"{k}.npy")


def test_pages_that_go_in_a_circle_are_refused(tmp_path):
    path = tmp_path / "circle.tif"
    for _ in range(3):
        tifffile.imwrite(path, np.zeros((4, 4), "u1"), append=True, metadata=None)
    body = bytearray(path.read_bytes())
    at = [int.from_bytes(body[4:8], "little")]
    while at[-1]:
        after = at[-1] + 2 + 12 * int.from_bytes(body[at[-1] : at[-1] + 2], "little")
        at.append(int.from_bytes(body[after : after + 4], "little"))
    body[after : after + 4] = at[1].to_bytes(4, "little")
    path.write_bytes(body)
    with pytest.raises(FileFormatError, match="go in a circle"):
        open_image(path)


def test_bombs_of_every_format_are_refused_from_their_headers(tmp_path):
    np.lib.format.write_array_header_1_0(
        head := io.BytesIO(), {"descr": "<f8", "fortran_order": False, "shape": (10**5,) * 2}
    )
    (tmp_path / "a.npy").write_bytes(head.getvalue())
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", head.getvalue())
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), "u1"), compression="zlib", metadata=None)
    body = bytearray((tmp_path / "a.tif").read_bytes())
    for tag in (256, 257, 278):  # width, height, rows in a strip
        at = body.index(struct.pack("<HHI", tag, 3, 1)) if struct.pack("<HHI", tag, 3, 1) in body else None
        at = body.index(struct.pack("<HHI", tag, 4, 1)) if at is None else at
        body[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 60_000)
    (tmp_path / "a.tif").write_bytes(bytes(body))
    nifti = bytearray(352)
    struct.pack_into("<i8h", nifti, 0, 348, 0, 0, 0, 0, 0, 0, 0, 0)
    struct.pack_into("<8h", nifti, 40, 3, 32767, 32767, 64, 1, 1, 1, 1)
    struct.pack_into("<hh", nifti, 70, 16, 32)
    struct.pack_into("<4f", nifti, 76, 1, 1, 1, 1)
    struct.pack_into("<f", nifti, 108, 352)
    nifti[344:348] = b"n+1\0"
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(nifti) + bytes(1000)))
    for path in tmp_path.iterdir():
        if path.suffix == ".gz":
            pytest.importorskip("nibabel")
        start = time.perf_counter()
        with pytest.raises(FileFormatError, match=r"declares|truncated"):
            open_image(path)
        assert time.perf_counter() - start < 1, path.name


def test_more_than_the_memory_is_refused_and_there_is_a_switch(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((30, 40)))
    monkeypatch.setattr(memory, "available", lambda: 10_000)
    monkeypatch.setattr(memory, "_WORTH_A_LOOK", 0)
    with pytest.raises(NotEnoughMemoryError, match=r"shape \(30, 40\).*needs about 18\.8 KiB.*large=True"):
        open_image(tmp_path / "a.npy")
    assert open_image(tmp_path / "a.npy", large=True).array.shape == (30, 40)
    # One frame of many is what counts.
    np.save(tmp_path / "b.npy", np.zeros((50, 10, 10)))
    assert open_image(tmp_path / "b.npy", axes="tyx", frame=7).array.shape == (10, 10)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.czi", b"ZISRAWFILE\0\0", r"a Zeiss CZI file.*czifile"),
        ("a.nd2", b"\xda\xce\xbe\x0a", r"a Nikon ND2 file"),
        ("a.nrrd", b"NRRD0004\n", r"pynrrd"),
        ("a.mha", b"ObjectType = Image", r"SimpleITK"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", r"pillow-heif"),
        ("photo.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", r"a HEIC photograph"),
        ("a.exr", b"\x76\x2f\x31\x01", r"OpenEXR"),
        ("a.pdf", b"%PDF-1.7", r"a PDF"),
        ("a.svg", b"<svg></svg>", r"an SVG drawing"),
        ("a.pkl", b"\x80\x04\x95", r"never loaded"),
        ("a.mat", b"MATLAB 5.0 MAT-file", r"scipy\.io\.loadmat"),
        ("a.zip", b"PK\x05\x06" + bytes(18), r"a zip file|not one"),
        ("a.json", b"{}", r"It can hold scribbles, no image"),
        ("a.cr2", b"garbage", r"rawpy"),
        ("a.png", b"garbage", r"is not one.*Read are"),
        ("a.dcm", b"garbage", r"is not one"),
        ("a.nii", b"garbage", r"is not one"),
        ("a.npy", b"garbage", r"is not one"),
        ("a.npz", b"garbage", r"is not one"),
        ("a.tif", b"II*\0garbage", r"is not one|whole TIFF"),
        ("a.h5", b"\x89HDF\r\n\x1a\ngarbage", r"is not one"),
        ("a", b"", r"is empty"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=match) as caught:
        open_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("package", "case"),
    [("nibabel", "nibabel u1.nii"), ("zarr", "zarr 3 u1.zarr"), ("h5py", "h5py f4.h5"), ("pydicom", "pydicom u1.dcm")],
)
def test_a_missing_extra_is_named(tmp_path, monkeypatch, package, case):
    CASES[case](tmp_path / case)
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"needs {package}; .*pip install {package}, or the extra"):
        open_image(tmp_path / case)


@pytest.mark.parametrize("name", [name for k, name in enumerate(CASES) if k % 6 == 0])
def test_truncated_files_are_never_read_in_part(tmp_path, name):
    expected = CASES[name](tmp_path / name)
    expected, keywords = expected if isinstance(expected, tuple) else (expected, {})
    if (tmp_path / name).is_dir():
        return
    content = (tmp_path / name).read_bytes()
    for share in (0.2, 0.6, 0.9):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        try:
            array = open_image(tmp_path / name, **keywords).array
        except VarconvexError:
            continue
        np.testing.assert_array_equal(array, expected)  # only trailing metadata were cut


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(FileFormatError, match="is a pipe or a device"):
        open_image(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["PA", "LAB"])
def test_colours_that_are_not_understood_are_refused(tmp_path, mode):
    image = (
        Image.merge("LAB", Image.fromarray(PICTURE).split())
        if mode == "LAB"
        else Image.fromarray(PICTURE).convert(mode)
    )
    image.save(tmp_path / "a.tif")
    with pytest.raises(FileFormatError, match=r"grey, colours or a palette were expected; .*Convert it to RGB"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "name",
    [
        "Pillow RGB.png",
        "NumPy u1.npy",
        "nibabel u1.nii",
        "h5py u1.h5",
        "zarr 3 u1.zarr",
        "pydicom u1.dcm",
        "tifffile bool.tif",
    ],
)
def test_what_is_asked_for_and_not_there_is_refused(tmp_path, name):
    path = tmp_path / name
    CASES[name](path)
    open_image(path, level=0)
    for keywords in ({"level": 1}, {"key": "nothing"}, {"frame": 99}):
        with pytest.raises(
            FileFormatError, match=r"level must be from 0|key|of nothing|there is one only|must be from 0"
        ):
            open_image(path, **keywords)


def test_content_counts_not_the_name(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").array, PICTURE)
    np.save(tmp_path / "b.npy", PICTURE)
    (tmp_path / "b.npy").rename(tmp_path / "b.jpg")
    np.testing.assert_array_equal(open_image(tmp_path / "b.jpg").array, PICTURE)


@pytest.mark.parametrize("dtype", ["c16", "U3", "M8[s]", [("x", "f4"), ("y", "f4")]])
def test_what_are_no_intensities_is_refused(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros((4, 5), dtype))
    with pytest.raises(UnsupportedTypeError, match="must hold bools, integers or floats"):
        open_image(tmp_path / "a.npy")


def test_transparency_is_told(tmp_path):
    alpha = np.full((12, 20), 255, np.uint8)
    Image.fromarray(np.dstack([PICTURE, alpha])).save(tmp_path / "opaque.png")
    assert open_image(tmp_path / "opaque.png").alpha is None
    alpha[:3] = 0
    for name in ("a.png", "a.tif", "a.webp"):
        Image.fromarray(np.dstack([PICTURE, alpha])).save(
            tmp_path / name, **({"lossless": True, "exact": True} if "webp" in name else {})
        )
        file = open_image(tmp_path / name)
        np.testing.assert_array_equal(file.alpha, alpha)
        np.testing.assert_array_equal(file.array, PICTURE)
        with pytest.warns(VarconvexWarning, match=r"60 pixels of .* are transparent"):
            read_image(tmp_path / name)


def test_pictures_within_a_jpeg(tmp_path):
    """Two of one size are two pictures; smaller ones are thumbnails and gain maps, as phones write them."""
    first, second = (Image.fromarray(numbers((16, 16, 3), "u1", seed)) for seed in (0, 1))
    first.save(tmp_path / "two.mpo", save_all=True, append_images=[second])
    with pytest.raises(FileFormatError, match="t 2"):
        open_image(tmp_path / "two.mpo")
    first.save(tmp_path / "small.jpg", "MPO", save_all=True, append_images=[second.resize((8, 8))])
    assert open_image(tmp_path / "small.jpg").array.shape == (16, 16, 3)


def test_the_array_is_the_callers(tmp_path):
    np.save(tmp_path / "a.npy", PICTURE)
    array = open_image(tmp_path / "a.npy").array
    array[...] = 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), PICTURE)
    assert "<ImageFile 'a.npy': (12, 20) pixels and 3 channels, uint8>" in repr(open_image(tmp_path / "a.npy"))
