"""Variational energies, one module each: what the solvers minimise."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
