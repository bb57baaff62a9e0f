"""From the keywords of `segment` to what is done on disk: which images are meant, and which keywords they have."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .. import checks
from ..energies.total_variation import check_supported
from ..errors import InvalidParameterError
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from ..options import TV
from ..predictors.energy import ALPHA_PER_SIDE, DETOUR
from ..settings import Settings
from ..shapes.convex import ConvexShape
from ..solvers.solution import StoppingRules
from .result import LargeSegmentation
from .segmenting import Request, segment_large


def is_on_disk(image: Any, memory: Any, scratch: Any) -> bool:
    """Whether an image is to be read by rows: an array in a file or in chunks (Zarr, Dask), or if it is asked for."""
    lies_there = not isinstance(image, np.ndarray) and (hasattr(image, "chunks") or hasattr(image, "path"))
    return memory is not None or scratch is not None or (lies_there and hasattr(image, "dtype"))


def on_disk(
    image: Any, scribbles: Any, settings: Settings, *, channel_axis: int | None, rgba: bool | None, mask: Any,
    spacing: Any, nan_policy: str, strict: bool, memory: Any, scratch: Any, in_memory: Callable[..., Any],
) -> LargeSegmentation:  # fmt: skip
    """`segment` of an image that is read by rows; errors are those of `segment`, which `in_memory` is itself."""
    _check("mask", mask, None)
    _check("nan_policy", nan_policy, "raise")
    for name, plain in (
        ("predictor", "energy"), ("certainty", False), ("time_limit", None), ("features", None),
        ("shape", None), ("unify", None),
    ):  # fmt: skip
        if name not in ("shape", "unify") or not _convex(settings):
            _check(name, getattr(settings, name), plain)
    if settings.backend.name not in ("numba", "numpy"):
        _check("backend", settings.backend.name, "numba")
    _check_tv(settings.tv)
    likelihood = settings.likelihood
    if not isinstance(likelihood, NieuwenhuisCremersLikelihood) or any(likelihood.outliers) or likelihood.clip is None:
        raise InvalidParameterError(
            "likelihood must be 'nieuwenhuis_cremers', without outliers and with a clip, for an image on disk; got "
            f"{likelihood!r:.80}. Leave it out, or load the image: np.asarray(image)."
        )
    edge = settings.edge_weight
    _check(
        "edge_weight", edge if isinstance(edge, str | None) else "an array", "contrast" if edge is not None else None
    )
    return segment_large(
        image, scribbles, partial(_request, settings, spacing, in_memory), channel_axis=channel_axis, rgba=rgba,
        strict=checks.boolean("strict", strict), size=memory, folder=scratch,
    )  # fmt: skip


def _convex(settings: Settings) -> bool:
    """Whether joint unification with a convex shape is asked for."""
    return type(settings.shape) is ConvexShape and settings.unify in (None, "joint")


def _request(settings: Settings, spacing: Any, in_memory: Callable[..., Any], shape: tuple[int, int]) -> Request:
    """The keywords for an image of this shape."""
    likelihood = settings.likelihood

    def learn(image: np.ndarray, seeds: np.ndarray, side: int, steps: tuple[float, ...]) -> Any:
        return in_memory(
            image, seeds, None if settings.alpha is None else settings.alpha / side, shape=settings.shape,
            unify="joint", likelihood=likelihood, edge_weight=settings.edge_weight, tv=settings.tv, rgba=False,
            spacing=steps, backend=settings.backend, random_state=deepcopy(settings.random_state),
        )  # fmt: skip

    return Request(
        alpha=ALPHA_PER_SIDE * math.sqrt(shape[0] * shape[1]) if settings.alpha is None else settings.alpha,
        likelihood=replace(
            likelihood,
            detour=DETOUR if likelihood.detour is None else likelihood.detour,
            backend=settings.backend if likelihood.backend is None else likelihood.backend,
        ),
        edges=settings.edge_weight is not None,
        tv=settings.tv,
        scribbled=settings.components == "scribbled",
        spacing=checks.unit_spacing(spacing, 2),
        pixel_size=None if spacing is None else checks.spacing(spacing, 2),
        backend=settings.backend,
        rules=StoppingRules.checked(settings.max_iter, settings.tol, None, settings.callback),
        learn=learn if _convex(settings) else None,
    )


def _check(name: str, value: Any, plain: Any) -> None:
    """An error for a keyword of `segment` that images on disk do not have."""
    if type(value) is not type(plain) or value != plain:
        raise InvalidParameterError(
            f"{name} must be {plain!r} for an image on disk; got {value!r:.80}. Leave it out, or load the image: "
            "np.asarray(image)."
        )


def _check_tv(tv: TV) -> None:
    """An error for a variant that images do not have."""
    checks.one_of("tv", tv, TV)
    check_supported(tv, 2)
