"""Energy of convex sets and their appearance, which joint unification minimises over the sets of a shape directly.

    J(index, theta) = -sum_x log P(index(x) | x, theta) - w sum over scribbles log P(their label | x, theta)
                      + sum_k alpha_C integral over the boundary of C_k of g(x, n) ds  +  alpha TV_g of the rest

    P(k | x, theta) = exp(-cost_k(x)) / sum_j exp(-cost_j(x))

C_k is the set of the k-th label, where it has a shape, and index(x) = k in it; the rest is divided among the labels
without one, with the total variation as boundary cost where there are several. For a fixed theta the best C_k minimises
its cost above that of the label which the pixel has otherwise, and its boundary; theta is estimated from all regions.
All of it on a grid of at most `SIDE` pixels a side: neither a region's colours nor a convex outline depend on single
pixels.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from ..backends import ArrayBackend, get_backend
from ..edges import contrast_tensors
from ..energies.potts import Potts
from ..geometry.certify import hull_vertices
from ..geometry.components import keep_scribbled
from ..geometry.outline import Outline
from ..geometry.ray_search import BoundaryCost
from ..inputs import Scene
from ..likelihoods.base import Likelihood
from ..options import EdgeWeight
from ..shapes.base import FittedShape
from ..solvers.pdhg import pdhg
from ..threads import deadline
from .appearance.base import Appearance
from .appearance.regional import RegionalAppearance
from .others import StrokeModel, count_others, shares_of
from .small_grid import resized, shrink

SIDE, _ROUGH = 320, 128
"""Pixels along the longer side of the grid; where a time limit leaves little."""

_HURRY = 0.3
"""Seconds until a time limit below which the grid is a rough one: theta by itself takes a third of it on the other."""

CONVEX_SHARE = 0.4
"""alpha_C as a share of the total variation's alpha: convexity gives smoothness, for which the rest would pay."""

_HALF_PIXEL = np.array([(-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)])


@dataclass(frozen=True)
class Arrangement:
    """Label image, with the sets of its labels that have a shape.

    Attributes
    ----------
    outlines : mapping of int to Outline
        Convex sets on the small grid by index of the label; they do not overlap.
    index : (H, W) or (D, H, W) int
        Index of each pixel's label.
    count : int
        K, the number of labels.
    fitted : mapping of int to FittedShape
        Shapes by index of the label, where the label image is a projection onto them.
    """

    outlines: Mapping[int, Outline]
    index: np.ndarray
    count: int
    fitted: Mapping[int, FittedShape] = field(default_factory=dict)

    def indicator(self, shape: tuple[int, ...]) -> np.ndarray:
        """The labels on a grid of `shape` pixels: (K, h, w) float32, 0 or 1 in and around the sets, else averages."""
        found = np.stack([resized((self.index == k).astype(np.float32), shape) for k in range(self.count)])
        if shape == self.index.shape:
            return found
        masks = {k: outline.rasterize((shape[0], shape[1])) for k, outline in self.outlines.items()}
        found[list(masks)] = 0
        found[:, np.any(list(masks.values()), axis=0)] = 0
        for k, mask in masks.items():
            found[:, mask], found[k, mask] = 0, 1
        found[0] += 1 - found.sum(axis=0)
        return found


