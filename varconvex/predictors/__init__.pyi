from .base import Prediction as Prediction, Predictor as Predictor
from .cnn import CnnPredictor as CnnPredictor
from .energy import EnergyPredictor as EnergyPredictor
from .fcn import FcnPredictor as FcnPredictor
from .given import GivenPredictor as GivenPredictor
