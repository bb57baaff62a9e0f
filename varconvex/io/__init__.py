"""Images, scribbles and masks from files and into files."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
