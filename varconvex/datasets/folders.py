"""Images with ground truth and scribbles from a folder.

    <folder>/images/<name>.*   <folder>/ground_truth/<name>.png   <folder>/<scribbles>/<name>.png

Ground truth is grey: 255 object, 0 background, 128 not scored. Scribbles are indexed or grey: 0 none, 1 object,
2 background; samples have them in this library's convention, 0 none, 1 background, 2 object.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import FileFormatError
from ..files import read_image, read_mask
from .robot import robot_scribbles

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}

_LABEL_OF_INDEX = np.array([0, 2, 1])
"""Label by value in the file."""


@dataclass(frozen=True, eq=False)
class Sample:
    """An image with scribbles and ground truth.

    Attributes
    ----------
    name : str
        The file's name without its ending.
    image : (H, W, 3) uint8
        sRGB.
    scribbles : (H, W) int64
        0 unlabelled, 1 background, 2 object.
    truth : (H, W) bool
        The object.
    scored : (H, W) bool
        Pixels with known truth; pass ``ignore=~scored`` to `varconvex.metrics.iou`.
    """

    name: str
    image: np.ndarray
    scribbles: np.ndarray
    truth: np.ndarray
    scored: np.ndarray


@dataclass(frozen=True)
class Entry:
    """A sample that is read later, so that an invalid file concerns this sample only.

    Attributes
    ----------
    name : str
    read : callable
        Function without arguments that returns the `Sample`, or raises a FileFormatError that names the file.
    """

    name: str
    read: Callable[[], Sample]


def read_folder(folder: str | os.PathLike, scribbles: str = "scribbles") -> Iterator[Sample]:
    """Iterate over the folder's samples in the order of their names.

    Parameters
    ----------
    folder : path
    scribbles : str
        Name of the subfolder with the scribbles to use.

    Yields
    ------
    Sample

    Raises
    ------
    FileFormatError
        If a subfolder is missing or holds no image; at its turn, if a sample's file is missing or unreadable, has
        another size than its image, or other values than those above.

    Examples
    --------
    >>> for sample in read_folder("data/birds"):  # doctest: +SKIP
    ...     result = segment(sample.image, sample.scribbles)
    ...     print(sample.name, iou(result.mask, sample.truth, ignore=~sample.scored))
    """
    return (entry.read() for entry in list_folder(folder, scribbles))


def list_folder(folder: str | os.PathLike, scribbles: str = "scribbles") -> list[Entry]:
    """The folder's samples by name, as entries that are read later; parameters and errors as in `read_folder`."""
    root = Path(folder)
    for part in ("images", "ground_truth", scribbles):
        if not (root / part).is_dir():
            raise FileFormatError(
                f"a folder of samples must have the subfolders images, ground_truth and {scribbles}; {root} "
                f"has no {part}. Check the path and the scribbles' name."
            )
    return [Entry(path.stem, partial(read_sample, root, path, scribbles)) for path in images_in(root / "images")]


def images_in(folder: Path) -> list[Path]:
    """Paths of a folder's images in the order of their names, at least one."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in _ENDINGS and not p.name.startswith("."))
    if not paths:
        raise FileFormatError(f"{folder} must hold images ({', '.join(sorted(_ENDINGS))}); it has none. Add some.")
    return paths


def read_sample(root: Path, path: Path, scribbles: str | None) -> Sample:
    """The sample of the image `path`; without `scribbles` those of `robot_scribbles`, seeded by the image's name."""
    image = read_rgb(path)
    truth = values_of(root / "ground_truth" / f"{path.stem}.png", image, (0, 128, 255))
    if scribbles is None:
        strokes = robot_scribbles(truth == 255, random_state=zlib.crc32(path.stem.encode()))
    else:
        strokes = _LABEL_OF_INDEX[values_of(root / scribbles / f"{path.stem}.png", image, (0, 1, 2))]
    return Sample(path.stem, image, strokes, truth == 255, truth != 128)


def read_rgb(path: Path) -> np.ndarray:
    """An image of 8 bits, grey or colour, as (H, W, 3) uint8."""
    image = read_image(path)
    if image.dtype != np.uint8:
        raise FileFormatError(f"images must have 8 bits a channel; {path} has {image.dtype}. Convert it.")
    return np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image


def values_of(path: Path, image: np.ndarray, allowed: tuple[int, ...] | None) -> np.ndarray:
    """The (H, W) values of a mask, which must have the image's size and only the `allowed` values (None is any)."""
    values = read_mask(path)
    if values.shape != image.shape[:2]:
        raise FileFormatError(
            f"{path} must have its image's size {image.shape[:2]}; it has {values.shape}. "
            "Is it another image's, or resized?"
        )
    odd = sorted(set(np.unique(values).tolist()) - set(allowed)) if allowed else []
    if allowed and odd:
        raise FileFormatError(
            f"{path} must hold the values {', '.join(map(str, allowed))} only; it has {odd[:5]} as well. "
            "Was it resized with interpolation, or saved in another encoding?"
        )
    return values
