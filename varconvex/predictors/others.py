"""Densities of the labels by the scribbles alone, and other objects of the same kind in the background.

    p(x | background) = (1 - sum_k pi_k) p_0(x) + sum_k pi_k p_k(x),      pi_k = n_k / (n_k + 1) / (K - 1)

p_k is the density of label k, p_0 that of the background's strokes, n_k how many parts of the background look like
object k. A pixel that looks like the object belongs to one of n_k + 1 objects alike: its colour is evidence of
log 1/pi_k nats at most that it belongs to this one, while evidence against the object counts in full. Without others,
n_k = 0, the densities are those of the strokes.

Parts are counted outside of two sets, and the greater number is taken: the projection of total variation's answer, and
a set of least J that is found with others in the model, `USUAL` in all. Without, it would cover all of them, and none
would be left to count.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ..inputs import Scene
from ..likelihoods.base import Likelihood, bounded
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from .small_grid import resized

USUAL = 0.7
"""Sum of the pi_k with which a set is found before others are counted."""

_FEWEST = 2
"""Parts alike from which on they are others: one may be a piece of the object that the set has left out."""

_MOST = 9
"""Parts alike that count: farther ones do not compete for the pixels around the object's strokes."""

_SIZES = (0.25, 4.0)
"""Least and greatest size of a part alike, in sizes of the object."""

_APART = 0.25
"""Distance from the object, in its radii, within which pixels that look like it are taken for its own rim."""


@dataclass(frozen=True)
class StrokeModel:
    """Densities of the labels' appearance, by the scribbles alone.

    Attributes
    ----------
    lengths, robust : (K, H, W) float32
        -log of each label's density, without outliers and with them, in nats.
    clip : float or None
        Bound on the difference between labels at a pixel, in nats.
    """

    lengths: np.ndarray
    robust: np.ndarray
    clip: float | None

    @classmethod
    def of(cls, likelihood: Likelihood, full: Scene, scene: Scene) -> Self:
        """The densities on the grid of `scene`, which is `full` or coarser."""
        # A user's likelihood may depend on the full grid; that of the kernels is slow there and independent of scale.
        if not isinstance(likelihood, NieuwenhuisCremersLikelihood):
            costs = np.stack([resized(cost, scene.seeds.shape) for cost in likelihood.costs(full)])
            return cls(costs, costs, None)
        lengths, by_position = likelihood.lengths(scene)
        return cls(lengths, likelihood.with_outliers(lengths, by_position), likelihood.clip)

    def plain_costs(self, scene: Scene) -> np.ndarray:
        """Cost of each label at each pixel, without outliers and others alike: (K, H, W) float32, in nats."""
        return bounded(self.lengths.copy(), scene, self.clip)

    def costs(self, scene: Scene, shares: np.ndarray | None = None) -> np.ndarray:
        """Cost of each label at each pixel, with `shares` ((K - 1,)) of others alike: (K, H, W) float32, in nats."""
        lengths = self.robust.copy() if shares is None else with_others(self.robust, shares)
        return bounded(lengths, scene, self.clip)


def with_others(lengths: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """-log of densities where the background has others of each object's kind.

    Parameters
    ----------
    lengths : (K, *spatial) float
        -log p_k, in nats.
    shares : (K - 1,) float
        pi_k of each object, at least 0, with a sum less than 1.

    Returns
    -------
    (K, *spatial) float
    """
    found = lengths.copy()
    if shares.any():
        known = np.log1p(-shares.sum()) - lengths[0]
        alike = [np.log(share) - length for share, length in zip(shares, lengths[1:], strict=True) if share]
        found[0] = -np.logaddexp.reduce([known, *alike])
    return found


def shares_of(counts: list[int]) -> np.ndarray:
    """pi_k for the number of parts alike of each object: (K - 1,) float."""
    others = np.array([min(count, _MOST) if count >= _FEWEST else 0 for count in counts], float)
    return others / (others + 1) / len(others)


def count_others(mask: np.ndarray, taken: np.ndarray, alike: np.ndarray) -> int:
    """Number of parts of about the object's size that look like it, apart from it; arguments as in `parts_alike`."""
    return len(parts_alike(mask, taken, alike))


def parts_alike(
    mask: np.ndarray, taken: np.ndarray, alike: np.ndarray, sizes: tuple[float, float] = _SIZES
) -> list[np.ndarray]:
    """Parts that look like an object, of about its size and apart from it: bool arrays, each cut to its part.

    Parameters
    ----------
    mask : (H, W) bool
        The object.
    taken : (H, W) bool
        Pixels of all objects that are known; they belong to no part.
    alike : (H, W) bool
        Pixels whose likeliest label is the object's.
    sizes : tuple of float
        Least and greatest size of a part, in sizes of the object.
    """
    from scipy.ndimage import binary_opening, distance_transform_edt, find_objects, label

    area = np.count_nonzero(mask)
    if not area:
        return []
    apart = distance_transform_edt(~mask) > _APART * np.sqrt(area / np.pi)
    parts, _ = label(binary_opening(alike & apart & ~taken))
    counts = np.bincount(parts.ravel())[1:] / area
    windows = find_objects(parts)
    chosen = np.flatnonzero((counts >= sizes[0]) & (counts <= sizes[1]))
    return [parts[windows[k]] == k + 1 for k in chosen]
