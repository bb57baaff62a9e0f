"""Features at each pixel of an image: `Features`, from a source to an array (*spatial, F).

    image -> maps of the source, by tiles -> side by side on the finest one's cells -> principal components
          -> the image's pixels

Principal components commute with bilinear enlarging, so that they are taken where there are few vectors.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError
from ..families import find
from ..foreign import is_path
from ..images import unit_range
from ..keywords import known_keywords
from .base import Extractor, content
from .cache import kept
from .function import FunctionExtractor
from .tiles import covered, maps_of
from .upsampling import bilinear, guided

Upsampling = Literal["bilinear", "guided"]

_SAMPLE = 20_000
"""Vectors, evenly spread over the image, that principal components are computed from."""

_SQUARE = 2.0
"""Most that the sides of a cell may differ by: otherwise rows and columns were exchanged, or it is another image's."""


@known_keywords
@dataclass(frozen=True, eq=False)
class Features:
    """Feature vectors at the pixels of an image, from a model or a function, and how they are made.

    Wherever features are asked for, a source may be passed by itself, too: it is then used with these defaults. They
    enter a segmentation only where they help: a part of the strokes is held back, and has to be predicted better with
    them than without; the log (``logging.basicConfig(level="INFO")``) says which it was, and by how much.

    Parameters
    ----------
    source : array, callable, str, torch.nn.Module or Extractor
        (*spatial, F) for one image; a function from an image (*spatial, C) in [0, 1] to (*spatial, F), or coarser,
        (*cells, F); "timm:NAME"; the path of an ONNX file, ``*.onnx``, all outputs of which are taken; a module of
        PyTorch; or an `OnnxExtractor`, `TorchExtractor`, `TimmExtractor`, which can name layers.
    components : int, optional
        Principal components of the image's vectors to keep. More hold more, and weigh on every step that follows. By
        default 8 of networks; arrays and functions are kept as they are.
    upsampling : {"bilinear", "guided"}
        From cells to pixels: smoothly, or with the edges of the image's brightness (guided filter).
    tile : int or None
        Pixels a side of the windows in which a network sees an image larger than that; None sees it whole. Functions
        see it whole in any case.
    margin : int
        Pixels along the seams of windows of which neighbours see more, and which do not count.
    folder : path, optional
        Where maps are kept as .npy files, by the content of image and model; by default in memory only (256 MB). Of
        functions nothing is kept there.
    always : bool
        Whether they are used even where strokes held back are predicted no better with them than without.

    Raises
    ------
    InvalidParameterError, UnsupportedTypeError
        If the source is none of these, or a parameter is not what it may be; by `of`, if what the source gives is no
        map of the image.
    InvalidImageError
        By `of`, if features are not finite, or the image is not what the source takes.
    FileFormatError
        If a file is no network, or `folder` cannot be written.
    MissingExtraError
        If a library that the source needs is not installed.

    References
    ----------
    He, Sun, Tang, Guided Image Filtering, IEEE TPAMI 35, 2013, doi:10.1109/TPAMI.2012.213

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex.extractors import Features
    >>> image = np.random.default_rng(0).random((40, 60, 3))
    >>> Features(lambda image: image[::4, ::4], upsampling="guided").of(image).shape
    (40, 60, 3)
    """

    source: Any
    components: int | None = None
    upsampling: Upsampling = "bilinear"
    tile: int | None = 1024
    margin: int = 128
    folder: Any = None
    always: bool = False
    _model: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        checks.one_of("upsampling", self.upsampling, Upsampling)
        checked: dict[str, Any] = {
            "folder": None if self.folder is None else Path(checks.path("folder", self.folder)),
            "margin": checks.whole_number("margin", self.margin),
            "always": checks.boolean("always", self.always),
            "_model": _model(self.source),
        }
        for name in ("components", "tile"):
            if (value := getattr(self, name)) is not None:
                checked[name] = checks.whole_number(name, value, least=1)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def of(self, image: Any) -> np.ndarray:
        """Features at the pixels of an image.

        Parameters
        ----------
        image : (H, W, C), or (*spatial, C) for arrays and functions
            Floats in [0, 1]; others are scaled by their own range.

        Returns
        -------
        (*spatial, F) float32
            In the units of the source, or of its principal components.
        """
        image = checks.host_array("image", image)
        if image.ndim < 2 or 0 in image.shape:
            raise InvalidImageError(
                f"image must be (*spatial, C) with pixels and channels; got shape {image.shape}. Pass image[..., None] "
                "if it has one channel."
            )
        checks.finite("image", image, "Repair them first.")
        if image.dtype.kind in "iu" or image.min() < 0 or image.max() > 1:
            image = unit_range(image, np.ones(image.shape[:-1], bool))
        shape, model = image.shape[:-1], self._model
        image = np.ascontiguousarray(image, np.float32)
        if isinstance(model, np.ndarray):
            with np.errstate(over="ignore"):
                values = _of_shape(model, shape).astype(np.float32)
            return _reduced(_checked(values), self.components)
        tile = None if isinstance(model, FunctionExtractor) else self.tile
        components = model.components if self.components is None else self.components
        key = (content(image), model.digest(), components, tile, self.margin)
        small = kept(key, lambda: self._computed(model, image, tile, components), image.ndim, self.folder)
        padded = covered(model, shape)
        found = bilinear(small, padded)[tuple(slice(n) for n in shape)]
        if self.upsampling == "guided" and small.shape[:-1] != padded:
            found = guided(found, image, float(np.prod(padded) / np.prod(small.shape[:-1])) ** (1 / len(shape)))
        return found

    def _computed(self, model: Extractor, image: np.ndarray, tile: int | None, components: int | None) -> np.ndarray:
        """Features on the finest map's cells, reduced to their principal components."""
        maps, padded = maps_of(model, image, tile, self.margin)
        for one in maps:
            _checked(one)
            sides = [n / m for n, m in zip(padded, one.shape[:-1], strict=True)]
            if min(sides) < 1 or max(sides) > _SQUARE * min(sides):
                raise InvalidParameterError(
                    f"features must cover the image, {padded}, or a coarser grid of square cells over it; got "
                    f"{one.shape[:-1]} cells. Are rows and columns exchanged?"
                )
        finest = max((one.shape[:-1] for one in maps), key=np.prod)
        return _reduced(np.concatenate([bilinear(one, finest) for one in maps], axis=-1), components)


