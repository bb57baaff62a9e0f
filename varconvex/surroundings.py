"""Checks of environment variables with which importing Numba would fail: a warning, and they are ignored."""

import os
import sys

_THREADS = "NUMBA_NUM_THREADS"


def check_threads() -> None:
    """Where NUMBA_NUM_THREADS is no number of threads, one warning, and this process goes on without it.

    Numba raises a ValueError for 0, and shows the traceback of another one for a text, as soon as it is imported.
    """
    value = os.environ.get(_THREADS)
    if value is None or "numba" in sys.modules:
        return
    try:
        usable = int(value) >= 1
    except ValueError:
        usable = False
    if usable:
        return
    del os.environ[_THREADS]
    from .checks import warn_caller
    from .errors import VarconvexWarning

    warn_caller(
        f"{_THREADS} must be a whole number, at least 1; got {value!r:.80}, and every processor is used. Set it to a "
        "number, or unset it.",
        VarconvexWarning,
    )
