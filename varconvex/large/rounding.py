"""From u on disk to labels on disk: the best threshold, and the parts of the object that hold one of its strokes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..energies.two_phase import THRESHOLDS
from .fields import bands
from .passes import Level
from .strokes import Strokes


def best_threshold(level: Level, band: int) -> tuple[float, float]:
    """The best of a few thresholds of u, and the energy of its mask."""
    sums = np.zeros(len(THRESHOLDS))
    height = level.grid.shape[0]
    for first, last in bands(height, band):
        end = min(last + 1, height)  # the last row's variation needs the one below
        problem, u = level.problem(first, end), level.read(first, end, 0)
        for k, threshold in enumerate(THRESHOLDS):
            mask = level.backend.project((u > np.float32(threshold)).astype(np.float32), problem)
            sums[k] += level.backend.primal_slices(problem, level.backend.asarray(mask))[: last - first].sum()
    best = int(sums.argmin())
    return THRESHOLDS[best], float(sums[best])


def mask_rows(level: Level, threshold: float, first: int, last: int) -> np.ndarray:
    """The object among these rows: bool."""
    lower, upper = level.grid.bounds.rows(first, last)
    return np.clip(level.read(first, last, 0) > np.float32(threshold), lower, upper)[0] > 0.5


def _labelled(mask: np.ndarray) -> tuple[np.ndarray, int]:
    from scipy.ndimage import label

    return label(mask)


class Parts:
    """Connected components of a mask that is read by bands of rows, and which of them hold a stroke of the object."""

    def __init__(self, level: Level, threshold: float, strokes: Strokes, band: int) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        self._firsts: dict[int, int] = {}
        seeded, touching, above, total = [], [], None, 0
        for first, last in bands(level.grid.shape[0], band):
            parts, count = _labelled(mask_rows(level, threshold, first, last))
            self._firsts[first] = total
            if above is not None:
                both = (above > 0) & (parts[0] > 0)
                touching.append(np.stack([above[both], parts[0][both] + total]))
            seeded.append(np.unique(parts[strokes.rows(1, first, last)]) + total)
            above = np.where(parts[-1] > 0, parts[-1] + total, 0)
            total += count
        pairs = np.concatenate([np.zeros((2, 0), np.int64), *touching], axis=1)
        graph = coo_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(total + 1, total + 1))
        _, component = connected_components(graph, directed=False)
        self._kept = np.isin(component, component[np.concatenate(seeded)])
        self._kept[0] = False

    def kept(self, first: int, mask: np.ndarray) -> np.ndarray:
        """The mask's rows from `first` on, a band as it was read, without parts that hold no stroke of the object."""
        parts, _ = _labelled(mask)
        return (parts > 0) & self._kept[np.where(parts > 0, parts + self._firsts[first], 0)]


def write_labels(
    level: Level, threshold: float, strokes: Strokes, scribbled: bool, band: int, plain: Any, final: Any
) -> float:
    """Labels of the threshold into `plain`, of what is kept of them into `final`, arrays of Zarr; its energy."""
    parts = Parts(level, threshold, strokes, band) if scribbled else None
    ids = np.array(strokes.labels)

    def kept(first: int, last: int) -> np.ndarray:
        mask = mask_rows(level, threshold, first, last)
        plain[first:last] = ids[mask.astype(np.intp)]
        return mask if parts is None else parts.kept(first, mask)

    return write_masks(level, strokes, band, kept, final)


def write_masks(
    level: Level, strokes: Strokes, band: int, rows_of: Callable[[int, int], np.ndarray], final: Any
) -> float:
    """Labels of a mask, which `rows_of` gives by rows in turn, into an array of Zarr; its energy."""
    height, ids = level.grid.shape[0], np.array(strokes.labels)
    energy, above = 0.0, None
    for first, last in bands(height, band):
        mask = rows_of(first, last)
        final[first:last] = ids[mask.astype(np.intp)]
        u = mask.astype(np.float32)[None]
        u = u if above is None else np.concatenate([above, u], axis=1)
        begin = first - (above is not None)
        values = level.backend.primal_slices(level.problem(begin, last), level.backend.asarray(u))
        energy += float(values[: None if last == height else -1].sum())
        above = u[:, -1:]
    return energy
