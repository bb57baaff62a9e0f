"""Outlines of segmented objects as polygons."""

from collections.abc import Iterator

import numpy as np

_TOLERANCE = 0.3
"""Pixels by which a polygon may leave the outline between pixels; below .35 it crosses no centre of a pixel."""


def polygons(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Label and corners of each part of each object of a label image, plane by plane in a volume; holes are filled.

    Parameters
    ----------
    labels : (H, W) or (D, H, W) int array
        0 where there is no object.

    Yields
    ------
    label : int
    corners : (n, 2) or (n, 3) float array
        Between the pixels of the part and those around it; centres of pixels are integers. At least 3.
    """
    from scipy.ndimage import binary_fill_holes, find_objects, label
    from skimage.measure import approximate_polygon, find_contours

    if labels.ndim == 3:
        for z, plane in enumerate(labels):
            for k, corners in polygons(plane):
                yield k, np.insert(corners, 0, z, axis=1)
        return
    for k in np.unique(labels[labels > 0]):
        parts, count = label(labels == k)
        windows = find_objects(parts)
        for part in range(count):
            window = windows[part]
            mask = np.pad(binary_fill_holes(parts[window] == part + 1), 1)
            contour = max(find_contours(mask.astype(float), 0.5), key=len)
            corners = approximate_polygon(contour, _TOLERANCE)[:-1]
            corners = contour[:-1] if len(corners) < 3 else corners
            yield int(k), corners + np.array([window[0].start - 1, window[1].start - 1])
