"""Several energies at once, each stopped by its own gap.

A small image does not fill a GPU: most of the time goes by with launches. So images of one shape are iterated
together, one launch for all, with step sizes of their own; an image whose gap is small enough takes part no longer, and
the rest go on. Each is treated like `pdhg` treats it alone: coarse to fine, over-relaxed, with bounds in double
precision.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem, get_backend
from ..energies.base import Energy
from ..errors import ConvergenceWarning, InvalidParameterError
from ._memory import of_a_gpu
from .pdhg import COARSE_ITERATIONS, COARSEST, LEAST_SIZE, RELAXATION, Solution, pdhg

_RATIO, _LATE_RATIO, _LATE = 0.7, 0.2, 800
"""sigma / tau = (ratio r)^2 with r the mean radius; what is not done after so many iterations gets the second ratio. No
adapting as in `pdhg`: it would look at every u and p."""

_LOOK_FIRST, _LOOK_EVERY = 16, 48
"""Iterations until the first look at the gaps, then twice as many each time up to the second number: multiples of what
a launch can do."""


def pdhg_batch(
    energies: Iterable[Energy],
    *,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 1e-3,
    time_limit: float | None = None,
    coarse_to_fine: bool = True,
) -> list[Solution]:
    """Minimise several energies until each one's primal-dual gap certifies its answer.

    On a GPU energies of one kind and shape are solved together, which is many times faster than one after the other
    where images are small; other backends solve one after the other, and so gain nothing.

    Parameters
    ----------
    energies : iterable of energies
        What to minimise; any mixture of kinds and shapes, but fast where there are few of them.
    backend : {"numba", "numpy", "cupy"} or None
        None works where the first cost lives: NumPy arrays with Numba, CuPy arrays on their GPU.
    max_iter : int
        Most iterations on each grid of full size.
    tol : float
        Relative gap to stop at, for each. Smaller is closer to the optimum; 0 runs until `max_iter`.
    time_limit : float, optional
        Most seconds for all of them; the best answers so far are returned.
    coarse_to_fine : bool
        Start from the half-size problems' answers.

    Returns
    -------
    list of Solution
        In the order of the energies, as `pdhg` would return them: other iterates, the same guarantee.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range, or something else than an energy is among them.
    BackendUnavailableError
        If the backend cannot run here.

    Warns
    -----
    ConvergenceWarning
        If some did not meet `tol`; their `converged` is False.

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import TwoPhase, pdhg_batch
    >>> costs = np.random.default_rng(0).normal(size=(3, 40, 50))
    >>> [solution.converged for solution in pdhg_batch(TwoPhase(cost, 1.0) for cost in costs)]
    [True, True, True]
    """
    energies = list(energies)
    for energy in energies:
        if not hasattr(energy, "problem") or isinstance(energy, type):
            raise InvalidParameterError(
                f"energies must all be energies such as TwoPhase(cost, alpha=1.0); got {energy!r:.80} among them. Wrap "
                "each cost in one."
            )
    max_iter = checks.whole_number("max_iter", max_iter)
    tol = checks.real_number("tol", tol)
    limit = np.inf if time_limit is None else checks.real_number("time_limit", time_limit)
    start = time.perf_counter()
    if not energies:
        return []
    backend = get_backend(backend, getattr(energies[0], "cost", getattr(energies[0], "image", None)))
    solutions: list[Any] = [None] * len(energies)
    groups: dict[Any, list[int]] = {}
    for b, energy in enumerate(energies):
        kind = (type(energy), energy.shape, energy.spacing, getattr(energy, "tv", None)) if backend.many else b
        groups.setdefault(kind, []).append(b)
    for members in groups.values():
        these = [energies[b] for b in members]
        found = None
        if backend.many:
            found = _together(these, backend, max_iter, tol, limit - (time.perf_counter() - start), coarse_to_fine)
        for i, b in enumerate(members):
            left = max(limit - (time.perf_counter() - start), 0.0)
            solutions[b] = found[i] if found else pdhg(
                these[i], backend=backend, max_iter=max_iter, tol=tol,
                time_limit=None if np.isinf(left) else left, coarse_to_fine=coarse_to_fine,
            )  # fmt: skip
    late = [solution for solution in solutions if not solution.converged]
    if late and backend.many:
        worst = max(solution.relative_gap for solution in late)
        checks.warn_caller(
            f"{len(late)} of {len(solutions)} energies did not meet the relative gap of {tol:.2g}; the largest is "
            f"{worst:.2g}. Raise max_iter or time_limit, or tol",
            ConvergenceWarning,
        )
    return solutions


def _together(
    energies: Sequence[Energy], backend: ArrayBackend, max_iter: int, tol: float, limit: float, coarse_to_fine: bool
) -> list[Solution] | None:
    """Their solutions, or None if they do not fit into a GPU's memory together, or are of a kind without a kernel."""
    try:
        return _descend(energies, backend, max_iter, tol, limit, coarse_to_fine)
    except MemoryError as error:
        if not of_a_gpu(error):
            raise
        return None


