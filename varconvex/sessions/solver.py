"""Solves for the strokes on one image; what does not depend on them is computed once.

The sums of the default likelihood are kept (`kernel_sums`). The last minimiser is no good start: it halves the solver's
time, but where the energy is nearly flat, within the tolerance, the answer stays what it was, and differed from that of
a fresh call on 2 % of the pixels once in seventy strokes. From the coarse grids both come to the same.
"""

import inspect
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Self

import numpy as np

from ..api import segment, solve
from ..backends import get_backend
from ..inputs import Scene, blank_scene
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from ..predictors.appearance.taught import TaughtLikelihood
from ..result import Segmentation
from ..settings import Settings
from .kernel_sums import KernelSums
from .preview import has_preview, preview
from .strokes import History

_OF_THE_IMAGE = ("channel_axis", "rgba", "mask", "spacing", "nan_policy")
_KNOWN = {
    name: known.default
    for name, known in list(inspect.signature(segment).parameters.items())[2:]
    if name not in ("memory", "scratch")
}
KEYWORDS = tuple(_KNOWN)
"""Keywords of `segment`, but for those of images on disk, which have no session."""

_DEFAULTS = {name: known for name, known in _KNOWN.items() if name not in (*_OF_THE_IMAGE, "strict", "backend")}


def settings_of(keywords: Mapping[str, Any], image: Any = None) -> Settings:
    """Settings from keywords of `segment`, those that describe the image left out; `image` only chooses the backend."""
    given = {name: keywords.get(name, default) for name, default in _DEFAULTS.items()}
    return Settings(backend=get_backend(keywords.get("backend"), image), **given)


class Solver:
    """An image without scribbles, with settings; `plan` and `coarse_plan` are those of `Latest`.

    Attributes
    ----------
    scene : Scene
        The image, and what is outside.
    settings : Settings
    taught : mapping of int to (n, C) float32 array
        Colours of labels that strokes on other images have taught.

    Raises
    ------
    InvalidImageError
        If a shape does not take as many axes.
    """

    def __init__(self, scene: Scene, settings: Settings) -> None:
        self.scene, self.settings = scene, settings
        for shape in settings.shapes:
            shape.check_axes(scene.seeds.shape)
        likelihood = settings.likelihood
        if type(likelihood) is NieuwenhuisCremersLikelihood:
            self.settings = replace(settings, likelihood=KernelSums.of(likelihood, scene.image))
        self.taught: Mapping[int, np.ndarray] = likelihood.colours if isinstance(likelihood, TaughtLikelihood) else {}

    @classmethod
    def of(cls, image: Any, keywords: Mapping[str, Any]) -> Self:
        """The image without scribbles, and the settings of keywords of `segment`, both checked."""
        scene = blank_scene(image, **{name: keywords[name] for name in _OF_THE_IMAGE if name in keywords})
        settings = settings_of(keywords, image)
        if not isinstance(settings.edge_weight, str | None):
            settings.energy_for(scene).with_fixed_weight(scene)  # an error if it has another shape
        return cls(scene, settings)

    def suffices(self, history: History) -> bool:
        """Whether there are enough labels for a solve."""
        labels = self._labels(history)
        return len(labels) > 1 and (labels[0] == 1 or not self.settings.shape_among(labels))

    def scribbled(self, history: History) -> Scene:
        """The scene with the strokes of the present state."""
        return self.scene.with_scribbles(history.image, self._labels(history))

    def plan(self, history: History) -> Callable[[], Segmentation] | None:
        """What solves for the present state; None if its strokes do not suffice."""
        if not self.suffices(history):
            return None
        begin, settings = time.perf_counter(), self._fresh(history)
        scene = self.scribbled(history)
        return lambda: solve(scene, settings, {"prepare": time.perf_counter() - begin})

    def coarse_plan(self, history: History) -> Callable[[], Segmentation] | None:
        """What solves for the present state on a coarse grid, if there is one."""
        if not self.suffices(history) or not has_preview(self.scene, self.settings):
            return None
        scene, settings = self.scribbled(history), self._fresh(history)
        return lambda: preview(scene, settings)

    def _labels(self, history: History) -> tuple[int, ...]:
        """Labels of strokes, and those that were taught, ascending."""
        return tuple(sorted({*history.labels, *self.taught}))

    def _fresh(self, history: History) -> Settings:
        """The settings for a solve, with random numbers from their beginning."""
        shape, random_state = self.settings.shape_among(self._labels(history)), deepcopy(self.settings.random_state)
        settings = replace(self.settings, shape=shape, random_state=random_state)
        # Joint unification estimates its models from scribbles of all labels.
        return replace(settings, unify="sequential") if set(self.taught) - set(history.labels) else settings
