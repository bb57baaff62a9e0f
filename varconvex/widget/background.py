"""A job in a background thread, of which only the latest request counts."""

import threading
from collections.abc import Callable


class BackgroundJob:
    """Runs `job` in a background thread when asked, once more if asked meanwhile; no thread waits while idle."""

    def __init__(self, job: Callable[[], None], name: str):
        self._job, self._name = job, name
        self._condition = threading.Condition()
        self._asked = self._running = self._closed = False

    def ask(self) -> None:
        """Have the job done with the state as it is now, or later."""
        with self._condition:
            self._asked = not self._closed
            if self._asked and not self._running:
                self._running = True
                threading.Thread(target=self._run, name=self._name, daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether the job runs or is about to."""
        return self._running

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is left to do, at most so long; whether that is so."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._running, seconds)

    def close(self) -> None:
        """Refuse further requests."""
        with self._condition:
            self._closed, self._asked = True, False

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._asked:
                    self._running = False
                    self._condition.notify_all()
                    return
                self._asked = False
            try:
                self._job()
            except BaseException:
                with self._condition:
                    self._running = False
                    self._condition.notify_all()
                raise
