"""Strokes are solved in the background: the newest request wins. This file knows neither Qt nor napari."""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import VarconvexError
from ..result import Segmentation
from ..session import Session
from ..solvers.pdhg import Progress
from ..widget.background import BackgroundJob

_SESSIONS = 4
"""Sessions that are kept: those of the planes and settings that were used last."""


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be solved.

    Attributes
    ----------
    key : hashable
        Of the image and the settings that a session cannot change; each key has a session of its own.
    image : callable
        Returns the pixels, in the background: they may have to be read.
    seeds : (*spatial) int64 array
        The strokes.
    shapes : mapping of int to str
        Shape of each object that has one.
    keywords : mapping
        Further ones of `Session`.
    """

    key: Any
    image: Callable[[], np.ndarray]
    seeds: np.ndarray
    shapes: Mapping[int, str]
    keywords: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found for a request, and whether that is final; with a text instead where nothing was.

    `quiet` says that the text is no error but what is still to be drawn; `warnings` are the texts of those that came
    with a final result.
    """

    request: Request
    result: Segmentation | None
    final: bool
    text: str = ""
    quiet: bool = False
    warnings: tuple[str, ...] = ()


class Work:
    """Solves requests in a background thread; what is found for one that is not the newest is not told.

    Parameters
    ----------
    found : callable
        Gets each `Answer`: first a preview, where there is one, then the final one.
    progressed : callable
        Gets the share of the solver's work that is done, or None where that is not known.
    """

    def __init__(self, found: Callable[[Answer], object], progressed: Callable[[float | None], object]):
        self._found, self._progressed = found, progressed
        self._lock = threading.Lock()
        self._request: Request | None = None
        self._sessions: dict[Any, Session] = {}
        self._job = BackgroundJob(self._solve, "varconvex napari")

    def ask(self, request: Request) -> None:
        """Solve a request; what runs for a former one stops."""
        self._replace(request)
        self._job.ask()

    def cancel(self) -> None:
        """Stop what runs; nothing more is told of it."""
        self._replace(None)

    def forget(self) -> None:
        """Drop all sessions: an image has changed."""
        self.cancel()
        with self._lock:
            self._sessions = {}

    def close(self) -> None:
        """Stop what runs, for good."""
        self._job.close()
        self._replace(None)

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is being solved, at most so many seconds; whether that is so."""
        return self._job.wait(seconds)

    def wanted(self, request: Request) -> bool:
        """Whether a request is the newest one."""
        return request is self._request

    def _replace(self, request: Request | None) -> None:
        with self._lock:
            self._request, sessions = request, list(self._sessions.values())
        for session in sessions:
            session.cancel()

    def _solve(self) -> None:
        request = self._request
        if request is None:
            return
        try:
            session = self._session(request)
            draw(session, request.seeds)
            if not session.ready:
                self._tell(Answer(request, None, True, _missing(session.labels), True))
                return
            if session.known is None and self.wanted(request):
                self._tell(Answer(request, session.preview(), False))
            result = session.result if self.wanted(request) else None
            self._tell(Answer(request, result, True, warnings=session.warnings))
        except VarconvexError as error:
            self._tell(Answer(request, None, True, str(error)))
        except Exception as error:  # memory is short, a file cannot be read: the next request may be better
            self._tell(Answer(request, None, True, f"{type(error).__name__}: {error}"))

    def _session(self, request: Request) -> Session:
        """The session of a request, with its shapes."""
        known = self._sessions.pop(request.key, None)
        if known is None:
            known = Session(request.image(), dict(request.shapes), callback=self._progress, **request.keywords)
        with self._lock:
            self._sessions[request.key] = known  # the last one
            while len(self._sessions) > _SESSIONS:
                del self._sessions[next(iter(self._sessions))]
        if known.shape != request.shapes:
            known.shape = dict(request.shapes)
        return known

    def _progress(self, progress: Progress) -> None:
        """The way of the relative gap from 1 to 1e-3, on a logarithmic scale."""
        gap = progress.relative_gap
        self._progressed(min(1.0, max(0.0, -math.log10(max(gap, 1e-12)) / 3)) if math.isfinite(gap) else None)

    def _tell(self, answer: Answer) -> None:
        if self.wanted(answer.request) and (answer.result is not None or answer.final):
            self._found(answer)


def draw(session: Session, seeds: np.ndarray) -> None:
    """Draw and erase on a session until its strokes are a label image ((*spatial) int64).

    If they were so one step before or after, `undo` or `redo` leads there, so that the answer is known.
    """
    if np.array_equal(session.scribbles, seeds):
        return
    for go, back in ((session.undo, session.redo), (session.redo, session.undo)):
        if go():
            if np.array_equal(session.scribbles, seeds):
                return
            back()
    changed = session.scribbles != seeds
    for label in np.unique(seeds[changed & (seeds > 0)]):
        session.add(changed & (seeds == label), int(label))
    while (left := (session.scribbles > 0) & (seeds == 0)).any():  # what a stroke had covered comes to light
        session.erase(left)


def _missing(labels: tuple[int, ...]) -> str:
    """Which strokes are needed, in one sentence."""
    there = f"there are those of {', '.join(map(str, labels))}" if labels else "there are none"
    return f"Strokes of two labels are needed, 1 for the background, 2 and more for objects; {there}."
