"""What happens when a GPU's memory does not suffice: the same problem on the CPU, with one warning.

CuPy gives back what its pool keeps and tries again before it says so; by then only less data would help.
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


def of_a_gpu(error: MemoryError) -> bool:
    """Whether it was a GPU that ran out of memory; CuPy's error is a MemoryError of its own."""
    return type(error).__module__.partition(".")[0] == "cupy"


def or_on_the_cpu(solve: F) -> F:
    """`solve(energy, backend=..., time_limit=..., ...)`, which is begun again on the CPU where a GPU is too small."""

    @wraps(solve)
    def solved(energy: Any, *, time_limit: Any = None, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return solve(energy, time_limit=time_limit, **options)
        except MemoryError as error:
            if not of_a_gpu(error):
                raise
            reason = str(error)
        _warn(reason)
        left = None if time_limit is None else max(time_limit - (time.perf_counter() - begin), 0.0)
        return solve(at_home(energy), **{**options, "time_limit": left, "backend": "numba"})

    return solved  # type: ignore[return-value]


def here_or_on_the_cpu(compute: Callable[[ArrayBackend], T], backend: ArrayBackend) -> T:
    """`compute(backend)`, which is begun again on the CPU where `backend` is a GPU that is too small."""
    try:
        return compute(backend)
    except MemoryError as error:
        if not of_a_gpu(error):
            raise
        reason = str(error)
    _warn(reason)
    return compute(get_backend("numba"))


def _warn(reason: str) -> None:
    """Not from within a handler: its traceback would keep the GPU's arrays alive."""
    checks.warn_caller(
        f"the GPU's memory must hold the problem; got {reason}. It is solved on the CPU, and the answer is in NumPy "
        "arrays: free the GPU, cut the image, or pass backend='numba'",
        DeviceMemoryWarning,
    )


def at_home(energy: Any) -> Any:
    """The same energy with all its arrays in the host's memory."""
    arrays = {f.name: getattr(energy, f.name) for f in dataclasses.fields(energy)}
    there = {name: value for name, value in arrays.items() if type(value).__module__.partition(".")[0] == "cupy"}
    return dataclasses.replace(energy, **{name: checks.host(value) for name, value in there.items()})
