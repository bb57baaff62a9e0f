"""Several energies at once, each stopped by its own gap.

A small image does not fill a GPU: most of the time goes by with launches. So images of one shape are iterated together,
one launch for all, each with its own step sizes; an image whose gap is small enough is left out, and the rest go on.
Like `pdhg` it works coarse to fine, over-relaxed, with bounds in double precision.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, Problem, get_backend
from ..energies.base import Energy
from ..errors import InvalidParameterError
from ..keywords import known_keywords
from ..options import Status
from ._memory import of_cupy
from .pdhg import COARSE_ITERATIONS, COARSEST, RELAXATION, pdhg
from .solution import Callback, GapRecord, Progress, Solution, StoppingRules, check_energy
from .steps import dual_step

_RATIO, _LATE_RATIO, _LATE = 0.7, 0.2, 800
"""sigma / tau = (ratio r)^2 with r the mean radius; after so many iterations the second ratio holds. Steps are not
adapted as in `pdhg`: that would read every u and p."""

_FIRST_INTERVAL, _MOST_INTERVAL = 16, 48
"""Iterations until the first gap evaluation, then twice as many each time up to the second number: multiples of the
iterations that one launch can do."""


@known_keywords
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
    if not isinstance(energies, Iterable) or getattr(energies, "shape", None) == ():
        raise InvalidParameterError(f"energies must be several; got {energies!r:.80}. Pass a list of energies.")
    energies = list(energies)
    for energy in energies:
        check_energy("each of energies", energy, "TwoPhase(cost, alpha=1.0)")
    rules = StoppingRules.checked(max_iter, tol, time_limit, callback)
    coarse_to_fine = checks.boolean("coarse_to_fine", coarse_to_fine)
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
        try:
            found = _descend(group, backend, rules, coarse_to_fine) if backend.many else None
        except MemoryError as error:
            if not of_cupy(error):
                raise
            found = None
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


def _descend(
    energies: dict[int, Energy], backend: ArrayBackend, rules: StoppingRules, coarse_to_fine: bool
) -> dict[int, Solution] | None:
    """Solutions of a group, or None if there are no kernels for this kind of problem."""
    problems = [energy.problem(backend) for energy in energies.values()]
    if any(q.l1_weight or q.truncated or q.coupling != "separate" for q in problems):
        return None
    shape = next(iter(energies.values())).shape
    levels = [(problems, shape)]
    while coarse_to_fine and rules.max_iter and min(shape[1:]) >= 2 * COARSEST:
        shape = (shape[0], *(-(-n // 2) for n in shape[1:]))
        levels.append((backend.coarsen_many(levels[-1][0]), shape))
    pairs: Any = None
    coarse_rules = replace(rules, max_iter=min(COARSE_ITERATIONS, rules.max_iter), callback=None)
    for level, shape in reversed(levels):
        limits = rules if level is problems else coarse_rules
        pairs, records, status = _on_grid(energies, level, shape, backend, pairs, limits)
    found = zip(records.items(), *pairs, status, strict=True)
    return {b: record.solution(u, p, why) for (b, record), u, p, why in found if why is not None}


def _on_grid(
    energies: dict[int, Energy], problems: Sequence[Problem], shape: tuple[int, ...], backend: ArrayBackend,
    pairs: tuple[Any, Any] | None, rules: StoppingRules,
) -> tuple[tuple[Any, Any], dict[int, GapRecord], list[Status | None]]:  # fmt: skip
    """Iterate several problems on one grid until a rule says stop for each, from the pairs of the half-size grid.

    Their u (B, L, *spatial) and p (B, k, L, *spatial), and of each the gap record, by position in the batch, and why it
    was stopped. `shape` is that of one u.
    """
    xp, norm = backend.xp, problems[0].norm
    if pairs is None:
        u = xp.stack([_without_boundary(backend, problem, shape) for problem in problems])
        p = xp.zeros((len(problems), len(problems[0].steps), *shape), dtype=u.dtype)
    else:
        # Not feasible before the first iteration, which projects them.
        u, p = backend.spread(pairs[0], xp.moveaxis(pairs[1], 1, 0), shape[1:], problems[0].offsets)
        u, p = backend.asarray(u), backend.asarray(xp.moveaxis(p, 0, 1))
    sums = [abs(q.cost).sum(dtype=np.float64) for q in problems]
    means = [q.dual_radius.mean(dtype=np.float64) for q in problems]
    # One transfer from the device for all problems.
    data, radius = backend.to_numpy(xp.stack([xp.stack(sums), xp.stack(means)]))
    sizes = data / u[0].size
    early, late = (dual_step(norm, sizes, ratio * radius) for ratio in (_RATIO, _LATE_RATIO))
    records = {
        b: GapRecord(energy, backend, problem, size, u[0].size, rules)
        for (b, energy), problem, size in zip(energies.items(), problems, sizes.tolist(), strict=True)
    }
    status: list[Status | None] = [None] * len(problems)
    done = 0
    while None in status:
        if rules.max_iter:
            sigma = late if done >= _LATE else early
            n = min(max(done, _FIRST_INTERVAL), _MOST_INTERVAL, rules.max_iter - done)
            backend.iterate_many(
                problems, u, p, n=n, tau=(1.0 / (sigma * norm * norm)).tolist(), sigma=sigma.tolist(), rho=RELAXATION,
                finish=True, active=[why is None for why in status],
            )  # fmt: skip
            done += n
        values = backend.values_many(problems, u, p).tolist()
        for i, (b, record) in enumerate(records.items()):
            if status[i] is None:
                record.note(done, *values[i])
                status[i] = record.status(u[i], b)
    return (u, p), records, status


def _without_boundary(backend: ArrayBackend, problem: Problem, shape: tuple[int, ...]) -> Any:
    """The minimiser for alpha = 0: on a box or simplex without a quadratic term, wherever a long step downhill ends."""
    downhill = -problem.cost * np.float32(1.0 / problem.quadratic_weight if problem.quadratic_weight else 1e6)
    return backend.xp.broadcast_to(backend.project(downhill, problem), shape)
