"""The energy of convex sets and their appearance together, which joint unification minimises with shapes that can:

    J(index, theta) = -sum_x log P(index(x) | x, theta) - w sum over scribbles log P(their label | x, theta)
                      + sum_k alpha_C integral over the boundary of C_k of g(x, n) ds  +  alpha TV_g of the rest

    P(k | x, theta) = exp(-cost_k(x)) / sum_j exp(-cost_j(x))

C_k is the set of the k-th label, where it has a shape, and index(x) = k in it; the rest goes to the labels without one,
at the energy's own price of length where there are several. For a fixed theta the best C_k minimises its cost above
that of whoever has the pixel otherwise, and its boundary; theta is learnt from all regions. All of it on a grid of at
most `SIDE` pixels a side: neither a region's colours nor a convex outline hang on single pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from ..backends import ArrayBackend, get_backend
from ..edges import contrast_tensors, contrast_weight
from ..energies.potts import Potts
from ..geometry.components import keep_scribbled
from ..inputs import Scene
from ..likelihoods._learnt import SCRIBBLES
from ..likelihoods._regional import RegionalCost
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from ..solvers.pdhg import pdhg

SIDE = 320
"""Pixels along the longer side of the grid."""

CONVEX_SHARE = 0.4
"""alpha_C is this share of the total variation's alpha: smoothness, which the rest of it buys, comes with convexity."""


class Appearance(Protocol):
    """theta: what it says of each pixel, and what it makes of both sides of a set."""

    @property
    def costs(self) -> np.ndarray:
        """What each label costs at each pixel: (K, H, W) float32, in nats; only differences between labels matter."""

    def learn(self, scene: Scene, index: np.ndarray) -> Self:
        """The same with all regions of `index` ((H, W) int) re-estimated."""


@dataclass(frozen=True)
class Arrangement:
    """Sets that do not overlap, and what is left to the others.

    Attributes
    ----------
    outlines : dict of int to Outline
        By index of the label.
    index : (H, W) int
        Index of each pixel's label on the small grid.
    count : int
        K, the number of labels.
    """

    outlines: Mapping[int, Any]
    index: np.ndarray
    count: int

    def indicator(self, shape: tuple[int, ...]) -> np.ndarray:
        """Whose each pixel is on a grid of `shape` pixels: (K, H, W) float32, 0 or 1 in and around the sets."""
        found = np.stack([resized((self.index == k).astype(np.float32), shape) for k in range(self.count)])
        masks = {k: outline.rasterize(shape) for k, outline in self.outlines.items()}
        found[list(masks)] = 0
        found[:, np.any(list(masks.values()), axis=0)] = 0
        for k, mask in masks.items():
            found[:, mask], found[k, mask] = 0, 1
        found[0] += 1 - found.sum(axis=0)
        return found


