"""Base class of predictors that ask a model of another package for a map of logits, of any resolution.

    N(f) = sigma(n),      n between the pixels of the model's grid by linear interpolation

As a given map, they have no theta: joint unification gives the sequential answer.
"""

import time
from typing import Any

import numpy as np

from .. import checks
from ..errors import InvalidImageError, VarconvexError
from ..inputs import Scene, blank_scene, seeds_of_one_object
from ..predictors.appearance.base import check_labels
from ..predictors.base import Prediction, Predictor, ProximalTerm
from ..predictors.energy import EnergyPredictor, predict_log_odds
from ..predictors.small_grid import resized


class MapPredictor(Predictor):
    """A model that gives logits of the object for an image and its strokes; a new one has `logits_of`.

    Attributes
    ----------
    energy : EnergyPredictor or None
        Regularises the map, whose log-odds replace its likelihood. None takes the map as it is.
    """

    energy: EnergyPredictor | None = None

    def logits_of(self, scene: Scene) -> np.ndarray:
        """Logits of the object in the image's field of view, positive on it: (h, w) float."""
        raise NotImplementedError

    def logits(self, image: Any, scribbles: Any) -> np.ndarray:
        """The model's own map, as `varconvex.refine` takes it with ``kind="logits"``.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array
            A last axis of at most four is taken as channels.
        scribbles : (H, W) int array, or mapping
            As for `segment`; the object's are enough.

        Returns
        -------
        (h, w) float32
            In the image's field of view, often coarser than the image; positive on the object.

        Raises
        ------
        InvalidImageError, InvalidScribblesError, UnsupportedTypeError
            As from `segment`, and if the model cannot take the image or answers with something else.
        """
        scene = blank_scene(image)
        return self._checked(scene.with_scribbles(seeds_of_one_object(scribbles, scene), (1, 2)))

    def predict(self, scene: Scene, proximal: ProximalTerm | None = None) -> Prediction:
        """The map in the image's resolution, with the scribbles held; a proximal term does not change it."""
        begin = time.perf_counter()
        found = predict_log_odds(resized(self._checked(scene), scene.seeds.shape), scene, self.energy)
        found.seconds.setdefault("predict", time.perf_counter() - begin)
        return found

    def _checked(self, scene: Scene) -> np.ndarray:
        """`logits_of`, which has to be a map of finite numbers."""
        check_labels(scene)
        if scene.seeds.ndim != 2:
            raise InvalidImageError(
                f"{type(self).__name__} needs an image with two spatial axes; got a volume of shape "
                f"{scene.seeds.shape}. Pass it slice by slice."
            )
        try:
            found = self.logits_of(scene)
        except VarconvexError:
            raise
        except Exception as error:  # what a model of another package raises is not known
            raise InvalidImageError(
                f"the model does not take an image of shape {scene.image.shape}, or gives no maps: "
                f"{type(error).__name__}: {error}. Pad or resize the image, or set grey or channel if it has them."
            ) from error
        values = checks.host_array("the model's map", found)
        if values.ndim != 2 or not values.size:
            raise InvalidImageError(
                f"one map (h, w) was expected of the model; got shape {values.shape}. Say which channel is the object."
            )
        checks.finite("the model's map", values, "Give the model what it was trained on.")
        return np.clip(values, -80, 80).astype(np.float32)


def rgb(scene: Scene) -> np.ndarray:
    """The image with three channels, scaled by its range: (H, W, 3) float32 in [0, 1]."""
    channels = scene.image.shape[-1]
    if channels not in (1, 3):
        raise InvalidImageError(
            f"the model takes one channel or three; got an image with {channels}. Pass the channels that it should see."
        )
    return np.broadcast_to(scene.image, (*scene.seeds.shape, 3))
