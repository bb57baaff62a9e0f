"""What networks are taught of one scene, and how: batches of its pixels, and the loss on them.

    theta = argmin   say CE(scribbles) + (1 - say) CE(both sides of an answer) + weight/4 mean KL(v, sigma(n))

What is seen of a pixel is jittered, and what a stroke teaches about its place it teaches, in a share of the lessons,
with a look of any kind, drawn evenly from the box that holds the image's: p_k <- (1 - e_k) p_k + e_k uniform. A look
that no stroke has touched is then left to places, as for the kernel density (`unknown` of the Nieuwenhuis-Cremers
likelihood), where a network would go on as its nearest lessons end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import get_backend
from ..inputs import Scene
from ..likelihoods._common import teaching_seeds
from ..shapes.training import Adam
from ._convnet import ConvNet
from ._log_odds import sigmoid

if TYPE_CHECKING:
    from ._network import NetworkPredictor


_SAY = 0.5
"""Share of the scribbles in the loss once both sides of an answer teach."""

_JITTER = {"rgb": 1.0, "xy": 0.4, "features": 3.0}
"""Jitter of each group of channels, in units of `noise`. Filter responses are many and move together: jitter that is
independent in each averages out over them, so each gets more."""

_TAIL = 1.5
"""Standard deviation of the logarithm of the width of a place's jitter, drawn for each pixel.

Strokes must speak for what is near and for what is far: a jitter of one width cannot do both, one of many widths does,
as a density whose width grows with the distance to the stroke (Nieuwenhuis, Cremers 2013)."""

_UNKNOWN = (0.1, 0.3)
"""Shares e_k of what the strokes of background and object teach. The object's is the greater: its strokes lie within
it, those of the background go around."""

_LOOKS = 4000
"""Pixels, evenly spread, whose looks the box holds."""


@dataclass(frozen=True)
class Taught:
    """What networks have learnt about one scene.

    Attributes
    ----------
    seen : (*spatial, c) float32
        The channels, padded by the networks' reach.
    groups : (c,) tuple of str
        The group of each channel.
    thetas : tuple of (P,) vectors
        One a network.
    first, now : (*spatial) float32
        Log-odds that the scribbles alone have taught, and the present ones.
    sides : (2, *spatial) array or None
        Both sides of an answer, where one teaches, too.
    """

    seen: Any
    groups: tuple[str, ...]
    thetas: tuple[Any, ...]
    first: np.ndarray
    now: np.ndarray
    sides: np.ndarray | None = None


class Course:
    """Batches of one scene, and the loss on them."""

    def __init__(
        self, predictor: "NetworkPredictor", scene: Scene, taught: Taught, pull: Any, rng: np.random.Generator
    ):
        self.rng, self.reach = rng, 0
        backend = get_backend(predictor.backend)
        self.seen, self.xp = taught.seen, backend.xp
        self.width = np.float32(predictor.noise) * np.array([_JITTER[group] for group in taught.groups], np.float32)
        self.places = np.flatnonzero([group == "xy" for group in taught.groups])
        self.shape = scene.seeds.shape
        self.batch = predictor.batch
        background, inside = teaching_seeds(scene)
        taught_by: list[tuple[Any, float, Any, float]] = []
        say = 1.0 if taught.sides is None else _SAY
        taught_by += [(background, 0.0, None, say / 2), (inside, 1.0, None, say / 2)]
        if taught.sides is not None:
            for k, label in ((0, 0.0), (1, 1.0)):
                mine = np.flatnonzero((taught.sides[k] > 0.5) & scene.valid)
                if len(mine):
                    taught_by.append((mine, label, None, (1 - say) / 2))
        if pull is not None:
            target = np.asarray(pull[0], np.float32).ravel()
            taught_by.append((np.flatnonzero(scene.valid), 0.0, target, float(pull[1])))
        self.sources = taught_by
        looks = np.flatnonzero([group != "xy" for group in taught.groups])
        # Who sees no places has nothing else to go by.
        mixed = len(looks) and len(self.places)
        self.box = _Box.around(self.seen, looks, backend.to_numpy) if mixed else None

    def run(self, network: ConvNet, steps: int, rate: float) -> None:
        """`steps` of Adam, ever shorter."""
        adam = Adam(network.pack().size, xp=self.xp)
        self.reach = network.reach
        for t in range(steps):
            gradient = self._gradient(network)
            length = np.float32(rate * (1 - t / steps) ** 0.5)
            network.unpack(network.pack() - length * adam.step(gradient))

    def _gradient(self, network: ConvNet) -> Any:
        each = max(1, self.batch // len(self.sources))
        drawn = [indices[self.rng.integers(len(indices), size=each)] for indices, *_ in self.sources]
        x = self._patches(np.concatenate(drawn))
        if self.box is not None:
            for k, share in enumerate(_UNKNOWN):
                some = slice(k * each, k * each + round(share * each))
                self.box.draw(self.rng, x[some], self.xp)
        self._jitter(x)
        n, seen = network.forward(x)
        p = sigmoid(n[:, 0, 0])
        slope = self.xp.empty_like(p)
        for i, (_, label, target, weight) in enumerate(self.sources):
            part = slice(i * each, (i + 1) * each)
            mine = p[part]
            if target is None:
                slope[part] = np.float32(weight / each) * (mine - np.float32(label))
            else:
                wish = self.xp.asarray(target[drawn[i]])
                slope[part] = np.float32(weight / 4 / each) * (mine - wish)
        return network.backward(seen, slope[:, None, None])

    def _patches(self, indices: np.ndarray) -> Any:
        """What the network sees of these pixels: (n, k, k, c)."""
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
        """Move each patch of `x` as a whole."""
        if self.width.any():
            jitter = self.rng.standard_normal((len(x), 1, 1, x.shape[-1]), dtype=np.float32)
            spread = self.rng.standard_normal((len(x), 1, 1, 1), dtype=np.float32)
            jitter *= self.width
            jitter[..., self.places] *= np.exp(np.float32(_TAIL) * spread)
            x += self.xp.asarray(jitter)


@dataclass(frozen=True)
class _Box:
    """The box along the principal axes of an image's looks that holds them.

    Attributes
    ----------
    channels : (m,) int
    first, sides : (m,) and (m, m) float32
        A corner, and the edges from there.
    """

    channels: np.ndarray
    first: np.ndarray
    sides: np.ndarray

    @classmethod
    def around(cls, seen: Any, channels: np.ndarray, to_numpy: Callable[[Any], np.ndarray]) -> "_Box":
        """Of these channels of an image ((*spatial, c)), wherever it lives."""
        flat = seen.reshape(-1, seen.shape[-1])
        looks = to_numpy(flat[:: max(1, len(flat) // _LOOKS)])[:, channels].astype(np.float64)
        middle = looks.mean(axis=0)
        axes = np.linalg.eigh((looks - middle).T @ (looks - middle))[1].T
        along = (looks - middle) @ axes.T
        low, high = along.min(axis=0), along.max(axis=0)
        return cls(
            channels, (middle + low @ axes).astype(np.float32), ((high - low)[:, None] * axes).astype(np.float32)
        )

    def draw(self, rng: np.random.Generator, x: Any, xp: Any) -> None:
        """Give each patch of `x` ((n, k, k, c)) an even look from the box."""
        looks = self.first + rng.random((len(x), len(self.first)), dtype=np.float32) @ self.sides
        x[..., xp.asarray(self.channels)] = xp.asarray(looks)[:, None, None]
