"""Primal-dual solvers for any energy that answers the `Energy` protocol."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
