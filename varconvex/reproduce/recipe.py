"""The paper's own recipe for Table 1, step by step: predictor and convex network trained together by Adam.

    s = sigmoid(n),   c = sigmoid(-G),      B(p) = mean over scribbled pixels of the cross-entropy of p and the label

    epochs 1 to 200    B(s) + B(c)
    sequential, later  0.1 (B(s) + B(c)) + 100 mean over all pixels (c - [s > 1/2])^2
    joint, later       B(s) + B(c) + mean over all pixels (c - s)^2,        with the rate times 0.05

n is the predictor (an FCN of four hidden layers or a CNN of three, 16 units each), G the convex network 2-130-130-1 on
the pixel's place in [0, 1]^2, negative inside. One optimiser has both, at one rate, for 3000 epochs; weights of the
convex network that must not be negative are set to 0 after each step. Nothing chooses among starts or epochs, nothing
holds the scribbles, and the last answer counts. `segment` differs in all of this.

What is not as in the paper: the means over strokes and over all pixels are estimated from at most `PIXELS` random ones
each in every step; the CNN has no penalty on its slopes, and its first layer is rectified as the others are; features
are the two principal components of those that are given, or of the toolkit's filter responses.
"""

from typing import Any

import numpy as np

from ..geometry.raster import grid_points
from ..inputs import Scene
from ..likelihoods.base import training_pixels
from ..predictors.appearance.base import sigmoid
from ..predictors.appearance.channels import filter_bank, groups_of
from ..predictors.appearance.convnet import ConvNet
from ..shapes.icnn import ICNN
from ..shapes.training import Adam

Array = np.ndarray

EPOCHS, ALONE = 3000, 200
"""Epochs, and those before the predictor and the convex network are coupled."""

RATE, JOINT_FACTOR = 0.02, 0.05
"""Rate of Adam, and its factor from the coupling on in joint training."""

SEQUENTIAL, JOINT = (0.1, 100.0), (1.0, 1.0)
"""Weights of the scribbles and of the coupling."""

PIXELS = 1024
"""Random pixels in each step: of the strokes, if they have more, and of the image."""

HIDDEN, KERNEL = {"fcn": (16, 16, 16, 16), "cnn": (16, 16, 16)}, {"fcn": 1, "cnn": 3}
"""Of the predictors."""

CONVEX_HIDDEN = (130, 130)


