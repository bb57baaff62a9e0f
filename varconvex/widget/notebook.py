"""The widget of a notebook, on anywidget; see `varconvex.widget.annotate`."""

from collections.abc import Mapping
from typing import Any

import anywidget
import numpy as np
import traitlets

from .. import checks
from ..errors import InvalidParameterError
from ..result import Segmentation
from ..session import Session
from . import part
from .exchange import Exchange


class Annotation(anywidget.AnyWidget):
    """A canvas in a notebook and the session behind it; made by `varconvex.widget.annotate`.

    After strokes that were added to the session from Python call ``refresh``.
    """

    _esm = part("canvas.js")
    _css = part("canvas.css")
    height = traitlets.Int(480).tag(sync=True)

    def __init__(self, image: Any, *, labels: Mapping[int, str] | None = None, height: int = 480, **keywords: Any):
        if isinstance(image, Session) and keywords:
            raise InvalidParameterError(
                f"a session comes with its settings and takes no keywords; got {', '.join(keywords)}. Leave them out."
            )
        session = image if isinstance(image, Session) else Session(image, **keywords)
        super().__init__(height=checks.whole_number("height", height, least=100))
        self._exchange = Exchange.of(session, self._post, labels=labels)
        self.on_msg(self._received)

    @property
    def session(self) -> Session:
        """The session behind the canvas."""
        return self._exchange.session

    @property
    def result(self) -> Segmentation | None:
        """The answer to the strokes as they are now, None before there are enough; waits for it where it must."""
        return self.session.result

    @property
    def scribbles(self) -> np.ndarray:
        """The strokes as a label image: (*spatial) integers, 0 where there are none."""
        return self.session.scribbles

    @property
    def labels(self) -> dict[int, str]:
        """Names of the labels by their ids, as they are on the canvas."""
        return {label.id: label.name for label in self._exchange.labels}

    def refresh(self) -> None:
        """Show and solve the session as it is, after strokes that were added from Python."""
        self._exchange.refresh()

    def wait(self, seconds: float = 60.0) -> bool:
        """Wait until nothing is being solved, at most so many seconds; whether that is so."""
        return self._exchange.wait(seconds)

    def close(self) -> None:
        """Stop what runs, and take the canvas away."""
        if hasattr(self, "_exchange"):
            self._exchange.close()
        super().close()

    def _received(self, _widget: Any, _content: Any, buffers: list[Any] | None) -> None:
        for data in buffers or []:
            self._exchange.receive(data)

    def _post(self, data: bytes) -> None:
        self.send({}, buffers=[data])
