"""Models of other packages as predictors: Segment Anything (extra ``sam``), any module of PyTorch (extra ``torch``).

>>> from varconvex.adapters import SamPredictor  # doctest: +SKIP
>>> result = segment(image, strokes, predictor=SamPredictor.read("sam-vit-base"), shape="convex")  # doctest: +SKIP
"""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
