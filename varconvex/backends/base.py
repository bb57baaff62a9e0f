"""Every array operation, written against `xp`: the specification that all backends are tested against.

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

`coupling` defines |.| over the labels of a pixel: each label by itself; all of them as one vector (colour; Bresson,
Chan 2008, doi:10.3934/ipi.2008.2.455); or such that |p_i - p_j| <= r for each two labels (`pairs`).

With `truncated`, h(t) = min(t^2 / (2 huber), 1): not convex, so there is no dual value (it is -inf), and the dual step,
by Moreau's identity, sets to 0 what is longer than the truncation (Strekalovskiy, Cremers 2014,
doi:10.1007/978-3-319-10605-2_9).

For a convex network G with parameters theta (an `ICNN` whose `xp` is the backend's), on points x_i,

    L(theta) = 1/(s n) sum_i cost_i sigma(-s G(x_i)),        dL/dG(x_i) = -1/n cost_i u_i (1 - u_i),   u = sigma(-s G)

is <cost, sigma(-s G)> over s n, which does not change Adam's steps.

Shapes: u, cost, target, lower, upper : (L, *spatial) with L labels (1 for two regions); p : (k, L, *spatial), p[i] the
flow along the i-th of k directions, which are the spatial axes unless `offsets` is given; dual_radius :
(*spatial). Fields may be any arrays that broadcast to these shapes; they are never written to.
Points and costs of a network have its dtype.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from .. import checks
from ._densities import Densities
from ._grids import Grids, ends
from .pairs import pairwise_length, project_pairs
from .problem import Array, Offsets, Problem

SAFE = 1.0 - 1e-6
"""The dual value is taken at p shrunk by this, so that rounding cannot leave |p| <= radius and the bound is a bound."""

_CHUNK = 2048
"""Points at a time, so that their activations stay in the cache."""

STEEPEST = 20.0
"""|s G| is clipped to this. At 60, denormal numbers slow the products down several times."""


class ArrayBackend(Grids, Densities):
    """The specification, with that for grids and densities. Subclasses set `xp` and override what they make faster."""

    name = "base"
    xp: Any = np
    many = False
    """Whether iterating several problems together is faster than one after the other."""

    def __reduce__(self) -> tuple[Any, ...]:
        """A new backend of this class: caches, compiled kernels and device memory stay in their process."""
        return type(self), ()

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """`array` as a contiguous array of this backend, from host or device; copied only if necessary."""
        if self.xp is np:
            array = checks.host(array)
        return self.xp.ascontiguousarray(self.xp.asarray(array, dtype=dtype))

    def to_numpy(self, array: Array) -> np.ndarray:
        """`array` in the host's memory."""
        return np.asarray(array)

    def gradient(self, u: Array, steps: tuple[float, ...], offsets: Offsets = None) -> Array:
        """Differences to the pixel at each offset, 0 where there is none; the last axes of u are the spatial ones."""
        g = self.xp.zeros((len(steps), *u.shape), dtype=u.dtype)
        for i, (step, (near, far)) in enumerate(zip(steps, ends(u.ndim, len(steps), offsets), strict=True)):
            g[i][near] = (u[far] - u[near]) * u.dtype.type(step)
        return g

    def divergence(self, p: Array, steps: tuple[float, ...], offsets: Offsets = None) -> Array:
        """The exact negative adjoint of `gradient`: <grad u, p> = -<u, div p>."""
        div = self.xp.zeros_like(p[0])
        for i, (step, (near, far)) in enumerate(zip(steps, ends(div.ndim, len(steps), offsets), strict=True)):
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
        """The dual step: shrunk by Huber's term, then projected; 0 where a truncated charge is constant."""
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

        `gamma` > 0 uses that much strong convexity: the steps change as in `next_steps` (rho should be 1).
        `active_set` is what `new_active_set` gave for this pair: with it a backend may leave out converged pixels.
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

    def new_active_set(self, problem: Problem) -> Any:
        """A record of which pixels of one pair (u, p) still change, to be passed to `iterate`; None if there is none.

        Only `iterate` may change the pair. Iterations with an active set end each block as with `finish`, so that
        pixels that are left out from then on are feasible. Its `block` is the number of iterations in a block; the
        answer does not depend on how they are divided into calls of whole blocks. `reset` makes all pixels active.
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
        """h(|grad u|) at each pixel; where the length is a sum, h is applied to each of its terms."""
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
        """min over v in the box of slope v + q/2 v^2 + w |v - target|: the least of the possible stationary points."""
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

    def primal_slices(self, problem: Problem, u: Array) -> np.ndarray:
        """Energy of each slice of the first spatial axis, in units of `cost_unit`: (slices,) float64, on the host.

        Problems with a linear cost only. Parts of an image that overlap by one slice share out the sum: all but a
        part's last slice are as in the whole.
        """
        within = tuple(range(2, u.ndim))
        data = (problem.cost * u.astype(np.float64)).sum(axis=(0, *within))
        charge = problem.dual_radius * self._charged(problem, u.astype(np.float64))
        return self.to_numpy(data + charge.sum(axis=(0, *within)))

    def dual_slices(self, problem: Problem, p: Array) -> np.ndarray:
        """Dual value of each slice, as `primal_slices`: all but a part's first slice are as in the whole.

        What flows out of the last slice flows into the next.
        """
        whole = self.xp.pad(SAFE * p.astype(np.float64), ((0, 0), (0, 0), (0, 1), *((0, 0),) * (p.ndim - 3)))
        slope = problem.cost - self.divergence(whole, problem.steps, problem.offsets)[:, :-1]
        if problem.simplex:
            free = 1 - problem.lower.sum(axis=0, dtype=np.float64)
            least = (problem.lower * slope).sum(axis=0) + free * slope.min(axis=0)
        else:
            least = (slope * self.xp.where(slope > 0, problem.lower, problem.upper)).sum(axis=0)
        return self.to_numpy(least.reshape(len(least), -1).sum(axis=1))

    def threshold(self, problem: Problem, u: Array, thresholds: tuple[float, ...]) -> tuple[Array, float]:
        """The best of the masks Pi_C(u > t), one label, and its energy."""
        masks = (self.project((u > u.dtype.type(t)).astype(u.dtype), problem) for t in thresholds)
        energy, _, mask = min((self.primal_value(problem, mask), k, mask) for k, mask in enumerate(masks))
        return mask, energy

    def mean_size(self, array: Array) -> float:
        """Mean of |array|, a number on the host."""
        return float(abs(array).mean(dtype=np.float64))

    def rounded(self, array: Array, unit: float, offset: float = 0.0) -> tuple[Array, float]:
        """(array - offset) / unit in float32, and the sum of the rounding errors; |unit| is a power of two."""
        if array.dtype == np.float32 and unit == 1 and offset == 0:
            return self.asarray(array), 0.0
        wide = array if array.dtype == np.float32 and not offset else array.astype(np.float64)
        exact = (wide - offset) / unit
        out = exact.astype(np.float32)
        return self.asarray(out), float(abs(out - exact).sum(dtype=np.float64))

    def iterate_many(
        self, problems: Sequence[Problem], u: Array, p: Array, *, n: int, tau: Sequence[float], sigma: Sequence[float],
        rho: float, finish: bool, active: Sequence[bool] | None = None,
    ) -> None:  # fmt: skip
        """`iterate` on several problems of one shape, u (B, L, *spatial) and p (B, k, L, *spatial), in place.

        Each has its own tau and sigma; those that are not `active` are not changed. A backend that is faster on all of
        them together overrides this and sets `many`.
        """
        for b, problem in enumerate(problems):
            if active is None or active[b]:
                self.iterate(problem, u[b], p[b], n=n, tau=tau[b], sigma=sigma[b], rho=rho, finish=finish)

    def values_many(self, problems: Sequence[Problem], u: Array, p: Array) -> np.ndarray:
        """`values` of several problems of one shape: (B, 2) float64, in the host's memory."""
        return np.array([self.values(problem, u[b], p[b]) for b, problem in enumerate(problems)])

    def network_value(self, network: Any, points: Array) -> Array:
        """G at `points`: (n, d) -> (n,)."""
        return network(points)

    def network_slope(self, network: Any, points: Array) -> tuple[Array, Array]:
        """G and its gradient at `points`: (n,) and (n, d)."""
        return network.value_and_slope(points)

    def network_loss(self, network: Any, points: Array, cost: Array, sharpness: float) -> tuple[Array, Array]:
        """L, a number on the device, and its gradient (P,)."""
        loss, gradient = 0, 0
        for piece in (slice(start, start + _CHUNK) for start in range(0, len(points), _CHUNK)):
            x, c = points[piece], cost[piece]
            g, z = network.forward(x)
            u = 1 / (1 + self.xp.exp(self.xp.clip(sharpness * g, -STEEPEST, STEEPEST)))
            loss = loss + (c * u).sum()
            gradient = gradient + network.backward(x, z, c * u * (u - 1))[0]
        return loss / (sharpness * len(points)), gradient / len(points)

    def network_descend(
        self, network: Any, adam: Any, points: Array, cost: Array, *, n: int, rate: float, sharpness: float
    ) -> None:
        """`n` steps of Adam on L, each `rate` long in every parameter; network and `adam` are changed in place."""
        for _ in range(n):
            gradient = self.network_loss(network, points, cost, sharpness)[1]
            network.unpack(network.pack() - rate * adam.step(gradient))


def next_steps(tau: float, sigma: float, gamma: float) -> tuple[float, float, float]:
    """theta, and tau and sigma after it, for strong convexity gamma; with 0 they stay as they are and theta is 1."""
    theta = 1.0 / float(np.sqrt(1.0 + 2.0 * gamma * tau))
    return theta, theta * tau, sigma / theta
