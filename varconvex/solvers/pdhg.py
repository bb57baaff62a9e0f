"""The over-relaxed primal-dual hybrid gradient method, stopped by a true gap.

    u_new = prox_tau(u - tau K* p),   p_new = Pi(p + sigma K (2 u_new - u)),   (u, p) += rho ((u_new, p_new) - (u, p))

    gap = E(u) - E*(p) >= E(u) - min E >= 0

with K the gradient, tau sigma |K|^2 <= 1 and 0 < rho < 2 (Chambolle, Pock 2011, doi:10.1007/s10851-010-0251-1; Condat
2013, doi:10.1007/s10957-012-0245-9). The solver starts from the half-size problem's answer, which it solves in the same
way: p carries flow over long distances, which a coarse grid does in few steps.
"""

import time
import warnings
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from .. import checks, memory
from ..backends import ArrayBackend, Problem, get_backend
from ..energies.base import Energy
from ..energies.potts import Potts
from ..energies.total_variation import supports
from ..energies.two_phase import TwoPhase
from ..errors import ConvergenceWarning, InvalidParameterError
from ..keywords import known_keywords
from ..options import TV, Status
from ..threads import checkpoint
from ._memory import or_on_the_cpu
from .solution import Callback, GapRecord, Progress, Solution, StoppingRules, check_energy
from .steps import AverageIterate, StepSizes, dual_step, initial_scale

__all__ = ["Progress", "Solution", "pdhg", "warm_up"]

RELAXATION = 1.9

_LEAST_INTERVAL, _MOST_INTERVAL, _SHARE = 8, 48, 0.8
"""Iterations between two gap evaluations, each of which costs as much as three: within these, and this share of the
iterations left if the gap goes on falling as it did."""

_SMALL, _COARSE_INTERVAL = 2**17, 32
"""On a coarse grid of so few pixels an evaluation takes as long as so many iterations, which are the least between two.
Larger grids are not evaluated before their first iterations: knowing the fall of the gap sooner saves less."""

_RESET = 8
"""Evaluations after which all pixels are active again: some creep by less than the active set notices."""

_CHUNK_SECONDS = 0.1
"""Longest time in one kernel call, so that Ctrl-C and the time limit take effect."""

_BYTES, _BYTES_AN_AXIS = 5, 10
"""Memory that a label takes at a pixel, measured: cost, u and p, copies of both, coarse grids."""

COARSEST, COARSE_ITERATIONS = 32, 500
"""A grid whose shorter side is below twice the first is not coarsened. Most iterations on a coarse grid: it only has to
give a good start, and below the tolerance its own discretisation is the error."""

_REACH = 0.1
"""Least change of u, as a share of its range, that flow on a grid must allow against a quadratic term to be solved."""


