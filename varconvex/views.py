"""What a `Segmentation` says and shows of itself: certainty, outlines, tables, files for other programs, pictures."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from . import checks
from .errors import InvalidImageError, InvalidParameterError, UnsupportedTypeError
from .options import Content

if TYPE_CHECKING:
    from .margins import Margins
    from .result import Segmentation


class Views:
    """Methods of `Segmentation`, whose fields they read."""

    labels: np.ndarray
    label_ids: tuple[int, ...]
    seeds: np.ndarray
    energy: float
    margins: Mapping[int, "Margins"]
    spacing: tuple[float, ...] | None

    @property
    def _whole(self) -> "Segmentation":
        """The result itself; of an image on disk what is read of it into memory."""
        return cast("Segmentation", self)

    @property
    def certainty(self) -> np.ndarray | None:
        """How certain each pixel's label is, in nats: (*spatial) float32, or None without ``certainty=True``.

        By so much each pixel of an object would have to be dearer for the energy to lose this pixel; outside of the
        objects, cheaper to win it. 0 where the energy alone says otherwise: in parts without a scribble, and where a
        shape has its way. The greatest value is the largest cost of a pixel, usually 3 nats. It says how firm the
        answer is under this likelihood, not whether the likelihood is right.
        """
        from .margins import certainty_of

        return certainty_of(self.labels, self.margins) if self.margins else None

    def area_interval(self, excess: float = 0.01, label: int | None = None) -> tuple[int, int]:
        """Bounds on the number of pixels of an object, in all segmentations with nearly this energy.

        Parameters
        ----------
        excess : float, at least 0
            How much more energy they may have, as a share of this one's size.
        label : int, optional
            The object, where there are several.

        Returns
        -------
        least, most : int
            No segmentation with an energy of at most ``energy + excess * abs(energy)`` has fewer or more pixels of the
            object, whatever its shape: a proven bound (`varconvex.margins`), not an estimate. It need not be reached.

        Raises
        ------
        InvalidParameterError
            If the result was computed without ``certainty=True``, or `label` is no object of it.

        Examples
        --------
        >>> import numpy as np
        >>> from varconvex import segment
        >>> image = (np.hypot(*np.mgrid[-30:31, -30:31]) < 15).astype(float)
        >>> strokes = {"object": [(28, 28), (32, 32)], "background": [(2, 2), (2, 58)]}
        >>> result = segment(image, strokes, certainty=True)
        >>> least, most = result.area_interval(0.01)
        >>> least <= image.sum() <= most
        True
        """
        excess = checks.real_number("excess", excess)
        if label is None and len(self.margins) == 1:
            label = next(iter(self.margins))
        if not isinstance(label, int | np.integer) or label not in self.margins:
            raise InvalidParameterError(
                f"label must be an object of a result with certainty=True, one of {sorted(self.margins)}; got "
                f"{label!r}. Pass certainty=True to segment, and a label if there are several objects."
            )
        return self.margins[label].size_interval(self.energy + excess * abs(self.energy))

    def next_stroke(self) -> tuple[int, ...] | None:
        """Where one more stroke would tell most: a pixel, or None if no label is doubtful.

        The middle of the region of doubtful pixels (a certainty below log 3) that holds most of the errors to be
        expected. An InvalidParameterError if the result was computed without ``certainty=True``.
        """
        from .margins import most_doubtful

        certainty = self.certainty
        if certainty is None:
            raise InvalidParameterError("next_stroke() needs the certainty; got none. Pass certainty=True to segment.")
        return most_doubtful(certainty, self.seeds == 0)

    def polygons(self) -> dict[int, list[list[np.ndarray]]]:
        """The objects of an image as polygons along the edges of pixels, by label.

        Each label has a list of its 4-connected parts, each part a list of rings, the outer one first, then holes; a
        ring is (n, 2) int, row and column, where pixel (i, j) covers [i, i + 1] x [j, j + 1]. The polygons fill to
        exactly the object's pixels. An InvalidImageError for a volume.
        """
        from .geometry.tracing import polygons

        plane = self._plane()
        return {label: polygons(plane == label) for label in self.label_ids[1:]}

    def contours(self) -> dict[int, list[np.ndarray]]:
        """Closed curves around the objects of an image, by label, to be drawn over it.

        A curve is (n, 2) float, row and column, with pixel centres at integers, as
        ``skimage.measure.find_contours(labels == label, 0.5)`` gives it, and closed at the image's border. An
        InvalidImageError for a volume.
        """
        from .geometry.tracing import contours

        plane = self._plane()
        return {label: contours(plane == label) for label in self.label_ids[1:]}

    def _plane(self) -> np.ndarray:
        """The label image, if it is one of an image."""
        if self.labels.ndim != 2:
            raise InvalidImageError(
                f"outlines are those of images; got a volume of shape {self.labels.shape}. Take a slice of its labels."
            )
        return self._whole.labels

    def table(self, unit: str | None = None) -> list[dict[str, Any]]:
        """One row for each object, as a dict: ``pandas.DataFrame(result.table())`` is a table.

        label, n_pixels, area (or volume) in units of `spacing`, unit (the name of these units, if given), centroid_0,
        centroid_1, ... in pixels, n_components, hull_share (pixels as a share of the lattice points of their hull),
        convex (whether the mask is certified convex), and, of the whole segmentation, relative_gap and
        integrality_gap.
        """
        from .tables import object_rows

        return object_rows(self._whole, unit)

    def describe(self) -> list[dict[str, Any]]:
        """Which shapes each object nearly has, to choose one for the next object of its kind.

        Returns
        -------
        list of dict
            For each object its `label`, its `shares` by the name of a shape: of the pixels that the object or the
            nearest set of that shape has, the share that both have, 1 for an object of this shape; and `nearly`, the
            names of those of .97 and more, the most telling first. Both are empty for an object without pixels; in
            volumes only "convex", "star" and "connected" are looked at.

        Examples
        --------
        >>> import numpy as np
        >>> from varconvex import project
        >>> bar = np.zeros((40, 60), bool)
        >>> bar[10:20, 5:50] = True
        >>> project(bar).describe()[0]["nearly"][:2]
        ['rectangle', 'convex']
        """
        from .geometry.properties import nearly, shares

        rows, labels = [], self._whole.labels
        for label in self.label_ids[1:]:
            mask = labels == label
            found = shares(mask) if mask.any() else {}
            rows.append({"label": label, "shares": found, "nearly": nearly(found)})
        return rows

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

        export(path, self._whole, content, spacing=self.spacing, unit=unit, affine=affine)

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

        if ax is not None and not hasattr(ax, "imshow"):
            raise UnsupportedTypeError(f"ax must be axes of matplotlib; got {type(ax).__name__}. Pass plt.gca().")
        if ax is not None:
            return plots.draw_on(ax, self._whole)
        picture = plots.overview(self._whole)
        if path is not None:
            from .io.writing import write_picture

            write_picture(path, picture)
        return picture

    def _repr_png_(self) -> bytes:
        """The picture that a notebook shows."""
        from .plots import png_bytes, summary

        return png_bytes(summary(self._whole))

    def _repr_html_(self) -> str:
        """The picture and the numbers, for a notebook."""
        from .tables import page

        return page(self._whole)
