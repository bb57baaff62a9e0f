"""Formats that are known and not read, and what reads them."""

import os

from ...errors import FileFormatError

_TIFF = "Save it as OME-TIFF, e.g. with Fiji (Bio-Formats)"
_PNG = "Save it as PNG or TIFF"
_RAW = "Develop it to TIFF with 16 bits"

_BY_ENDING = {
    ".czi": ("a Zeiss CZI file", f"{_TIFF}, or read it with czifile or bioio"),
    ".nd2": ("a Nikon ND2 file", f"{_TIFF}, or read it with nd2"),
    ".lif": ("a Leica LIF file", f"{_TIFF}, or read it with readlif"),
    ".oib": ("an Olympus OIB file", f"{_TIFF}, or read it with oiffile"),
    ".oif": ("an Olympus OIF file", f"{_TIFF}, or read it with oiffile"),
    ".vsi": ("an Olympus VSI file", _TIFF),
    ".ims": ("an Imaris file", f"{_TIFF}, or read its HDF5 arrays with h5py"),
    ".mrxs": ("a MIRAX slide", f"{_TIFF}, or read it with openslide"),
    ".nrrd": ("an NRRD file", "Read it with pynrrd, or save it as NIfTI"),
    ".nhdr": ("an NRRD header", "Read it with pynrrd, or save it as NIfTI"),
    ".mha": ("a MetaImage file", "Read it with SimpleITK, or save it as NIfTI"),
    ".mhd": ("a MetaImage header", "Read it with SimpleITK, or save it as NIfTI"),
    ".mrc": ("an MRC file", "Read it with mrcfile, or save it as TIFF"),
    ".exr": ("an OpenEXR file", "Read it with OpenEXR or OpenCV, or save it as TIFF"),
    ".hdr": ("a Radiance file", "Read it with OpenCV, or save it as TIFF"),
    ".jxl": ("a JPEG XL file", f"{_PNG}, or read it with imagecodecs"),
    ".jxr": ("a JPEG XR file", f"{_PNG}, or read it with imagecodecs"),
    ".heic": ("a HEIC photograph", f"{_PNG}, or read it with pillow-heif"),
    ".heif": ("a HEIF photograph", f"{_PNG}, or read it with pillow-heif"),
    **dict.fromkeys(
        (".dng", ".cr2", ".cr3", ".nef", ".arw"), ("a camera's raw file", f"{_RAW}, or read it with rawpy")
    ),
    ".mat": ("a MATLAB file", "Read it with scipy.io.loadmat and pass the array, or save it as .npy"),
    ".pdf": ("a PDF file", f"{_PNG} at the resolution you need"),
    ".svg": ("an SVG drawing", f"{_PNG} at the resolution you need"),
    ".xcf": ("a GIMP file", "Export it as PNG or TIFF, the layer of strokes by itself"),
    ".kra": ("a Krita file", "Export it as PNG or TIFF, the layer of strokes by itself"),
    ".ora": ("an OpenRaster file", "Export it as PNG or TIFF, the layer of strokes by itself"),
    ".mp4": ("a video", "Save a frame as PNG"),
    ".avi": ("a video", "Save a frame as PNG"),
    ".mov": ("a video", "Save a frame as PNG"),
    ".pt": ("a PyTorch file", "Save the array with numpy.save"),
    ".pkl": ("a pickle, which is never loaded", "Save the array with numpy.save"),
    ".json": ("a JSON text", "It can hold scribbles, no image"),
    ".geojson": ("a GeoJSON text", "It can hold scribbles, no image"),
    ".csv": ("a table", "It can hold scribbles, no image; save an array with numpy.save"),
    ".txt": ("a text", "Save an array with numpy.save"),
    ".zip": ("a zip file", "Unpack it"),
    ".gz": ("a gzip file", "Unpack it"),
    ".fits": ("a FITS file", "Read it with astropy.io.fits, or save it as TIFF"),
    ".fit": ("a FITS file", "Read it with astropy.io.fits, or save it as TIFF"),
}

_BY_CONTENT = {
    b"ZISRAWFILE": ".czi",
    b"\xda\xce\xbe\x0a": ".nd2",
    b"NRRD000": ".nrrd",
    b"\x76\x2f\x31\x01": ".exr",
    b"#?RADIANCE": ".hdr",
    b"#?RGBE": ".hdr",
    b"\xff\x0a": ".jxl",
    b"\0\0\0\x0cJXL ": ".jxl",
    b"II\xbc\x01": ".jxr",
    b"%PDF": ".pdf",
    b"gimp xcf": ".xcf",
    b"MATLAB 5.0": ".mat",
    b"SIMPLE  =": ".fits",
    b"PK\x03\x04": ".zip",
    b"\x1f\x8b": ".gz",
    b"\x80\x02": ".pkl",
    b"\x80\x03": ".pkl",
    b"\x80\x04": ".pkl",
    b"\x80\x05": ".pkl",
}
_HEIF = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc")


def refuse(path: str, head: bytes) -> None:
    """A FileFormatError that says what reads the file, if its content or else its ending is known."""
    found = next((ending for magic, ending in _BY_CONTENT.items() if head.startswith(magic)), None)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF and b"avif" not in head[8:64]:
        found = ".heic"
    ending = os.path.splitext(path)[1].lower()
    if found is None and ending in _BY_ENDING and not _picture(head):
        found = ending
    if found is not None:
        kind, advice = _BY_ENDING[found]
        raise FileFormatError(f"a readable image file was expected; {path} is {kind}, which is not read. {advice}.")


def _picture(head: bytes) -> bool:
    """Whether the content is that of a common picture, whatever the name says."""
    return head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF"))
