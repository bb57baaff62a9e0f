"""Variational segmentation from a few scribbles, with a certified gap and a provably convex object.

>>> from varconvex import segment
>>> result = segment(image, scribbles, shape="convex")  # doctest: +SKIP

The public names are listed in ``__init__.pyi`` and loaded when first used: importing the package compiles nothing and
needs no GPU.
"""

from ._lazy import attach
from .surroundings import check_threads

check_threads()
__getattr__, __dir__, __all__ = attach(__name__)
