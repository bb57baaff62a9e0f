"""What every likelihood shares: the seeds of each label that may teach, and how costs are bounded.

cost_k(x) <- min(cost_k(x) - min_l cost_l(x), clip)
"""

import numpy as np

from ..errors import InvalidScribblesError
from ..inputs import Scene

CLIP = 3.0
"""Most nats by which one pixel may speak against a label: a factor of 20 between densities.

The tails of densities learnt from a few strokes are not known better: beyond, one odd pixel (a highlight, a
colour no stroke has touched) would outvote its whole neighbourhood.
"""


def teaching_seeds(scene: Scene) -> list[np.ndarray]:
    """For each label, the flat indices of its seeds whose intensities may be used, ascending.

    Raises
    ------
    InvalidScribblesError
        If a label has none.
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

    Parameters
    ----------
    costs : (K, *spatial) float array
        -log p, in nats; overwritten.
    scene : Scene
    clip : float or None
        In nats; None bounds nothing.
    """
    costs -= costs.min(axis=0)
    if clip is not None:
        np.minimum(costs, clip, out=costs)
    costs[:, ~scene.valid] = 0
    return costs.astype(np.float32, copy=False)
