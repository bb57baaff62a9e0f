"""The energy of a set and its appearance together, which joint unification minimises with a shape that can:

    J(C, theta) = -sum_x log P(label of x | image, theta) - w sum over scribbles log P(their label | image, theta)
                  + alpha_C integral over the boundary of C of g(x, n) ds,      P(object) = 1 / (1 + exp(cost_theta))

For a fixed theta the best C minimises <cost_theta, C> and its boundary; theta is learnt from both sides of C. All of
it on a grid of at most `SIDE` pixels a side: neither a region's colours nor a convex outline hang on single pixels.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from ..edges import contrast_tensors
from ..inputs import Scene
from ..likelihoods._learnt import SCRIBBLES
from ..likelihoods._regional import RegionalCost
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood

SIDE = 320
"""Pixels along the longer side of the grid."""

CONVEX_SHARE = 0.4
"""alpha_C is this share of the total variation's alpha: smoothness, which the rest of it buys, comes with convexity."""


class Appearance(Protocol):
    """theta: what it says of each pixel, and what it makes of both sides of a set."""

    @property
    def cost(self) -> np.ndarray:
        """The log-odds of the background against the object: (H, W) float32, in nats."""

    def learn(self, scene: Scene, mask: np.ndarray) -> Self:
        """The same with both sides of `mask` ((H, W) bool) re-estimated."""


@dataclass(frozen=True)
class ShapedEnergy:
    """J on a small grid; made by `start`, taught by `learn`.

    Attributes
    ----------
    scene : Scene
        The scene on square pixels, at most `SIDE` a side.
    alpha : float
        Nats for a pixel of boundary on a flat place.
    weight : (H, W) float or None
        Factor on the boundary's price: what the user gave, and 0 beside what is outside.
    tensors : list of (3, H, W) float
        Contrast by direction, at each scale; empty where it is not to count.
    count : float
        How many pixels a scribbled pixel counts as.
    model : Appearance
        theta.
    """

    scene: Scene
    alpha: float
    weight: np.ndarray | None
    tensors: list[np.ndarray]
    count: float
    model: Appearance

    @classmethod
    def start(cls, full: Scene, likelihood: Any, alpha: float, edge_weight: Any, backend: Any = None) -> "ShapedEnergy":
        """theta from the scribbles alone; `alpha` is the total variation's on the full grid."""
        scene = shrink(full, SIDE)
        # A likelihood from elsewhere may know the full grid only; that of the kernels is slow there and scales.
        if isinstance(likelihood, NieuwenhuisCremersLikelihood):
            costs = likelihood.costs(scene)
        else:
            costs = np.stack([resized(cost, scene.seeds.shape) for cost in likelihood.costs(full)])
        return cls.about(full, scene, RegionalCost.start(scene, costs, backend), alpha, edge_weight)

    @classmethod
    def about(cls, full: Scene, scene: Scene, model: Appearance, alpha: float, edge_weight: Any) -> "ShapedEnergy":
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
        return cls(scene, CONVEX_SHARE * alpha / coarser, weight, tensors, count, model)

    def learn(self, mask: np.ndarray) -> "ShapedEnergy":
        """The same with theta learnt from both sides of `mask` ((H, W) bool)."""
        return replace(self, model=self.model.learn(self.scene, mask))

    def best(self, shape: Any) -> Any:
        """The shape's outline of least J for this theta."""
        outside = (self.scene.seeds == 1) | (self.scene.seeds < 0)
        return shape.outline(self.model.cost, self.price, self.scene.seeds == 2, outside)

    def costs(self, shape: tuple[int, ...]) -> np.ndarray:
        """What theta says on a grid of `shape` pixels: (2, H, W) float32, the likelier label at 0."""
        cost = resized(self.model.cost, shape)
        return np.stack([np.maximum(-cost, 0), np.maximum(cost, 0)])

    def value(self, outline: Any) -> float:
        """J, in nats."""
        cost = self.model.cost.astype(np.float64)
        signed = np.where(outline.mask, cost, -cost)
        free = (self.scene.seeds == 0) & self.scene.valid
        known = self.scene.seeds > 0
        told = np.where(self.scene.seeds == 2, cost, -cost)
        length = np.logaddexp(0, signed[free]).sum() + self.count * np.logaddexp(0, told[known]).sum()
        return float(length + outline.boundary(self.price))

    def price(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """What a pixel of boundary costs at `points` (..., 2) with unit normals (..., 2): (...) float."""
        from scipy.ndimage import map_coordinates

        def at(values: np.ndarray) -> np.ndarray:
            return map_coordinates(values, [points[..., 0], points[..., 1]], order=1, mode="nearest", output=np.float64)

        down, right = normals[..., 0], normals[..., 1]
        factor = np.ones(points.shape[:-1])
        if self.tensors:
            along = (down * down * at(a) + 2 * down * right * at(b) + right * right * at(c) for a, b, c in self.tensors)
            factor = sum(np.exp(-change) for change in along) / len(self.tensors)
        if self.weight is not None:
            factor = factor * at(self.weight)
        return self.alpha * factor


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
    for label in (-1, 1, 2):
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
