"""The controls of the plugin's widget; what they do is in `panel`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qtpy import QtCore, QtWidgets

from ..families import names


class Controls(QtWidgets.QWidget):
    """Choices of image, strokes, part, shapes and settings; buttons, a progress bar and a line of text.

    Attributes
    ----------
    updating : bool
        Whether changes of controls come from the program and are to start nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.updating = False
        self.images = QtWidgets.QListWidget()
        self.images.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self.images.setMaximumHeight(4 * self.images.fontMetrics().height())
        self.images.setToolTip("Several grey images of one shape are taken as channels.")
        self.strokes, self.part = QtWidgets.QComboBox(), QtWidgets.QComboBox()
        self.part.addItem("the plane that is shown", False)
        self.part.addItem("the volume (last three axes)", True)
        self.smoothness = _number("default", "alpha, nats per pixel of boundary: bigger is smoother.")
        self.limit = _number("none", "Seconds after which the best answer so far is taken.")
        self.live = QtWidgets.QCheckBox("after each stroke")
        self.live.setChecked(True)
        self.shapes: dict[int, QtWidgets.QComboBox] = {}
        self._offered: list[str] = []
        self.bar, self.status = QtWidgets.QProgressBar(), QtWidgets.QLabel()
        self.status.setWordWrap(True)
        self.status.setTextFormat(QtCore.Qt.TextFormat.PlainText)  # names of layers are text
        self.new_button, self.segment_button = QtWidgets.QPushButton("New"), QtWidgets.QPushButton("Segment")
        self.cancel_button, self.outlines_button = QtWidgets.QPushButton("Cancel"), QtWidgets.QPushButton("Outlines")
        self.new_button.setToolTip("Add a Labels layer for strokes.")
        self.outlines_button.setToolTip("Add the objects' outlines as a Shapes layer.")
        self._shape_rows = QtWidgets.QFormLayout()
        self._lay_out()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Within it `updating` is True."""
        before, self.updating = self.updating, True
        try:
            yield
        finally:
            self.updating = before

    def chosen_images(self) -> list[Any]:
        """The image layers that are chosen."""
        return [item.data(QtCore.Qt.ItemDataRole.UserRole) for item in self.images.selectedItems()]

    def offer_layers(self, images: Sequence[Any], strokes: Sequence[Any], chosen: Sequence[Any]) -> None:
        """Offer these layers; those of `chosen` stay chosen, of images otherwise the last one is."""
        with self.quiet():
            self.images.clear()
            self.strokes.clear()
            for layer in images:
                item = QtWidgets.QListWidgetItem(layer.name, self.images)
                item.setData(QtCore.Qt.ItemDataRole.UserRole, layer)
                item.setSelected(layer in chosen)
            if images and not self.images.selectedItems():
                self.images.item(self.images.count() - 1).setSelected(True)
            for layer in strokes:
                self.strokes.addItem(layer.name, layer)
            self.strokes.setCurrentIndex(next((i for i, layer in enumerate(strokes) if layer in chosen), 0))

    def offer_shapes(
        self, objects: Sequence[int], ndim: int, given: dict[int, str], changed: Callable[[], object]
    ) -> None:
        """Offer a shape of images with `ndim` axes for each of these labels; at first those of `given`."""
        offered = names("shapes", ndim)
        if (list(objects), offered) == (list(self.shapes), self._offered):
            return
        self._offered = offered
        before = {**given, **{k: box.currentData() for k, box in self.shapes.items()}}
        while self._shape_rows.rowCount():
            self._shape_rows.removeRow(0)
        self.shapes = {}
        for k in objects:
            box = self.shapes[k] = QtWidgets.QComboBox()
            box.addItem("no shape", None)
            for name in offered:
                box.addItem(name, name)
            box.setCurrentIndex(max(box.findData(before.get(k)), 0))
            box.currentIndexChanged.connect(lambda _index: changed())
            self._shape_rows.addRow(f"Shape of {k}", box)

    def chosen_shapes(self) -> dict[int, str]:
        """Shape of each object that has one."""
        return {k: box.currentData() for k, box in self.shapes.items() if box.currentData()}

    def show_work(self, text: str) -> None:
        """Something is being solved."""
        self.bar.setRange(0, 0)
        self.cancel_button.setEnabled(True)
        self.status.setText(text)

    def show_share(self, share: float | None) -> None:
        """So much of the work is done; None where that is not known."""
        if self.cancel_button.isEnabled():
            self.bar.setRange(0, 0 if share is None else 100)
            self.bar.setValue(0 if share is None else round(100 * share))

    def show_idle(self, text: str) -> None:
        """Nothing is being solved."""
        self.bar.setRange(0, 100)
        self.bar.reset()
        self.cancel_button.setEnabled(False)
        self.status.setText(text)

    def _lay_out(self) -> None:
        form, brush, buttons = QtWidgets.QFormLayout(), QtWidgets.QHBoxLayout(), QtWidgets.QHBoxLayout()
        brush.addWidget(self.strokes, 1)
        brush.addWidget(self.new_button)
        form.addRow("Image", self.images)
        form.addRow("Strokes", brush)
        form.addRow("Segment", self.part)
        form.addRow("Smoothness", self.smoothness)
        form.addRow("Time limit (s)", self.limit)
        form.addRow("Live", self.live)
        for button in (self.segment_button, self.cancel_button, self.outlines_button):
            buttons.addWidget(button)
        layout = QtWidgets.QVBoxLayout(self)
        for part in (form, self._shape_rows, buttons):
            layout.addLayout(part)
        layout.addWidget(self.bar)
        layout.addWidget(self.status)
        layout.addStretch(1)


def _number(none: str, tip: str) -> QtWidgets.QDoubleSpinBox:
    """A field for a number of at least 0, which is shown as a word."""
    box = QtWidgets.QDoubleSpinBox()
    box.setRange(0, 1e6)
    box.setDecimals(3)
    box.setSpecialValueText(none)
    box.setKeyboardTracking(False)
    box.setToolTip(tip)
    return box
