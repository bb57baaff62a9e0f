"""Agreement of a mask with the ground truth.

IoU = |A and B| / |A or B|      Dice = 2 |A and B| / (|A| + |B|)      F = 2 P R / (P + R) of the boundaries
"""

from typing import Any

import numpy as np

from . import checks
from .errors import InvalidImageError


def iou(mask: Any, truth: Any, ignore: Any = None) -> float:
    """Intersection over union (Jaccard index).

    Parameters
    ----------
    mask, truth : (*spatial) bool arrays
        Masks; integers or floats count as inside where they are not 0.
    ignore : (*spatial) bool array, optional
        Pixels that are left out.

    Returns
    -------
    float
        In [0, 1]. Two empty masks agree: 1. One empty mask: 0.

    Raises
    ------
    InvalidImageError
        If the shapes differ, or a map holds NaN.
    """
    mask, truth, scored = _checked(mask, truth, ignore)
    union = np.count_nonzero((mask | truth) & scored)
    return np.count_nonzero(mask & truth & scored) / union if union else 1.0


def dice(mask: Any, truth: Any, ignore: Any = None) -> float:
    """Dice coefficient, 2 IoU / (1 + IoU); parameters, conventions and errors as in `iou`."""
    overlap = iou(mask, truth, ignore)
    return 2 * overlap / (1 + overlap)


def boundary_f(mask: Any, truth: Any, ignore: Any = None, *, tolerance: float | None = None) -> float:
    """F-measure of the boundaries: harmonic mean of precision and recall.

    A boundary pixel is a pixel of the mask with a 4-neighbour (in 3-D: a 6-neighbour) outside of it; the image's border
    is not a boundary. It counts as found if a boundary pixel of the other mask is at most `tolerance` away.

    Parameters
    ----------
    mask, truth : (*spatial) bool arrays
    ignore : (*spatial) bool array, optional
        Boundary pixels there are left out.
    tolerance : float, optional
        In pixels. By default .75 % of the image's diagonal, at least 1, as is customary.

    Returns
    -------
    float
        In [0, 1]. No boundary in either: 1. A boundary in one only: 0.

    Raises
    ------
    InvalidImageError, InvalidParameterError

    References
    ----------
    Martin, Fowlkes, Malik, IEEE TPAMI 26, 2004, doi:10.1109/TPAMI.2004.1273918
    Perazzi et al., CVPR 2016, doi:10.1109/CVPR.2016.85
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    mask, truth, scored = _checked(mask, truth, ignore)
    if tolerance is None:
        tolerance = max(1.0, 0.0075 * float(np.hypot.reduce(np.array(mask.shape, float))))
    tolerance = checks.real_number("tolerance", tolerance)
    # Boundaries before the selection of pixels, which would add boundaries along its own border.
    ours, theirs = (area & ~binary_erosion(area, border_value=1) & scored for area in (mask, truth))
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision, recall = (
        float((distance_transform_edt(~other)[boundary] <= tolerance).mean())
        for boundary, other in ((ours, theirs), (theirs, ours))
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _checked(mask: Any, truth: Any, ignore: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, truth and the pixels that are not left out, as bool arrays of one shape."""
    mask, truth = _as_mask("mask", mask), _as_mask("truth", truth)
    scored = np.ones(mask.shape, bool) if ignore is None else ~_as_mask("ignore", ignore)
    for name, array in (("truth", truth), ("ignore", scored)):
        if array.shape != mask.shape:
            raise InvalidImageError(
                f"{name} must have the mask's shape {mask.shape}; got {array.shape}. Resize or transpose one of them."
            )
    return mask, truth, scored


def _as_mask(name: str, array: Any) -> np.ndarray:
    array = checks.as_numeric(name, array)
    checks.finite(name, array, "Leave pixels out by `ignore`, not by NaN.")
    return np.asarray(array) != 0
