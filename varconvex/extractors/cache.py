"""Maps that were computed before, by what they were computed from: in memory, and as .npy files in a folder."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np

from ..errors import FileFormatError

_BYTES = 2**28
"""Of maps in memory; the least recently used are given up first."""

_known: OrderedDict[Hashable, np.ndarray] = OrderedDict()
_lock = threading.Lock()


def kept(key: Hashable, compute: Callable[[], np.ndarray], ndim: int, folder: Path | None = None) -> np.ndarray:
    """The array of a key, of so many axes, from memory, from the folder, or by `compute()`; read-only.

    A key with a function in it has no name that would last: its array is kept in memory only.
    """
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    path = None
    if folder is not None and _lasts(key):
        path = folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()}.npy"
    if path is not None and path.is_file():
        found = _read(path, ndim)
    else:
        found = compute()
        if path is not None:
            _write(path, found)
    found.flags.writeable = False
    with _lock:
        _known[key] = found
        while len(_known) > 1 and sum(array.nbytes for array in _known.values()) > _BYTES:
            _known.popitem(last=False)
    return found


def _write(path: Path, found: np.ndarray) -> None:
    from ..io.whole import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(
            f"a folder for features was expected at {path.parent}; got {error}. Choose another."
        ) from error
    write_whole(path, lambda file: np.save(file, found, allow_pickle=False))


def _read(path: Path, ndim: int) -> np.ndarray:
    try:
        found: np.ndarray = np.load(path, allow_pickle=False)
        if found.ndim != ndim or found.dtype != np.float32 or not found.size or not np.isfinite(found).all():
            raise ValueError(f"other values, {found.dtype} of shape {found.shape}")
        return found
    except (OSError, ValueError) as error:
        raise FileFormatError(f"an array of features was expected in {path}; got {error}. Delete the file.") from error


def _lasts(key: Hashable) -> bool:
    """Whether a key is made of texts and numbers alone, whose `repr` means the same tomorrow."""
    if isinstance(key, tuple):
        return all(map(_lasts, key))
    return key is None or isinstance(key, str | int | float)
