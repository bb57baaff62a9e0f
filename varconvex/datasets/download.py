"""Download of archives, whose checksum is recorded at the first time and compared afterwards.

    <folder>/<name>.zip   <folder>/<name>.zip.sha256

A data set that has changed raises an error rather than changing a table.
"""

import hashlib
import os
import shutil
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse

from .. import checks
from ..errors import FileFormatError
from ..keywords import known_keywords


@known_keywords
def fetch(url: str, folder: str | os.PathLike, *, time_limit: float = 60.0) -> Path:
    """The path of an archive in `folder`, downloaded if it is not there yet.

    The convexity data set is linked from https://vision.cs.uwaterloo.ca/data/: pass the address of its archive.

    Parameters
    ----------
    url : str
        http, https or file.
    folder : path
        Created if it does not exist.
    time_limit : float
        Longest wait for the server, in seconds.

    Raises
    ------
    FileFormatError
        If the download fails or ends early, or the file differs from the one recorded.
    """
    parts = urlparse(str(url))
    name = Path(parts.path).name
    if parts.scheme not in ("http", "https", "file") or name in ("", ".."):
        raise FileFormatError(f"an address of a file was expected (https://...); got {url!r}. Copy the archive's link.")
    checks.real_number("time_limit", time_limit, strict=True)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    # Downloaded to a file beside it, which is renamed once it is complete.
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if not target.exists():
            with urllib.request.urlopen(str(url), timeout=time_limit) as answer, part.open("wb") as file:
                shutil.copyfileobj(answer, file)
                announced = answer.headers.get("Content-Length")
                if announced is not None and file.tell() != int(announced):
                    raise OSError(f"{file.tell()} bytes came of {announced} announced")
            os.replace(part, target)
    except (OSError, ValueError, HTTPException) as error:
        raise FileFormatError(
            f"{url} could not be fetched ({error}). Check the address, or download it by hand and pass the file."
        ) from error
    finally:
        part.unlink(missing_ok=True)
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
