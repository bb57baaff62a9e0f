"""`refine`: the mask, logits or probabilities of another model as clean outlines in the image's own resolution.

The map is believed away from its outline, and near it as far as it is sure; there the image's colours and edges decide
(`predictors.narrow_band`). A shape is then fitted to the costs, and to the minimiser: the one of less energy is taken.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from types import EllipsisType
from typing import Any

import numpy as np

from . import checks, objects
from .assembly import assemble
from .backends import ArrayBackend, get_backend
from .convexification import numbered, of_foreground
from .errors import InvalidImageError, InvalidParameterError, InvalidScribblesError
from .inputs import Scene, blank_scene, probability_map, seeds_of_one_object
from .keywords import known_keywords
from .likelihoods.base import CLIP
from .logs import LOGGER, compilation_logged
from .options import Kind
from .predictors.base import Prediction
from .predictors.narrow_band import REACH, Band
from .proposals import Unified
from .result import Segmentation
from .settings import part
from .shapes.base import FittedShape, Shape
from .shapes.convex import ConvexShape
from .solvers.pdhg import Progress

Array = np.ndarray


@known_keywords
def refine(
    target: Any,
    image: Any,
    scribbles: Any = None,
    shape: str | Shape | None = None,
    *,
    kind: Kind = "probability",
    reach: float = REACH,
    alpha: float | None = None,
    channel_axis: int | EllipsisType | None = ...,
    rgba: bool | None = None,
    spacing: Any = None,
    backend: str | ArrayBackend | None = None,
    max_iter: int = 10_000,
    tol: float = 1e-3,
    callback: Callable[[Progress], object] | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Segmentation:
    """Refine a mask, a map of logits or probabilities, or a label image of another model by its image.

    The map may be coarser than the image, as those of most networks are. Where it is sure it is kept; in a band around
    its outline, wider where it is less sure, the image's colours (of both sides, near each pixel) and edges decide
    together with it, in a total-variation energy that is solved to a certified gap.

    Parameters
    ----------
    target : (h, w) or (d, h, w) array
        Of the object, in the image's field of view, not finer than the image: a mask (bool, or integers 0 and one other
        value), floats as `kind` says, or integers with several ids, a label image with 0 for the background. All
        objects of a label image are told from the background together; each pixel goes to the object that is nearest in
        the label image.
    image : (*spatial) or (*spatial, C) array
        As for `segment`. A last axis of up to four is taken as channels where `channel_axis` does not say.
    scribbles : optional
        Strokes that are held, as for `segment`: label 1 is background, 2 the object; one of them is enough.
    shape : {"convex", ...}, Shape or None
        Shape of the object. For label images "convex" or None; no objects overlap, and each is certified.
    kind : {"probability", "logits"}
        Unit of floats; logits are positive on the object.
    reach : float, more than 0
        Pixels of the map by which its outline may be off, wherever it seems sure; where its values rise slowly across
        the outline, more. Bigger lets the image decide farther away; towards 0 the map is only smoothed.
    alpha : float, optional
        Weight of the total variation, in nats per pixel of boundary. Bigger is smoother; 0 leaves costs alone. By
        default the side of a pixel of the map, in pixels of the image.
    channel_axis, rgba, spacing, backend, max_iter, tol, callback, random_state
        As for `segment`; the callback sees every solve.

    Returns
    -------
    Segmentation
        With labels 1 and 2, energies in nats and their bounds, as of `segment`; its costs are those of map and image
        together. Of a label image with its own ids, as of `convexify`; without a shape, with those energies.

    Raises
    ------
    InvalidImageError
        If the map is finer than the image or has other proportions, is not finite, has no object, or values that are
        not of its `kind`; or the image cannot be used.
    InvalidScribblesError, ScribbleConflictError
        If scribbles have other labels than 1 and 2, come with a label image, or no set of the shape can hold them.
    InvalidParameterError, UnsupportedTypeError, UnknownKeywordError, BackendUnavailableError
        If something else passed is not what it has to be.

    Warns
    -----
    ConvergenceWarning

    References
    ----------
    Lankton, Tannenbaum, IEEE TIP 17, 2008, doi:10.1109/TIP.2008.2004611

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import refine
    >>> disc = np.hypot(*np.mgrid[-64:64, -64:64]) < 40
    >>> coarse = disc.reshape(16, 8, 16, 8).mean(axis=(1, 3))  # what a network might give
    >>> result = refine(coarse, np.where(disc, 0.7, 0.3))
    >>> int((result.mask != disc).sum())
    0
    """
    begin = time.perf_counter()
    checks.one_of("kind", kind, Kind)
    reach = checks.real_number("reach", reach, strict=True)
    solver = get_backend(backend, image)
    rule = None if shape is None else part("shapes", shape).with_backend(solver)
    scene = blank_scene(image, channel_axis=channel_axis, spacing=spacing, rgba=rgba)
    values = _map(target, scene)
    names = _ids(values)
    if names is not None and not (rule is None or isinstance(rule, ConvexShape)):
        raise InvalidParameterError(
            f"the shape of a label image's objects must be 'convex' or None; got {shape!r}. Refine its objects one by "
            "one, e.g. labels == 2."
        )
    seeds = np.zeros(scene.seeds.shape, np.int32) if scribbles is None else _seeds(scribbles, scene, names)
    scene = scene.with_seeds(np.where(scene.seeds < 0, -1, seeds).astype(np.int32), (1, 2))
    if rule is not None and names is None:
        objects.check({1: rule}, scene)
    band = _band(values if names is None else values != 0, kind, scene, reach)
    if not (band.log_odds > 0).any() and not (seeds == 2).any():
        raise InvalidImageError(
            "the map must have an object; got none: no value is above one half (no logit above 0). Did the model find "
            "nothing, or is kind= another one?"
        )
    energy = replace(
        band.energy(scene, solver),
        max_iter=checks.whole_number("max_iter", max_iter),
        tol=checks.real_number("tol", tol),
        callback=callback,
    )
    if alpha is not None:
        energy = replace(energy, alpha=checks.real_number("alpha", alpha))
    LOGGER.info("refining %s pixels", "x".join(map(str, seeds.shape)))
    seconds = {"prepare": time.perf_counter() - begin}
    with compilation_logged():
        found = band.solve(scene, energy)
        if names is not None:
            return _labelled(values, names, rule is not None, scene, found, solver, seconds)
        unified = Unified(found, found.index, {}, (), found.seconds, found.stopped)
        if rule is not None:
            start = time.perf_counter()
            index, fitted = _shaped(rule, scene, found, solver, checks.generator(random_state))
            unified = replace(unified, index=index, fitted=fitted)
            seconds["shape"] = time.perf_counter() - start
    return assemble(scene, unified, solver, seconds)


def _map(target: Any, scene: Scene) -> Array:
    """The map on the host, where it fits the image; or an InvalidImageError."""
    values = checks.host_array("target", target)
    shape = scene.seeds.shape
    if values.ndim != len(shape) or 0 in values.shape:
        raise InvalidImageError(
            f"the map must have the image's {len(shape)} spatial axes; got shape {values.shape} for an image of "
            f"{shape}. Pass one mask of several, e.g. masks[0]."
        )
    checks.finite("target", values, "Replace them by 0.5 (logits: by 0) where nothing is known.")
    factors = np.array(shape) / values.shape
    if (factors < 1).any():
        raise InvalidImageError(
            f"the map must not be finer than the image; got {values.shape} for an image of {shape}. Pass the image in "
            "full resolution, or is one of them transposed?"
        )
    # A side may be off by a pixel of the map, by rounding.
    if factors.max() / factors.min() > 1 + 1.5 / min(values.shape):
        raise InvalidImageError(
            f"the map must have the image's proportions; got {values.shape} for an image of {shape}. Cut off the "
            "padding that the model's input had, or is one of them transposed?"
        )
    return values


def _ids(values: Array) -> Array | None:
    """The ids of the objects of a label image, ascending; None for a mask or a map of floats."""
    if values.dtype.kind not in "iu":
        return None
    found = np.unique(values)
    if found[0] < 0:
        raise InvalidImageError(
            f"integers must be a mask or a label image from 0 on; got values from {found[0]} to {found[-1]}. Pass "
            "logits as floats."
        )
    found = found[found > 0]
    return found if len(found) > 1 else None


def _seeds(scribbles: Any, scene: Scene, names: Array | None) -> Array:
    """The scribbles as (*spatial) int32, 0, 1 and 2; or an InvalidScribblesError."""
    if names is not None:
        raise InvalidScribblesError(
            f"scribbles need a map of one object; got them with a label image of {len(names)}. Refine its objects one "
            "by one, e.g. labels == 2."
        )
    return seeds_of_one_object(scribbles, scene)


def _band(values: Array, kind: Kind, scene: Scene, reach: float) -> Band:
    """The map's log-odds on the image's grid, and the width of the band around its outline."""
    if values.dtype.kind == "f" and kind == "logits":
        if values.min() >= 0 and 0 < values.max() <= 1:
            raise InvalidImageError(
                f"logits are negative on the background; got values from {values.min():g} to {values.max():g}, as of "
                "probabilities. Pass kind='probability'."
            )
        odds = np.clip(values, -80, 80).astype(np.float32)
    elif values.dtype.kind == "f":
        if values.min() < 0 or values.max() > 1:
            raise InvalidImageError(
                f"probabilities must be in [0, 1]; got values from {values.min():g} to {values.max():g}. Pass "
                "kind='logits' if that is what they are, or divide by the largest value."
            )
        p = np.clip(values.astype(np.float64), 1e-6, 1 - 1e-6)
        odds = np.log(p / (1 - p)).astype(np.float32)
    else:
        odds = (CLIP * (2 * probability_map(values) - 1)).astype(np.float32)
    return Band.of(odds, scene, reach)


def _shaped(
    rule: Shape, scene: Scene, found: Prediction, backend: ArrayBackend, rng: np.random.Generator
) -> tuple[Array, dict[int, FittedShape]]:
    """The better one, by the energy, of the sets that fit the costs and the minimiser."""
    excess = found.costs[1] - found.costs[0]
    size = max(float(np.abs(excess).max()), 1e-6)
    maps = [np.where(scene.valid, 0.5 - excess / (2 * size), 0), found.probability]
    if not scene.valid.all() or scene.seeds.ndim == 3:
        maps = maps[:1]
    sets = [objects.fit({1: rule}, scene, np.stack([1 - u, u]), random_state=rng) for u in maps]
    assert found.energy is not None
    energies = [found.energy.value(backend, index) for index, _ in sets]
    return sets[int(np.argmin(energies))]


def _labelled(
    values: Array, names: Array, convex: bool, scene: Scene, found: Prediction, backend: ArrayBackend,
    seconds: dict[str, float],
) -> Segmentation:  # fmt: skip
    """The result for a label image, which may be coarser than the scene."""
    places = [
        np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1)
        for n, m in zip(scene.seeds.shape, values.shape, strict=True)
    ]
    return of_foreground(numbered(values, names)[np.ix_(*places)], names, 0, scene, found, backend, convex, seconds)
