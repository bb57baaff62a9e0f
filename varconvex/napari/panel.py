"""The plugin's widget: strokes of a Labels layer in, objects as a Labels layer and their outlines as Shapes out.

Work is done in a background thread (`work`); its answers come back by Qt's signals, in the viewer's thread.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels
from napari.utils import notifications
from qtpy import QtCore, QtWidgets

from ..errors import VarconvexError
from ..result import Segmentation
from .controls import Controls
from .layers import Output, brush_layer
from .regions import Region
from .work import Answer, Request, Work

_PAUSE = 60
"""Milliseconds after a stroke until it is taken: a fill or an undo comes as several events."""

_BRUSH_EVENTS = ("paint", "set_data")
"""Events of a Labels layer after which its strokes may be others; `set_data` comes with undo."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """A request, and what it is about."""

    request: Request
    region: Region
    image: Image

    def same(self, other: "_Asked | None") -> bool:
        """Whether another one has the same answer."""
        if other is None or (self.request.key, self.request.shapes) != (other.request.key, other.request.shapes):
            return False
        return np.array_equal(self.request.seeds, other.request.seeds)


class _Signals(QtCore.QObject):
    found = QtCore.Signal(object)
    progressed = QtCore.Signal(object)


class Panel(Controls):
    """Segments an image layer from the strokes of a Labels layer: 1 is the background, 2 and more are objects.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    keywords : dict, optional
        Further keywords of `varconvex.Session`.
    changed : callable, optional
        Called in the viewer's thread with the strokes ((*spatial) int64) and the answer to them, which is None until it
        is final.
    """

    def __init__(
        self,
        napari_viewer: "napari.Viewer",
        keywords: dict[str, Any] | None = None,
        changed: Callable[[np.ndarray, Segmentation | None], object] | None = None,
    ):
        super().__init__()
        self.viewer, self._keywords, self._changed = napari_viewer, dict(keywords or {}), changed
        shape = self._keywords.pop("shape", None)
        self._given_shapes = shape if isinstance(shape, dict) else {2: shape}
        for name, box in (("alpha", self.smoothness), ("time_limit", self.limit)):
            if self._keywords.get(name):
                box.setValue(self._keywords.pop(name))
        self._output = Output(napari_viewer)
        self._asked: _Asked | None = None
        self._answered: tuple[_Asked, Segmentation] | None = None
        self._strokes: Labels | None = None
        self._said, self._moving = "", False
        self._signals = _Signals()
        self._signals.found.connect(self._found)
        self._signals.progressed.connect(self.show_share)
        self._work = Work(self._signals.found.emit, self._signals.progressed.emit)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._settled)
        for button, react in (
            (self.new_button, self.new_strokes),
            (self.segment_button, self.segment),
            (self.cancel_button, self.cancel),
            (self.outlines_button, self.add_outlines),
        ):
            button.clicked.connect(lambda _checked, react=react: react())
        self.images.itemSelectionChanged.connect(self._image_chosen)
        self.strokes.currentIndexChanged.connect(lambda _index: self._listen(self.strokes.currentData()))
        self.part.currentIndexChanged.connect(lambda _index: self._may_segment())
        self.smoothness.valueChanged.connect(lambda _value: self._may_segment())
        for emitter, react in self._watched():
            emitter.connect(react)
        self.destroyed.connect(lambda: self.let_go())  # a bound method would be gone by then
        self._list_layers()
        self.show_idle("Paint label 1 on the background and label 2 on the object.")

    def segment(self, *, again: bool = True) -> None:
        """Solve the strokes as they are, in the background; without `again` only if they are others than before."""
        try:
            asked = self._request()
        except VarconvexError as error:
            self._say(str(error))
            return
        if asked is None:
            self.show_idle("Choose an image and a Labels layer of strokes, or make one with New.")
        elif again or not asked.same(self._asked):
            self._asked = asked
            self.show_work("solving")
            if self._changed is not None:
                self._changed(asked.request.seeds, None)
            self._work.ask(asked.request)

    def cancel(self) -> None:
        """Stop what is being solved; the layers stay as they are."""
        self._work.cancel()
        self._asked = None
        self.show_idle("cancelled")

    def wait(self, seconds: float = 60.0) -> bool:
        """Wait until nothing is being solved and the layers show it, at most so many seconds; whether that is so."""
        QtCore.QCoreApplication.processEvents()
        if self._timer.isActive():
            self._settled()
        done = self._work.wait(seconds)
        QtCore.QCoreApplication.processEvents()
        return done

    @property
    def busy(self) -> bool:
        """Whether a stroke is still to be taken, or something is being solved."""
        return self._timer.isActive() or self.cancel_button.isEnabled()

    @property
    def result(self) -> Segmentation | None:
        """The last final answer."""
        return self._answered[1] if self._answered else None

    def choose(self, images: list[Image], strokes: Labels) -> None:
        """Choose these of the viewer's layers."""
        with self.quiet():
            for row in range(self.images.count()):
                item = self.images.item(row)
                item.setSelected(item.data(QtCore.Qt.ItemDataRole.UserRole) in images)
        self._image_chosen()
        self.strokes.setCurrentIndex(self.strokes.findData(strokes))

    def let_go(self) -> None:
        """Stop what runs, for good, and listen to nothing, also when the controls are gone."""
        self._work.close()
        self._listen(None)
        for emitter, react in self._watched():
            emitter.disconnect(react)

    def new_strokes(self) -> Labels | None:
        """Add an empty Labels layer that lies where the image lies, with its brush ready; it is chosen."""
        layers = self.chosen_images()
        if not layers:
            self.show_idle("Open an image first.")
            return None
        layer = brush_layer(self.viewer, layers[0])
        self.strokes.setCurrentIndex(self.strokes.findData(layer))
        return layer

    def add_outlines(self) -> None:
        """Show the outlines of the last answer's objects in a Shapes layer."""
        if self._answered is None:
            self.status.setText("There is no answer yet.")
            return
        asked, result = self._answered
        self._output.show_outlines(asked.image, asked.region, result)

    def _request(self) -> _Asked | None:
        """What is chosen, to be solved; None where something has not been chosen."""
        layers, strokes = self.chosen_images(), self._strokes
        if not layers or strokes is None:
            return None
        dims = self.viewer.dims
        volume = bool(self.part.currentData())
        region = Region.of(layers, volume=volume, point=dims.point, displayed=dims.displayed)
        seeds = region.seeds(strokes)
        objects = [int(k) for k in np.unique(seeds) if k > 1]
        self.offer_shapes(objects, seeds.ndim, self._given_shapes, self._may_segment)
        keywords = {**self._keywords, **region.keywords(layers)}
        numbers = {"alpha": self.smoothness.value(), "time_limit": self.limit.value()}
        keywords |= {name: value for name, value in numbers.items() if value > 0}
        key = (region, tuple(layers), *numbers.values())
        request = Request(key, lambda: region.pixels(layers), seeds, self.chosen_shapes(), keywords)
        return _Asked(request, region, layers[0])

    def _watched(self) -> Iterator[tuple[Any, Callable[..., None]]]:
        """Events of the viewer, each with what is done then."""
        layers, dims = self.viewer.layers.events, self.viewer.dims.events
        yield from ((emitter, self._list_layers) for emitter in (layers.inserted, layers.removed, layers.reordered))
        yield from ((emitter, self._moved) for emitter in (dims.current_step, dims.order, dims.ndisplay))

    def _list_layers(self, _event: Any = None) -> None:
        """Offer the viewer's layers as they are."""
        before, layers = self.chosen_images(), list(self.viewer.layers)
        images = [layer for layer in layers if isinstance(layer, Image)]
        strokes = [layer for layer in layers if isinstance(layer, Labels) and layer not in self._output.layers]
        self.offer_layers(images, strokes, [*before, self._strokes])
        self._listen(self.strokes.currentData())
        if self.chosen_images() != before:
            self._image_chosen()

    def _image_chosen(self) -> None:
        """Another image: offer what can be segmented of it, and drop what was known."""
        if self.updating:
            return
        layers = self.chosen_images()
        for layer in layers:
            layer.events.data.disconnect(self._image_changed)
            layer.events.data.connect(self._image_changed)
        self._image_changed()
        deep = bool(layers) and layers[0].ndim > 2
        with self.quiet():
            self.part.setEnabled(deep)
            self.part.setCurrentIndex(int(deep))

    def _image_changed(self, _event: Any = None) -> None:
        self._work.forget()
        self._asked = None
        self.show_idle("")

    def _listen(self, layer: Labels | None) -> None:
        """Take strokes from a Labels layer."""
        if self.updating or layer is self._strokes:
            return
        for name in _BRUSH_EVENTS:
            if self._strokes is not None:
                getattr(self._strokes.events, name).disconnect(self._painted)
            if layer is not None:
                getattr(layer.events, name).connect(self._painted)
        self._strokes = layer

    def _painted(self, event: Any) -> None:
        if not (self._moving and event.type == "set_data"):
            self._timer.start()

    def _moved(self, _event: Any) -> None:
        """Another plane is shown: layers say so as they do after an undo, before this turn of the event loop ends."""
        self._moving = True
        QtCore.QTimer.singleShot(0, self._still)

    def _still(self) -> None:
        self._moving = False

    def _settled(self) -> None:
        """Solve once the stroke is at its end."""
        if QtWidgets.QApplication.mouseButtons() != QtCore.Qt.MouseButton.NoButton:
            self._timer.start()
        else:
            self._timer.stop()
            self._may_segment()

    def _may_segment(self) -> None:
        if self.live.isChecked() and not self.updating and self._strokes is not None:
            self.segment(again=False)

    def _found(self, answer: Answer) -> None:
        """Show an answer, in the viewer's thread, unless there are other strokes by now."""
        asked = self._asked
        if asked is None or answer.request is not asked.request:
            return
        if answer.result is None:
            self._say(answer.text, notify=not answer.quiet)
            return
        self._output.show_labels(asked.image, asked.region, answer.result)
        if not answer.final:
            self.status.setText("preview")
            return
        self._answered = asked, answer.result
        self._say("\n".join(answer.warnings))
        self.show_idle(_summary(answer.result))
        if self._changed is not None:
            self._changed(answer.request.seeds, answer.result)

    def _say(self, text: str, notify: bool = True) -> None:
        """Nothing is being solved, since there is something to say; it is notified of once."""
        self.show_idle(text)
        if notify and text and text != self._said:
            notifications.show_warning(text)
        self._said = text if notify else ""


def _summary(result: Segmentation) -> str:
    """The numbers of an answer in a line or two."""
    gap = [f"gap {result.relative_gap:.1e}"] if result.history else []
    found = [f"{k}: {'certified' if c else 'not'} {c.shape}" for k, c in result.certificates.items()]
    return ", ".join([*gap, f"{sum(result.seconds.values()):.2f} s", *found])
