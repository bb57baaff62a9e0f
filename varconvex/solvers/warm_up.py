"""Compile before it matters: one small problem of each kind."""

import warnings

import numpy as np

from ..backends import ArrayBackend, get_backend
from ..energies._linear import TV
from ..energies.potts import Potts
from ..energies.two_phase import TwoPhase
from ..errors import ConvergenceWarning
from .pdhg import pdhg


def warm_up(backend: str | ArrayBackend | None = None, *, ndim: int = 2) -> None:
    """Compile, or load from the cache, the kernels of two-phase and Potts problems.

    Compilation happens once an installation; loading takes a fraction of a second a process. Call this before timing,
    or before a user waits.

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
    home = get_backend(backend)
    # Large enough for one coarser grid, and for two threads.
    cost = np.linspace(-1, 1, 64**ndim, dtype=np.float32).reshape((64,) * ndim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for tv in TV[: 3 if ndim == 2 else 2]:
            pdhg(TwoPhase(cost, 0.1, tv=tv), backend=home, max_iter=1)
            pdhg(Potts(np.stack([cost, -cost]), 0.1, tv=tv), backend=home, max_iter=1)
