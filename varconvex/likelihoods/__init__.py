"""Models of the labels' appearance: one file a model."""
