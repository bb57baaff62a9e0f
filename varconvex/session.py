"""`Session`: strokes in, answers out, undo; what interactive tools stand on.

A drawing's answer is that of `segment` for the same image, strokes and keywords, but for the pixels that stand for long
strokes (`sessions.kernel_sums`). It is computed when asked for and remembered with the drawing, so that undo finds it.
One lock guards all of it, never held during a solve: strokes may come at any time, and make a solve stale, which stops.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from . import checks
from .errors import InvalidImageError, VarconvexError
from .keywords import check_keywords
from .predictors.appearance.taught import TaughtLikelihood
from .result import Segmentation
from .scribbles import label_of
from .sessions import archive
from .sessions.latest import Latest
from .sessions.solver import KEYWORDS, Solver
from .sessions.strokes import History, State, check_free, touched


class Session:
    """An image on which strokes are drawn and erased, with the segmentation that they give.

    All methods may be called from any thread. While one of them waits for `result`, others may draw: the solve for the
    former strokes stops, and that of the newest ones is waited for.

    Parameters
    ----------
    image : (*spatial) or (*spatial, C) array
        As in `segment`. A last axis of at most four is taken as channels, unless `channel_axis` is passed: a number for
        the axis that has them, None if no axis has. It is copied.
    shape : {"convex", "star", ...}, Shape, mapping of label to one of them or None, or None
        As in `segment`; labels of a mapping that have no stroke yet are left out.
    **keywords
        Those of `segment` except scribbles. A solve that `callback` stops leaves what was found until then.

    Raises
    ------
    InvalidImageError, InvalidParameterError, UnsupportedTypeError, UnknownKeywordError, BackendUnavailableError
        If something passed is not what it has to be.

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import Session
    >>> image = (np.hypot(*np.mgrid[-30:31, -30:31]) < 15).astype(float)
    >>> session = Session(image)
    >>> session.add([(28, 28), (32, 32)], "object")
    >>> session.add([(2, 2), (2, 58)], "background")
    >>> int(session.result.mask.sum()) == int(image.sum())
    True
    >>> session.undo(), session.ready
    (True, False)
    """

    def __init__(self, image: Any, shape: Any = None, **keywords: Any) -> None:
        check_keywords("Session", keywords, KEYWORDS)
        given = {"shape": shape, **keywords}
        self._keywords = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in given.items()}
        self._strict = checks.boolean("strict", self._keywords.get("strict", False))
        self._solver = Solver.of(image, self._keywords)
        self._image = np.array(checks.host_array("image", image))
        self._latest = Latest(History(self._solver.scene.seeds.shape))

    def add(self, stroke: Any, label: int | str, *, width: float | None = None) -> None:
        """Draw a stroke. It covers earlier ones.

        Parameters
        ----------
        stroke : (n, d) array, or (*spatial) bool array
            Points (row, column) of a polyline in pixels, (plane, row, column) in a volume; or a mask. What is not on
            the image, or outside of `mask`, is left out.
        label : int, at least 1, or {"background", "object"}
            1 is the background, 2 the object.
        width : float, optional
            Diameter of the brush in pixels, 3 by default; of a polyline only.

        Raises
        ------
        InvalidScribblesError
            If the stroke is neither, or the label is none.
        InvalidParameterError
            If `width` is not a positive number.
        ScribbleConflictError
            With ``strict=True``, if the stroke lies on one with another label.
        """
        number = label_of(label)
        pixels = self._pixels(stroke, width)
        with self._latest.changed:
            if self._strict:
                check_free(pixels, number, self._latest.history.image)
            self._latest.history.add(number, pixels)
            self._latest.changed.notify_all()

    def erase(self, stroke: Any, *, width: float | None = None) -> None:
        """Take the labels away from the pixels of a stroke; a label that they had covered there comes to light.

        Parameters and errors are those of `add`.
        """
        pixels = self._pixels(stroke, width)
        with self._latest.changed:
            self._latest.history.erase(pixels)
            self._latest.changed.notify_all()

    def clear(self) -> None:
        """Take all strokes away."""
        with self._latest.changed:
            self._latest.history.clear()
            self._latest.changed.notify_all()

    def undo(self) -> bool:
        """Go back by one `add`, `erase` or `clear` that changed something; whether there was one."""
        return self._go(-1)

    def redo(self) -> bool:
        """Take one `undo` back; whether there was one, and nothing was drawn since."""
        return self._go(1)

    @property
    def image(self) -> np.ndarray:
        """The image as it was given, channels last: (*spatial) or (*spatial, C), read-only."""
        axis = self._keywords.get("channel_axis", -1)
        last = self._image.shape == self._solver.scene.seeds.shape or axis is None
        image = self._image.view() if last else np.moveaxis(self._image, axis, -1)
        image.flags.writeable = False
        return image

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring pixels along each axis, in units in which a pixel has volume 1."""
        return self._solver.scene.spacing

    @property
    def shape(self) -> Any:
        """The shape as it was given. Setting it keeps strokes and history, and is no step of it."""
        return self._keywords["shape"]

    @shape.setter
    def shape(self, value: Any) -> None:
        self._renew("shape", value)

    @property
    def certainty(self) -> bool:
        """Whether results have a certainty. Setting it keeps strokes and history, and is no step of it."""
        return bool(self._keywords.get("certainty"))

    @certainty.setter
    def certainty(self, value: bool) -> None:
        self._renew("certainty", checks.boolean("certainty", value))

    @property
    def scribbles(self) -> np.ndarray:
        """The strokes as a label image: (*spatial) int64, 0 where there is none."""
        with self._latest.changed:
            return self._latest.history.image.copy()

    @property
    def labels(self) -> tuple[int, ...]:
        """Labels that have pixels, ascending."""
        with self._latest.changed:
            return self._latest.history.labels

    @property
    def ready(self) -> bool:
        """Whether there are strokes of two labels, of which one is the background's where an object has a shape."""
        with self._latest.changed:
            return self._solver.suffices(self._latest.history)

    @property
    def version(self) -> int:
        """A number that each `add`, `erase`, `clear`, `undo`, `redo` and a new `shape` or `certainty` changes."""
        with self._latest.changed:
            return self._latest.history.version

    @property
    def result(self) -> Segmentation | None:
        """The segmentation for the strokes as they are; None if they do not suffice, or `cancel` came in between.

        It is solved in this thread if it is not known yet. Strokes that come meanwhile are part of it.

        Raises
        ------
        InvalidScribblesError, ScribbleConflictError, InvalidParameterError
            If `segment` refuses these strokes with these settings.
        """
        return self._latest.answer(self._plan, self._latest.cancels)

    @property
    def known(self) -> Segmentation | None:
        """The result for the strokes as they are, if it is known already."""
        with self._latest.changed:
            return self._latest.history.state.answer

    @property
    def warnings(self) -> tuple[str, ...]:
        """Texts of the warnings that came with the result for the strokes as they are, if it is known already."""
        with self._latest.changed:
            return self._latest.history.state.warnings

    def preview(self, callback: Callable[[Segmentation, int], object] | None = None) -> Segmentation | None:
        """A segmentation for the strokes as they are, on a coarse grid if the result is not known yet.

        Parameters
        ----------
        callback : callable, optional
            ``callback(segmentation, version)`` gets the result, in a thread of its own, unless other strokes or
            `cancel` come first. Where `result` would raise an error it is not called.

        Returns
        -------
        Segmentation or None
            On the grid of the image; its energies and `history` are those of the coarse grid, it has no certificates,
            and shapes are projections (``unify="sequential"``). The result itself if that is known, or found as soon.
            None if the strokes do not suffice, or `cancel` came in between.

        Raises
        ------
        InvalidScribblesError, ScribbleConflictError, InvalidParameterError
            As `result`.
        """
        checks.function("callback", callback)
        cancels = self._latest.cancels
        state, found = self._latest.first_answer(self._plan, self._coarse_plan, cancels)
        if found is not None and callback is not None:
            threading.Thread(target=self._refine, args=(state, cancels, callback), daemon=True).start()
        return found

    def cancel(self) -> None:
        """Stop what is being solved: it is solved again when it is asked for again."""
        self._latest.cancel()

    def save(self, path: str | os.PathLike, *, image: bool = False) -> None:
        """Write strokes and settings, without `callback`, to a NumPy archive (.npz) without pickles.

        Parameters
        ----------
        path : str or path
            The file appears whole or not at all.
        image : bool
            Write the image, too.

        Raises
        ------
        FileFormatError
            If the file cannot be written.
        UnsupportedTypeError
            If a keyword has no form there: a generator, or a part of another distribution.
        """
        image = checks.boolean("image", image)
        with self._latest.changed:
            drawing = self._latest.history.state.drawing
        archive.save(path, self._keywords, drawing, self._image if image else None, self._solver.scene.seeds.shape)

    @classmethod
    def load(cls, path: str | os.PathLike, image: Any = None) -> "Session":
        """Read a session that `save` wrote; nothing in the file is executed. `undo` takes its strokes away one by one.

        Parameters
        ----------
        path : str or path
        image : array, optional
            As in `Session`; by default that of the file.

        Raises
        ------
        FileFormatError
            If the file is missing, truncated, damaged, of another kind, or of a later format.
        InvalidImageError
            If there is no image in the file and none is passed, or it has another size than the strokes' image.
        """
        image, keywords, drawing, shape = archive.load(path, image)
        session = cls(image, **keywords)
        if session._solver.scene.seeds.shape != shape:
            raise InvalidImageError(
                f"the image must have the spatial shape {shape} of the saved strokes; got "
                f"{session._solver.scene.seeds.shape}. Pass the image that they were drawn on."
            )
        session._latest = Latest(History(shape, drawing))
        return session

    def transfer(self, image: Any) -> "Session":
        """A session for another image that knows the colours of these strokes' labels, so that it needs no stroke.

        Colours are compared with each image's own range. Strokes add to them and hold; where they are is no evidence.
        An object with a shape is projected until there are strokes of all labels (`unify`). `mask`, `predictor`,
        `features` and an array as `edge_weight` are not passed on.

        Parameters
        ----------
        image : (*spatial) or (*spatial, C) array
            With as many channels.

        Returns
        -------
        Session

        Raises
        ------
        InvalidScribblesError
            If there are no strokes of two labels.
        InvalidImageError, UnsupportedTypeError
            If the image cannot be used.
        """
        with self._latest.changed:
            taught = TaughtLikelihood.of(self._solver.scribbled(self._latest.history), self._solver.taught)
        theirs = {"mask", "predictor", "likelihood", "features"}
        theirs |= set() if isinstance(self._keywords.get("edge_weight"), str | None) else {"edge_weight"}
        session = Session(image, **{k: v for k, v in self._keywords.items() if k not in theirs}, likelihood=taught)
        taught.check(session._solver.scene)
        return session

    def _plan(self, history: History) -> Callable[[], Segmentation] | None:
        return self._solver.plan(history)  # of the solver as it is then: `shape` may have changed

    def _coarse_plan(self, history: History) -> Callable[[], Segmentation] | None:
        return self._solver.coarse_plan(history)

    def _pixels(self, stroke: Any, width: Any) -> np.ndarray:
        """Flat indices of the pixels of a stroke that are not outside."""
        pixels = touched(stroke, self._solver.scene.seeds.shape, width)
        return pixels[self._solver.scene.seeds.ravel()[pixels] >= 0]

    def _renew(self, name: str, value: Any) -> None:
        """Give a keyword another value."""
        settings = replace(self._solver.settings, **{name: value})  # an error, before anything is changed
        solver = Solver(self._solver.scene, settings)
        with self._latest.changed:
            self._keywords[name] = value
            self._solver = solver
            self._latest.history.renew()
            self._latest.changed.notify_all()

    def _go(self, step: int) -> bool:
        """Go to another state of the history, if there is one."""
        with self._latest.changed:
            self._latest.changed.notify_all()
            return self._latest.history.go(step)

    def _refine(self, state: State, cancels: int, callback: Callable[[Segmentation, int], object]) -> None:
        """Call back with the result, in a thread of its own."""
        with suppress(VarconvexError):  # `result` raises it
            self._latest.call_back(self._plan, state, cancels, callback)
