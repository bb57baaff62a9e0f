"""Small networks trained on one image's scribbles (paper, section 4) and on the regions of a label image.

    theta = argmin   w CE(scribbles) + (1 - w) CE(regions of a label image) + weight/4 mean KL(target, sigma(n))

n is the network's log-odds, CE the mean cross-entropy with equal weight for both classes; the last term is there with
a proximal term. By Pinsker's inequality KL(v, p) >= 2 |v - p|^2, so it bounds weight/2 |sigma(n) - target|^2; unlike
the square it has a slope where the network is certain and wrong. The inputs are jittered, as if samples were smoothed
by a kernel: otherwise a few strokes would be memorised. Several networks from different starts are averaged: far from
all strokes their log-odds differ in sign and cancel. If positions are among the inputs, the log-odds of positions
themselves are added, n <- n + e log(distance to the background's strokes / distance to the object's): on the strokes,
where one of the two distances is 0, they cannot be learnt. Then, too, a share of each scribbled batch gets a random
appearance, uniform over the box that holds the image's: p_k <- (1 - e_k) p_k + e_k uniform. Pixels whose appearance no
stroke has are then classified by their position, as with the uniform outliers of the Nieuwenhuis-Cremers likelihood;
without, a network would extrapolate from its nearest samples.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import threads
from ...backends import get_backend
from ...extractors.features import as_features
from ...inputs import Scene
from ...likelihoods.base import training_pixels
from ...likelihoods.held_out import helps, loss
from ...shapes.training import Adam
from ..small_grid import resized
from .base import costs_of, position_log_odds, posterior_cost, sigmoid
from .channels import channels, groups_of
from .convnet import ConvNet

if TYPE_CHECKING:
    from ..base import ProximalTerm
    from ..fcn import NetworkPredictor

_RATE = 0.02
"""Learning rate of the first step; it falls to 0."""

_MIXING_WEIGHT = 0.7
"""Weight of the present log-odds; the rest stays with those that were trained on the scribbles alone."""

_MOST_ODDS = 8.0
"""Bound on the log-odds of one network of several: a single certain one must not outvote the others."""

_SCRIBBLES = 0.5
"""Weight w of the scribbles in the loss beside the regions of a label image."""

_JITTER = {"rgb": 1.0, "xy": 0.4, "features": 3.0}
"""Jitter of each group of channels, in units of `noise`. Filter responses are many and correlated: jitter that is
independent in each averages out over them, so each gets more."""

_TAIL = 1.5
"""Standard deviation of the logarithm of the width of a position's jitter, drawn for each pixel.

