"""Tasks whose results are in a manifest: what is there and whole is used again, the rest is computed.

A result is used again only if its key is the present one; the key is a SHA-256 of all that it depends on. An
interruption loses the results that were being computed, no other.
"""

import errno
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .. import checks
from .._version import __version__
from ..errors import FileFormatError, VarconvexError
from ..memory import available
from .manifest import Manifest, Record
from .workers import Outcome, here, in_processes

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of a disk that concern all results."""


@dataclass(frozen=True)
class Prepared:
    """A task that can begin.

    `key` is that of everything the result depends on, `item` what the function gets, `facts` are written to the record.
    """

    key: str
    item: Any
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A result to be had: its name, different from all others, and a function that reads what it needs.

    `prepare` raises a VarconvexError or an OSError where an input cannot be read: the task has failed.
    """

    name: str
    prepare: Callable[[], Prepared]


_ROOM = 1 << 30
"""Bytes of memory for a process, where their number is chosen here."""

Mapped = Callable[[Callable[[Any], Any], Iterable[tuple[Any, Any]]], Generator[tuple[Any, Outcome], None, None]]
"""One of the ways of `workers`, or `on_dask`."""


def way(jobs: int | None, dask: str | None = None, *, threads: int | None = None, count: int = 1) -> Mapped:
    """How `count` tasks are computed: here, in so many processes, or by the workers of a Dask scheduler.

    -1 is a process for each processor, as memory allows. A process has `threads` threads: by default an equal share of
    NUMBA_NUM_THREADS where that is set, or of the processors where these are more than tasks, and one otherwise.
    """
    if dask is not None:
        from .on_dask import on_dask

        return partial(on_dask, address=dask)
    if jobs is None:
        return here
    from ..threads import n_threads

    processors = n_threads()
    if jobs == -1:
        room = available()
        jobs = max(1, min(processors, count, processors if room is None else room // _ROOM))
        share = processors // jobs
    else:
        jobs = checks.whole_number("jobs", jobs, least=1)
        share = processors // jobs if "NUMBA_NUM_THREADS" in os.environ else 1
    threads = max(1, share) if threads is None else checks.whole_number("threads", threads, least=1)
    return partial(in_processes, jobs=jobs, threads=threads)


def complete(
    manifest: Manifest,
    tasks: Sequence[Task],
    function: Callable[[Any], Any],
    mapped: Mapped,
    *,
    publish: Callable[[str, Any], dict[str, Any]] = lambda name, value: value,
    whole: Callable[[Record], bool] = lambda record: True,
) -> Generator[tuple[str, Record], None, None]:
    """Complete a manifest: yield each task's record as it is found or made, after "reused", "done" or "failed".

    `function` is applied to the items of tasks without a result; `publish`, in this process, turns its value into what
    is recorded. `whole` tells whether a record's files are as they were. Failed tasks are tried again by a later run. A
    FileFormatError if the disk is full or cannot be written.
    """
    pending = []
    for task in tasks:
        record = _found(manifest, task, whole) if task.name in manifest.records else None
        if record is None:
            pending.append(task)
        else:
            yield "reused", record
    unread: deque[Record] = deque()

    def pairs() -> Iterator[tuple[tuple[str, Prepared], Any]]:
        for task in pending:
            try:
                prepared = task.prepare()
            except (VarconvexError, OSError) as error:
                unread.append(_failed(task.name, (type(error).__name__, str(error))))
            else:
                yield (task.name, prepared), prepared.item

    outcomes = mapped(function, pairs())
    try:
        for (name, prepared), outcome in outcomes:
            while unread:
                yield "failed", manifest.add(unread.popleft())
            record = _record(name, prepared, outcome, publish)
            yield record["status"], manifest.add(record)
        while unread:
            yield "failed", manifest.add(unread.popleft())
    finally:
        outcomes.close()


def _found(manifest: Manifest, task: Task, whole: Callable[[Record], bool]) -> Record | None:
    """The record of a task whose inputs, settings and files are as they were."""
    try:
        record = manifest.find(task.name, task.prepare().key)
    except (VarconvexError, OSError):
        return None
    return record if record is not None and whole(record) else None


def _record(name: str, prepared: Prepared, outcome: Outcome, publish: Callable[[str, Any], dict[str, Any]]) -> Record:
    """The record of an outcome, whose files are where they belong."""
    common = {
        **prepared.facts, "warnings": list(outcome.warnings), "seconds": round(outcome.seconds, 4),
        "attempts": outcome.attempts,
    }  # fmt: skip
    if outcome.error is not None:
        more = {"traceback": outcome.traceback} if outcome.traceback else {}
        return _failed(name, outcome.error, prepared.key, **common, **more)
    try:
        found = publish(name, outcome.value)
    except OSError as error:
        if error.errno in UNWRITABLE:
            raise FileFormatError(f"{name} cannot be written ({error}). Make room, and run again to go on.") from error
        return _failed(name, (type(error).__name__, str(error)), prepared.key, **common)
    return {"name": name, "key": prepared.key, "status": "done", "version": __version__, **common, **found}


def _failed(name: str, error: tuple[str, str], key: str = "", **more: Any) -> Record:
    """The record of a task that has failed."""
    told = {"error": error[0], "message": error[1]}
    return {"name": name, "key": key, "status": "failed", "version": __version__, **more, **told}
