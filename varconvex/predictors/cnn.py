"""The paper's CNN: four layers of 3x3 windows, with a receptive field of four pixels in every direction."""

from dataclasses import dataclass
from typing import ClassVar

from ..keywords import known_keywords
from .fcn import NetworkPredictor


@known_keywords
@dataclass(frozen=True)
class CnnPredictor(NetworkPredictor):
    """Convolutional network for 2-D images; parameters as in `NetworkPredictor`, by default fewer networks and steps.

    Examples
    --------
    >>> from varconvex import segment
    >>> result = segment(image, scribbles, predictor="cnn", shape="convex")  # doctest: +SKIP
    """

    kernel: ClassVar[int] = 3
    batch: ClassVar[int] = 192

    members: int = 2
    steps: int = 300
