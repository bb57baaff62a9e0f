"""`segment` for images on disk, one stage a line: strokes, fields, solver, labels; each goes on where it was killed."""

import json
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import memory
from ..backends import ArrayBackend
from ..errors import InvalidParameterError, MissingExtraError
from ..likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from ..options import TV
from ..result import label_type
from ..solvers.solution import StoppingRules
from .fields import Data, Grid, KernelData, finest
from .files import RowFile, Scratch
from .learned import LearnedData, convex_runs
from .passes import Level
from .picture import Picture
from .result import LargeSegmentation
from .rounding import best_threshold, write_labels, write_masks
from .solving import pyramid, solve
from .strokes import Strokes, strokes_of

_BASE = 450 * 2**20
"""Bytes that the process takes before and beside: libraries, compiled kernels."""

_DATA_BYTES, _SOLVER_BYTES, _COARSE_BYTES = 190, 90, 60
"""Memory at a pixel, measured: of a band of which costs are computed, of one that is iterated, of the coarsest grid."""

_DISK_BYTES = 44
"""On disk at a pixel: cost, radius, two states, coarse grids."""

_LARGEST_BAND = 2**25
"""Pixels of a band: in larger ones fewer iterations travel together."""

_LEAST_ROWS, _CHUNK = 64, 1024


