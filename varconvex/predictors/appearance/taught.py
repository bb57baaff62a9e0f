"""Colours that strokes on other images have taught, as a likelihood: a kernel density without positions.

    cost_k(x) = -log 1/m_k sum_j N(I(x); I_kj, sigma^2)

over the colours I_kj of label k: those that were taught, and those of this image's own strokes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ...backends import ArrayBackend, get_backend
from ...errors import InvalidImageError, InvalidScribblesError
from ...inputs import Scene
from ...likelihoods.base import CLIP, bounded

SIGMA = 0.1
"""Width of the kernel in colour, as that of the default likelihood: black to white is 1."""

_MOST = 1000
"""Colours of a label that carry a kernel; of more, as many, evenly spread."""


@dataclass(frozen=True, eq=False)
class TaughtLikelihood:
    """Densities of colours by label; made by `of`.

    Attributes
    ----------
    colours : mapping of int to (n, C) float32 array
        By id of the label, as `Scene.colours`.
    """

    colours: Mapping[int, np.ndarray] = field(repr=False)
    backend: str | ArrayBackend | None = None

    @classmethod
    def of(cls, scene: Scene, before: Mapping[int, np.ndarray]) -> Self:
        """Densities of the colours on the scribbles of a scene, together with those known `before`."""
        return cls({label: _together(scene, k, before) for k, label in enumerate(scene.labels)})

    def check(self, scene: Scene) -> None:
        """An InvalidImageError unless the scene's image has as many channels as those that taught the labels."""
        known, found = next(iter(self.colours.values())).shape[1], scene.colours.shape[-1]
        if known != found:
            raise InvalidImageError(
                f"image must have {known} channels, as the one with the strokes; got {found}. Convert it."
            )

    def costs(self, scene: Scene) -> np.ndarray:
        """(K, *spatial) float32, in nats; see `Likelihood.costs`."""
        backend = get_backend(self.backend)
        points = scene.colours.reshape(-1, scene.colours.shape[-1]) / np.float32(np.sqrt(2) * SIGMA)
        there, nowhere = backend.asarray(points), backend.asarray(np.zeros(len(points), np.float32))
        found = np.empty((len(scene.labels), *scene.seeds.shape), np.float32)
        for k in range(len(scene.labels)):
            colours = _together(scene, k, self.colours)
            seeds = backend.asarray(np.ascontiguousarray(colours.T) / np.float32(np.sqrt(2) * SIGMA))
            density = backend.log_kernel_mean(there, nowhere, seeds, 0)
            found[k] = -backend.to_numpy(density).reshape(scene.seeds.shape)
        return bounded(found, scene, CLIP)


def _together(scene: Scene, k: int, taught: Mapping[int, np.ndarray]) -> np.ndarray:
    """Colours of the k-th label, taught and scribbled, at most `_MOST`: (n, C) float32."""
    label = scene.labels[k]
    own = scene.colours[(scene.seeds == k + 1) & scene.valid]
    known = taught.get(label, own[:0])
    colours = np.concatenate([known, own])
    if not len(colours):
        raise InvalidScribblesError(
            f"every label must have a scribbled pixel with finite intensities; got none of label {label}. Scribble it "
            "elsewhere, too."
        )
    return colours[np.linspace(0, len(colours) - 1, min(len(colours), _MOST)).round().astype(np.intp)]
