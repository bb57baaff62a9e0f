"""What a command says on standard error: what it is at, warnings and errors, in words of the shell.

On a terminal there is a progress bar; in a log there are lines, one whenever something new begins and one every ten
seconds while it lasts.
"""

import logging
import math
import re
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import VarconvexWarning
from ..logs import LOGGER
from .options import ALL_OPTIONS, NONE, flag

_EVERY = 10.0
"""Seconds between two lines about the same thing in a log."""


_PHRASES = {
    "Say which label is the object's, or that they are probabilities": "Pass --label N, or --probability",
    "ending='.tif'": "--format .tif",
}
"""Advice that names no keyword, in words of the shell."""


class Voice(logging.Handler):
    """Says what is being done: a bar on a terminal, lines elsewhere; nothing if `quiet`.

    It is a handler of the package's log, and its `progress` a callback of the solver.
    """

    def __init__(self, *, quiet: bool = False):
        super().__init__(logging.INFO)
        self._quiet, self._what, self._numbers = quiet, "", ""
        self._begin = self._said = time.monotonic()
        self._bar: Any = None
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._keep_saying, daemon=True)

    def __enter__(self) -> "Voice":
        if not self._quiet:
            self._level = LOGGER.level
            LOGGER.addHandler(self)
            LOGGER.setLevel(logging.INFO)
            with suppress(RuntimeError):  # where no thread can be started, nothing is said again
                self._watch.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._quiet:
            self._ended.set()
            if self._watch.is_alive():
                self._watch.join()
            LOGGER.removeHandler(self)
            LOGGER.setLevel(self._level)
            if self._bar is not None:
                self._bar.close()

    def say(self, what: str) -> None:
        """Say what is being done from now on."""
        if self._quiet or what == self._what:
            return
        self._what, self._numbers, self._begin = what, "", time.monotonic()
        if not sys.stderr.isatty():
            self._line(what)
            return
        if self._bar is None:
            from tqdm import tqdm

            size = shutil.get_terminal_size()  # 80 x 24 where the terminal does not tell: tqdm would show nothing
            form = "{desc} {bar} {elapsed} {postfix}"
            self._bar = tqdm(total=100, leave=False, bar_format=form, ncols=size.columns, nrows=size.lines, desc=what)
        self._bar.set_description_str(what)

    def emit(self, record: logging.LogRecord) -> None:
        """Say what the package logs."""
        self.say(record.getMessage())

    def progress(self, progress: Any) -> None:
        """Show the relative gap's way from 1 to 1e-3, logarithmically, or the rounds of unification; a callback."""
        gap, rounds = progress.relative_gap, getattr(progress, "round", None)
        self.say("solving" if rounds is None else "unifying energy, shape and colours")
        self._numbers = f"gap {gap:.1e}" if rounds is None else f"round {rounds}"
        if self._bar is not None:
            done = round(100 * min(1.0, max(0.0, -math.log10(max(gap, 1e-12)) / 3)))
            self._bar.set_postfix_str(self._numbers)
            self._bar.update(max(0, done - self._bar.n))

    def _line(self, text: str) -> None:
        self._said = time.monotonic()
        print(f"varconvex: {text}", file=sys.stderr, flush=True)

    def _keep_saying(self) -> None:
        """Show that time goes on."""
        while not self._ended.wait(0.5):
            now = time.monotonic()
            if self._bar is not None:
                self._bar.refresh()
            elif self._what and now - self._said > _EVERY:
                self._line(", ".join(filter(None, [self._what, f"{now - self._begin:.0f} s", self._numbers])))


def with_voice(command: Callable[[Any, Voice], int]) -> Callable[[Any], int]:
    """A command that says what it does, unless its option --quiet is set."""

    def run(options: Any) -> int:
        with Voice(quiet=options.quiet) as voice:
            return command(options, voice)

    return run


@contextmanager
def warnings_told() -> Iterator[None]:
    """Within it, the package's warnings are lines on standard error, in words of the shell."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", VarconvexWarning)
        others = warnings.showwarning

        def tell(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, VarconvexWarning):
                print(f"varconvex: warning: {in_shell_words(str(message))}", file=sys.stderr, flush=True)
            else:
                others(message, category, *place, **more)

        warnings.showwarning = tell
        yield


def in_shell_words(message: str) -> str:
    """A message with the options of the shell where it names keywords: ``nan_policy="mask"`` is --nan-policy mask."""
    for name in sorted(ALL_OPTIONS, key=len, reverse=True):
        message = re.sub(
            rf"`?\b{name}\s?=\s?(\{{.*?\}}|\(.*?\)|'[^']*'|\"[^\"]*\"|[\w.+-]*[\w+-])?`?", _as_option(name), message
        )
        if "_" in name:
            message = re.sub(rf"(?<![\w-])`?{name}`?(?!\w| after)", flag(name), message)  # not a status
        elif message.startswith(f"{name} "):
            message = f"--{message}"
    for said, meant in _PHRASES.items():
        message = message.replace(said, meant)
    return re.sub(r"\(([\d.]+(?:, [\d.]+)+)\)(?=\.$)", lambda match: match[1].replace(" ", ""), message)


def _as_option(name: str) -> Any:
    """Replacement of a match of ``name=value`` by the option's name and its value in the shell."""
    option = ALL_OPTIONS[name]

    def replaced(match: re.Match[str]) -> str:
        value = (match[1] or option.metavar).strip("'\"")
        if option.switch:
            return flag(name)
        if value.startswith("{"):
            value = re.sub(r"\s*:\s*", "=", value)
        value = {"None": NONE, "True": "yes", "False": "no"}.get(value, re.sub(r"[{}()'\"\s]", "", value))
        return f"{flag(name)} {value}"

    return replaced
