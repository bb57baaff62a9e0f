"""What knows arrays only: hulls, rasters, search, refinement and certificates of convex sets, in 2-D and 3-D."""
