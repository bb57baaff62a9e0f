"""The part of `benchmarks.gpu` that is about networks and shapes: right answers first, then milliseconds.

The aims are a projection of 512 x 512 pixels within 10 ms and a joint segmentation of a 640 x 480 photograph within 50.
"""

from typing import Any

import numpy as np
from PIL import Image

from varconvex import demo, project, segment
from varconvex.backends import ArrayBackend, get_backend
from varconvex.metrics import iou
from varconvex.shapes.convex import ConvexShape
from varconvex.shapes.icnn import ICNN
from varconvex.shapes.training import Adam

from ._silhouettes import silhouette, spoil
from .timing import median_seconds

PROJECTION, PHOTOGRAPH = 512, (480, 640)
"""Side of the target, and height and width of the photograph, that the aims are about."""

_AIMS = {"projection": 10.0, "joint": 50.0}
"""Most milliseconds."""

_POINTS, _LOOKED_AT = 2048, 20_000
"""Points of a step, and about as many as a look at the energy takes."""

_NETWORKS = {"plane": (2, (48,)), "volume": (3, (48,)), "two layers": (2, (48, 48)), "the paper's": (2, (130, 130))}


def network_agreement(backend: ArrayBackend) -> list[dict[str, Any]]:
    """Largest difference from the specification of G, of a step's gradient, and of the parameters after ten steps."""
    rows = []
    for name, (dim, hidden) in _NETWORKS.items():
        found = []
        for on in (get_backend("numpy"), backend):
            network, points, cost = _learner(on, dim, hidden, 777)
            adam = Adam(network.pack().size, xp=on.xp)
            found.append([on.network_value(network, points), on.network_loss(network, points, cost, 3.0)[1]])
            for _ in range(2):
                on.network_descend(network, adam, points, cost, n=5, rate=1e-4, sharpness=3.0)
            found[-1] = [on.to_numpy(array) for array in (*found[-1], network.pack())]
        worst = max(float(abs(a - b).max() / abs(a).max()) for a, b in zip(*found, strict=True))
        rows.append({"case": f"network, {name}", "difference": worst})
    return rows


def network(backend: ArrayBackend, rounds: int) -> list[dict[str, Any]]:
    """Microseconds of a step, of five recorded together, and of a look at many points."""
    rows = []
    for name, (dim, hidden) in _NETWORKS.items():
        learner, points, cost = _learner(backend, dim, hidden, _POINTS)
        many = _learner(backend, dim, hidden, _LOOKED_AT)[1]
        adam = Adam(learner.pack().size, xp=backend.xp)

        def steps() -> None:
            for _ in range(10):
                backend.network_descend(learner, adam, points, cost, n=5, rate=1e-6, sharpness=3.0)  # noqa: B023

        rows.append(
            {
                "case": name,
                "step_us": 1e6 * median_seconds(backend, steps, rounds) / 50,
                "look_us": 1e6 * median_seconds(backend, lambda: backend.network_value(learner, many), rounds),  # noqa: B023
            }
        )
    return rows


def projection(backend: ArrayBackend, rounds: int) -> dict[str, Any]:
    """Milliseconds of projecting a noisy silhouette; without the network's steps; and the CPU's."""
    target = spoil(silhouette("disc", "medium", PROJECTION, 0), "soft", 0)

    def fitted(on: ArrayBackend, **options: Any) -> Any:
        return project(target, ConvexShape(backend=on, **options))

    found = _compared("projection", backend, fitted, rounds)
    return found | {"without_steps_ms": 1e3 * median_seconds(backend, lambda: fitted(backend, steps=(0,)), rounds)}


def joint(backend: ArrayBackend, rounds: int) -> dict[str, Any]:
    """Milliseconds of a joint segmentation of the demonstration's photograph; and the CPU's."""
    photograph = demo.photograph()
    ratio = np.array(PHOTOGRAPH) / photograph.shape[:2]
    image = np.asarray(Image.fromarray(photograph).resize(PHOTOGRAPH[::-1], Image.Resampling.BILINEAR))
    strokes = {
        name: [[tuple((ratio * point).tolist()) for point in line] for line in lines]
        for name, lines in demo.SCRIBBLES.items()
    }

    def segmented(on: ArrayBackend) -> Any:
        return segment(image, strokes, shape="convex", unify="joint", backend=on)

    return _compared("joint", backend, segmented, rounds)


def _compared(what: str, backend: ArrayBackend, call: Any, rounds: int) -> dict[str, Any]:
    """One call here and on the CPU, by its clock and its answer."""
    on = get_backend("numba")
    ours, theirs = call(backend), call(on)
    milliseconds = 1e3 * median_seconds(backend, lambda: call(backend), rounds)
    return {
        "ms": milliseconds,
        "aim_ms": _AIMS[what],
        "within": milliseconds <= _AIMS[what],
        "cpu_ms": 1e3 * median_seconds(on, lambda: call(on), rounds),
        "stages_ms": {stage: 1e3 * seconds for stage, seconds in ours.seconds.items()},
        "iou_with_cpu": iou(ours.mask, theirs.mask),
        "convex": bool(ours.certificate.convex),
    }


def _learner(backend: ArrayBackend, dim: int, hidden: tuple[int, ...], count: int) -> tuple[ICNN, Any, Any]:
    """A network, points and costs, the same on every backend."""
    rng = np.random.default_rng(0)
    made = ICNN.random(dim, hidden, rng, np.float32)
    points, cost = rng.uniform(-1, 1, (count, dim)), rng.normal(size=count)
    return made.to(backend.xp), backend.asarray(points, np.float32), backend.asarray(cost, np.float32)
