"""Likelihoods, one module each: the cost of each label at each pixel, in nats, from the scribbles."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
