"""Convex sets of pixels and voxels as arrays: hulls, certificates, repair, search and refinement in 2-D and 3-D."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
