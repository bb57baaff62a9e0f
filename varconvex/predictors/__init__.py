"""Predictors: whatever gives a probability per pixel, one file each."""
