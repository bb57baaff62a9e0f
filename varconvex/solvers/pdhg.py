"""The over-relaxed primal-dual hybrid gradient method, stopped by a true gap.

    u_new = prox_tau(u - tau K* p),   p_new = Pi(p + sigma K (2 u_new - u)),   (u, p) += rho ((u_new, p_new) - (u, p))

    gap = E(u) - E*(p) >= E(u) - min E >= 0

with K the gradient, tau sigma |K|^2 <= 1 and 0 < rho < 2 (Chambolle, Pock 2011, doi:10.1007/s10851-010-0251-1; Condat
2013, doi:10.1007/s10957-012-0245-9). The solver starts from the half-size problem's answer, which it solves in the same
way: p carries flow over long distances, which a coarse grid does in few steps.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem, get_backend
from ..energies.base import Energy
from ..errors import ConvergenceWarning, InvalidParameterError
from ._mean import Mean
from ._memory import or_on_the_cpu

RELAXATION = 1.9
_RATIO = 1.0
"""sigma / tau = (ratio r)^2 at first, with r the mean radius: p lives on that scale, and u on 1."""

_ADAPT, _CALMER, _SAMPLES = 0.5, 0.97, 32
"""At a look, sigma / tau goes this share of the way (in logarithms) to the ratio in which p and u have moved since the
last one (Applegate et al. 2021, arXiv:2106.04756), then less and less; movement is measured in so many slabs or more.
"""

_LATE, _LATE_SHARE = 800, 0.1
"""What is not done after so many iterations waits for u: from then on sigma is this share of the first. One photograph
in eighty had not converged in 10,000 without."""

_SWINGS, _CALMED, _PATIENCE = 96, 0.7, 0.5
"""What is not done after so many iterations may swing: then the mean since the last restart is judged, and where its
gap is below this share of the present one, it is the new start; the next trial comes so much later, or after as many
iterations again."""

_LOOK_LEAST, _LOOK_MOST, _LOOK_SHARE = 8, 48, 0.8
"""Iterations between two looks at the gap, which cost as much as three: within these, and this share of what is left
to do if the gap goes on falling as it did."""

_SMALL, _COARSE_LOOK = 2**17, 32
"""On a coarse grid of so few pixels a look takes as long as so many iterations, which are the least between two. Larger
grids are not looked at before their first iterations: there it costs more than knowing the gap's fall sooner saves."""

LEAST_SIZE = 1e-3
"""The gap is relative to the energy, or, where that is nearly 0 by cancellation, to this share of the data's size."""

_AFRESH = 8
"""Looks after which what is at rest is asked again: what creeps by less than is noticed must not be left for good."""

_CHUNK_SECONDS = 0.1
"""Longest stay in one kernel call, so that Ctrl-C, the time limit and the callback are heard."""


COARSEST, COARSE_ITERATIONS = 32, 500
"""A grid whose shorter side is below twice the first is solved as it stands; most iterations on a coarse grid, which
only has to be a good start: below the tolerance its own discretisation is the error."""


_REACH = 0.1
"""Of the range of an image that is pulled to its data, how far the flow on a grid must be able to take it away."""


@dataclass(frozen=True)
class Progress:
    """What a callback is shown.

    Attributes
    ----------
    iteration : int
        Iterations done on the grid of full size.
    seconds : float
        Since the start, coarser grids included.
    primal, dual : float
        Energy of u, and the best lower bound so far.
    relative_gap : float
        Their difference as a share of the energy.
    u : array
        A copy of the current u, in the shape of the cost.
    """

    iteration: int
    seconds: float
    primal: float
    dual: float
    relative_gap: float
    u: Any


@dataclass(frozen=True)
class Solution:
    """A minimiser with its certificate.

    Attributes
    ----------
    u : array float32
        In [0, 1], in the shape of the cost; (K, *spatial) for K labels.
    p : (d, L, *spatial) array float32
        Dual variable, one component a spatial axis.
    binary : array
        The rounded u, float32 zeros and ones; of `ROF` and `TVL1` u itself, for which `labels` and `mask` mean nothing.
    energy : float
        Energy of `binary`.
    primal, dual : float
        Energy of u, and a lower bound of every energy.
    gap, relative_gap : float
        primal - dual, and the same as a share of the energy's size (or of a thousandth of the data's, if that is more),
        not counting what all labels cost in common.
    history : tuple of (iteration, seconds, primal, dual)
        One entry a look at the gap, on the grid of full size.
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
    status: str

    @property
    def gap(self) -> float:
        """Primal - dual, in the unit of the cost."""
        return self.primal - self.dual

    @property
    def iterations(self) -> int:
        """Iterations on the grid of full size."""
        return self.history[-1][0]

    @cached_property
    def labels(self) -> Any:
        """Index of each pixel's label; for two regions 1 is the object."""
        return self.binary.argmax(axis=0) if self.p.shape[1] > 1 else self.mask.astype(np.int64)

    @cached_property
    def mask(self) -> Any:
        """The object, bool; for K labels everything but label 0."""
        return self.binary > 0.5 if self.p.shape[1] == 1 else self.labels > 0


