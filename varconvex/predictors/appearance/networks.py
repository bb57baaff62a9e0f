"""Small networks trained on one image's scribbles (paper, section 4) and on the regions of a label image.

    theta = argmin   w CE(scribbles) + (1 - w) CE(regions of a label image) + weight/4 mean KL(target, sigma(n))

n is the network's log-odds, CE the mean cross-entropy with equal weight for both classes; the last term is there with
a proximal term. By Pinsker's inequality KL(v, p) >= 2 |v - p|^2, so it bounds weight/2 |sigma(n) - target|^2; unlike
the square it has a slope where the network is certain and wrong. The inputs are jittered (`training`), as if samples
were smoothed by a kernel: otherwise a few strokes would be memorised. Several networks from different starts are
averaged: far from all strokes their log-odds differ in sign and cancel. If positions are among the inputs, the log-odds
of positions themselves are added, n <- n + d log(distance to the background's strokes / distance to the object's): on
the strokes, where one of the two distances is 0, they cannot be learnt.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import threads
from ...backends import get_backend
from ...inputs import Scene
from ..small_grid import resized
from .base import posterior_cost
from .channels import channels
from .convnet import ConvNet
from .log_odds import costs_of, position_log_odds
from .training import TrainedState, TrainingLoop

if TYPE_CHECKING:
    from ..base import ProximalTerm
    from ..networks import NetworkPredictor

_RATE = 0.02
"""Learning rate of the first step; it falls to 0."""

_MIXING_WEIGHT = 0.7
"""Weight of the present log-odds; the rest stays with those that were trained on the scribbles alone."""

_MOST_ODDS = 8.0
"""Bound on the log-odds of one network of several: a single certain one must not outvote the others."""


@dataclass(frozen=True)
class NetworkAppearance:
    """Networks trained on one scene; made by `start`, trained further by `learn` and `near`.

    Attributes
    ----------
    settings : NetworkPredictor
        Sizes, inputs and training parameters.
    full : Scene
        The scene whose pixels the networks see; `costs` may be asked for on a smaller grid.
    state : TrainedState
    weights : tuple of float
        Pixels that a scribbled pixel of each label counts as in the data cost.
    """

    settings: "NetworkPredictor"
    full: Scene
    state: TrainedState
    weights: tuple[float, ...] = (1.0, 1.0)

    @classmethod
    def start(cls, settings: "NetworkPredictor", scene: Scene) -> "NetworkAppearance":
        """Networks from random initial values, trained on the scribbles alone."""
        xp = get_backend(settings.backend).xp
        values, groups = channels(scene, settings.inputs, settings.features)
        reach = (settings.kernel // 2) * (len(settings.hidden) + 1)
        seen = np.pad(values, [(reach, reach)] * scene.seeds.ndim + [(0, 0)], mode="symmetric") if reach else values
        seeds = np.random.SeedSequence(settings.random_state or 0).spawn(settings.members)
        size = values.shape[-1], settings.hidden, settings.kernel
        parameters = tuple(ConvNet.random(*size, np.random.default_rng(seed), xp=xp).pack() for seed in seeds)
        nothing = np.zeros(scene.seeds.shape, np.float32)
        start = cls(settings, scene, TrainedState(xp.asarray(seen), groups, parameters, nothing, nothing))
        state = start._trained(start.state, None, fresh=True)
        return replace(start, state=replace(state, first=state.log_odds))

    def learn(self, scene: Scene, index: np.ndarray) -> "NetworkAppearance":
        """The networks trained further, on the regions of `index` ((*spatial) int, on the scene's grid) as well."""
        inside = resized((index == 1).astype(np.float32), self.full.seeds.shape) > 0.5
        state = replace(self.state, regions=inside.astype(np.int8))
        return replace(self, state=self._trained(state, None))

    def near(self, proximal: "ProximalTerm | None") -> "NetworkAppearance":
        """The networks trained further with a proximal term in the loss; unchanged without one."""
        return self if proximal is None else replace(self, state=self._trained(self.state, proximal))

    def costs(self, scene: Scene) -> np.ndarray:
        """Cost of each label, clipped on the full grid and averaged over the pixels of the scene's: (2, *spatial)."""
        return np.stack([resized(cost, scene.seeds.shape) for cost in costs_of(self.state.log_odds, self.full)])

    def data_cost(self, scene: Scene, index: np.ndarray) -> float:
        """Data part of J for the label image `index` ((*spatial) int), in nats."""
        return posterior_cost(self.costs(scene), scene, index, self.weights)

    def _trained(self, state: TrainedState, proximal: "ProximalTerm | None", fresh: bool = False) -> TrainedState:
        """The state after all steps of training for each network; half of them unless it is `fresh`."""
        from threadpoolctl import threadpool_limits

        settings = self.settings
        steps = settings.steps if fresh else max(1, settings.steps // 2)
        backend = get_backend(settings.backend)

        def train(member: int, parameters: Any) -> tuple[Any, np.ndarray]:
            network = ConvNet(state.seen.shape[-1], settings.hidden, settings.kernel, xp=backend.xp)
            network.unpack(parameters)
            rng = np.random.default_rng([settings.random_state or 0, member, fresh])
            loop = TrainingLoop(settings, self.full, state, proximal, rng)
            loop.run(network, steps, _RATE if fresh else _RATE / 2)
            image = state.seen if settings.kernel > 1 else state.seen.reshape(-1, 1, state.seen.shape[-1])
            odds = backend.to_numpy(network(image)).reshape(self.full.seeds.shape)
            return network.pack(), np.clip(odds, -_MOST_ODDS, _MOST_ODDS)

        # Products so narrow are slower on several threads, by far where cores are shared: one thread for each network.
        with threadpool_limits(1, "blas"):
            calls = list(enumerate(state.parameters))
            # A device has one queue, that of the calling thread.
            host = isinstance(state.seen, np.ndarray)
            done = threads.run(train, calls) if host else [train(*call) for call in calls]
        now = np.sum([odds for _, odds in done], axis=0) / len(done)
        if "xy" in state.groups:
            now += position_log_odds(self.full)
        if not fresh:
            now = (1 - _MIXING_WEIGHT) * state.first + _MIXING_WEIGHT * now
        return replace(state, parameters=tuple(found for found, _ in done), log_odds=now.astype(np.float32))
