"""From the result of unification to a `Segmentation`: labels as the user named them, their energy, certificates."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from .backends import ArrayBackend
from .geometry.certify import certificate
from .inputs import Scene
from .margins import Margins
from .proposals import Unified
from .result import Segmentation, label_type


def assemble(
    scene: Scene,
    found: Unified,
    backend: ArrayBackend,
    seconds: dict[str, float],
    margins: Mapping[int, Margins] | None = None,
) -> Segmentation:
    """The result for the user; `seconds` are those of the other stages, `margins` by the label's index."""
    begin = time.perf_counter()
    numbers: dict[str, Any]
    prediction = found.prediction
    energy, solution = prediction.energy, prediction.solution
    if energy is None or solution is None:
        unknown = ("energy", "unconstrained_energy", "primal", "dual", "relative_gap")
        numbers = dict.fromkeys(unknown, float("nan")) | {"history": (), "converged": True, "status": "no energy"}
    else:
        unchanged = found.index is prediction.index
        numbers = {
            "energy": solution.energy if unchanged else energy.value(backend, found.index),
            "unconstrained_energy": solution.energy,
            "primal": solution.primal,
            "dual": solution.dual,
            "relative_gap": float(solution.relative_gap),
            "history": solution.history,
            "converged": bool(solution.converged),
            "status": "stopped" if found.stopped else solution.status,
        }
    certificates = {}
    for k, fitted in found.fitted.items():
        own = getattr(fitted, "certificate", None)  # a shape that has none is asked for convexity
        certificates[scene.labels[k]] = certificate(fitted.mask) if own is None else own
    ids = np.array(scene.labels)
    outside = scene.seeds < 0
    kind = label_type(scene.labels, bool(outside.any()))
    return Segmentation(
        labels=np.where(outside, -1, ids[found.index]).astype(kind),
        label_ids=scene.labels,
        probability=prediction.probability,
        unconstrained=np.where(outside, -1, ids[prediction.index]).astype(kind),
        costs=prediction.costs,
        **numbers,
        certificates=certificates,
        shapes={scene.labels[k]: part for k, part in found.fitted.items()},
        objective=found.objective,
        margins={scene.labels[k]: found for k, found in (margins or {}).items()},
        seconds=seconds | found.seconds | {"certify": time.perf_counter() - begin},
        image=scene.image,
        spacing=scene.pixel_size,
        seeds=np.where(scene.seeds > 0, ids[np.maximum(scene.seeds, 1) - 1], scene.seeds).astype(kind),
    )
