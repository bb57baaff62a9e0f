"""Each array operation once, written against `xp`: the specification that every backend is tested against.

The generic problem, of which the energies are cases, has a linear cost, an optional quadratic term (q is
`quadratic_weight`), an optional L1 term (w is `l1_weight`), a weighted (Huber) total variation (r is
`dual_radius`) and a simple convex set C (a box, or the simplex over the labels):

    min over u in C   cost_unit (<cost, u> + q/2 |u|^2 + w |u - target|_1 + sum_x r(x) h(|grad u(x)|))  +  constant

    u_new = Pi_C( v moved towards target by at most tau w / (1 + tau q) )
        v = (u - tau (cost - div p)) / (1 + tau q)
    p_new = Pi_r( (p + sigma grad(u_new + theta (u_new - u))) / (1 + sigma huber / r) )
    (u, p) += rho ((u_new, p_new) - (u, p))

the over-relaxed primal-dual iteration of Chambolle and Pock (2011, doi:10.1007/s10851-010-0251-1; over-relaxation:
Condat 2013, doi:10.1007/s10957-012-0245-9), with h(t) = t, or t^2 / (2 huber) where t < huber and t - huber/2 beyond.
theta is 1; with strong convexity gamma, theta = 1 / sqrt(1 + 2 gamma tau) makes tau shorter and sigma longer with
every iteration (their algorithm 2). The dual value is, for |p| <= r,

    sum_x  min over v in C of ((cost - div p)(x) v + q/2 v^2 + w |v - target(x)|)
           - huber |p(x)|^2 / (2 r(x))

What |.| means over the labels of a pixel, `coupling` says: each label by itself; all of them as one vector (colour;
Bresson, Chan 2008, doi:10.3934/ipi.2008.2.455); or such that |p_i - p_j| <= r for each two labels (`_pairs`).

With `truncated`, h(t) = min(t^2 / (2 huber), 1): not convex, so there is no dual value (it is -inf), and the dual step,
by Moreau's identity, sets to 0 what is longer than the truncation (Strekalovskiy, Cremers 2014,
doi:10.1007/978-3-319-10605-2_9).

Shapes: u, cost, target, lower, upper : (L, *spatial) with L labels (1 for two regions); p : (k, L, *spatial), p[i] the
flow along the i-th of k directions, which are the spatial axes unless `offsets` says otherwise; dual_radius :
(*spatial). Arrays that broadcast are welcome: they are never written to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from .. import checks
from ._networks import Networks
from ._pairs import pairwise_length, project_pairs

Array = Any
"""An array of the backend's own kind."""

Offsets = tuple[tuple[int, ...], ...] | None
"""Directions of differences, each as the neighbour's offset in pixels."""

