"""A module of PyTorch as an extractor. Needs the extra ``torch``."""

import hashlib
import marshal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from ..keywords import known_keywords
from .base import IMAGENET, cells, content, layer_names, network_input, optional, scaling_of

_one_at_a_time = threading.Lock()
"""A module has one mode and one set of hooks, whoever calls it."""


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """A module in evaluation mode without gradients, for one thread; then each part is in the mode that it was in."""
    import torch

    with _one_at_a_time:
        training = [part for part in module.modules() if part.training]
        try:
            module.eval()
            with torch.inference_mode():
                yield
        finally:
            for part in training:
                part.training = True


@known_keywords
@dataclass(frozen=True, eq=False)
class TorchExtractor:
    """Features by a network in PyTorch, as it is in memory: no file is read, so no pickle is loaded.

    Parameters
    ----------
    module : torch.nn.Module
        Takes (1, channels, H, W) floats like its weights. It runs where these are, in evaluation mode; afterwards each
        of its parts is in the mode that it was in.
    layers : name, tuple of names or None
        Submodules whose outputs are the features, by their names in ``module.named_modules()``; None is what the module
        returns: maps (1, F, h, w), tokens (1, n, F), or several of them in a list, tuple or dict.
    mean, std : float or (C,) float
        What each channel of the image, in [0, 1], is centred and divided by; by default those of ImageNet.
    stride : int
        The sides of images are padded to multiples of it; tokens stand for cells of so many pixels.
    channels : int
        Channels that the network takes; grey images are repeated where it takes three.

    Raises
    ------
    MissingExtraError
        If PyTorch is not installed.
    InvalidParameterError
        If `module` is none, has no such layer, cannot take the image, or what it gives are no maps.
    InvalidImageError
        If the image has another number of channels.

    Examples
    --------
    >>> from varconvex.extractors import Features, TorchExtractor
    >>> network = torchvision.models.resnet18(weights="DEFAULT")  # doctest: +SKIP
    >>> features = Features(TorchExtractor(network, layers=("layer2", "layer3")))  # doctest: +SKIP
    """

    module: Any
    layers: Any = None
    mean: Any = IMAGENET[0]
    std: Any = IMAGENET[1]
    stride: int = 32
    channels: int = 3
    size: ClassVar[None] = None
    components: ClassVar[int] = 8
    _scaling: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        torch = optional("torch", "torch", "a torch module as features")
        if not isinstance(self.module, torch.nn.Module):
            raise InvalidParameterError(
                f"module must be a torch.nn.Module; got {self.module!r:.80}. A checkpoint holds weights only: build "
                "the network, and read them by torch.load(path, weights_only=True)."
            )
        check_weights(self.module)
        known = dict(self.module.named_modules())
        names = layer_names(self.layers)
        for name in names or ():
            if name not in known:
                raise InvalidParameterError(
                    f"layers must be submodules of the network; got {name!r}. Among them are "
                    f"{', '.join(list(known)[1:9])}."
                )
        for name, value in {
            "layers": names,
            "stride": checks.whole_number("stride", self.stride, least=1, most=4096),
            "channels": checks.whole_number("channels", self.channels, least=1, most=4096),
            "_scaling": scaling_of(self.mean, self.std),
        }.items():
            object.__setattr__(self, name, value)

    def maps(self, image: np.ndarray) -> list[np.ndarray]:
        """Outputs of the layers."""
        import torch

        first = next(self.module.parameters(), torch.zeros(0))
        kind = first.dtype if first.dtype.is_floating_point else torch.float32
        given = torch.from_numpy(network_input(image, self._scaling, self.channels)).to(first.device, kind)
        found: list[Any] = []
        made = self._run(given, found)
        outputs = _tensors(found if self.layers else made)
        return [cells(array_of(value), image.shape, self.stride) for value in outputs]

    def _run(self, given: Any, found: list[Any]) -> Any:
        """The module's output in evaluation mode; the outputs of the layers are appended to `found`."""
        modules, hooks = dict(self.module.named_modules()), []
        with evaluating(self.module):
            try:
                for name in self.layers or ():
                    hooks.append(modules[name].register_forward_hook(lambda _m, _given, made: found.append(made)))
                return self.module(given)
            except Exception as error:  # whatever another's network raises
                raise InvalidParameterError(
                    f"the network for features must take an image of shape {tuple(given.shape)}; got {error!r:.200}. "
                    "Check channels and stride."
                ) from error
            finally:
                for hook in hooks:
                    hook.remove()

    def digest(self) -> Any:
        """Its modules with their attributes and code, its layers, and SHA-256 of its weights.

        A function among the attributes is there itself: then the digest does not last.
        """
        import torch

        weights = hashlib.sha256()
        # Buffers once more: a state has not those that are not saved.
        for name, value in (*self.module.state_dict().items(), *self.module.named_buffers()):
            if hasattr(value, "detach"):
                array = value.detach().cpu().contiguous()
                weights.update(f"{name}{array.dtype}{tuple(array.shape)}".encode())
                weights.update(array.flatten().view(dtype=torch.uint8).numpy().data)
        parts = tuple(_told(part) for part in self.module.modules() if not type(part).__module__.startswith("torch."))
        return "torch", repr(self.module), parts, self.layers, self._scaling, self.stride, weights.hexdigest()


