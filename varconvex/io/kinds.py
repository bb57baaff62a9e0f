"""Kinds of files that hold an array over pixels: what each can hold, and how it is written.

| ending | labels up to | axes | spacing | affine |
|---|---|---|---|---|
| .png | 65535 | 2 | below 1 mm | |
| .tif, .tiff | any, compressed | 2, 3 | yes | |
| .npy | any | 2, 3 | | |
| .nii, .nii.gz (extra nifti) | any | 2, 3 | yes | yes |
| .zarr, and IMAGE.zarr/labels/NAME (extra zarr) | any | 2, 3 | yes | its scale |

A TIFF file is ImageJ's where ImageJ knows the type, so that Fiji shows the spacing, and OME-TIFF otherwise.
"""

import gzip
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..errors import FileFormatError, MissingExtraError
from .formats.base import METRES, MICRON, MILLIMETRE
from .grid import Grid
from .ome_zarr import check_place, is_inside, write_ome_zarr
from .whole import check_writable, write_whole

_OF_NIFTI = {"m": "meter", MILLIMETRE: "mm", MICRON: "micron"}
"""Units of NIfTI; others of length are converted."""


_TOLERANCE = 1e-4
"""Error of a spacing up to which a PNG file gets one: it holds whole numbers of pixels a metre."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name : str
        What messages call it.
    endings : tuple of str
    write : callable
        Writes a path, an array and its `Grid`.
    largest : int
        The largest label that it holds.
    volumes, floats : bool
        Whether it holds arrays with three spatial axes, and probabilities.
    extra, module : str or None
        The extra that installs what writes it, and its module.
    """

    name: str
    endings: tuple[str, ...]
    write: Callable[[str | os.PathLike, np.ndarray, Grid], None]
    largest: int = 2**64 - 1
    volumes: bool = True
    floats: bool = True
    extra: str | None = None
    module: str | None = None

    @property
    def folder(self) -> bool:
        """Whether it is a folder of files."""
        return ".zarr" in self.endings

    def fits(self, path: str | os.PathLike) -> bool:
        """Whether a file of this name is of this kind."""
        return has_ending(path, self.endings) or (self.folder and is_inside(path))


def _write_png(path: str | os.PathLike, array: np.ndarray, grid: Grid) -> None:
    from PIL import Image

    picture = Image.fromarray(array.astype(np.uint8 if array.max(initial=0) < 256 else np.uint16))
    dots = {}
    if grid.spacing is not None and grid.unit in METRES:
        per_metre = [1 / (step * METRES[grid.unit]) for step in reversed(grid.spacing)]
        if all(1 <= count < 2**32 and abs(round(count) / count - 1) < _TOLERANCE for count in per_metre):
            dots["dpi"] = tuple(round(count) * 0.0254 for count in per_metre)
    write_whole(path, lambda file: picture.save(file, format="PNG", **dots))


def _write_npy(path: str | os.PathLike, array: np.ndarray, grid: Grid) -> None:
    write_whole(path, lambda file: np.save(file, array, allow_pickle=False))


def _write_tiff(path: str | os.PathLike, array: np.ndarray, grid: Grid) -> None:
    import tifffile

    grid.check_sizes(path, 1e9)
    axes, steps = grid.axes(array), dict(zip("XYZ", (grid.spacing or ())[::-1], strict=False))
    unit = "um" if grid.unit == MICRON else grid.unit or ""
    imagej = array.dtype in (np.uint8, np.uint16, np.float32) and unit.isascii()
    ome = array.dtype.itemsize < 8
    settings: dict[str, Any] = {"imagej": imagej, "ome": ome and not imagej}
    metadata: dict[str, Any] = {"axes": axes}
    if settings["ome"]:
        for axis, step in steps.items():
            metadata |= {f"PhysicalSize{axis}": step, f"PhysicalSize{axis}Unit": grid.unit or "pixel"}
    elif steps:
        metadata |= {"unit": unit, "spacing": steps.get("Z", 1.0)}
    if imagej and axes == "CZYX":  # ImageJ's order
        array, metadata["axes"] = np.moveaxis(array, 0, 1), "ZCYX"
    if steps:
        settings |= {"resolution": (_per_unit(steps["X"]), _per_unit(steps["Y"])), "resolutionunit": "NONE"}
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    write_whole(
        path,
        lambda file: tifffile.imwrite(
            file, native, photometric="minisblack", compression="zlib", metadata=metadata, **settings
        ),
    )


def _per_unit(step: float) -> tuple[int, int]:
    """1 / step as numerator and denominator of 32 bits; by itself, older tifffile keeps half of the digits."""
    long = max(step, 1 / step)
    nearest = Fraction(long).limit_denominator(int(2**31 / long))
    high, low = nearest.numerator, nearest.denominator
    return (low, high) if step > 1 else (high, low)


