"""Progress of a batch: a bar on a terminal, a line now and then in a log."""

import math
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes
    ----------
    total : int
        Images of the batch.
    done, failed, reused : int
        Images that were computed, that have failed, and that were there from an earlier run.
    seconds : float
        Since the start.
    seconds_left : float or None
        Expected, from the images that were computed so far; None before the first one.
    name : str
        Output of the image that was done last.
    """

    total: int
    done: int = 0
    failed: int = 0
    reused: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    name: str = ""


class Counter:
    """Counts outcomes, and tells `callback` of each."""

    def __init__(self, total: int, callback: Callable[[Progress], object] | None) -> None:
        self.counts = {"done": 0, "failed": 0, "reused": 0}
        self.total = total
        self._callback = callback
        self._begin = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begin

    def tell(self, kind: str | None = None, name: str = "") -> None:
        """Count an outcome, if there is one, and tell of it."""
        if kind is not None:
            self.counts[kind] += 1
        if self._callback is None:
            return
        computed = self.counts["done"] + self.counts["failed"]
        left = (self.total - computed - self.counts["reused"]) * self.seconds / computed if computed else None
        self._callback(Progress(self.total, **self.counts, seconds=self.seconds, seconds_left=left, name=name))


class Reporter(AbstractContextManager):
    """Shows progress on standard error: a bar on a terminal, else a line every `pause` seconds, news or not."""

    def __init__(self, unit: str = "image", pause: float = 30.0) -> None:
        self._unit = unit
        self._pause = pause
        self._bar: Any = None
        self._latest: tuple[Progress, float] | None = None
        self._said = -math.inf
        self._ended = threading.Event()

    def __enter__(self) -> "Reporter":
        if not sys.stderr.isatty():
            threading.Thread(target=self._keep_saying, daemon=True).start()
        return self

    def __call__(self, progress: Progress) -> None:
        over = progress.done + progress.failed + progress.reused
        self._latest = progress, time.monotonic()
        if not sys.stderr.isatty():
            if over == progress.total or time.monotonic() - self._said >= self._pause:
                self._say()
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=progress.total, bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}")
        self._bar.set_postfix_str(", ".join(_rest(progress)), refresh=False)
        self._bar.update(over - self._bar.n)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._bar is not None:
            self._bar.close()

    def _say(self) -> None:
        """A line about the latest progress."""
        if self._latest is None:
            return
        self._said = time.monotonic()
        progress, told = self._latest
        over = progress.done + progress.failed + progress.reused
        so_far = f"{over} of {progress.total} {self._unit}s after {duration(progress.seconds + self._said - told)}"
        print(", ".join([so_far, *_rest(progress)]), file=sys.stderr, flush=True)

    def _keep_saying(self) -> None:
        """Show that time goes on."""
        while not self._ended.wait(self._pause / 4):
            if time.monotonic() - self._said >= self._pause:
                self._say()


def _rest(progress: Progress) -> list[str]:
    """Failures and the time left."""
    failed = [f"{progress.failed} failed"] if progress.failed else []
    return failed + ([f"{duration(progress.seconds_left)} left"] if progress.seconds_left else [])


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
