"""`convexify`: every object of a label image made convex, none overlapping, each certified.

    min over disjoint convex sets C_k    number of pixels whose label changes

as `geometry.convex_objects` has it: of each object by itself, and then of each pair that overlaps, along a line.
"""

import time
from dataclasses import replace
from types import EllipsisType
from typing import Any

import numpy as np

from . import checks
from .assembly import assemble
from .backends import ArrayBackend, get_backend
from .coordinates import labelled
from .errors import InvalidImageError, ShapeWarning
from .geometry.convex_objects import Piece, certificates_of, convex_objects
from .inputs import Scene, blank_scene
from .keywords import known_keywords
from .likelihoods.base import CLIP
from .logs import LOGGER, compilation_logged
from .predictors.base import Prediction
from .predictors.narrow_band import REACH, Band
from .proposals import Unified
from .result import Segmentation, label_type

_ALIKE = 0.5
"""Intersection over union of an object and its set below which a warning says that it is hardly convex."""

_MOST_ID = 2**32 - 1


@known_keywords
def convexify(
    labels: Any,
    image: Any = None,
    *,
    background: int = 0,
    channel_axis: int | EllipsisType | None = ...,
    rgba: bool | None = None,
    spacing: Any = None,
    backend: str | ArrayBackend | None = None,
) -> Segmentation:
    """Make every object of a label image convex, so that none overlap and as few pixels as possible change.

    For label images of any program: Cellpose, StarDist, napari, ImageJ. Objects that touch compete for pixels: sets
    that overlap are cut along the line at which least is lost, the pair that overlaps most first, and refined once more
    on either side. All objects are found, whatever their size; none vanishes.

    Parameters
    ----------
    labels : (H, W) or (D, H, W) int array
        Label of each pixel; ids up to 2^32 - 1, not necessarily consecutive, are kept. -1 marks pixels outside, which
        no object takes. Also a `Segmentation`, with ``background=1``.
    image : (*spatial) or (*spatial, C) array, optional
        What the objects were found in. With it, a pixel near an outline counts by what the image's colours and edges
        say there, as in `refine`, and not as much as every other one.
    background : int, at least 0
        The label that is no object.
    channel_axis, rgba
        As for `segment`; a last axis of up to four is taken as channels where `channel_axis` does not say.
    spacing : float or tuple of float, optional
        Distance between neighbouring pixels along each axis, for `Segmentation.table`; convexity does not depend on it.
    backend : {"numba", "numpy", "cupy"} or None
        Library that computes what the image says.

    Returns
    -------
    Segmentation
        `labels` has the new label image, in the smallest integer type of its ids, and `certificates` the exact
        statement about each object's convexity, by label. `energy` is the number of pixels whose label has changed,
        of which the dual bound is 0; with an image, energies are those of all objects together, in nats. `costs` are
        those of the background and of all objects together.

    Raises
    ------
    InvalidImageError
        If `labels` is no label image: floats, a mask, negative values other than -1, ids from 2^32 on, no object; or
        `image` has another size.
    UnsupportedTypeError, InvalidParameterError, UnknownKeywordError
        If something passed is not what it has to be.

    Warns
    -----
    ShapeWarning
        If an object shares less than half of its pixels and its set's with this set.

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import convexify
    >>> labels = np.zeros((40, 60), np.int32)
    >>> labels[5:30, 5:30], labels[12:20, 20:30], labels[10:35, 35:55] = 7, 0, 900  # a dent in 7
    >>> result = convexify(labels)
    >>> all(result.certificates.values()), result.label_ids
    (True, (0, 7, 900))
    """
    begin = time.perf_counter()
    labels, _, spacing = labelled(labels, None, spacing)
    background = checks.whole_number("background", background, most=_MOST_ID)
    shown, ids = _checked(labels, background)
    size = None if spacing is None else checks.spacing(spacing, shown.ndim)
    index = numbered(shown, ids)
    blocked = shown < 0
    seconds = {"prepare": time.perf_counter() - begin}
    LOGGER.info("making %d objects convex", len(ids))
    if image is not None:
        scene = _scene(image, shown.shape, blocked, channel_axis, rgba, spacing)
        solver = get_backend(backend, image)
        with compilation_logged():
            band = Band.of(np.where(index > 0, CLIP, -CLIP).astype(np.float32), scene, REACH)
            found = band.solve(scene, band.energy(scene, solver))
            return of_foreground(index, ids, background, scene, found, solver, True, seconds)
    with compilation_logged():
        cost = np.where(index > 0, np.float32(-1), np.float32(1))
        pieces = convex_objects(index, cost, blocked if blocked.any() else None)
    seconds["shape"] = time.perf_counter() - begin - seconds["prepare"]
    _warn_of_others(index, ids, pieces)
    return _result(shown, ids, background, pieces, cost, size, seconds)