def _write_nifti(path: str | os.PathLike, array: np.ndarray, grid: Grid) -> None:
    import nibabel

    grid.check_sizes(path, 1e12)
    values = np.moveaxis(array, 0, -1) if grid.channels else array
    ndim = array.ndim - grid.channels
    affine, unit = grid.affine, MILLIMETRE if grid.affine is not None else grid.unit
    if unit is not None and unit not in METRES:
        raise FileFormatError(f"NIfTI holds units of length; got {unit!r} for {os.fspath(path)}. Leave the unit out.")
    if affine is None:
        steps = np.array(grid.spacing or (1.0,) * ndim)
        if unit is not None and unit not in _OF_NIFTI:
            steps, unit = steps * METRES[unit] / METRES[MILLIMETRE], MILLIMETRE
        affine = np.diag([*steps, *(1.0,) * (4 - ndim)])
    if grid.channels and ndim == 2:  # NIfTI's fourth axis comes after three of space
        values = values[:, :, None]
    image = nibabel.Nifti1Image(values, affine, dtype=values.dtype)
    if unit is not None:
        image.header.set_xyzt_units(_OF_NIFTI[unit])

    def write(file: Any) -> None:
        holder = nibabel.FileHolder(fileobj=file)
        image.to_file_map({"header": holder, "image": holder})

    def write_compressed(file: Any) -> None:
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
            write(packed)

    write_whole(path, write_compressed if str(path).lower().endswith(".gz") else write)


FORMATS = (
    Format("a PNG picture", (".png",), _write_png, 65535, volumes=False, floats=False),
    Format("a TIFF file", (".tif", ".tiff"), _write_tiff),
    Format("a NumPy file", (".npy",), _write_npy),
    Format("a NIfTI file", (".nii", ".nii.gz"), _write_nifti, extra="nifti", module="nibabel"),
    Format("an OME-Zarr folder", (".zarr",), write_ome_zarr, extra="zarr", module="zarr"),
)
"""All of them."""

LABEL_ENDINGS = tuple(ending for kind in FORMATS for ending in kind.endings)
"""Endings of files that hold labels."""

PROBABILITY_ENDINGS = tuple(ending for kind in FORMATS if kind.floats for ending in kind.endings)
"""Endings of files that hold probabilities."""


def has_ending(path: str | os.PathLike, endings: tuple[str, ...] | str) -> bool:
    """Whether a file's name ends so, in any case."""
    return Path(checks.path("path", path)).name.lower().endswith(endings)


def format_of(path: str | os.PathLike, *, floats: bool = False) -> Format:
    """The kind of file that a name's ending says; a FileFormatError if it says none that holds what is to be written.

    A MissingExtraError if the package that writes it is not installed.
    """
    for kind in FORMATS:
        if kind.fits(path) and (kind.floats or not floats):
            require(kind.module, kind.extra, kind.name)
            return kind
    endings = PROBABILITY_ENDINGS if floats else LABEL_ENDINGS
    raise FileFormatError(f"the output's name must end in {', '.join(endings)}; got {os.fspath(path)}. Rename it.")


def require(module: str | None, extra: str | None, name: str) -> None:
    """A MissingExtraError if the module of an extra is not installed."""
    if module is not None and importlib.util.find_spec(module) is None:
        raise MissingExtraError(
            f"{name} needs {module}, which is not installed. Install it: pip install {module}, or the extra {extra}."
        )


def check_format(
    path: str | os.PathLike, ndim: int, largest: int = 0, *, floats: bool = False, told: str = ""
) -> Format:
    """The kind of file of a name, if it can hold an array of `ndim` spatial axes and labels up to `largest`.

    `told` is what the message calls the file, with what to do: for a path that the user has not named.

    Raises
    ------
    FileFormatError
        If it cannot, or cannot be written where it is.
    MissingExtraError
        If the package that writes it is not installed.
    """
    kind = format_of(path, floats=floats)
    if ndim > 2 and not kind.volumes:
        raise FileFormatError(
            f"a volume needs a file that holds one, {', '.join(e for f in FORMATS if f.volumes for e in f.endings)}; "
            f"got {told or f'{os.fspath(path)}. Rename it.'}"
        )
    if largest > kind.largest:
        raise FileFormatError(
            f"{kind.name} holds labels up to {kind.largest}; got {largest} for "
            f"{told or f'{os.fspath(path)}. Write to .tif.'}"
        )
    check_writable(path, folder=kind.folder)
    if kind.folder:
        check_place(path)
    return kind