SAFE = 1.0 - 1e-6
"""The dual value is taken at p shrunk by this, so that rounding cannot leave |p| <= radius and the bound is a bound."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The generic problem above, in a backend's arrays.

    Attributes
    ----------
    cost : (L, *spatial)
        Linear cost of each label; negative attracts.
    dual_radius : (*spatial) or broadcastable to it
        Weight of the total variation, ``alpha * weight``: how long the dual vector may be.
    lower, upper : (L, *spatial) or broadcastable to it
        Bounds on u. With ``simplex`` only `lower` counts (a seed is a lower bound of 1).
    steps : (k,) tuple of float
        Factor of the difference along each direction: one over the spacing along each axis, where these are the axes.
    offsets : (k,) tuple of (d,) tuples of int, or None
        To which neighbour each difference goes; None is the next pixel along each axis.
    isotropic : bool
        Euclidean length of the gradient, or else the sum of its absolute components.
    simplex : bool
        The labels of a pixel sum to one, or else each lies in its own box.
    quadratic_weight : float
        Weight of the quadratic term.
    l1_weight, target : float and (L, *spatial), or 0 and None
        Weight of the distance |u - target|, and where to; for boxes only.
    huber : float
        Length below which a gradient is charged quadratically; 0 is total variation itself.
    truncated : bool
        The quadratic charge is cut off at 1, where |grad u|^2 = 2 huber: the energy is not convex.
    coupling : {"separate", "joint", "pairwise"}
        Labels by themselves, as one vector, or with their differences' dual vectors bounded.
    cost_unit, constant : float
        What the energy is counted in, so that the fields are of the order of 1, and what is added to it.
    common_cost : float
        Part of `constant` that is there whatever u is, and by which no gap should look small.
    value_scale : float
        What u is counted in, where it is not a share.
    rounding_slack : float
        By how much rounding the cost to the fields' type can have lifted a lower bound, in units.
    """

    cost: Array
    dual_radius: Array
    lower: Array
    upper: Array
    steps: tuple[float, ...]
    isotropic: bool = True
    simplex: bool = False
    quadratic_weight: float = 0.0
    l1_weight: float = 0.0
    target: Array = None
    huber: float = 0.0
    truncated: bool = False
    coupling: str = "separate"
    offsets: Offsets = None
    cost_unit: float = 1.0
    constant: float = 0.0
    common_cost: float = 0.0
    value_scale: float = 1.0
    rounding_slack: float = 0.0

    @property
    def norm(self) -> float:
        """A bound of the norm of the gradient, |K|: 2 sqrt(sum of steps^2) along axes (Chambolle 2004)."""
        squares = [step * step for step in self.steps]
        if self.offsets is None:
            return 2.0 * float(np.sqrt(sum(squares)))
        # |K|^2 = max of sum 2 w^2 (1 - cos(theta . e)), which is linear in the cosine of each component of theta.
        corners = np.stack(np.meshgrid(*[[0, 1]] * len(self.offsets[0])), axis=-1).reshape(-1, len(self.offsets[0]))
        odd = corners @ np.abs(self.offsets).T % 2
        return 2.0 * float(np.sqrt((odd @ squares).max()))


_PAIRS = 2**20
"""Pairs of a point and a seed that are held at a time."""


