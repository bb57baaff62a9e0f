"""Array backends: one specification (`base`), fast where it pays."""

from typing import Any

import numpy as np

from ..errors import InvalidParameterError
from ..families import find, names
from ..keywords import known_keywords
from ._grids import ends
from .base import ArrayBackend, Offsets, Problem

__all__ = ["ArrayBackend", "Offsets", "Problem", "ends", "get_backend"]


@known_keywords
def get_backend(name: str | ArrayBackend | None = None, array: Any = None) -> ArrayBackend:
    """The backend called `name`, or the one for the device that holds `array`.

    Parameters
    ----------
    name : {"numpy", "numba", "cupy"}, ArrayBackend or None
        None is "cupy" for a CuPy array and "numba" for anything else; with a name the data are moved to that device.
    array : array, optional
        Looked at only when `name` is None.

    Raises
    ------
    InvalidParameterError
        If there is no backend of that name.
    BackendUnavailableError
        If the backend cannot run here; the message says why, and what to do.

    Examples
    --------
    >>> get_backend("numpy").name
    'numpy'
    """
    if isinstance(name, ArrayBackend):
        return name
    if name is None:
        on_gpu = type(array).__module__.partition(".")[0] == "cupy" and not isinstance(array, np.ndarray)
        name = "cupy" if on_gpu else "numba"
    if not isinstance(name, str):
        raise InvalidParameterError(f"backend must be None or one of {', '.join(names('backends'))}; got {name!r}")
    return find("backends", name)()
