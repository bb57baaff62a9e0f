"""Input channels of a network at each pixel: any of colour, position and features, side by side.

    rgb        the colours, in Lab where there are three channels, so that equal distances look about equally different;
               and smoothed over a two-hundredth of the image, to which noise and texture hardly matter
    xy         the pixel's position along every spatial axis, in one unit for all of them
    features   the user's own, or else the responses of a bank of filters at three scales

The paper's features came from semantic soft segmentation (Aksoy et al. 2018), a network that was trained on classes of
objects. The responses here know edges, ridges and texture only; `varconvex.extractors` brings those of networks.

Each group is centred and divided by its spread as a whole, so that units do not matter and no channel dominates.
"""

from typing import Any

import numpy as np

from ...errors import InvalidParameterError
from ...extractors.features import features_of
from ...inputs import Scene

GROUPS = ("rgb", "xy", "features")

_FINE = 0.005
"""Standard deviation of the smoothed colours, in sides of the image N^(1/d)."""

_SCALES = (0.005, 0.01, 0.02)
"""Of the filter bank, in the same unit."""

_PLACE = 1.7
"""Half of the longer side in spreads of a colour: uniformly spread places have a variance of one then."""


def groups_of(inputs: Any) -> tuple[str, ...]:
    """The groups that `inputs` names, such as "rgb+xy": each once, in the order of `GROUPS`."""
    named = inputs.split("+") if isinstance(inputs, str) else inputs
    if not isinstance(named, tuple | list) or not named or any(n not in GROUPS for n in named):
        raise InvalidParameterError(
            f"inputs must name some of rgb, xy and features, such as 'rgb+xy'; got {inputs!r}. Choose among them."
        )
    return tuple(group for group in GROUPS if group in named)


def channels(scene: Scene, inputs: Any, features: Any = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The channels of every pixel, (*spatial, c) float32, of the groups in `inputs`; and the group of each channel.

    `features` are the user's own, as `Features` takes them; the filter bank by default. An InvalidParameterError if a
    group is unknown, or they have another shape or are given without their group; an InvalidImageError if they are not
    finite.
    """
    chosen = groups_of(inputs)
    if features is not None and "features" not in chosen:
        raise InvalidParameterError(
            f"inputs must name features where they are given; got {inputs!r}. Use "
            f"inputs='{'+'.join((*chosen, 'features'))}'."
        )
    found: dict[str, np.ndarray] = {}
    if "rgb" in chosen:
        colour = scene.colours
        found["rgb"] = _scaled(np.concatenate([colour, scene.smoothed(colour, _FINE)], axis=-1), scene)
    if "xy" in chosen:
        found["xy"] = _place(scene)
    if "features" in chosen:
        own = filter_bank(scene) if features is None else features_of(features, scene.image)
        found["features"] = _scaled(own, scene, each=True)
    groups = tuple(group for group, values in found.items() for _ in range(values.shape[-1]))
    return np.concatenate(list(found.values()), axis=-1, dtype=np.float32), groups


def filter_bank(scene: Scene) -> np.ndarray:
    """Responses at three scales: colour, and of the lightness the slope, the two curvatures and the local spread.

    The slope is |grad|, the curvatures are the Hessian's largest and smallest eigenvalue times the scale squared (of a
    volume, its Laplacian and largest second derivative): no response depends on where an edge turns. The array is
    (*spatial, 3 (C + 4)) float32.
    """
    from scipy.ndimage import gaussian_filter

    colour = scene.colours
    light = colour[..., 0]
    found = []
    for width in _SCALES:
        sigma = scene.widths(width)
        smooth = gaussian_filter(light, sigma)
        slope = np.zeros_like(light)
        for axis in range(light.ndim):
            order = [int(a == axis) for a in range(light.ndim)]
            slope += (sigma[axis] * gaussian_filter(light, sigma, order=order)) ** 2
        spread = np.sqrt(np.maximum(gaussian_filter(light**2, sigma) - smooth**2, 0))
        found += [scene.smoothed(colour, width), np.stack([np.sqrt(slope), *_curvatures(light, sigma), spread], -1)]
    return np.concatenate(found, axis=-1).astype(np.float32)


def _curvatures(light: np.ndarray, sigma: list[float]) -> tuple[np.ndarray, np.ndarray]:
    from scipy.ndimage import gaussian_filter

    def second(a: int, b: int) -> np.ndarray:
        order = [int(axis == a) + int(axis == b) for axis in range(light.ndim)]
        return sigma[a] * sigma[b] * gaussian_filter(light, sigma, order=order)

    straight = [second(axis, axis) for axis in range(light.ndim)]
    if light.ndim != 2:
        return sum(straight), np.max(straight, axis=0)  # type: ignore[return-value]
    mean = (straight[0] + straight[1]) / 2
    apart = np.hypot((straight[0] - straight[1]) / 2, second(0, 1))
    return mean + apart, mean - apart


def _place(scene: Scene) -> np.ndarray:
    sizes = np.array(scene.seeds.shape) * scene.spacing
    axes = [
        (np.arange(n) - (n - 1) / 2) * step * (2 * _PLACE / sizes.max())
        for n, step in zip(scene.seeds.shape, scene.spacing, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _scaled(values: np.ndarray, scene: Scene, each: bool = False) -> np.ndarray:
    """Centred, and divided by the spread over the valid pixels: of all channels together, or of each."""
    known = values[scene.valid].astype(np.float64)
    centred = values - known.mean(axis=0)
    spread = known.std(axis=0) if each else np.sqrt(known.var(axis=0).mean(keepdims=True))
    return np.where(scene.valid[..., None], centred / np.where(spread > 1e-6, spread, 1), 0)
