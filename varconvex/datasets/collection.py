"""Samples of a folder or zip file in any known layout, recognised by its subfolders.

img/ ground_truth/ user_scribbles/   the convexity data set, as a folder or a zip file
images/ ground_truth/ scribbles/     a folder of samples
images/ ground_truth/                a folder without scribbles, which `robot_scribbles` draws
"""

import os
from functools import partial
from pathlib import Path

from ..errors import FileFormatError
from .convexity import find_root, list_convexity
from .folders import Entry, images_in, list_folder, read_sample


def list_samples(source: str | os.PathLike, scribbles: str = "scribbles") -> list[Entry]:
    """The samples of a folder or zip file, as entries that are read later.

    Parameters
    ----------
    source : path
    scribbles : str
        Name of the subfolder with the scribbles, in the second layout.

    Raises
    ------
    FileFormatError
        If the layout is unknown; when an entry is read, if one of its files is missing or invalid.

    Examples
    --------
    >>> for entry in list_samples("data/birds"):  # doctest: +SKIP
    ...     sample = entry.read()
    """
    root = Path(source)
    if root.is_file() or find_root(root):
        return list_convexity(root)
    if not root.is_dir():
        raise FileFormatError(f"a folder or a zip file of samples was expected; {root} is not there. Check the path.")
    if (root / "images").is_dir() and (root / "ground_truth").is_dir() and not any(root.glob("scribbles*")):
        return [Entry(path.stem, partial(read_sample, root, path, None)) for path in images_in(root / "images")]
    return list_folder(root, scribbles)
