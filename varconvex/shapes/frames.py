"""In each frame of a volume, an index along its first axis, a convex set or one piece, near to a target (eq. 4):

    min over S      sum over S of (1 - 2 target)      subject to   S_t convex (or connected) for each t

Frames are images of a film, or slices of a stack. They are fitted one by one, so that the sum is as small as that of
the frames' own fits; what joins them is the target.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.random import Generator

from .. import checks
from ..errors import ScribbleConflictError
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import grid_points
from ..keywords import known_keywords
from ..threads import run
from .base import Array, Callback, Shape
from .connected import ConnectedShape, FittedConnected
from .convex import ConvexShape
from .icnn import exact_network
from .pixel_set import FittedPixels

__all__ = ["FittedFrames", "FramesShape"]

Kind = Literal["convex", "connected"]
"""What each frame of a set is."""


@dataclass(frozen=True, eq=False)
class FittedFrames(FittedPixels):
    """A set that is convex, or in one piece, in each frame; frames may be empty.

    In each frame G is that of the frame's own set, the closed form of the convex network or as of `FittedConnected`.
    Where a frame is empty it is the sum of the volume's sides.
    """

    kind: Kind = "convex"
    """What each frame is."""

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "frames", kind=kind)`."""
        return certificate_of("frames", self.mask, kind=self.kind)

    @cached_property
    def levels(self) -> Array:
        """G at the pixels: (D, H, W) float64."""
        found = np.full(self.mask.shape, float(sum(self.mask.shape)))
        points = grid_points(self.mask.shape[1:])
        for level, mask in zip(found, self.mask, strict=True):
            if mask.any() and self.kind == "convex":
                level[...] = exact_network(mask)(points).reshape(mask.shape)
            elif mask.any():
                level[...] = FittedConnected(mask, 0.0).levels
        return found

    def _again(self, raw: Array) -> Array:
        return FramesShape(self.kind).fit(raw).mask


@known_keywords
class FramesShape(Shape[FittedFrames]):
    """A set that is convex in each frame, or in one piece there; in volumes, whose first axis is time or depth.

    Promised: each frame is digitally convex, or 4-connected, or empty; the mask holds all of `inside` and nothing of
    `outside`. Not promised: that the object is in one piece from frame to frame. Nothing is random.

    Parameters
    ----------
    kind : {"convex", "connected"}
        What each frame is.

    Raises
    ------
    InvalidParameterError
        If `kind` is neither.

    Examples
    --------
    >>> frames = np.zeros((3, 20, 20))
    >>> for t, frame in enumerate(frames):
    ...     frame[4 + t : 12 + t, 3 : 9 + 4 * t] = 1
    >>> frames[1, 7:9, 6:8] = 0  # a hole
    >>> fitted = FramesShape().fit(frames)
    >>> bool(fitted.certificate), int(fitted.mask.sum() - frames.sum())
    (True, 4)
    """

    dimensions: ClassVar[tuple[int, ...]] = (3,)

    def __init__(self, kind: Kind = "convex"):
        self.kind = checks.one_of("kind", kind, Kind)
        self._each: Any = ConvexShape(steps=(0,)) if kind == "convex" else ConnectedShape()

    def check(self, inside: Array, outside: Array) -> None:
        """Raise a ScribbleConflictError if in some frame no set of its kind holds `inside` and avoids `outside`."""
        for t, held in enumerate(zip(inside, outside, strict=True)):
            if held[0].any():
                try:
                    self._each.check(*held)
                except ScribbleConflictError as error:
                    pixels = np.insert(np.reshape(error.pixels, (-1, 2)).astype(int), 0, t, axis=1)
                    raise ScribbleConflictError(f"frame {t}: {error}", pixels) from error

    def _fit(
        self, target: Array, inside: Array, outside: Array, spacing: Array, rng: Generator, callback: Callback
    ) -> FittedFrames:
        self.check(inside, outside)

        def fitted(frame: Array, held: Array, avoid: Array) -> tuple[Array, float]:
            found = self._each.fit(frame, inside=held, outside=avoid, spacing=tuple(spacing[1:]))
            return found.mask, found.energy

        done = run(fitted, list(zip(target, inside, outside, strict=True)))
        mask = np.stack([found for found, _ in done])
        if callback is not None:
            callback(mask.copy())
        return FittedFrames(mask, float(sum(energy for _, energy in done)), kind=self.kind)