@known_keywords
@or_on_the_cpu
def pdhg(
    energy: Energy,
    *,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 1e-3,
    time_limit: float | None = None,
    callback: Callback = None,
    coarse_to_fine: bool = True,
    start: Solution | None = None,
) -> Solution:
    """Minimise an energy until the primal-dual gap certifies the answer.

    Parameters
    ----------
    energy : TwoPhase, Potts or another energy
        What to minimise.
    backend : {"numba", "numpy", "cupy"} or None
        None is Numba for NumPy arrays, and the GPU that holds them for CuPy arrays.
    max_iter : int
        Most iterations on the grid of full size. 0 does none on any grid: the start is evaluated and returned, and no
        warning given.
    tol : float
        Relative gap to stop at. Smaller is closer to the optimum; 0 runs until `max_iter`.
    time_limit : float, optional
        Most seconds; the best answer so far is returned.
    callback : callable, optional
        Called with a `Progress` at each gap evaluation. Returning True stops the solver.
    coarse_to_fine : bool
        Start from the half-size problem's answer; no effect where `start` is given.
    start : Solution, optional
        Start from the answer to a similar problem on the same grid (another cost, one more stroke, a quadratic term),
        or on one of half the size. Where little has changed, the tolerance is met in a fraction of the time.

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
        If `tol` was not met, and `max_iter` is not 0.
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
    check_energy("energy", energy, "TwoPhase(cost, alpha=1.0)")
    rules = StoppingRules.checked(max_iter, tol, time_limit, callback)
    coarse_to_fine = checks.boolean("coarse_to_fine", coarse_to_fine)
    backend = get_backend(backend, getattr(energy, "cost", getattr(energy, "image", None)))
    if backend.xp is np:
        labels, *spatial = energy.shape
        needed = labels * float(np.prod(spatial)) * (_BYTES + _BYTES_AN_AXIS * len(spatial))
        memory.require(
            needed,
            f"solving for {labels} label(s) on {tuple(spatial)} pixels",
            "Cut out a part, halve its size, or pass fewer labels.",
        )
    problems = [energy.problem(backend)]
    if problems[0].truncated:
        raise InvalidParameterError(
            f"energy must be convex; got {type(energy).__name__}, which is not and has no gap. Use stationary(energy)."
        )
    data_size = backend.mean_size(problems[0].cost) + problems[0].l1_weight
    pair = None if start is None else _warm(energy, backend, problems[0], start)
    if pair is None and coarse_to_fine and rules.max_iter:
        while _worth_coarsening(problems[-1]):
            problems.append(backend.coarsen(problems[-1]))
    coarse_rules = replace(rules, max_iter=COARSE_ITERATIONS, callback=None)
    while problems:
        problem = problems.pop()
        finest = not problems
        if pair is None:
            u = energy.start(backend, problem)
            pair = u, backend.xp.zeros((len(problem.steps), *u.shape), dtype=u.dtype)
        elif start is None and problem.coupling == "pairwise" and rules.out_of_time():
            # Projecting p of many labels may take as long as all iterations; p = 0 is feasible.
            coarse, flow = backend.spread(*pair, problem.cost.shape[1:], problem.offsets)
            pair = backend.asarray(backend.project(coarse, problem)), backend.xp.zeros_like(flow)
        elif start is None:
            pair = backend.prolong(problem, *pair)
        small = pair[0][0].size <= _SMALL
        record = GapRecord(energy, backend, problem, data_size, pair[0].size, rules if finest else coarse_rules)
        if small or start is not None or not rules.max_iter:
            record.evaluate(0, *pair)
        status = _descend(record, *pair, _COARSE_INTERVAL if small and not finest else _LEAST_INTERVAL)
    assert pair is not None
    detail = f" ({status} after {record.iteration} iterations)"
    if status == "time_limit" and problem.coupling == "pairwise":
        detail += f"; with {len(problem.cost)} labels of relaxation='ccp' each takes {record.pace:.1g} s: use 'zach'"
    sentence = "the relative gap is {found} where {tol} was asked for"
    rules.warn(status, sentence, record.relative_gap, detail)
    return record.solution(*pair, status)


def _worth_coarsening(problem: Problem) -> bool:
    """Whether the half-size grid is large enough, and its shorter flow can move u against a quadratic term."""
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


def _descend(record: GapRecord, u: Any, p: Any, least_interval: int) -> Status:
    """Iterate on one grid, in place, until a rule says stop; (u, p) is then the pair of the last evaluation."""
    backend, problem, rules = record.backend, record.problem, record.rules
    sigma = float(dual_step(problem.norm, record.data_size, initial_scale(problem)))
    steps, average = StepSizes(problem.norm, sigma, u, p), AverageIterate()
    active_set = backend.new_active_set(problem)

    def iterate(n: int, rho: float, finish: bool) -> None:
        backend.iterate(
            problem, u, p, n=n, tau=steps.tau, sigma=steps.sigma, rho=rho, finish=finish, active_set=active_set
        )

    done, block = 0, active_set.block if active_set else 1
    # One of many coupled labels may take seconds.
    chunk = 1 if problem.coupling == "pairwise" else max(_LEAST_INTERVAL, block)
    while True:
        status = record.status(u) if record.history else None
        if status:
            return status
        until = min(done + _interval(record, least_interval), rules.max_iter)
        while done < until:
            checkpoint()
            if rules.out_of_time():
                if done > record.iteration:
                    before = time.perf_counter()
                    iterate(1, 1.0, True)
                    record.pace = record.pace or time.perf_counter() - before
                    record.evaluate(done + 1, u, p)
                return "time_limit"
            before = time.perf_counter()
            n = min(chunk, until - done)
            # How an interval is cut into chunks depends on the clock; what is computed must not.
            iterate(n, RELAXATION, done + n == until)
            done += n
            seconds = record.pace = max(time.perf_counter() - before, 1e-9) / n
            chunk = max(int(np.clip(_CHUNK_SECONDS / seconds, 1, _MOST_INTERVAL)) // block * block, block)
        record.evaluate(done, u, p)
        steps.adapt(done, u, p)
        restarted = _restart(record, average, u, p)
        if restarted:
            steps.remember(u, p)
        if active_set and (restarted or len(record.history) % _RESET == 0):
            active_set.reset()


def _restart(record: GapRecord, average: AverageIterate, u: Any, p: Any) -> bool:
    """Overwrite the pair by the average iterate, where that is due and has the smaller gap; whether it was."""
    done = record.iteration
    pair = average.add(done, u, p)
    if pair is None:
        return False
    primal, dual = record.backend.values(record.problem, *pair)
    if not average.restarts(done, primal - max(record.dual, dual), record.primal - record.dual):
        return False
    u[...], p[...] = pair
    record.note(done, primal, dual)
    return True


def _interval(record: GapRecord, least: int) -> int:
    """Iterations until the next gap evaluation."""
    left = least / _SHARE
    if len(record.history) > 1:
        (before, _, *last), (now, _, *this) = record.history[-2:]
        tiny = np.finfo(np.float64).tiny
        fall = (last[0] - last[1]) / max(this[0] - this[1], tiny)
        needed = record.relative_gap / max(record.rules.tol, tiny)
        left = (now - before) * np.log(needed) / np.log(fall) if fall > 1 else now / 3
    return int(np.clip(_SHARE * left, least, _MOST_INTERVAL)) // least * least


@known_keywords
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
    backend, ndim = get_backend(backend), checks.whole_number("ndim", ndim, least=2, most=3)
    # Large enough for one coarser grid, and for two threads.
    cost = np.linspace(-1, 1, 64**ndim, dtype=np.float32).reshape((64,) * ndim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for tv in (tv for tv in get_args(TV) if supports(tv, ndim)):
            pdhg(TwoPhase(cost, 0.1, tv=tv), backend=backend, max_iter=1)
            pdhg(Potts(np.stack([cost, -cost]), 0.1, tv=tv), backend=backend, max_iter=1)