def check_weights(module: Any) -> None:
    """An InvalidParameterError if a module has places for weights that are not filled."""
    import torch

    for name, value in (*module.named_parameters(), *module.named_buffers()):
        if value.is_meta or torch.nn.parameter.is_lazy(value):
            raise InvalidParameterError(
                f"module must have its weights; got {name!r} without. Load them, or call the module once."
            )


def array_of(tensor: Any) -> np.ndarray:
    """A tensor that a network returns as float32; an InvalidParameterError if it has no real numbers, one a place."""
    try:
        if not tensor.is_complex():
            found: np.ndarray = tensor.detach().float().cpu().numpy()
            return found
    except (RuntimeError, TypeError):  # sparse or quantised
        pass
    raise InvalidParameterError(
        f"a network must return dense tensors of real numbers; got {tensor.dtype}, {tensor.layout}. Wrap it in a "
        "module that returns them."
    )


def _told(part: Any) -> tuple[Any, ...]:
    """A hash of the code of a module's methods, and its attributes: they decide with the weights what it computes."""
    import torch

    usual = vars(torch.nn.Module())
    code = [
        marshal.dumps(method.__code__, 2)
        for kind in type(part).__mro__ if not kind.__module__.startswith("torch.")
        for method in vars(kind).values() if isinstance(method, FunctionType)
    ]  # fmt: skip
    own = sorted((name, value) for name, value in vars(part).items() if name not in usual)
    return hashlib.sha256(b"".join(code)).hexdigest(), *((name, _plain(value)) for name, value in own)


def _plain(value: Any) -> Any:
    """A value as nested tuples of texts, to compare; a function is itself, any other object the name of its class."""
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, np.ndarray) or hasattr(value, "detach"):
        return content(value.detach().cpu().float().numpy() if hasattr(value, "detach") else value)
    if value is None or isinstance(value, str | int | float | np.generic):
        return repr(value)
    return value if isinstance(value, FunctionType) else type(value).__qualname__


def _tensors(made: Any) -> list[Any]:
    """All tensors of what a module returns, in its order; an InvalidParameterError if there is none."""
    if hasattr(made, "detach"):
        return [made]
    if isinstance(made, dict):
        made = list(made.values())
    found = [tensor for part in made for tensor in _tensors(part)] if isinstance(made, list | tuple) else []
    if not found:
        raise InvalidParameterError(
            f"a network for features must return tensors; got {type(made).__name__}. Name one of its layers."
        )
    return found