def _descend(
    energies: Sequence[Energy], backend: ArrayBackend, max_iter: int, tol: float, limit: float, coarse_to_fine: bool
) -> list[Solution] | None:
    start = time.perf_counter()
    problems = [energy.problem(backend) for energy in energies]
    if any(q.l1_weight or q.truncated or q.coupling != "separate" for q in problems):
        return None  # no kernel that would solve them together
    levels, shapes = [problems], [energies[0].shape]
    while coarse_to_fine and max_iter and min(shapes[-1][1:]) >= 2 * COARSEST:
        levels.append(_halved(backend, levels[-1], len(shapes[-1]) - 1))
        shapes.append((shapes[-1][0], *(-(-n // 2) for n in shapes[-1][1:])))
    state = None
    for level, shape in zip(reversed(levels), reversed(shapes), strict=True):
        finest = level is problems
        descents = _Descents(level, shape, backend, state, start)
        descents.run(max_iter if finest else min(COARSE_ITERATIONS, max_iter), tol, limit)
        state = descents.u, descents.p
    return [descents.solution(energy, b) for b, energy in enumerate(energies)]


class _Descents:
    """One grid's iterations for several problems: u (B, L, *spatial), p (B, k, L, *spatial), and each one's gap."""

    def __init__(
        self,
        problems: Sequence[Problem],
        shape: tuple[int, ...],
        backend: ArrayBackend,
        coarse: tuple[Any, Any] | None,
        start: float,
    ) -> None:
        xp = backend.xp
        self.problems, self.backend, self.start = problems, backend, start
        if coarse is None:
            self.u = xp.stack([_without_boundary(backend, problem, shape) for problem in problems])
            self.p = xp.zeros((len(problems), len(problems[0].steps), *shape), dtype=self.u.dtype)
        else:
            self.u, self.p = _prolong(backend, problems[0], *coarse, shape)
        sums = [abs(q.cost).sum(dtype=np.float64) for q in problems]
        means = [q.dual_radius.mean(dtype=np.float64) for q in problems]
        data, mean_radius = backend.to_numpy(xp.stack([xp.stack(sums), xp.stack(means)]))
        self.floor = LEAST_SIZE * data * [q.cost_unit for q in problems] + np.finfo(np.float64).tiny
        mean_cost = data / self.u[0].size
        self.steps, self.late = (_steps(problems[0], mean_cost, ratio * mean_radius) for ratio in (_RATIO, _LATE_RATIO))
        self.common = np.array([problem.common_cost for problem in problems])
        self.dual = np.full(len(problems), -np.inf)
        self.active = np.ones(len(problems), bool)
        self.history: list[list[tuple[int, float, float, float]]] = [[] for _ in problems]
        self.status = "max_iter"

    def run(self, max_iter: int, tol: float, limit: float) -> None:
        """Iterate until every gap, the number of iterations or the clock says stop."""
        done = 0
        if not max_iter:
            self._look(0, tol)
        while done < max_iter and self.active.any():
            tau, sigma = self.late if done >= _LATE else self.steps
            n = min(max(done, _LOOK_FIRST), _LOOK_EVERY, max_iter - done)
            self.backend.iterate_many(
                self.problems, self.u, self.p, n=n, tau=tau.tolist(), sigma=sigma.tolist(), rho=RELAXATION,
                finish=True, active=self.active.tolist(),
            )  # fmt: skip
            done += n
            self._look(done, tol)
            if time.perf_counter() - self.start >= limit:
                self.status = "time_limit"
                return

    def _look(self, iteration: int, tol: float) -> None:
        primal, dual = self.backend.values_many(self.problems, self.u, self.p).T
        # In exact arithmetic dual <= primal; a bound that is lowered stays a bound.
        self.primal, self.dual = primal, np.minimum(np.maximum(self.dual, dual), primal)
        size = np.maximum.reduce([abs(primal - self.common), abs(self.dual - self.common), self.floor])
        self.relative_gap = (primal - self.dual) / size
        seconds = time.perf_counter() - self.start
        for b in np.flatnonzero(self.active):
            self.history[b].append((iteration, seconds, float(primal[b]), float(self.dual[b])))
        self.active &= self.relative_gap > tol

    def solution(self, energy: Energy, b: int) -> Solution:
        """Of the b-th energy, as `pdhg` returns it."""
        problem = self.problems[b]
        binary, rounded = energy.round(self.backend, problem, self.u[b])
        converged = not self.active[b]
        return Solution(
            u=energy.present(self.u[b]),
            p=self.p[b] * np.float32(problem.cost_unit / problem.value_scale),
            binary=energy.present(binary),
            energy=rounded,
            primal=float(self.primal[b]),
            dual=float(self.dual[b]),
            relative_gap=float(self.relative_gap[b]),
            history=tuple(self.history[b]),
            converged=converged,
            status="converged" if converged else self.status,
        )


def _steps(problem: Problem, mean_cost: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each one's tau and sigma with tau sigma |K|^2 = 1."""
    norm = problem.norm
    # No flow can be needed that is longer than the whole data term; and with alpha = 0 one step has to do.
    scale = np.clip(scale, 1e-6 * mean_cost, 1e3 * mean_cost)
    sigma = np.where(scale > 0, scale, 1.0) / norm
    return 1.0 / (sigma * norm * norm), sigma


def _without_boundary(backend: ArrayBackend, problem: Problem, shape: tuple[int, ...]) -> Any:
    """The minimiser for alpha = 0: on a box or simplex without a quadratic term, wherever a long step downhill ends."""
    downhill = -problem.cost * np.float32(1.0 / problem.quadratic_weight if problem.quadratic_weight else 1e6)
    return backend.xp.broadcast_to(backend.project(downhill, problem), shape)


def _halved(backend: ArrayBackend, problems: Sequence[Problem], ndim: int) -> list[Problem]:
    """`coarsen` for all of them, one field at a time."""
    halves: list[dict[str, Any]] = [
        {"huber": 2 * q.huber, "constant": q.constant / 2**ndim, "common_cost": q.common_cost / 2**ndim}
        for q in problems
    ]
    for name in ("cost", "dual_radius", "lower", "upper"):
        arrays = [getattr(problem, name) for problem in problems]
        alike = len({array.shape for array in arrays}) == 1
        means = backend.halve(backend.xp.stack(arrays), ndim) if alike else [backend.halve(a, ndim) for a in arrays]
        for half, mean in zip(halves, means, strict=True):
            half[name] = mean * mean.dtype.type(0.5) if name == "dual_radius" else mean
    return [replace(problem, **half) for problem, half in zip(problems, halves, strict=True)]


def _prolong(backend: ArrayBackend, problem: Problem, u: Any, p: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Coarse pairs on grids of `shape`.

    They need not be feasible: the first iteration makes them so, and nobody looks before.
    """
    u, p = backend.spread(u, backend.xp.moveaxis(p, 1, 0), shape[1:], problem.offsets)
    return backend.asarray(u), backend.asarray(backend.xp.moveaxis(p, 0, 1))
