"""Each array operation once, written against `xp`: the specification that every backend is tested against.

The generic problem, of which the energies are cases, has a linear cost, an optional quadratic pull, a weighted total
variation and a simple convex set C (a box, or the simplex over the labels):

    min over u in C   unit (<cost, u> + pull/2 |u|^2 + sum_x radius(x) |grad u(x)|) + constant

    u_new = Pi_C( (u - tau (cost - div p)) / (1 + tau pull) )
    p_new = Pi_radius( p + sigma grad(2 u_new - u) )
    (u, p) += rho ((u_new, p_new) - (u, p))

the over-relaxed primal-dual iteration of Chambolle and Pock (2011, doi:10.1007/s10851-010-0251-1; over-relaxation:
Condat 2013, doi:10.1007/s10957-012-0245-9). Its dual value is

    sum_x  min over v in C of  (cost - div p)(x) v + pull/2 v^2        for |p| <= radius

Shapes: u, cost, lower, upper : (L, *spatial) with L labels (1 for two regions); p : (d, L, *spatial), p[i] along
spatial axis i; radius : (*spatial). Arrays that broadcast are welcome: they are never written to.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
"""An array of the backend's own kind."""

SAFE = 1.0 - 1e-6
"""The dual value is taken at p shrunk by this, so that rounding cannot leave |p| <= radius and the bound is a bound."""


@dataclass(frozen=True)
class LinearTV:
    """The generic problem above, in a backend's arrays.

    Attributes
    ----------
    cost : (L, *spatial)
        Linear cost of each label; negative attracts.
    radius : (*spatial) or broadcastable to it
        Weight of the total variation, ``alpha * weight``: how long the dual vector may be.
    lower, upper : (L, *spatial) or broadcastable to it
        Bounds on u. With ``simplex`` only `lower` counts (a seed is a lower bound of 1).
    steps : (d,) tuple of float
        One over the spacing along each spatial axis.
    isotropic : bool
        Euclidean length of the gradient, or else the sum of its absolute components.
    simplex : bool
        The labels of a pixel sum to one, or else each lies in its own box.
    pull : float
        Weight of the quadratic term.
    unit, constant : float
        What the energy is counted in, so that the fields are of the order of 1, and what is added to it.
    doubt : float
        By how much rounding the cost to the fields' type can have lifted a lower bound, in units.
    """

    cost: Array
    radius: Array
    lower: Array
    upper: Array
    steps: tuple[float, ...]
    isotropic: bool = True
    simplex: bool = False
    pull: float = 0.0
    unit: float = 1.0
    constant: float = 0.0
    doubt: float = 0.0


