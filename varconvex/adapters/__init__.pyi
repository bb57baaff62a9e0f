from .base import MapPredictor as MapPredictor
from .module import ModulePredictor as ModulePredictor
from .sam import SamPredictor as SamPredictor
