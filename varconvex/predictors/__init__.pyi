from .base import (
    LearningPredictor as LearningPredictor,
    Prediction as Prediction,
    Predictor as Predictor,
    ProximalTerm as ProximalTerm,
    SetPredictor as SetPredictor,
)
from .classifier import ClassifierPredictor as ClassifierPredictor
from .cnn import CnnPredictor as CnnPredictor
from .energy import EnergyPredictor as EnergyPredictor
from .fcn import FcnPredictor as FcnPredictor
from .given import GivenPredictor as GivenPredictor
