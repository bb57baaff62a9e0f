"""Arrays on disk that are read and written by rows, and a checkpoint that a kill leaves whole.

Plain reads and writes, not maps of memory: what has been read is this process's memory, and no more of it.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks, memory, temporary
from ..errors import InvalidParameterError, NotEnoughSpaceError


class RowFile:
    """An array (*lead, rows, width) in a file, in the machine's byte order; new files are full of zeros."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any = np.float32) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self._row = shape[-1] * self.dtype.itemsize
        size = int(np.prod(shape)) * self.dtype.itemsize
        if not path.exists() or path.stat().st_size != size:
            with open(path, "wb") as file:
                file.truncate(size)

    def read(self, first: int, last: int) -> np.ndarray:
        """Rows from `first` to `last`: (*lead, last - first, width)."""
        out = np.empty((*self.shape[:-2], last - first, self.shape[-1]), self.dtype)
        with open(self.path, "rb", buffering=0) as file:
            for k, part in enumerate(out.reshape(-1, *out.shape[-2:])):
                file.seek((k * self.shape[-2] + first) * self._row)
                _fill(file, part.reshape(-1).view(np.uint8))
        return out

    def write(self, first: int, rows: np.ndarray) -> None:
        """Write rows from `first` on: (*lead, n, width)."""
        rows = np.ascontiguousarray(rows, self.dtype)
        with open(self.path, "r+b", buffering=0) as file:
            for k, part in enumerate(rows.reshape(-1, *rows.shape[-2:])):
                file.seek((k * self.shape[-2] + first) * self._row)
                left = memoryview(part.reshape(-1).view(np.uint8))
                while left:  # a single call writes 2 GiB at most
                    left = left[file.write(left) :]

    def mapped(self) -> np.ndarray:
        """The whole array, read from the file where it is looked at."""
        return np.memmap(self.path, self.dtype, "r", shape=self.shape)


def _fill(file: Any, buffer: Any) -> None:
    left = memoryview(buffer)
    while left:
        count = file.readinto(left)
        if not count:
            raise InvalidParameterError(
                f"scratch must keep its files while they are needed; {file.name} has become shorter. Start again in an "
                "empty folder."
            )
        left = left[count:]


class Scratch:
    """A folder for files of one image, and what has been done there: `done` in JSON's types, `arrays` by name.

    Both appear together or not at all. A folder that holds the beginnings of another image is refused.
    """

    _NAME = "checkpoint.npz"

    def __init__(self, folder: Any) -> None:
        self.path = temporary.folder(self) if folder is None else Path(checks.path("scratch", folder))
        self.done: dict[str, Any] = {}
        self.arrays: dict[str, np.ndarray] = {}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except (OSError, ValueError) as error:  # a ValueError is a null character's
            told = getattr(error, "strerror", None) or error
            raise InvalidParameterError(
                f"scratch must be a folder that can be written to; got {str(folder)!r:.200} ({told}). Name another."
            ) from error
        if (self.path / self._NAME).exists():
            with np.load(self.path / self._NAME, allow_pickle=False) as stored:
                self.arrays = {name: stored[name] for name in stored.files if name != "done"}
                self.done = json.loads(str(stored["done"]))

    def require(self, size: float) -> None:
        """A NotEnoughSpaceError if the disk cannot hold files of so many bytes beside those that are here."""
        here = sum(path.stat().st_blocks * 512 for path in self.path.iterdir() if path.is_file())
        free = shutil.disk_usage(self.path).free + here
        if size > free:
            raise NotEnoughSpaceError(
                f"scratch must have room for {memory.readable(size)} of files; {self.path} has {memory.readable(free)} "
                "left. Name a folder on another disk: scratch=DIR."
            )

    def begin(self, key: str) -> None:
        """Go on where the same call was interrupted, or begin; a folder of another call is refused."""
        if self.done.get("key", key) != key:
            raise InvalidParameterError(
                f"scratch must be empty or of this very call; {self.path} holds files for another image, other strokes "
                "or keywords, or the image has changed. Empty it, or name another folder."
            )
        self.done["key"] = key

    def note(self, arrays: dict[str, np.ndarray] | None = None, **done: Any) -> None:
        """Add to what has been done, whole or not at all."""
        self.done |= done
        self.arrays |= arrays or {}
        unfinished = self.path / f"{self._NAME}.part"
        with open(unfinished, "wb") as file:
            np.savez(file, done=np.array(json.dumps(self.done)), **self.arrays)  # type: ignore[arg-type]
        os.replace(unfinished, self.path / self._NAME)
