"""Where the pixels of an array are."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Where the pixels of an array are.

    Attributes
    ----------
    spacing : tuple of float or None
        Size of a pixel along each spatial axis.
    unit : str or None
        Of the spacing: "um", "mm", ...
    affine : (4, 4) float array or None
        From indices to positions in millimetres, as in NIfTI; it goes before the spacing.
    channels : bool
        Whether the first axis is none of the space.
    """

    spacing: tuple[float, ...] | None = None
    unit: str | None = None
    affine: np.ndarray | None = None
    channels: bool = False

    def axes(self, array: np.ndarray) -> str:
        """The letters of an array's axes, such as "CZYX"."""
        return "C" * self.channels + "ZYX"[-(array.ndim - self.channels) :]
