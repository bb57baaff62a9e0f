"""``varconvex annotate``: an image from a file on the local page, its strokes and its mask back to files."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .errors import FileFormatError
from .io.reading import read_image, read_labels
from .io.writing import MASK_ENDINGS, check_outputs, write_labels, write_mask
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
    started: Callable[[str], object] = print,
    **keywords: Any,
) -> tuple[Segmentation | None, list[Path]]:
    """Serve a page to draw on until "Save and close" or Ctrl-C.

    Parameters
    ----------
    image : str or path
        The image, as `varconvex.io.read_image` reads it.
    scribbles : str or path, optional
        Label image of the strokes. One that is there is gone on with. Written whenever the strokes change. By default
        the image's name with ``-scribbles``.
    output : str or path, optional
        The mask, written with each final answer. By default the image's name with ``-mask``.
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
    """
    photograph = read_image(image)
    session = Session(photograph, **keywords)
    targets = _targets(Path(image), scribbles, output, session.scribbles.ndim)
    if targets[0].exists():
        _continue(session, targets[0])
    written = Files(session, *targets)
    ended = threading.Event()
    page = Page(session, on_change=written.changed, on_action=lambda name: ended.set() if name == "end" else None)
    try:
        started(page.address)
        while not ended.wait(0.5):  # in pieces, so that Ctrl-C is heard on every system
            pass
    except KeyboardInterrupt:
        pass
    finally:
        page.close()
    return written.close()


class Files:
    """Strokes and mask of a session on disk, written in the background whenever they change."""

    def __init__(self, session: Session, scribbles: Path, output: Path):
        self._session, self._scribbles, self._output = session, scribbles, output
        self._result: Segmentation | None = None
        self._trouble: FileFormatError | None = None
        self._written: dict[Path, Any] = {}
        self._saving = BackgroundJob(self._write, "varconvex save")

    def changed(self, result: Segmentation | None) -> None:
        """Write the strokes, and the answer if it is known, in the background."""
        self._result = result
        self._saving.ask()

    def close(self) -> tuple[Segmentation | None, list[Path]]:
        """Write what is missing; the last answer, and the files there are."""
        self._saving.close()
        self._saving.wait(60.0)
        if self._written or self._session.labels:
            self._result = self._session.result if self._session.ready else None
            self._write()
        if self._trouble is not None:
            raise self._trouble
        return self._result, list(self._written)

    def _write(self) -> None:
        result, version = self._result, self._session.version
        try:
            if self._written.get(self._scribbles) != version:
                write_labels(self._scribbles, self._session.scribbles, colours(255))
                self._written[self._scribbles] = version
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
