"""The parts of an object that a scribble vouches for.

keep a connected component of {label k} only if it holds a seed of k
"""

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
        # Pixels that touch only at corners are apart, as they are for the boundary's length.
        parts, count = label(index == k)
        vouched = np.zeros(count + 1, bool)
        vouched[parts[seeds == k + 1]] = True
        kept[(parts > 0) & ~vouched[parts]] = 0
    return kept
