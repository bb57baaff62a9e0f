"""Does a mask have the shape that was promised?  Exactly, in integers, with the pixels that say no.

One function a shape, by the shape's name in `certify`. What a shape is about (a centre, a conic) is passed with the
mask: refuted is this centre, not that there is none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError
from ..keywords import check_keywords
from . import hulls
from .certify import as_mask
from .conics import ellipse_pixels, is_ellipse, rectangle_pixels
from .digital_rays import star_violations
from .mirrors import mirror_violations
from .pieces import stray_pixels
from .rotations import MOST, turn_violations
from .wrapping import rolled_pixels, unrolled

Array = np.ndarray


@dataclass(frozen=True)
class ShapeCertificate:
    """Result of `certify`, in Python numbers; true in a condition when the mask has the shape."""

    shape: str
    """Name of the shape."""

    holds: bool
    """Whether the mask has it. False for an empty mask."""

    n_pixels: int
    """Pixels of the mask."""

    pixels: tuple[tuple[int, ...], ...] = ()
    """Indices of the pixels that violate it, in array order: what the mask has too much, or lacks."""

    promise: ClassVar[dict[str, str]] = {
        "convex": "exactly the lattice points of the hull, in one piece",
        "star": "the digital ray from each pixel to the centre is in the mask",
        "connected": "in one piece",
        "ellipse": "exactly the pixels within the ellipse",
        "rectangle": "exactly the pixels within the rectangle",
        "symmetric": "the mirror image of each pixel is in the mask",
        "rotational": "all or none of the pixels that are turned to each other",
        "k_convex": "exactly the pixels of its convex parts",
        "frames": "in each frame convex or connected, as asked for",
        "periodic": "of its shape where the axes that wrap around are cut open",
    }

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        if self.n_pixels == 0:
            return "empty: no pixels, nothing to certify"
        if self.holds:
            return f"{self.shape}: {self.n_pixels} pixels, {self.promise.get(self.shape, 'certified')}"
        return f"not {self.shape}: {self.n_pixels} pixels, of which or beside which {len(self.pixels)} violate it"


def certify(mask: Any, shape: str = "convex", **options: Any) -> ShapeCertificate:
    """Prove or refute, in integers, that a mask has a shape.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) bool, or integers 0 and 1
    shape : {"convex", "star", "connected", "ellipse", "rectangle", "symmetric", "rotational", "k_convex", ...}
        Also "frames" and "periodic". What is to be proven: see the shape of this name in `varconvex.shapes`.
    **options
        What it is about. "star": `centre`, the indices of a pixel. "connected": `holes`, whether it may have some (by
        default), and `inside`, pixels that the piece must hold (bool). "ellipse": `conic`, six integers a, b, c, d, e,
        f of {a y^2 + b y x + c x^2 + d y + e x + f <= 0} in rows y and columns x. "rectangle": `sides`, six integers p,
        q, k, l, m, n of {k <= p y + q x <= l, m <= p x - q y <= n}. "symmetric": `axis`, three integers p, q, o of the
        line {p y + q x = o / 2}. "rotational": `n`, and `centre`, row and column, multiples of one half. "k_convex":
        `parts`, (k, *spatial) bool. "frames": `kind`, "convex" (by default) or "connected", of each (H, W) mask along
        the first axis. "periodic": `cut`, an index along each axis at which it is cut open (0 where it does not wrap
        around), `kind`, the shape that the mask has then ("convex" by default), and what this is about, there. Fitted
        shapes have them as attributes.

    Returns
    -------
    ShapeCertificate
        With the indices of the pixels that violate the promise.

    Raises
    ------
    InvalidImageError
        If `mask` has neither two nor three dimensions, not those of the shape, no pixels, or values other than 0 and 1.
    InvalidParameterError
        If there is no such shape, or an option is missing or of the wrong form.
    UnknownKeywordError
        If the shape has no such option.

    Examples
    --------
    >>> cross = np.zeros((5, 5), bool)
    >>> cross[2], cross[:, 2] = True, True
    >>> bool(certify(cross, "star", centre=(2, 2))), bool(certify(cross, "star", centre=(0, 2)))
    (True, False)
    """
    if not isinstance(shape, str) or shape not in _JUDGES:
        raise InvalidParameterError(
            f"shape must be one of {', '.join(_JUDGES)}; got {shape!r}: only these have a certificate"
        )
    checked = as_mask(mask, (2, 3))
    more = _check_shape(_kind(options), checked) if shape == "periodic" else ()
    check_keywords(f"certify(..., {shape!r})", options, (*_check_shape(shape, checked), *more))
    return certificate_of(shape, checked, **options)


def _kind(options: dict[str, Any]) -> str:
    """The shape that is meant by `kind`."""
    kind: str = checks.one_of(
        "kind", options.get("kind", "convex"), tuple(name for name in _JUDGES if name != "periodic")
    )
    return kind


def _check_shape(shape: str, mask: Array) -> tuple[str, ...]:
    """Names of the shape's options; an InvalidImageError if masks with so many axes cannot have it."""
    if _AXES.get(shape, mask.ndim) != mask.ndim:
        remedy = "stack them" if shape == "frames" else "pass one slice of it"
        raise InvalidImageError(f"{shape} is said of masks with {_AXES[shape]} axes; got shape {mask.shape}: {remedy}")
    return _JUDGES[shape][0]


