"""A function of the user's as an extractor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from ..keywords import known_keywords


@known_keywords
@dataclass(frozen=True, eq=False)
class FunctionExtractor:
    """Features by a function of the image.

    Parameters
    ----------
    function : callable
        Takes (*spatial, C) float32 in [0, 1] and returns (*spatial, F), or (*cells, F) on a coarser grid that covers
        the same image. It is taken to return the same for the same image.
    """

    function: Callable[[np.ndarray], Any]

    stride: ClassVar[int] = 1
    size: ClassVar[None] = None
    components: ClassVar[None] = None

    def __post_init__(self) -> None:
        checks.function("function", self.function)

    def maps(self, image: np.ndarray) -> list[np.ndarray]:
        """The function's value, as a list of one map (*cells, F) float32."""
        values = checks.host_array("features", self.function(image.copy()))
        if values.ndim == image.ndim - 1:
            values = values[..., None]
        if values.ndim != image.ndim or 0 in values.shape:
            raise InvalidParameterError(
                f"a function for features must return (*cells, F), {image.ndim} axes; got shape {values.shape}. Return "
                "one vector a pixel, or a cell, channels last."
            )
        with np.errstate(over="ignore"):
            return [values.astype(np.float32)]

    def digest(self) -> Any:
        """The function itself, or this object if it has no hash: a function's content is not known."""
        try:
            hash(self.function)
        except TypeError:
            return self
        return self.function
