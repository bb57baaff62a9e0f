"""Labels coupled in pairs: the dual set |p_i - p_j| <= radius for each two labels, and the length that it is dual to.

    length(g) = sup <p, g> over |p_i - p_j| <= 1  =  min sum_(i < j) |q_ij|  over flows q with  sum_j q_ij = g_i

for fields g : (k, L, *spatial) that sum to 0 over the labels, as gradients of shares do (Chambolle, Cremers, Pock 2012,
doi:10.1137/110856733). With `isotropic` |.| is Euclid's over the k directions, or else each direction is by itself.
"""

from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np

SWEEPS = 6
"""Dykstra's sweeps in a dual step; the remaining excess is scaled away."""


def project_pairs(xp: Any, p: Any, radius: Any, isotropic: bool, sweeps: int = SWEEPS) -> Any:
    """Nearly the nearest field within the dual set, feasible always.

    Dykstra's method (Boyle, Dykstra 1986, doi:10.1007/978-1-4613-9940-7_3) projects onto one pair's set at a time and
    stores the correction. The excess after the last sweep is scaled away, so that the dual value stays a bound.
    """
    p = p.copy()
    pairs = list(combinations(range(p.shape[1]), 2))
    taken = [xp.zeros_like(p[:, 0]) for _ in pairs]
    for _ in range(sweeps if len(pairs) > 1 else 1):
        for m, (i, j) in enumerate(pairs):
            apart = p[:, i] - p[:, j] + 2 * taken[m]
            excess = apart * (1 - _shrink(xp, _norm(xp, apart, isotropic), radius)) / 2
            p[:, i] += taken[m] - excess
            p[:, j] -= taken[m] - excess
            taken[m] = excess
    widest = reduce(xp.maximum, [_norm(xp, p[:, i] - p[:, j], isotropic) for i, j in pairs])
    return p * _shrink(xp, widest, radius)[:, None]


def pairwise_length(xp: Any, g: Any, isotropic: bool) -> Any:
    """The length above, (1, *spatial); an upper bound of it where more than three labels change at once.

    Labels that change least send theirs straight to the one that changes most. The last three flows meet in the Fermat
    point of a triangle with sides |g_i|. Along the grid a label's gain is the others' loss: half the sum of all.
    """
    if not isotropic or g.shape[1] < 3:
        return 0.5 * _norm(xp, g, isotropic).sum(axis=(0, 1))[None]
    lengths = _norm(xp, g, isotropic)[0]
    order = xp.argsort(-lengths, axis=0)
    two, three = (xp.take_along_axis(g, order[None, k : k + 1], axis=1)[:, 0] for k in (1, 2))
    sides = xp.take_along_axis(lengths, order, axis=0)
    a, b, c = xp.sqrt(((two + three) ** 2).sum(axis=0)), sides[1], sides[2]
    half = (a + b + c) / 2
    area = xp.sqrt(xp.maximum(half * (half - a) * (half - b) * (half - c), 0.0))
    squares = a * a + b * b + c * c
    # Where an angle is 120 degrees or more, the Fermat point is that corner: the two sides that meet there.
    longest = xp.maximum(a, xp.maximum(b, c))
    short = a + b + c - longest
    blunt = 3 * longest * longest >= squares + short * short
    total = xp.where(blunt, short, xp.sqrt(squares / 2 + 2 * np.sqrt(3.0) * area))
    return (total + sides[3:].sum(axis=0))[None]


def _norm(xp: Any, g: Any, isotropic: bool) -> Any:
    return xp.sqrt((g * g).sum(axis=0, keepdims=True)) if isotropic else xp.abs(g)


def _shrink(xp: Any, norm: Any, radius: Any) -> Any:
    """The factor, at most 1, that makes a length at most `radius`."""
    return radius / xp.maximum(xp.maximum(norm, radius), np.finfo(norm.dtype).tiny)
