"""What a result gives to others: outlines, tables, files of other programs, pictures.

`Output` holds the methods of `Segmentation` for it; they see its attributes, and nothing else of it.
"""

import os
from typing import Any, cast

import numpy as np

from .errors import InvalidImageError
from .options import Content


class Output:
    """Outlines, tables, files and pictures of a segmentation."""

    labels: np.ndarray
    label_ids: tuple[int, ...]
    spacing: tuple[float, ...] | None

    def polygons(self) -> dict[int, list[list[np.ndarray]]]:
        """The objects of an image as polygons along the edges of pixels, by label.

        Each label has a list of its 4-connected parts, each part a list of rings, the outer one first, then holes; a
        ring is (n, 2) int, row and column, where pixel (i, j) covers [i, i + 1] x [j, j + 1]. The polygons fill to
        exactly the object's pixels. An InvalidImageError for a volume.
        """
        from .geometry.tracing import polygons

        return {label: polygons(self._plane() == label) for label in self.label_ids[1:]}

    def contours(self) -> dict[int, list[np.ndarray]]:
        """Closed curves around the objects of an image, by label, to be drawn over it.

        A curve is (n, 2) float, row and column, with pixel centres at integers, as
        ``skimage.measure.find_contours(labels == label, 0.5)`` gives it, and closed at the image's border. An
        InvalidImageError for a volume.
        """
        from .geometry.tracing import contours

        return {label: contours(self._plane() == label) for label in self.label_ids[1:]}

    def _plane(self) -> np.ndarray:
        """The label image, if it is one of an image."""
        if self.labels.ndim != 2:
            raise InvalidImageError(
                f"outlines are those of images; got a volume of shape {self.labels.shape}. Take a slice of its labels."
            )
        return self.labels

    def table(self, unit: str | None = None) -> list[dict[str, Any]]:
        """One row for each object, as a dict: ``pandas.DataFrame(result.table())`` is a table.

        label, n_pixels, area (or volume) in units of `spacing`, unit (the name of these units, if given), centroid_0,
        centroid_1, ... in pixels, n_components, hull_share (pixels as a share of the lattice points of their hull),
        convex (whether the mask is certified convex), and, of the whole segmentation, relative_gap and
        integrality_gap.
        """
        from .tables import object_rows

        return object_rows(cast(Any, self), unit)

    def export(
        self,
        path: str | os.PathLike,
        content: Content | None = None,
        *,
        unit: str | None = None,
        affine: np.ndarray | None = None,
    ) -> None:
        """Write a part of the result in a form that other programs open.

        Parameters
        ----------
        path : str or path
            Its ending says the format: .png, .tif, .npy, .nii, .nii.gz (extra nifti) or .zarr (extra zarr) for labels,
            and except .png for probabilities; .geojson, .json (COCO), .zip or .roi (ImageJ, extra imagej) for outlines;
            .csv for the table.
        content : {"labels", "mask", "probability", "outlines", "table"}, optional
            What is written. By default what the ending says, and labels where it leaves a choice. A mask is 255 for a
            single object in .png and .tif, and labels otherwise.
        unit : str, optional
            Unit of `spacing`, such as "µm".
        affine : (4, 4) float array, optional
            From indices to positions in millimetres, for NIfTI.

        Raises
        ------
        FileFormatError
            If this kind of file cannot hold it, or it cannot be written; nothing is left behind.
        MissingExtraError
            If the package for this kind of file is not installed.

        Examples
        --------
        >>> result.export("cells.geojson")  # doctest: +SKIP
        >>> result.export("cells.tif", unit="µm")  # doctest: +SKIP
        """
        from .io.export import export

        export(path, self, content, spacing=self.spacing, unit=unit, affine=affine)

    def plot(self, path: str | os.PathLike | None = None, *, ax: Any = None) -> Any:
        """The picture of the result; of a volume three slices through its objects, one along each axis.

        Parameters
        ----------
        path : str or path, optional
            Where it is also written, whole or not at all.
        ax : matplotlib.axes.Axes, optional
            Where the image and the objects' outlines are drawn instead, of a volume its middle slice along axis 0.

        Returns
        -------
        PIL.Image.Image, or `ax`
        """
        from . import plots

        if ax is not None:
            return plots.draw_on(ax, cast(Any, self))
        picture = plots.overview(cast(Any, self))
        if path is not None:
            from .io.writing import write_picture

            write_picture(path, picture)
        return picture

    def _repr_png_(self) -> bytes:
        """The picture that a notebook shows."""
        from .plots import png_bytes, summary

        return png_bytes(summary(cast(Any, self)))

    def _repr_html_(self) -> str:
        """The picture and the numbers, for a notebook."""
        from .tables import page

        return page(cast(Any, self))
