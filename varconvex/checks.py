"""Checks of single arguments, shared by all public functions.

Each returns the value in one form, or raises an error with what was expected, what was passed and how to correct it.
"""

import os
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, get_args

import numpy as np

from .errors import AxesWarning, FileFormatError, InvalidImageError, InvalidParameterError, UnsupportedTypeError
from .foreign import how_to_read, is_path, kind_of, on_host

LARGEST = 1e30
"""Largest size of a number that enters an energy: sums over an image, and their squares, have to stay finite."""


def real_number(name: str, value: Any, *, least: float = 0.0, strict: bool = False, most: float = LARGEST) -> float:
    """A finite real number, at least (or, if `strict`, more than) `least`, and at most `most`."""
    bound = f"{'more than' if strict else 'at least'} {least:g}"
    number = _real(value)
    if number is None:
        shape = f" of shape {np.shape(value)}" if isinstance(value, np.ndarray) else f" {value!r:.80}"
        raise InvalidParameterError(
            f"{name} must be a number, {bound}; got {type(value).__name__}{shape}. Pass a single number."
        )
    if not np.isfinite(number) or number < least or (strict and number == least):
        raise InvalidParameterError(f"{name} must be a finite number, {bound}; got {value!r:.80}. Pass such a number.")
    if number > most:
        raise InvalidParameterError(f"{name} must be at most {most:g}; got {value!r:.80}. Pass such a number.")
    return number


def _real(value: Any) -> float | None:
    """A single real number as float; None if it is none: a text, bytes, complex, masked, a date, several numbers."""
    if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
        return None  # `float` would read texts and bytes
    if getattr(getattr(value, "dtype", None), "kind", "f") not in "biuf" or n_axes(value):
        return None
    if np.ma.is_masked(value):
        return None
    try:
        return float(value)
    except Exception:  # whatever an object of another library raises that is no number
        return None


def positive(name: str, value: Any, *, widest: float = 1e12) -> float:
    """A width, more than 0, whose square and inverse float32 can hold: at most `widest`, at least its inverse."""
    return real_number(name, real_number(name, value, strict=True), least=1 / widest, most=widest)


def whole_number(name: str, value: Any, *, least: int = 0, most: float = np.inf) -> int:
    """An integer, at least `least` and at most `most`."""
    number = real_number(name, value, least=least, most=most)
    if number != int(number):
        raise InvalidParameterError(f"{name} must be a whole number, at least {least}; got {value!r:.80}. Round it.")
    return int(value if isinstance(value, int | np.integer) else number)  # a float has 53 bits only


def one_of(name: str, value: Any, allowed: Any) -> Any:
    """One of the values that are allowed: a tuple of them, or a `typing.Literal`."""
    allowed = get_args(allowed) or allowed
    if not isinstance(value, str | None) or value not in allowed:
        known = ", ".join(repr(a) for a in allowed)
        raise InvalidParameterError(f"{name} must be one of {known}; got {value!r:.80}. Choose one of them.")
    return value


def n_axes(value: Any) -> int:
    """Number of axes of an array or of nested sequences; 0 of a single thing, and of what is ragged."""
    try:
        return int(np.ndim(value))
    except ValueError:
        return 0


def several(value: Any) -> bool:
    """Whether a value is a sequence or an array with axes, rather than a single thing."""
    return isinstance(value, Sequence) or getattr(value, "ndim", 0) > 0


def spacing(value: Any, ndim: int) -> tuple[float, ...]:
    """Distance between neighbouring pixels along each of `ndim` axes; None is 1 everywhere, a number holds for all."""
    if value is None:
        return (1.0,) * ndim
    if not several(value):
        value = (value,) * ndim
    if len(value) != ndim:
        raise InvalidParameterError(
            f"spacing must hold one positive number for each of the {ndim} axes; got {value!r:.80}. "
            f"Pass e.g. {(1.0,) * ndim}."
        )
    steps = tuple(real_number("spacing", step, strict=True, most=np.inf) for step in value)
    if max(steps) / 1e6 > min(steps):
        raise InvalidParameterError(
            f"spacing may differ by a factor of 1e6 between axes; got {steps}. Resample the image, or take a slice."
        )
    return steps


def unit_spacing(value: Any, ndim: int) -> tuple[float, ...]:
    """`spacing` in units in which a pixel has volume 1: only the ratios of what was passed matter."""
    steps = spacing(value, ndim)
    if len(set(steps)) == 1:
        return (1.0,) * ndim
    unit = float(np.exp(np.mean(np.log(steps))))
    return tuple(step / unit for step in steps)


def boolean(name: str, value: Any) -> bool:
    """True or False, or 1 or 0."""
    if not isinstance(value, bool | np.bool_ | int) or value not in (0, 1):
        raise InvalidParameterError(f"{name} must be True or False; got {value!r:.80}. Pass one of them.")
    return bool(value)


