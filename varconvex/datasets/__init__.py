"""Images with scribbles and ground truth: readers of data sets, a scribbling robot, corruptions, downloads."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
