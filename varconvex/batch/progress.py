"""What is told of a batch while it runs."""

import sys
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
    """Shows progress on standard error: a bar on a terminal, else a line every `pause` seconds."""

    def __init__(self, unit: str = "image", pause: float = 30.0) -> None:
        self._unit = unit
        self._bar: Any = None
        self._pause = pause
        self._told = -pause

    def __call__(self, progress: Progress) -> None:
        if not sys.stderr.isatty():
            self._line(progress)
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=progress.total, bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}")
        bar = self._bar
        bar.set_postfix_str(self._rest(progress), refresh=False)
        bar.update(progress.done + progress.failed + progress.reused - bar.n)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def _line(self, progress: Progress) -> None:
        over = progress.done + progress.failed + progress.reused
        if progress.seconds - self._told < self._pause and over < progress.total:
            return
        self._told = progress.seconds
        told = ", ".join([f"{over} of {progress.total} {self._unit}s", *filter(None, [self._rest(progress)])])
        print(told, file=sys.stderr, flush=True)

    def _rest(self, progress: Progress) -> str:
        """Failures and the time left; the bar's own would count what was there already."""
        failed = f"{progress.failed} failed" if progress.failed else ""
        left = f"{duration(progress.seconds_left)} left" if progress.seconds_left else ""
        return ", ".join(filter(None, [failed, left]))


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
