"""Strokes on an image in the order in which they were drawn: a later one covers earlier ones, erasing uncovers them.

A drawing is a tuple of strokes and never changes: an operation gives another tuple, and undo is going back to the
former one. `History` keeps them, each with the answer that it was given.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..errors import InvalidScribblesError, ScribbleConflictError
from ..result import Segmentation
from ..scribbles import WIDTH, brush_stroke, polyline


@dataclass(frozen=True, eq=False)
class Stroke:
    """Pixels ((n,) flat indices, ascending) with one label."""

    label: int
    pixels: np.ndarray


Drawing = tuple[Stroke, ...]


def touched(stroke: Any, shape: tuple[int, ...], width: Any) -> np.ndarray:
    """Flat indices, ascending, of the pixels of a polyline ((n, d) points) or mask, on an image of this shape."""
    if isinstance(stroke, np.ndarray) and stroke.dtype.kind == "b":
        if stroke.shape != shape:
            raise InvalidScribblesError(
                f"a stroke must be a mask of the image's spatial shape {shape}, or points; got a mask of shape "
                f"{stroke.shape}. Crop it alike."
            )
        return np.flatnonzero(stroke)
    line = polyline(stroke)
    if line.shape[1] != len(shape):
        raise InvalidScribblesError(
            f"a stroke's points must have one coordinate for each of the {len(shape)} spatial axes {shape}; got points "
            f"with {line.shape[1]}. Pass {('(row, column)', '(plane, row, column)')[len(shape) - 2]}."
        )
    diameter = WIDTH if width is None else checks.real_number("width", width, strict=True)
    # A wider brush than the image is as good as one of twice its sides, and takes for ever.
    return np.flatnonzero(brush_stroke(line, shape, min(diameter, 2.0 * max(shape))))


def check_free(pixels: np.ndarray, label: int, image: np.ndarray) -> None:
    """A ScribbleConflictError where `pixels` (flat indices) have another label in `image` already."""
    there = image.ravel()[pixels]
    clash = pixels[(there > 0) & (there != label)]
    if clash.size:
        where = np.transpose(np.unravel_index(clash, image.shape))
        raise ScribbleConflictError(
            f"each pixel can be scribbled with one label; got {clash.size} pixels with label {label} on top of "
            f"another, the first at {tuple(int(i) for i in where[0])}. Erase one of the strokes.",
            where,
        )


def painted(drawing: Drawing, shape: tuple[int, ...]) -> np.ndarray:
    """The label image of a drawing: (*shape) int64, 0 where nothing was drawn."""
    image = np.zeros(shape, np.int64)
    for stroke in drawing:
        image.ravel()[stroke.pixels] = stroke.label
    return image


def erased(drawing: Drawing, pixels: np.ndarray, image: np.ndarray) -> Drawing:
    """The drawing without its uppermost label at `pixels` (flat indices), however many strokes of that label lie there.

    `image` is the drawing as `painted`.
    """
    top = image.ravel()
    closed = np.ones(top.size, bool)
    closed[pixels] = False
    left = []
    for stroke in reversed(drawing):
        here = ~closed[stroke.pixels]
        mine = here & (top[stroke.pixels] == stroke.label)
        closed[stroke.pixels[here & ~mine]] = True  # another label comes to light: what is below stays
        if not mine.all():
            left.append(Stroke(stroke.label, stroke.pixels[~mine]) if mine.any() else stroke)
    return tuple(reversed(left))


@dataclass(eq=False)
class State:
    """A drawing and, once it is known, its answer, with the texts of the warnings that came with it."""

    drawing: Drawing
    answer: Segmentation | None = None
    warnings: tuple[str, ...] = ()


class History:
    """Drawings on an image of one shape, one after the other, and the place among them; for one thread at a time.

    `version` changes with each operation; one that changes no pixel is no step of the history.
    """

    def __init__(self, shape: tuple[int, ...], drawing: Drawing = ()) -> None:
        self.shape, self.version = shape, 0
        self._states = [State(drawing[:n]) for n in range(len(drawing) + 1)]
        self._at = len(drawing)
        self._painted: tuple[State | None, np.ndarray, tuple[int, ...]] = None, np.empty(0), ()

    @property
    def state(self) -> State:
        """The present one."""
        return self._states[self._at]

    @property
    def image(self) -> np.ndarray:
        """The present drawing as label image, painted once; not to be changed."""
        if self._painted[0] is not self.state:
            image = painted(self.state.drawing, self.shape)
            found = np.unique(image.ravel()[np.flatnonzero(image)])
            self._painted = self.state, image, tuple(int(label) for label in found)
        return self._painted[1]

    @property
    def labels(self) -> tuple[int, ...]:
        """Labels that have pixels, ascending."""
        self.image  # noqa: B018 - paints
        return self._painted[2]

    def add(self, label: int, pixels: np.ndarray) -> None:
        """Draw on `pixels` (flat indices, ascending)."""
        self._move((*self.state.drawing, Stroke(label, pixels)) if pixels.size else self.state.drawing)

    def erase(self, pixels: np.ndarray) -> None:
        """Erase at `pixels` (flat indices)."""
        pixels = pixels[self.image.ravel()[pixels] > 0]
        self._move(erased(self.state.drawing, pixels, self.image) if pixels.size else self.state.drawing)

    def clear(self) -> None:
        """Go on to no strokes."""
        self._move(())

    def go(self, step: int) -> bool:
        """Go by so many steps, if there are as many; whether there were."""
        self.version += 1
        there = 0 <= self._at + step < len(self._states)
        self._at += step if there else 0
        return there

    def renew(self) -> None:
        """Drop all answers, those that are being computed included."""
        self.version += 1
        self._states = [State(state.drawing) for state in self._states]

    def forget(self, most: int) -> None:
        """Drop answers of the states farthest from the present, where all of them have more than `most` bytes."""
        total = 0
        for i in sorted(range(len(self._states)), key=lambda i: abs(i - self._at)):
            state = self._states[i]
            if state.answer is not None:
                total += _bytes(state.answer)
                if total > most and state is not self.state:
                    state.answer, state.warnings = None, ()

    def _move(self, drawing: Drawing) -> None:
        self.version += 1
        if drawing != self.state.drawing:
            self._states[self._at + 1 :] = [State(drawing)]
            self._at += 1


def _bytes(answer: Segmentation) -> int:
    """Bytes of an answer's own arrays."""
    arrays = (answer.labels, answer.probability, answer.unconstrained, answer.costs, answer.seeds)
    return sum(array.nbytes for array in arrays)
