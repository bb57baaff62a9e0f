"""Download of archives: whole, in limited time, and with a checksum that is known or recorded at the first time.

    <folder>/<name>.zip   <folder>/<name>.zip.sha256

A data set that has changed raises an error rather than changing a table.
"""

import hashlib
import os
import queue
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlparse

from .. import checks
from ..errors import FileFormatError, InvalidParameterError
from ..io.whole import write_whole
from ..keywords import known_keywords

_CHUNK = 1 << 16


@known_keywords
def fetch(url: str, folder: str | os.PathLike, *, sha256: str | None = None, time_limit: float = 600.0) -> Path:
    """The path of an archive in `folder`, downloaded if it is not there yet.

    The convexity data set is linked from https://vision.cs.uwaterloo.ca/data/: pass the address of its archive.

    Parameters
    ----------
    url : str
        http, https or file.
    folder : path
        Created if it does not exist.
    sha256 : str, optional
        The archive's checksum, in 64 hexadecimal digits. By default that of the first download is recorded, and later
        ones must have it.
    time_limit : float
        Longest time for the whole download, in seconds.

    Raises
    ------
    FileFormatError
        If the address is none of a file, the download fails, ends early, takes too long or is no zip file although it
        is named so, or the file differs from the one recorded or expected. What was not whole is not kept.
    InvalidParameterError
        If `sha256` is no checksum.
    """
    url = str(url)
    expected = _digits(sha256)
    name = _name(url)
    time_limit = checks.real_number("time_limit", time_limit, strict=True)
    target = Path(checks.path("folder", folder)) / name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(f"{folder} cannot be made ({error.strerror}). Choose another folder.") from error
    if os.path.isdir(target):
        raise FileFormatError(f"a file is to be kept at {target}, but a folder is there. Choose another folder.")
    if not os.path.exists(target):
        try:
            write_whole(target, lambda file: _download(url, file, time_limit, expected))
        except (OSError, ValueError, HTTPException) as error:
            if isinstance(error, FileFormatError) and not isinstance(error.__cause__, _Cut):
                raise
            raise FileFormatError(
                f"{url!r} could not be fetched ({error.__cause__ or error}). Check the address, or download it by hand "
                "and pass the file."
            ) from error
    return _as_recorded(target, expected)


class _Cut(OSError):
    """A download that is not what it should be."""


def _name(url: str) -> str:
    """The name of the file that an address leads to."""
    try:
        parts = urlparse(url)
        name = Path(parts.path).name
    except ValueError:
        parts, name = None, ""
    odd = any(letter <= " " or letter in '"<>\\^`{|}\x7f' for letter in url)
    if odd or parts is None or parts.scheme not in ("http", "https", "file") or not name.strip("."):
        hint = "Write %20 for a space." if " " in url.strip() else "Copy the archive's link."
        raise FileFormatError(f"an address of a file was expected (https://...); got {url!r}. {hint}")
    return name


def _digits(sha256: str | None) -> str | None:
    """A checksum in lower case, or None."""
    if sha256 is None:
        return None
    digits = str(sha256).strip().lower().removeprefix("sha256:")
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise InvalidParameterError(f"sha256 must be 64 hexadecimal digits; got {sha256!r}. Copy them again.")
    return digits


def _download(url: str, file: Any, time_limit: float, expected: str | None) -> None:
    """Write what an address leads to; a _Cut if it is not whole, in time, and with the checksum that is expected."""
    digest, size = hashlib.sha256(), 0
    chunks = _chunks(url, time_limit)
    announced = next(chunks)
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
        file.write(chunk)
    if announced is not None and size != int(announced):
        raise _Cut(f"{size} bytes came of {int(announced)} announced")
    if expected not in (None, digest.hexdigest()):
        raise _Cut(f"its SHA-256 is {digest.hexdigest()}, and {expected} was expected")
    file.flush()
    if urlparse(url).path.lower().endswith(".zip") and not zipfile.is_zipfile(file.name):
        raise _Cut(f"{size} bytes came that are no zip file")


def _chunks(url: str, time_limit: float) -> Iterator[Any]:
    """The announced length, or None, then the bytes in pieces; a _Cut when time is over, also for a slow server.

    The connection is read in a thread of its own, since no time limit of a socket is one for all of it.
    """
    pieces: queue.Queue[Any] = queue.Queue(maxsize=16)
    wanted = threading.Event()
    wanted.set()

    def put(piece: Any) -> None:
        while wanted.is_set():
            try:
                return pieces.put(piece, timeout=0.1)
            except queue.Full:
                continue
        raise _Cut("not wanted any more")

    def read() -> None:
        try:
            with urllib.request.urlopen(url, timeout=time_limit) as answer:
                put((answer.headers.get("Content-Length"),))
                while chunk := answer.read1(_CHUNK):
                    put(chunk)
            put(None)
        except BaseException as error:
            if isinstance(error, HTTPError):  # it holds the connection
                error.close()
            pieces.put(error) if wanted.is_set() else None

    threading.Thread(target=read, name="varconvex download", daemon=True).start()
    deadline = time.monotonic() + time_limit
    try:
        while True:
            piece = pieces.get(timeout=max(0.0, deadline - time.monotonic()))
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise _Cut(str(piece) or type(piece).__name__) from piece
            yield piece[0] if isinstance(piece, tuple) else piece
    except queue.Empty:
        raise _Cut(f"it took more than {time_limit:g} seconds") from None
    finally:
        wanted.clear()


def _as_recorded(target: Path, expected: str | None) -> Path:
    """The path of an archive whose checksum is the one expected and the one recorded; it is recorded if none is."""
    record = target.with_name(target.name + ".sha256")
    found = checksum(target)
    if expected is None and record.exists():
        expected = "".join(record.read_text(encoding="utf-8", errors="replace").split()[:1])
    if expected not in (None, found):
        raise FileFormatError(
            f"{target} must have the checksum recorded when it was first used, or asked for, {expected}; it has "
            f"{found}. Delete it and {record.name} to accept a new edition."
        )
    if not record.exists():
        write_whole(record, lambda file: file.write(f"{found}\n".encode()))
    return target


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
