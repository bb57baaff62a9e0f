"""Solves for the strokes on one image; what does not depend on them is computed once.

The last minimiser is no good start: a stroke changes the costs nearly everywhere, and the coarse grids, which take a
fifth of the time, carry that farther than the iterations on the full one. From a start the solver takes as long, and
the answer differs from that of `segment` on up to a few thousandths of the pixels; from the coarse grids it is the same
to the bit.
"""

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace

import numpy as np

from ..api import solve
from ..inputs import Scene
from ..predictors.appearance.taught import TaughtLikelihood
from ..result import Segmentation
from ..settings import Settings
from .preview import has_preview, preview
from .strokes import History


class Solver:
    """An image without scribbles, with settings; `plan` and `coarse_plan` are those of `Latest`.

    Attributes
    ----------
    scene : Scene
        The image, and what is outside.
    settings : Settings
    taught : mapping of int to (n, C) float32 array
        Colours of labels that strokes on other images have taught.
    """

    def __init__(self, scene: Scene, settings: Settings) -> None:
        self.scene, self.settings = scene, settings
        likelihood = settings.likelihood
        self.taught: Mapping[int, np.ndarray] = likelihood.colours if isinstance(likelihood, TaughtLikelihood) else {}

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
