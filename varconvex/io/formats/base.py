"""What a format tells of a file before it reads the numbers, and what it is asked for."""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ... import checks
from ...errors import FileFormatError, MissingExtraError, VarconvexError

MICRON, MILLIMETRE = "µm", "mm"

_UNITS = {
    MICRON: {"µm", "μm", "um", "micron", "microns", "micrometer", "micrometre", "\\u00b5m", "\\xb5m"},
    MILLIMETRE: {"mm", "millimeter", "millimetre"},
    "nm": {"nm", "nanometer", "nanometre"},
    "cm": {"cm", "centimeter", "centimetre"},
    "m": {"m", "meter", "metre"},
    "inch": {"inch", "in", '"'},
    "pm": {"pm", "picometer", "picometre"},
    "Å": {"å", "angstrom"},
    "km": {"km", "kilometer", "kilometre"},
}
METRES = {"pm": 1e-12, "Å": 1e-10, "nm": 1e-9, MICRON: 1e-6, MILLIMETRE: 1e-3, "cm": 1e-2, "inch": 0.0254, "m": 1.0}
METRES["km"] = 1e3


@dataclass(frozen=True)
class Wanted:
    """Which of a file's arrays to read: a resolution level, an array's name or number, indices instead of colours."""

    level: int | None = None
    key: str | int | None = None
    indices: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """An array in a file that has not been read yet.

    Attributes
    ----------
    shape, dtype
        Of the array.
    axes : str
        A letter an axis: z, y, x in space; c and s channels; t time; p pages without a meaning; others by their names
        in OME. ``"?"`` for all of them where the file does not tell.
    read : callable
        Takes a tuple of integers and ``slice(None)``, one an axis, and returns the array there.
    steps : dict
        Distance between neighbouring pixels by axis, as far as the file tells.
    unit : str or None
        Of `steps`.
    affine : (4, 4) array or None
        For the axes z, y, x in the order that they have in `axes`.
    alpha : bool
        Whether the last channel is opacity.
    palette : (n, 3) uint8 array or None
        Colours of the numbers, where these are indices.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    axes: str
    read: Callable[[tuple[Any, ...]], np.ndarray]
    steps: Mapping[str, float] = field(default_factory=dict)
    unit: str | None = None
    affine: np.ndarray | None = None
    alpha: bool = False
    palette: np.ndarray | None = None

    def axes_or(self, letters: str) -> str:
        """Letters of the axes; of an array without names the first ones of `letters`."""
        return letters[: len(self.shape)] if self.axes == "?" else self.axes


class Format(Protocol):
    """A module of this package."""

    NAME: str

    def matches(self, path: str, head: bytes) -> bool:
        """Whether a file that begins with `head` (b"" for folders) is of this format."""
        ...

    def source(self, path: str, wanted: Wanted) -> Source:
        """The array that is wanted, not read yet."""
        ...


@contextmanager
def readable(path: str | os.PathLike, kind: str, remedy: str) -> Iterator[None]:
    """Errors on reading a file of this kind, which may come from any decoder, as a FileFormatError that names it.

    A pipe or a device is one before it is opened, which might never end.
    """
    path = checks.path("the file", path)
    try:
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            raise FileFormatError(f"{kind} was expected; {path} is a pipe or a device. Save it first.")
        yield
    except VarconvexError:
        raise
    except FileNotFoundError:
        raise FileFormatError(f"{kind} was expected; {path} does not exist. Check the path.") from None
    except Exception as error:
        text = f"{error}"[:300] or type(error).__name__
        raise FileFormatError(f"{kind} was expected; {path} is not one ({text}). {remedy}") from error


def optional(module: str, extra: str, what: str) -> Any:
    """A package that comes with an extra, or a MissingExtraError that names it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise MissingExtraError(
            f"reading {what} needs {name}; it cannot be imported ({error}). Install it: pip install {name}, "
            f"or the extra {extra}."
        ) from error


def one_of_several(path: str, names: list[str], key: str | int | None, what: str) -> int:
    """Number of the array that `key` names; without a key, of the only one."""
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    if isinstance(key, int) and 0 <= key < len(names):
        return key
    if key is not None and str(key) in names:
        return names.index(str(key))
    if key is None and len(names) == 1:
        return 0
    if not names:
        raise FileFormatError(f"{what} with numbers was expected; {path} has none. Is it the right file?")
    found = "which one is not said" if key is None else f"none of them is {key!r}"
    raise FileFormatError(f"one {what} can be read; {path} has {len(names)} and {found}. Pass key= one of {listed}.")


def level_of(path: str, count: int, level: int | None) -> int:
    """Number of the resolution level: the finest one, or `level` if there is one of this number."""
    if level is None or level in range(count):
        return level or 0
    raise FileFormatError(
        f"the level must be from 0, the finest, to {count - 1}; got {level!r} for {path}. Choose one of them."
    )


def alone(path: str, wanted: Wanted) -> None:
    """An error if a level or an array is asked for of a file that has one of each."""
    level_of(path, 1, wanted.level)
    if wanted.key is not None:
        raise FileFormatError(f"one array can be read; {path} has only one; got key={wanted.key!r}. Leave it out.")


def unit_name(text: str | None) -> str | None:
    """A unit in the way that this library writes it; one that is not known stays as it is, pixels are none."""
    text = (text or "").strip()
    if not text or text.lower() in ("pixel", "pixels", "px", "null", "none"):
        return None
    return next((unit for unit, names in _UNITS.items() if text.lower() in names), text)


def in_one_unit(steps: Mapping[str, tuple[float, str | None]]) -> tuple[dict[str, float], str | None]:
    """Distances by axis, each with its unit, in the unit of the x axis (or of the last one)."""
    good = {axis: (float(step), unit_name(unit)) for axis, (step, unit) in steps.items() if 0 < step < np.inf}
    if not good:
        return {}, None
    unit = good["x" if "x" in good else list(good)[-1]][1]
    factors = {
        axis: METRES.get(own or "", 0) / METRES[unit] if unit in METRES else 0 for axis, (_, own) in good.items()
    }
    return {axis: step * (factors[axis] or 1) for axis, (step, _) in good.items()}, unit


def palette_colours(table: np.ndarray) -> np.ndarray:
    """Colours (n, 3) of 16 bits as uint8 where they were made from 8 bits, which is nearly always."""
    table = np.asarray(table)
    if table.dtype == np.uint8:
        return table
    return (table >> 8).astype(np.uint8) if ((table % 257 == 0) | (table % 256 == 0)).all() else table.astype(np.uint16)
