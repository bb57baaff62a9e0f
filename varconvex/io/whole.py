"""Files and folders that appear whole or not at all, also when the disk is full or the process is killed.

What is written goes to a temporary name in the same folder first, and is renamed when it is complete. A temporary of a
process that is no longer there is removed when the folder is next written to: its writer held a lock on it.
"""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import checks
from ..errors import FileFormatError, InvalidParameterError
from ..keywords import known_keywords

try:
    import fcntl
except ImportError:  # Windows does not remove files that are open
    fcntl = None  # type: ignore[assignment]

PREFIX = ".varconvex-"
"""Beginning of the names of temporaries."""

_CAUSES = {
    errno.ENOSPC: "the disk is full. Free some space, or choose another disk",
    errno.EDQUOT: "the quota of this disk is used up. Free some space, or choose another disk",
    errno.EFBIG: "the file is larger than this disk or shell allows. Choose another disk",
    errno.EROFS: "the disk is read-only. Choose another folder",
    errno.EACCES: "the folder is read-only. Choose another folder",
    errno.EPERM: "the folder is read-only. Choose another folder",
    errno.ENOENT: "no such folder. Make it first, or choose another",
    errno.ENOTDIR: "no such folder. Make it first, or choose another",
    errno.EISDIR: "it is a folder. Choose another name",
    errno.ELOOP: "links lead in a circle. Choose another name",
    errno.ENAMETOOLONG: "its name is too long. Choose a shorter one",
}


@known_keywords
def write_whole(path: str | os.PathLike, write: Callable[[Any], object]) -> None:
    """Write a file by `write`, which takes a binary file: under a temporary name first, then renamed.

    A link is followed. A FileFormatError that names the cause if the file cannot be written; what was there before is
    there still. An InvalidParameterError if `write` is no function.
    """
    if not callable(write):
        raise InvalidParameterError(
            f"write must be a function of a binary file; got {write!r:.80}. Pass e.g. lambda file: file.write(data)."
        )
    with _named(path) as target:
        clear_temporaries(target.parent)
        handle, temporary = _locked_file(target)
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            if handle is not None:
                os.close(handle)


def write_folder(path: str | os.PathLike, write: Callable[[Path], object]) -> None:
    """Write a folder by `write`, which takes the path of an empty one; one that is there already is replaced."""
    with _named(path) as target:
        clear_temporaries(target.parent)
        temporary, lock = _locked_folder(target)
        try:
            made = temporary / "new"
            made.mkdir()
            write(made)
            if target.exists():
                (temporary / "name").write_text(target.name)
                os.rename(target, temporary / "old")  # from here to the next line, `clear_temporaries` would restore it
            os.rename(made, target)
        finally:
            _remove(temporary)
            if lock is not None:
                os.close(lock)


def check_writable(path: str | os.PathLike, *, folder: bool = False) -> None:
    """A FileFormatError if a file of this name, or a folder in one that may be missing, cannot be written; it tries."""
    with _named(path) as target:
        if target.is_dir() and not folder:
            raise IsADirectoryError(errno.EISDIR, "")
        place = target.parent if target.parent.exists() or not folder else target.parent.parent
        clear_temporaries(place)
        with tempfile.TemporaryFile(dir=place, prefix=PREFIX) as trial:
            trial.write(bytes(4096))


def clear_temporaries(folder: Path) -> None:
    """Remove what killed processes have left in a folder, but a folder that was being replaced is put back."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in [entry for entry in entries if entry.name.startswith(PREFIX)]:
            lock = _lock(entry.path)
            if lock is None:
                continue
            if entry.is_dir(follow_symlinks=False):
                _restore(Path(entry.path))
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with suppress(OSError):
                    os.unlink(entry.path)
            os.close(lock)


def _locked_file(target: Path) -> tuple[int | None, str]:
    """A new temporary beside `target` that this process has locked: its descriptor, None without locks, and name."""
    while True:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=PREFIX, suffix=target.suffix)
        if fcntl is None:
            os.close(handle)
            return None, temporary
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        # Between the two calls, another process may have taken it for one that was left behind.
        if os.path.exists(temporary):
            return handle, temporary
        os.close(handle)


def _locked_folder(target: Path) -> tuple[Path, int | None]:
    """The same for a folder; None where there are no locks."""
    while True:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=PREFIX))
        lock = _lock(temporary)
        if temporary.exists():
            return temporary, lock


def _restore(temporary: Path) -> None:
    """Put back the folder that a killed process was about to replace."""
    with suppress(OSError):
        target = temporary.parent / (temporary / "name").read_text()
        if not target.exists():
            os.rename(temporary / "old", target)


def _remove(folder: Path) -> None:
    """Delete a folder, into which threads of a writer that has failed may still be writing."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)


def _lock(path: str | os.PathLike) -> int | None:
    """The descriptor of a file or folder that is locked now; None if another process has it, or without locks."""
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def _named(path: str | os.PathLike) -> Iterator[Path]:
    """The file that a path stands for; errors of the operating system as a FileFormatError with its name and cause."""
    name = checks.path("path", path)
    target = Path(os.path.realpath(name))
    try:
        if target.is_symlink():  # every other link has been followed
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        yield target
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0)
        told = f": {cause}" if cause else f" ({error}). Is the disk full? Choose another folder"
        raise FileFormatError(f"{name} cannot be written{told}.") from error
