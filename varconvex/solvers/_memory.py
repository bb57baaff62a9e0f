"""Fallback to the CPU, with one warning, where the memory of a GPU does not suffice.

CuPy frees the unused memory of its pool and tries again before it raises; then only a smaller problem would fit.
"""

import dataclasses
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from .. import checks
from ..backends import ArrayBackend, get_backend
from ..errors import DeviceMemoryWarning

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def of_cupy(value: object) -> bool:
    """Whether an array, or a MemoryError, is CuPy's."""
    return type(value).__module__.partition(".")[0] == "cupy"


def or_on_the_cpu(solve: F) -> F:
    """Decorator of `solve(energy, backend=..., time_limit=..., ...)`: on the CPU where a GPU is too small."""

    @wraps(solve)
    def solved(energy: Any, *, time_limit: Any = None, **options: Any) -> Any:
        begin = time.perf_counter()

        def again() -> Any:
            left = None if time_limit is None else max(time_limit - (time.perf_counter() - begin), 0.0)
            arrays = {f.name: getattr(energy, f.name) for f in dataclasses.fields(energy)}
            there = {name: checks.host(value) for name, value in arrays.items() if of_cupy(value)}
            return solve(dataclasses.replace(energy, **there), **{**options, "time_limit": left, "backend": "numba"})

        return _first_or(lambda: solve(energy, time_limit=time_limit, **options), again)

    return solved  # type: ignore[return-value]


def here_or_on_the_cpu(compute: Callable[[ArrayBackend], T], backend: ArrayBackend) -> T:
    """`compute(backend)`, computed again on the CPU where `backend` is a GPU that is too small."""
    return _first_or(lambda: compute(backend), lambda: compute(get_backend("numba")))


def _first_or(compute: Callable[[], T], again: Callable[[], T]) -> T:
    """`compute()`, or with a warning `again()` where a GPU's memory does not suffice."""
    try:
        return compute()
    except MemoryError as error:
        if not of_cupy(error):
            raise
        reason = str(error)
    # Not from within the handler, whose traceback keeps the GPU's arrays alive.
    checks.warn_caller(
        f"the GPU's memory must hold the problem; got {reason}. It is solved on the CPU, and the answer is in NumPy "
        "arrays: free the GPU, cut the image, or pass backend='numba'",
        DeviceMemoryWarning,
    )
    return again()
