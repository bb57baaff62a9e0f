"""A network of PyTorch Image Models, ``"timm:NAME"``, as an extractor. Needs the extra ``timm``."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from ..keywords import known_keywords
from .base import optional
from .torch import TorchExtractor

_FINEST = 16
"""Pixels a cell: of several stages the deepest that is no coarser is taken, fine enough to say where things are."""


@known_keywords
@dataclass(frozen=True, eq=False)
class TimmExtractor:
    """Features by a network of the library timm.

    Parameters
    ----------
    name : str
        Of a network, e.g. "vit_small_patch14_dinov2" or "vit_small_patch16_dinov3".
    weights : path, True or False
        A file of weights, safetensors or of PyTorch (read with ``weights_only``, so that no code in it runs); True are
        those that timm fetches from its hub, unless they are in its cache; False is random.
    stages : tuple of int or None
        Indices of the stages, or blocks, to take; None is the deepest with cells of at most 16 pixels.
    options : dict, optional
        Further keywords of ``timm.create_model``.

    Raises
    ------
    MissingExtraError
        If timm is not installed.
    InvalidParameterError
        If timm does not know the network or cannot make it, or the file does not hold its weights.

    References
    ----------
    Wightman, PyTorch Image Models, 2019, doi:10.5281/zenodo.4414861
    Oquab et al., DINOv2, 2023, doi:10.48550/arXiv.2304.07193
    """

    name: str
    weights: Any = True
    stages: tuple[int, ...] | None = None
    options: dict[str, Any] | None = None
    size: ClassVar[None] = None
    components: ClassVar[int] = 8
    _network: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        timm = optional("timm", "timm", f"'timm:{self.name}'")
        if not isinstance(self.name, str) or not timm.is_model(self.name.partition(".")[0]):
            near = timm.list_models(f"{str(self.name)[:6]}*")[:5]
            raise InvalidParameterError(
                f"name must be a network of timm; got {self.name!r:.80}. "
                f"{'Near are ' + ', '.join(near) if near else 'See timm.list_models()'}."
            )
        local = not isinstance(self.weights, bool | int)
        path = checks.path("weights", self.weights) if local else None
        given = {"pretrained": bool(self.weights) and not local, "features_only": True, **_options(self.options)}
        stages = None if self.stages is None else _stages(self.stages)
        if stages is None:
            plain = _made(timm, self.name, given | {"pretrained": False})
            fine = [i for i, n in enumerate(plain.feature_info.reduction()) if n <= _FINEST]
            info = plain.feature_info.get_dicts()
            stages = (int(info[fine[-1]].get("index", fine[-1])) if fine else 0,)
        network = _made(timm, self.name, given | {"out_indices": stages})
        if path is not None:
            _load(network, path)
        config = timm.get_pretrained_cfg(self.name)
        channels = given.get("in_chans", 3)
        scaling = {} if config is None else {"mean": config.mean, "std": config.std}
        if channels != 3:  # those of the colours say nothing of each channel
            scaling = {name: float(np.mean(values)) for name, values in scaling.items()}
        made = TorchExtractor(network, stride=max(network.feature_info.reduction()), channels=channels, **scaling)
        object.__setattr__(self, "_network", made)

    @property
    def stride(self) -> int:
        """Pixels of a cell of the coarsest stage."""
        return self._network.stride

    def maps(self, image: np.ndarray) -> list[np.ndarray]:
        """The stages' maps."""
        return self._network.maps(image)

    def digest(self) -> Any:
        """That of the network in PyTorch."""
        return self._network.digest()


def _options(options: Any) -> dict[str, Any]:
    """Further keywords of ``timm.create_model``, checked."""
    ours = {"pretrained": "weights", "features_only": "stages", "out_indices": "stages"}
    given = checks.mapping("options", options)
    for name in ours.keys() & given.keys():
        raise InvalidParameterError(f"options must be further keywords; got {name!r}. Pass {ours[name]} instead.")
    return given


def _stages(stages: Any) -> tuple[int, ...]:
    """Indices of stages, checked."""
    found = stages if isinstance(stages, tuple | list) else ()
    if not found or not all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in found):
        raise InvalidParameterError(f"stages must be indices of stages; got {stages!r:.80}. Pass e.g. (2, 3).")
    return tuple(map(int, found))


def _made(timm: Any, name: str, given: dict[str, Any]) -> Any:
    """A network by its name; transformers take images of any size where they can."""
    try:
        try:
            return timm.create_model(name, dynamic_img_size=True, **given)
        except TypeError:  # of no transformer
            return timm.create_model(name, **given)
    except Exception as error:
        raise InvalidParameterError(
            f"timm must be able to make {name!r}; got {error!r:.200}. Without a network pass weights=PATH, a file, to "
            "TimmExtractor."
        ) from error


def _load(network: Any, path: str) -> None:
    """Weights from a file, which must hold all that the network has; more are left out."""
    import torch

    try:
        if path.endswith(".safetensors"):
            known = optional("safetensors.torch", "timm", "a file of safetensors").load_file(path)
        else:
            known = torch.load(path, map_location="cpu", weights_only=True)
        known = known.get("state_dict", known.get("model", known))
        target = getattr(network, "model", network)  # timm wraps a transformer whose blocks are asked for
        target.load_state_dict({name: known[name] for name in target.state_dict()})
    except Exception as error:
        raise InvalidParameterError(
            f"weights must be a file with those of the network; got {path} ({error!r:.200}). Pass the file that timm "
            "or torch.save(network.state_dict()) wrote."
        ) from error
