"""Checks of single arguments, shared by all public functions.

Each returns the value in one form, or raises an error with what was expected, what was passed and how to correct it.
"""

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import numpy as np

from .errors import InvalidImageError, InvalidParameterError, UnsupportedTypeError


def real_number(name: str, value: Any, *, least: float = 0.0, strict: bool = False) -> float:
    """A finite real number, at least (or, if `strict`, more than) `least`."""
    bound = f"{'more than' if strict else 'at least'} {least:g}"
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        shape = f" of shape {np.shape(value)}" if isinstance(value, np.ndarray) else f" {value!r}"
        raise InvalidParameterError(
            f"{name} must be a number, {bound}; got {type(value).__name__}{shape}. Pass a single number."
        ) from None
    if isinstance(value, str | bytes) or not np.isfinite(number) or number < least or (strict and number == least):
        raise InvalidParameterError(f"{name} must be a finite number, {bound}; got {value!r}. Pass such a number.")
    return number


def whole_number(name: str, value: Any, *, least: int = 0) -> int:
    """An integer, at least `least`."""
    number = real_number(name, value, least=least)
    if number != int(number):
        raise InvalidParameterError(f"{name} must be a whole number, at least {least}; got {value!r}. Round it.")
    return int(number)


def one_of(name: str, value: Any, allowed: Any) -> Any:
    """One of the values that are allowed: a tuple of them, or a `typing.Literal`."""
    allowed = get_args(allowed) or allowed
    if not isinstance(value, str | None) or value not in allowed:
        known = ", ".join(repr(a) for a in allowed)
        raise InvalidParameterError(f"{name} must be one of {known}; got {value!r}. Choose one of them.")
    return value


def spacing(value: Any, ndim: int) -> tuple[float, ...]:
    """Distance between neighbouring pixels along each of `ndim` axes; None is 1 everywhere, a number holds for all."""
    if value is None:
        return (1.0,) * ndim
    if np.ndim(value) == 0:
        value = (value,) * ndim
    if np.ndim(value) != 1 or len(value) != ndim:
        raise InvalidParameterError(
            f"spacing must hold one positive number for each of the {ndim} axes; got {value!r}. "
            f"Pass e.g. {(1.0,) * ndim}."
        )
    steps = tuple(real_number("spacing", step, strict=True) for step in value)
    if max(steps) > 1e6 * min(steps):
        raise InvalidParameterError(
            f"spacing may differ by a factor of 1e6 between axes; got {steps}. Resample the image, or take a slice."
        )
    return steps


def function(name: str, value: Any) -> None:
    """A callable or None."""
    if value is not None and not callable(value):
        raise InvalidParameterError(f"{name} must be None or a function; got {value!r}. Pass a function.")


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
            array = np.asarray(value)
        except Exception as error:
            raise UnsupportedTypeError(
                f"{name} must be an array of numbers; got {type(value).__name__}, which NumPy cannot read ({error}). "
                "Pass a NumPy array."
            ) from error
    if array.dtype == np.longdouble and array.dtype.itemsize > 8:
        with np.errstate(over="ignore", under="ignore"):
            array = array.astype(np.float64)  # what does not fit becomes infinite, and is refused as such
    if array.dtype.kind not in "biuf":
        raise UnsupportedTypeError(
            f"{name} must hold bools, integers or floats; got dtype {array.dtype}. Convert it to one of them first."
        )
    return array


def spatial(name: str, array: Any, allowed: tuple[int, ...] = (2, 3)) -> None:
    """An array has one of the `allowed` numbers of axes and no axis of length 0."""
    if array.ndim not in allowed:
        known = " or ".join(f"{n}-D" for n in allowed)
        raise InvalidImageError(f"{name} must be {known}; got shape {array.shape} ({array.ndim}-D). Reshape it.")
    if 0 in array.shape:
        raise InvalidImageError(
            f"{name} must have pixels; got shape {array.shape}, an axis of length 0. Check the crop."
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


def axis(value: Any, ndim: int) -> int:
    """An axis of an array of `ndim` axes as a non-negative number."""
    if not isinstance(value, int | np.integer) or not -ndim <= value < ndim:
        raise InvalidParameterError(
            f"channel_axis must be None or an axis of the image, from {-ndim} to {ndim - 1}; got {value!r}. Use -1 for "
            "(H, W, C)."
        )
    return int(value) % ndim
