"""Images with ground truth and scribbles from a folder or zip file, in any of three layouts.

    images/<name>.*  ground_truth/<name>.png  <scribbles>/<name>.png           a folder of samples
    images/<name>.*  ground_truth/<name>.png                                   one that `robot_scribbles` scribbles on
    img/img_<k>.png  ground_truth/GT_<k>.png  user_scribbles/scribbleMask_<k>.png     the convexity data set

Ground truth is grey: 255 object, 0 background, 128 not scored. Scribbles are indexed or grey: 0 none, 1 object,
2 background; samples have them in this library's convention, 0 none, 1 background, 2 object.

The convexity data set has 51 photographs of nearly convex objects with scribbles by hand, grey with three levels,
ascending: none, background, object. L. Gorelick, O. Veksler, Y. Boykov, C. Nieuwenhuis, *Convexity shape prior for
segmentation*, ECCV 2014, doi:10.1007/978-3-319-10602-1_44; the data are at https://vision.cs.uwaterloo.ca/data/.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from .. import checks, temporary
from ..errors import FileFormatError
from ..io.reading import read_image, read_labels, readable
from ..keywords import known_keywords
from .robot import robot_scribbles

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}

_LABEL_OF_INDEX = np.array([0, 2, 1])
"""Label by value in the file."""

_LARGEST = 2 << 30
"""Most bytes that an archive may unpack to, a hundred times the convexity data set's."""


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


@known_keywords
def read_folder(folder: str | os.PathLike, scribbles: str = "scribbles") -> Iterator[Sample]:
    """Iterate over the folder's samples in the order of their names.

    Parameters
    ----------
    folder : path
    scribbles : str
        Name of the subfolder with the scribbles to use.

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


@known_keywords
def list_folder(folder: str | os.PathLike, scribbles: str = "scribbles") -> list[Entry]:
    """The folder's samples by name, as entries that are read later; parameters and errors as in `read_folder`."""
    root = Path(checks.path("folder", folder))
    for part in ("images", "ground_truth", scribbles):
        if not os.path.isdir(root / part):
            raise FileFormatError(
                f"a folder of samples must have the subfolders images, ground_truth and {scribbles}; {root} "
                f"has no {part}. Check the path and the scribbles' name."
            )
    return [Entry(path.stem, partial(read_sample, root, path, scribbles)) for path in images_in(root / "images")]


@known_keywords
def list_samples(source: str | os.PathLike, scribbles: str = "scribbles") -> list[Entry]:
    """The samples of a folder or zip file, as entries that are read later.

    Parameters
    ----------
    source : path
    scribbles : str
        Name of the subfolder with the scribbles, in the first layout.

    Raises
    ------
    FileFormatError
        If the layout is unknown; when an entry is read, if one of its files is missing or invalid.

    Examples
    --------
    >>> for entry in list_samples("data/birds"):  # doctest: +SKIP
    ...     sample = entry.read()
    """
    root = Path(checks.path("source", source))
    if os.path.isfile(root) or find_root(root):
        return list_convexity(root)
    if not os.path.isdir(root):
        raise FileFormatError(f"a folder or a zip file of samples was expected; {root} is not there. Check the path.")
    if os.path.isdir(root / "images") and os.path.isdir(root / "ground_truth") and not any(root.glob("scribbles*")):
        return [Entry(path.stem, partial(read_sample, root, path, None)) for path in images_in(root / "images")]
    return list_folder(root, scribbles)


@known_keywords
def list_convexity(source: str | os.PathLike) -> list[Entry]:
    """The data set's samples in the order of their numbers, as entries that are read later.

    Parameters
    ----------
    source : path
        The folder, one that holds it, or its zip file (unpacked until the entries are deleted).

    Raises
    ------
    FileFormatError
        If the layout is another one; when an entry is read, if one of its files is missing or invalid.

    Examples
    --------
    >>> for entry in list_convexity("convexity.zip"):  # doctest: +SKIP
    ...     sample = entry.read()
    ...     result = segment(sample.image, sample.scribbles, shape="convex")
    """
    path = Path(checks.path("source", source))
    holder = _Unpacked(path) if os.path.isfile(path) else None
    root = find_root(holder.folder if holder else path)
    if root is None:
        raise FileFormatError(
            f"the convexity data set has the subfolders img, ground_truth and user_scribbles; {path} has not all of "
            "them. Check the path."
        )
    numbered = sorted((_number(image.stem), image) for image in images_in(root / "img"))
    return [Entry(image.stem, partial(_read_convexity, root, image, k, holder)) for k, image in numbered]


def images_in(folder: Path) -> list[Path]:
    """Paths of a folder's images in the order of their names, at least one."""
    with readable(folder, "a folder of images", "May it be read?"):
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in _ENDINGS and not p.name.startswith("."))
    if not paths:
        raise FileFormatError(f"{folder} must hold images ({', '.join(sorted(_ENDINGS))}); it has none. Add some.")
    for one, other in pairwise(sorted(paths, key=lambda path: path.stem)):
        if one.stem == other.stem:
            raise FileFormatError(
                f"each image in {folder} must have a name of its own; got {one.name} and {other.name}. Rename one."
            )
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
    values = read_labels(path)
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


def find_root(folder: Path) -> Path | None:
    """The first folder with the data set's layout among `folder` and those up to two levels below, or None."""
    if not os.path.isdir(folder):
        return None
    for candidate in (folder, *sorted(folder.glob("*")), *sorted(folder.glob("*/*"))):
        if all(os.path.isdir(candidate / part) for part in ("img", "ground_truth", "user_scribbles")):
            return candidate
    return None


def _number(stem: str) -> int:
    """The number at the end of a file's name."""
    found = re.search(r"\d+$", stem)
    if found is None:
        raise FileFormatError(f"images of the convexity data set are named img_<number>; got {stem!r}. Rename it.")
    return int(found[0])


def _read_convexity(root: Path, path: Path, k: int, _holder: object) -> Sample:
    """The k-th sample; the reference to `_holder` keeps an unpacked archive."""
    image = read_rgb(path)
    truth = values_of(root / "ground_truth" / f"GT_{k}.png", image, None)
    file = root / "user_scribbles" / f"scribbleMask_{k}.png"
    strokes = values_of(file, image, None)
    levels = np.unique(strokes)
    if len(levels) != 3:
        raise FileFormatError(
            f"scribbles of the convexity data set have three grey levels (none, background, object); {file} has "
            f"{len(levels)}. Are strokes missing, or was it saved with smooth edges?"
        )
    return Sample(path.stem, image, np.searchsorted(levels, strokes), truth == 255, np.ones(truth.shape, bool))


class _Unpacked:
    """A zip file unpacked to a temporary folder that is deleted with this object."""

    def __init__(self, path: Path):
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
                if size > _LARGEST:
                    raise FileFormatError(
                        f"{path} would unpack to {size} bytes, more than the {_LARGEST} a data set may have. Unpack it "
                        "by hand and pass the folder."
                    )
                self.folder = temporary.folder(self)
                archive.extractall(self.folder)  # never leaves the folder: zipfile drops ".." and roots
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise FileFormatError(
                f"a folder or a zip file was expected; {path} is neither ({error}). Is the download complete?"
            ) from error
