"""Convex sets of pixels and voxels as arrays: hulls, certificates, repair, search and refinement in 2-D and 3-D."""