def function(name: str, value: Any) -> None:
    """A callable or None."""
    if value is not None and not callable(value):
        raise InvalidParameterError(f"{name} must be None or a function; got {value!r:.80}. Pass a function.")


def mapping(name: str, value: Any) -> dict[str, Any]:
    """A dict of values by name; None is an empty one."""
    if value is not None and not isinstance(value, Mapping):
        raise InvalidParameterError(f"{name} must be None or a dict; got {value!r:.80}. Pass e.g. {{}}.")
    return dict(value or {})


def listed(name: str, value: Any, example: str) -> Any:
    """A list, a tuple or an array of several things, and no text."""
    if not several(value) or isinstance(value, str | bytes):
        raise InvalidParameterError(f"{name} must be a list; got {value!r:.80}. Pass e.g. {example}.")
    return value


def label_ids(name: str, value: Any) -> tuple[int, ...]:
    """Ids of labels as a tuple of integers."""
    if n_axes(value) != 1:
        raise InvalidParameterError(f"{name} must be a sequence of labels; got {value!r:.80}. Pass e.g. (1, 2).")
    return tuple(whole_number(name, label) for label in value)


def path(name: str, value: Any) -> str:
    """The path of a file or folder as text."""
    if not is_path(value):
        raise UnsupportedTypeError(
            f"{name} must be a path, a text or a pathlib.Path; got {type(value).__name__}. Pass where the file is."
        )
    text = os.fsdecode(value)
    with suppress(UnicodeEncodeError):  # a half of a pair of surrogates
        if b"\0" not in os.fsencode(text):
            return text
    raise FileFormatError(
        f"{name} must be a name for files, without null characters; got {text!r:.80}. Choose another."
    )


def generator(value: Any) -> np.random.Generator:
    """A random generator from a seed or generator; None is the seed 0, so that results are repeatable by default."""
    if isinstance(value, np.random.Generator):
        return value
    return np.random.default_rng(whole_number("random_state", 0 if value is None else value))


_heard = threading.local()


@contextmanager
def heard_warnings() -> Iterator[list[str]]:
    """A list to which the texts of this thread's warnings of `warn_caller` are added within it.

    `warnings.catch_warnings` would take those of all threads.
    """
    texts: list[str] = []
    outer = getattr(_heard, "texts", None)
    _heard.texts = texts
    try:
        yield texts
    finally:
        _heard.texts = outer
        if outer is not None:
            outer += texts


def warn_caller(message: str, category: type[Warning]) -> None:
    """Issue a warning that is attributed to the caller's first line outside of this package."""
    package = os.path.dirname(__file__)
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(package):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    if (texts := getattr(_heard, "texts", None)) is not None:
        texts.append(message)
    warnings.warn(message, category, stacklevel=level)


def as_numeric(name: str, value: Any) -> Any:
    """An array of bools, integers or floats on the device that holds it, not copied if it is one already."""
    if type(value).__module__.partition(".")[0] == "cupy":
        array = value
    elif isinstance(value, np.ma.MaskedArray):
        if np.ma.getmaskarray(value).any():
            raise UnsupportedTypeError(
                f"{name} must be a plain array; got a masked array with {int(np.ma.getmaskarray(value).sum())} masked "
                f"entries. Pass {name}.filled(...), or mark pixels to leave out with `mask=`."
            )
        array = value.data
    else:
        try:
            array = np.asarray(on_host(value))
        except Exception as error:
            raise UnsupportedTypeError(
                f"{name} must be an array of numbers; got {type(value).__name__}, which NumPy cannot read ({error}). "
                f"{how_to_read(value) or 'Pass a NumPy array.'}"
            ) from error
        if array.dtype.kind not in "biuf" and (remedy := how_to_read(value)):
            what = f"the path {path('', value)!r:.80}" if is_path(value) else kind_of(value)
            raise UnsupportedTypeError(f"{name} must be an array of numbers; got {what}. {remedy}")
        if getattr(value, "mode", None) == "P" and name == "image":
            raise UnsupportedTypeError(
                "image must hold intensities; got a picture with a palette, whose pixels are indices of colours. "
                "Pass image.convert('RGB')."
            )
    if array.dtype == np.longdouble and array.dtype.itemsize > 8:
        with np.errstate(over="ignore", under="ignore"):
            array = array.astype(np.float64)  # what does not fit becomes infinite, and is refused as such
    if array.dtype.kind not in "biuf":
        raise UnsupportedTypeError(
            f"{name} must hold bools, integers or floats; got dtype {array.dtype}. Convert it to one of them first."
        )
    return array


