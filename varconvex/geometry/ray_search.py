"""The best convex outline around a point, by dynamic programming from ray to ray:

    min over r_0, ..., r_(A-1)    sum over i of  w_i(r_i, r_(i+1))

with a corner at distance r_i on each of A rays from a point inside, r on a geometric grid. w_i is the cost of the wedge
between two rays: the integral of the pixel cost over the triangle, and that of the boundary cost along the chord, whose
direction follows from the two corners. Convex are the outlines with

    1/r_(i-1) + 1/r_(i+1)  >=  2 cos(2 pi / A) / r_i

at every corner: no corner within the chord of its neighbours. Given r_i and r_(i+1) that bounds r_(i-1) from above, so

    f_(i+1)(r_i, r_(i+1)) = w_i(r_i, r_(i+1)) + min over r_(i-1) <= bound of f_i(r_(i-1), r_i)

is a running minimum: the time of a step is the number of pairs (r_i, r_(i+1)). The chain goes round twice, so that its
middle turn does not depend on where it began; the outline is that turn, and the hull of its corners closes it: optimal
but for where it is closed, and for half a step of r by which convexity may be violated. An affine map keeps convexity:
rays may be stretched along an elongated object.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..compiling import compiled
from ..threads import n_threads, run

Array = np.ndarray

_RAYS, _BETWEEN, _RADII = 32, 3, 112
"""Rays with a corner each, lines between two of them along which costs are looked up, radii on a ray."""

_FINE_RAYS, _FINE_BETWEEN, _FINE_RADII = 64, 2, 72
"""As above, for rays along an outline: twice the rays, and radii a quarter as far apart, since the violation of
convexity that is allowed (half a step a corner) may add up as the square of the number of corners."""

_NEAREST = 3.0
"""Least distance of a corner from the point inside, in pixels."""

_AROUND = 1.6
"""Factor by which corners may come nearer to the centre, or go farther, than those of the outline before."""

_ALONGSIDE = 1.08
"""As above, where rays follow the outline: about what a corner between two rays of the coarser frame has lost."""

_NORMALS = 16
"""Directions of the outward normal for which boundary costs are looked up."""

HARD = 60.0
"""Cost of a scribbled pixel on the wrong side, in nats: more than the evidence of its neighbourhood."""

_compiled = compiled(nogil=True, error_model="numpy", fastmath=True)

BoundaryCost = Callable[[Array, Array], Array]
"""boundary_cost(points (..., 2), unit normals (..., 2)) -> (...), nats a pixel of boundary there; the two broadcast."""


@dataclass(frozen=True)
class Frame:
    """Rays from `centre`, x = centre + r rho(t) stretch (sin t, cos t), in pixels: (2,) and (2, 2) float.

    `reach` is the least and the greatest r; None for all within the image. `followed` is an outline in the stretched
    plane ((n, 2) float, corners by angle), and rho(t) its radius; None for rho = 1.
    """

    centre: Array
    stretch: Array
    reach: tuple[float, float] | None = None
    followed: Array | None = None

    @property
    def size(self) -> tuple[int, int, int]:
        """Rays, lines between two of them, radii."""
        return (_RAYS, _BETWEEN, _RADII) if self.followed is None else (_FINE_RAYS, _FINE_BETWEEN, _FINE_RADII)

    @classmethod
    def around(cls, points: Array) -> "Frame":
        """Round rays from the mean of `points` ((n, 2) float)."""
        return cls(points.mean(axis=0), np.eye(2))

    @classmethod
    def fitted(cls, mask: Array, corners: Array) -> "Frame":
        """Rays from the centre of `mask` ((H, W) bool, not empty), stretched as it is; radii are near its `corners`."""
        points = np.argwhere(mask).astype(float)
        spread = np.cov(points.T) if len(points) > 1 else np.zeros((2, 2))
        values, axes = np.linalg.eigh(spread + np.eye(2))
        widths = np.sqrt(values)
        centre, stretch = points.mean(axis=0), axes @ np.diag(widths / np.sqrt(widths.prod())) @ axes.T
        away = np.hypot(*np.linalg.solve(stretch, (corners - centre).T))
        return cls(centre, stretch, (max(away.min() / _AROUND, 1.0), away.max() * _AROUND))

    @classmethod
    def along(cls, mask: Array, corners: Array) -> "Frame":
        """Rays that follow the outline of `mask` ((H, W) bool, not empty), with `corners` by angle."""
        frame = cls.fitted(mask, corners)
        followed = np.linalg.solve(frame.stretch, (corners - frame.centre).T).T
        return cls(frame.centre, frame.stretch, (1 / _ALONGSIDE, _ALONGSIDE), followed)

    def scale(self, count: int, first: float) -> Array:
        """(count,): rho at the angles (i + first) 2 pi / count."""
        if self.followed is None:
            return np.ones(count)
        steps = np.roll(self.followed, -1, axis=0) - self.followed
        normals = np.stack([steps[:, 1], -steps[:, 0]], axis=1)
        away = (normals * self.followed).sum(axis=1, keepdims=True)
        # The corners may be in either order; a side through the centre would divide by zero.
        shares = normals / np.where(np.abs(away) > 1e-9, away, 1e-9)
        return 1 / np.maximum((_circle(count, first) @ shares.T).max(axis=1), 1e-6)

    def directions(self, count: int, first: float) -> Array:
        """(count, 2): steps of radius 1 at the angles (i + first) 2 pi / count."""
        return self.scale(count, first)[:, None] * _circle(count, first) @ self.stretch.T

    def radii(self, shape: tuple[int, ...]) -> Array:
        """A geometric grid within `reach`, or from `_NEAREST` to past the image's farthest corner: (n,) float."""
        if self.reach is not None:
            return np.geomspace(*self.reach, self.size[2])
        far = np.array([[0, 0], [0, shape[1]], [shape[0], 0], shape], float) - self.centre
        most = np.hypot(*np.linalg.solve(self.stretch, far.T)).max()
        return np.geomspace(_NEAREST, max(1.02 * most, 2 * _NEAREST), _RADII)