@dataclass(frozen=True)
class Plan:
    """Rows in memory at a time, where costs are computed and where the image is iterated; pixels of a coarse grid."""

    data: int
    solver: int
    coarse: int

    @classmethod
    def within(cls, size: int, shape: tuple[int, int]) -> "Plan":
        """A plan that needs at most so many bytes, or a NotEnoughMemoryError."""
        height, width = shape
        left = size - _BASE
        data, solver = left // (_DATA_BYTES * width), min(left // _SOLVER_BYTES, _LARGEST_BAND) // width
        if min(data, solver) < min(_LEAST_ROWS, height):
            least = _BASE + _DATA_BYTES * width * min(_LEAST_ROWS, height)
            raise memory.NotEnoughMemoryError(
                f"segmenting rows of {width} pixels needs at least {memory.readable(least)} of memory; got "
                f"{memory.readable(size)}. Pass more, e.g. memory='{-(-least // 2**20)}M'."
            )
        return cls(int(min(data, height)), int(min(solver, height)), int(left // _COARSE_BYTES))


@dataclass(frozen=True, eq=False)
class Request:
    """Parameters of `segment` for an image on disk, checked and with their defaults."""

    alpha: float
    likelihood: NieuwenhuisCremersLikelihood
    edges: bool
    tv: TV
    scribbled: bool
    spacing: tuple[float, ...]
    pixel_size: tuple[float, ...] | None
    backend: ArrayBackend
    rules: StoppingRules
    learn: Callable[..., Any] | None = None
    """Joint unification in memory, where the object is convex."""

    def key(self, picture: Picture, strokes: Strokes, checksum: int) -> str:
        """Equal for equal calls only."""
        pixels = [zlib.crc32(mine.tobytes()) for mine in strokes.pixels]
        told = (picture.shape, picture.channels, str(picture.dtype), checksum, strokes.labels, pixels)
        mine = [self.alpha, repr(replace(self.likelihood, backend=None)), self.edges, self.tv, self.spacing]
        rules = [self.rules.tol, self.rules.max_iter]
        return json.dumps([*told, *mine, *rules, *["convex"] * (self.learn is not None)])


def segment_large(
    image: Any, scribbles: Any, request: Any, *, channel_axis: int | None, rgba: bool | None, strict: bool, size: Any,
    folder: Any,
) -> LargeSegmentation:  # fmt: skip
    """Segment an image that is read by rows; `request` makes a `Request` of the image's shape."""
    begin = time.perf_counter()
    seconds: dict[str, float] = {}

    def done(stage: str) -> None:
        seconds[stage] = time.perf_counter() - begin - sum(seconds.values())

    _zarr()
    picture = Picture(image, channel_axis, rgba)
    wanted: Request = request(picture.shape)
    plan = Plan.within(memory.budget(size), picture.shape)
    strokes = strokes_of(scribbles, picture.shape, plan.data, strict)
    if len(strokes.labels) > 2:
        raise InvalidParameterError(
            f"an image on disk can have one object on a background; got labels {strokes.labels}. Segment one object at "
            "a time, or load the image."
        )
    scratch = Scratch(folder)
    scratch.require(_DISK_BYTES * picture.shape[0] * picture.shape[1])
    plan = Plan(**scratch.done.get("plan", vars(plan)))
    data: Data
    if wanted.learn is None:
        data = KernelData(picture, strokes, wanted.likelihood, wanted.backend, wanted.spacing, plan.data)
    else:
        data = LearnedData(picture, strokes, wanted.spacing, plan.data, wanted.learn)
    scratch.begin(wanted.key(picture, strokes, data.known.checksum))
    scratch.note(plan=vars(plan))
    done("survey")
    grid = _full_grid(data, picture.shape, strokes, wanted, scratch, plan)
    done("likelihood")
    grids = pyramid(grid, scratch, wanted.backend, plan.solver, plan.coarse)
    levels, record, status = solve(grids, scratch, wanted.backend, wanted.rules, wanted.spacing, wanted.tv, plan.solver)
    wanted.rules.warn(status, "the relative gap is {found} where {tol} was asked for", record.relative_gap, "")
    done("solve")
    found = _labelled(levels, strokes, wanted, scratch, plan, data)
    done("labels")
    return LargeSegmentation(
        **found, label_ids=strokes.labels, probability=levels[0].u(), costs=grid.cost.mapped()[0], primal=record.primal,
        dual=record.dual, relative_gap=float(record.relative_gap), history=tuple(record.history),
        converged=bool(record.relative_gap <= wanted.rules.tol), status=status, seconds=seconds,
        spacing=wanted.pixel_size, folder=str(scratch.path), keeper=scratch,
    )  # fmt: skip


def _zarr() -> Any:
    """The package that holds the labels, or a MissingExtraError."""
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            f"segmenting an image on disk needs zarr; it cannot be imported ({error}). Install it: "
            'pip install "varconvex[zarr]".'
        ) from error
    return zarr


def _full_grid(
    data: Data, shape: tuple[int, int], strokes: Strokes, wanted: Request, scratch: Scratch, plan: Plan
) -> Grid:
    """Costs and dual radii of the full grid, on disk."""
    cost, contrast = RowFile(scratch.path / "cost-0", (1, *shape)), RowFile(scratch.path / "contrast", shape)
    mean = data.fill(scratch, cost, contrast)
    grid = finest(shape, cost, contrast, strokes.bounds(), *mean, wanted.alpha, wanted.edges, scratch, plan.solver)
    contrast.path.unlink(missing_ok=True)
    return grid


def _labelled(
    levels: list[Any], strokes: Strokes, wanted: Request, scratch: Scratch, plan: Plan, data: Data
) -> dict[str, Any]:
    """Labels on disk, and their energies, by their names in the result."""
    level: Level = levels[0]
    shape = level.grid.shape
    chunk = min(_CHUNK, *shape)
    band = max(plan.solver // chunk, 1) * chunk if plan.solver >= chunk else plan.solver
    kind = label_type(strokes.labels, False)
    plain, final, seeds = (
        _zarr().create_array(
            store=scratch.path / f"{name}.zarr", shape=shape, chunks=(chunk, chunk), dtype=kind, overwrite=True,
            fill_value=0,
        )
        for name in ("unconstrained", "labels", "seeds")
    )  # fmt: skip
    threshold, unconstrained = best_threshold(level, band)
    energy = write_labels(level, threshold, strokes, wanted.scribbled, band, plain, final)
    convex: dict[str, Any] = {}
    if isinstance(data, LearnedData):
        runs, certificate = convex_runs(data, levels, strokes, band)
        energy = write_masks(level, strokes, band, runs.mask, final)
        convex = {"certificates": {strokes.labels[1]: certificate}, "objective": data.coarse.objective, "runs": runs}
    for first in range(0, shape[0], band):
        rows = strokes.index(first, min(first + band, shape[0]))
        if rows.any():
            seeds[first : first + band] = np.array([0, *strokes.labels])[rows]
    return {
        "labels": final, "unconstrained": plain, "seeds": seeds, "energy": energy,
        "unconstrained_energy": unconstrained, **convex,
    }  # fmt: skip
