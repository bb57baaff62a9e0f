"""A network in a file of ONNX as an extractor. Needs the extra ``onnx``."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .. import checks
from ..errors import FileFormatError, InvalidParameterError
from ..keywords import known_keywords
from .base import IMAGENET, cells, layer_names, network_input, optional, scaling_of

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


@known_keywords
@dataclass(frozen=True, eq=False)
class OnnxExtractor:
    """Features by a network in a file of ONNX, which runs on the CPU by onnxruntime.

    Parameters
    ----------
    path : path
        The file. It holds no code.
    layers : name, tuple of names or None
        Outputs of the network, or of its nodes; None is all outputs. Maps (1, F, h, w), or tokens (1, n, F).
    mean, std : float or (C,) float
        What each channel of the image, in [0, 1], is centred and divided by; by default those of ImageNet.
    stride : int
        The sides of images are padded to multiples of it; tokens stand for cells of so many pixels.

    Raises
    ------
    MissingExtraError
        If onnxruntime is not installed, or onnx and a layer is no output.
    FileFormatError
        If the file is not there or is no network.
    InvalidParameterError
        If it has no such layer, or takes something else than one image of floats (1, channels, H, W).
    InvalidImageError
        If the image has another number of channels.

    References
    ----------
    ONNX, Open Neural Network Exchange, https://onnx.ai
    """

    path: Any
    layers: Any = None
    mean: Any = IMAGENET[0]
    std: Any = IMAGENET[1]
    stride: int = 32
    size: tuple[int, int] | None = field(init=False, default=None)
    components: ClassVar[int] = 8
    _scaling: Any = field(init=False, repr=False)
    _session: Any = field(init=False, repr=False)
    _digest: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        runtime = optional("onnxruntime", "onnx", "a file of ONNX as features")
        path, names = checks.path("path", self.path), layer_names(self.layers)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise FileFormatError(f"a file of ONNX was expected at {path}; got {error}. Check the path.") from error
        try:
            session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise FileFormatError(
                f"a file of ONNX was expected; {path} is not one ({error!s:.200}). Export the network, e.g. by "
                "torch.onnx.export."
            ) from error
        known = [output.name for output in session.get_outputs()]
        if names is not None and not set(names) <= set(known):
            session = _with_outputs(data, names, known, runtime)
        shape = _input_shape(session, path)
        for name, value in {
            "path": path,
            "layers": names or tuple(known),
            "stride": checks.whole_number("stride", self.stride, least=1, most=4096),
            "size": (shape[2], shape[3]) if all(isinstance(n, int) for n in shape[2:]) else None,
            "_scaling": scaling_of(self.mean, self.std),
            "_session": session,
            "_digest": hashlib.sha256(data).hexdigest(),
        }.items():
            object.__setattr__(self, name, value)

    def maps(self, image: np.ndarray) -> list[np.ndarray]:
        """Outputs of the layers."""
        taken = self._session.get_inputs()[0]
        channels = taken.shape[1]
        if not isinstance(channels, int):
            channels = max(image.shape[-1], *map(len, self._scaling))
        given = network_input(image, self._scaling, channels).astype(_TYPES[taken.type])
        try:
            found = self._session.run(list(self.layers), {taken.name: given})
        except Exception as error:
            raise InvalidParameterError(
                f"the network {self.path} must take an image of shape {given.shape}; got {error!s:.200}. Check stride."
            ) from error
        named = zip(self.layers, found, strict=True)
        return [cells(value, image.shape, self.stride, f"output {name!r}") for name, value in named]

    def __reduce__(self) -> Any:  # a session has no pickle: the file is read again
        return _again, (self._digest, self.path, self.layers, self.mean, self.std, self.stride)

    def digest(self) -> Any:
        """Its layers, and SHA-256 of the file."""
        return "onnx", self._digest, self.layers, self._scaling, self.stride


def _again(digest: str, *fields: Any) -> OnnxExtractor:
    """The extractor with these fields; the file's `digest` makes a pickle differ where the file does."""
    return OnnxExtractor(*fields)


def _input_shape(session: Any, path: str) -> list[Any]:
    """Shape of the image that a network takes, (1, channels, H, W); numbers where they are fixed."""
    taken = session.get_inputs()
    shape = taken[0].shape if len(taken) == 1 and taken[0].type in _TYPES else []
    if len(shape) != 4 or (shape[0] not in (1, None) and isinstance(shape[0], int)):
        got = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in taken)
        raise InvalidParameterError(
            f"a network for features must take one image of floats (1, channels, H, W); {path} takes {got}. Export "
            "it so, or pass a function as features that calls it."
        )
    return shape


def _with_outputs(data: bytes, names: tuple[str, ...], known: list[str], runtime: Any) -> Any:
    """A session whose outputs are what nodes of these names, or of these outputs, give."""
    onnx = optional("onnx", "onnx", f"a layer that is no output ({', '.join(set(names) - set(known))})")
    model = onnx.load_from_string(data)
    inside = {made for node in model.graph.node for made in node.output}
    for name in names:
        if name not in inside:
            listed = ", ".join([*known, *sorted(inside - set(known))][:9])
            raise InvalidParameterError(
                f"layers must be outputs of nodes of the network; got {name!r}. Such are {listed}."
            )
        if name not in known:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