def best_outline(
    cost: Array, boundary_cost: BoundaryCost, inside: Array, outside: Array, frame: Frame
) -> tuple[Array, float]:
    """The convex outline of least cost around the frame's centre, and its energy without scribbled pixels.

    `cost` ((H, W) float) is negative where it favours the object; pixels beyond the image cost nothing, nor does
    boundary there. The scribbles `inside` and `outside` ((H, W) bool) are large costs: they may be violated, unless the
    mask is repaired. Corners ((n, 2) float) are row and column with pixel centres at integers, convex, by angle.
    """
    from scipy.spatial import ConvexHull

    radii, (rays, between, steps) = frame.radii(cost.shape), frame.size
    soft = np.where(inside | outside, 0, cost)
    area = _areas(frame, radii, soft)
    held = _areas(frame, radii, np.where(inside, -HARD, 0) + np.where(outside, HARD, 0))
    there = _look_up(np.ones(cost.shape), _points(frame, radii))
    # The boundary cost at each place and for each direction of the normal: (normals, lines, radii).
    edges = boundary_cost(_points(frame, radii)[None], _circle(_NORMALS, 0)[:, None, None])
    edges = np.broadcast_to(edges, (_NORMALS, *there.shape)) * there
    wedges = np.empty((rays, steps, steps), np.float32)
    at_rays, at_lines = frame.scale(rays, 0), frame.scale(rays * between, 0.5)
    head = (area + held, edges, radii, at_rays, at_lines, frame.stretch, wedges)
    parts = min(n_threads(), rays)
    run(_wedge_costs, [(*head, *span) for span in pairwise(rays * k // parts for k in range(parts + 1))])
    chain = np.empty(rays, np.int64)
    _round_twice(wedges, _bounds(radii, at_rays), chain)
    total = float(wedges[np.arange(rays), chain, np.roll(chain, -1)].sum(dtype=np.float64))
    corners = frame.centre + radii[chain, None] * frame.directions(rays, 0)
    # About what the scribbles add to the energy.
    lines = np.arange(len(held))
    total -= float(held[lines, chain[lines * rays // len(held)]].sum())
    return corners[ConvexHull(corners).vertices], total


def _circle(count: int, first: float) -> Array:
    """(count, 2): unit vectors at the angles (i + first) 2 pi / count."""
    angle = (np.arange(count) + first) * (2 * np.pi / count)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _points(frame: Frame, radii: Array) -> Array:
    """(lines, radii, 2): where costs are looked up."""
    rays, between, _ = frame.size
    return frame.centre + radii[:, None] * frame.directions(rays * between, 0.5)[:, None, :]


def _look_up(values: Array, points: Array) -> Array:
    """`values` between pixels, linear, 0 beyond the border."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(values, [points[..., 0], points[..., 1]], order=1, mode="constant", output=np.float64)


def _areas(frame: Frame, radii: Array, cost: Array) -> Array:
    """(lines, radii): the cost of the sector around each line, from the centre to each radius."""
    along = _look_up(cost, _points(frame, radii))
    inner = along[:, :1] * radii[0] ** 2 / 2
    steps = (along[:, 1:] + along[:, :-1]) / 2 * (radii[1:] ** 2 - radii[:-1] ** 2) / 2
    total = np.concatenate([inner, inner + np.cumsum(steps, axis=1)], axis=1)
    lines = len(total)
    sectors = frame.scale(lines, 0.5)[:, None] ** 2 * (2 * np.pi / lines)
    return total * abs(np.linalg.det(frame.stretch)) * sectors


@_compiled
def _wedge_costs(
    area: Array, edges: Array, radii: Array, at_rays: Array, at_lines: Array,
    stretch: Array, wedges: Array, begin: int, end: int,
) -> None:  # fmt: skip
    """Write w_i(r_i, r_(i+1)), (rays, radii, radii), of the rays from `begin` to `end`: area and chord, looked up on
    the lines between the two rays.
    """
    count, steps = edges.shape[0], radii.size
    rays, between = at_rays.size, at_lines.size // at_rays.size
    step, ratio = 2 * math.pi / rays, math.log(radii[1] / radii[0])
    turns = (np.arange(between) + 0.5) / between * step
    # A line's distance to the chord: 1/r = from_here / r0 + from_after / r1.
    from_here, from_after = np.sin(step - turns) / math.sin(step), np.sin(turns) / math.sin(step)
    # Of wedges with the same b - a, one is the other enlarged: by that difference, the chord's direction, its length
    # and the place of its crossings with the lines, in units of r_a and counted from a.
    normals, lengths = np.empty(2 * steps - 1, np.int64), np.empty(2 * steps - 1)
    places = np.empty((between, 2 * steps - 1))
    for i in range(begin, end):
        here, after = at_rays[i], at_rays[(i + 1) % rays]
        x0, y0 = here * math.sin(i * step), here * math.cos(i * step)
        for d in range(2 * steps - 1):
            far = after * math.exp((d - steps + 1) * ratio)
            x, y = far * math.sin((i + 1) * step) - x0, far * math.cos((i + 1) * step) - y0
            row, column = stretch[0, 0] * x + stretch[0, 1] * y, stretch[1, 0] * x + stretch[1, 1] * y
            # Rays turn from columns to rows, so that outside is to the right of a step.
            normal = math.atan2(column, -row)
            if column * (stretch[0, 0] * x0 + stretch[0, 1] * y0) < row * (stretch[1, 0] * x0 + stretch[1, 1] * y0):
                normal += math.pi
            normals[d] = int(normal / (2 * math.pi) * count + 0.5 + count) % count
            lengths[d] = math.hypot(row, column) / between
            for s in range(between):
                inverse = (from_here[s] / here + from_after[s] / far) * at_lines[i * between + s]
                places[s, d] = -math.log(inverse) / ratio
        for a in range(steps):
            for b in range(steps):
                d = b - a + steps - 1
                o = normals[d]
                inner = outer = 0.0
                for s in range(between):
                    k = i * between + s
                    place = min(max(a + places[s, d], 0.0), steps - 1.001)
                    j = int(place)
                    f = place - j
                    inner += area[k, j] + f * (area[k, j + 1] - area[k, j])
                    outer += edges[o, k, j] + f * (edges[o, k, j + 1] - edges[o, k, j])
                wedges[i, a, b] = inner + outer * lengths[d] * radii[a]


def _bounds(radii: Array, at_rays: Array) -> Array:
    """(rays, radii, radii): the greatest index of r_(i-1) for each r_i, r_(i+1); -1 where there is none."""
    # Half a step of the grid is allowed: otherwise rounding would forbid straight lines.
    slack = 1 - 0.5 * (radii[1] / radii[0] - 1)
    before, after = np.roll(at_rays, 1)[:, None, None], np.roll(at_rays, -1)[:, None, None]
    here = at_rays[:, None, None] * radii[:, None]
    inverse = (2 * np.cos(2 * np.pi / len(at_rays)) * slack / here - 1 / (after * radii)) * before
    most = 1 / np.maximum(inverse, 1 / radii[-1])
    return np.searchsorted(radii, most * (1 + 1e-9), side="right").astype(np.int16) - np.int16(1)


@_compiled
def _round_twice(wedges: Array, bounds: Array, chain: Array) -> None:
    """Write the middle turn of the chain of least cost over two turns to `chain` ((rays,) int): indices of radii."""
    rays, steps = wedges.shape[0], wedges.shape[1]
    turns = 2 * rays
    here = wedges[0].copy()
    there = np.empty_like(here)
    back = np.empty((turns, steps, steps), np.int16)
    least, place = np.empty(steps, np.float32), np.empty(steps, np.int16)
    for i in range(1, turns + 1):
        bound = bounds[i % rays]
        for a in range(steps):
            low, at = here[0, a], 0
            for c in range(steps):
                if here[c, a] < low:
                    low, at = here[c, a], c
                least[c], place[c] = low, at
            for b in range(steps):
                most = bound[a, b]
                there[a, b] = least[most] + wedges[i % rays, a, b] if most >= 0 else np.float32(1e30)
                back[i - 1, a, b] = place[most] if most >= 0 else 0
        here, there = there, here
    best = np.argmin(here)
    after, now = best % steps, best // steps
    for i in range(turns, 0, -1):
        if rays // 2 <= i < rays // 2 + rays:
            chain[i % rays] = now
        after, now = now, back[i - 1, now, after]
