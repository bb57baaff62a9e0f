"""A scene and its maps on a coarser grid with the same field of view."""

import time
from dataclasses import dataclass, replace

import numpy as np

from ..inputs import Scene
from ..likelihoods.base import Likelihood
from ..threads import in_time

_ROUGH = {2: 128, 3: 26}
"""Pixels along the longest side of the grid on which costs are computed before those that may take too long, by the
number of axes."""


def shrink(scene: Scene, side: int) -> Scene:
    """The scene on square or cubic pixels, at most `side` along the longest axis, never finer than it was.

    Colours are averages over valid pixels; a pixel bears the label of a stroke that covers much of it.
    """
    steps = np.array(scene.spacing)
    size = np.array(scene.seeds.shape) * steps
    pixel = max(size.max() / side, steps.max())
    shape = tuple(int(n) for n in np.maximum(np.rint(size / pixel), 1))
    if shape == scene.seeds.shape:
        return scene
    good, blank = scene.once(f"at most {side} pixels a side", lambda: _small_image(scene, shape))
    seeds = np.zeros(shape, np.int32)
    for label in range(-1 if (scene.seeds < 0).any() else 1, len(scene.labels) + 1):
        if not label:
            continue
        share = resized((scene.seeds == label).astype(np.float32), shape)
        # A stroke thinner than these pixels is still a stroke.
        seeds[share > min(0.4, 0.5 * float(share.max()))] = label
    known = good & (seeds >= 0)
    if (known == blank.valid).all():
        return blank.with_seeds(seeds, scene.labels)
    return replace(blank, seeds=seeds, labels=scene.labels, valid=known)


def _small_image(scene: Scene, shape: tuple[int, ...]) -> tuple[np.ndarray, Scene]:
    """Where half of a pixel is valid, and the scene without scribbles, on a coarser grid of this shape."""
    share = resized(scene.valid.astype(np.float32), shape)
    all_valid = scene.valid.all()
    colours = [
        resized(scene.image[..., c] if all_valid else np.where(scene.valid, scene.image[..., c], 0), shape)
        / np.maximum(share, 1e-6)
        for c in range(scene.image.shape[-1])
    ]
    outside = resized((scene.seeds < 0).astype(np.float32), shape)
    seeds = np.where(outside > min(0.4, 0.5 * float(outside.max())), -1, 0).astype(np.int32)
    image = np.clip(np.stack(colours, axis=-1), 0, 1).astype(np.float32)
    good = share > 0.5
    blank = Scene(image, seeds, (), (1.0,) * seeds.ndim, good & (seeds >= 0))
    if scene.features is not None:
        features = [resized(channel, shape) for channel in np.moveaxis(scene.features, -1, 0)]
        blank = replace(blank, features=np.stack(features, axis=-1))
    return good, blank


def resized(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Averages over the pixels of a coarser grid; between the pixels' centres on a finer one."""
    from PIL import Image

    if values.shape == shape:
        return values
    if values.ndim != 2:
        for axis, n in enumerate(shape):
            values = np.moveaxis(np.tensordot(_weights(values.shape[axis], n), values, (1, axis)), 0, axis)
        return values
    how = Image.Resampling.BOX if values.size >= np.prod(shape) else Image.Resampling.BILINEAR
    picture = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), how))


@dataclass(frozen=True)
class InTime:
    """A likelihood whose costs, where `seconds` do not suffice for them, are those of a coarse grid, enlarged."""

    likelihood: Likelihood
    seconds: float

    def costs(self, scene: Scene) -> np.ndarray:
        """(K, *spatial) float32, in nats; see `Likelihood.costs`."""
        deadline = time.perf_counter() + self.seconds
        small = shrink(scene, _ROUGH[scene.seeds.ndim])
        if small is scene:
            return self.likelihood.costs(scene)
        rough = self.likelihood.costs(small)
        found = in_time(lambda: self.likelihood.costs(scene), deadline)
        if found is None:
            found = np.stack([resized(cost, scene.seeds.shape) for cost in rough])
            found[:, ~scene.valid] = 0
        return found


def _weights(n: int, m: int) -> np.ndarray:
    """Weights of `n` pixels in each of `m` along one axis: shares of its length, or linear between centres."""
    if m < n:
        edges = np.arange(m + 1) * (n / m)
        covered = np.clip(edges[1:, None], np.arange(n), np.arange(1, n + 1))
        weights = covered - np.clip(edges[:-1, None], np.arange(n), np.arange(1, n + 1))
    else:
        centres = np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0, n - 1)
        weights = np.maximum(1 - np.abs(centres[:, None] - np.arange(n)), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
