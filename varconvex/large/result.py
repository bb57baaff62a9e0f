"""The result of `segment` for an image that lies on disk: as any other, with arrays that lie on disk, too."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidParameterError
from ..result import Segmentation
from .outline import Runs


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

    def __eq__(self, other: object) -> np.ndarray:  # type: ignore[override]
        """Comparison of the label image with `other`, pixel by pixel: bool array."""
        return np.asarray(self) == np.asarray(other)

    def __ne__(self, other: object) -> np.ndarray:  # type: ignore[override]
        """Comparison of the label image with `other`, pixel by pixel: bool array."""
        return np.asarray(self) != np.asarray(other)

    __hash__ = object.__hash__

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
