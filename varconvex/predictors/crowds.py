"""Objects that touch others of their kind, which a boundary cost does not part.

Where the image holds several parts that look like the object, and these are convex, so is the object: if its
segmentation is not, it holds neighbours. The convex set of least J, with others alike in the background (`others`),
says how far the object reaches.
"""

import numpy as np

from ..geometry.hulls import hull_share
from ..geometry.outline import least_outline
from ..inputs import Scene
from .others import USUAL, parts_alike
from .set_energy import SetEnergy
from .small_grid import resized, shrink

_CONVEX, _SURELY_CONVEX = 0.9, 0.95
"""Least share of its hull that a convex part fills: the median of parts alike is above .9 on 13 of 16 images of crowds,
and below .8 on all others where there are three. Share from which on a segmented object holds no neighbours."""

_FEWEST = 3
"""Convex parts that make a crowd: beside the segmented object, and, of about its size, beside the set."""

_SIDE, _SPECK = 160, 0.02
"""Pixels along the longer side of the grid on which a crowd is looked for before the set is; least size of its parts
there, in sizes of the segmented object, which may be many in one."""

_MARGIN = 0.15
"""Distance from the set, in its radii, up to which the object may reach."""


def beyond(scene: Scene, energy: SetEnergy) -> np.ndarray | None:
    """Pixels that are too far from the object to be its own, where it is one of a crowd: (H, W) bool, or None.

    `energy` is J of sets of an image with one object and a background, with theta from the scribbles alone.
    """
    from scipy.ndimage import distance_transform_edt

    assert energy.strokes is not None
    alike = np.where(energy.scene.valid, energy.strokes.lengths.argmin(axis=0), 0) == 1
    nothing = np.zeros(alike.shape, bool)
    set_ = least_outline(*energy.with_others(np.array([USUAL])).outline_problem(1, nothing))
    found = [hull_share(part) for part in parts_alike(set_.mask, set_.mask, alike)]
    if len(found) < _FEWEST or np.median(found) < _CONVEX:
        return None
    mask = set_.rasterize((scene.seeds.shape[0], scene.seeds.shape[1]))
    radius = np.sqrt(np.count_nonzero(mask) / np.pi)
    return (distance_transform_edt(~mask) > _MARGIN * radius + 1) & (scene.seeds == 0)


def likely(scene: Scene, mask: np.ndarray, costs: np.ndarray) -> bool:
    """Whether the object may be one of a crowd and hold neighbours, before a set is looked for.

    `mask` ((H, W) bool) is the object as it is segmented, `costs` ((2, H, W) float) are those of its likelihood.
    """
    if hull_share(mask) >= _SURELY_CONVEX:
        return False
    shape = shrink(scene, _SIDE).seeds.shape
    mine, alike = (resized(part.astype(np.float32), shape) > 0.5 for part in (mask, costs[1] < costs[0]))
    parts = parts_alike(mine, mine, alike, (_SPECK, 4.0))
    return sum(hull_share(part) >= _CONVEX for part in parts) >= _FEWEST
