"""Paths and objects of other libraries in the place of an array: how to convert them, how errors name them."""

import os
from typing import Any

import numpy as np


def is_path(value: Any) -> bool:
    """Whether something names a file."""
    return isinstance(value, str | bytes | os.PathLike)


_READERS = {
    "get_fdata": "Pass its voxels: image.get_fdata().",
    "pixel_array": "Pass its pixels: dataset.pixel_array.",
    "readinto": "Read it first: varconvex.io.read_image(path).",
    "GetPixelIDValue": "Pass SimpleITK.GetArrayFromImage(image).",
    "toarray": "Pass matrix.toarray().",
    "detach": "Pass tensor.detach().cpu().numpy().",
    "todense": "Pass array.todense().",
    "__next__": "Pass a list or a NumPy array: np.stack(list(...)).",
}
"""Objects of other libraries are recognised by an attribute; for each, how to get a NumPy array from it."""


def on_host(value: Any) -> Any:
    """A tensor of PyTorch on any device, or an array that only speaks DLPack, as NumPy reads it; others as they are."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        tensor = value.detach().cpu()
        return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return value


def how_to_read(value: Any) -> str | None:
    """How to get a NumPy array from a path or an object of another library, as a sentence; None if that is unknown."""
    if is_path(value):
        return "Read it first: varconvex.io.read_image(path)."
    if value is None or callable(value) or isinstance(value, dict | set):
        return "Pass a NumPy array."
    return next((remedy for known, remedy in _READERS.items() if hasattr(value, known)), None)


def kind_of(value: Any) -> str:
    """The type of a value, with the package that it comes from."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return f"{kind.__name__}" + ("" if package in ("builtins", "numpy") else f" of {package}")