@dataclass(frozen=True)
class ShapedEnergy:
    """J on a small grid; made by `start`, taught by `learn`.

    Attributes
    ----------
    scene : Scene
        The scene on square pixels, at most `SIDE` a side.
    alpha : float
        Nats for a pixel of a set's boundary on a flat place.
    weight : (H, W) float or None
        Factor on the boundary's price: what the user gave, and 0 beside what is outside.
    tensors : list of (3, H, W) float
        Contrast by direction, at each scale; empty where it is not to count.
    count : float
        How many pixels a scribbled pixel counts as.
    model : Appearance
        theta.
    backend : str, ArrayBackend or None
        What computes.
    """

    scene: Scene
    alpha: float
    weight: np.ndarray | None
    tensors: list[np.ndarray]
    count: float
    model: Appearance
    backend: str | ArrayBackend | None = None

    @classmethod
    def start(cls, full: Scene, likelihood: Any, alpha: float, edge_weight: Any, backend: Any = None) -> "ShapedEnergy":
        """theta from the scribbles alone; `alpha` is the total variation's on the full grid."""
        scene = shrink(full, SIDE)
        # A likelihood from elsewhere may know the full grid only; that of the kernels is slow there and scales.
        if isinstance(likelihood, NieuwenhuisCremersLikelihood):
            costs = likelihood.costs(scene)
        else:
            costs = np.stack([resized(cost, scene.seeds.shape) for cost in likelihood.costs(full)])
        return cls.about(full, scene, RegionalCost.start(scene, costs, backend), alpha, edge_weight, backend)

    @classmethod
    def about(
        cls, full: Scene, scene: Scene, model: Appearance, alpha: float, edge_weight: Any, backend: Any = None
    ) -> "ShapedEnergy":
        """With theta from elsewhere, on `scene`, which is `full` on the small grid."""
        from scipy.ndimage import binary_dilation

        coarser = (full.seeds.size / scene.seeds.size) ** 0.5
        given = None if edge_weight is None or isinstance(edge_weight, str) else np.asarray(edge_weight, np.float32)
        weight = None if given is None else resized(given, scene.seeds.shape)
        if (scene.seeds < 0).any():
            # As in the total variation, no boundary is paid for where the problem ends.
            weight = np.where(binary_dilation(scene.seeds < 0), 0, 1 if weight is None else weight).astype(np.float32)
        tensors = contrast_tensors(scene.image, scene.valid) if isinstance(edge_weight, str) else []
        seeds = max(int(np.count_nonzero(scene.seeds > 0)), 1)
        count = max(SCRIBBLES / (1 - SCRIBBLES) * scene.seeds.size / seeds, 1.0)
        return cls(scene, CONVEX_SHARE * alpha / coarser, weight, tensors, count, model, backend)

    def learn(self, index: np.ndarray) -> "ShapedEnergy":
        """The same with theta learnt from all regions of `index` ((H, W) int)."""
        return replace(self, model=self.model.learn(self.scene, index))

    def outline(self, k: int, shape: Any, taken: np.ndarray, index: np.ndarray | None = None) -> Any:
        """The shape's outline of least J for label `k` and this theta.

        Parameters
        ----------
        k : int
            Index of the label.
        shape : Shape
            With a method `outline`.
        taken : (H, W) bool
            Pixels that it must not have.
        index : (H, W) int, optional
            Whose each pixel is: what a pixel costs otherwise. Without it, the cheapest other label has it.
        """
        costs = self.model.costs
        others = np.delete(costs, k, axis=0).min(axis=0)
        if index is not None:
            others = np.where(index == k, others, np.take_along_axis(costs, index[None], axis=0)[0])
        inside, outside = self.scene.held(k)
        return shape.outline(costs[k] - others, self.price, inside, outside | taken)

    def losses(self, shapes: Mapping[int, Any]) -> np.ndarray:
        """What a pixel costs above the cheapest label without a shape, which gets what two sets lose: (K, H, W)."""
        free = [k for k in range(len(self.model.costs)) if k not in shapes]
        return self.model.costs - self.model.costs[free].min(axis=0)

    def arranged(self, outlines: Mapping[int, Any]) -> Arrangement:
        """These sets, and the rest shared among the labels without one."""
        costs = self.model.costs
        free = [k for k in range(len(costs)) if k not in outlines]
        taken = np.any([outline.mask for outline in outlines.values()], axis=0)
        index = np.array(free)[self._shared(costs[free], free, taken)]
        for k, outline in outlines.items():
            index[outline.mask] = k
        return Arrangement(outlines, index, len(costs))

    def costs(self, shape: tuple[int, ...]) -> np.ndarray:
        """What theta says on a grid of `shape` pixels: (K, H, W) float32, the likeliest label at 0."""
        costs = np.stack([resized(cost, shape) for cost in self.model.costs])
        return costs - costs.min(axis=0)

    def value(self, found: Arrangement) -> float:
        """J, in nats."""
        costs = self.model.costs.astype(np.float64)
        lengths = costs + np.log(np.exp(-costs).sum(axis=0))
        unseeded = (self.scene.seeds == 0) & self.scene.valid
        total = np.take_along_axis(lengths, found.index[None], axis=0)[0][unseeded].sum()
        for k, length in enumerate(lengths):
            total += self.count * length[self.scene.seeds == k + 1].sum()
        total += sum(outline.boundary(self.price) for outline in found.outlines.values())
        free = [k for k in range(found.count) if k not in found.outlines]
        if len(free) > 1:
            taken = np.isin(found.index, list(found.outlines))
            energy, backend = self._rest(np.zeros((len(free), *taken.shape)), free, taken), get_backend(self.backend)
            total += energy.value(backend, np.searchsorted(free, np.where(taken, free[0], found.index)))
        return float(total)

    def price(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """What a pixel of boundary costs at `points` (..., 2) with unit normals (..., 2): (...) float."""
        from scipy.ndimage import map_coordinates

        def at(values: np.ndarray) -> np.ndarray:
            return map_coordinates(values, [points[..., 0], points[..., 1]], order=1, mode="nearest", output=np.float64)

        down, right = normals[..., 0], normals[..., 1]
        factor: Any = np.ones(points.shape[:-1])
        if self.tensors:
            along = (down * down * at(a) + 2 * down * right * at(b) + right * right * at(c) for a, b, c in self.tensors)
            factor = sum(np.exp(-change) for change in along) / len(self.tensors)
        if self.weight is not None:
            factor = factor * at(self.weight)
        return self.alpha * factor

    def _shared(self, costs: np.ndarray, free: list[int], taken: np.ndarray) -> np.ndarray:
        """Which of the labels in `free` has each pixel, in parts that hold a scribble: (H, W) int."""
        if len(free) == 1:
            return np.zeros(taken.shape, np.int64)
        backend = get_backend(self.backend)
        found = backend.to_numpy(pdhg(self._rest(costs, free, taken), backend=backend).labels)
        # What no scribble vouches for would teach wrongly.
        seeds = np.searchsorted(free, self.scene.seeds - 1) + 1
        return keep_scribbled(np.where(taken, 0, found), np.where(np.isin(self.scene.seeds - 1, free), seeds, 0))

    def _rest(self, costs: np.ndarray, free: list[int], taken: np.ndarray) -> Potts:
        """The energy of what the labels in `free` share; nothing is to be paid for where they are not."""
        weight = np.ones(taken.shape) if self.weight is None else self.weight
        if self.tensors:
            weight = weight * contrast_weight(self.scene.image, spacing=self.scene.spacing, valid=self.scene.valid)
        seeded = np.stack([self.scene.seeds == k + 1 for k in free])
        elsewhere = taken | (self.scene.seeds < 0)
        return Potts(
            np.where(elsewhere, 0, costs),
            self.alpha / CONVEX_SHARE,
            weight=np.where(elsewhere, 0, weight).astype(np.float32),
            lower=seeded.astype(np.float32),
        )


def shrink(scene: Scene, side: int) -> Scene:
    """The scene on square pixels, at most `side` along the longer axis, never finer than it was.

    Colours are averages of what is valid; a pixel bears the label of a stroke that covers much of it.
    """
    steps = np.array(scene.spacing)
    size = np.array(scene.seeds.shape) * steps
    pixel = max(size.max() / side, steps.max())
    shape = tuple(int(n) for n in np.maximum(np.rint(size / pixel), 1))
    if shape == scene.seeds.shape:
        return scene
    valid = resized(scene.valid.astype(np.float32), shape)
    colours = [
        resized(np.where(scene.valid, scene.image[..., c], 0), shape) / np.maximum(valid, 1e-6)
        for c in range(scene.image.shape[-1])
    ]
    seeds = np.zeros(shape, np.int32)
    for label in (-1, *range(1, len(scene.labels) + 1)):
        share = resized((scene.seeds == label).astype(np.float32), shape)
        # A stroke thinner than these pixels is still a stroke.
        seeds[share > min(0.4, 0.5 * float(share.max()))] = label
    known = (valid > 0.5) & (seeds >= 0)
    image = np.clip(np.stack(colours, axis=-1), 0, 1).astype(np.float32)
    return replace(scene, image=image, seeds=seeds, spacing=(1.0, 1.0), valid=known)


def resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Averages over the pixels of a coarser grid; between the pixels' centres on a finer one."""
    from PIL import Image

    if values.shape == shape:
        return values
    how = Image.Resampling.BOX if values.size >= np.prod(shape) else Image.Resampling.BILINEAR
    picture = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), how))