@dataclass(frozen=True)
class SetEnergy:
    """J on a small grid; made by `start`.

    Attributes
    ----------
    scene : Scene
        The scene on square pixels, at most `SIDE` a side.
    alpha : float
        Boundary cost of a set on a flat place, in nats per pixel length.
    weight : (H, W) float or None
        Edge weight: the factor on the boundary cost that the user gave, 0 beside what is outside.
    tensors : list of (3, H, W) float
        Contrast by direction, at each scale; empty for no contrast.
    appearance : Appearance
        theta.
    backend : str, ArrayBackend or None
        Solves for the labels without a shape.
    strokes : StrokeModel or None
        What the scribbles' costs in theta were made of; None where `appearance` was given.
    """

    scene: Scene
    alpha: float
    weight: np.ndarray | None
    tensors: list[np.ndarray]
    appearance: Appearance
    backend: str | ArrayBackend | None = None
    strokes: StrokeModel | None = None

    @classmethod
    def start(
        cls,
        full: Scene,
        first: Likelihood | Appearance,
        alpha: float,
        edge_weight: EdgeWeight | np.ndarray | None,
        backend: str | ArrayBackend | None = None,
    ) -> Self:
        """The energy with `first` for theta, or with regional models on top of its costs if it is no appearance model.

        `alpha` is the total variation's on the full grid, `edge_weight` as in `EnergyPredictor`.
        """
        from scipy.ndimage import binary_dilation

        scene = shrink(full, SIDE if deadline() - time.perf_counter() > _HURRY else _ROUGH)
        strokes = None if isinstance(first, Appearance) else StrokeModel.of(first, full, scene)
        if isinstance(first, Appearance):
            appearance: Appearance = first
        else:
            assert strokes is not None
            appearance = RegionalAppearance.start(scene, strokes.costs(scene), backend)
        coarser = (full.seeds.size / scene.seeds.size) ** 0.5
        given = None if edge_weight is None or isinstance(edge_weight, str) else np.asarray(edge_weight, np.float32)
        weight = None if given is None else resized(given, scene.seeds.shape)
        if (scene.seeds < 0).any():
            # As in the total variation, no boundary is paid for where the problem ends.
            weight = np.where(binary_dilation(scene.seeds < 0), 0, 1 if weight is None else weight).astype(np.float32)
        tensors = []
        if isinstance(edge_weight, str):
            tensors = scene.once("tensors", lambda: contrast_tensors(scene.image, scene.valid))
        return cls(scene, CONVEX_SHARE * alpha / coarser, weight, tensors, appearance, backend, strokes)

    @cached_property
    def costs(self) -> np.ndarray:
        """Cost of each label at each pixel: (K, H, W) float32, in nats; only differences between labels matter."""
        return self.appearance.costs(self.scene)

    def refit(self, index: np.ndarray) -> Self:
        """The energy with theta re-estimated from all regions of `index` ((H, W) int)."""
        return replace(self, appearance=self.appearance.learn(self.scene, index))

    def with_others(self, shares: np.ndarray) -> Self:
        """The energy for scribbles' costs with `shares` ((K - 1,) float) of others alike in the background.

        Without `strokes` it stays as it is.
        """
        if self.strokes is None or not isinstance(self.appearance, RegionalAppearance):
            return self
        costs = self.strokes.costs(self.scene, shares)
        return replace(self, appearance=replace(self.appearance, first=costs, mixed=costs))

    def others(self, found: Arrangement) -> np.ndarray:
        """Shares of others alike, counted outside the sets of `found`: (K - 1,) float, 0 for labels without a set."""
        shares = np.zeros(len(self.costs) - 1)
        if self.strokes is None:
            return shares
        likeliest = np.where(self.scene.valid, self.strokes.lengths.argmin(axis=0), 0)
        masks = {k: outline.mask for k, outline in found.outlines.items()}
        taken = np.any(list(masks.values()), axis=0)
        counts = {k: count_others(mask, taken, likeliest == k) for k, mask in masks.items()}
        return shares_of([counts.get(k, 0) for k in range(1, len(self.costs))])

    def scribbled_parts(self) -> np.ndarray:
        """Index of each pixel's label by the scribbles' costs and total variation, in parts that hold a scribble.

        (H, W) int; without outliers and others: what the strokes say where they say enough.
        """
        energy = self
        if self.strokes is not None and isinstance(self.appearance, RegionalAppearance):
            energy = replace(self, appearance=replace(self.appearance, mixed=self.strokes.plain_costs(self.scene)))
        return energy._divided(list(range(len(self.costs))), np.zeros(self.scene.seeds.shape, bool))

    def outline_problem(
        self, k: int, taken: np.ndarray, index: np.ndarray | None = None
    ) -> tuple[np.ndarray, BoundaryCost, np.ndarray, np.ndarray]:
        """Arguments of `OutlineShape.outline` for the outline of least J for label `k` and this theta.

        Parameters
        ----------
        k : int
            Index of the label.
        taken : (H, W) bool
            Pixels that it must not have.
        index : (H, W) int, optional
            Label that each pixel has outside of the outline; the cheapest other one by default.
        """
        others = np.delete(self.costs, k, axis=0).min(axis=0)
        if index is not None:
            others = np.where(index == k, others, np.take_along_axis(self.costs, index[None], axis=0)[0])
        inside, outside = self.scene.held(k)
        return self.costs[k] - others, self.boundary_cost, inside, outside | taken

    def excess_costs(self, shaped: Iterable[int]) -> np.ndarray:
        """Costs above those of the cheapest label without a shape, which receives what sets lose: (K, H, W)."""
        return self.costs - self.costs[self._free(shaped)].min(axis=0)

    def arranged(self, outlines: Mapping[int, Outline]) -> Arrangement:
        """These sets, and the remaining pixels divided among the labels without a shape."""
        free = self._free(outlines)
        taken = np.any([outline.mask for outline in outlines.values()], axis=0)
        index = np.array(free)[self._divided(free, taken)]
        for k, outline in outlines.items():
            index[outline.mask] = k
        return Arrangement(outlines, index, len(self.costs))

    def arrangement_of(self, index: np.ndarray, shaped: Iterable[int]) -> Arrangement:
        """A label image of the full grid ((h, w) int) on the small one; the labels in `shaped` are convex sets."""
        shape = self.scene.seeds.shape
        shares = [resized((index == k).astype(np.float32), shape) for k in range(len(self.costs))]
        outlines = {k: mask_outline(index == k, shape) for k in shaped}
        return Arrangement(outlines, np.argmax(shares, axis=0), len(shares))

    def resampled_costs(self, shape: tuple[int, ...]) -> np.ndarray:
        """`costs` on a grid of `shape` pixels: (K, h, w) float32, the cheapest label at 0."""
        costs = np.stack([resized(cost, shape) for cost in self.costs])
        return costs - costs.min(axis=0)

    def value(self, found: Arrangement) -> float:
        """J, in nats."""
        total = self.appearance.data_cost(self.scene, found.index)
        total += sum(outline.boundary(self.boundary_cost) for outline in found.outlines.values())
        free = self._free(found.outlines)
        if len(free) > 1:
            taken = np.isin(found.index, list(found.outlines))
            energy, backend = self._rest(np.zeros((len(free), *taken.shape)), free, taken), get_backend(self.backend)
            total += energy.value(backend, np.searchsorted(free, np.where(taken, free[0], found.index)))
        return float(total)

    def boundary_cost(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Nats per pixel length of boundary at `points` (..., 2) with unit normals (..., 2): (...) float."""
        from scipy.ndimage import map_coordinates

        def at(values: np.ndarray) -> np.ndarray:
            return map_coordinates(values, [points[..., 0], points[..., 1]], order=1, mode="nearest", output=np.float64)

        down, right = normals[..., 0], normals[..., 1]
        factor = np.ones(points.shape[:-1])
        if self.tensors:
            along = (down * down * at(a) + 2 * down * right * at(b) + right * right * at(c) for a, b, c in self.tensors)
            factor = sum((np.exp(-change) for change in along), np.zeros(())) / len(self.tensors)
        if self.weight is not None:
            factor = factor * at(self.weight)
        return self.alpha * factor

    def _free(self, shaped: Iterable[int]) -> list[int]:
        """Indices of the labels without a shape."""
        shaped = set(shaped)
        return [k for k in range(len(self.scene.labels)) if k not in shaped]

    def _divided(self, free: list[int], taken: np.ndarray) -> np.ndarray:
        """Position in `free` of each pixel's label, in parts that hold a scribble: (H, W) int."""
        if len(free) == 1:
            return np.zeros(taken.shape, np.int64)
        backend = get_backend(self.backend)
        found = backend.to_numpy(pdhg(self._rest(self.costs[free], free, taken), backend=backend).labels)
        # A region without a scribble would train the models wrongly.
        seeds = np.searchsorted(free, self.scene.seeds - 1) + 1
        return keep_scribbled(np.where(taken, 0, found), np.where(np.isin(self.scene.seeds - 1, free), seeds, 0))

    def _rest(self, costs: np.ndarray, free: list[int], taken: np.ndarray) -> Potts:
        """The energy of the labels in `free`; no boundary is paid for at pixels in `taken`."""
        weight = np.ones(taken.shape) if self.weight is None else self.weight
        if self.tensors:
            weight = weight * self.scene.contrast_weight
        seeded = np.stack([self.scene.seeds == k + 1 for k in free])
        elsewhere = taken | (self.scene.seeds < 0)
        return Potts(
            np.where(elsewhere, 0, costs),
            self.alpha / CONVEX_SHARE,
            weight=np.where(elsewhere, 0, weight).astype(np.float32),
            lower=seeded.astype(np.float32),
        )


def mask_outline(mask: np.ndarray, shape: tuple[int, int]) -> Outline:
    """The convex outline through the midpoints of the pixel edges around `mask` ((h, w) bool), on a grid of `shape`.

    Along the image's border it runs outside of the image, where no boundary is paid for.
    """
    size = np.array(mask.shape)
    points = (hull_vertices(mask)[:, None] + _HALF_PIXEL).reshape(-1, 2)
    points = np.where(points < 0, -1, np.where(points > size - 1, size, points))
    return Outline((points + 0.5) * (np.array(shape) / size) - 0.5, shape, 0.0)
