"""The manifest of a folder of results: one line of JSON a result, added when the result is whole.

    <folder>/manifest.jsonl      {"name": ..., "key": ..., "status": "done" | "failed", ..., "check": ...}
    <folder>/.varconvex/lock     held while a run writes to the folder

``check`` is the SHA-256 of the rest of its line: a line that was torn or changed is not believed, and its result is
computed again. Of several lines with one name the last one counts.
"""

import hashlib
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ..errors import FileFormatError
from ..io.writing import write_text

Record = dict[str, Any]

MANIFEST = "manifest.jsonl"
OWN = ".varconvex"
"""Subfolder for what is not a result: lock, unfinished files, thumbnails."""


class Manifest:
    """The results of a folder, by name, for one run at a time: a context manager that holds the folder's lock.

    `records` are those that can be believed, in the order in which they were written; `dropped` counts lines that
    cannot. A FileFormatError on entering if the folder cannot be made or written, or another run holds it.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        self.path = self.folder / MANIFEST
        self.own = self.folder / OWN
        self.records: dict[str, Record] = {}
        self.dropped = 0
        self._lock: BinaryIO | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> "Manifest":
        try:
            self.own.mkdir(parents=True, exist_ok=True)
            self._lock = (self.own / "lock").open("a+b")
        except OSError as error:
            raise FileFormatError(
                f"a folder for results that can be written was expected; {self.folder} cannot ({error.strerror}). "
                "Choose another one."
            ) from error
        try:
            self._take()
            self._load()
            self._file = self.path.open("ab", buffering=0)
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, OSError):
                raise FileFormatError(f"{self.path} cannot be written ({error}). Choose another folder.") from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in (self._file, self._lock):
            if file is not None:
                file.close()  # which releases the lock
        self._file = self._lock = None

    def find(self, name: str, key: str) -> Record | None:
        """The record of a result that was computed with this key."""
        record = self.records.get(name)
        done = record is not None and record["key"] == key and record["status"] == "done"
        return record if done else None

    def add(self, record: Record) -> Record:
        """Write a record to the manifest, whole or not at all; as it is there. A FileFormatError on a full disk."""
        if self._file is None:
            raise FileFormatError(f"{self.path} is not open. Add records within the manifest's context.")
        record = json.loads(json.dumps(record))
        line = (json.dumps({**record, "check": _check(record)}) + "\n").encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(f"{written} of {len(line)} bytes were written")
        except OSError as error:
            os.ftruncate(self._file.fileno(), before)
            raise FileFormatError(
                f"{self.path} cannot be written ({error}). Is the disk full? What is listed there is whole; make room "
                "and run again to go on."
            ) from error
        self.records.pop(record["name"], None)
        self.records[record["name"]] = record
        return record

    def _load(self) -> None:
        """Read the manifest, and leave out of the file what cannot be believed."""
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return
        for line in lines:
            record = _believed(line)
            if record is None:
                self.dropped += 1
            else:
                self.records.pop(record["name"], None)
                self.records[record["name"]] = record
        if self.dropped or len(self.records) < len(lines):
            every = ({**record, "check": _check(record)} for record in self.records.values())
            write_text(self.path, "".join(json.dumps(record) + "\n" for record in every))

    def _take(self) -> None:
        """Take the folder's lock, which ends with this process, however it ends."""
        assert self._lock is not None
        try:
            _lock(self._lock.fileno())
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read(200).decode(errors="replace").strip() or "another process"
            raise FileFormatError(
                f"a folder that no other run writes to was expected; {self.folder} is in use by {holder}. Wait for it "
                "to end, or choose another folder."
            ) from None
        except OSError as error:
            raise FileFormatError(
                f"a folder whose files can be locked was expected; {self.folder} cannot ({error}). Choose a folder on "
                "a disk of this machine."
            ) from error
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._lock.flush()


def _lock(file: int) -> None:
    """Lock an open file for this process alone; a BlockingIOError if another one has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            os.lseek(file, 1 << 20, os.SEEK_SET)  # a byte beyond the text, which others may read
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            raise BlockingIOError from error
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _check(record: Record) -> str:
    """SHA-256 of a record, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _believed(line: bytes) -> Record | None:
    """The record of a line, or None if it was torn or changed, or is no record."""
    try:
        record = json.loads(line)
        check = record.pop("check")
        fits = check == _check(record)
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None
    texts = all(isinstance(record.get(name), str) for name in ("name", "key", "status"))
    return record if fits and texts else None
