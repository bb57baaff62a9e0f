"""The convexity data set: 51 photographs of nearly convex objects with scribbles by hand, from a folder or a zip file.

    <root>/img/img_<k>.png   <root>/ground_truth/GT_<k>.png   <root>/user_scribbles/scribbleMask_<k>.png

Ground truth is 255 on the object. Scribbles are grey with three levels, ascending: none, background, object.

L. Gorelick, O. Veksler, Y. Boykov, C. Nieuwenhuis, *Convexity shape prior for segmentation*, ECCV 2014,
doi:10.1007/978-3-319-10602-1_44; the data are at https://vision.cs.uwaterloo.ca/data/.
"""

import os
import re
import shutil
import tempfile
import weakref
import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import FileFormatError
from .folders import Entry, Sample, images_in, read_rgb, values_of

_LARGEST = 2 << 30
"""Most bytes that an archive may unpack to, a hundred times the data set's."""


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
    path = Path(source)
    holder = _Unpacked(path) if path.is_file() else None
    root = find_root(holder.folder if holder else path)
    if root is None:
        raise FileFormatError(
            f"the convexity data set has the subfolders img, ground_truth and user_scribbles; {path} has not all of "
            "them. Check the path."
        )
    numbered = sorted((_number(image.stem), image) for image in images_in(root / "img"))
    return [Entry(image.stem, partial(_read, root, image, k, holder)) for k, image in numbered]


def find_root(folder: Path) -> Path | None:
    """The first folder with the data set's layout among `folder` and those up to two levels below, or None."""
    if not folder.is_dir():
        return None
    for candidate in (folder, *sorted(folder.glob("*")), *sorted(folder.glob("*/*"))):
        if all((candidate / part).is_dir() for part in ("img", "ground_truth", "user_scribbles")):
            return candidate
    return None


def _number(stem: str) -> int:
    """The number at the end of a file's name."""
    found = re.search(r"\d+$", stem)
    if found is None:
        raise FileFormatError(f"images of the convexity data set are named img_<number>; got {stem!r}. Rename it.")
    return int(found[0])


def _read(root: Path, path: Path, k: int, _holder: object) -> Sample:
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
                self.folder = Path(tempfile.mkdtemp(prefix="varconvex-"))
                self._finalizer = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
                archive.extractall(self.folder)  # never leaves the folder: zipfile drops ".." and roots
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise FileFormatError(
                f"a folder or a zip file was expected; {path} is neither ({error}). Is the download complete?"
            ) from error
