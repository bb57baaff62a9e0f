"""Strokes held back: whether features help to predict them, and how wide the kernel in features is then.

Each label's strokes are cut into four pieces that are compact in space. Each piece in turn is held back, and the rest
predicts it:

    loss = mean over labels k and pieces of  -log P(k | x),     P(k | x) = exp(-cost_k(x)) / sum_j exp(-cost_j(x))

Pixels beside the rest of a stroke are predicted well by position and colour alone, so that features have to tell
something that is not seen there. They enter only if the loss falls by `LEAST_GAIN`: a small gain says nothing about the
pixels between the strokes, where features of no use do harm.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..inputs import Scene
from ..logs import LOGGER
from .base import CLIP, training_pixels
from .nieuwenhuis_cremers import NieuwenhuisCremersLikelihood, evenly_spread, power_of_width

LEAST_GAIN = 0.02
"""Nats for each pixel held back."""

_WIDTHS = (1.5, 2.5, 4.0)
"""Widths of the kernel in features that are tried, in spreads of a feature: narrower ones follow single seeds, and with
wider ones features hardly count."""

_HALVINGS = 2
"""Of a label's strokes: four pieces."""

_MOST, _FEWEST = 800, 40
"""Pixels of all labels, and of one, that are looked at."""


def weighed(
    scene: Scene, features: np.ndarray, likelihood: NieuwenhuisCremersLikelihood, always: bool = False
) -> Scene:
    """The scene with features beside its colours, as wide as strokes held back are predicted best; or as it is.

    Parameters
    ----------
    scene : Scene
    features : (*spatial, F) float
        In any unit: they are centred, and divided by their spread.
    likelihood : NieuwenhuisCremersLikelihood
        Its kernels in position and colour.
    always : bool
        Whether they enter whatever strokes held back say.
    """
    unit = in_spreads(features, scene.valid)
    losses = kernel_losses(scene, unit, likelihood, (None, *_WIDTHS))
    width = _WIDTHS[int(np.argmin(losses[1:]))]
    if not helps(losses[0], min(losses[1:]), "the likelihood") and not always:
        return scene
    LOGGER.info("features beside colours: kernels of %g spreads", width)
    return replace(scene, features=(unit * (likelihood.sigma / width)).astype(np.float32))


def helps(without: float, beside: float, what: str) -> bool:
    """Whether a loss falls by enough with features, in nats; logged."""
    better = without - beside >= LEAST_GAIN
    said = "taken into" if better else "left out of"
    LOGGER.info("features %s %s: strokes held back have %.3f nats with them, %.3f without", said, what, beside, without)
    return better


def loss(scene: Scene, costs: Callable[[Scene], np.ndarray]) -> float:
    """Mean loss of `costs`, of a scene (K, *spatial) in nats, on pieces held back; two pieces of four at a time."""
    found = []
    pieces = [parts(scene, mine) for mine in training_pixels(scene)]
    for turn in range(2):
        seeds = scene.seeds.copy()
        held = [np.concatenate(cut[turn::2]) for cut in pieces]
        for pixels, cut in zip(held, pieces, strict=True):
            if sum(map(len, cut)) > len(pixels):  # a stroke of one pixel stays
                seeds.ravel()[pixels] = 0
        found += _losses(costs(scene.with_seeds(seeds, scene.labels)).reshape(len(held), -1), held)
    return float(np.mean(found))


def kernel_losses(
    scene: Scene, unit: np.ndarray, likelihood: NieuwenhuisCremersLikelihood, widths: tuple[float | None, ...]
) -> list[float]:
    """Loss of kernel densities in position, colour and features for each width in features; None leaves them out."""
    most = max(_MOST // len(scene.labels), _FEWEST)
    pixels = [evenly_spread(mine, min(mine.size, most)) for mine in training_pixels(scene)]
    places = _places(scene)
    colours = scene.colours.reshape(len(places), -1) / (np.sqrt(2) * likelihood.sigma)
    found = unit.reshape(len(places), -1) / np.sqrt(2)
    losses: list[list[float]] = [[] for _ in widths]
    for k, piece, rest in _held(scene, pixels):
        lengths = np.empty((len(widths), len(rest), len(piece)))
        for j, seeds in enumerate(rest):
            near, colour, feature = (_squares(values[piece], values[seeds]) for values in (places, colours, found))
            rho = likelihood.rho_factor * np.sqrt(np.maximum(near.min(axis=1), 1))
            fixed = -near / (2 * rho[:, None] ** 2) - colour
            power = power_of_width(scene.seeds.ndim)
            for number, width in enumerate(widths):
                terms = fixed if width is None else fixed - feature / width**2
                top = terms.max(axis=1)
                density = top + np.log(np.exp(terms - top[:, None]).mean(axis=1))
                lengths[number, j] = power * np.log(rho) - density
        for number, length in enumerate(lengths):
            losses[number].append(_loss(length, k))
    return [float(np.mean(each)) if each else 0.0 for each in losses]


def in_spreads(features: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Features (*spatial, F) centred, and divided by the root of their mean variance over valid pixels."""
    known = features[valid].astype(np.float64)
    spread = np.sqrt(known.var(axis=0).mean())
    return np.where(valid[..., None], features - known.mean(axis=0), 0) / (spread if spread > 1e-12 else 1)


def parts(scene: Scene, pixels: np.ndarray) -> list[np.ndarray]:
    """Pixels (flat indices) in four pieces: halved across their longest axis, twice."""
    places, found = _places(scene), [pixels]
    for _ in range(_HALVINGS):
        halves = []
        for piece in found:
            away = places[piece] - places[piece].mean(axis=0) if piece.size else places[piece]
            along = away @ np.linalg.eigh(away.T @ away)[1][:, -1]
            order = piece[np.argsort(along, kind="stable")]
            halves += [order[: piece.size // 2], order[piece.size // 2 :]]
        found = halves
    return found


def _held(scene: Scene, pixels: list[np.ndarray]) -> Iterator[tuple[int, np.ndarray, list[np.ndarray]]]:
    """Label, a piece of its pixels, and what is left of all labels' pixels without the pieces of the same turn."""
    pieces = [parts(scene, mine) for mine in pixels]
    for turn in range(2**_HALVINGS):
        rest = [np.concatenate([p for i, p in enumerate(cut) if i != turn]) for cut in pieces]
        if all(map(len, rest)):
            yield from ((k, cut[turn], rest) for k, cut in enumerate(pieces) if len(cut[turn]))


def _losses(costs: np.ndarray, held: list[np.ndarray]) -> list[float]:
    """Loss of each label's held pixels, of costs (K, n)."""
    return [_loss(costs[:, mine].astype(np.float64), k) for k, mine in enumerate(held) if len(mine)]


def _loss(costs: np.ndarray, k: int) -> float:
    """Mean of -log P(k) of costs (K, m), at most `CLIP` apart."""
    costs = np.minimum(costs - costs.min(axis=0), CLIP)
    return float(np.mean(costs[k] + np.log(np.exp(-costs).sum(axis=0))))


def _places(scene: Scene) -> np.ndarray:
    """Position of each pixel, in units in which a pixel has volume 1: (n, d)."""
    grid = np.moveaxis(np.indices(scene.seeds.shape), 0, -1).reshape(-1, scene.seeds.ndim)
    return grid * np.array(scene.spacing)


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances of vectors (m, c) and (n, c): (m, n)."""
    from scipy.spatial.distance import cdist

    return cdist(a, b, "sqeuclidean")
