"""Models of the labels' appearance that predictors re-estimate from the regions of a label image."""
