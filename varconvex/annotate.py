"""``varconvex annotate``: an image from a file in napari or on the local page, strokes and mask back to files."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from . import checks
from .errors import FileFormatError, MissingExtraError
from .io.image_file import ImageFile
from .io.labels import read_labels
from .io.opening import open_image
from .io.writing import MASK_ENDINGS, check_labels, check_outputs, write_labels, write_mask
from .options import Viewer
from .plots import colours
from .result import Segmentation
from .session import Session
from .widget.background import BackgroundJob
from .widget.page import Page

_OF_VOLUMES = {".nii.gz": ".nii.gz", ".nii": ".nii.gz", ".tif": ".tif", ".tiff": ".tif"}
"""Endings of images whose strokes and masks are written to a file of the same kind, and its ending."""


def annotate(
    image: str | Path,
    scribbles: str | Path | None = None,
    output: str | Path | None = None,
    *,
    viewer: Viewer | None = None,
    started: Callable[[str], object] = print,
    opening: Mapping[str, Any] | None = None,
    **keywords: Any,
) -> tuple[Segmentation | None, list[Path]]:
    """Open napari until its window is closed, or serve a page to draw on until "Save and close" or Ctrl-C.

    Parameters
    ----------
    image : str or path
        An image or a volume, as `varconvex.io.open_image` reads it, which says how far pixels are apart.
    scribbles : str or path, optional
        Label image of the strokes. One that is there is gone on with. Written whenever the strokes change. By default
        the image's name with ``-scribbles``: PNG; of volumes TIFF or NIfTI where the image is, or else ``.npy``.
    output : str or path, optional
        The mask, written with each final answer. By default the image's name with ``-mask``.
    viewer : {"napari", "page"}, optional
        By default napari, where it is installed and there is a display.
    started : callable
        Gets the page's address.
    opening : mapping, optional
        Keywords of `varconvex.io.open_image`: which frame, level or array to read.
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
    file = open_image(image, **(opening or {}))
    session = Session(file.array, **{"channel_axis": file.channel_axis, "spacing": file.spacing, **keywords})
    targets = _targets(Path(image), scribbles, output, session.scribbles.ndim)
    if targets[0].exists():
        _continue(session, targets[0])
    written = Files(*targets, file)
    if (viewer or usual_viewer()) == "napari":
        spacing = keywords.get("spacing", file.spacing)
        scale = session.spacing if spacing is None else np.broadcast_to(spacing, len(session.spacing))
        _in_napari(session, written, Path(image).stem, keywords, scale)
    else:
        _on_page(session, written, started)
    result = session.result if session.ready else None
    return result, written.close(session.scribbles, result)


def usual_viewer() -> Viewer:
    """Napari, where it is installed and has a display to open a window on; or else the page."""
    found = find_spec("napari")
    shown = not sys.platform.startswith("linux") or {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"} & {*os.environ}
    return "napari" if found is not None and found.origin is not None and shown else "page"


def _in_napari(session: Session, written: "Files", name: str, keywords: dict[str, Any], scale: Any) -> None:
    """Draw in napari until its window is closed."""
    try:
        from .napari.window import draw_in_window
    except ImportError as error:
        raise MissingExtraError(
            f'drawing in napari needs napari with Qt; got {error}. Install it: pip install "napari[pyqt6]", or the '
            "extra napari; or draw on the page: --viewer page."
        ) from error
    draw_in_window(session, name, keywords, written.changed, {"scale": scale})


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
    """Strokes and mask on disk, where the image of `file` is, written in the background whenever they change."""

    def __init__(self, scribbles: Path, output: Path, file: ImageFile):
        self._scribbles, self._output = scribbles, output
        self._place: dict[str, Any] = {"spacing": file.spacing, "unit": file.unit, "affine": file.affine}
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
                write_labels(self._scribbles, seeds, colours(255), **self._place)
                self._written[self._scribbles] = seeds
            if result is not None and self._written.get(self._output) is not result:
                write_mask(self._output, result.labels, result.label_ids, **self._place)
                self._written[self._output] = result
            self._trouble = None
        except FileFormatError as error:  # said when the page is closed; a later attempt may succeed
            self._trouble = error


def _targets(image: Path, scribbles: str | Path | None, output: str | Path | None, ndim: int) -> tuple[Path, Path]:
    """Where strokes and mask go; a mask that somebody else may have made is not replaced unless it was named."""
    known = next((e for e in _OF_VOLUMES if image.name.lower().endswith(e)), "")
    name = image.name[: -len(known)] if known else image.stem
    ending = ".png" if ndim == 2 else _OF_VOLUMES.get(known, ".npy")
    strokes = Path(scribbles) if scribbles else image.with_name(f"{name}-scribbles{ending}")
    mask = Path(output) if output else image.with_name(f"{name}-mask{ending}")
    check_outputs([(strokes, MASK_ENDINGS), (mask, MASK_ENDINGS)], [image])
    for path in (strokes, mask):
        check_labels(path, ndim, (1, 2))
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
