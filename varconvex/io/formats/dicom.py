"""DICOM by pydicom: one file, or the folder of a series, in modality units, with spacing and affine in the patient."""

import os
import warnings
from typing import Any

import numpy as np

from ...errors import FileFormatError
from .base import MILLIMETRE, Source, Wanted, alone, level_of, one_of_several, optional

NAME = "DICOM, a file or the folder of a series (extra dicom)"

_MOST_FILES = 20_000

_UNEVEN = 0.02
"""Largest deviation of a distance between slices from their median, as a share of it."""

_TIMED = ("FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate")
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")

Place = tuple[np.ndarray, np.ndarray]
"""Position of a slice's first pixel in the patient, and the six cosines of its rows and columns."""


def matches(path: str, head: bytes) -> bool:
    """Whether it begins like a DICOM file, or is a folder of some."""
    if os.path.isdir(path):
        return any(_begins(file) for file in _files(path))
    return head[128:132] == b"DICM" or path.lower().endswith((".dcm", ".dicom", ".ima"))


def source(path: str, wanted: Wanted) -> Source:
    """The image of a file, or the volume of a series."""
    optional("pydicom", "dicom", "DICOM")
    level_of(path, 1, wanted.level)
    if os.path.isdir(path):
        return _series(path, wanted)
    alone(path, wanted)
    head = _head(path)
    _check(path, head)
    frames = int(getattr(head, "NumberOfFrames", 1) or 1)
    shape, axes, dtype = _form(head)
    told = 1 if "ImagePositionPatient" in head else frames
    places = [place for k in range(told) if (place := _place(head, k)) is not None]
    step = _step(head, places)
    steps, affine = _geometry(head, places, step)
    if frames == 1:
        affine = None if affine is None else affine[:, [1, 2, 0, 3]]
        return Source(shape, dtype, axes, lambda index: _pixels(path)[index], steps, MILLIMETRE, affine)
    timed = any(name in head for name in _TIMED) or (len(places) > 1 and step is None)
    letter = "t" if timed else "z" if step else "p"

    def read(index: tuple[Any, ...]) -> np.ndarray:
        return _pixels(path, index[0])[index[1:]] if isinstance(index[0], int) else _pixels(path)[index]

    return Source((frames, *shape), dtype, letter + axes, read, steps, MILLIMETRE, affine)


def _head(path: str) -> Any:
    """A file without its pixels; what pydicom mends in it is no news to a user of the image."""
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path, stop_before_pixels=True)


def _check(path: str, head: Any) -> None:
    """An error for files without an image."""
    if "DirectoryRecordSequence" in head:
        raise FileFormatError(
            f"an image was expected; {path} is a DICOMDIR, a table of contents. Pass a series' folder."
        )
    if "Rows" not in head or "Columns" not in head:
        kind = getattr(head, "Modality", "unknown")
        raise FileFormatError(f"an image was expected; {path} is DICOM of modality {kind} without pixels. Check it.")


def _form(head: Any) -> tuple[tuple[int, ...], str, np.dtype]:
    """Shape, axes and type of one frame."""
    colours = int(head.SamplesPerPixel) > 1 or head.PhotometricInterpretation == "PALETTE COLOR"
    kind = "i" if int(getattr(head, "PixelRepresentation", 0)) else "u"
    bits = int(getattr(head, "BitsAllocated", 16))
    dtype = np.dtype(np.float64) if _in_units(head) else np.dtype(f"{kind}{max(bits // 8, 1)}")
    return (int(head.Rows), int(head.Columns)) + (3,) * colours, "yx" + "s" * colours, dtype


def _in_units(head: Any) -> bool:
    """Whether stored numbers have to be scaled to those of the modality, e.g. Hounsfield units."""
    slope, intercept = getattr(head, "RescaleSlope", 1), getattr(head, "RescaleIntercept", 0)
    return "ModalityLUTSequence" in head or (float(slope or 1), float(intercept or 0)) != (1.0, 0.0)


def _pixels(path: str, frame: int | None = None) -> np.ndarray:
    """The numbers of a file or of one of its frames: in the modality's units, palettes as colours."""
    from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Expected (explicit|implicit) VR")
        array = pixel_array(path, index=frame)
    head = _head(path)
    if head.PhotometricInterpretation == "PALETTE COLOR":
        return np.asarray(apply_color_lut(array, head))
    return np.asarray(apply_modality_lut(array, head)) if _in_units(head) else array


