"""Shapes, one module each: implicit sets {x : G(x) <= 0} fitted to a soft map."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