@or_on_the_cpu
def pdhg(
    energy: Energy,
    *,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 1e-3,
    time_limit: float | None = None,
    callback: Callable[[Progress], object] | None = None,
    coarse_to_fine: bool = True,
    start: Solution | None = None,
) -> Solution:
    """Minimise an energy until the primal-dual gap certifies the answer.

    Parameters
    ----------
    energy : TwoPhase, Potts or another energy
        What to minimise.
    backend : {"numba", "numpy", "cupy"} or None
        None works where the cost lives: NumPy arrays with Numba, CuPy arrays on their GPU.
    max_iter : int
        Most iterations on the grid of full size.
    tol : float
        Relative gap to stop at. Smaller is closer to the optimum; 0 runs until `max_iter`.
    time_limit : float, optional
        Most seconds; the best answer so far is returned.
    callback : callable, optional
        Called with a `Progress` at each look at the gap. Returning True stops the solver.
    coarse_to_fine : bool
        Start from the half-size problem's answer; without a say where `start` is given.
    start : Solution, optional
        Start from the answer to a problem like this one, on the same grid (another cost, one more stroke, a
        quadratic term) or on one of half the size. The same tolerance is met in a fraction of the time where little
        has changed.

    Returns
    -------
    Solution

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range.
    BackendUnavailableError
        If the backend cannot run here.

    Warns
    -----
    ConvergenceWarning
        If `tol` was not met.
    DeviceMemoryWarning
        If a GPU's memory did not suffice, so that the CPU solved the problem.

    References
    ----------
    Chambolle, Pock, J. Math. Imaging Vis. 40, 2011, doi:10.1007/s10851-010-0251-1

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import TwoPhase, pdhg
    >>> solution = pdhg(TwoPhase(np.random.default_rng(0).normal(size=(40, 50)), alpha=1.0))
    >>> solution.gap >= 0
    True
    """
    if not hasattr(energy, "problem") or isinstance(energy, type):
        raise InvalidParameterError(
            f"energy must be an energy such as TwoPhase(cost, alpha=1.0); got {energy!r:.80}. Wrap the cost in one."
        )
    max_iter = checks.whole_number("max_iter", max_iter)
    tol = checks.real_number("tol", tol)
    checks.function("callback", callback)
    limit = np.inf if time_limit is None else checks.real_number("time_limit", time_limit)
    backend = get_backend(backend, getattr(energy, "cost", getattr(energy, "image", None)))
    begin = time.perf_counter()
    problems = [energy.problem(backend)]
    if problems[0].truncated:
        raise InvalidParameterError(
            f"energy must be convex; got {type(energy).__name__}, which is not and has no gap. Use stationary(energy)."
        )
    size = backend.mean_size(problems[0].cost) + problems[0].l1_weight
    if start is not None:
        warm = _warm(energy, backend, problems[0], start)
    while start is None and coarse_to_fine and _worth_coarsening(problems[-1]):
        problems.append(backend.coarsen(problems[-1]))
    descent: _Descent | None = None
    while problems:
        problem = problems.pop()
        finest = not problems
        if start is not None:
            u, p = warm
        elif descent is None:
            u = energy.start(backend, problem)
            p = backend.xp.zeros((len(problem.steps), *u.shape), dtype=u.dtype)
        else:
            u, p = backend.prolong(problem, descent.u, descent.p)
        descent = _Descent(energy, backend, problem, u, p, size, begin)
        small = u[0].size <= _SMALL
        if small or start is not None or max_iter == 0:
            descent.look(0)
        if finest:
            descent.run(max_iter, tol, limit, callback)
        else:
            descent.look_least = _COARSE_LOOK if small else _LOOK_LEAST
            descent.run(COARSE_ITERATIONS, tol, limit, None)
    assert descent is not None
    binary, rounded = energy.round(backend, descent.problem, descent.u)
    if descent.status not in ("converged", "stopped"):
        checks.warn_caller(
            f"the relative gap is {descent.relative_gap:.2g} where {tol:.2g} was asked for ({descent.status} after "
            f"{descent.history[-1][0]} iterations); raise max_iter or time_limit, or tol",
            ConvergenceWarning,
        )
    per_pixel = descent.problem.cost_unit / descent.problem.value_scale
    u = energy.present(descent.u)
    return Solution(
        u=u,
        p=descent.p if per_pixel == 1 else descent.p * np.float32(per_pixel),
        binary=u if binary is descent.u else energy.present(binary),
        energy=rounded,
        primal=descent.primal,
        dual=descent.dual,
        relative_gap=descent.relative_gap,
        history=tuple(descent.history),
        converged=descent.relative_gap <= tol,
        status=descent.status,
    )


