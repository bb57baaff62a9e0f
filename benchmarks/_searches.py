"""Searches that take their time: the least energy known for a target and a shape beyond convex.

For a star all centres on a grid of 8 pixels, each exactly, and then smaller steps; for a symmetric set 20,000 axes, and
steps from 32 starts; for turns places two pixels apart, and half pixels around the best; for ellipses, rectangles and
parts the search from the silhouette's own moments or parts; for a connected set five fits with prices that differ by a
thousandth, and annealing for 1,000 turns of all pixels.
"""

from typing import Any

import numpy as np

from varconvex.geometry.annealing import annealed
from varconvex.geometry.axis_search import costs_in_pairs
from varconvex.geometry.centre_search import costs_in_turns
from varconvex.geometry.conics import best_five, conic_of, ellipse_pixels, moments, rectangle_pixels, sides_of
from varconvex.geometry.digital_rays import least_cost
from varconvex.geometry.mirrors import axes_of, axis_of, symmetric_cost
from varconvex.geometry.rotations import turned_cost, turns


def better(name: str, shape: Any, cost: np.ndarray, truth: np.ndarray, fitted: Any) -> float:
    """The least energy that a longer search finds."""
    if name == "star":
        return _all_centres(cost)
    if name in ("ellipse", "rectangle"):
        round_ = name == "ellipse"
        starts = [moments(truth, 2.0 if round_ else 3**0.5), moments(fitted.mask, 2.0 if round_ else 3**0.5)]
        five = best_five(cost, starts, round_, np.random.default_rng(1))
        mask = ellipse_pixels(conic_of(five, cost.shape), cost.shape) if round_ else rectangle_pixels(
            sides_of(five), cost.shape)  # fmt: skip
        return float(cost[mask].sum())
    if name == "symmetric":
        return _all_axes(cost, truth)
    if name.startswith("rotational"):
        return _all_places(cost, truth, shape.n)
    if name in ("connected", "solid"):
        rng, nothing = np.random.default_rng(0), np.zeros(cost.shape, bool)
        found = [annealed(fitted.mask, cost, nothing, name == "connected", rng, sweeps=1000)]
        for _ in range(5):
            moved = np.clip(0.5 - cost / 2 + rng.uniform(-1e-3, 1e-3, cost.shape), 0, 1)
            found.append(shape.fit(moved).mask)
        return min(float(cost[mask].sum()) for mask in found)
    # Parts: with the silhouette as a hint that weighs as much as the target.
    hint = np.clip(0.5 - cost / 2 + 0.5 * (truth - 0.5), 0, 1)
    return float(cost[shape.fit(hint).mask].sum())


def _all_centres(cost: np.ndarray) -> float:
    places = [(r, c) for r in range(2, cost.shape[0], 8) for c in range(2, cost.shape[1], 8) if cost[r, c] < 0]
    values = {c: least_cost(cost, c) for c in places}
    for step in (4, 2, 1):
        for r, c in sorted(values, key=values.__getitem__)[:6]:
            for near in ((r + a * step, c + b * step) for a in (-1, 0, 1) for b in (-1, 0, 1)):
                if near not in values and all(0 <= n < size for n, size in zip(near, cost.shape, strict=True)):
                    values[near] = least_cost(cost, near)
    return min(values.values())


def _all_axes(cost: np.ndarray, truth: np.ndarray) -> float:
    middle = np.argwhere(truth).mean(axis=0)
    tried = [(symmetric_cost(cost, axis_of(t, *middle)), t, *middle) for t in np.arange(32) * (np.pi / 32)]
    best = min(min(tried)[0], _many_axes(cost, middle))
    for value, angle, row, column in sorted(tried)[:3]:
        turn, shift = np.pi / 64, 4.0
        while shift > 0.2:
            moves = [(turn, 0), (-turn, 0), (0, shift), (0, -shift)]
            near = []
            for a, b in moves:
                place = angle + a, row + b * np.cos(angle), column + b * np.sin(angle)
                near.append((symmetric_cost(cost, axis_of(*place)), *place))
            if min(near)[0] < value:
                value, angle, row, column = min(near)
            else:
                turn, shift = turn / 2, shift / 2
        best = min(best, value)
    return best


def _many_axes(cost: np.ndarray, middle: np.ndarray) -> float:
    """192 directions and every pixel's place up to a fifth of the side from the truth's middle, and half of these in
    the directions of the grid; the best 60 by their classes.
    """
    far = cost.shape[0] / 5
    places, found = np.flatnonzero(cost < 0), []
    rows, columns = np.unravel_index(places, cost.shape)
    points = np.stack([rows, columns], axis=1).astype(np.int32)
    for k in range(192):
        angle = k * np.pi / 192
        offsets = np.arange(-far, far, 1.0 if k % 48 else 0.25)
        axes = axes_of(np.full(len(offsets), angle), *(middle[:, None] + offsets * [[np.cos(angle)], [np.sin(angle)]]))
        axes = np.unique(axes, axis=0)
        values = np.empty(len(axes))
        costs_in_pairs(cost, points, 0, len(points), axes, values, 0, len(axes))
        found += zip(values.tolist(), map(tuple, axes.tolist()), strict=True)
    return min(symmetric_cost(cost, axis) for _, axis in sorted(found)[:60])


def _all_places(cost: np.ndarray, truth: np.ndarray, n: int) -> float:
    """Every second pixel up to a fifth of the side from the truth's middle, the best 60 by their classes, and all half
    pixels around the best three.
    """
    middle, far = np.rint(np.argwhere(truth).mean(axis=0)).astype(np.int64), cost.shape[0] // 5
    points, span = np.argwhere(cost < 0).astype(np.int32), np.arange(-far, far + 1, 2)
    centres = 2 * (middle + np.stack(np.meshgrid(span, span, indexing="ij"), axis=-1).reshape(-1, 2))
    centres = centres[((centres >= 0) & (centres <= 2 * np.array(cost.shape) - 2)).all(axis=1)]
    values = np.empty(len(centres))
    costs_in_turns(turns(n), cost, points, 0, len(points) // 8, centres, values, 0, len(centres))
    best = sorted((turned_cost(cost, n, (r, c)), r, c) for r, c in centres[np.argsort(values)[:60]].tolist())
    near = {(r + a, c + b) for _, r, c in best[:3] for a in range(-5, 6) for b in range(-5, 6)}
    inside = [p for p in near if all(0 <= q <= 2 * size - 2 for q, size in zip(p, cost.shape, strict=True))]
    return min(best[0][0], *(turned_cost(cost, n, p) for p in inside))
