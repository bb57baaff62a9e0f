"""Many images: a manifest, resume, worker processes or Dask; the paper's tables run on it as well."""

from .._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
