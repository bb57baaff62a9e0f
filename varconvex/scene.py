"""`Scene`: an image and its scribbles after all checks, as likelihoods, predictors and shapes see them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from .colour import features
from .edges import colour_contrast_weight
from .errors import InvalidScribblesError

T = TypeVar("T")

_MOST_LABELS = 100
"""A label image with more labels is probably a photograph passed as scribbles."""


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and its scribbles after all checks.

    Attributes
    ----------
    image : (*spatial, C) float32
        Intensities in [0, 1], scaled by the image's own range.
    seeds : (*spatial,) int32
        0 unlabelled, k + 1 for a seed of the k-th label, -1 outside (not part of the problem).
    labels : tuple of int
        The K label ids of the user, ascending; ``labels[0]`` is the background.
    spacing : tuple of float
        Distance between neighbouring pixels along each spatial axis, in units in which a pixel has volume 1.
    valid : (*spatial,) bool
        Pixels whose intensities may be used; False where they were not finite (``nan_policy="mask"``) or outside.
    pixel_size : tuple of float or None
        The spacing in the user's units, where it was passed.
    features : (*spatial, F) float32 or None
        Features that are compared beside the colours, in their units; see `likelihoods.held_out`.
    """

    image: np.ndarray
    seeds: np.ndarray
    labels: tuple[int, ...]
    spacing: tuple[float, ...]
    valid: np.ndarray
    pixel_size: tuple[float, ...] | None = None
    features: np.ndarray | None = None

    @property
    def colours(self) -> np.ndarray:
        """Colours that are compared by Euclidean distances: (*spatial, C) float32, computed once; see `features`."""
        return self.once("colours", lambda: features(self.image))

    @property
    def appearance(self) -> np.ndarray:
        """All that is compared by Euclidean distances: the colours, and features beside: (*spatial, C + F) float32."""
        if self.features is None:
            return self.colours
        return self.once("appearance", lambda: np.concatenate([self.colours, self.features], axis=-1))

    @property
    def contrast_weight(self) -> np.ndarray:
        """Edge weight by the image's contrast, in [0, 1]: (*spatial) float32, computed once; see `edges`."""
        return self.once("contrast", lambda: colour_contrast_weight(self.colours, self.spacing, self.valid))

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """The result of `compute()`, kept by its name for all scenes of this image that `with_seeds` makes."""
        known = self._known
        if name not in known:
            known[name] = compute()
        return known[name]

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {}

    def with_seeds(self, seeds: np.ndarray, labels: tuple[int, ...]) -> "Scene":
        """A scene of this image with other seeds ((*spatial) int32) and labels; pixels outside must be the same."""
        scene = replace(self, labels=labels, seeds=seeds)
        vars(scene)["_known"] = self._known  # no field: a copy with another image begins with nothing
        return scene

    def with_scribbles(self, scribbles: np.ndarray, labels: tuple[int, ...]) -> "Scene":
        """A scene of this image with scribbles from a label image ((*spatial) int) of these ascending label ids.

        Pixels outside stay outside.
        """
        seeds = np.zeros(self.seeds.shape, np.int32)
        drawn = np.flatnonzero(scribbles)
        seeds.ravel()[drawn] = np.searchsorted(labels, scribbles.ravel()[drawn]) + 1
        if not self.valid.all():
            seeds[self.seeds < 0] = -1
        return self.with_seeds(seeds, enough(labels))

    @property
    def side(self) -> float:
        """Side N^(1/d) of the image in pixels, without those outside."""
        return float(np.count_nonzero(self.seeds >= 0)) ** (1 / self.seeds.ndim)

    def widths(self, width: float) -> list[float]:
        """A width in sides of the image as pixels along each axis."""
        return [width * self.side / step for step in self.spacing]

    def smoothed(self, values: np.ndarray, width: float) -> np.ndarray:
        """Channels ((*spatial, C)) smoothed by a Gaussian whose standard deviation is in sides of the image."""
        from scipy.ndimage import gaussian_filter

        return gaussian_filter(values, [*self.widths(width), 0])

    def held(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels that the k-th label must hold, and those that it must avoid, pixels outside included: bool arrays."""
        inside = self.seeds == k + 1
        return inside, (self.seeds != 0) & ~inside


def enough(labels: tuple[int, ...]) -> tuple[int, ...]:
    """Label ids, if they are enough for a segmentation and not too many."""
    if len(labels) < 2:
        names = ", ".join(str(i) for i in labels) or "none"
        raise InvalidScribblesError(
            f"scribbles must hold at least two labels (1 background, 2 object); got labels: {names}. Scribble on both "
            'the object and the background; in a dict "border" in place of a line is the border of the image.'
        )
    if len(labels) > _MOST_LABELS:
        raise InvalidScribblesError(
            f"scribbles may hold at most {_MOST_LABELS} labels; got {len(labels)}. Is it a photograph?"
        )
    return labels
