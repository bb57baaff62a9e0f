"""Connected components of an object that hold a scribble of it; the others become background."""

from collections.abc import Collection

import numpy as np


def keep_scribbled(index: np.ndarray, seeds: np.ndarray, besides: Collection[int] = ()) -> np.ndarray:
    """A copy of a label image in which the parts of objects that hold none of their own seeds are background.

    Parameters
    ----------
    index : (*spatial) int array
        Index of each pixel's label, 0 is the background.
    seeds : (*spatial) int array
        k + 1 for a seed of label k; other values are no seeds.
    besides : collection of int
        Labels that stay as they are.

    Returns
    -------
    (*spatial) int array
    """
    from scipy.ndimage import label

    kept = index.copy()
    for k in range(1, int(index.max(initial=0)) + 1):
        if k in besides:
            continue
        # Pixels that touch only at corners are not connected, as for the length of the boundary.
        parts, count = label(index == k)
        seeded = np.zeros(count + 1, bool)
        seeded[parts[seeds == k + 1]] = True
        kept[(parts > 0) & ~seeded[parts]] = 0
    return kept
