"""Results of the primal-dual solvers, and the state that they pass to callbacks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..options import Status


@dataclass(frozen=True, eq=False)
class Progress:
    """State of a solver at one evaluation, passed to its callback. Returning True from the callback stops the solver.

    Attributes
    ----------
    iteration : int
        Iterations done on the grid of full size.
    seconds : float
        Time since the start, coarse grids included.
    primal, dual : float
        Energy of u, and the best lower bound so far (-inf where none is known, as in `stationary`).
    relative_gap : float
        (primal - dual) as a share of the energy's size; inf where no bound is known.
    u : array
        Copy of the current u, in the shape of the cost or image.
    change : float
        `stationary` only: mean movement of a pixel in the last iteration, as a share of the image's range; else NaN.
    index : int
        `pdhg_batch` only: position of the energy in the batch; else 0.
    """

    iteration: int
    seconds: float
    primal: float
    dual: float
    relative_gap: float
    u: Any
    change: float = float("nan")
    index: int = 0


@dataclass(frozen=True, eq=False)
class Solution:
    """A minimiser with its certificate. Two solutions are equal only if they are one object.

    Attributes
    ----------
    u : array float32
        In [0, 1], in the shape of the cost; (K, *spatial) for K labels.
    p : (d, L, *spatial) array float32
        Dual variable, one component a spatial axis (or direction of differences).
    binary : array
        The rounded u, float32 zeros and ones; of `ROF` and `TVL1` u itself, for which `labels` and `mask` mean nothing.
    energy : float
        Energy of `binary`.
    primal, dual : float
        Energy of u, and a lower bound of every energy.
    gap, relative_gap : float
        primal - dual, and its share of the energy's size (or of a thousandth of the data's, if that is more),
        not counting the cost that all labels have in common.
    history : tuple of (iteration, seconds, primal, dual)
        One entry a gap evaluation, on the grid of full size.
    converged : bool
        Whether the relative gap is at most `tol`.
    status : {"converged", "max_iter", "time_limit", "stopped"}
        Why the solver stopped.
    """

    u: Any
    p: Any
    binary: Any
    energy: float
    primal: float
    dual: float
    relative_gap: float
    history: tuple[tuple[int, float, float, float], ...]
    converged: bool
    status: Status

    @property
    def gap(self) -> float:
        """Primal - dual, in the unit of the energy."""
        return self.primal - self.dual

    @property
    def iterations(self) -> int:
        """Iterations on the grid of full size."""
        return self.history[-1][0]

    @cached_property
    def labels(self) -> Any:
        """Index of each pixel's label, in the smallest unsigned type that holds K; for two regions 1 is the object."""
        if self.p.shape[1] == 1:
            return self.mask.astype(np.uint8)
        return self.binary.argmax(axis=0).astype(np.min_scalar_type(self.p.shape[1] - 1))

    @cached_property
    def mask(self) -> Any:
        """The object, bool; for K labels everything but label 0."""
        return self.binary > 0.5 if self.p.shape[1] == 1 else self.labels > 0
