"""Several objects, each of a shape of its own or of none, that never overlap.

    C_k = argmin over sets of shape k   <1 - 2 u_k, 1_C>     subject to   seeds of k in C,  all other seeds outside,

one object at a time. Two convex sets that do not meet are parted by a line (a plane in a volume), and what is left of a
convex set on one side of a line is convex. So where two of the C_k overlap they are cut along the line between their
scribbles at which they lose least together, over all lines in a few dozen directions and those along the scribbles'
hulls; then each object that was cut is fitted once more, all pixels of the others forbidden. What no shape takes goes
to the label with the most of u among those that have none.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Protocol, TypeVar

import numpy as np

from .errors import ScribbleConflictError
from .geometry.hulls import fill, hull_share
from .geometry.separation import separated, separating_normals
from .inputs import Scene
from .shapes.base import FittedShape, Shape


class _Found(Protocol):
    @property
    def mask(self) -> np.ndarray:
        """(*spatial) bool."""


S = TypeVar("S", bound=_Found)


def check(shapes: Mapping[int, Shape], scene: Scene) -> None:
    """Raise a ScribbleConflictError if some object cannot have its shape, or two cannot be parted.

    An InvalidImageError if a shape does not take as many axes.

    `shapes` is by index of the label, from 1 on.
    """
    for k, shape in shapes.items():
        shape.check_axes(scene.seeds.shape)
        shape.check(*scene.held(k))
    for i, j in combinations(shapes, 2):
        hulls = fill(scene.seeds == i + 1), fill(scene.seeds == j + 1)
        if not len(separating_normals(*hulls)[0]):
            pixels = np.argwhere(hulls[0] & hulls[1] if (hulls[0] & hulls[1]).any() else scene.seeds == j + 1)
            raise ScribbleConflictError(
                "the scribbles of two objects with a shape must have a line between them; those of labels "
                f"{scene.labels[i]} and {scene.labels[j]} have none, their hulls cross near "
                f"{tuple(pixels[0].tolist())}: "
                "shorten one of the strokes there, or give one of the labels None for a shape",
                pixels,
            )


def fit(
    shapes: Mapping[int, Shape], scene: Scene, u: np.ndarray, *, random_state: int | np.random.Generator | None = None
) -> tuple[np.ndarray, dict[int, FittedShape]]:
    """Fit every object that has a shape (by index of its label, from 1 on); the others keep what is left.

    `u` ((K, *spatial) float) is the probability of each label. Returned are the index of each pixel's label ((*spatial)
    int), and what was fitted by index of the label; the masks do not overlap.
    """

    def fitted_one(k: int, taken: np.ndarray) -> FittedShape:
        inside, outside = scene.held(k)
        return shapes[k].fit(
            u[k], inside=inside, outside=outside | taken, spacing=scene.spacing, random_state=random_state
        )

    fitted = keep_apart(shapes, fitted_one, scene, 1 - 2 * u)
    free = [k for k in range(len(u)) if k not in shapes]
    index = np.array(free)[np.argmax([np.where(scene.seeds == k + 1, 2, u[k]) for k in free], axis=0)]
    for k, part in fitted.items():
        index[part.mask] = k
    return index, fitted


def keep_apart(
    objects: Iterable[int], found: Callable[[int, np.ndarray], S], scene: Scene, costs: np.ndarray
) -> dict[int, S]:
    """Find every object by itself, and once more where two of them overlap, on either side of a line.

    `objects` are indices of labels; `found` takes one and a (*spatial) bool array, and finds an object that avoids
    these pixels, an answer with a `mask`. The lines run between the scribbles of `scene` where least is lost of `costs`
    ((K, *spatial) float), what a pixel costs each object.
    """
    answers = {k: found(k, np.zeros(scene.seeds.shape, bool)) for k in objects}
    masks = {k: answer.mask for k, answer in answers.items()}
    cut = set()
    for i, j in combinations(masks, 2):
        if (masks[i] & masks[j]).any():
            seeds = scene.seeds == i + 1, scene.seeds == j + 1
            masks[i], masks[j] = separated((masks[i], masks[j]), seeds, (costs[i], costs[j]))
            cut |= {i, j}
    for k in sorted(cut):
        answers[k] = found(k, np.any([masks[other] for other in masks if other != k], axis=0))
        masks[k] = answers[k].mask
    return answers


def filled_share(index: np.ndarray, k: int) -> float:
    """Share of the convex hull of label `k`'s pixels that it fills, in [0, 1]; what other objects have does not count.

    `index` ((*spatial) int) is each pixel's label, 0 the background; 1 for a label without pixels.
    """
    mine = index == k
    return hull_share(mine, mine | (index == 0))
