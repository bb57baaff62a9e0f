"""The set with a rotational symmetry nearest to a target, exactly, about a centre given or searched for (eq. 4):

    min over S with S = S turned by 2 pi / n     sum over S of (1 - 2 target)

Pixels that are turned to the same pixel are all in or all out (`geometry.rotations`). So for a given centre S is what
has more for it than against it, all n parts together: no start, no local minimum. Only the centre is searched for,
unless it is given.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from ..geometry.centre_search import search
from ..geometry.promises import ShapeCertificate, certificate_of
from ..geometry.raster import grid_points
from ..geometry.rotations import MOST, Centre, best_turned, cannot_hold, classes
from ..keywords import known_keywords
from ._classed import ClassedShape, FittedClasses, free_places
from .base import Array

__all__ = ["FittedRotational", "RotationalShape"]

_TRIED = 13
"""Places along each axis of the image that are tried for strokes, if no centre is given, after their middle."""


@dataclass(frozen=True, eq=False)
class FittedRotational(FittedClasses):
    """A set with a rotational symmetry.

    G is the signed distance to the set's outline in pixels, averaged over pixels that are turned to each other. So each
    level set {G <= t} at the pixels has the same symmetry.
    """

    n: int = 2
    """The set is turned to itself by a turn of 1/n."""

    centre: tuple[float, ...] = (0.0, 0.0)
    """Row and column, multiples of one half; zeros for the empty set."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(self.centre))

    @property
    def certificate(self) -> ShapeCertificate:
        """`certify(mask, "rotational", n=n, centre=centre)`."""
        return certificate_of("rotational", self.mask, n=self.n, centre=self.centre)

    def _classes(self) -> Array:
        return classes(self.mask.shape, self.n, _twice(self.centre, self.mask.shape))

    def _again(self, raw: Array) -> Array:
        centre = (np.array(self.centre) + 0.5) * raw.shape / self.mask.shape - 0.5
        return best_turned(np.where(raw, -1.0, 1.0), self.n, _twice(centre, raw.shape))


@known_keywords
class RotationalShape(ClassedShape):
    """The nearest set with a rotational symmetry: exactly the best one about its centre; images only.

    ``"rotational:5"`` is ``RotationalShape(5)``. Promised: of pixels that a turn by multiples of 1/n about the centre
    brings to one pixel of the first sector, rounded, the mask holds all or none. So it is what the pixels see of a set
    in the plane that the turn maps to itself; for n = 2, and for n = 4 about a pixel or a corner of pixels, also pixel
    by pixel. The mask holds all of `inside` and nothing of `outside`, and no such set about this centre is nearer to
    the target. The centre itself is found by search. Nothing is random. What is turned to outside of the image is left
    out. Turns are of pixels as if these were square. Noise is averaged over n parts, not smoothed away, and the set may
    be in pieces.

    Parameters
    ----------
    n : int in [2, 64]
        Turns to a full one: 2 for a playing card, 5 for a starfish.
    centre : (2,) float, optional
        Row and column of the centre; the nearest multiples of one half are taken. None: the best that a search finds.

    Raises
    ------
    InvalidParameterError
        If `n` is out of its range or `centre` not two numbers; in a fit also if it is outside of the image.

    Examples
    --------
    >>> rows, columns = np.mgrid[-20:21, -20:21]
    >>> flower = np.hypot(rows, columns) < 12 + 4 * np.cos(5 * np.arctan2(rows, columns))
    >>> fitted = RotationalShape(5, centre=(20, 20)).fit(flower)
    >>> bool(fitted.certificate), int((fitted.mask != flower).sum()) < 25
    (True, True)
    """

    def __init__(self, n: int = 2, centre: Any = None):
        self.n = checks.whole_number("n", n, least=2, most=MOST)
        self.centre = None if centre is None else _place(centre)

    def check(self, inside: Array, outside: Array) -> list[Centre]:
        """Raise a ScribbleConflictError if no set with such a centre was found that holds `inside`, avoids `outside`.

        Returned are centres that one has, twice their rows and columns, if there are strokes inside.
        """
        if self.centre is not None:
            if any(not 0 <= c <= size - 1 for c, size in zip(self.centre, inside.shape, strict=True)):
                raise InvalidParameterError(
                    f"centre must be within the image of shape {inside.shape}; got {self.centre}: pass row and column"
                )
            places = np.array([self.centre])
        elif inside.any():
            middle = np.argwhere(inside).mean(axis=0)
            places = grid_points((_TRIED, _TRIED)) * (np.array(inside.shape) - 1) / (_TRIED - 1)
            places = places[np.argsort(((places - middle) ** 2).sum(axis=1), kind="stable")]
            places = np.concatenate([middle[None], places])
        else:
            return []
        centres = [_twice(place, inside.shape) for place in places]
        needs = f"an object that is turned to itself by 1/{self.n} of a turn needs a centre"
        return free_places(centres, partial(cannot_hold, inside, outside, self.n), needs, "centre")

    @property
    def _fixed(self) -> bool:
        return self.centre is not None

    def _search(self, cost: Array) -> list[Centre]:
        return search(cost, self.n)

    def _best(self, cost: Array, place: Centre) -> Array:
        return best_turned(cost, self.n, place)

    def _at(self, row: int, column: int) -> Centre:
        return 2 * row, 2 * column

    def _fitted(self, mask: Array, energy: float, place: Centre) -> FittedRotational:
        centre = (place[0] / 2, place[1] / 2) if mask.any() else (0.0, 0.0)
        return FittedRotational(mask, energy, n=self.n, centre=centre)


def _twice(centre: Any, shape: tuple[int, ...]) -> Centre:
    """Twice the nearest place in the image that has halves."""
    row, column = (min(max(round(2 * c), 0), 2 * size - 2) for c, size in zip(centre, shape, strict=True))
    return row, column


def _place(centre: Any) -> tuple[float, float]:
    """Two finite numbers, or an InvalidParameterError."""
    try:
        row, column = map(float, centre)
        if np.isfinite([row, column]).all():
            return row, column
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidParameterError(f"centre must be two numbers, row and column; got {centre!r}: pass e.g. (120.5, 80)")
