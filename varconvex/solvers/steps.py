"""Step sizes of the primal-dual iteration, and restarts from the average iterate.

    tau sigma |K|^2 = 1,   sigma / tau adapted to how far u and p move
    restart from (u, p) = mean of the evaluated pairs since the last restart, where its gap is smaller

as in PDLP (Applegate et al. 2021, arXiv:2106.04756). Both sets of feasible u and p are convex, so the average is
feasible and its values are a true gap. It converges where the iterates themselves oscillate around the optimum, as they
do where costs leave most of an image undecided.
"""

from typing import Any

import numpy as np

from ..backends import Problem

_ADAPT, _COOLING, _SAMPLES = 0.5, 0.97, 32
"""At an evaluation sigma / tau goes this share of the way (in logarithms) to the ratio in which p and u have moved
since the last one; the share is multiplied by the second number each time. Movement is measured in `_SAMPLES` rows or
more."""

_LATE, _LATE_SHARE = 800, 0.1
"""After so many iterations u has the longer way to go: from then on sigma is this share of the first. One photograph in
eighty had not converged in 10,000 iterations without."""

_PATIENCE, _FALL, _WAIT = 96, 0.7, 0.5
"""The average is first taken after `_PATIENCE` iterations; a restart needs a gap below the share `_FALL` of the present
one. The next trial comes after as many iterations again, or after a restart `_WAIT` times those done so far."""


def initial_scale(problem: Problem) -> float:
    """sqrt(sigma / tau) at first: p moves on the scale of its radius, u on that of 1."""
    radius = float(problem.dual_radius.mean(dtype=np.float64))
    quadratic, absolute = problem.quadratic_weight, problem.l1_weight
    if not (quadratic or absolute):
        return radius
    # An image is fitted over some sqrt(alpha) pixels, whatever its dual variable's length; measured on photographs.
    return max(2 * quadratic, 12 * float(np.sqrt(quadratic * radius)), 9 * float(np.sqrt(absolute * radius)))


def dual_step(norm: float, data_size: Any, scale: Any) -> Any:
    """The dual step sigma for which sqrt(sigma / tau) is `scale`; floats, or arrays with one entry a problem.

    `data_size` is the mean size of the data term's coefficients.
    """
    # No flow longer than the whole data term is needed; and with alpha = 0 one step has to do.
    scale = np.clip(scale, 1e-6 * data_size, 1e3 * data_size)
    return np.where(scale > 0, scale, 1.0) / norm


class StepSizes:
    """tau and sigma of one grid: `norm` bounds |K|, `sigma` is the first dual step, and (u, p) the start."""

    def __init__(self, norm: float, sigma: float, u: Any, p: Any) -> None:
        self._norm, self._first, self.gain = norm, sigma, _ADAPT
        self.set(sigma)
        self.remember(u, p)

    def set(self, sigma: float) -> None:
        """Take this sigma, and the tau that belongs to it."""
        self.sigma, self.tau = sigma, 1.0 / (sigma * self._norm**2)

    def remember(self, u: Any, p: Any) -> None:
        """Measure the next movement from this pair."""
        every = max(u.shape[1] // _SAMPLES, 1)
        self._before = u[:, ::every].copy(), p[:, :, ::every].copy()

    def adapt(self, iteration: int, u: Any, p: Any) -> None:
        """Lengthen the step of whichever of u and p has moved further."""
        before = self._before
        if iteration < _LATE:
            self.remember(u, p)
        self.follow(iteration, *(float(((a - b) ** 2).sum() ** 0.5) for a, b in zip(self._before, before, strict=True)))

    def follow(self, iteration: int, du: float, dp: float) -> None:
        """`adapt`, where it is known how far u and p have moved since it was called last."""
        if iteration >= _LATE:
            self.set(_LATE_SHARE * self._first)
            return
        if du > 0 and dp > 0:
            wanted = dp / (du * self._norm)
            sigma = self.sigma * (wanted / self.sigma) ** self.gain
            self.set(float(np.clip(sigma, self._first / 8, 4 * self._first)))
        self.gain *= _COOLING


class AverageIterate:
    """The running average of evaluated pairs (u, p), and when it is tried as a new start."""

    def __init__(self) -> None:
        self._sums: tuple[Any, Any] | None = None
        self._count, self._since, self._trial = 0, 0, 2 * _PATIENCE

    def add(self, iteration: int, u: Any, p: Any) -> tuple[Any, Any] | None:
        """Count one more pair (copied); the average u and p if they are due for a trial, else None."""
        if iteration < _PATIENCE:
            return None
        if self._sums is None:
            self._sums, self._count, self._since = (u.copy(), p.copy()), 1, iteration
            return None
        for total, array in zip(self._sums, (u, p), strict=True):
            total += array
        self._count += 1
        if iteration < self._trial:
            return None
        self._trial = iteration + max(_PATIENCE, iteration - self._since)
        return self.pair()

    def pair(self) -> tuple[Any, Any]:
        """The average u and p."""
        assert self._sums is not None
        u, p = self._sums
        share = u.dtype.type(1 / self._count)
        return u * share, p * share

    def restarts(self, iteration: int, gap: float, present: float) -> bool:
        """Whether a gap is enough below the present one to restart there; if so, a new average begins."""
        if not gap < _FALL * present:
            return False
        self._sums, self._trial = None, iteration + max(_PATIENCE, int(_WAIT * iteration))
        return True
