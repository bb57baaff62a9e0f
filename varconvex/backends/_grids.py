"""Coarser and finer grids, and where the neighbours of pixels lie; part of the specification in `base.py`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .problem import Array, Offsets, Problem


class Grids:
    """Problems and states between a grid and the one of half its size. Subclasses set `xp` and the projections."""

    xp: Any
    asarray: Any
    project: Any
    project_ball: Any

    def halve(self, array: Array, ndim: int) -> Array:
        """Means over blocks of two pixels along each of the last `ndim` axes; an odd last pixel is its own block."""
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
        """A pair (u, p) of the half-size problem on this problem's grid, made feasible.

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
        offsets = offsets or axes(d)
        half = p.shape[-d:]
        near_same = (..., *(w // 2 for w in where))
        fine = self.xp.zeros((*p.shape[:-d], *spatial), dtype=p.dtype)
        for flow, coarse, offset, (near, _) in zip(fine, p, offsets, ends(p.ndim - 1, d, offsets), strict=True):
            # Along each axis, the coarse pixel whose flow is averaged into a fine pixel's flow.
            behind = [w // 2 - np.where(w % 2 == int(o > 0), 0, o) for w, o in zip(where, offset, strict=True)]
            inside = np.ones(spatial, bool)
            for w, size in zip(behind, half, strict=True):
                inside = inside & (w >= 0) & (w < size)
            safe = tuple(w.clip(0, size - 1) for w, size in zip(behind, half, strict=True))
            both = coarse[near_same] + coarse[(..., *safe)] * self.asarray(inside, p.dtype)
            flow[near] = both[near]
        return u[near_same], fine


def axes(d: int) -> tuple[tuple[int, ...], ...]:
    """Offset of the next pixel along each of d axes."""
    return tuple(tuple(int(i == k) for i in range(d)) for k in range(d))


def ends(ndim: int, count: int, offsets: Offsets) -> list[tuple[tuple, tuple]]:
    """Index of the pixels that have a neighbour at each offset, and of that neighbour; spatial axes are the last."""
    if offsets is None:
        offsets = axes(count)
    rest = (slice(None),) * (ndim - len(offsets[0]))
    return [
        ((*rest, *(slice(max(-o, 0), -o if o > 0 else None) for o in offset)),
         (*rest, *(slice(max(o, 0), o if o < 0 else None) for o in offset)))
        for offset in offsets
    ]  # fmt: skip
