"""Where the pixels of an array are."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import FileFormatError, InvalidParameterError
from .formats.base import unit_name


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

    def check_sizes(self, path: str | os.PathLike, largest: float) -> None:
        """A FileFormatError if a file cannot hold a size of a pixel, from the inverse of `largest` to `largest`."""
        sizes = self.spacing or () if self.affine is None else abs(self.affine[:3, :3]).max(axis=0).tolist()
        far = 0.0 if self.affine is None else abs(self.affine).max()
        if not all(1 / largest <= size <= largest for size in sizes) or far > largest:
            raise FileFormatError(
                f"pixels in {os.fspath(path)} may have sizes from {1 / largest:g} to {largest:g}; got "
                f"{', '.join(f'{size:g}' for size in sizes)}. Write them in another unit, or leave them out."
            )

    @staticmethod
    def checked(
        ndim: int,
        spacing: float | Sequence[float] | None,
        unit: str | None,
        affine: np.ndarray | None,
        *,
        channels: bool = False,
    ) -> "Grid":
        """The grid of an array with `ndim` spatial axes; an InvalidParameterError for what cannot be its place."""
        if unit is not None and not isinstance(unit, str):
            raise InvalidParameterError(f"unit must be a text such as 'mm'; got {unit!r}. Leave it out if unknown.")
        if affine is not None:
            matrix = checks.host_array("affine", affine).astype(np.float64)
            if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or not abs(np.linalg.det(matrix)) > 0:
                raise InvalidParameterError(
                    f"affine must be (4, 4), finite and invertible; got {matrix.tolist()}. Leave it out if unknown."
                )
            affine = matrix
        steps = None if spacing is None else checks.spacing(spacing, ndim)
        return Grid(steps, unit_name(unit), affine, channels)
