"""Scribbles drawn from ground truth, for images without scribbles by hand.

object:      a cross through the deepest point, apart from the object's boundary
background:  three arcs around the hull, at a constant distance
"""

import numpy as np

from .. import checks
from ..errors import InvalidScribblesError
from ..geometry.certify import as_mask, fill_hull
from ..keywords import known_keywords

_CLEAR = 0.35
"""Least distance of the cross from the boundary, as a share of the object's largest."""

_DISTANCE = 0.06
"""Distance of the arcs from the object's hull, as a share of the image's diagonal."""

_ARC = 2 * np.pi / 3 * 0.75
"""Angle of an arc; three arcs cover three quarters of the circle."""

_PEN = 1.5
"""Half of a stroke's width in pixels, as of polylines."""


@known_keywords
def robot_scribbles(truth: np.ndarray, *, random_state: int | np.random.Generator | None = None) -> np.ndarray:
    """Scribbles for an object: 0 unlabelled, 1 background, 2 object.

    The background's strokes are outside of the object's convex hull, so that a convex set can hold the scribbles; where
    the hull is the whole image, they are outside of the object itself.

    Parameters
    ----------
    truth : (H, W) bool
        The object.
    random_state : int or numpy.random.Generator, optional
        For the angles of arcs and cross: the same seed gives the same strokes.

    Returns
    -------
    (H, W) int64

    Raises
    ------
    InvalidScribblesError
        If there is no object, or no background.

    Examples
    --------
    >>> truth = np.hypot(*np.mgrid[-40:41, -40:41]) < 20
    >>> strokes = robot_scribbles(truth)
    >>> bool(truth[strokes == 2].all()), bool(truth[strokes == 1].any())
    (True, False)
    """
    from scipy.ndimage import distance_transform_edt, label

    truth = as_mask(truth)
    rng = checks.generator(random_state)
    if not truth.any() or truth.all():
        raise InvalidScribblesError(
            f"a robot needs an object and background to scribble on; got {int(truth.sum())} object pixels of "
            f"{truth.size}. Leave this image out."
        )
    hull = fill_hull(truth)
    if hull.all():  # without background around the hull
        hull = truth
    depth = distance_transform_edt(np.pad(truth, 1))[1:-1, 1:-1]
    centre = np.array(np.unravel_index(depth.argmax(), truth.shape))
    rows, columns = (axis - c for axis, c in zip(np.indices(truth.shape), centre, strict=True))
    turn = rng.uniform(0, np.pi)
    along = np.cos(turn) * rows + np.sin(turn) * columns
    across = np.cos(turn) * columns - np.sin(turn) * rows
    cross = (np.minimum(np.abs(along), np.abs(across)) <= _PEN) & (depth > _CLEAR * depth.max())

    away = distance_transform_edt(~hull)
    distance = min(_DISTANCE * float(np.hypot(*truth.shape)), 0.6 * float(away.max()))
    ring = np.abs(away - distance) <= _PEN
    angle = (np.arctan2(rows, columns) - rng.uniform(0, 2 * np.pi)) % (2 * np.pi / 3)
    arcs = ring & ~hull & (angle < _ARC)
    if not arcs.any():
        arcs = ring & ~hull
    if not arcs.any():
        arcs = away == away.max()
    scribbles = np.zeros(truth.shape, np.int64)
    scribbles[arcs] = 1
    # Of the cross only the 8-connected component that contains its centre.
    cross[tuple(centre)] = True
    parts, _ = label(cross, structure=np.ones((3, 3)))
    scribbles[parts == parts[tuple(centre)]] = 2
    return scribbles
