"""How the explicit answer (a probability per pixel) and the implicit one (a shape) are brought together.

    sequential:   u = predict(scene),   nu = argmin |u - sigma(-G_nu)|^2                 (paper, eq. 5)

Predictors and shapes are known by their protocols only.
"""

import time
from typing import Any

from .inputs import Scene
from .predictors.base import Prediction, Predictor
from .shapes.base import FittedShape, Shape


def sequential(
    predictor: Predictor, shape: Shape, scene: Scene, *, random_state: Any = None
) -> tuple[Prediction, FittedShape, dict[str, float]]:
    """Predict, then project the prediction onto the shape once.

    Returns
    -------
    prediction : Prediction
    fitted : FittedShape
    seconds : dict of str to float
        Time by stage.

    Raises
    ------
    ScribbleConflictError
        If no set of that shape can hold the scribbles; before anything is solved.
    """
    # What is no part of the problem is no part of the object either, or its shape would have holes.
    inside, outside = scene.seeds == 2, (scene.seeds == 1) | (scene.seeds < 0)
    shape.check(inside, outside)
    prediction = predictor.predict(scene)
    begin = time.perf_counter()
    fitted = shape.fit(
        prediction.probability, inside=inside, outside=outside, spacing=scene.spacing, random_state=random_state
    )
    return prediction, fitted, prediction.seconds | {"shape": time.perf_counter() - begin}
