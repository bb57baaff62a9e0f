"""Predictors, one module each: the probability of each label at each pixel."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
