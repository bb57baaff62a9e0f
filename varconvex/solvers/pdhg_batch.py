"""Several energies at once, each stopped by its own gap.

A small image does not fill a GPU: most of the time goes by with launches. So images of one shape are iterated together,
one launch for all, each with its own step sizes; an image whose gap is small enough is left out, and the rest go on.
Like `pdhg` it works coarse to fine, over-relaxed, with bounds in double precision.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..backends import ArrayBackend, Problem, get_backend
from ..energies.base import Energy
from ..options import Status
from ._memory import of_a_gpu
from .gap import GapRecord
from .pdhg import COARSE_ITERATIONS, COARSEST, RELAXATION, pdhg
from .solution import Progress, Solution
from .steps import dual_step
from .stopping import Callback, StoppingRules, check_energy

_RATIO, _LATE_RATIO, _LATE = 0.7, 0.2, 800
"""sigma / tau = (ratio r)^2 with r the mean radius; after so many iterations the second ratio holds. Steps are not
adapted as in `pdhg`: that would read every u and p."""

_FIRST_INTERVAL, _MOST_INTERVAL = 16, 48
"""Iterations until the first gap evaluation, then twice as many each time up to the second number: multiples of the
iterations that one launch can do."""


def pdhg_batch(
    energies: Iterable[Energy],
    *,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 1e-3,
    time_limit: float | None = None,
    callback: Callback = None,
    coarse_to_fine: bool = True,
) -> list[Solution]:
    """Minimise several energies until each one's primal-dual gap certifies its answer.

    On a GPU energies of one kind and shape are solved together, which is many times faster than one after the other
    where images are small. Other backends solve one after the other.

    Parameters
    ----------
    energies : iterable of energies
        What to minimise; any mixture of kinds and shapes, but fast where there are few of them.
    backend, max_iter, tol, time_limit
        As in `pdhg`; each energy has its own `max_iter` and `tol`, and all of them together `time_limit`.
    callback : callable, optional
        Called with a `Progress` at each gap evaluation of each energy; its `index` says which one. Returning True stops
        this energy.
    coarse_to_fine : bool
        Start from the half-size problems' answers.

    Returns
    -------
    list of Solution
        In the order of the energies, with the guarantee of `pdhg`; iterates are other ones.

    Warns
    -----
    ConvergenceWarning
        If some did not meet `tol`, and `max_iter` is not 0; their `converged` is False.

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
        check_energy("each of energies", energy, "TwoPhase(cost, alpha=1.0)")
    rules = StoppingRules.checked(max_iter, tol, time_limit, callback)
    if not energies:
        return []
    backend = get_backend(backend, getattr(energies[0], "cost", getattr(energies[0], "image", None)))
    groups: dict[Any, list[int]] = {}
    for b, energy in enumerate(energies):
        kind = (type(energy), energy.shape, energy.spacing, getattr(energy, "tv", None)) if backend.many else b
        groups.setdefault(kind, []).append(b)
    solutions: dict[int, Solution] = {}
    for members in groups.values():
        group = {b: energies[b] for b in members}
        found = _together(group, backend, rules, coarse_to_fine) if backend.many else None
        solutions |= found or {
            b: _alone(b, energy, rules, backend=backend, coarse_to_fine=coarse_to_fine) for b, energy in group.items()
        }
    late = [solution for solution in solutions.values() if solution.status in ("max_iter", "time_limit")]
    if late and backend.many:
        worst = max(late, key=lambda solution: solution.relative_gap)
        sentence = f"{len(late)} of {len(energies)} energies did not meet the relative gap of {{tol}}; the largest is "
        sentence += "{found}"
        rules.warn(worst.status, sentence, worst.relative_gap, "")
    return [solutions[b] for b in range(len(energies))]


def _alone(b: int, energy: Energy, rules: StoppingRules, **options: Any) -> Solution:
    """The b-th energy by `pdhg`, in the time left."""
    callback = rules.callback

    def numbered(progress: Progress) -> object:
        assert callback is not None
        return callback(replace(progress, index=b))

    left = None if np.isinf(rules.seconds) else max(rules.seconds - rules.elapsed(), 0.0)
    return pdhg(
        energy, max_iter=rules.max_iter, tol=rules.tol, time_limit=left, callback=callback and numbered, **options
    )


def _together(
    energies: dict[int, Energy], backend: ArrayBackend, rules: StoppingRules, coarse_to_fine: bool
) -> dict[int, Solution] | None:
    """Solutions of a group, or None if a GPU cannot hold them together or has no kernel for the kind."""
    try:
        return _descend(energies, backend, rules, coarse_to_fine)
    except MemoryError as error:
        if not of_a_gpu(error):
            raise
        return None


