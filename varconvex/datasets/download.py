"""Fetches an archive on request, and remembers its checksum from the first time on.

    <folder>/<name>.zip   <folder>/<name>.zip.sha256

Whoever fetches it again, or uses what was fetched, gets the same bytes or an error: a data set that has changed must
not change a table without a word.
"""

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

from .. import checks
from ..errors import FileFormatError

_BLOCK = 1 << 20


def fetch(url: str, folder: str | os.PathLike, *, time_limit: float = 60.0) -> Path:
    """The archive at an address, from `folder` if it is there already.

    The convexity data set is linked from https://vision.cs.uwaterloo.ca/data/: pass the address of its archive.

    Parameters
    ----------
    url : str
        http, https or file.
    folder : path
        Where to keep it; made if it is not there.
    time_limit : float
        Seconds to wait for an answer.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    FileFormatError
        If it cannot be had, or is not what it was the first time.
    """
    parts = urlparse(str(url))
    name = Path(parts.path).name
    if parts.scheme not in ("http", "https", "file") or not name:
        raise FileFormatError(f"an address of a file was expected (https://...); got {url!r}. Copy the archive's link.")
    checks.real_number("time_limit", time_limit, strict=True)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    if not target.exists():
        _load(str(url), target, time_limit)
    record = target.with_name(target.name + ".sha256")
    found = checksum(target)
    if not record.exists():
        record.write_text(found + "\n")
    expected = record.read_text().split()[:1]
    if expected != [found]:
        raise FileFormatError(
            f"{target} must have the checksum recorded when it was first used, {''.join(expected)}; it has {found}. "
            "Delete both files to accept a new edition."
        )
    return target


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(url: str, target: Path, time_limit: float) -> None:
    """Beside the target first: what is there is whole."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(url, timeout=time_limit) as answer, part.open("wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
        os.replace(part, target)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise FileFormatError(
            f"{url} could not be fetched ({error}). Check the address, or download it by hand and pass the file."
        ) from error
    finally:
        part.unlink(missing_ok=True)
