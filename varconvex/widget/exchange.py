"""What canvases send is applied to a session, and what the session finds is sent to them.

How the bytes travel is not known here: the notebook's widget and the local page both stand on `Exchange`.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import VarconvexError
from ..families import names
from ..plots import shades
from ..result import Segmentation
from ..session import Session
from .background import BackgroundJob
from .kernels import load_kernels
from .labels import first_labels
from .messages import (
    Action,
    Label,
    LabelList,
    Limits,
    Message,
    ShapeChoice,
    Stroke,
    View,
    decode,
    encode_runs,
    frame,
)
from .pictures import Planes, doubt
from .strokes import in_plane, next_in_plane
from .words import certified, nearly_shapes, sentence

_MOST_VIEWS = 16

_QUIET = 0.5
"""Seconds without strokes after which an answer is looked at for the shapes that its objects nearly have."""


@dataclass(frozen=True)
class _Answer:
    """What was found for a version of the session, after how long; acknowledged: each view's last message in it."""

    version: int
    result: Segmentation
    final: bool
    seconds: float
    acknowledged: dict[str, int]


class Exchange:
    """Applies messages to a session; all answers go through `send`, from any thread.

    Parameters
    ----------
    session : Session
        Where strokes go.
    planes : Planes
        What is shown of its image.
    send : callable
        ``send(data)`` brings bytes to all canvases.
    labels : sequence of Label
        The labels to begin with.
    on_action : callable, optional
        Called with "save" or "end" when a canvas asks for it.
    on_change : callable, optional
        Called in a background thread with each final answer, and with None when the strokes have changed.
    """

    def __init__(
        self,
        session: Session,
        planes: Planes,
        send: Callable[[bytes], None],
        *,
        labels: Sequence[Label],
        on_action: Callable[[str], None] | None = None,
        on_change: Callable[[Segmentation | None], None] | None = None,
    ):
        self.session, self.planes = session, planes
        self.labels = tuple(labels)
        self._send, self._on_action, self._on_change = send, on_action, on_change
        self._lock = threading.RLock()
        self._views: dict[str, View] = {}
        self._acknowledged: dict[str, int] = {}
        self._unshown: dict[str, bool] = {}
        self._answer: _Answer | None = None
        self._begin = time.perf_counter()
        self._text, self._nearly, self._closed = "", "", threading.Event()
        self._solving = BackgroundJob(self._solve, "varconvex solve")
        self._showing = BackgroundJob(self._show, "varconvex show")
        self._describing = BackgroundJob(self._describe, "varconvex describe")
        self._at_work = False
        self._certain = session.certainty

    @classmethod
    def of(
        cls, session: Session, send: Callable[[bytes], None], labels: Mapping[int, str] | None = None, **more: Any
    ) -> "Exchange":
        """An exchange for a session as it is: its image, its shapes, and the labels of its strokes."""
        planes = Planes(session.image, session.scribbles.shape, session.spacing)
        exchange = cls(session, planes, send, labels=(), **more)
        exchange.labels = first_labels(labels, [*session.labels, *exchange.shapes])
        return exchange

    @property
    def shapes(self) -> dict[int, Any]:
        """Shape of each object that has one; a shape by itself is that of the first object."""
        shape = self.session.shape
        given = shape if isinstance(shape, Mapping) else {2: shape}
        return {k: value for k, value in given.items() if value is not None}

    def receive(self, data: bytes) -> bool:
        """Apply one message of a canvas; whether it was sound. No error leaves this method: canvases are told."""
        try:
            message = decode(data, Limits(self.planes.shape, tuple(k.id for k in self.labels), tuple(names("shapes"))))
        except VarconvexError as error:
            self._say(str(error))
            return False
        try:
            self._apply(message)
        except Exception as error:  # one bad stroke must not end a session of many
            self._say(sentence(error))
            with self._lock:  # the canvas drew it: show what there is
                self._unshown.setdefault(message.view, False)
            self._showing.ask()
        return True

    def refresh(self) -> None:
        """Show and solve the session as it is now: after strokes that were added from Python."""
        self._again()
        self._state()

    def wait(self, seconds: float = 60.0) -> bool:
        """Wait until nothing is being solved, at most so many seconds; whether that is so."""
        end = time.monotonic() + seconds
        return self._solving.wait(seconds) and self._showing.wait(max(0.0, end - time.monotonic()))

    def close(self) -> None:
        """Stop what runs; nothing is sent any more."""
        self._closed.set()
        for job in (self._solving, self._showing, self._describing):
            job.close()
        self.session.cancel()

    def _apply(self, message: Message) -> None:
        if isinstance(message, View):
            self._look(message)
            return
        with self._lock:
            last = self._acknowledged.get(message.view, message.id - 1)
            if message.id != last + 1:
                return  # it was here before, or one before it was lost: the canvas sends all again that are not known
            self._acknowledged[message.view] = message.id
            self._text = ""
            changed = self._change(message)
        if changed:
            self._again()
        self._state()

    def _change(self, message: Message) -> bool:
        """Apply a message that changes something; whether there is something to solve."""
        if isinstance(message, Stroke):
            stroke = in_plane(message, self.planes)
            if message.label:
                self.session.add(stroke, message.label, width=message.width)
            else:
                self.session.erase(stroke, width=message.width)
            return True
        if isinstance(message, LabelList):
            self.labels = message.labels
            return False
        if isinstance(message, ShapeChoice):
            self.session.shape = {**self.shapes, message.label: message.shape}
            return True
        assert isinstance(message, Action)
        if message.name == "cancel":
            self.session.cancel()
        elif message.name in ("save", "end"):
            if self._on_action is not None:
                self._on_action(message.name)
        else:
            return getattr(self.session, message.name)() is not False
        return False

    def _again(self) -> None:
        """Have the session solved as it is now; what runs for former strokes stops."""
        with self._lock:
            self._begin, self._at_work, self._nearly = time.perf_counter(), True, ""
        self.session.cancel()
        self._solving.ask()

    def _look(self, view: View) -> None:
        """Remember what a canvas shows, and send it that."""
        with self._lock:
            self._acknowledged.setdefault(view.view, 0)
            before = self._views.pop(view.view, None)
            self._views[view.view] = view
            while len(self._views) > _MOST_VIEWS:
                gone = next(iter(self._views))
                self._views.pop(gone)
                self._acknowledged.pop(gone, None)
            moved = before is None or (before.axis, before.index) != (view.axis, view.index)
            self._unshown[view.view] = self._unshown.get(view.view, False) or moved or view.fresh
            wanted = self._certain or any(shown.mode == "certainty" for shown in self._views.values())
        if view.fresh:
            self._state()
        self._showing.ask()
        if wanted != self.session.certainty:  # it takes one more solve, which only who looks at it waits for
            self.session.certainty = wanted
            self._again()

    def _show(self) -> None:
        """Send image, scribbles and the last answer to canvases that do not have them."""
        with self._lock:
            unshown, self._unshown = self._unshown, {}
            views = [(view, unshown[name]) for name, view in self._views.items() if name in unshown]
            answer = self._answer
        drawn = bool(self.session.labels)
        for view, everything in views:
            if everything:
                kind, picture = self.planes.picture(view.axis, view.index)
                header = {"view": view.view, "type": kind, "strokes": drawn, **self.planes.header(view.axis)}
                self._post("image", header, [picture])
        self._seeds([view for view, _ in views])
        if answer is not None:
            self._answers([view for view, _ in views], answer)
        elif self.session.ready and not self._text:
            self._solving.ask()
        else:
            load_kernels(len(self.planes.shape), "convex" if self.shapes else None)

    def _solve(self) -> None:
        """Solve the session as it is, coarsely first, and send what was found; strokes that come meanwhile end it."""
        session, begin = self.session, self._begin
        self._seeds(list(self._views.values()))
        self._changed(None)
        version = session.version
        try:
            found = session.preview()
            self._found(version, found, found is session.known, begin)
            if found is not None and found is not session.known and session.version == version:  # else it begins again
                self._found(version, session.result, True, begin)
        except Exception as error:  # the strokes contradict each other, memory is short: the next ones may be better
            if session.version == version:
                self._answer, self._text = None, sentence(error)
        with self._lock:
            if session.version == version:
                self._at_work = False
                self._answer = self._answer if session.ready else None
        self._state()

    def _found(self, version: int, result: Segmentation | None, final: bool, begin: float) -> None:
        """Send an answer, unless there are other strokes by now."""
        with self._lock:
            if result is None or version != self.session.version:
                return
            seconds = time.perf_counter() - begin
            self._answer = answer = _Answer(version, result, final, seconds, dict(self._acknowledged))
        self._answers(list(self._views.values()), answer)
        if final:
            self._changed(result)
            self._describing.ask()

    def _describe(self) -> None:
        """Say which shapes the objects of the last answer nearly have; nobody waits for it."""
        answer = self._answer
        if self._closed.wait(_QUIET) or answer is None or self._answer is not answer or answer.result.labels.ndim != 2:
            return
        found = nearly_shapes(answer.result, self.labels)
        with self._lock:
            if self._answer is answer and self.session.version == answer.version:
                self._nearly = found
        self._state()

    def _state(self) -> None:
        """Tell all canvases what there is; under the lock, so that what is said last is so."""
        with self._lock:
            warned = "" if self._at_work else " ".join(self.session.warnings)
            self._post(
                "state",
                {
                    "labels": [vars(label) for label in self.labels],
                    "shapes": names("shapes", len(self.planes.shape)),
                    "chosen": {str(k): s if isinstance(s, str) else type(s).__name__ for k, s in self.shapes.items()},
                    "acknowledged": self._acknowledged,
                    "busy": self._at_work,
                    "ready": self.session.ready,
                    "drawn": list(self.session.labels),
                    "text": self._text or warned,
                    "trouble": bool(self._text),
                    "warning": bool(warned),
                    "nearly": self._nearly,
                },
            )

    def _seeds(self, views: Sequence[View]) -> None:
        """Send the scribbles in the planes of these views."""
        with self._lock:
            acknowledged, version = dict(self._acknowledged), self.session.version
            scribbles, ids = self.session.scribbles, self.session.labels
        for view in views:
            runs = encode_runs(self.planes.plane(scribbles, view.axis, view.index), ids)
            header = {**self._header(view, ids), "version": version, "acknowledged": acknowledged.get(view.view, 0)}
            self._post("seeds", header, [runs])

    def _answers(self, views: Sequence[View], answer: _Answer) -> None:
        """Send an answer's planes to these views."""
        result = answer.result
        gap = result.relative_gap
        for view in views:
            parts = [encode_runs(self.planes.plane(result.labels, view.axis, view.index), result.label_ids)]
            certain = view.mode == "certainty" and result.certainty is not None
            if certain:
                parts.append(doubt(self.planes.plane(shades(result), view.axis, view.index)))
            header = {
                **self._header(view, result.label_ids),
                "version": answer.version,
                "gap": gap if math.isfinite(gap) else None,
                "seconds": answer.seconds,
                "final": answer.final,
                "certified": certified(result, self.labels),
                "next": next_in_plane(result, view) if certain else None,
                "acknowledged": answer.acknowledged.get(view.view, 0),
            }
            self._post("answer", header, parts)

    def _header(self, view: View, ids: Sequence[int]) -> dict[str, Any]:
        sizes = self.planes.header(view.axis)
        place = {"view": view.view, "axis": view.axis, "index": view.index, "ids": list(ids)}
        return {**place, "rows": sizes["rows"], "columns": sizes["columns"]}

    def _say(self, text: str) -> None:
        self._post("said", {"text": text, "trouble": True})

    def _changed(self, result: Segmentation | None) -> None:
        if self._on_change is not None and not self._closed.is_set():
            self._on_change(result)

    def _post(self, kind: str, header: dict[str, Any], parts: Sequence[bytes] = ()) -> None:
        if not self._closed.is_set():
            self._send(frame(kind, header, parts))
