"""Interface of likelihoods, and what all of them share: cost of each label at each pixel, -log p(I(x), x | label).

    cost_k(x) = -log p(x | k) + constant(x),      cost_k(x) <- min(cost_k(x) - min_l cost_l(x), clip)

Only differences between labels matter, so a constant per pixel may be dropped. Costs are finite everywhere: scribbles
are bounds on u in the energy, not costs. A new likelihood is one new file in this folder, ``laplace.py`` with a class
``LaplaceLikelihood``, and is found by its name.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import InvalidScribblesError
from ..inputs import Scene

CLIP = 3.0
"""Default bound on the difference between labels at one pixel, in nats: a factor of 20 between densities.

The tails of densities estimated from a few strokes are unreliable: beyond the bound, one odd pixel (a highlight, a
colour that no stroke has touched) would outweigh its whole neighbourhood.
"""


@runtime_checkable
class Likelihood(Protocol):
    """A model of the labels' appearance, estimated from the scribbles of one scene."""

    def costs(self, scene: Scene) -> np.ndarray:
        """Costs of the scene's K labels at every pixel.

        Parameters
        ----------
        scene : Scene

        Returns
        -------
        (K, *spatial) float32
            In nats, finite; those of the toolkit are above the pixel's cheapest label, in [0, clip], and 0 for all
            labels at invalid pixels and outside.

        Raises
        ------
        InvalidScribblesError
            If a label has no scribble on a valid pixel.
        """


def change(part: Any, **checked: Any) -> None:
    """Give fields of a frozen part the form that their checks have returned."""
    for name, value in checked.items():
        object.__setattr__(part, name, value)


def training_pixels(scene: Scene) -> list[np.ndarray]:
    """Flat indices of the scribbled pixels with valid intensities, ascending; one (n_k,) int array for each label.

    An InvalidScribblesError if a label has none.
    """
    found = []
    for k, label in enumerate(scene.labels):
        mine = scene.seeds == k + 1
        indices = np.flatnonzero(mine & scene.valid)
        if not indices.size:
            raise InvalidScribblesError(
                f"every label must have a scribbled pixel with finite intensities; got {int(mine.sum())} "
                f"scribbled pixels of label {label} and none of them valid. Scribble it elsewhere, too."
            )
        found.append(indices)
    return found


def bounded(costs: np.ndarray, scene: Scene, clip: float | None) -> np.ndarray:
    """Costs above the pixel's cheapest label, at most `clip`; 0 for all labels at pixels that are not valid.

    `costs` ((K, *spatial) float) are -log p, in nats, and overwritten; None is no bound.
    """
    costs -= costs.min(axis=0)
    if clip is not None:
        np.minimum(costs, clip, out=costs)
    costs[:, ~scene.valid] = 0
    return costs.astype(np.float32, copy=False)
