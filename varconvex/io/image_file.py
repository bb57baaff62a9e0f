"""What an image file holds: its numbers in one order of axes, and what the file says about them."""

import os
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image from a file: `array` and `spacing` are what `varconvex.segment` takes.

    Attributes
    ----------
    array : (*spatial,) or (*spatial, C) array
        The file's numbers in its integer or float type, in the machine's byte order. Two or three spatial axes come
        first, in the file's order: rows and columns of a picture, (z, y, x) of a stack, (i, j, k) of a NIfTI volume.
    channel_axis : int or None
        -1 where the last axis has channels, None where there are none.
    spacing : tuple of float or None
        Distance between neighbouring pixels along each spatial axis; None where the file does not tell.
    unit : str or None
        Unit of the spacing, ``"µm"`` or ``"mm"`` for instance; None where the file does not tell.
    affine : (4, 4) float array or None
        Maps indices along three spatial axes (the third is 0 of a picture) to millimetres in the patient, from left to
        right, back to front and feet to head, as nibabel defines it. Of NIfTI and DICOM only.
    path : str
        Where it was read from.
    alpha : (*spatial,) array or None
        Opacity, 0 where nothing is to be seen; None where the file has none or everything is opaque.
    palette : (n, 3) uint8 array or None
        Colours of the indices in `array`; only of indexed pictures that were opened with ``indices=True``.
    """

    array: np.ndarray
    channel_axis: int | None
    spacing: tuple[float, ...] | None
    unit: str | None
    affine: np.ndarray | None
    path: str
    alpha: np.ndarray | None = None
    palette: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of pixels along the spatial axes."""
        return self.array.shape if self.channel_axis is None else self.array.shape[:-1]

    def __repr__(self) -> str:
        channels = "" if self.channel_axis is None else f" and {self.array.shape[-1]} channels"
        steps = "" if self.spacing is None else f", spacing {self.spacing} {self.unit or ''}".rstrip()
        name = os.path.basename(self.path)
        return f"<ImageFile {name!r}: {self.shape} pixels{channels}, {self.array.dtype}{steps}>"
