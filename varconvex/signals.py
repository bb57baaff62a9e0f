"""Ctrl-C and SIGTERM as exceptions, also where one that they raised is lost or disguised on its way."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .threads import while_wanted


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Within it SIGTERM raises SystemExit with the status 143, so that what is open is closed."""
    with _handled(signal.SIGTERM, signal.SIG_DFL, _end):
        yield


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within it Ctrl-C raises KeyboardInterrupt and SIGTERM SystemExit with the status 143, whatever libraries do.

    Python drops an exception in a destructor or a callback, libraries in C print it, and they and Python 3.11 raise
    another in its place. After a signal work ends at its next `checkpoint`, any error counts as the signal's, and
    nothing is printed about exceptions on their way.
    """
    came: list[int] = []
    hooks = sys.excepthook, sys.unraisablehook

    def note(number: int, _: Any) -> None:
        came.append(number)
        sys.excepthook = sys.unraisablehook = _unsaid
        _end(number)

    with (
        _handled(signal.SIGINT, signal.default_int_handler, note),
        _handled(signal.SIGTERM, signal.SIG_DFL, note),
        while_wanted(lambda: not came),
    ):
        try:
            yield
        except Exception:
            if came:
                _end(came[-1])
            raise
        finally:
            sys.excepthook, sys.unraisablehook = hooks


@contextmanager
def ctrl_c_as_ever() -> Iterator[None]:
    """Within it Ctrl-C is KeyboardInterrupt only, also within `ended_by_signals`, for who catches it and goes on.

    Where it is ignored, as in a shell's background, it stays so.
    """
    former = signal.getsignal(signal.SIGINT)
    with _handled(signal.SIGINT, former, signal.default_int_handler if callable(former) else former):
        yield


def _unsaid(*_: object) -> None:
    """A hook that prints nothing."""


def _end(number: int, _: Any = None) -> None:
    """Raise what stands for a signal; further SIGTERM are ignored, so that nothing disturbs the cleaning up."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(143)


@contextmanager
def _handled(number: int, former: Any, handler: Any) -> Iterator[None]:
    """Within it a signal has this handler, unless it had another than the former one or this is no main thread."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(number) != former:
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, former)