def _scene(
    image: Any, shape: tuple[int, ...], outside: np.ndarray, channel_axis: Any, rgba: bool | None, spacing: Any
) -> Scene:
    """The scene of an image of this shape, or an InvalidImageError."""
    scene = blank_scene(image, channel_axis=channel_axis, spacing=spacing, rgba=rgba)
    if scene.seeds.shape != shape:
        raise InvalidImageError(
            f"labels must have the image's spatial shape {scene.seeds.shape}; got {shape}. Is one of them transposed, "
            "or use refine, which takes coarser ones?"
        )
    if outside.any():
        scene = blank_scene(image, channel_axis=channel_axis, spacing=spacing, rgba=rgba, mask=~outside)
    return scene.with_seeds(scene.seeds, (1, 2))


def _checked(labels: Any, background: int) -> tuple[np.ndarray, np.ndarray]:
    """A label image on the host, and the ids of its objects, ascending; or an InvalidImageError."""
    image = checks.host_array("labels", labels)
    checks.spatial("labels", image)
    checks.taken_as_volume("labels", image.shape, mask=True)
    if image.dtype.kind == "b":
        raise InvalidImageError(
            "labels must be integers, an id for each object; got a mask. Number its parts first, as "
            "scipy.ndimage.label(mask)[0] does, or pass a single object to project."
        )
    if image.dtype.kind == "f":
        raise InvalidImageError(
            f"labels must be integers, an id for each object; got {image.dtype}. Convert whole numbers by "
            "labels.astype(int); probabilities are for project."
        )
    ids = _distinct(image)
    if ids[0] < -1 or ids[-1] > _MOST_ID:
        raise InvalidImageError(
            f"labels must be -1 (outside) or ids from 0 to 2^32 - 1; got values from {ids[0]} to {ids[-1]}. Renumber "
            "them, as skimage.segmentation.relabel_sequential does."
        )
    ids = ids[(ids >= 0) & (ids != background)]
    if not ids.size:
        raise InvalidImageError(
            f"labels must hold an object; got the background, {background}, everywhere. Did the model find nothing, or "
            "is background= another label?"
        )
    return image, ids


def _distinct(image: np.ndarray) -> np.ndarray:
    """The values of an integer array, ascending; by counting where they are small, which is faster than sorting."""
    low, high = int(image.min()), int(image.max())
    if low < -1 or high > max(image.size, 2**16):
        return np.unique(image)
    return np.flatnonzero(np.bincount(image.ravel().astype(np.int64) + 1)) - 1


