"""``varconvex annotate``: an image from a file in napari or on the local page, strokes and mask back to files."""

import os
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from . import checks
from .errors import FileFormatError, MissingExtraError
from .io.reading import read_image, read_labels
from .io.writing import MASK_ENDINGS, check_outputs, write_labels, write_mask
from .options import Viewer
from .plots import colours
from .result import Segmentation
from .session import Session
from .widget.background import BackgroundJob
from .widget.page import Page


def annotate(
    image: str | Path,
    scribbles: str | Path | None = None,
    output: str | Path | None = None,
    *,
    viewer: Viewer | None = None,
    started: Callable[[str], object] = print,
    **keywords: Any,
) -> tuple[Segmentation | None, list[Path]]:
    """Open napari until its window is closed, or serve a page to draw on until "Save and close" or Ctrl-C.

    Parameters
    ----------
    image : str or path
        The image, as `varconvex.io.read_image` reads it.
    scribbles : str or path, optional
        Label image of the strokes. One that is there is gone on with. Written whenever the strokes change. By default
        the image's name with ``-scribbles``.
    output : str or path, optional
        The mask, written with each final answer. By default the image's name with ``-mask``.
    viewer : {"napari", "page"}, optional
        By default napari, where it is installed and there is a display.
    started : callable
        Gets the page's address.
    **keywords
        Those of `segment` besides the scribbles.

    Returns
    -------
    result : Segmentation or None
        The last answer; None if there were not enough strokes.
    written : list of Path
        The files that were written.

    Raises
    ------
    FileFormatError
        If a file cannot be read or written.
    MissingExtraError
        If napari is asked for and not installed.
    """
    if viewer is not None:
        checks.one_of("viewer", viewer, Viewer)
    photograph = read_image(image)
    session = Session(photograph, **keywords)
    targets = _targets(Path(image), scribbles, output, session.scribbles.ndim)
    if targets[0].exists():
        _continue(session, targets[0])
    written = Files(*targets)
    if (viewer or usual_viewer()) == "napari":
        _in_napari(session, written, Path(image).stem, keywords)
    else:
        _on_page(session, written, started)
    result = session.result if session.ready else None
    return result, written.close(session.scribbles, result)


def usual_viewer() -> Viewer:
    """Napari, where it is installed and has a display to open a window on; or else the page."""
    found = find_spec("napari")
    shown = not sys.platform.startswith("linux") or {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"} & {*os.environ}
    return "napari" if found is not None and found.origin is not None and shown else "page"


def _in_napari(session: Session, written: "Files", name: str, keywords: dict[str, Any]) -> None:
    """Draw in napari until its window is closed."""
    try:
        from .napari.window import draw_in_window
    except ImportError as error:
        raise MissingExtraError(
            f"drawing in napari needs napari with Qt; got {error}. Run: pip install "
            '"varconvex[napari]"; or draw on the page: --viewer page.'
        ) from error
    draw_in_window(session, name, keywords, written.changed, {"scale": session.spacing})


def _on_page(session: Session, written: "Files", started: Callable[[str], object]) -> None:
    """Draw on the local page until it is closed."""
    ended = threading.Event()
    page = Page(
        session,
        on_change=lambda result: written.changed(session.scribbles, result),
        on_action=lambda name: ended.set() if name == "end" else None,
    )
    try:
        started(page.address)
        while not ended.wait(0.5):  # in pieces, so that Ctrl-C is heard on every system
            pass
    except KeyboardInterrupt:
        pass
    finally:
        page.close()


class Files:
    """Strokes and mask on disk, written in the background whenever they change."""

    def __init__(self, scribbles: Path, output: Path):
        self._scribbles, self._output = scribbles, output
        self._now: tuple[np.ndarray, Segmentation | None] = np.zeros(0, np.int64), None
        self._trouble: FileFormatError | None = None
        self._written: dict[Path, Any] = {}
        self._saving = BackgroundJob(self._write, "varconvex save")

    def changed(self, seeds: np.ndarray, result: Segmentation | None) -> None:
        """Write the strokes ((*spatial) int64), and the answer if it is known, in the background."""
        self._now = seeds, result
        self._saving.ask()

    def close(self, seeds: np.ndarray, result: Segmentation | None) -> list[Path]:
        """Write what is missing of the last strokes and their answer; the files there are."""
        self._saving.close()
        self._saving.wait(60.0)
        self._now = seeds, result
        self._write()
        if self._trouble is not None:
            raise self._trouble
        return list(self._written)

    def _write(self) -> None:
        seeds, result = self._now
        if not self._written and not seeds.any():
            return
        try:
            known = self._written.get(self._scribbles)
            if known is None or not np.array_equal(known, seeds):
                write_labels(self._scribbles, seeds, colours(255))
                self._written[self._scribbles] = seeds
            if result is not None and self._written.get(self._output) is not result:
                write_mask(self._output, result.labels, result.label_ids)
                self._written[self._output] = result
            self._trouble = None
        except FileFormatError as error:  # said when the page is closed; a later attempt may succeed
            self._trouble = error


def _targets(image: Path, scribbles: str | Path | None, output: str | Path | None, ndim: int) -> tuple[Path, Path]:
    """Where strokes and mask go; a mask that somebody else may have made is not replaced unless it was named."""
    ending = ".png" if ndim == 2 else ".npy"
    strokes = Path(scribbles) if scribbles else image.with_name(f"{image.stem}-scribbles{ending}")
    mask = Path(output) if output else image.with_name(f"{image.stem}-mask{ending}")
    endings = MASK_ENDINGS if ndim == 2 else (".npy",)
    check_outputs([(strokes, endings), (mask, endings)], [image])
    if output is None and mask.exists() and not strokes.exists():
        raise FileFormatError(
            f"the mask's file should be new, or from strokes in {strokes}; {mask} is there. Name the output."
        )
    return strokes, mask


def _continue(session: Session, path: Path) -> None:
    """Give a session the strokes of a file."""
    seeds = read_labels(path)
    shape = session.scribbles.shape
    if seeds.shape != shape:
        raise FileFormatError(
            f"strokes must have the image's {shape} pixels; {path} has {seeds.shape}. Name another file."
        )
    for label in np.unique(seeds[seeds > 0]):
        session.add(seeds == label, int(label))
