"""What the package logs, under the name "varconvex": stages at INFO, and when kernels are being compiled.

``logging.basicConfig(level="INFO")`` shows it.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOGGER = logging.getLogger("varconvex")

COMPILING = "compiling kernels: once on this machine, up to a minute"
"""What `compiling` says before the first kernel is compiled."""


@contextmanager
def compilation_logged() -> Iterator[None]:
    """Log, after it, how many kernels were compiled within, and how long it took."""
    if not LOGGER.isEnabledFor(logging.INFO):
        yield
        return
    from numba.core import event

    class Listener(event.Listener):
        """Counts kernels; those that others call are compiled within these."""

        open = count = 0
        begin = seconds = 0.0

        def on_start(self, event: Any) -> None:
            """A kernel begins to be compiled."""
            if self.open == 0:
                self.begin = time.perf_counter()
            self.open += 1

        def on_end(self, event: Any) -> None:
            """A kernel has been compiled."""
            self.open -= 1
            self.count += 1
            if self.open == 0:
                self.seconds += time.perf_counter() - self.begin

    listener = Listener()
    with event.install_listener("numba:compile", listener):
        yield
    if listener.count:
        LOGGER.info("compiled %d kernels in %.1f s", listener.count, listener.seconds)
