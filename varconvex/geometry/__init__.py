"""Geometry of arrays: hulls, rasters, repair, search, refinement and certificates of convex sets in 2-D and 3-D."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
