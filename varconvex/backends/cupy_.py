"""The specification run by CuPy on an NVIDIA GPU. This is the only file that imports cupy."""

from typing import Any

import numpy as np

from ..errors import BackendUnavailableError
from .base import Array, ArrayBackend

_INSTALL = "install CuPy for your driver: pip install 'varconvex[cuda12]' or 'varconvex[cuda13]'"


def n_devices() -> int:
    """GPUs that CuPy can use. CuPy imports where no device is, so this asks for the count.

    Raises
    ------
    BackendUnavailableError
        If CuPy is not installed, or cannot talk to the driver.
    """
    try:
        import cupy
    except ImportError as error:
        raise BackendUnavailableError(f"backend 'cupy' needs CuPy, which is not installed; {_INSTALL}") from error
    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        raise BackendUnavailableError(
            f"backend 'cupy' needs a CUDA device; CuPy {cupy.__version__} reports: {error}. Check `nvidia-smi`, or use "
            "backend='numba'"
        ) from error


class CupyBackend(ArrayBackend):
    """CuPy on the current device, operation by operation."""

    name = "cupy"

    def __init__(self) -> None:
        if n_devices() < 1:
            raise BackendUnavailableError(
                "backend 'cupy' needs a CUDA device; CuPy found none. Check `nvidia-smi`, or use backend='numba'"
            )
        import cupy

        self.xp: Any = cupy

    def to_numpy(self, array: Array) -> np.ndarray:
        """`array` in the host's memory."""
        return np.asarray(self.xp.asnumpy(array))
