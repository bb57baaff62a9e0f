"""Features of an image from arrays, functions and networks of other people; one module each."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
