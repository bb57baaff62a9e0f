"""From a file's axes to spatial axes first and channels last; what cannot be taken for either is refused by name."""

from collections.abc import Sequence

import numpy as np

from .. import memory
from ..checks import whole_number
from ..errors import FileFormatError, UnsupportedTypeError
from .formats.base import Source
from .image_file import ImageFile

_SPACE, _CHANNELS = "zyx", "cs"

MOST_CHANNELS = 4
"""A last axis that is longer is taken as a spatial one, where nothing else says what it is."""

_NAMES = {"t": "time (t)", "p": "pages", "r": "tiles (r)", "m": "mosaic tiles (m)", "a": "angles (a)", "q": "pages"}


def image_file(
    path: str, source: Source, frame: int | Sequence[int] | None, axes: str | None, large: bool
) -> ImageFile:
    """Read a source: one frame where there are several, spatial axes first, channels last.

    A FileFormatError if it has axes that are neither, or not two or three spatial ones; a NotEnoughMemoryError if the
    array is too large for the memory there is, unless `large`.
    """
    if source.dtype.kind not in "biuf":
        raise UnsupportedTypeError(
            f"an image must hold bools, integers or floats; {path} has {source.dtype}. Convert it to one of them first."
        )
    letters = _named(path, source, axes)
    index, kept = selection(path, source.shape, letters, frame)
    shape = tuple(n for n, i in zip(source.shape, index, strict=True) if isinstance(i, slice))
    if not large:
        memory.require(
            2.0 * np.prod(shape, dtype=np.float64) * source.dtype.itemsize,
            f"an image of shape {shape} and type {source.dtype}, which {path} declares,",
            "Read a coarser level or one frame, crop it, or pass large=True if you know that it fits.",
        )
    found = source.read(index)
    shared = isinstance(found, np.memmap) or not found.flags.writeable
    array = np.array(found) if shared else np.asarray(found)  # what changes the array must not change the file
    if array.shape != shape:
        raise FileFormatError(f"{path} declares an image of shape {shape}; it holds {array.shape}. Is it truncated?")
    space = [axis for axis in kept if axis in _SPACE]
    channels = [axis for axis in kept if axis in _CHANNELS]
    array = array.transpose([kept.index(axis) for axis in space + channels])
    array = array.reshape(*array.shape[: len(space)], -1) if channels else array
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    alpha = None
    if source.alpha and channels:
        array, opacity = array[..., :-1], array[..., -1]
        full = np.iinfo(opacity.dtype).max if opacity.dtype.kind in "iu" else 1
        alpha = None if (opacity == full).all() else opacity
    if channels and array.shape[-1] == 1:
        array, channels = array[..., 0], []
    told = all(axis in source.steps for axis in space)
    return ImageFile(
        array=np.ascontiguousarray(array),
        channel_axis=-1 if channels else None,
        spacing=tuple(float(source.steps[axis]) for axis in space) if told else None,
        unit=source.unit if told else None,
        affine=_affine(source, letters, space),
        path=path,
        alpha=alpha,
        palette=source.palette,
    )


def described(letters: str, shape: Sequence[int]) -> str:
    """Axes and their lengths in words: ``"t 5, z 20, y 64, x 64"``."""
    return ", ".join(f"{letter} {n}" for letter, n in zip(letters, shape, strict=True))


def _named(path: str, source: Source, axes: str | None) -> str:
    """A letter for each axis of the source: those of the caller, of the file, or by the shape."""
    ndim = len(source.shape)
    if axes is not None:
        letters = axes.lower()
        if len(letters) != ndim or len(set(letters)) != ndim or not letters.isalpha():
            raise FileFormatError(
                f"axes must be one letter for each of the {ndim} axes of {path} (shape {source.shape}); got {axes!r}. "
                "Pass e.g. 'zyx' or 'yxc'."
            )
        return letters
    if source.axes != "?":
        return source.axes
    small = source.shape[-1:] <= (MOST_CHANNELS,) or (ndim == 4 and source.shape[-1] < min(source.shape[:-1]))
    last = ndim > 2 and small
    if ndim - last not in (2, 3):
        raise FileFormatError(
            f"an image must have two or three spatial axes, and one of channels at most; {path} has the shape "
            f"{source.shape}. Name its axes, e.g. axes='tzyx' and frame=0, or save a part of it."
        )
    return "zyx"[last - ndim :] + "c" * last


def selection(
    path: str, shape: Sequence[int], letters: str, frame: int | Sequence[int] | None
) -> tuple[tuple[int | slice, ...], str]:
    """The index that picks one frame and drops axes of length 1, and the letters of the axes that stay."""
    lengths = dict(zip(letters, shape, strict=True))
    if any(n == 0 for n in shape):
        raise FileFormatError(f"an image must have pixels; {path} has the axes {described(letters, shape)}. Check it.")
    if "p" in lengths and frame is None and "z" not in lengths:  # pages without a meaning are a stack
        letters = letters.replace("p", "z")
        lengths = dict(zip(letters, shape, strict=True))
    others = [axis for axis in letters if axis not in _SPACE + _CHANNELS and lengths[axis] > 1]
    frames = [] if frame is None else [frame] if isinstance(frame, int | np.integer) else list(frame)
    frames = [whole_number("frame", k) for k in frames]
    if not others:
        frames = [k for k in frames if k != 0]
    if len(frames) != len(others):
        names = ", ".join(_NAMES.get(axis, axis) for axis in others)
        told = f"one frame of {path} can be read, which has {described(letters, shape)}"
        if not others:
            raise FileFormatError(f"{told}: there is one only; got frame={frame}. Leave it out.")
        many = "a number for each" if len(others) > 1 else f"0 to {lengths[others[0]] - 1}"
        raise FileFormatError(f"{told}; got frame={frame}. Pass frame= along {names} ({many}).")
    for axis, k in zip(others, frames, strict=True):
        if k >= lengths[axis]:
            raise FileFormatError(
                f"the frame along {_NAMES.get(axis, axis)} must be from 0 to {lengths[axis] - 1}; got {k} for {path}."
            )
    picked = dict(zip(others, frames, strict=True))
    kept = [axis for axis in letters if axis in _SPACE]
    for axis in [a for a in "zyx" if a in kept and lengths[a] == 1]:
        if len(kept) > 2:
            kept.remove(axis)
    if len(kept) not in (2, 3):
        raise FileFormatError(
            f"an image must have two or three spatial axes (z, y, x); {path} has {described(letters, shape)}. Name "
            "them by axes=, a letter each."
        )
    kept += [axis for axis in letters if axis in _CHANNELS and lengths[axis] > 1]
    return tuple(slice(None) if axis in kept else picked.get(axis, 0) for axis in letters), "".join(
        axis for axis in letters if axis in kept
    )


def _affine(source: Source, letters: str, space: list[str]) -> np.ndarray | None:
    """The affine of the axes that stayed, followed by those of length 1 that were left out."""
    if source.affine is None:
        return None
    before = [axis for axis in letters if axis in _SPACE]
    order = [before.index(axis) for axis in [*space, *(axis for axis in before if axis not in space)]]
    return np.array(source.affine, np.float64)[:, [*order, *range(len(order), 4)]]
