"""Gain of the convex network's training over the search alone: `ConvexShape` with and without it, on silhouettes.

    python -m benchmarks.training [--sizes 128 256 512] [--json FILE]

Eight silhouettes of `_silhouettes` in three kinds each (clean, soft, noise of 30 % with blobs) are fitted with all
defaults; without training, `ConvexShape(steps=(0,))`; and without training but with one more search, which needs no
network: the best outline on rays along the mask (`ray_search`, boundaries cost nothing), repaired and refined, twice at
most. Compared are the energies, as an excess over the default's, and the sums of processor time, as a share of the
default's. `replaced` counts the fits whose trained network is not the mask in every pixel, so that the exact network of
the mask takes its place.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from varconvex import ConvexShape
from varconvex.geometry.certify import hull_vertices
from varconvex.geometry.convex_sets import refine, repair
from varconvex.geometry.raster import polygon_mask, total
from varconvex.geometry.ray_search import Frame, best_outline

from ._environment import describe
from ._silhouettes import PLACES, SHAPES, silhouette, spoil

_DIAMOND = 0.5 * np.array([[-1, 0], [0, -1], [0, 1], [1, 0]])


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.training", description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512], metavar="N", help="sides of the grids")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    ConvexShape().fit(spoil(silhouette("disc", "medium", 64, 0), "blobs", 0))  # compiles
    rows = [row for side in options.sizes for row in compared(side)]
    print(f"{'side':>5} {'beside default':<20}{'worst %':>9}{'mean %':>9}{'identical':>10}{'time':>7}{'replaced':>9}")
    for r in rows:
        print(
            f"{r['side']:>5} {r['method']:<20}{100 * r['worst']:>9.3f}{100 * r['mean']:>9.3f}"
            f"{r['identical']:>7}/{r['n']}{r['time']:>7.2f}{r['replaced']:>6}/{r['n']}"
        )
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "rows": rows}, indent=1))
    return 0


def compared(side: int) -> list[dict]:
    """One row for each of the two ways without training."""
    found: dict[str, list[tuple[float, bool, float]]] = {"search": [], "search, along rays": []}
    replaced, seconds = 0, 0.0
    for noise in ("clean", "soft", "blobs"):
        for seed, name in enumerate(SHAPES[::2][:8]):
            target = spoil(silhouette(name, PLACES[seed % len(PLACES)], side, seed), noise, seed)
            cost = 1 - 2 * target.astype(np.float64)
            fitted, spent = timed(lambda target=target: ConvexShape().fit(target))
            replaced, seconds = replaced + (fitted.n_filled > 0), seconds + spent
            start, spent = timed(lambda target=target: ConvexShape(steps=(0,)).fit(target).mask)
            along, more = timed(lambda start=start, cost=cost: along_rays(start, cost))
            least = total(cost, fitted.mask)
            for method, mask, share in (("search", start, spent), ("search, along rays", along, spent + more)):
                excess = (total(cost, mask) - least) / abs(least)
                found[method].append((excess, bool((mask == fitted.mask).all()), share))
    return [
        {
            "side": side,
            "method": method,
            "n": len(cases),
            "worst": max(excess for excess, _, _ in cases),
            "mean": float(np.mean([excess for excess, _, _ in cases])),
            "identical": sum(same for _, same, _ in cases),
            "time": sum(spent for _, _, spent in cases) / seconds,
            "replaced": int(replaced),
        }
        for method, cases in found.items()
    ]


def along_rays(mask: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """The best of a convex mask and up to two searches along its outline."""
    nothing = np.zeros_like(mask)
    for _ in range(2):
        corners = (hull_vertices(mask)[:, None] + _DIAMOND).reshape(-1, 2)
        outline, _ = best_outline(cost, _free, nothing, nothing, Frame.along(mask, _hull(corners)))
        raw = polygon_mask(outline, mask.shape)
        better = refine(repair(raw, cost=cost), cost) if raw.any() else mask
        if total(cost, better) >= total(cost, mask):
            break
        mask = better
    return mask


def _free(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return np.zeros(points.shape[:-1])


def _hull(points: np.ndarray) -> np.ndarray:
    from scipy.spatial import ConvexHull

    return points[ConvexHull(points).vertices]


def timed(compute: Callable) -> tuple:
    """Result of `compute`, and its processor time in seconds."""
    begin = time.process_time()
    return compute(), time.process_time() - begin


if __name__ == "__main__":
    raise SystemExit(main())
