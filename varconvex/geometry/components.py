"""Connected components of masks: the one of least cost, and those that hold a scribble."""

from collections.abc import Collection, Mapping, Set
from types import MappingProxyType

import numpy as np

from .. import checks
from ..errors import InvalidImageError
from ..keywords import known_keywords


@known_keywords
def keep_scribbled(
    index: np.ndarray,
    seeds: np.ndarray,
    besides: Collection[int] = (),
    wraps: Mapping[int, tuple[int, ...]] = MappingProxyType({}),
) -> np.ndarray:
    """A copy of a label image in which components of objects that hold none of their own seeds are background.

    `index` ((*spatial) int) is 0 on the background, `seeds` k + 1 on those of label k; labels in `besides` stay, and
    so do those without any seed. `wraps` are axes that wrap around, by label. An InvalidImageError if they are no label
    images of one shape.
    """
    from scipy.ndimage import label

    index, seeds = checks.host_array("index", index), checks.host_array("seeds", seeds)
    checks.spatial("index", index)
    if seeds.shape != index.shape or {index.dtype.kind, seeds.dtype.kind} - set("iu"):
        raise InvalidImageError(
            f"index and seeds must be integers of one shape; got {index.dtype} {index.shape} and {seeds.dtype} "
            f"{seeds.shape}. Pass the seeds of this image."
        )
    besides = checks.label_ids("besides", tuple(besides) if isinstance(besides, Set | Mapping) else besides)
    kept = index.copy()
    for k in np.unique(seeds[seeds > 1]).tolist():
        k -= 1
        if k in besides:
            continue
        # Pixels that touch only at corners are not connected, as for the length of the boundary.
        parts, count = label(index == k)
        seeded = np.zeros(count + 1, bool)
        seeded[parts[seeds == k + 1]] = True
        ends = [np.stack([parts.take(end, axis).ravel() for end in (0, -1)]) for axis in wraps.get(k, ())]
        if ends:
            pairs = np.concatenate(ends, axis=1)
            _join(seeded, pairs[:, pairs.all(axis=0)])
        kept[(parts > 0) & ~seeded[parts]] = 0
    return kept


def _join(seeded: np.ndarray, pairs: np.ndarray) -> None:
    """Mark every part that is joined to a marked one, by way of others as well; `pairs` are (2, n) int."""
    before = -1
    while before != (now := int(np.count_nonzero(seeded))):
        before = now
        for one, other in (pairs, pairs[::-1]):
            np.logical_or.at(seeded, one, seeded[other])


def count_parts(mask: np.ndarray) -> int:
    """Number of components of a mask; pixels that touch only at corners are not connected."""
    from scipy.ndimage import label

    return int(label(mask)[1])


def cheapest_piece(mask: np.ndarray, cost: np.ndarray, core: np.ndarray | None = None) -> np.ndarray:
    """The component of `mask` of least cost, or the one that holds `core` if that is not empty; empty for empty.

    Components touch at corners, too. Those of a digitally convex set in the plane are digitally convex.
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    if core is not None and core.any():
        return labels == labels[core].max()
    costs = np.bincount(labels.ravel(), weights=cost.ravel(), minlength=count + 1)[1:]
    return labels == 1 + int(costs.argmin()) if count else np.zeros(mask.shape, bool)
