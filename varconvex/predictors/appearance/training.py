"""Training of a small network on the scribbles and regions of one scene: batches of its pixels, and the loss on them.

    theta = argmin   w CE(scribbles) + (1 - w) CE(regions of a label image) + weight/4 mean KL(target, sigma(n))

The network's input is jittered. Where it contains positions, a share of each scribbled batch gets a random appearance,
uniform over the box that holds the image's: p_k <- (1 - e_k) p_k + e_k uniform. Pixels whose appearance no stroke has
are then classified by their position, as with the uniform outliers of the Nieuwenhuis-Cremers likelihood; without, a
network would extrapolate from its nearest samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import get_backend
from ...inputs import Scene
from ...likelihoods.base import training_pixels
from ...shapes.training import Adam
from .convnet import ConvNet
from .log_odds import sigmoid

if TYPE_CHECKING:
    from ..base import ProximalTerm
    from ..networks import NetworkPredictor

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
class TrainedState:
    """Networks trained on one scene.

    Attributes
    ----------
    seen : (*spatial, c) float32
        The channels, padded by the networks' reach.
    groups : (c,) tuple of str
        The group of each channel.
    parameters : tuple of (P,) vectors
        One vector for each network.
    first, log_odds : (*spatial) float32
        Log-odds after training on the scribbles alone, and the present ones.
    regions : (*spatial) int or None
        Label image that the networks are trained on besides the scribbles.
    """

    seen: Any
    groups: tuple[str, ...]
    parameters: tuple[Any, ...]
    first: np.ndarray
    log_odds: np.ndarray
    regions: np.ndarray | None = None


@dataclass(frozen=True)
class _Source:
    """Flat indices (n,) that a part of each batch is drawn from, wanted probability (of all, or a flat map), weight."""

    pixels: np.ndarray
    target: Any
    weight: float


class TrainingLoop:
    """Batches of one scene, and the loss on them."""

    def __init__(
        self,
        settings: "NetworkPredictor",
        scene: Scene,
        state: TrainedState,
        proximal: "ProximalTerm | None",
        rng: np.random.Generator,
    ):
        self.rng, self.reach = rng, 0
        backend = get_backend(settings.backend)
        self.seen, self.xp = state.seen, backend.xp
        self.width = np.float32(settings.noise) * np.array([_JITTER[group] for group in state.groups], np.float32)
        self.positions = np.flatnonzero([group == "xy" for group in state.groups])
        self.shape = scene.seeds.shape
        share = 1.0 if state.regions is None else _SCRIBBLES
        self.sources = [_Source(mine, float(k), share / 2) for k, mine in enumerate(training_pixels(scene))]
        if state.regions is not None:
            regions = [np.flatnonzero((state.regions == k) & scene.valid) for k in (0, 1)]
            self.sources += [_Source(mine, float(k), (1 - share) / 2) for k, mine in enumerate(regions) if len(mine)]
        if proximal is not None:
            target = np.asarray(proximal.target, np.float32).ravel()
            self.sources.append(_Source(np.flatnonzero(scene.valid), target, proximal.weight / 4))
        self.each = max(1, settings.batch // len(self.sources))
        appearance = np.flatnonzero([group != "xy" for group in state.groups])
        # Without positions there is nothing else to classify by.
        mixed = len(appearance) and len(self.positions)
        self.box = AppearanceBox.around(self.seen, appearance, backend.to_numpy) if mixed else None

    def run(self, network: ConvNet, steps: int, rate: float) -> None:
        """`steps` of Adam, with a rate that falls to 0."""
        adam = Adam(network.pack().size, xp=self.xp)
        self.reach = network.reach
        for t in range(steps):
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
            x = self.seen.reshape(-1, self.seen.shape[-1])[self.xp.asarray(indices)][:, None, None]
        else:
            rows, columns = np.unravel_index(indices, self.shape)
            around = np.arange(side)
            x = self.seen[
                self.xp.asarray(rows[:, None, None] + around[:, None]),
                self.xp.asarray(columns[:, None, None] + around),
            ]
        return x

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
    """The box along the principal axes of an image's appearance vectors that holds them.

    Attributes
    ----------
    channels : (m,) int
        Those of the appearance.
    first, sides : (m,) and (m, m) float32
        A corner, and the edges from there.
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