def spatial(name: str, array: Any, allowed: tuple[int, ...] = (2, 3), channels: bool = True) -> None:
    """An array has one of the `allowed` numbers of axes, its channels included, and no axis of length 0."""
    if array.ndim not in allowed:
        known = " or ".join(f"{n}-D" for n in allowed)
        remedy = "Reshape it."
        if not channels and array.ndim == 4 and (axis := _short_axis(array.shape)) is not None:
            remedy = f"Pass channel_axis={axis} if its {_ENDS[axis]} axis holds channels."
        raise InvalidImageError(f"{name} must be {known}; got shape {array.shape} ({array.ndim}-D). {remedy}")
    if 0 in array.shape:
        raise InvalidImageError(
            f"{name} must have pixels; got shape {array.shape}, an axis of length 0. Check the crop."
        )


_ENDS = {-1: "last", 0: "first"}
_SHORT = 8
"""Pixels along an axis up to which an array is taken as a small volume without a word."""


def _short_axis(shape: tuple[int, ...]) -> int | None:
    """The last axis, or the first, if it may hold colours: three or four, where all others are long."""
    for axis, others in ((-1, shape[:-1]), (0, shape[1:])):
        if shape[axis] in (3, 4) and min(others) > _SHORT:
            return axis
    return None


def taken_as_volume(name: str, shape: tuple[int, ...], *, mask: bool = False, scribbled: bool = False) -> None:
    """A warning where an array of three axes is taken as a volume although one of them looks like colours.

    What it advises depends on whether the array is a `mask`, which has no channels, or an image whose scribbles say
    which axes are spatial (`scribbled`).
    """
    axis = _short_axis(shape) if len(shape) == 3 else None
    if axis is None or (mask and not axis):  # nobody's mask has colours first
        return
    remedy = f"pass channel_axis={axis}"
    if mask:
        remedy = f"pass one of them, {name}[..., 0],"
    elif scribbled:
        remedy = f"scribble on {shape[:-1] if axis else shape[1:]} and pass channel_axis={axis}"
    warn_caller(
        f"{name} of shape {shape} is taken as a volume; {remedy} if its {_ENDS[axis]} axis holds colours.", AxesWarning
    )


def finite(name: str, array: Any, remedy: str) -> None:
    """An array holds no NaN and no infinity; the message counts them and gives the first one's index."""
    if array.dtype.kind != "f" or not array.size:
        return
    with np.errstate(invalid="ignore"):
        if np.isfinite(float(array.min())) and np.isfinite(float(array.max())):  # a NaN anywhere would be both
            return
    bad = ~np.isfinite(array)  # of a CuPy array that is one, too
    count = int(bad.sum())
    if count:
        first = tuple(int(i) for i in np.argwhere(np.asarray(getattr(bad, "get", lambda: bad)()))[0])
        raise InvalidImageError(
            f"{name} must be finite everywhere; got {count} NaN or infinite value{'s' * (count > 1)}, the first at "
            f"index {first}. {remedy}"
        )


def host(array: Any) -> np.ndarray:
    """A NumPy array in the host's byte order, copied from the device if it is a CuPy array."""
    array = array.get() if hasattr(array, "get") and not isinstance(array, np.ndarray) else np.asarray(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def host_array(name: str, value: Any) -> np.ndarray:
    """A NumPy array of numbers of something that holds one, see `as_numeric` and `host`."""
    return host(as_numeric(name, value))


def region(name: str, mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A mask (bool, or zeros and ones) as bool array of this `shape`, or an InvalidImageError."""
    mask = host_array(name, mask)
    if mask.shape != shape:
        raise InvalidImageError(f"{name} must have the spatial shape {shape}; got {mask.shape}. Crop it alike.")
    if mask.dtype.kind != "b" and not np.isin(mask, (0, 1)).all():
        raise InvalidImageError(
            f"{name} must be boolean; got dtype {mask.dtype} with other values than 0 and 1. Compare it."
        )
    return mask.astype(bool)


def weight(value: Any, shape: tuple[int, ...]) -> Any:
    """A factor on the boundary's cost at each pixel: an array of this spatial `shape`, finite and non-negative."""
    array = as_numeric("weight", value)
    finite("weight", array, "Replace them by 0 where the boundary costs nothing.")
    if array.shape != shape or bool((array < 0).any()):
        raise InvalidImageError(
            f"weight must be non-negative with the spatial shape {shape}; got shape {array.shape}, least value "
            f"{float(array.min()) if array.size else 0:g}. Pass one number per pixel."
        )
    return array


def axis(value: Any, ndim: int) -> int:
    """An axis of an array of `ndim` axes as a non-negative number."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not -ndim <= value < ndim:
        raise InvalidParameterError(
            f"channel_axis must be None or an axis of the image, from {-ndim} to {ndim - 1}; got {value!r:.80}. Use -1 "
            "for (H, W, C)."
        )
    return int(value) % ndim
