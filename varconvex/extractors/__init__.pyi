from .base import Extractor as Extractor
from .features import Features as Features
from .function import FunctionExtractor as FunctionExtractor
from .onnx import OnnxExtractor as OnnxExtractor
from .timm import TimmExtractor as TimmExtractor
from .torch import TorchExtractor as TorchExtractor