def features_of(features: Any, image: np.ndarray) -> np.ndarray:
    """`Features.of` of `Features`, or of a source with the defaults, for an image (*spatial, C) float32 in [0, 1]."""
    return as_features(features).of(image)


def as_features(value: Any) -> Features:
    """`Features` of a source with the defaults, or as they are."""
    return value if isinstance(value, Features) else Features(value)


def _model(source: Any) -> Extractor | np.ndarray:
    """The extractor of a source, or its array."""
    if isinstance(source, type):
        raise InvalidParameterError(f"features must be an object, not a class; got {source!r:.80}. Make one of it.")
    if isinstance(source, Extractor):
        return source
    if any(kind.__module__.startswith("torch.nn") for kind in type(source).__mro__):
        return find("extractors", "torch")(source)
    if is_path(source):
        text = checks.path("features", source)
        if text.endswith(".onnx"):
            return find("extractors", "onnx")(text)
        kind, colon, name = text.partition(":")
        if colon and kind.isidentifier() and len(kind) > 1:
            return find("extractors", kind)(name)
        raise InvalidParameterError(
            f"features must be an array, a function, 'timm:NAME', a file *.onnx, a module of PyTorch or an extractor; "
            f"got {text!r:.80}. Read arrays by numpy.load; a checkpoint of PyTorch may run code and is not loaded: "
            "build its module, and read the weights by torch.load(path, weights_only=True)."
        )
    return FunctionExtractor(source) if callable(source) else checks.host_array("features", source)


def _of_shape(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The user's array (*shape, F) or (*shape)."""
    if values.shape == shape:
        values = values[..., None]
    if values.shape[:-1] != shape or values.shape[-1] == 0:
        raise InvalidParameterError(
            f"features must have shape {shape} + (F,), one vector a pixel; got {values.shape}. Resize them to the "
            "image, channels last."
        )
    return values


def _checked(values: np.ndarray) -> np.ndarray:
    checks.finite("features", values, "Replace them by 0 where nothing is known, and divide what float32 cannot hold.")
    return values


def _reduced(values: np.ndarray, components: int | None) -> np.ndarray:
    """Principal components of vectors (*cells, F), at most so many and in descending order of their variance."""
    vectors = values.reshape(-1, values.shape[-1])
    if components is None or components >= min(vectors.shape):
        return np.ascontiguousarray(values, np.float32)
    from sklearn.decomposition import PCA

    chosen = np.linspace(0, len(vectors) - 1, min(len(vectors), _SAMPLE)).round().astype(np.intp)
    with np.errstate(invalid="ignore"):  # shares of no variance at all, which nobody asks for
        fitted = PCA(components, svd_solver="full").fit(vectors[chosen].astype(np.float64))
    found = (vectors - fitted.mean_.astype(np.float32)) @ fitted.components_.T.astype(np.float32)
    return np.ascontiguousarray(found.reshape(*values.shape[:-1], -1), np.float32)
