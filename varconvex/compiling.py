"""Numba's compiler with a cache that never stands in the way: where it is unreadable kernels are compiled anew.

Numba keeps compiled kernels beside their source or in the user's folder. By itself it raises at the first call if one
of its files is garbled or empty, or if there is no folder that it may write to. Here one warning says what could not be
used, and the answer is the same. What is compiled for the first time is said, as it takes up to a minute.
"""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache

from .checks import warn_caller
from .errors import VarconvexWarning
from .logs import COMPILING, LOGGER

interpreted: bool = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]
"""Whether Numba has been told not to compile anything (NUMBA_DISABLE_JIT=1)."""

_UNSEEN: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that only kernels call; Numba knows them, but its types do not declare them."""

_said: set[str] = set()
"""What this process has been told already."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: `numba.njit` with these options, cached where that is possible.

    In kernels an array is copied number by number: ``a[:n] = b`` would bring the text of NumPy's error along, whose
    compilation takes seconds.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if not interpreted:
            try:
                dispatcher._cache = _Cache(function)
            except (RuntimeError, OSError) as error:
                dispatcher._cache = _NoFolder(error)
        return dispatcher

    return decorate


def inlined(**options: Any) -> Any:
    """Decorator: `numba.njit` with these options for what only other kernels call, always a part of their code.

    A function that two kernels call as it stands is compiled with each of them, and whichever was loaded first serves
    both. With fastmath the copies may round differently, so that last bits would depend on what else has been called.
    Python cannot call it, unless nothing is compiled: wrappers for that are not compiled, which takes time, too.
    """
    return numba.njit(forceinline=True, **_UNSEEN, **options)


class _NoFolder(NullCache):
    """The cache of one function where there is no folder to write to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """None: the function is to be compiled."""
        _say_once(f"every start compiles anew: {self._error}. Set NUMBA_CACHE_DIR to a folder that can be written to")
        _say_first_compilation()


class _Cache(FunctionCache):
    """Numba's cache of one function; whatever goes wrong with its files, the function is compiled."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function from a file, or None."""
        try:
            found = super().load_overload(sig, target_context)
        except Exception as error:  # pickle raises whatever a garbled file makes it do
            self._broken(error)
            with suppress(OSError):
                self.flush()  # an empty index: the next save makes the files whole
            found = None
        if found is None:
            _say_first_compilation()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function in a file, if that is possible."""
        try:
            super().save_overload(sig, data)
        except Exception as error:  # a full disk, a folder that has become read-only, an index that cannot be read
            self._broken(error)

    def _broken(self, error: Exception) -> None:
        _say_once(
            f"files in {self.cache_path} could not be used ({type(error).__name__}: {error}). What they hold is "
            "compiled anew; delete them if this is said again, or set NUMBA_CACHE_DIR to another folder"
        )


def say_interpreted() -> None:
    """One warning a process that nothing is compiled."""
    if "interpreted" not in _said:
        _said.add("interpreted")
        warn_caller(
            "kernels should be compiled; NUMBA_DISABLE_JIT is set, so NumPy and Python compute the same, many times "
            "slower. Unset it.",
            VarconvexWarning,
        )


def _say_once(problem: str) -> None:
    """One warning a process about the cache, whatever happens how often."""
    if "cache" not in _said:
        _said.add("cache")
        warn_caller(f"compiled kernels should be kept in a cache; {problem}.", VarconvexWarning)


def _say_first_compilation() -> None:
    """A line in the log, or on stderr for somebody at a terminal or prompt, before the first compilation."""
    if "compiling" in _said:
        return
    _said.add("compiling")
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info(COMPILING)
    elif hasattr(sys, "ps1") or "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty()):
        print(f"varconvex: {COMPILING}", file=sys.stderr, flush=True)