class ArrayBackend(Networks):
    """The specification, with that for networks. Subclasses set `xp` and override what they make faster."""

    name = "base"
    xp: Any = np
    many = False
    """Whether several problems are solved sooner together than one after the other."""

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """`array` as a contiguous array of this backend, from wherever it lives; copied only where it must be."""
        if self.xp is np:
            array = checks.host(array)
        return self.xp.ascontiguousarray(self.xp.asarray(array, dtype=dtype))

    def to_numpy(self, array: Array) -> np.ndarray:
        """`array` in the host's memory."""
        return np.asarray(array)

    def gradient(self, u: Array, steps: tuple[float, ...], offsets: Offsets = None) -> Array:
        """Differences to the pixel at each offset, 0 where there is none; the last axes of u are the spatial ones."""
        g = self.xp.zeros((len(steps), *u.shape), dtype=u.dtype)
        for i, (step, (near, far)) in enumerate(zip(steps, _ends(u.ndim, len(steps), offsets), strict=True)):
            g[i][near] = (u[far] - u[near]) * u.dtype.type(step)
        return g

    def divergence(self, p: Array, steps: tuple[float, ...], offsets: Offsets = None) -> Array:
        """The exact negative adjoint of `gradient`: <grad u, p> = -<u, div p>."""
        div = self.xp.zeros_like(p[0])
        for i, (step, (near, far)) in enumerate(zip(steps, _ends(div.ndim, len(steps), offsets), strict=True)):
            flow = p[i][near] * p.dtype.type(step)
            div[near] += flow
            div[far] -= flow
        return div

    def norms(self, g: Array, isotropic: bool, coupling: str = "separate") -> Array:
        """Euclidean lengths of a field (k, L, ...) over the axes that `isotropic` and `coupling` tie together."""
        axes = (0,) * isotropic + (1,) * (coupling == "joint")
        return self.xp.sqrt((g * g).sum(axis=axes, keepdims=True)) if axes else self.xp.abs(g)

    def length(self, g: Array, isotropic: bool, coupling: str = "separate") -> Array:
        """Pointwise length of a vector field (k, L, ...): one a label, or one for all of them together (1, ...)."""
        if coupling == "pairwise":
            return pairwise_length(self.xp, g, isotropic)
        return self.norms(g, isotropic, coupling).sum(axis=0)

    def project_ball(self, p: Array, radius: Array, isotropic: bool, coupling: str = "separate") -> Array:
        """The nearest field with |p| <= radius, in the norm dual to `length`."""
        if coupling == "pairwise":
            return project_pairs(self.xp, p, radius, isotropic)
        if coupling == "separate" and not isotropic:
            return self.xp.clip(p, -radius, radius)
        tiny = np.finfo(p.dtype).tiny
        norm = self.norms(p, isotropic, coupling)
        return p * (radius / self.xp.maximum(self.xp.maximum(norm, radius), tiny))

    def project_dual(self, p: Array, problem: Problem, sigma: float) -> Array:
        """The dual step: what Huber's term shrinks, then made feasible; or 0 where a truncated charge lets go."""
        if problem.huber:
            tiny = np.finfo(p.dtype).tiny
            raised = problem.dual_radius + p.dtype.type(sigma * problem.huber)
            shrink = (problem.dual_radius / self.xp.maximum(raised, tiny)).astype(p.dtype)
            if problem.truncated:
                norm = self.norms(p, problem.isotropic, problem.coupling)
                shrink = self.xp.where(shrink * norm * norm <= p.dtype.type(2 * sigma) * problem.dual_radius, shrink, 0)
                return p * shrink
            p = p * shrink
        return self.project_ball(p, problem.dual_radius, problem.isotropic, problem.coupling)

    def project_simplex(self, v: Array, total: Array) -> Array:
        """Nearest point of {w >= 0, sum over labels of w = total}, per pixel; labels first (Michelot 1986)."""
        xp, labels = self.xp, v.shape[0]
        ordered = -xp.sort(-v, axis=0)
        sums = xp.cumsum(ordered, axis=0) - total
        count = xp.arange(1, labels + 1, dtype=v.dtype).reshape((-1,) + (1,) * (v.ndim - 1))
        last = xp.maximum((ordered * count > sums).sum(axis=0), 1) - 1
        theta = xp.take_along_axis(sums, last[None], axis=0) / (last[None] + 1).astype(v.dtype)
        return xp.maximum(v - theta, 0)

    def project(self, v: Array, problem: Problem) -> Array:
        """Nearest point of the problem's convex set."""
        if not problem.simplex:
            return self.xp.clip(v, problem.lower, problem.upper)
        free = 1 - problem.lower.sum(axis=0)
        return problem.lower + self.project_simplex(v - problem.lower, free)

    def prox(self, v: Array, problem: Problem, tau: float) -> Array:
        """The primal step: the nearest point of the convex set to v, after v has moved towards the target."""
        if problem.l1_weight:
            reach = v.dtype.type(tau * problem.l1_weight / (1.0 + tau * problem.quadratic_weight))
            v = v - self.xp.clip(v - problem.target, -reach, reach)
        return self.project(v, problem)

    def iterate(
        self, problem: Problem, u: Array, p: Array, *, n: int, tau: float, sigma: float, rho: float, finish: bool,
        gamma: float = 0.0, active_set: Any = None,
    ) -> None:  # fmt: skip
        """`n` iterations on (u, p), in place. With `finish` the last has rho = 1, so that the pair ends feasible.

        `gamma` > 0 uses that much strong convexity: the steps change as `next_steps` says (rho should be 1).
        `active_set` is what `active_set` gave for this pair: with it a backend may leave out what has come to rest.
        """
        real = u.dtype.type
        for k in range(n):
            relax = real(1.0 if finish and k == n - 1 else rho)
            step = u - real(tau) * (problem.cost - self.divergence(p, problem.steps, problem.offsets))
            u_new = self.prox(step / real(1.0 + tau * problem.quadratic_weight), problem, tau)
            theta, tau, sigma = next_steps(tau, sigma, gamma)
            u_bar = u_new + real(theta) * (u_new - u)
            p_new = p + real(sigma) * self.gradient(u_bar, problem.steps, problem.offsets)
            p_new = self.project_dual(p_new, problem, sigma)
            u += relax * (u_new - u)
            p += relax * (p_new - p)

    def active_set(self, problem: Problem) -> Any:
        """A record of what moves of one pair (u, p) that nobody but `iterate` changes; or None.

        Iterations that keep it end each block as with `finish`: what then rests is feasible.

        Its `block` is how many iterations belong together: what is left out does not depend on how a number of
        iterations is cut into multiples of it. After `reset` everything is taken to move.
        """
        return None

    def primal_value(self, problem: Problem, u: Array) -> float:
        """The energy of a feasible u, summed in float64."""
        return problem.cost_unit * self._primal_sum(problem, u) + problem.constant

    def _primal_sum(self, problem: Problem, u: Array) -> float:
        u = u.astype(np.float64)
        value = (problem.cost * u).sum() + 0.5 * problem.quadratic_weight * (u * u).sum()
        if problem.l1_weight:
            value += problem.l1_weight * self.xp.abs(u - problem.target).sum()
        return float(value + (problem.dual_radius * self._charged(problem, u)).sum())

    def _charged(self, problem: Problem, u: Array) -> Array:
        """h(|grad u|) at each pixel; where the length is a sum, Huber's rounding is one of each of its parts."""
        g = self.gradient(u, problem.steps, problem.offsets)
        if not problem.huber:
            return self.length(g, problem.isotropic, problem.coupling)
        t, h = self.norms(g, problem.isotropic, problem.coupling), problem.huber
        if problem.truncated:
            return self.xp.minimum(t * t / (2 * h), 1.0).sum(axis=0)
        return self.xp.where(t < h, t * t / (2 * h), t - h / 2).sum(axis=0)

    def dual_value(self, problem: Problem, p: Array) -> float:
        """A lower bound of the energy, from a feasible p, summed in float64."""
        return problem.cost_unit * (self._dual_sum(problem, p) - problem.rounding_slack) + problem.constant

    def _dual_sum(self, problem: Problem, p: Array) -> float:
        if problem.truncated:
            return -np.inf
        p = SAFE * p.astype(np.float64)
        slope = problem.cost - self.divergence(p, problem.steps, problem.offsets)
        bent = 0.0
        if problem.huber:
            tiny = np.finfo(np.float32).tiny
            bent = 0.5 * problem.huber * float((p * p / self.xp.maximum(problem.dual_radius, tiny)).sum())
        if problem.simplex:
            free = 1 - problem.lower.sum(axis=0, dtype=np.float64)
            return float((problem.lower * slope).sum() + (free * slope.min(axis=0)).sum()) - bent
        if problem.l1_weight or problem.quadratic_weight:
            return float(self._least(problem, slope).sum()) - bent
        return float((slope * self.xp.where(slope > 0, problem.lower, problem.upper)).sum()) - bent

    def _least(self, problem: Problem, slope: Array) -> Array:
        """min over v in the box of slope v + q/2 v^2 + w |v - target|, tried where it can be."""
        w, q = problem.l1_weight, problem.quadratic_weight
        tries = [problem.target] if w else []
        tries += [(-slope - w) / q, (-slope + w) / q] if q else [problem.lower, problem.upper]
        values = []
        for v in tries:
            best = self.xp.clip(v, problem.lower, problem.upper)
            far = w * self.xp.abs(best - problem.target) if w else 0.0
            values.append(slope * best + 0.5 * q * best * best + far)
        return reduce(self.xp.minimum, values)

    def values(self, problem: Problem, u: Array, p: Array) -> tuple[float, float]:
        """Primal and dual value of a feasible pair; their difference is the gap."""
        return self.primal_value(problem, u), self.dual_value(problem, p)

    def threshold(self, problem: Problem, u: Array, thresholds: tuple[float, ...]) -> tuple[Array, float]:
        """The best of the masks Pi_C(u > t), one label, and its energy."""
        masks = (self.project((u > u.dtype.type(t)).astype(u.dtype), problem) for t in thresholds)
        energy, _, mask = min((self.primal_value(problem, mask), k, mask) for k, mask in enumerate(masks))
        return mask, energy

    def mean_size(self, array: Array) -> float:
        """Mean of |array|."""
        return float(abs(array).mean(dtype=np.float64))

    def rounded(self, array: Array, unit: float, offset: float = 0.0) -> tuple[Array, float]:
        """(array - offset) / unit in float32, and the sum of what rounding changed; |unit| is a power of two."""
        if array.dtype == np.float32 and unit == 1 and offset == 0:
            return self.asarray(array), 0.0
        exact = (array.astype(np.float64) - offset) / unit if offset else array / unit
        out = exact.astype(np.float32)
        return self.asarray(out), float(abs(out - exact).sum(dtype=np.float64))

    def halve(self, array: Array, ndim: int) -> Array:
        """Means over blocks of two pixels along each of the last `ndim` axes; an odd last one is a block by itself."""
        for axis in range(array.ndim - ndim, array.ndim):
            size = array.shape[axis]
            if size > 1:
                starts = np.arange(0, size, 2)
                even = self.xp.take(array, starts, axis=axis)
                odd = self.xp.take(array, np.minimum(starts + 1, size - 1), axis=axis)
                array = (even + odd) * array.dtype.type(0.5)
        return array

    def coarsen(self, problem: Problem) -> Problem:
        """The problem on a grid of half the size: fields are means, and a boundary counts half as much.

        For d axes its energies are 2^-d of the fine ones.
        """
        return self.coarsen_many([problem])[0]

    def coarsen_many(self, problems: Sequence[Problem]) -> list[Problem]:
        """`coarsen` of several problems of one shape and kind; fields of one shape are halved in one pass."""
        d = problems[0].cost.ndim - 1
        coarse = [
            replace(q, huber=2 * q.huber, constant=q.constant / 2**d, common_cost=q.common_cost / 2**d,
                    rounding_slack=0.0)
            for q in problems
        ]  # fmt: skip
        for name in ("cost", "dual_radius", "lower", "upper", "target")[: 5 if problems[0].l1_weight else 4]:
            fields = [getattr(problem, name) for problem in problems]
            together = len(fields) > 1 and len({field.shape for field in fields}) == 1
            means = self.halve(self.xp.stack(fields), d) if together else [self.halve(field, d) for field in fields]
            if name == "dual_radius":
                means = [mean * mean.dtype.type(0.5) for mean in means]
            coarse = [replace(q, **{name: mean}) for q, mean in zip(coarse, means, strict=True)]
        return coarse

    def prolong(self, problem: Problem, u: Array, p: Array) -> tuple[Array, Array]:
        """A pair of the half-size problem on this one's grid, both made feasible.

        u is repeated. p is doubled, since its ball is twice as large, and interpolated along its own direction: a
        fine flow halfway between two coarse ones is their mean. So div p is repeated exactly, as the means of the cost
        are.
        """
        u, fine = self.spread(u, p, problem.cost.shape[1:], problem.offsets)
        p = self.project_ball(fine, problem.dual_radius, problem.isotropic, problem.coupling)
        return self.asarray(self.project(u, problem)), self.asarray(p)

    def spread(self, u: Array, p: Array, spatial: tuple[int, ...], offsets: Offsets) -> tuple[Array, Array]:
        """u repeated and p interpolated, u (..., *half of spatial) and p (k, ..., *half of spatial)."""
        d = len(spatial)
        where = np.indices(spatial, sparse=True)
        offsets = offsets or _axes(d)
        half = p.shape[-d:]
        near_same = (..., *(w // 2 for w in where))
        fine = self.xp.zeros((*p.shape[:-d], *spatial), dtype=p.dtype)
        for flow, coarse, offset, (near, _) in zip(fine, p, offsets, _ends(p.ndim - 1, d, offsets), strict=True):
            behind = [_behind(w, o) for w, o in zip(where, offset, strict=True)]
            inside = np.ones(spatial, bool)
            for w, size in zip(behind, half, strict=True):
                inside = inside & (w >= 0) & (w < size)
            safe = tuple(w.clip(0, size - 1) for w, size in zip(behind, half, strict=True))
            both = coarse[near_same] + coarse[(..., *safe)] * self.asarray(inside, p.dtype)
            flow[near] = both[near]
        return u[near_same], fine

    def iterate_many(
        self,
        problems: Sequence[Problem],
        u: Array,
        p: Array,
        *,
        n: int,
        tau: Sequence[float],
        sigma: Sequence[float],
        rho: float,
        finish: bool,
        active: Sequence[bool] | None = None,
    ) -> None:
        """`iterate` on several problems of one shape, u (B, L, *spatial) and p (B, k, L, *spatial), in place.

        Each has its own tau and sigma; those that are not `active` stay as they are. A backend for which together is
        faster than one after the other overrides this and says so in `many`.
        """
        for b, problem in enumerate(problems):
            if active is None or active[b]:
                self.iterate(problem, u[b], p[b], n=n, tau=tau[b], sigma=sigma[b], rho=rho, finish=finish)

    def values_many(self, problems: Sequence[Problem], u: Array, p: Array) -> np.ndarray:
        """`values` of several problems of one shape: (B, 2) float64, in the host's memory."""
        return np.array([self.values(problem, u[b], p[b]) for b, problem in enumerate(problems)])

    def log_kernel_mean(self, points: Array, weight: Array, seeds: Array, axes: int) -> Array:
        """log 1/m sum_j exp(-weight |x - x_j|^2 - |c - c_j|^2) at each point, (n,) float32.

        Parameters
        ----------
        points : (n, F) float32
            Features x and c of each point: the first `axes` are its position x, the others its colour c.
        weight : (n,) float32
            What the position's square counts.
        seeds : (F, m) float32
            The same features of the seeds.
        axes : int
            How many features are position.
        """
        xp = self.xp
        points, weight, seeds = (self.asarray(array, np.float32) for array in (points, weight, seeds))
        out = xp.empty(len(points), np.float32)
        rows = max(1, _PAIRS // seeds.shape[1])
        for part in (slice(start, start + rows) for start in range(0, len(points), rows)):
            square = (points[part, :, None] - seeds) ** 2
            e = weight[part, None] * square[:, :axes].sum(axis=1) + square[:, axes:].sum(axis=1)
            # The least exponent is factored out, so that something is left of the sum.
            least = e.min(axis=1)
            out[part] = xp.log(xp.exp(least[:, None] - e).mean(axis=1)) - least
        return out


def _axes(d: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(i == k) for i in range(d)) for k in range(d))


def _behind(where: np.ndarray, offset: int) -> np.ndarray:
    """Along one axis, the coarse pixel from which the flow comes that a fine pixel's flow is averaged with."""
    leaves = where % 2 == (1 if offset > 0 else 0)
    return where // 2 - np.where(leaves, 0, offset)


def next_steps(tau: float, sigma: float, gamma: float) -> tuple[float, float, float]:
    """theta, and tau and sigma after it, for strong convexity gamma; with 0 they stay as they are and theta is 1."""
    theta = 1.0 / float(np.sqrt(1.0 + 2.0 * gamma * tau))
    return theta, theta * tau, sigma / theta


def _ends(ndim: int, count: int, offsets: Offsets) -> list[tuple[tuple, tuple]]:
    """Index of the pixels that have a neighbour at each offset, and of that neighbour; spatial axes are the last."""
    if offsets is None:
        offsets = _axes(count)
    rest = (slice(None),) * (ndim - len(offsets[0]))
    return [
        ((*rest, *(slice(max(-o, 0), -o if o > 0 else None) for o in offset)),
         (*rest, *(slice(max(o, 0), o if o < 0 else None) for o in offset)))
        for offset in offsets
    ]  # fmt: skip
