"""The paper's FCN: a pointwise network, trained on the scribbles of one image."""

from dataclasses import dataclass
from typing import ClassVar

from .networks import NetworkPredictor


@dataclass(frozen=True)
class FcnPredictor(NetworkPredictor):
    """Pointwise network; parameters as in `NetworkPredictor`.

    Examples
    --------
    >>> from varconvex import segment
    >>> result = segment(image, scribbles, predictor="fcn", shape="convex")  # doctest: +SKIP
    """

    kernel: ClassVar[int] = 1
    batch: ClassVar[int] = 1024