def _descend(
    energies: dict[int, Energy], backend: ArrayBackend, rules: StoppingRules, coarse_to_fine: bool
) -> dict[int, Solution] | None:
    problems = [energy.problem(backend) for energy in energies.values()]
    if any(q.l1_weight or q.truncated or q.coupling != "separate" for q in problems):
        return None
    shape = next(iter(energies.values())).shape
    levels = [(problems, shape)]
    while coarse_to_fine and rules.max_iter and min(shape[1:]) >= 2 * COARSEST:
        shape = (shape[0], *(-(-n // 2) for n in shape[1:]))
        levels.append((backend.coarsen_many(levels[-1][0]), shape))
    pairs = None
    coarse_rules = replace(rules, max_iter=min(COARSE_ITERATIONS, rules.max_iter), callback=None)
    for level, shape in reversed(levels):
        finest = level is problems
        group = _Group(energies, level, shape, backend, pairs, rules if finest else coarse_rules)
        group.run()
        pairs = group.u, group.p
    return group.solutions()


class _Group:
    """One grid's iterations for several problems: u (B, L, *spatial), p (B, k, L, *spatial), and a gap record each.

    `energies` are by position in the batch, `shape` is that of each u, and `pairs` the (u, p) of the half-size grid.
    """

    def __init__(
        self, energies: dict[int, Energy], problems: Sequence[Problem], shape: tuple[int, ...], backend: ArrayBackend,
        pairs: tuple[Any, Any] | None, rules: StoppingRules,
    ) -> None:  # fmt: skip
        xp = backend.xp
        self.problems, self.backend, self.rules = problems, backend, rules
        if pairs is None:
            self.u = xp.stack([_without_boundary(backend, problem, shape) for problem in problems])
            self.p = xp.zeros((len(problems), len(problems[0].steps), *shape), dtype=self.u.dtype)
        else:
            self.u, self.p = _prolong(backend, problems[0], *pairs, shape)
        sums = [abs(q.cost).sum(dtype=np.float64) for q in problems]
        means = [q.dual_radius.mean(dtype=np.float64) for q in problems]
        # One transfer from the device for all problems.
        data, radius = backend.to_numpy(xp.stack([xp.stack(sums), xp.stack(means)]))
        data_sizes, norm = data / self.u[0].size, problems[0].norm
        self.sigma, self.late_sigma = (dual_step(norm, data_sizes, r * radius) for r in (_RATIO, _LATE_RATIO))
        self.records = {
            b: GapRecord(energy, backend, problem, size, self.u[0].size, rules)
            for (b, energy), problem, size in zip(energies.items(), problems, data_sizes.tolist(), strict=True)
        }
        self.status: list[Status | None] = [None] * len(problems)

    def run(self) -> None:
        """Iterate until a rule says stop for each problem."""
        done, norm = 0, self.problems[0].norm
        if not self.rules.max_iter:
            self._evaluate(0)
        while None in self.status:
            sigma = self.late_sigma if done >= _LATE else self.sigma
            n = min(max(done, _FIRST_INTERVAL), _MOST_INTERVAL, self.rules.max_iter - done)
            self.backend.iterate_many(
                self.problems, self.u, self.p, n=n, tau=(1.0 / (sigma * norm * norm)).tolist(), sigma=sigma.tolist(),
                rho=RELAXATION, finish=True, active=[status is None for status in self.status],
            )  # fmt: skip
            done += n
            self._evaluate(done)

    def _evaluate(self, iteration: int) -> None:
        """Evaluate the gap of each problem that is not stopped, and whether to stop it."""
        values = self.backend.values_many(self.problems, self.u, self.p).tolist()
        for i, (b, record) in enumerate(self.records.items()):
            if self.status[i] is None:
                record.note(iteration, *values[i])
                self.status[i] = record.status(self.u[i], b)

    def solutions(self) -> dict[int, Solution]:
        """By position in the batch."""
        return {
            b: record.solution(u, p, status)
            for (b, record), u, p, status in zip(self.records.items(), self.u, self.p, self.status, strict=True)
            if status is not None
        }


def _without_boundary(backend: ArrayBackend, problem: Problem, shape: tuple[int, ...]) -> Any:
    """The minimiser for alpha = 0: on a box or simplex without a quadratic term, wherever a long step downhill ends."""
    downhill = -problem.cost * np.float32(1.0 / problem.quadratic_weight if problem.quadratic_weight else 1e6)
    return backend.xp.broadcast_to(backend.project(downhill, problem), shape)


def _prolong(backend: ArrayBackend, problem: Problem, u: Any, p: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Coarse pairs on grids of `shape`; not feasible before the first iteration, which projects them."""
    u, p = backend.spread(u, backend.xp.moveaxis(p, 1, 0), shape[1:], problem.offsets)
    return backend.asarray(u), backend.asarray(backend.xp.moveaxis(p, 0, 1))
