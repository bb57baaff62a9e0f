"""The result of `segment` for an image that lies on disk: as any other, with arrays that lie on disk, too."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import memory
from ..errors import InvalidParameterError
from ..result import Segmentation
from .outline import Runs

_PREVIEW = 1024
"""Pixels along the longer side of a picture."""


@dataclass(frozen=True, repr=False, eq=False)
class LargeSegmentation(Segmentation):
    """A segmented image that may be larger than memory; see `Segmentation`.

    Differences: `labels`, `unconstrained` and `seeds` are arrays of Zarr, `probability` is a map of a file and `costs`
    one of shape (H, W), the object's cost minus the background's. They are read where they are indexed:
    ``result.labels[:1000, :1000]``. `mask`, comparisons and ``np.asarray(result)`` read the whole.

    Attributes
    ----------
    folder : str
        Where these arrays lie: `scratch`, or a folder that is deleted with the result.
    runs : Runs or None
        With ``shape="convex"`` the set as an interval of columns on each row; `shapes` is empty.
    """

    folder: str = ""
    runs: Runs | None = None
    keeper: Any = None

    @property
    def mask(self) -> np.ndarray:
        """The object: (H, W) bool, in memory."""
        return np.asarray(self.labels) != self.label_ids[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The label image, in memory."""
        return np.asarray(self.labels[...], dtype=dtype)

    def loaded(self, step: int = 1) -> Segmentation:
        """Every `step`-th pixel of each axis as a result in memory, without its image; energies are of the whole.

        A NotEnoughMemoryError if the memory there is cannot hold it.
        """
        pixels = self.labels.size / step**2
        memory.require(24 * pixels, f"a result of {pixels:.3g} pixels", "Pass a larger step, or index its arrays.")
        every = slice(None, None, step), slice(None, None, step)
        difference = np.array(self.costs[every])
        return Segmentation(
            labels=np.asarray(self.labels[every]), label_ids=self.label_ids,
            probability=np.array(self.probability[every]), unconstrained=np.asarray(self.unconstrained[every]),
            costs=np.stack([np.maximum(-difference, 0), np.maximum(difference, 0)]), energy=self.energy,
            unconstrained_energy=self.unconstrained_energy, primal=self.primal, dual=self.dual,
            relative_gap=self.relative_gap, history=self.history, converged=self.converged, status=self.status,
            seeds=np.asarray(self.seeds[every]), certificates=self.certificates, seconds=self.seconds,
            objective=self.objective, spacing=tuple(step * size for size in self.spacing or (1.0, 1.0)),
        )  # fmt: skip

    def _preview(self) -> Segmentation:
        """At most `_PREVIEW` pixels along each axis, with the probability as the image."""
        small = self.loaded(-(-max(self.labels.shape) // _PREVIEW))
        return replace(small, image=small.probability[..., None])

    def plot(self, path: Any = None, *, ax: Any = None) -> Any:
        """The picture of the result on every few pixels; the image in it is the probability."""
        return self._preview().plot(path, ax=ax)

    def _repr_png_(self) -> bytes:
        return self._preview()._repr_png_()

    def _repr_html_(self) -> str:
        return self._preview()._repr_html_()

    @property
    def _whole(self) -> Segmentation:
        return self.loaded()

    def _label_counts(self) -> dict[int, int]:
        found: Counter = Counter()
        labels: Any = self.labels
        for first in range(0, labels.shape[0], labels.chunks[0]):
            ids, counts = np.unique(np.asarray(labels[first : first + labels.chunks[0]]), return_counts=True)
            found.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
        return dict(sorted(found.items()))

    def save(self, path: Any) -> None:
        """Not for arrays on disk: an InvalidParameterError."""
        raise InvalidParameterError(
            f"a result in one file must fit into memory; this one lies in {self.folder}. Copy its arrays, e.g. with "
            "zarr.save(path, result.labels)."
        )
