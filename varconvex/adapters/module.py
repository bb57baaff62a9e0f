"""Any module of PyTorch that maps an image to logits or probabilities: a U-Net, a torchvision model, nnU-Net's network.

n = logits of the object's channel,      or   z_k - log sum_{j != k} exp(z_j)   of several channels' logits z
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError, UnsupportedTypeError
from ..extractors.base import optional
from ..extractors.torch import array_of, check_weights, evaluating
from ..inputs import Scene, probability_map
from ..keywords import known_keywords
from ..options import Kind
from ..predictors.energy import EnergyPredictor, check_energy
from .base import MapPredictor, rgb


@known_keywords
@dataclass(frozen=True, eq=False)
class ModulePredictor(MapPredictor):
    """A module of PyTorch as a predictor.

    It is called in evaluation mode, by one thread at a time, with one image in [0, 1] as a (1, C, H, W) float tensor on
    the device of its parameters. Strokes are no input of it; they hold in what `segment` makes of its map.

    Parameters
    ----------
    module : torch.nn.Module
        Returns maps (1, K, h, w) or (1, h, w), in a tensor, a tuple that begins with it, a dict with "out" or "logits",
        or an object with `logits`.
    channel : int, optional
        The object's of K > 1 channels, which are classes; the background is whatever another class is.
    kind : {"logits", "probability"}
        Unit of the maps.
    mean, std : float or (3,) float
        Subtracted from each channel of the image, and what it is divided by afterwards; those of ImageNet are
        (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225).
    grey : bool
        Whether the module takes one channel, not three.
    energy : EnergyPredictor or None
        Regularises the map, whose log-odds replace its likelihood. None takes the map as it is.

    Raises
    ------
    UnsupportedTypeError, InvalidParameterError, MissingExtraError
        If it is no module, a parameter is out of its range, or PyTorch is not installed.
    InvalidImageError
        When it predicts, if the module fails for the image, or its answer is no map of finite numbers.

    Examples
    --------
    >>> from varconvex import segment
    >>> from varconvex.adapters import ModulePredictor
    >>> predictor = ModulePredictor(unet)  # doctest: +SKIP
    >>> result = segment(image, strokes, predictor=predictor, shape="convex")  # doctest: +SKIP
    """

    module: Any
    channel: int | None = None
    kind: Kind = "logits"
    mean: Any = 0.0
    std: Any = 1.0
    grey: bool = False
    energy: EnergyPredictor | None = None

    def __post_init__(self) -> None:
        torch = optional("torch", "torch", "a predictor of a torch module")
        if not isinstance(self.module, torch.nn.Module):
            raise UnsupportedTypeError(
                f"module must be a torch.nn.Module; got {type(self.module).__name__}. Load the network first."
            )
        check_weights(self.module)
        checks.one_of("kind", self.kind, Kind)
        checks.boolean("grey", self.grey)
        check_energy(self.energy)
        if self.channel is not None:
            object.__setattr__(self, "channel", checks.whole_number("channel", self.channel))
        for name in ("mean", "std"):
            with np.errstate(over="ignore"):  # infinite then, and refused
                values = np.asarray(checks.host_array(name, getattr(self, name)), np.float32)
            if values.shape not in ((), (1 if self.grey else 3,)) or not np.isfinite(values).all():
                raise InvalidParameterError(
                    f"{name} must be a number, or one for each channel; got {getattr(self, name)!r:.80}. Pass e.g. 0.5."
                )
            object.__setattr__(self, name, values)
        if not (self.std > 0).all():
            raise InvalidParameterError(f"std must be more than 0; got {self.std}. Leave it out for 1.")

    def logits_of(self, scene: Scene) -> np.ndarray:
        """The module's logits of the object: (h, w) float."""
        import torch

        image = rgb(scene).mean(axis=-1, keepdims=True) if self.grey else rgb(scene)
        with np.errstate(over="ignore"):  # what comes of it is refused
            values = np.moveaxis((image - self.mean) / self.std, -1, 0)[None].astype(np.float32)
        some = next(iter(self.module.parameters()), torch.zeros(1))
        with evaluating(self.module):
            answer = self.module(torch.tensor(values, dtype=some.dtype, device=some.device))
        return self._object(_maps(answer))

    def _object(self, maps: np.ndarray) -> np.ndarray:
        """Logits of the object, of the maps (K, h, w) of all channels."""
        maps = maps.astype(np.float64)
        channel = 0 if len(maps) == 1 and self.channel is None else self.channel
        if channel is None or channel >= len(maps):
            raise InvalidParameterError(
                f"channel must be that of the object, one of {len(maps)} channels; got {self.channel!r}. Pass e.g. "
                f"channel={len(maps) - 1}."
            )
        if self.kind == "probability":
            p = np.clip(probability_map(maps[channel], "the module's map"), 1e-6, 1 - 1e-6)
            return np.log(p / (1 - p))
        if len(maps) == 1:
            return maps[0]
        with np.errstate(invalid="ignore"):  # of infinite logits; refused
            return maps[channel] - logsumexp(np.delete(maps, channel, axis=0), axis=0)


def _maps(answer: Any) -> np.ndarray:
    """The maps (K, h, w) in a module's answer."""
    if isinstance(answer, dict):
        answer = next((answer[name] for name in ("out", "logits") if name in answer), None)
    answer = getattr(answer, "logits", answer)
    if isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    shape = tuple(getattr(answer, "shape", ()))
    if len(shape) not in (3, 4) or shape[0] != 1 or 0 in shape:
        raise InvalidImageError(
            f"maps of shape (1, K, h, w) were expected of the module; got {shape or type(answer).__name__}. Wrap it in "
            "a module that returns them."
        )
    values = array_of(answer) if hasattr(answer, "detach") else np.asarray(answer)
    return values[0] if len(shape) == 4 else values
