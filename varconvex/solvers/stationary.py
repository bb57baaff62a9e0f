"""The primal-dual method on an energy that is not convex: it ends where u no longer moves, without a bound.

    u_new = prox_tau(u - tau K* p),   theta = 1 / sqrt(1 + 2 gamma tau),   tau *= theta,   sigma /= theta
    p_new = prox_sigma(p + sigma K (u_new + theta (u_new - u)))

for a strongly convex data term (gamma) and a regulariser that need not be convex (Strekalovskiy, Cremers 2014,
doi:10.1007/978-3-319-10605-2_9). As tau falls, the changes of u are summable; the limit depends on the start.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import ArrayBackend, get_backend
from ..backends.base import next_steps
from ..energies.base import Energy
from ..errors import InvalidParameterError
from ..keywords import known_keywords
from ..options import Status
from .solution import Callback, Progress, StoppingRules, check_energy

_INTERVAL = 10
"""The movement of u is measured after multiples of so many iterations, as in fastms."""


@dataclass(frozen=True, eq=False)
class Stationary:
    """A stationary point. There is no lower bound: a better u may exist.

    Attributes
    ----------
    u : array float32
        In the shape and unit of the image.
    edges : (*spatial) array bool
        Where the gradient of u is beyond the truncation.
    energy : float
        Energy of u.
    change : float
        Movement of u in the last iteration, as a share of the image's range: the mean over the pixels of the sum over
        the channels; inf before the first.
    history : tuple of (iteration, seconds, change)
        One entry a measurement of `change`.
    converged : bool
        Whether `change` is at most `tol`.
    status : {"converged", "max_iter", "time_limit", "stopped"}
        Why the solver stopped.
    """

    u: Any
    edges: Any
    energy: float
    change: float
    history: tuple[tuple[int, float, float], ...]
    converged: bool
    status: Status

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return self.history[-1][0] if self.history else 0


@known_keywords
def stationary(
    energy: Energy,
    *,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 5e-5,
    time_limit: float | None = None,
    callback: Callback = None,
) -> Stationary:
    """Lower an energy with a truncated regulariser, such as `MumfordShah`, until u stands still.

    Parameters
    ----------
    energy : MumfordShah
        What to lower.
    backend, max_iter, time_limit
        As in `pdhg`.
    tol : float
        Mean change of a pixel in one iteration, as a share of the range, to stop at. Smaller goes on for longer; 0
        runs until `max_iter`. The default is that of fastms.
    callback : callable, optional
        Called with a `Progress` at each measurement of the change (its `dual` is -inf: no bound is known). Returning
        True stops the solver.

    Returns
    -------
    Stationary

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range, or the energy is convex: `pdhg` then does better, with a gap.

    Warns
    -----
    ConvergenceWarning
        If `tol` was not met, and `max_iter` is not 0.

    References
    ----------
    Strekalovskiy, Cremers, ECCV 2014, doi:10.1007/978-3-319-10605-2_9

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import MumfordShah, stationary
    >>> stationary(MumfordShah(np.eye(30))).converged
    True
    """
    check_energy("energy", energy, "MumfordShah(image)")
    rules = StoppingRules.checked(max_iter, tol, time_limit, callback)
    backend = get_backend(backend, getattr(energy, "image", None))
    problem = energy.problem(backend)
    if not problem.truncated:
        raise InvalidParameterError(
            f"energy must have a truncated regulariser; got {type(energy).__name__}, which is convex. Use pdhg, whose "
            "answer has a bound."
        )
    u = energy.start(backend, problem)
    p = backend.xp.zeros((len(problem.steps), *u.shape), dtype=u.dtype)
    # tau sigma |K|^2 = 1: tau is 1/(2 d) in d dimensions of spacing 1.
    tau, sigma, gamma = 2.0 / problem.norm**2, 0.5, problem.quadratic_weight
    width = float(problem.upper.max() - problem.lower.min()) or 1.0
    history: list[tuple[int, float, float]] = []
    done, change = 0, np.inf

    def progress() -> Progress:
        value, shown = backend.primal_value(problem, u), energy.present(u.copy())
        return Progress(done, rules.elapsed(), value, -np.inf, np.inf, shown, change=change)

    status: Status | None = None if rules.max_iter else "max_iter"
    while status is None:
        n = min(_interval(history, rules.tol), rules.max_iter - done)
        for part in (n - 1, 1):
            before = u.copy() if part == 1 else None
            backend.iterate(problem, u, p, n=part, tau=tau, sigma=sigma, rho=1.0, finish=False, gamma=gamma)
            for _ in range(part):
                _, tau, sigma = next_steps(tau, sigma, gamma)
        done += n
        change = backend.mean_size(u - before) * u.shape[0] / width
        history.append((done, rules.elapsed(), change))
        status = rules.status(done, change, progress)
    sentence = "u still moves by {found} an iteration where {tol} was asked for"
    rules.warn(status, sentence, change, f" ({status} after {done} iterations)")
    gradient = backend.norms(backend.gradient(u, problem.steps, problem.offsets), problem.isotropic, problem.coupling)
    return Stationary(
        u=energy.present(u),
        edges=(gradient * gradient >= 2 * problem.huber).any(axis=(0, 1)),
        energy=backend.primal_value(problem, u),
        change=change,
        history=tuple(history),
        converged=bool(change <= rules.tol),
        status=status,
    )


def _interval(history: list[tuple[int, float, float]], tol: float) -> int:
    """Iterations until the next measurement, which costs as much as three: changes fall as a power of the iteration."""
    if len(history) < 2:
        return _INTERVAL
    (k0, _, c0), (k1, _, c1) = history[-2:]
    power = np.log(c0 / c1) / np.log(k1 / k0) if c0 > c1 > 0 else 0.0
    if not power or tol <= 0:
        return 4 * _INTERVAL
    rest = k1 * ((c1 / tol) ** (1 / power) - 1)
    return _INTERVAL * int(np.clip(0.8 * rest / _INTERVAL, 1, 4))
