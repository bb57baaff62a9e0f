"""Convex hulls of masks in two or three dimensions, in integers; arguments are bool arrays and are not checked."""

import numpy as np

from . import hulls_2d, hulls_3d


def fill(mask: np.ndarray) -> np.ndarray:
    """The lattice points of the convex hull of `mask`, a new array; empty for an empty mask."""
    filled = np.zeros_like(mask)
    if mask.any() and mask.ndim == 2:
        top, first, last = hulls_2d.hull_rows(mask)
        filled[top : top + len(first)] = hulls_2d.pixels_between(first, last, mask.shape[1])
    elif mask.any():
        window = tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(mask))
        filled[window] = hulls_3d.lattice_points(*half_spaces(extreme_points(mask[window])), mask[window].shape)
    return filled


def hull_share(mask: np.ndarray, counted: np.ndarray | None = None) -> float:
    """Share of its convex hull that `mask` fills, in [0, 1]; of its `counted` pixels, if given; 1 if empty.

    `counted` (bool) holds the mask.
    """
    hull = fill(mask) if counted is None else fill(mask) & counted
    return float(np.count_nonzero(mask) / np.count_nonzero(hull)) if mask.any() else 1.0


def extreme_points(mask: np.ndarray) -> np.ndarray:
    """Points of a non-empty mask among which all vertices of its hull are: (n, d) int; in 2-D the vertices, in turn."""
    return (hulls_2d if mask.ndim == 2 else hulls_3d).extreme_points(mask)


def half_spaces(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half-spaces normals @ x <= offsets whose intersection is the convex hull of lattice points ((n, d) int, n >= 1).

    Normals ((k, d) int64) point outwards and are primitive, no two alike; offsets are (k,) int64. A hull without volume
    (a point, a line, a plane in 3-D) is bounded from both sides. In 2-D `points` are as `extreme_points` orders them.
    """
    return (hulls_2d if points.shape[1] == 2 else hulls_3d).half_spaces(points)


def faults(mask: np.ndarray) -> tuple[int, int]:
    """Number of lattice points of the hull that a non-empty `mask` lacks, and number of its connected components.

    Components touch at corners too: 8-connected in the plane, 26-connected in a volume.
    """
    if mask.ndim == 2:
        _, first, last = hulls_2d.hull_rows(mask)
        n_missing = int(np.maximum(last - first + 1, 0).sum()) - int(np.count_nonzero(mask))
        if not n_missing:
            # Every row is one run, or empty.
            there = first <= last
            touching = (first[1:] <= last[:-1] + 1) & (last[1:] >= first[:-1] - 1) & there[1:] & there[:-1]
            return 0, int(np.count_nonzero(there) - np.count_nonzero(touching))
    else:
        n_missing = int(np.count_nonzero(fill(mask))) - int(np.count_nonzero(mask))
    from scipy import ndimage

    return n_missing, int(ndimage.label(mask, structure=np.ones((3,) * mask.ndim))[1])


def is_convex(mask: np.ndarray) -> bool:
    """Whether `mask` is not empty, digitally convex and connected."""
    return bool(mask.any()) and faults(mask) == (0, 1)
