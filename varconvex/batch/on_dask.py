"""Tasks of a batch on the workers of a Dask cluster, which have to see the same files as this machine."""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from ..errors import BackendUnavailableError, MissingExtraError
from .keys import fingerprint
from .workers import Outcome, attempt, limit_threads

T = TypeVar("T")

TIMEOUT = 10.0
"""Longest wait for the scheduler, in seconds."""

PATIENCE = 60.0
"""Longest time without a worker, in seconds."""

_LOOK = 0.5

_one_at_a_time = threading.Lock()


def on_dask(
    function: Callable[[Any], Any], pairs: Iterable[tuple[T, Any]], address: str
) -> Generator[tuple[T, Outcome], None, None]:
    """On the cluster whose scheduler has this address, as many items at a time as it has workers.

    Each worker process computes one item at a time, with as many threads as it has. Items of a worker that dies are
    given to others by the scheduler, as often as its settings allow.
    """
    try:
        from distributed import Client, wait
    except ImportError as error:
        raise MissingExtraError(
            "Dask needs the package distributed, which is not installed. Install it: pip install distributed, or "
            "the extra dask."
        ) from error
    try:
        client = Client(address, timeout=TIMEOUT)
    except Exception as error:  # of many kinds
        raise BackendUnavailableError(
            f"the address of a Dask scheduler that answers was expected; got {address!r} ({error}). Start one with "
            "`dask scheduler`, and pass the address that it prints."
        ) from error
    source = iter(pairs)
    busy: dict[Any, T] = {}
    try:
        while True:
            room = _workers(client) - len(busy)
            for tag, item in islice(source, max(0, room)):
                busy[client.submit(_on_worker, function, item, fingerprint(), pure=False)] = tag
            if not busy:
                return
            try:
                done = wait(list(busy), timeout=_LOOK, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            for future in done:
                yield busy.pop(future), _outcome(future)
    finally:
        client.cancel(list(busy))
        client.close(timeout=5)


def _workers(client: Any) -> int:
    """The number of the cluster's workers, once it has one."""
    deadline = time.monotonic() + PATIENCE
    while client.status == "running":
        if count := len(client.nthreads()):
            return count
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK)
    raise BackendUnavailableError(
        f"a Dask cluster with workers was expected; {client} has had none for {PATIENCE:g} seconds, or is gone. Start "
        "workers with `dask worker ADDRESS`, and run again to go on."
    )


def _outcome(future: Any) -> Outcome:
    """The outcome that a Dask worker sent, or why there is none."""
    error = future.exception() if future.status == "error" else None
    if future.status == "finished":
        return future.result()
    return Outcome(error=("WorkerDied", f"the Dask worker did not answer ({future.status}: {error})"))


def _on_worker(function: Callable[[Any], Any], item: Any, code: str) -> Outcome:
    """The outcome on a worker, which must run the same code."""
    if code != fingerprint():
        text = "Dask's workers must run the same version of varconvex as the machine that starts the batch; this one's"
        return Outcome(error=("BackendUnavailableError", f"{text} differs. Install the same version everywhere."))
    with _one_at_a_time:
        _share()
        return attempt(function, item)


@lru_cache(maxsize=1)
def _share() -> None:
    """Threads for kernels, once in a process: those that its worker has."""
    from distributed import get_worker

    limit_threads(get_worker().state.nthreads)
