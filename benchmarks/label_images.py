"""`convexify` on label images as networks leave them: dents, bumps and ragged outlines, objects that touch.

    python -m benchmarks.label_images [--nuclei 1000] [--side 2048] [--data DIR] [--json FILE]

Generated nuclei are ellipses on a jittered grid, about a third of which touch or overlap. With `--data`, a folder with
`ground_truth/` masks of single objects (255; 128 is not scored), these masks are packed into one label image a seed, at
random turns, so that neighbours touch. Each outline is moved by a random wave and by noise, most objects lose a bite,
some gain a bump; pixels of two go to either. Printed are seconds, those of all processors together, certificates,
overlaps, and the mean IoU of the objects with the truth before and after.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from varconvex import certify_convexity, convexify
from varconvex.io import read_image

from ._environment import describe

Array = np.ndarray


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.label_images", description=__doc__.split("\n")[0])
    parser.add_argument("--nuclei", type=int, default=1000, metavar="N", help="generated nuclei")
    parser.add_argument("--side", type=int, default=2048, metavar="N", help="pixels along a side of their image")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder with ground_truth/ masks of single objects")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="label images of each kind")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    convexify(spoilt(*nuclei(9, 160, np.random.default_rng(0)), np.random.default_rng(0)))  # compiles
    heads = f"{'objects':>8}{'seconds':>9}{'CPU s':>7}{'certified':>10}{'overlaps':>9}{'IoU before':>11}{'after':>8}"
    print(f"{'label image':<14}{heads}")
    rows = []
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        rows.append(measured(f"nuclei {seed}", *nuclei(options.nuclei, options.side, rng), rng))
        if options.data:
            rows.append(measured(f"{options.data.name} {seed}", *packed(truths(options.data), rng), rng))
    if options.json:
        options.json.write_text(json.dumps({"environment": describe(), "rows": rows}, indent=1))
    return 0


def measured(name: str, truth: Array, radii: dict[int, float], rng: np.random.Generator) -> dict[str, Any]:
    """One row of the table, printed."""
    labels = spoilt(truth, radii, rng)
    ids = [k for k in range(1, int(truth.max()) + 1) if (labels == k).any()]
    begin, processors = time.perf_counter(), time.process_time()
    result = convexify(labels)
    seconds, processors = time.perf_counter() - begin, time.process_time() - processors
    # Proven here once more: from the label image, in which no pixel can have two labels.
    convex = sum(certify_convexity(result.labels == k).convex for k in ids)
    sizes = sum(found.n_pixels for found in result.certificates.values())
    row = {
        "name": name,
        "objects": len(ids),
        "seconds": seconds,
        "processor_seconds": processors,
        "certified": convex,
        "overlaps": sizes - int(np.count_nonzero(result.labels)),
        "before": mean_iou(labels, truth, ids),
        "after": mean_iou(result.labels, truth, ids),
    }
    print(
        f"{name:<14}{len(ids):>8}{seconds:>9.2f}{processors:>7.2f}{convex:>10}{row['overlaps']:>9}{row['before']:>11.4f}"
        f"{row['after']:>8.4f}",
        flush=True,
    )
    return row


def mean_iou(labels: Array, truth: Array, ids: list[int]) -> float:
    """Mean IoU of the objects."""
    size = int(max(labels.max(), truth.max())) + 1
    common = np.bincount(truth[labels == truth], minlength=size)
    union = np.bincount(labels.ravel(), minlength=size) + np.bincount(truth.ravel(), minlength=size) - common
    return float((common[ids] / union[ids]).mean())


def nuclei(count: int, side: int, rng: np.random.Generator) -> tuple[Array, dict[int, float]]:
    """A label image of ellipses on a jittered grid, and the radius of each."""
    truth = np.zeros((side, side), np.int32)
    cell = side / np.ceil(np.sqrt(count))
    centres = [(i, j) for i in np.arange(cell / 2, side, cell) for j in np.arange(cell / 2, side, cell)][:count]
    radii = {}
    for k, centre in enumerate(centres, 1):
        y, x = centre + rng.uniform(-0.1, 0.1, 2) * cell
        axes, turn = rng.uniform(0.28, 0.58, 2) * cell, rng.uniform(0, np.pi)
        window = tuple(slice(max(int(c - cell), 0), int(c + cell) + 1) for c in (y, x))
        rows, columns = np.mgrid[window] - np.array([y, x])[:, None, None]
        along, across = np.cos(turn) * rows + np.sin(turn) * columns, np.cos(turn) * columns - np.sin(turn) * rows
        height, width = truth[window].shape
        inside = (np.hypot(along / axes[0], across / axes[1]) < 1)[:height, :width]
        truth[window][inside & (truth[window] == 0)] = k
        radii[k] = float(np.sqrt(axes.prod()))
    return truth, radii


def truths(folder: Path) -> list[Array]:
    """The objects of a folder, cut out."""
    found = []
    for path in sorted((folder / "ground_truth").glob("*.png")):
        mask = read_image(path) == 255
        found.append(mask[np.ix_(mask.any(axis=1), mask.any(axis=0))])
    return found


def packed(masks: list[Array], rng: np.random.Generator) -> tuple[Array, dict[int, float]]:
    """Masks of objects in rows, side by side and turned at random, each as near to the last as it gets."""
    radii: dict[int, float] = {}
    truth, at, deepest = np.zeros((2400, 2400), np.int32), np.array([1, 1]), 0
    for k, mask in enumerate((masks[i] for i in rng.permutation(len(masks))), 1):
        turned = np.rot90(mask, rng.integers(4))
        if at[1] + turned.shape[1] >= truth.shape[1]:
            at = np.array([at[0] + deepest, 1])
            deepest = 0
        place = at.copy()
        while place[1] > 1 and not (seen(truth, place - [0, 1], turned.shape)[turned] > 0).any():
            place[1] -= 1
        seen(truth, place, turned.shape)[turned] = k
        radii[k] = float(np.sqrt(turned.sum() / np.pi))
        at, deepest = place + np.array([0, turned.shape[1]]), max(deepest, turned.shape[0])
    return truth[: at[0] + deepest + 2, : int(truth.any(axis=0).nonzero()[0].max()) + 3], radii


def seen(image: Array, place: Array, shape: tuple[int, ...]) -> Array:
    """The part of an image of this shape at this place."""
    return image[place[0] : place[0] + shape[0], place[1] : place[1] + shape[1]]


def spoilt(truth: Array, radii: dict[int, float], rng: np.random.Generator) -> Array:
    """The label image as a network might give it."""
    labels = np.zeros_like(truth)
    best = np.zeros(truth.shape)
    noise = gaussian_filter(rng.standard_normal(truth.shape), 1.5)
    noise /= noise.std()
    for k, radius in radii.items():
        places = np.argwhere(truth == k)
        if not len(places):
            continue
        low, high = np.maximum(places.min(axis=0) - int(radius / 2) - 2, 0), places.max(axis=0) + int(radius / 2) + 3
        window = tuple(map(slice, low, high))
        mine = truth[window] == k
        depth = distance_transform_edt(np.pad(mine, 1))[1:-1, 1:-1] - distance_transform_edt(~mine)
        rows, columns = np.indices(mine.shape) - (places.mean(axis=0) - low)[:, None, None]
        angle = np.arctan2(rows, columns)
        wave = sum(rng.normal(0, 0.03) * np.cos(n * angle + rng.uniform(0, 6.3)) for n in range(2, 9))
        depth = depth + radius * wave + 0.05 * radius * noise[window]
        edge = np.argwhere(mine & (depth < 2))
        for share, sign in ((0.6, -1), (0.25, 1)):
            if len(edge) and rng.random() < share:  # a bite, a bump
                away = np.hypot(*(np.indices(mine.shape).T - edge[rng.integers(len(edge))]).T)
                depth = np.where(away < rng.uniform(0.15, 0.4) * radius, sign * np.maximum(np.abs(depth), 1), depth)
        won = (depth > 0) & (depth > best[window])
        labels[window][won], best[window][won] = k, depth[won]
    return labels


if __name__ == "__main__":
    raise SystemExit(main())
