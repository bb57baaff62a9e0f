"""CUDA graphs: what is launched again and again at the same addresses is recorded once and then replayed."""

from collections.abc import Callable
from typing import Any


class Graphs:
    """Recorded launches of one place, by what they do."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self._recorded: dict[Any, Any] = {}

    def play(self, what: Any, launch: Callable[[], None]) -> None:
        """Launch; what is launched a second time is recorded in a CUDA graph, and from then on replayed."""
        if what not in self._recorded:
            self._recorded[what] = None
            launch()
            return
        if self._recorded[what] is None:
            with self._xp.cuda.Stream(non_blocking=True) as stream:
                stream.begin_capture()
                launch()
                self._recorded[what] = stream.end_capture()
        self._recorded[what].launch()
