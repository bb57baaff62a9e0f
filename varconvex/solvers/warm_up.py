"""Compilation ahead of the first call: one small problem of each kind is solved."""

import warnings
from typing import get_args

import numpy as np

from ..backends import ArrayBackend, get_backend
from ..energies.potts import Potts
from ..energies.total_variation import supports
from ..energies.two_phase import TwoPhase
from ..errors import ConvergenceWarning
from ..options import TV
from .pdhg import pdhg


def warm_up(backend: str | ArrayBackend | None = None, *, ndim: int = 2) -> None:
    """Compile, or load from the cache, the kernels of two-phase and Potts problems.

    Kernels are compiled once per installation; loading them takes a fraction of a second per process. Call this before
    measuring times, or before a user has to wait.

    Parameters
    ----------
    backend : {"numba", "numpy", "cupy"} or None
        As in `pdhg`.
    ndim : {2, 3}
        Images or volumes.

    Examples
    --------
    >>> from varconvex import warm_up
    >>> warm_up()
    """
    backend = get_backend(backend)
    # Large enough for one coarser grid, and for two threads.
    cost = np.linspace(-1, 1, 64**ndim, dtype=np.float32).reshape((64,) * ndim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for tv in (tv for tv in get_args(TV) if supports(tv, ndim)):
            pdhg(TwoPhase(cost, 0.1, tv=tv), backend=backend, max_iter=1)
            pdhg(Potts(np.stack([cost, -cost]), 0.1, tv=tv), backend=backend, max_iter=1)
