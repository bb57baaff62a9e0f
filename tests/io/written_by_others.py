"""Files that other libraries write, formats by types by layouts, and the numbers that these libraries give back."""

import itertools
import warnings
from functools import partial

import cv2
import imageio.v3 as imageio
import numpy as np
import PIL
import pytest
import tifffile
from PIL import Image

HEIGHT, WIDTH, DEPTH = 13, 17, 5
INTEGERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]
FLOATS = ["f2", "f4", "f8"]


def numbers(shape, dtype, seed=0):
    """Numbers over a type's range; floats within +-1000."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        return rng.uniform(-1000, 1000, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype.newbyteorder("="), endpoint=True).astype(dtype)


CASES = {}
"""Name -> function of a path that writes a file there; returns what should be read, or this and with which keywords."""


def case(name, write, *arguments):
    assert name not in CASES
    CASES[name] = partial(write, *arguments)


# --- tifffile ---------------------------------------------------------------------------------------------------------


def tiff(array, expected, options, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tifffile.imwrite(path, array, **options)
    return array if expected is None else expected(array)


for dtype, order in itertools.product([*INTEGERS, *FLOATS], "<>"):
    grey = numbers((HEIGHT, WIDTH), dtype)
    case(f"tifffile grey {order}{dtype}.tif", tiff, grey, None, {"byteorder": order})
case("tifffile bool.tif", tiff, numbers((HEIGHT, WIDTH), "?"), None, {})
for dtype in ["u1", "u2", "i2", "f4"]:
    stack = numbers((DEPTH, HEIGHT, WIDTH), dtype)
    colours = numbers((HEIGHT, WIDTH, 3), dtype)
    grey = {"photometric": "minisblack"}
    case(f"tifffile pages {dtype}.tif", tiff, stack, None, grey)
    case(f"tifffile pages without metadata {dtype}.tif", tiff, stack, None, grey | {"metadata": None})
    case(f"tifffile pages deflated {dtype}.tif", tiff, stack, None, grey | {"compression": "zlib", "metadata": None})
    case(f"tifffile BigTIFF {dtype}.tif", tiff, stack, None, grey | {"bigtiff": True})
    case(f"tifffile strips {dtype}.tif", tiff, stack[0], None, grey | {"rowsperstrip": 3, "compression": "zlib"})
    case(f"tifffile tiles {dtype}.tif", tiff, stack[0], None, grey | {"tile": (16, 16)})
    case(f"tifffile RGB {dtype}.tif", tiff, colours, None, {"photometric": "rgb"})
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1))
    case(
        f"tifffile RGB planar {dtype}.tif", tiff, planes, lambda a: a.transpose(1, 2, 0),
        {"photometric": "rgb", "planarconfig": "separate"},
    )  # fmt: skip
    many = numbers((HEIGHT, WIDTH, 5), dtype)
    case(f"tifffile 5 channels {dtype}.tif", tiff, many, None, grey | {"planarconfig": "contig"})
    case(
        f"tifffile RGB pages {dtype}.tif", tiff, numbers((DEPTH, HEIGHT, WIDTH, 3), dtype), None, {"photometric": "rgb"}
    )
    four = numbers((HEIGHT, WIDTH, 4), dtype)
    case(
        f"tifffile RGBA {dtype}.tif",
        tiff,
        four,
        lambda a: a[..., :3],
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
    )
    case(
        f"tifffile RGB and one more {dtype}.tif",
        tiff,
        four,
        None,
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
    )
    case(f"tifffile (H, W, 3) without photometric {dtype}.tif", tiff, colours, None, grey)
for dtype in ["u1", "u2", "f4"]:
    hyper = numbers((2, DEPTH, 3, HEIGHT, WIDTH), dtype)
    imagej = {"imagej": True}
    case(f"ImageJ z {dtype}.tif", tiff, hyper[0, :, 0], None, imagej | {"metadata": {"axes": "ZYX"}})
    case(
        f"ImageJ c {dtype}.tif",
        tiff,
        hyper[0, 0],
        lambda a: a.transpose(1, 2, 0),
        imagej | {"metadata": {"axes": "CYX"}},
    )
    case(
        f"ImageJ zc {dtype}.tif", tiff, hyper[0], lambda a: a.transpose(0, 2, 3, 1),
        imagej | {"metadata": {"axes": "ZCYX"}},
    )  # fmt: skip
    case(
        f"ImageJ tzc {dtype}.tif", tiff, hyper, lambda a: (a[1].transpose(0, 2, 3, 1), {"frame": 1}),
        imagej | {"metadata": {"axes": "TZCYX"}},
    )  # fmt: skip
for dtype in ["u1", "i2", "u2", "f4", "f8"]:
    hyper = numbers((2, 3, DEPTH, HEIGHT, WIDTH), dtype)
    ome = {"ome": True, "photometric": "minisblack"}
    case(f"OME z {dtype}.ome.tif", tiff, hyper[0, 0], None, ome | {"metadata": {"axes": "ZYX"}})
    case(
        f"OME cz {dtype}.ome.tif", tiff, hyper[0], lambda a: np.moveaxis(a, 0, -1), ome | {"metadata": {"axes": "CZYX"}}
    )
    case(
        f"OME tcz {dtype}.ome.tif", tiff, hyper, lambda a: (np.moveaxis(a[1], 0, -1), {"frame": 1}),
        ome | {"metadata": {"axes": "TCZYX"}},
    )  # fmt: skip


def palette_tiff(path):
    table = numbers((3, 256), "u1").astype("u2") * 257
    indices = numbers((HEIGHT, WIDTH), "u1")
    tifffile.imwrite(path, indices, photometric="palette", colormap=table)
    return (table // 257).astype("u1")[:, indices].transpose(1, 2, 0)


case("tifffile palette.tif", palette_tiff)


def pyramid(path):
    image = numbers((64, 64), "u2")
    with tifffile.TiffWriter(path) as writer:
        writer.write(image, subifds=1, tile=(16, 16))
        writer.write(image[::2, ::2], subfiletype=1, tile=(16, 16))
    return image[::2, ::2], {"level": 1}


case("tifffile pyramid.tif", pyramid)


# --- OpenCV -----------------------------------------------------------------------------------------------------------


def opencv(array, options, path):
    if not cv2.imwrite(str(path), array, options):
        pytest.skip("this build of OpenCV does not write it")
    back = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return back if back.ndim == 2 else back[..., 2::-1]


for kind, channels in itertools.product(["u1", "u2"], [1, 3, 4]):
    image = numbers((HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels), kind)
    for ending in ("png", "tif"):
        case(f"OpenCV {channels} channels {kind}.{ending}", opencv, image, ())
    case(f"OpenCV {channels} channels {kind} plain.tif", opencv, image, (cv2.IMWRITE_TIFF_COMPRESSION, 1))
    if channels < 4:
        case(f"OpenCV {channels} channels {kind}.{'pgm' if channels == 1 else 'ppm'}", opencv, image, ())
for kind, channels in itertools.product(["f4", "f8"], [1, 3]):
    image = numbers((HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels), kind)
    case(f"OpenCV {channels} channels {kind}.tif", opencv, image, (cv2.IMWRITE_TIFF_COMPRESSION, 1))
for ending in ("bmp", "webp", "jpg"):
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if ending == "webp" else ()
    case(f"OpenCV colours.{ending}", opencv, numbers((HEIGHT, WIDTH, 3), "u1"), options)
case("OpenCV grey.jpg", opencv, numbers((HEIGHT, WIDTH), "u1"), ())


# --- Pillow -----------------------------------------------------------------------------------------------------------


def pillow(image, target, options, path):
    if int(PIL.__version__.split(".")[0]) < 12 and path.name in LATER:
        pytest.skip("before 12 Pillow does not write QOI, and not read back the YCbCr that it writes")
    image.save(path, **options)
    with Image.open(path) as back:
        return np.asarray(back.convert(target) if target else back)


LATER = ("Pillow RGB.qoi", "Pillow YCbCr.tif")
PICTURE = Image.fromarray(numbers((HEIGHT, WIDTH, 3), "u1"))
for mode, target in [
    ("1", None),
    ("L", None),
    ("LA", "L"),
    ("P", "RGB"),
    ("RGB", None),
    ("RGBA", "RGB"),
    ("I;16", None),
]:
    deep = Image.fromarray(numbers((HEIGHT, WIDTH), "u2"))
    made = deep if mode == "I;16" else PICTURE.convert(mode)
    for ending in ("png", "tif"):
        case(f"Pillow {mode}.{ending}", pillow, made, target, {})
for ending, target in [
    ("bmp", None),
    ("ppm", None),
    ("tga", None),
    ("gif", "RGB"),
    ("jp2", None),
    ("webp", None),
    ("qoi", None),
]:
    options = {"lossless": True} if ending == "webp" else {}
    case(f"Pillow RGB.{ending}", pillow, PICTURE, target, options)
for mode in ("L", "RGB", "CMYK"):
    case(f"Pillow {mode}.jpg", pillow, PICTURE.convert(mode), "RGB" if mode == "CMYK" else None, {})
case("Pillow F.tif", pillow, Image.fromarray(numbers((HEIGHT, WIDTH), "f4")), None, {})
case("Pillow I.tif", pillow, Image.fromarray(numbers((HEIGHT, WIDTH), "i4")), None, {})
case("Pillow CMYK.tif", pillow, PICTURE.convert("CMYK"), "RGB", {})
case("Pillow YCbCr.tif", pillow, PICTURE.convert("YCbCr"), "RGB", {})
for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
    case(f"Pillow {compression}.tif", pillow, PICTURE, None, {"compression": compression})
case("Pillow fax.tif", pillow, PICTURE.convert("1"), None, {"compression": "group4"})
case(
    "Pillow lzw grey 16.tif", pillow, Image.fromarray(numbers((HEIGHT, WIDTH), "u2")), None, {"compression": "tiff_lzw"}
)


def animation(ending, path):
    frames = [Image.fromarray(numbers((HEIGHT, WIDTH, 3), "u1", seed)) for seed in range(3)]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    with Image.open(path) as back:
        back.seek(2)
        return np.asarray(back.convert("RGB")), {"frame": 2}


for ending in ("gif", "png", "webp"):
    case(f"Pillow animation.{ending}", animation, ending)


# --- imageio, NumPy ---------------------------------------------------------------------------------------------------


def by_imageio(array, path):
    imageio.imwrite(path, array)
    return imageio.imread(path)


for kind, ending in itertools.product(["u1", "u2"], ["png", "tif"]):
    case(f"imageio grey {kind}.{ending}", by_imageio, numbers((HEIGHT, WIDTH), kind))
for ending in ("png", "tif", "bmp", "jpg"):
    case(f"imageio colours.{ending}", by_imageio, numbers((HEIGHT, WIDTH, 3), "u1"))


def by_numpy(array, keywords, path):
    if path.suffix == ".npz":
        np.savez_compressed(path, first=array[:1], second=array)
        return array, {"key": "second"}
    np.save(path, array)
    return array, keywords


for kind in [*INTEGERS, *FLOATS, "?", ">u2", ">f4"]:
    case(f"NumPy {kind}.npy", by_numpy, numbers((HEIGHT, WIDTH), kind), {})
case("NumPy volume.npy", by_numpy, numbers((DEPTH, HEIGHT, WIDTH), "i2"), {})
case("NumPy colours.npy", by_numpy, numbers((HEIGHT, WIDTH, 3), "f4"), {})
case("NumPy Fortran.npy", by_numpy, np.asfortranarray(numbers((HEIGHT, WIDTH), "f4")), {})
case("NumPy two.npz", by_numpy, numbers((DEPTH, HEIGHT, WIDTH), "u2"), {})


# --- nibabel, zarr, h5py, pydicom -------------------------------------------------------------------------------------


def by_nibabel(array, kind, scale, keywords, path):
    nibabel = pytest.importorskip("nibabel")
    image = getattr(nibabel, kind)(array, np.diag([0.5, 2.0, 3.0, 1.0]))
    if scale:
        image.header.set_slope_inter(*scale)
    nibabel.save(image, path)
    back = np.asarray(nibabel.load(path).dataobj)
    return (back[..., keywords["frame"]] if keywords else back), keywords


for kind, ending in itertools.product(["u1", "i1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"], ["nii", "nii.gz"]):
    volume = numbers((HEIGHT, WIDTH, DEPTH), kind)
    case(f"nibabel {kind}.{ending}", by_nibabel, volume, "Nifti1Image", None, {})
for name, kind in [
    ("2.nii", "Nifti2Image"),
    ("pair.img", "Nifti1Pair"),
    ("analyze.hdr", "AnalyzeImage"),
    ("m.mgz", "MGHImage"),
]:
    case(f"nibabel {name}", by_nibabel, numbers((HEIGHT, WIDTH, DEPTH), "i2"), kind, None, {})
case("nibabel scaled.nii", by_nibabel, numbers((HEIGHT, WIDTH, DEPTH), "i2"), "Nifti1Image", (0.25, -3), {})
case("nibabel series.nii.gz", by_nibabel, numbers((HEIGHT, WIDTH, DEPTH, 3), "f4"), "Nifti1Image", None, {"frame": 2})


def by_zarr(array, version, form, path):
    zarr = pytest.importorskip("zarr")
    options = {"shape": array.shape, "dtype": array.dtype, "chunks": (3, 8, 8), "zarr_format": version}
    if form == "zip":
        with zarr.storage.ZipStore(path, mode="w") as store:
            zarr.create_array(store, **options)[:] = array
    elif form == "group":
        group = zarr.create_group(path, zarr_format=options.pop("zarr_format"))
        group.create_array("inner", **options)[:] = array
    else:
        zarr.create_array(path, **options)[:] = array
    return array


for version, kind in itertools.product([2, 3], ["u1", "i2", "u2", "i8", "f4", "f8", "?"]):
    case(f"zarr {version} {kind}.zarr", by_zarr, numbers((DEPTH, HEIGHT, WIDTH), kind), version, "array")
for version in (2, 3):
    case(f"zarr {version}.zarr.zip", by_zarr, numbers((DEPTH, HEIGHT, WIDTH), "u2"), version, "zip")
    case(f"zarr {version} group.zarr", by_zarr, numbers((DEPTH, HEIGHT, WIDTH), "u2"), version, "group")


def by_h5py(array, options, path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("inner/array", data=array, **options)
    return array


for kind in ["u1", ">u2", "i2", "f2", "f4", "f8"]:
    case(f"h5py {kind}.h5", by_h5py, numbers((DEPTH, HEIGHT, WIDTH), kind), {})
case("h5py deflated.h5", by_h5py, numbers((DEPTH, HEIGHT, WIDTH), "u2"), {"compression": "gzip", "chunks": (2, 8, 8)})


def dicom(array, path, **more):
    """Write a minimal DICOM file of an image (H, W) or (frames, H, W), or (H, W, 3)."""
    pydicom = pytest.importorskip("pydicom")
    colours = array.shape[-1] == 3
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = more.pop("syntax", pydicom.uid.ExplicitVRLittleEndian)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = pydicom.uid.generate_uid()
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if colours else (1, "MONOCHROME2")
    if colours:
        data.PlanarConfiguration = 0
    data.Rows, data.Columns = array.shape[:2] if colours else array.shape[-2:]
    if array.ndim == 3 and not colours:
        data.NumberOfFrames = len(array)
    data.BitsAllocated = data.BitsStored = 8 * array.dtype.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(array.dtype.kind == "i")
    for name, value in more.items():
        setattr(data, name, value)
    data.PixelData = array.tobytes() + b"\0" * (array.nbytes % 2)
    data.save_as(path, enforce_file_format=True)
    return data


def by_pydicom(array, more, path):
    dicom(array, path, **more)
    from pydicom.pixels import apply_rescale, pixel_array

    back = pixel_array(path)
    return apply_rescale(back, dicom(array, path, **more)) if more else back


for kind in ["u1", "i1", "u2", "i2", "u4"]:
    case(f"pydicom {kind}.dcm", by_pydicom, numbers((HEIGHT, WIDTH), kind), {})
case("pydicom colours.dcm", by_pydicom, numbers((HEIGHT, WIDTH, 3), "u1"), {})
case("pydicom frames.dcm", by_pydicom, numbers((DEPTH, HEIGHT, WIDTH), "u2"), {})
case(
    "pydicom Hounsfield.dcm", by_pydicom, numbers((HEIGHT, WIDTH), "i2"), {"RescaleSlope": 2, "RescaleIntercept": -1024}
)
