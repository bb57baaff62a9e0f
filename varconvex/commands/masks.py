"""Masks of one object from files: pictures with two values, label images, a command's own output."""

from typing import Any

import numpy as np

from ..errors import InvalidParameterError


def object_of(values: np.ndarray, path: Any, label: int | None = None) -> np.ndarray:
    """The object in the values of a file: bool array.

    Of two values the larger one is the object, as in {0, 255} and in a label image {1, 2}; negative ones are outside.
    A single value is the object unless it is 0. With `label`, the object is where the file has it.

    Raises
    ------
    InvalidParameterError
        If there are more than two values and no label, or the label is not there.
    """
    known = np.unique(values[values >= 0]) if values.dtype.kind != "b" else np.array([False, True])
    if label is None and len(known) <= 2:
        return values == known[-1] if len(known) and known[-1] else np.zeros(values.shape, bool)
    if label is not None and (values == label).any():
        return values == label
    shown = ", ".join(f"{value:g}" for value in known[:9].astype(float)) + ", ..." * (len(known) > 9)
    wanted = "a mask must have two values" if label is None else f"the label must be one of the file's; got {label}"
    raise InvalidParameterError(f"{wanted}; {path} holds {shown}. Name the object's label with --label.")


def target_of(values: np.ndarray, path: Any, label: int | None = None) -> np.ndarray:
    """What `project` takes, from the values of a file: probabilities as they are, else the object as bool array."""
    if label is None and values.dtype.kind == "f" and (values != np.rint(values)).any():
        return values
    return object_of(values, path, label)