def _value(head: Any, frame: int, sequence: str, name: str) -> Any:
    """A value of the file, of one of its frames, or of the groups that all frames share; None without one."""
    own, shared = (getattr(head, f"{kind}FunctionalGroupsSequence", ()) for kind in ("PerFrame", "Shared"))
    groups = [*own[frame : frame + 1], *shared[:1]]
    places = [head, *(item for group in groups for item in getattr(group, sequence, ()))]
    return next((value for place in places if (value := getattr(place, name, None)) is not None), None)


def _place(head: Any, frame: int) -> Place | None:
    """Where a frame lies in the patient, if the file tells."""
    position = _value(head, frame, "PlanePositionSequence", "ImagePositionPatient")
    cosines = _value(head, frame, "PlaneOrientationSequence", "ImageOrientationPatient")
    if position is None or cosines is None or len(position) != 3 or len(cosines) != 6:
        return None
    return np.array(position, float), np.array(cosines, float)


def _heights(places: list[Place]) -> list[float]:
    """Positions along the normal of the first slice."""
    normal = np.cross(places[0][1][:3], places[0][1][3:]) if places else 0
    return [float(position @ normal) for position, _ in places]


def _step(head: Any, places: list[Place]) -> float | None:
    """Signed distance between slices along their normal; None where they are not evenly spaced, or nothing is told."""
    offsets = getattr(head, "GridFrameOffsetVector", None) or ()
    if len(places) > 1 or len(offsets) > 1:
        gaps = np.diff(_heights(places) if len(places) > 1 else [float(offset) for offset in offsets])
        middle = float(np.median(gaps))
        return middle if middle and (np.abs(gaps - middle) <= _UNEVEN * abs(middle)).all() else None
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        if value := _value(head, 0, "PixelMeasuresSequence", name):
            return float(value)
    return None


def _geometry(head: Any, places: list[Place], step: float | None) -> tuple[dict[str, float], np.ndarray | None]:
    """Distances by axis in millimetres, and the affine of z, y and x."""
    steps = {"z": abs(step)} if step else {}
    told = (_value(head, 0, "PixelMeasuresSequence", name) for name in _SPACINGS)
    pixel = next((value for value in told if value is not None and len(value) == 2 and min(value) > 0), None)
    if pixel is None:
        return steps, None
    steps |= {"y": float(pixel[0]), "x": float(pixel[1])}
    if not places:
        return steps, None
    position, cosines = places[0]
    normal = np.cross(cosines[:3], cosines[3:]) * (step or 1.0)
    affine = np.eye(4)
    affine[:3] = np.stack([normal, cosines[3:] * steps["y"], cosines[:3] * steps["x"], position], axis=1)
    return steps, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # DICOM points left and back, NIfTI right and front


def _series(path: str, wanted: Wanted) -> Source:
    """The slices of a series in a folder as a volume, in the order of their positions."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for file in _files(path):
        if _begins(file):
            head = _head(file)
            if "Rows" in head:
                found.setdefault(str(getattr(head, "SeriesInstanceUID", "")), []).append((file, head))
    slices = found[list(found)[one_of_several(path, list(found), wanted.key, "series")]]
    forms = {_form(head)[:2] for _, head in slices}
    places = [place for _, head in slices if (place := _place(head, 0)) is not None]
    if (
        len(forms) > 1
        or len(places) < len(slices)
        or any(int(getattr(h, "NumberOfFrames", 1) or 1) > 1 for _, h in slices)
    ):
        raise FileFormatError(
            f"a folder must hold the slices of one volume, each with its position; the {len(slices)} files in {path} "
            "differ in size or have no position. Pass one of the files."
        )
    order = np.argsort(_heights(places), kind="stable")
    slices, places = [slices[k] for k in order], [places[k] for k in order]
    step = _step(slices[0][1], places)
    if step is None:
        raise FileFormatError(
            f"slices must be evenly spaced; those in {path} are {np.diff(_heights(places)).round(3).tolist()[:9]} mm "
            "apart. Are some missing, or are several moments in one folder? Pass a part of the files."
        )
    steps, affine = _geometry(slices[0][1], places, step)
    (shape, axes), dtype = forms.pop(), np.result_type(*(_form(head)[2] for _, head in slices))

    def read(index: tuple[Any, ...]) -> np.ndarray:
        return np.stack([_pixels(file) for file, _ in slices]).astype(dtype, copy=False)[index]

    return Source((len(slices), *shape), dtype, f"z{axes}", read, steps, MILLIMETRE, affine)


def _files(folder: str) -> list[str]:
    """Files in a folder, by name."""
    with os.scandir(folder) as entries:
        names = sorted(entry.path for entry in entries if entry.is_file() and not entry.name.startswith("."))
    return names[:_MOST_FILES]


def _begins(path: str) -> bool:
    """Whether a file begins like DICOM."""
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"