Strokes must count both for near and for far pixels: a jitter of one width cannot do both, one of many widths can, as a
density whose width grows with the distance to the stroke (Nieuwenhuis, Cremers 2013)."""

_OUTLIERS = (0.1, 0.3)
"""Shares e_k of random appearances in the batches of background and object strokes. The object's is the greater: its
strokes lie within it, those of the background go around."""

_BOX_PIXELS = 4000
"""Pixels, evenly spread, whose appearance the box holds."""


@dataclass(frozen=True)
class NetworkAppearance:
    """Networks trained on one scene; made by `start`, trained further by `learn` and `near`.

    Attributes
    ----------
    settings : NetworkPredictor
        Sizes, inputs and training parameters.
    full : Scene
        The scene whose pixels the networks see; `costs` may be asked for on a smaller grid.
    seen, groups : (*spatial, c) float32, (c,) tuple of str
        The channels, padded by the networks' reach, and the group of each.
    parameters : tuple of (P,) vectors
        One vector for each network.
    first, log_odds : (*spatial) float32
        Log-odds after training on the scribbles alone, and the present ones.
    regions : (*spatial) int or None
        Label image that the networks are trained on besides the scribbles.
    weights : tuple of float
        Pixels that a scribbled pixel of each label counts as in the data cost.
    """

    settings: "NetworkPredictor"
    full: Scene
    seen: Any
    groups: tuple[str, ...]
    parameters: tuple[Any, ...]
    first: np.ndarray
    log_odds: np.ndarray
    regions: np.ndarray | None = None
    weights: tuple[float, ...] = (1.0, 1.0)

    @classmethod
    def start(cls, settings: "NetworkPredictor", scene: Scene) -> "NetworkAppearance":
        """Networks from random initial values, trained on the scribbles alone."""
        xp = get_backend(settings.backend).xp
        settings = _with_features_that_help(settings, scene)
        values, groups = channels(scene, settings.inputs, settings.features)
        reach = (settings.kernel // 2) * (len(settings.hidden) + 1)
        seen = np.pad(values, [(reach, reach)] * scene.seeds.ndim + [(0, 0)], mode="symmetric") if reach else values
        seeds = np.random.SeedSequence(settings.random_state or 0).spawn(settings.members)
        size = values.shape[-1], settings.hidden, settings.kernel
        parameters = tuple(ConvNet.random(*size, np.random.default_rng(seed), xp=xp).pack() for seed in seeds)
        nothing = np.zeros(scene.seeds.shape, np.float32)
        start = cls(settings, scene, xp.asarray(seen), groups, parameters, nothing, nothing)._trained(None, fresh=True)
        return replace(start, first=start.log_odds)

    def learn(self, scene: Scene, index: np.ndarray) -> "NetworkAppearance":
        """The networks trained further, on the regions of `index` ((*spatial) int, on the scene's grid) as well."""
        inside = resized((index == 1).astype(np.float32), self.full.seeds.shape) > 0.5
        return replace(self, regions=inside.astype(np.int8))._trained(None)

    def near(self, proximal: "ProximalTerm | None") -> "NetworkAppearance":
        """The networks trained further with a proximal term in the loss; unchanged without one."""
        return self if proximal is None else self._trained(proximal)

    def costs(self, scene: Scene) -> np.ndarray:
        """Cost of each label, clipped on the full grid and averaged over the pixels of the scene's: (2, *spatial)."""
        return np.stack([resized(cost, scene.seeds.shape) for cost in costs_of(self.log_odds, self.full)])

    def data_cost(self, scene: Scene, index: np.ndarray) -> float:
        """Data part of J for the label image `index` ((*spatial) int), in nats."""
        return posterior_cost(self.costs(scene), scene, index, self.weights)

    def _trained(self, proximal: "ProximalTerm | None", fresh: bool = False) -> "NetworkAppearance":
        """The networks after all steps of training for each network; half of them unless it is `fresh`."""
        from threadpoolctl import threadpool_limits

        settings = self.settings
        steps = settings.steps if fresh else max(1, settings.steps // 2)
        backend, end = get_backend(settings.backend), threads.deadline()  # of this thread

        def train(member: int, parameters: Any) -> tuple[Any, np.ndarray]:
            network = ConvNet(self.seen.shape[-1], settings.hidden, settings.kernel, xp=backend.xp)
            network.unpack(parameters)
            rng = np.random.default_rng([settings.random_state or 0, member, fresh])
            loop = TrainingLoop(self, proximal, rng)
            loop.run(network, steps, _RATE if fresh else _RATE / 2, end)
            image = self.seen if settings.kernel > 1 else self.seen.reshape(-1, 1, self.seen.shape[-1])
            odds = backend.to_numpy(network(image)).reshape(self.full.seeds.shape)
            return network.pack(), np.clip(odds, -_MOST_ODDS, _MOST_ODDS)

        # Products so narrow are slower on several threads, by far where cores are shared: one thread for each network.
        with threadpool_limits(1, "blas"):
            calls = list(enumerate(self.parameters))
            # A device has one queue, that of the calling thread.
            host = isinstance(self.seen, np.ndarray)
            done = threads.run(train, calls) if host else [train(*call) for call in calls]
        now = np.sum([odds for _, odds in done], axis=0) / len(done)
        if "xy" in self.groups:
            now += position_log_odds(self.full)
        if not fresh:
            now = (1 - _MIXING_WEIGHT) * self.first + _MIXING_WEIGHT * now
        return replace(self, parameters=tuple(found for found, _ in done), log_odds=now.astype(np.float32))


def _with_features_that_help(settings: "NetworkPredictor", scene: Scene) -> "NetworkPredictor":
    """The predictor without the features that were passed to it, unless strokes held back are predicted better by them.

    One network of each kind is trained on the rest of the strokes.
    """
    plain = tuple(group for group in groups_of(settings.inputs) if group != "features")
    if settings.features is None or not plain:
        return settings
    features = as_features(settings.features)
    if features.always:
        return settings
    beside = replace(settings, features=replace(features, always=True), members=1)
    without = replace(beside, inputs="+".join(plain), features=None)

    def lost(one: "NetworkPredictor") -> float:
        return loss(scene, lambda part: costs_of(NetworkAppearance.start(one, part).log_odds, part))

    helped = helps(lost(without), lost(beside), "the network")
    return settings if helped else replace(settings, inputs=without.inputs, features=None)


@dataclass(frozen=True)
class _Source:
    """Flat indices (n,) that a part of each batch is drawn from, wanted probability (of all, or a flat map), weight."""

    pixels: np.ndarray
    target: Any
    weight: float


class TrainingLoop:
    """Batches of one scene, and the loss on them."""

    def __init__(self, theta: NetworkAppearance, proximal: "ProximalTerm | None", rng: np.random.Generator):
        self.rng, self.reach = rng, 0
        settings, scene, regions = theta.settings, theta.full, theta.regions
        backend = get_backend(settings.backend)
        self.seen, self.xp = theta.seen, backend.xp
        self.width = np.float32(settings.noise) * np.array([_JITTER[group] for group in theta.groups], np.float32)
        self.positions = np.flatnonzero([group == "xy" for group in theta.groups])
        self.shape = scene.seeds.shape
        share = 1.0 if regions is None else _SCRIBBLES
        self.sources = [_Source(mine, float(k), share / 2) for k, mine in enumerate(training_pixels(scene))]
        if regions is not None:
            masks = [np.flatnonzero((regions == k) & scene.valid) for k in (0, 1)]
            self.sources += [_Source(mine, float(k), (1 - share) / 2) for k, mine in enumerate(masks) if len(mine)]
        if proximal is not None:
            target = np.asarray(proximal.target, np.float32).ravel()
            self.sources.append(_Source(np.flatnonzero(scene.valid), target, proximal.weight / 4))
        self.each = max(1, settings.batch // len(self.sources))
        appearance = np.flatnonzero([group != "xy" for group in theta.groups])
        # Without positions there is nothing else to classify by.
        mixed = len(appearance) and len(self.positions)
        self.box = AppearanceBox.around(self.seen, appearance, backend.to_numpy) if mixed else None

    def run(self, network: ConvNet, steps: int, rate: float, end: float = np.inf) -> None:
        """`steps` of Adam, with a rate that falls to 0; fewer where it is `end` before, by `time.perf_counter`."""
        adam = Adam(network.pack().size, xp=self.xp)
        self.reach = network.reach
        for t in range(steps):
            if time.perf_counter() >= end:
                break
            gradient = self._gradient(network)
            length = np.float32(rate * (1 - t / steps) ** 0.5)
            network.unpack(network.pack() - length * adam.step(gradient))

    def _gradient(self, network: ConvNet) -> Any:
        """Gradient of the loss on a random batch: (P,)."""
        drawn = [source.pixels[self.rng.integers(len(source.pixels), size=self.each)] for source in self.sources]
        x = self._patches(np.concatenate(drawn))
        if self.box is not None:
            for k, share in enumerate(_OUTLIERS):
                some = slice(k * self.each, k * self.each + round(share * self.each))
                self.box.draw(self.rng, x[some], self.xp)
        self._jitter(x)
        n, seen = network.forward(x)
        p = sigmoid(n[:, 0, 0])
        slope = self.xp.empty_like(p)
        for i, (source, pixels) in enumerate(zip(self.sources, drawn, strict=True)):
            part = slice(i * self.each, (i + 1) * self.each)
            target = source.target if isinstance(source.target, float) else self.xp.asarray(source.target[pixels])
            slope[part] = np.float32(source.weight / self.each) * (p[part] - target)
        return network.backward(seen, slope[:, None, None])

    def _patches(self, indices: np.ndarray) -> Any:
        """The network's windows around these pixels: (n, k, k, c)."""
        side = 2 * self.reach + 1
        if side == 1:
            return self.seen.reshape(-1, self.seen.shape[-1])[self.xp.asarray(indices)][:, None, None]
        rows, columns = (places[:, None, None] for places in np.unravel_index(indices, self.shape))
        around = np.arange(side)
        return self.seen[self.xp.asarray(rows + around[:, None]), self.xp.asarray(columns + around)]

    def _jitter(self, x: Any) -> None:
        """Add one random vector to all pixels of each window of `x` ((n, k, k, c))."""
        if self.width.any():
            jitter = self.rng.standard_normal((len(x), 1, 1, x.shape[-1]), dtype=np.float32)
            spread = self.rng.standard_normal((len(x), 1, 1, 1), dtype=np.float32)
            jitter *= self.width
            jitter[..., self.positions] *= np.exp(np.float32(_TAIL) * spread)
            x += self.xp.asarray(jitter)


@dataclass(frozen=True)
class AppearanceBox:
    """The box along the principal axes of an image's appearance vectors, in its (m,) `channels`, that holds them.

    `first` ((m,) float32) is a corner, `sides` ((m, m)) are the edges from there.
    """

    channels: np.ndarray
    first: np.ndarray
    sides: np.ndarray

    @classmethod
    def around(cls, seen: Any, channels: np.ndarray, to_numpy: Callable[[Any], np.ndarray]) -> "AppearanceBox":
        """The box of these channels of an image ((*spatial, c), on any device)."""
        flat = seen.reshape(-1, seen.shape[-1])
        values = to_numpy(flat[:: max(1, len(flat) // _BOX_PIXELS)])[:, channels].astype(np.float64)
        middle = values.mean(axis=0)
        axes = np.linalg.eigh((values - middle).T @ (values - middle))[1].T
        along = (values - middle) @ axes.T
        low, high = along.min(axis=0), along.max(axis=0)
        return cls(
            channels, (middle + low @ axes).astype(np.float32), ((high - low)[:, None] * axes).astype(np.float32)
        )

    def draw(self, rng: np.random.Generator, x: Any, xp: Any) -> None:
        """Give each window of `x` ((n, k, k, c)) one random appearance, uniform over the box."""
        values = self.first + rng.random((len(x), len(self.first)), dtype=np.float32) @ self.sides
        x[..., xp.asarray(self.channels)] = xp.asarray(values)[:, None, None]
