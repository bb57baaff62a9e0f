"""Convexity for networks in PyTorch: a loss for training, a layer for testing. Needs the extra ``torch``.

>>> from varconvex.torch import ConvexityLoss  # doctest: +SKIP
"""

from typing import Any

from .._lazy import attach
from ..errors import MissingExtraError

_load, __dir__, __all__ = attach(__name__)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        raise MissingExtraError(
            f'varconvex.torch.{name} needs PyTorch; it is not installed: pip install "varconvex[torch]"'
        ) from error
