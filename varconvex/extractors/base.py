"""Interface of extractors: what a model says of an image, as maps of feature vectors of any resolution.

A new one is one new file in this folder, ``clip.py`` with a class ``ClipExtractor``; ``"clip:NAME"`` is then
``ClipExtractor("NAME")``. What libraries it needs is imported when it is used.
"""

import hashlib
import importlib
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError, MissingExtraError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of red, green and blue in [0, 1] that most networks were trained with."""


@runtime_checkable
class Extractor(Protocol):
    """A model that gives feature vectors at the pixels, or at the cells of a coarser grid, of an image."""

    @property
    def stride(self) -> int:
        """Pixels that the sides of the images it gets are multiples of; a cell of its coarsest map."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Sides of the only images that it takes; None if it takes any."""

    @property
    def components(self) -> int | None:
        """Principal components to keep where nobody says how many; None keeps the features as they are."""

    def maps(self, image: np.ndarray) -> list[np.ndarray]:
        """Maps of features of an image (*spatial, C) float32 in [0, 1]: (*cells, F) float32 each, over all of it."""

    def digest(self) -> Any:
        """A hashable identifier of the model: of files and weights, by their content."""


def optional(module: str, extra: str, what: str) -> Any:
    """A library that comes with an extra, or a MissingExtraError that names it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{what} needs {module}; it cannot be imported ({error}): pip install "varconvex[{extra}]"'
        ) from error


def network_input(image: np.ndarray, scaling: tuple[Any, Any] | None, channels: int = 3) -> np.ndarray:
    """An image (H, W, C) in [0, 1] as a network with so many channels takes it: (1, channels, H, W) float32.

    Grey is repeated where three channels are wanted; `scaling` is the mean and standard deviation of each channel. An
    InvalidImageError if the image has another number of axes or channels, an InvalidParameterError if the scaling has.
    """
    if image.ndim != 3:
        raise InvalidImageError(
            f"image must be 2-D for the features of a network; got {image.ndim - 1} spatial axes. Take slices, or pass "
            "an array or a function as features."
        )
    if image.shape[-1] == 1 and channels == 3:
        image = np.repeat(image, 3, axis=-1)
    if image.shape[-1] != channels:
        raise InvalidImageError(
            f"image must have {channels} channels for this network; got {image.shape[-1]}. Convert it, or pass a "
            "function as features that does."
        )
    if scaling is not None:
        for name, values in zip(("mean", "std"), scaling, strict=True):
            if len(values) not in (1, channels):
                raise InvalidParameterError(
                    f"{name} must be a number, or one for each of the network's {channels} channels; got {values}. "
                    "Pass e.g. 0.5."
                )
        with np.errstate(over="ignore", divide="ignore"):  # what comes of it is refused
            image = (image - np.asarray(scaling[0], np.float32)) / np.asarray(scaling[1], np.float32)
    return np.ascontiguousarray(np.moveaxis(image, -1, 0)[None], np.float32)


def cells(found: Any, shape: tuple[int, ...], stride: int, name: str = "features") -> np.ndarray:
    """One output of a network for an image of this shape as a map (h, w, F) float32.

    (1, F, h, w), or (1, n, F) tokens in rows, of which the first may be of no place (class, registers).
    """
    values = np.asarray(found, np.float32)
    down, right = shape[0] // stride, shape[1] // stride
    if values.ndim == 3 and len(values) == 1 and values.shape[1] >= down * right:
        return np.ascontiguousarray(values[0, values.shape[1] - down * right :].reshape(down, right, -1))
    if values.ndim != 4 or len(values) != 1 or 0 in values.shape:
        raise InvalidParameterError(
            f"{name} must be maps (1, F, h, w), or tokens (1, n, F) for cells of {stride} pixels; got shape "
            f"{values.shape}. Name a layer that has places."
        )
    return np.ascontiguousarray(np.moveaxis(values[0], 0, -1))


def scaling_of(mean: Any, std: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the channels, checked."""
    pair = []
    for name, value in (("mean", mean), ("std", std)):
        each = value if checks.several(value) else (value,)
        least = -checks.LARGEST if name == "mean" else 0.0
        pair.append(tuple(checks.real_number(name, v, least=least, strict=name == "std") for v in each))
    return pair[0], pair[1]


def layer_names(layers: Any) -> tuple[str, ...] | None:
    """Names of layers as a tuple; None is what the network returns."""
    if layers is None:
        return None
    names = (layers,) if isinstance(layers, str) else layers
    if not isinstance(names, tuple | list) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidParameterError(
            f"layers must be None or names of layers; got {layers!r:.80}. Pass e.g. ('conv4',)."
        )
    return tuple(names)


def content(*arrays: Any) -> str:
    """SHA-256 of arrays: their types, shapes and bytes."""
    digest = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return digest.hexdigest()
