"""Texts that a canvas shows: certificates, shapes that an object nearly has, errors."""

from collections.abc import Sequence

from ..errors import VarconvexError
from ..result import Segmentation
from .messages import Label

_TOLD = 3
"""Shapes that are named, the most telling first: an ellipse is symmetric, star-shaped and connected as well."""


def certified(result: Segmentation, labels: Sequence[Label]) -> list[str]:
    """Whether the shape of each object that has one is certified: one text an object."""
    said = {k: f"{'certified' if found else 'not'} {found.shape}" for k, found in result.certificates.items()}
    return [f"{_name(k, labels)} {text}" if len(said) > 1 else text for k, text in said.items()]


def nearly_shapes(result: Segmentation, labels: Sequence[Label]) -> str:
    """Which shapes the objects nearly have, without those that they are promised to have; "" if there are none."""
    promised = {k: found.shape for k, found in result.certificates.items()}
    told = {}
    for row in result.describe():
        names = [name for name in row["nearly"] if name != promised.get(row["label"])]
        if names:
            told[row["label"]] = ", ".join(names[:_TOLD])
    one = len(result.label_ids) <= 2
    return (
        "nearly " + "; ".join(text if one else f"{_name(k, labels)} {text}" for k, text in told.items()) if told else ""
    )


def sentence(error: Exception) -> str:
    """An error in one line; of an unexpected one also its type."""
    return str(error) if isinstance(error, VarconvexError) else f"{type(error).__name__}: {error}"


def _name(label: int, labels: Sequence[Label]) -> str:
    return next((known.name for known in labels if known.id == label), str(label))
