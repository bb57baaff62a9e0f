"""What a shape checks at its door: a target, its scribbles, its spacing."""

import numpy as np

from ..errors import InvalidImageError, InvalidParameterError, InvalidScribblesError
from ..geometry.certify import as_mask

_NUMBERS = {2: "two", 3: "three"}


def checked_target(target, dimensions=(2, 3)):
    """As float32 in [0, 1] with one of these numbers of dimensions, or an InvalidImageError."""
    array = np.asarray(target)
    if array.ndim not in dimensions or array.size == 0:
        known = " or ".join(_NUMBERS[n] for n in dimensions)
        raise InvalidImageError(
            f"this shape needs a target with {known} dimensions; got shape {array.shape}: fit one image or "
            "volume at a time"
        )
    if array.dtype.kind not in "buif":
        raise InvalidImageError(f"the target must be numbers in [0, 1]; got {array.dtype}: convert it to float32")
    array = array.astype(np.float32)
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):
        raise InvalidImageError(
            "the target must be probabilities in [0, 1]; "
            f"got values from {low} to {high}: rescale it, replace NaN by 0.5"
        )
    return array


def checked_scribbles(mask, target, name):
    """As bool of the target's shape, all False for None, or an InvalidScribblesError."""
    if mask is None:
        return np.zeros(target.shape, bool)
    mask = as_mask(mask, (2, 3))
    if mask.shape != target.shape:
        raise InvalidScribblesError(
            f"{name} must have the target's shape {target.shape}; got {mask.shape}: transposed, or of another image?"
        )
    return mask


def checked_spacing(spacing, ndim):
    """As (ndim,) float, or an InvalidParameterError."""
    size = np.ones(ndim) if spacing is None else np.asarray(spacing, float)
    if size.shape != (ndim,) or not np.isfinite(size).all() or (size <= 0).any():
        raise InvalidParameterError(
            f"spacing must be {_NUMBERS[ndim]} positive numbers, one an axis; got {spacing!r}: leave it out for pixels "
            "as high as wide"
        )
    return size


def grid_shape(shape, ndim):
    """As a tuple of `ndim` integers, or an InvalidParameterError."""
    values = tuple(shape)
    if len(values) != ndim or any(value != int(value) or value < 1 for value in values):
        raise InvalidParameterError(
            f"shape must be {_NUMBERS[ndim]} positive integers; got {shape!r}: pass one size an axis of the target"
        )
    return tuple(int(value) for value in values)