class ArrayBackend:
    """The specification. Subclasses set `xp` and override what they make faster."""

    name = "base"
    xp: Any = np

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """`array` as a contiguous array of this backend; copied only where it must be."""
        return self.xp.ascontiguousarray(self.xp.asarray(array, dtype=dtype))

    def to_numpy(self, array: Array) -> np.ndarray:
        """`array` in the host's memory."""
        return np.asarray(array)

    def gradient(self, u: Array, steps: tuple[float, ...]) -> Array:
        """Forward differences with a zero at the far border; the last d axes of u are the spatial ones."""
        d = len(steps)
        g = self.xp.zeros((d, *u.shape), dtype=u.dtype)
        for i, step in enumerate(steps):
            axis = u.ndim - d + i
            near, far = _halves(u.ndim, axis)
            g[i][near] = (u[far] - u[near]) * u.dtype.type(step)
        return g

    def divergence(self, p: Array, steps: tuple[float, ...]) -> Array:
        """The exact negative adjoint of `gradient`: <grad u, p> = -<u, div p>."""
        d = len(steps)
        div = self.xp.zeros_like(p[0])
        for i, step in enumerate(steps):
            axis = div.ndim - d + i
            near, far = _halves(div.ndim, axis)
            flow = p[i][near] * p.dtype.type(step)
            div[near] += flow
            div[far] -= flow
        return div

    def length(self, g: Array, isotropic: bool) -> Array:
        """Pointwise length of a vector field (d, ...): Euclidean, or the sum of absolute components."""
        return self.xp.sqrt((g * g).sum(axis=0)) if isotropic else self.xp.abs(g).sum(axis=0)

    def project_ball(self, p: Array, radius: Array, isotropic: bool) -> Array:
        """The dual step: the nearest field with |p| <= radius, in the norm dual to `length`."""
        if not isotropic:
            return self.xp.clip(p, -radius, radius)
        tiny = np.finfo(p.dtype).tiny
        norm = self.length(p, isotropic)
        return p * (radius / self.xp.maximum(self.xp.maximum(norm, radius), tiny))

    def project_simplex(self, v: Array, total: Array) -> Array:
        """Nearest point of {w >= 0, sum over labels of w = total}, per pixel; labels first (Michelot 1986)."""
        xp, labels = self.xp, v.shape[0]
        ordered = -xp.sort(-v, axis=0)
        sums = xp.cumsum(ordered, axis=0) - total
        count = xp.arange(1, labels + 1, dtype=v.dtype).reshape((-1,) + (1,) * (v.ndim - 1))
        last = xp.maximum((ordered * count > sums).sum(axis=0), 1) - 1
        theta = xp.take_along_axis(sums, last[None], axis=0) / (last[None] + 1).astype(v.dtype)
        return xp.maximum(v - theta, 0)

    def project(self, v: Array, problem: LinearTV) -> Array:
        """Nearest point of the problem's convex set."""
        if not problem.simplex:
            return self.xp.clip(v, problem.lower, problem.upper)
        free = 1 - problem.lower.sum(axis=0)
        return problem.lower + self.project_simplex(v - problem.lower, free)

    def iterate(
        self, problem: LinearTV, u: Array, p: Array, *, n: int, tau: float, sigma: float, rho: float, settle: bool
    ) -> None:
        """`n` iterations on (u, p), in place. With `settle` the last has rho = 1, so that the pair ends feasible."""
        real = u.dtype.type
        for k in range(n):
            relax = real(1.0 if settle and k == n - 1 else rho)
            step = u - real(tau) * (problem.cost - self.divergence(p, problem.steps))
            u_new = self.project(step / real(1.0 + tau * problem.pull), problem)
            p_new = p + real(sigma) * self.gradient(2 * u_new - u, problem.steps)
            p_new = self.project_ball(p_new, problem.radius, problem.isotropic)
            u += relax * (u_new - u)
            p += relax * (p_new - p)

    def primal_value(self, problem: LinearTV, u: Array) -> float:
        """The energy of a feasible u, summed in float64."""
        return problem.unit * self._primal_sum(problem, u) + problem.constant

    def _primal_sum(self, problem: LinearTV, u: Array) -> float:
        u = u.astype(np.float64)
        value = (problem.cost * u).sum() + 0.5 * problem.pull * (u * u).sum()
        tv = problem.radius * self.length(self.gradient(u, problem.steps), problem.isotropic)
        return float(value + tv.sum())

    def dual_value(self, problem: LinearTV, p: Array) -> float:
        """A lower bound of the energy, from a feasible p, summed in float64."""
        return problem.unit * (self._dual_sum(problem, p) - problem.doubt) + problem.constant

    def _dual_sum(self, problem: LinearTV, p: Array) -> float:
        slope = problem.cost - SAFE * self.divergence(p.astype(np.float64), problem.steps)
        if problem.simplex:
            free = 1 - problem.lower.sum(axis=0, dtype=np.float64)
            return float((problem.lower * slope).sum() + (free * slope.min(axis=0)).sum())
        if problem.pull:
            best = self.xp.clip(-slope / problem.pull, problem.lower, problem.upper)
            return float((slope * best + 0.5 * problem.pull * best * best).sum())
        return float((slope * self.xp.where(slope > 0, problem.lower, problem.upper)).sum())

    def values(self, problem: LinearTV, u: Array, p: Array) -> tuple[float, float]:
        """Primal and dual value of a feasible pair; their difference is the gap."""
        return self.primal_value(problem, u), self.dual_value(problem, p)


def _halves(ndim: int, axis: int) -> tuple[tuple, tuple]:
    """Index of all but the last, and of all but the first, along `axis`."""
    near = [slice(None)] * ndim
    far = [slice(None)] * ndim
    near[axis], far[axis] = slice(None, -1), slice(1, None)
    return tuple(near), tuple(far)