def certificate_of(shape: str, mask: Array, **options: Any) -> ShapeCertificate:
    """`certify` of a bool array that has been checked."""
    wrong = _JUDGES[shape][1](mask, **options)
    count = int(np.count_nonzero(mask))
    return ShapeCertificate(shape, count > 0 and not len(wrong), count, tuple(map(tuple, wrong.tolist())))


def _integers(name: str, value: Any, count: int, hint: str) -> tuple[int, ...]:
    """`count` integers, or an InvalidParameterError."""
    try:
        found = tuple(int(n) for n in value)
        whole = len(found) == count and all(n == m for n, m in zip(found, value, strict=True))
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise InvalidParameterError(f"{name} must be {count} integers; got {value!r}: {hint}")
    return found


def _convex(mask: Array) -> Array:
    missing = hulls.fill(mask) & ~mask
    return np.argwhere(missing) if missing.any() else stray_pixels(mask, corners=True)


def _star(mask: Array, centre: Any = None) -> Array:
    place = _integers("centre", centre, mask.ndim, "pass the indices of a pixel, one an axis")
    if any(not 0 <= c < n for c, n in zip(place, mask.shape, strict=True)):
        raise InvalidParameterError(
            f"centre must be a pixel of the mask of shape {mask.shape}; got {centre!r}: pass the indices of a pixel"
        )
    return star_violations(mask, place)


def _connected(mask: Array, holes: bool = True, inside: Any = None) -> Array:
    held = None if inside is None else checks.region("inside", inside, mask.shape)
    return stray_pixels(mask, held, holes=checks.boolean("holes", holes))


def _ellipse(mask: Array, conic: Any = None) -> Array:
    numbers = _integers("conic", conic, 6, "pass a, b, c, d, e, f, as a fitted ellipse has them")
    return np.argwhere(mask ^ ellipse_pixels(numbers, mask.shape) if is_ellipse(numbers) else mask)


def _rectangle(mask: Array, sides: Any = None) -> Array:
    numbers = _integers("sides", sides, 6, "pass p, q, k, l, m, n, as a fitted rectangle has them")
    return np.argwhere(mask ^ rectangle_pixels(numbers, mask.shape) if any(numbers[:2]) else mask)


def _symmetric(mask: Array, axis: Any = None) -> Array:
    p, q, o = _integers("axis", axis, 3, "pass p, q, o, as a fitted symmetric set has them")
    return mirror_violations(mask, (p, q, o))


def _rotational(mask: Array, n: Any = None, centre: Any = None) -> Array:
    turns = checks.whole_number("n", n, least=2, most=MOST)
    try:
        doubled = [2 * float(c) for c in centre]
    except (TypeError, ValueError, OverflowError):
        doubled = []
    if len(doubled) != 2 or any(
        not 0 <= c <= 2 * size - 2 or c % 1 for c, size in zip(doubled, mask.shape, strict=True)
    ):
        raise InvalidParameterError(
            f"centre must be row and column of a place in the mask of shape {mask.shape}, multiples of one half; got "
            f"{centre!r}: pass them as a fitted rotational set has them"
        )
    return turn_violations(mask, turns, (int(doubled[0]), int(doubled[1])))


def _k_convex(mask: Array, parts: Any = None) -> Array:
    some = checks.host_array("parts", parts) if parts is not None else np.zeros(0)
    if some.ndim != mask.ndim + 1 or some.shape[1:] != mask.shape:
        raise InvalidParameterError(
            f"parts must be masks of the shape {mask.shape}, one a part; got shape {some.shape}: pass (k, *spatial)"
        )
    pieces = [part != 0 for part in some]
    wrong = mask ^ np.any(pieces, axis=0) if pieces else mask.copy()
    for part in pieces:
        wrong[tuple(_convex(part).T)] = True
    return np.argwhere(wrong)


def _frames(mask: Array, kind: Any = "convex") -> Array:
    checks.one_of("kind", kind, ("convex", "connected"))
    judge = _convex if kind == "convex" else _connected
    wrong = [np.insert(judge(frame), 0, t, axis=1) for t, frame in enumerate(mask) if frame.any()]
    return np.concatenate(wrong or [np.empty((0, 3), np.intp)])


def _periodic(mask: Array, cut: Any = None, **options: Any) -> Array:
    place = _integers("cut", cut, mask.ndim, "pass an index along each axis, 0 where it does not wrap around")
    if any(not 0 <= c < n for c, n in zip(place, mask.shape, strict=True)):
        raise InvalidParameterError(
            f"cut must be an index along each axis of the mask of shape {mask.shape}; got {cut!r}: pass that of a fit"
        )
    judge = _JUDGES[_kind(options)][1]
    options.pop("kind", None)
    return rolled_pixels(judge(unrolled(mask, place), **options), mask.shape, place)


_AXES = {"ellipse": 2, "rectangle": 2, "symmetric": 2, "rotational": 2, "frames": 3}
"""Axes of the masks that can have a shape, where it is not two or three."""

_JUDGES: dict[str, tuple[tuple[str, ...], Callable[..., Array]]] = {
    "convex": ((), _convex),
    "star": (("centre",), _star),
    "connected": (("holes", "inside"), _connected),
    "ellipse": (("conic",), _ellipse),
    "rectangle": (("sides",), _rectangle),
    "symmetric": (("axis",), _symmetric),
    "rotational": (("n", "centre"), _rotational),
    "k_convex": (("parts",), _k_convex),
    "frames": (("kind",), _frames),
    "periodic": (("cut", "kind"), _periodic),
}
