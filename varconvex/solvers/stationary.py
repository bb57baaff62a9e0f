"""The primal-dual method on an energy that is not convex: it ends where nothing moves any more, without a bound.

    u_new = prox_tau(u - tau K* p),   theta = 1 / sqrt(1 + 2 gamma tau),   tau *= theta,   sigma /= theta
    p_new = prox_sigma(p + sigma K (u_new + theta (u_new - u)))

for a strongly convex data term (gamma) and a regulariser that need not be convex (Strekalovskiy, Cremers 2014,
doi:10.1007/978-3-319-10605-2_9). As tau falls, the changes of u are summable; the limit depends on the start.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..backends import ArrayBackend, get_backend
from ..backends.base import next_steps
from ..energies.base import Energy
from ..errors import ConvergenceWarning, InvalidParameterError

_LOOK_EVERY = 10
"""Iterations at multiples of which u may be found to stand still, as in fastms."""


@dataclass(frozen=True)
class Stationary:
    """Where the method came to rest. There is no lower bound: a better u may exist.

    Attributes
    ----------
    u : array float32
        In the shape and unit of the image.
    edges : (*spatial) array bool
        Where the gradient of u is beyond the truncation.
    energy : float
        Energy of u.
    change : float
        By how much u moved in the last iteration, as a share of the image's range: the mean over the pixels of the
        sum over the channels.
    history : tuple of (iteration, seconds, change)
        One entry a look.
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
    status: str

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return self.history[-1][0] if self.history else 0


def stationary(
    energy: Energy,
    *,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 5e-5,
    time_limit: float | None = None,
    callback: Callable[[int, float], object] | None = None,
) -> Stationary:
    """Lower an energy with a truncated regulariser, such as `MumfordShah`, until u stands still.

    Parameters
    ----------
    energy : MumfordShah
        What to lower.
    backend : {"numba", "numpy", "cupy"} or None
        None works where the image lives: NumPy arrays with Numba, CuPy arrays on their GPU.
    max_iter : int, at least 1
        Most iterations.
    tol : float
        Mean change of a pixel in one iteration, as a share of the range, to stop at. Smaller goes on for longer; 0
        runs until `max_iter`. The default is that of fastms.
    time_limit : float, optional
        Most seconds; the u so far is returned.
    callback : callable, optional
        Called with (iteration, change) at each look; returning True stops the solver.

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
        If `tol` was not met.

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
    if not hasattr(energy, "problem") or isinstance(energy, type):
        raise InvalidParameterError(
            f"energy must be an energy such as MumfordShah(image); got {energy!r:.80}. Wrap the image in one."
        )
    max_iter = checks.whole_number("max_iter", max_iter, least=1)
    tol = checks.real_number("tol", tol)
    checks.function("callback", callback)
    limit = np.inf if time_limit is None else checks.real_number("time_limit", time_limit)
    begin = time.perf_counter()
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
    done, change, status = 0, np.inf, "max_iter"
    while done < max_iter:
        n = min(_until_next_look(history, tol), max_iter - done)
        for part in (n - 1, 1):
            before = u.copy() if part == 1 else None
            backend.iterate(problem, u, p, n=part, tau=tau, sigma=sigma, rho=1.0, finish=False, gamma=gamma)
            for _ in range(part):
                _, tau, sigma = next_steps(tau, sigma, gamma)
        done += n
        change = backend.mean_size(u - before) * u.shape[0] / width
        history.append((done, time.perf_counter() - begin, change))
        answer = None if callback is None else callback(done, change)
        if isinstance(answer, bool | np.bool_) and answer:
            status = "stopped"
        elif change <= tol:
            status = "converged"
        elif time.perf_counter() - begin >= limit:
            status = "time_limit"
        else:
            continue
        break
    if status not in ("converged", "stopped"):
        checks.warn_caller(
            f"u still moves by {change:.2g} an iteration where {tol:.2g} was asked for ({status} after {done} "
            "iterations); raise max_iter or time_limit, or tol",
            ConvergenceWarning,
        )
    charge = backend.norms(backend.gradient(u, problem.steps, problem.offsets), problem.isotropic, problem.coupling)
    return Stationary(
        u=energy.present(u),
        edges=(charge * charge >= 2 * problem.huber).any(axis=(0, 1)),
        energy=backend.primal_value(problem, u),
        change=change,
        history=tuple(history),
        converged=bool(change <= tol),
        status=status,
    )


def _until_next_look(history: list[tuple[int, float, float]], tol: float) -> int:
    """Iterations until it is worth looking again: changes fall as a power of the iteration, and a look costs three."""
    if len(history) < 2:
        return _LOOK_EVERY
    (k0, _, c0), (k1, _, c1) = history[-2:]
    power = np.log(c0 / c1) / np.log(k1 / k0) if c0 > c1 > 0 else 0.0
    if not power or tol <= 0:
        return 4 * _LOOK_EVERY
    rest = k1 * ((c1 / tol) ** (1 / power) - 1)
    return _LOOK_EVERY * int(np.clip(0.8 * rest / _LOOK_EVERY, 1, 4))
