"""A function applied to many items: in this process, in worker processes, or by Dask's workers.

Each way is a generator ``mapped(function, pairs)`` that draws a pair (tag, item) when the item can be begun, and yields
the tag with the `Outcome` of ``function(item)`` when it is done. Functions and items are pickled for other processes,
tags stay here; an exception of the function is an outcome. Closing the generator ends the work: no process is left.
"""

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from ..errors import InvalidParameterError, VarconvexError, VarconvexWarning
from ..threads import checkpoint

T = TypeVar("T")

_READY = "ready"

_THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What became of an item: a value, or the class and message of an error, with its `traceback` if it was no
    VarconvexError; warnings of the package; seconds, and how often it was begun.
    """

    value: Any = None
    error: tuple[str, str] | None = None
    traceback: str | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    attempts: int = 1


def attempt(function: Callable[[Any], Any], item: Any) -> Outcome:
    """The outcome of a function for an item."""
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VarconvexWarning)
        try:
            outcome = Outcome(function(item))
        except Exception as error:
            checkpoint()  # an error after Ctrl-C is not the item's
            told = None if isinstance(error, VarconvexError) else traceback.format_exc()
            outcome = Outcome(error=(type(error).__name__, str(error)), traceback=told)
    ours = [w for w in caught if issubclass(w.category, VarconvexWarning)]
    for other in caught:
        if other not in ours:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    messages = tuple(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in ours))
    return replace(outcome, warnings=messages, seconds=time.perf_counter() - begin)


def here(function: Callable[[Any], Any], pairs: Iterable[tuple[T, Any]]) -> Generator[tuple[T, Outcome], None, None]:
    """One after the other, in this process."""
    for tag, item in pairs:
        yield tag, attempt(function, item)


@dataclass(frozen=True)
class _Begun:
    """A pair that is computed by a worker, for the first or second time."""

    pair: tuple[Any, Any]
    attempts: int = 1


def in_processes(
    function: Callable[[Any], Any], pairs: Iterable[tuple[T, Any]], jobs: int, threads: int
) -> Generator[tuple[T, Outcome], None, None]:
    """In `jobs` spawned processes, whose kernels use `threads` threads each.

    An item whose process dies is begun once more, in another one; if that dies as well it has failed.
    """
    source = map(_Begun, pairs)
    idle: list[_Worker] = []
    busy: dict[Any, tuple[_Worker, _Begun]] = {}
    coming: list[_Begun] = []
    try:
        while True:
            while len(busy) < jobs and (coming := coming or _next(source)):
                begun = coming.pop()
                worker = _sent(idle.pop() if idle else None, (function, begun.pair[1]), threads)
                busy[worker.pipe] = (worker, begun)
            if not busy:
                return
            coming = coming or _next(source)  # prepared while the others are busy
            for pipe in wait(list(busy)):
                worker, begun = busy[pipe]
                outcome = worker.answer()
                if outcome == _READY:
                    continue
                del busy[pipe]
                if outcome is not None:
                    idle.append(worker)
                    yield begun.pair[0], replace(outcome, attempts=begun.attempts)
                elif begun.attempts == 1:
                    coming.append(replace(begun, attempts=2))
                else:
                    yield begun.pair[0], Outcome(error=("WorkerDied", worker.epitaph()), attempts=2)
    finally:
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.end()


def _next(source: Iterator[_Begun]) -> list[_Begun]:
    """The next pair as a list, which is empty at the end."""
    return [begun for begun in (next(source, None),) if begun is not None]


class _Worker:
    """A process that answers one item at a time, and the pipe to it."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.ready = False
        self._process = context.Process(target=_serve, args=(theirs, threads), name="varconvex batch", daemon=True)
        with _interrupts_held():
            self._process.start()
        theirs.close()

    def answer(self) -> Any:
        """What the process sends; None, once it has ended, if it died."""
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError):
            self.bury()
            return None
        self.ready = True
        return answer

    def bury(self) -> None:
        """End a process that has died; an error if it had not begun to work."""
        self.end()
        if not self.ready:
            raise InvalidParameterError(
                f"worker processes must be able to start; one did not ({self.epitaph()}). In a script, call "
                'varconvex.batch.run under `if __name__ == "__main__":`, or leave out `jobs`.'
            )

    def end(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def epitaph(self) -> str:
        """How the process ended."""
        code = self._process.exitcode or 0
        how = f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit status {code}"
        return f"the process ended {how}" + ", out of memory?" * (code == -9)


def _sent(worker: _Worker | None, work: Any, threads: int) -> _Worker:
    """The worker, or a new one if there is none or it has died, after work was sent to it."""
    while True:
        worker = worker or _Worker(threads)
        try:
            worker.pipe.send(work)
            return worker
        except OSError:
            worker.bury()
            worker = None
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            worker.end()
            raise InvalidParameterError(
                f"settings must be such that they can be passed to other processes; pickling them failed ({error}). "
                "Leave out `jobs`, or pass parts by their names."
            ) from error


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Within it Ctrl-C waits; a process that is started within it never sees one, since its parent ends it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # the first process would start it, which ends the blocking
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _serve(pipe: Connection, threads: int) -> None:
    """A worker process: answers what comes through the pipe until its other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(threads)
    try:
        pipe.send(_READY)
        while True:
            pipe.send(_answer(pipe.recv_bytes()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _answer(message: bytes) -> Outcome:
    """The outcome of what was sent, also where it cannot be read here."""
    try:
        function, item = pickle.loads(message)
    except Exception as error:
        return Outcome(error=(type(error).__name__, str(error)), traceback=traceback.format_exc())
    return attempt(function, item)


def _end_with_parent() -> None:
    """End this process when its parent has ended, also in the middle of work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def limit_threads(threads: int) -> None:
    """Threads for kernels and linear algebra of this process, whether their libraries are loaded already or not."""
    import numba
    import threadpoolctl

    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    numba.config.NUMBA_NUM_THREADS = threads  # type: ignore[attr-defined]
    threadpoolctl.threadpool_limits(threads)
