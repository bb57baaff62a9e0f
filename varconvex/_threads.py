"""Compiled kernels in plain Python threads.

Kernels release the GIL, so no threading layer of Numba's is involved: forks, signals and several callers are all safe.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numba


def n_threads() -> int:
    """Threads that kernels may use: NUMBA_NUM_THREADS, or else the processors this process may run on."""
    return max(1, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def run(kernel: Callable[..., Any], calls: Iterable[tuple]) -> list[Any]:
    """The results of each call of `kernel`, in order; calls run side by side, the first of them right here."""
    first, *others = calls
    futures = [_pool().submit(kernel, *call) for call in others]
    try:
        return [kernel(*first), *(future.result() for future in futures)]
    finally:
        # After an error or an interrupt nobody waits for what has not begun.
        for future in futures:
            future.cancel()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=n_threads(), thread_name_prefix="varconvex")


if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads: it starts its own when it first needs them.
    os.register_at_fork(after_in_child=_pool.cache_clear)