def numbered(image: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The label image with 1 to n in place of the ids, and 0 for everything else: int32."""
    highest = int(image.max())
    if highest > max(image.size, 2**16):
        found = np.searchsorted(ids, image).astype(np.int32)
        return np.where(ids[np.minimum(found, len(ids) - 1)] == image, found + 1, 0).astype(np.int32)
    table = np.zeros(highest + 2, np.int32)  # the last entry is that of -1
    table[ids] = np.arange(1, len(ids) + 1)
    return table[image]


def _result(
    image: np.ndarray,
    ids: np.ndarray,
    background: int,
    pieces: list[Piece],
    cost: np.ndarray,
    size: tuple[float, ...] | None,
    seconds: dict[str, float],
) -> Segmentation:
    begin = time.perf_counter()
    outside = image < 0
    label_ids = (background, *ids.tolist())
    kind = label_type(label_ids, bool(outside.any()))
    before = image.astype(kind)
    after = np.where(outside, -1, background).astype(kind)
    for label, piece in zip(ids.tolist(), pieces, strict=True):
        after[piece.window][piece.mask] = label
    certificates = dict(zip(ids.tolist(), certificates_of(pieces), strict=True))
    objects = (cost < 0).astype(np.float32)
    return Segmentation(
        labels=after,
        label_ids=label_ids,
        probability=objects,
        unconstrained=before,
        costs=np.stack([objects, 1 - objects]),
        energy=float(np.count_nonzero(after != before)),
        unconstrained_energy=0.0,
        primal=0.0,
        dual=0.0,
        relative_gap=0.0,
        history=(),
        converged=True,
        status="converged",
        seeds=np.where(outside, -1, 0).astype(kind),
        certificates=certificates,
        seconds=seconds | {"certify": time.perf_counter() - begin},
        spacing=size,
    )


def of_foreground(
    owners: np.ndarray, ids: np.ndarray, background: int, scene: Scene, found: Prediction, backend: ArrayBackend,
    convex: bool, seconds: dict[str, float],
) -> Segmentation:  # fmt: skip
    """A foreground divided among the objects of a label image, as convex sets of least cost or as it is.

    `owners` ((*spatial) int32) has 1 to n for the objects `ids`, 0 elsewhere, on the scene's grid; a pixel elsewhere
    belongs to the object that is nearest.
    """
    from scipy.ndimage import distance_transform_edt

    begin = time.perf_counter()
    nearest = distance_transform_edt(owners == 0, sampling=scene.spacing, return_distances=False, return_indices=True)
    zones = owners[tuple(nearest)]
    alone = np.where(found.index == 1, zones, 0)
    index, certificates, outside = alone, {}, scene.seeds < 0
    if convex:
        cost = found.costs[1] - found.costs[0]
        cost[outside] = CLIP
        bare = np.setdiff1d(np.arange(1, len(ids) + 1), zones[cost < 0])
        cost[np.isin(owners, bare) & ~outside] = -CLIP  # none vanishes
        pieces = convex_objects(zones, cost, outside if outside.any() else None)
        index = np.zeros_like(zones)
        for k, piece in enumerate(pieces, 1):
            index[piece.window][piece.mask] = k
        certificates = dict(zip(ids.tolist(), certificates_of(pieces), strict=True))
    seconds = seconds | {"shape": time.perf_counter() - begin}
    unified = Unified(found, (index > 0).astype(np.int64), {}, (), found.seconds, found.stopped)
    whole = assemble(scene, unified, backend, seconds)
    label_ids = (background, *ids.tolist())
    table = np.array(label_ids).astype(label_type(label_ids, bool(outside.any())))
    return replace(
        whole,
        labels=np.where(outside, table.dtype.type(-1), table[index]) if outside.any() else table[index],
        unconstrained=np.where(outside, table.dtype.type(-1), table[alone]) if outside.any() else table[alone],
        label_ids=label_ids,
        certificates=certificates,
    )


def _warn_of_others(index: np.ndarray, ids: np.ndarray, pieces: list[Piece]) -> None:
    """A ShapeWarning about objects that are far from convex."""
    counts = np.bincount(index.ravel(), minlength=len(ids) + 1)
    far = []
    for k, piece in enumerate(pieces, 1):
        common = np.count_nonzero(piece.mask & (index[piece.window] == k))
        union = counts[k] + np.count_nonzero(piece.mask) - common
        if common < _ALIKE * union:
            far.append((common / union, int(ids[k - 1])))
    if far:
        share, label = min(far)
        checks.warn_caller(
            f"objects should be nearly convex; {len(far)} of {len(ids)} are not, label {label} least: of its pixels "
            f"and its convex set's {100 * share:.0f} % are common. Give each part of an object in pieces a label of "
            "its own.",
            ShapeWarning,
        )
