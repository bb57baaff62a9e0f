"""What a likelihood answers: what each label costs at each pixel, -log p(I(x), x | label).

    cost[k](x) = -log p(x | k) + constant(x)

Only differences between labels matter, so a constant per pixel may be dropped. Costs are finite everywhere: seeds are
bounds on u in the energy and no business of the cost. A new likelihood is one new file in this folder, ``laplace.py``
with a class ``LaplaceLikelihood``, and is found by its name.
"""

from typing import Protocol

import numpy as np

from ..inputs import Scene


class Likelihood(Protocol):
    """A model of the labels' appearance, learnt from the scribbles of one scene."""

    def costs(self, scene: Scene) -> np.ndarray:
        """Costs of the scene's K labels at every pixel: (K, *spatial) float32, finite, in nats."""