def _worth_coarsening(problem: Problem) -> bool:
    """Whether a grid of half the size is large enough, and flow of half the length can do much to u there."""
    d = problem.cost.ndim - 1
    reach = d * float(problem.dual_radius.mean(dtype=np.float64))
    return min(problem.cost.shape[1:]) >= 2 * COARSEST and (
        problem.l1_weight > 0 or reach >= _REACH * problem.quadratic_weight
    )


def _warm(energy: Energy, backend: ArrayBackend, problem: Problem, start: Solution) -> tuple[Any, Any]:
    """The pair of another solution, made feasible for this problem; one of half the size is prolonged."""
    shape = problem.cost.shape
    half = (shape[0], *(-(-n // 2) for n in shape[1:]))
    p = start.p if isinstance(start, Solution) else None
    if p is None or p.shape[0] != len(problem.steps) or p.shape[1:] not in (shape, half):
        got = f"p of shape {p.shape}" if p is not None else repr(start)[:60]
        raise InvalidParameterError(
            f"start must be a Solution with p of shape {(len(problem.steps), *shape)}, this grid's, or "
            f"{(len(problem.steps), *half)}, half of it; got {got}. Leave it out to start from coarse grids."
        )
    u = backend.asarray(energy.recall(start.u))
    per_pixel = problem.cost_unit / problem.value_scale
    p = backend.asarray(p if per_pixel == 1 else p / np.float32(per_pixel))
    if p.shape[1:] != shape:
        return backend.prolong(problem, u, p)
    p = backend.project_ball(p, problem.dual_radius, problem.isotropic, problem.coupling)
    # Copies: the other solution stays what it is.
    u = backend.asarray(backend.project(u, problem) + u.dtype.type(0))
    return u, backend.asarray(p + p.dtype.type(0))


class _Descent:
    """One grid's iterations: the state, the step sizes, and what is known of the gap."""

    def __init__(
        self, energy: Energy, backend: ArrayBackend, problem: Problem, u: Any, p: Any, size: float, start: float
    ) -> None:
        self.energy, self.backend, self.problem, self.start = energy, backend, problem, start
        self.u, self.p = u, p
        self.floor = LEAST_SIZE * problem.cost_unit * size * u.size + np.finfo(np.float64).tiny
        self.first = _step(problem.norm, size, _scale(problem))
        self._set_step(self.first)
        self.gain = _ADAPT
        self.before = self._sample()
        self.active_set = backend.new_active_set(problem)
        self.mean: Mean | None = None
        self.trial = 2 * _SWINGS
        self.status, self.look_least = "max_iter", _LOOK_LEAST
        self.history: list[tuple[int, float, float, float]] = []
        self.dual, self.relative_gap = -np.inf, np.inf

    def look(self, iteration: int) -> None:
        """Note both bounds."""
        self._note(iteration, *self.backend.values(self.problem, self.u, self.p))

    def _note(self, iteration: int, primal: float, dual: float) -> None:
        self.primal = primal
        # In exact arithmetic dual <= primal; a bound that is lowered stays a bound.
        self.dual = min(max(self.dual, dual), self.primal)
        common = self.problem.common_cost
        size = max(abs(self.primal - common), abs(self.dual - common), self.floor)
        self.relative_gap = (self.primal - self.dual) / size
        self.history.append((iteration, time.perf_counter() - self.start, self.primal, self.dual))

    def _set_step(self, sigma: float) -> None:
        self.sigma, self.tau = sigma, 1.0 / (sigma * self.problem.norm**2)

    def _sample(self) -> tuple[Any, Any]:
        every = max(self.u.shape[1] // _SAMPLES, 1)
        return self.u[:, ::every].copy(), self.p[:, :, ::every].copy()

    def _adapt(self) -> None:
        """Lengthen the steps of whichever of u and p has to go further; late ones are u's."""
        if self.history[-1][0] >= _LATE:
            self._set_step(_LATE_SHARE * self.first)
            return
        after = self._sample()
        du, dp = (float(((new - old) ** 2).sum() ** 0.5) for new, old in zip(after, self.before, strict=True))
        self.before = after
        if du > 0 and dp > 0:
            wanted = dp / (du * self.problem.norm)
            sigma = self.sigma * (wanted / self.sigma) ** self.gain
            self._set_step(float(np.clip(sigma, self.first / 8, 4 * self.first)))
        self.gain *= _CALMER

    def _calm(self) -> None:
        """Begin anew from the mean of what has been, where that is better: it does not swing."""
        done = self.history[-1][0]
        if done < _SWINGS:
            return
        if self.mean is None:
            self.mean = Mean(self.u, self.p, done)
            return
        self.mean.add(self.u, self.p)
        if done < self.trial:
            return
        u, p = self.mean.pair()
        primal, dual = self.backend.values(self.problem, u, p)
        self.trial = done + max(_SWINGS, done - self.mean.begun)
        if primal - max(self.dual, dual) < _CALMED * (self.primal - self.dual):
            self.u[...], self.p[...] = u, p
            self.history.pop()
            self._note(done, primal, dual)
            self.before, self.mean = self._sample(), None
            self.trial = done + max(_SWINGS, int(_PATIENCE * done))
            if self.active_set:
                self.active_set.reset()

    def run(self, max_iter: int, tol: float, limit: float, callback: Callable[[Progress], object] | None) -> None:
        """Iterate until the gap, the number of iterations, the clock or the callback says stop."""
        done, least = 0, self.active_set.block if self.active_set else 1
        chunk = max(_LOOK_LEAST, least)
        while True:
            if callback is not None and self.history and _says_stop(callback(self._progress())):
                self.status = "stopped"
                return
            if self.relative_gap <= tol:
                self.status = "converged"
                return
            if done >= max_iter:
                self.status = "max_iter"
                return
            until = min(done + self._ahead(tol), max_iter)
            while done < until:
                before = time.perf_counter()
                if before - self.start >= limit:
                    self.status = "time_limit"
                    if not self.history or done > self.history[-1][0]:
                        self._iterate(1, 1.0, finish=True)
                        self.look(done + 1)
                    return
                n = min(chunk, until - done)
                # How an interval is cut into chunks depends on the clock; what is computed must not.
                self._iterate(n, RELAXATION, finish=done + n == until)
                done += n
                took = max(time.perf_counter() - before, 1e-9) / n
                chunk = max(int(np.clip(_CHUNK_SECONDS / took, 1, _LOOK_MOST)) // least * least, least)
            self.look(done)
            self._adapt()
            self._calm()
            if self.active_set and len(self.history) % _AFRESH == 0:
                self.active_set.reset()

    def _ahead(self, tol: float) -> int:
        """Iterations until the next look."""
        left = self.look_least / _LOOK_SHARE
        if len(self.history) > 1:
            (before, _, *last), (now, _, *this) = self.history[-2:]
            fall = (last[0] - last[1]) / max(this[0] - this[1], np.finfo(np.float64).tiny)
            needed = self.relative_gap / max(tol, np.finfo(np.float64).tiny)
            left = (now - before) * np.log(needed) / np.log(fall) if fall > 1 else now / 3
        return int(np.clip(_LOOK_SHARE * left, self.look_least, _LOOK_MOST)) // self.look_least * self.look_least

    def _iterate(self, n: int, rho: float, *, finish: bool) -> None:
        self.backend.iterate(
            self.problem, self.u, self.p, n=n, tau=self.tau, sigma=self.sigma, rho=rho, finish=finish,
            active_set=self.active_set,
        )  # fmt: skip

    def _progress(self) -> Progress:
        u = self.energy.present(self.u.copy())
        iteration, seconds, primal, dual = self.history[-1]
        return Progress(iteration, seconds, primal, dual, self.relative_gap, u)


def _scale(problem: Problem) -> float:
    """sqrt(sigma / tau) at first."""
    radius = float(problem.dual_radius.mean(dtype=np.float64))
    if not (problem.quadratic_weight or problem.l1_weight):
        return _RATIO * radius
    # An image is fitted over some sqrt(alpha) pixels, whatever its dual variable's length; measured on photographs.
    pulled = max(2 * problem.quadratic_weight, 12 * float(np.sqrt(problem.quadratic_weight * radius)))
    return max(pulled, 9 * float(np.sqrt(problem.l1_weight * radius)))


def _step(norm: float, mean_cost: float, scale: float) -> float:
    """The dual step sigma for which p moves on this scale."""
    # No flow can be needed that is longer than the whole data term; and with alpha = 0 one step has to do.
    scale = float(np.clip(scale, 1e-6 * mean_cost, 1e3 * mean_cost))
    return (scale if scale > 0 else 1.0) / norm


def _says_stop(answer: object) -> bool:
    return isinstance(answer, bool | np.bool_) and bool(answer)
