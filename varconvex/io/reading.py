"""All that reads files, in one place; `read_image`: the numbers of an image alone."""

import os
from typing import Any

import numpy as np

from ..checks import warn_caller
from ..errors import VarconvexWarning
from ..keywords import known_keywords
from .formats.base import readable as readable
from .labels import read_labels as read_labels, read_mask as read_mask
from .opening import open_image as open_image
from .painted import colour as colour
from .scribble_files import read_scribble_pair as read_scribble_pair, read_scribbles as read_scribbles


@known_keywords
def read_image(path: str | os.PathLike, **which: Any) -> np.ndarray:
    """The numbers of an image file: (*spatial) or (*spatial, C), in the file's integer or float type.

    Parameters
    ----------
    path : path
        Of any format that `open_image` reads, which gives spacing and opacity as well.
    **which
        The keywords of `open_image`: which frame, level or array to read.

    Returns
    -------
    image : (*spatial) or (*spatial, C) array
        Without transparency.

    Raises
    ------
    FileFormatError, MissingExtraError, NotEnoughMemoryError
        As `open_image`.

    Warns
    -----
    VarconvexWarning
        If pixels are fully transparent: their colours are those that are stored behind.

    Examples
    --------
    >>> from varconvex.io import read_image
    >>> image = read_image("photograph.jpg")  # doctest: +SKIP
    """
    file = open_image(path, **which)
    if file.alpha is not None and (hidden := int(np.count_nonzero(file.alpha == 0))):
        warn_caller(
            f"an image without transparency was expected; {hidden} pixels of {file.path} are transparent, and are read "
            "with the colours that are stored behind. To leave them out pass open_image(path).alpha > 0 as mask.",
            VarconvexWarning,
        )
    return file.array