class Training:
    """Both networks on one image.

    Parameters
    ----------
    scene : Scene
        An image (H, W) with two labels.
    inputs : str
        Groups of the predictor's channels: "rgb", "xy", "features", joined by "+".
    features : (H, W, F) array or None
        The user's own; None are the toolkit's filter responses.
    network : {"fcn", "cnn"}
        The predictor.
    unify : {"sequential", "joint"}
    seed : int
        Of the first weights, and of the pixels in each step.
    balanced : bool
        Whether both labels count alike in B, however many pixels they have. The paper's code counts pixels.
    dtype : float32 or float64
    """

    def __init__(
        self, scene: Scene, inputs: str, features: Any, network: str, unify: str, seed: int, balanced: bool = False,
        dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        self.shape, self.joint, self.rng = scene.seeds.shape, unify == "joint", np.random.default_rng(seed)
        seen = input_channels(scene, inputs, features).astype(dtype)
        self.predictor = ConvNet(seen.shape[-1], HIDDEN[network], KERNEL[network], dtype, rectified=True)
        self.predictor.unpack(_uniform(_fan_ins(self.predictor), self.rng))
        self.convex = ICNN(2, CONVEX_HIDDEN, dtype)
        self.convex.unpack(_uniform(_convex_fan_ins(self.convex), self.rng))
        reach = self.predictor.reach
        self.seen = np.pad(seen, [(reach, reach), (reach, reach), (0, 0)], mode="symmetric")
        self.places = _places(self.shape).reshape(-1, 2).astype(dtype)
        mine = training_pixels(scene)
        self.strokes = np.concatenate(mine)
        self.labels = np.repeat(np.array([0, 1], dtype), [len(pixels) for pixels in mine])
        shares = [len(self.strokes) / (2 * len(pixels)) if balanced else 1.0 for pixels in mine]
        self.weights = np.repeat(np.array(shares, dtype), [len(pixels) for pixels in mine])
        self.adam = Adam(len(self._parameters()), beta2=0.999, dtype=dtype)
        self.epoch = 0

    def run(self, epochs: int) -> None:
        """Train until so many epochs have passed, `EPOCHS` in the paper."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # as in `appearance.networks`
            while self.epoch < epochs:
                _, gradient = self.loss(*self.batch())
                slow = JOINT_FACTOR if self.joint and self.epoch >= ALONE else 1.0
                self._set(self._parameters() - self.predictor.dtype.type(RATE * slow) * self.adam.step(gradient))
                self.epoch += 1

    def batch(self) -> tuple[Array, Array]:
        """Numbers of strokes' pixels, in `strokes`, and flat indices of the image's, both drawn at random."""
        count, size = len(self.strokes), len(self.places)
        some = np.arange(count) if count <= PIXELS else self.rng.integers(count, size=PIXELS)
        return some, self.rng.integers(size, size=min(PIXELS, size)) if self.epoch >= ALONE else np.empty(0, np.intp)

    def loss(self, some: Array, pixels: Array) -> tuple[float, Array]:
        """The loss on a batch, and its gradient to the parameters of both networks: (P,)."""
        where, count = np.concatenate([self.strokes[some], pixels]), len(some)
        n, seen = self.predictor.forward(self._windows(where))
        g, z = self.convex.forward(points := self.places[where])
        s, c = sigmoid(n[:, 0, 0]), sigmoid(-g)
        scribbles, coupling = JOINT if self.joint or not len(pixels) else SEQUENTIAL
        labels, weights = self.labels[some], self.weights[some] * s.dtype.type(scribbles / count)
        dn, dg = np.zeros_like(s), np.zeros_like(g)
        dn[:count], dg[:count] = weights * (s[:count] - labels), -weights * (c[:count] - labels)
        odds = np.concatenate([n[:count, 0, 0], -g[:count]])
        value = float(np.tile(weights, 2) @ np.logaddexp(0, np.where(np.tile(labels, 2) == 1, -odds, odds)))
        if len(pixels):
            s, c = s[count:], c[count:]
            away = c - (s if self.joint else s > 0.5)
            slope = away * c.dtype.type(2 * coupling / len(pixels))
            dg[count:] = -slope * c * (1 - c)
            if self.joint:
                dn[count:] = -slope * s * (1 - s)
            value += coupling * float(np.mean(away * away))
        return value, np.concatenate(
            [self.predictor.backward(seen, dn[:, None, None]), self.convex.backward(points, z, dg)[0]]
        )

    def masks(self) -> tuple[Array, Array]:
        """Where the predictor has the object, and {G <= 0}: two (H, W) bool arrays."""
        image = self.seen if self.predictor.reach else self.seen.reshape(-1, 1, self.seen.shape[-1])
        # In float64 the set is convex on the pixels, too, but for ties.
        convex = ICNN.from_layers(self.convex.copied_layers())
        return self.predictor(image).reshape(self.shape) > 0, (convex(self.places) <= 0).reshape(self.shape)

    def _parameters(self) -> Array:
        return np.concatenate([self.predictor.pack(), self.convex.pack()])

    def _set(self, theta: Array) -> None:
        count = len(self.predictor.pack())
        self.predictor.unpack(theta[:count])
        self.convex.unpack(theta[count:])

    def _windows(self, where: Array) -> Array:
        """The predictor's window around each pixel: (n, k, k, c)."""
        around = np.arange(2 * self.predictor.reach + 1)
        rows, columns = (places[:, None, None] for places in np.unravel_index(where, self.shape))
        return self.seen[rows + around[:, None], columns + around]


def input_channels(scene: Scene, inputs: str, features: Any = None) -> Array:
    """The predictor's channels as the paper has them, (H, W, c): colours, places and features, all in [0, 1]."""
    found = {"rgb": lambda: scene.image, "xy": lambda: _places(scene.seeds.shape), "features": lambda: _two(features)}
    if features is None:
        features = filter_bank(scene)
    return np.concatenate([found[group]() for group in groups_of(inputs)], axis=-1)


def _two(features: Array) -> Array:
    """Two principal components of features ((H, W, F)), with one scale and offset for both."""
    from sklearn.decomposition import PCA

    flat = np.asarray(features, np.float64).reshape(-1, np.shape(features)[-1])
    if flat.shape[1] > 2:
        flat = PCA(2, random_state=0).fit_transform(flat)
    low, high = flat.min(), flat.max()
    return ((flat - low) / max(high - low, 1e-12)).reshape(*np.shape(features)[:2], -1)


def _places(shape: tuple[int, ...]) -> Array:
    """Row and column of each pixel, from 0 to 1: (H, W, 2)."""
    return (grid_points(shape) / np.maximum(np.array(shape) - 1, 1)).reshape(*shape, 2)


def _uniform(fan_ins: Array, rng: np.random.Generator) -> Array:
    """Values in +- 1 / sqrt(fan-in), as the layers of PyTorch begin."""
    return rng.uniform(-1, 1, len(fan_ins)) / np.sqrt(fan_ins)


def _fan_ins(network: ConvNet) -> Array:
    return np.concatenate([np.full(w.size + b.size, len(w)) for w, b in zip(network.w, network.b, strict=True)])


def _convex_fan_ins(network: ICNN) -> Array:
    """A bias belongs to the layer on z; the first to that on x."""
    found = []
    for z, x, b in network.layers():
        below = network.dim if z is None else z.shape[1]
        found += [np.full(0 if z is None else z.size, below), np.full(x.size, network.dim), np.full(len(b), below)]
    return np.concatenate(found)
