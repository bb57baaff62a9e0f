"""The labels that a canvas begins with."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidParameterError
from ..plots import colours
from .messages import LARGEST_LABEL, LONGEST_NAME, Label, checked_labels


def first_labels(given: Mapping[int, str] | None, more: Sequence[int] = ()) -> tuple[Label, ...]:
    """Labels by their names, with the colours of the package's pictures; by default background and object."""
    wanted: dict[Any, Any] = {1: "background", **(given if given else {2: "object"})}
    for k in more:
        wanted.setdefault(int(k), "object" if k == 2 else f"object {k - 1}")
    try:
        order = sorted(wanted)
        colour = dict(zip(order, colours(len(order)), strict=True))
        return checked_labels([{"id": k, "name": wanted[k], "colour": colour[k]} for k in order])
    except (InvalidParameterError, TypeError):
        raise InvalidParameterError(
            f"labels must be names of 1 to {LONGEST_NAME} printable characters by whole numbers from 1 to "
            f"{LARGEST_LABEL}; got {str(given)[:200]}. Pass e.g. {{2: 'cell'}}."
        ) from None
