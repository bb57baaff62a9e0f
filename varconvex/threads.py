"""Compiled kernels in plain Python threads.

Kernels release the GIL, so no threading layer of Numba's is involved: forks, signals and several callers are all safe.
"""

import ctypes
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from . import checks
from .errors import VarconvexWarning

T = TypeVar("T")


_MOST = 1024
"""Threads; a number that was typed wrongly would start tens of thousands, one by one."""


def n_threads() -> int:
    """Threads that kernels may use: NUMBA_NUM_THREADS, or else the processors this process may run on."""
    import numba  # here, since the command needs this module before it needs kernels

    return min(max(1, numba.config.NUMBA_NUM_THREADS), _MOST)  # type: ignore[attr-defined]


class Interrupted(Exception):
    """Raised by `run` and `checkpoint` in a thread whose work is no longer wanted; see `while_wanted`."""


_thread = threading.local()

_LOOK = 0.02
"""Seconds between two questions whether work is still wanted, while kernels run in other threads."""


@contextmanager
def while_wanted(wanted: Callable[[], bool]) -> Iterator[None]:
    """Within it, in this thread, `checkpoint` and `run` raise `Interrupted` once `wanted()` is False.

    Within another one, they also do when that work is no longer wanted.
    """
    outer = getattr(_thread, "wanted", None)
    _thread.wanted = wanted if outer is None else lambda: outer() and wanted()
    try:
        yield
    finally:
        _thread.wanted = outer


def checkpoint() -> None:
    """Raise `Interrupted` if the work of this thread is no longer wanted."""
    wanted = getattr(_thread, "wanted", None)
    if wanted is not None and not wanted():
        raise Interrupted


@contextmanager
def until(moment: float) -> Iterator[None]:
    """Within it, in this thread, `deadline` is this moment, by `time.perf_counter`, or that of an outer one before."""
    outer = deadline()
    _thread.deadline = min(outer, moment)
    try:
        yield
    finally:
        _thread.deadline = outer


def deadline() -> float:
    """When the work of this thread is to be done, by `time.perf_counter`: see `until`. Infinite if there is no limit.

    Nothing is interrupted then by itself: who can do with less looks here, or does what is not needed by `in_time`.
    """
    return getattr(_thread, "deadline", math.inf)


def in_time(work: Callable[[], T], moment: float = math.inf) -> T | None:
    """What `work` returns; None if it was interrupted at a moment, by `time.perf_counter`, or would begin after it.

    The moment is `deadline()` or, where that is earlier, the one that is passed.
    """
    moment = min(moment, deadline())
    if math.isinf(moment):
        return work()
    try:
        with while_wanted(lambda: time.perf_counter() < moment):
            checkpoint()
            return work()
    except Interrupted:
        checkpoint()  # it may not have been the moment
        return None


def run(kernel: Callable[..., Any], calls: Iterable[tuple]) -> list[Any]:
    """The results of each call of `kernel`, in order; calls run in parallel, the first one in the calling thread.

    The last call is started first: a call may wait for results of later ones. Calls from within such a call run one
    after the other: threads that wait for each other's threads would never end.
    """
    checkpoint()
    calls = list(calls)
    if not calls:
        return []
    first, *others = calls

    def alone() -> list[Any]:
        return [kernel(*call) for call in (*others[::-1], first)][::-1]

    if not others or threading.get_native_id() in _workers:
        return alone()
    pool = _pool() if n_threads() > 1 else None  # the pool's threads are beside the caller's
    if pool is None:
        return alone()
    _part()
    futures: list[Future] = []
    try:
        for call in reversed(others):
            futures.insert(0, pool.submit(kernel, *call))
    except RuntimeError:
        if futures:
            raise
        # The interpreter is ending, and its pools take nothing any more: a call by `atexit`, or of a daemon's thread.
        return alone()
    try:
        return [kernel(*first), *map(_result, futures)]
    finally:
        # After an error or an interrupt: their results are not needed.
        for future in futures:
            future.cancel()


def shared_out(work: Callable[[int], T], items: Iterable[int]) -> list[T]:
    """The results of `work` for each item, in order; in threads that take the next item as soon as they are free.

    For many calls of different length and of any number.
    """
    todo = list(items)
    found: dict[int, T] = {}
    rest = iter(range(len(todo)))

    def worker() -> None:
        for i in rest:  # a range's iterator gives each number once, whoever asks
            found[i] = work(todo[i])

    run(worker, [()] * max(1, min(n_threads(), len(todo))))
    return [found[i] for i in range(len(todo))]


def _result(future: Future) -> Any:
    """The result of a call, unless it is no longer wanted; calls that have begun go on to their end unheard."""
    if getattr(_thread, "wanted", None) is None:
        return future.result()
    while True:
        try:
            return future.result(_LOOK)
        except TimeoutError:
            if future.done():  # just now, or with a TimeoutError of its own
                return future.result()
            checkpoint()


_workers: dict[int, int | None] = {}
"""Native ids of the pool's threads, each with the processor that is left to the caller, None before the first call."""


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor | None:
    """The threads, all of them started; None where the system lets no more be started."""
    pool = ThreadPoolExecutor(n_threads(), "varconvex", lambda: _workers.setdefault(threading.get_native_id()))
    gate = threading.Event()
    try:
        for _ in range(n_threads()):
            pool.submit(gate.wait)
    except RuntimeError as error:
        checks.warn_caller(
            f"kernels should run in {n_threads()} threads; no more can be started here ({error}), so one computes all. "
            "Raise the limit of processes, or set NUMBA_NUM_THREADS=1.",
            VarconvexWarning,
        )
        pool.shutdown(wait=False, cancel_futures=True)
        return None
    finally:
        gate.set()
    return pool


def _part() -> None:
    """Keep the pool's threads off the caller's processor.

    A thread that is woken for a millisecond stays on the processor of the thread that woke it if the others are busy,
    even with something of low priority; both would then take turns.
    """
    if _processor is None:
        return
    here = _processor()
    for worker, left in list(_workers.items()):
        if left != here:
            try:
                allowed = os.sched_getaffinity(0)
                os.sched_setaffinity(worker, allowed - {here} or allowed)
            except OSError:  # the thread has ended, or setting the affinity is not permitted
                pass
            _workers[worker] = here


# PyDLL keeps the interpreter's lock: giving it away for a microsecond could cost milliseconds.
_processor = getattr(ctypes.PyDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None
"""The C library's function for the number of the processor that the caller runs on, where there is one."""


def _forget() -> None:
    _pool.cache_clear()
    _workers.clear()


if hasattr(os, "register_at_fork"):
    # A forked child has none of its parent's threads: it starts its own when they are first needed.
    os.register_at_fork(after_in_child=_forget)
