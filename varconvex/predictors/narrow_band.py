"""A map of log-odds from elsewhere, and the image's own evidence where its outline may be off:

    min over u    <cost, u> + alpha sum_x g(x) |grad u(x)|,        cost = -(m(x) + w a(x))

    m(x) = +- min(|log-odds of the map|, 1.6 d(x) / sigma, 3)

d(x) is the distance from the outline of the map, which is known up to an error of standard deviation sigma: 1.6 d /
sigma is about the log-odds of a pixel at this distance then. a(x) are the log-odds of the image's colours near the
outline (`appearance.local`), learnt from the pixels farther away from it, and 0 elsewhere. The answer's outline takes
the place of the map's and a is learnt once more, from pixels that are nearer.
"""

import time
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..backends import ArrayBackend
from ..edges import colour_contrast_weight
from ..inputs import Scene
from ..likelihoods.base import CLIP
from ..threads import checkpoint
from .appearance.base import GivenCosts
from .appearance.local import local_log_odds
from .base import Prediction
from .energy import EnergyPredictor
from .small_grid import resized

Array = np.ndarray

ROUNDS = 3
"""How often the colours are learnt; a fourth time changes little."""

_COLOUR_WEIGHT = 0.6
"""w: neighbours' colours are no independent evidence."""

_REACH, _WINDOW = 1.5, 2.0
"""Distance from the map's outline up to which colours count, and the width of the window, in widths of the band."""

REACH, _WIDEST = 1.5, 4.0
"""Pixels of the map by which its outline is off at least, and at most: wider ones say that there is no outline."""

_PROBIT = 1.6
"""The logistic function of 1.6 t is about the normal distribution function of t."""


@dataclass(frozen=True)
class Band:
    """A map on the scene's grid, and how far its outline may be off.

    Attributes
    ----------
    log_odds : (*spatial) float32
        Positive on the object.
    width : float
        Distance by which the outline may be off, two standard deviations, in pixels.
    pixel : float
        Pixels of the scene along a side of a pixel of the map.
    """

    log_odds: Array
    width: float
    pixel: float

    @classmethod
    def of(cls, log_odds: Array, scene: Scene, reach: float) -> Self:
        """The band of a map that may be coarser than the scene; `reach` are pixels of the map, at least.

        Where the log-odds rise across the outline as the blur of a sharp one would make them, it is as wide as the
        blur.
        """
        from scipy.ndimage import binary_dilation, gaussian_filter

        pixel = float(np.prod(np.array(scene.seeds.shape) / log_odds.shape)) ** (1 / log_odds.ndim)
        smooth = gaussian_filter(log_odds, 1.0)
        rim = binary_dilation(smooth > 0) & binary_dilation(smooth <= 0)
        if rim.any() and min(smooth.shape) > 1:
            slope = float(np.median(np.sqrt(sum(part * part for part in np.gradient(smooth)))[rim]))
            reach = max(reach, min(_PROBIT / max(slope, 1e-3), _WIDEST))
        widest = float(np.linalg.norm(scene.seeds.shape))  # the whole image
        return cls(resized(log_odds, scene.seeds.shape), min(reach * pixel, widest), pixel)

    def energy(self, scene: Scene, backend: str | ArrayBackend | None) -> EnergyPredictor:
        """The energy with defaults: a boundary costs as many nats a pixel as the map's pixels are wide."""
        weight = colour_contrast_weight(scene.colours, scene.spacing, scene.valid, scale=max(1.0, self.pixel / 2))
        return EnergyPredictor(GivenCosts(np.zeros(0)), self.pixel, weight, backend=backend)

    def solve(self, scene: Scene, energy: EnergyPredictor) -> Prediction:
        """The minimiser of the energy, whose likelihood is replaced; the scene's scribbles are held."""
        energy = energy.with_fixed_weight(scene)
        away = _distance(self.log_odds > 0, scene)
        bound = np.minimum(np.minimum(np.abs(self.log_odds), _PROBIT * away / (self.width / 2)), CLIP)
        given = np.copysign(bound, self.log_odds)
        near = (away < _REACH * self.width) & scene.valid
        mask, margin, seconds = self.log_odds > 0, self.width / 2, {"likelihood": 0.0, "solve": 0.0}
        for _ in range(ROUNDS):
            checkpoint()
            begin = time.perf_counter()
            odds = given.copy()
            odds[near] += _COLOUR_WEIGHT * self._colours(scene, mask, margin, near)
            costs = np.stack([np.maximum(odds, 0), np.maximum(-odds, 0)]).astype(np.float32)
            costs[:, ~scene.valid] = 0
            found = replace(energy, likelihood=GivenCosts(costs)).predict(scene)
            seconds["solve"] += found.seconds["solve"]
            seconds["likelihood"] += time.perf_counter() - begin - found.seconds["solve"]
            if found.stopped or not near.any():
                break
            mask, margin = found.index == 1, margin / 2
        return replace(found, seconds=seconds)

    def _colours(self, scene: Scene, mask: Array, margin: float, near: Array) -> Array:
        """Log-odds of the colours near the outline, from pixels that are `margin` and more away from that of `mask`."""
        sure = (_distance(mask, scene) > margin) & scene.valid
        sides = (sure & mask) | (scene.seeds == 2), (sure & ~mask) | (scene.seeds == 1)
        if not near.any() or not all(side.any() for side in sides):
            return np.zeros(np.count_nonzero(near), np.float32)
        window = _WINDOW * self.width
        odds = local_log_odds(scene.colours, sides, window, max(1.0, window / 4), near)
        return np.clip(odds, -CLIP, CLIP)


def _distance(mask: Array, scene: Scene) -> Array:
    """Distance of each pixel's centre from the outline of a mask, in pixels: far away where there is no outline."""
    from scipy.ndimage import distance_transform_edt

    if mask.all() or not mask.any():
        return np.full(mask.shape, np.inf)
    inside, outside = (distance_transform_edt(side, sampling=scene.spacing) for side in (mask, ~mask))
    return inside + outside - 0.5
