"""`refine` beside bilinear interpolation: coarse, blurred and noisy logits on images of four times their resolution.

    python -m benchmarks.refinement [--images 4] [--side 1024] [--data DIR ...] [--json FILE]

Generated images hold one to three objects with wavy outlines, in two colours with shading, texture and noise. With
`--data`, folders with `images/` and `ground_truth/` are taken in their own resolution, where the truth was drawn (255;
images with other values than 0 and 255, and of objects below a hundred pixels of the map, are left out). Logits are
those of the truth's averages over four by four pixels, blurred by a Gaussian of `--blur` of their pixels, plus noise of
deviation `--noise` that is correlated over a pixel. Printed are the F-measure of the boundary at two pixels and the
IoU, of the interpolated logits and of `refine`.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from varconvex import refine
from varconvex.io import read_image
from varconvex.metrics import boundary_f, iou
from varconvex.predictors.small_grid import resized

from ._environment import describe

Array = np.ndarray

FACTOR = 4

_LEAST = 100
"""Pixels of the map that an object covers: smaller ones are blurred away."""


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.refinement", description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=4, metavar="N", help="generated images")
    parser.add_argument("--side", type=int, default=1024, metavar="N", help="pixels along a side of theirs")
    parser.add_argument("--blur", type=float, nargs="+", default=[1.0, 2.5], metavar="NUMBER", help="pixels of the map")
    parser.add_argument("--noise", type=float, default=1.0, metavar="NUMBER", help="in nats")
    parser.add_argument("--data", type=Path, nargs="+", default=[], metavar="DIR", help="folders of images with truth")
    parser.add_argument("--shape", metavar="SHAPE", help="shape of the object, for data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    refine(np.eye(8), np.eye(32))  # compiles
    rows = []
    print(f"{'image':<24}{'blur':>5}{'F linear':>10}{'refined':>9}{'IoU linear':>12}{'refined':>9}{'seconds':>9}")
    for blur in options.blur:
        for name, image, truth in generated(options.images, options.side):
            rows.append(measured(name, image, truth, blur, options.noise, None))
        for folder in options.data:
            for name, image, truth in samples(folder):
                rows.append(measured(name, image, truth, blur, options.noise, options.shape))
    for kind in dict.fromkeys((row["set"], row["blur"]) for row in rows):
        mine = [row for row in rows if (row["set"], row["blur"]) == kind]
        means = [float(np.mean([row[key] for row in mine])) for key in _FIGURES]
        print(_line(f"mean of {kind[0]}", kind[1], means), flush=True)
    if options.json:
        settings = {"noise": options.noise, "side": options.side, "shape": options.shape}
        options.json.write_text(json.dumps({"environment": describe(), "settings": settings, "rows": rows}, indent=1))
    return 0


_FIGURES = ("f_linear", "f", "iou_linear", "iou", "seconds")


def _line(name: str, blur: float, figures: list[float]) -> str:
    first, second, third, fourth, seconds = figures
    return f"{name:<24}{blur:>5.1f}{first:>10.3f}{second:>9.3f}{third:>12.3f}{fourth:>9.3f}{seconds:>9.2f}"


def measured(name: str, image: Array, truth: Array, blur: float, noise: float, shape: str | None) -> dict[str, Any]:
    """One row of the table, printed."""
    logits = coarse_logits(truth, blur, noise, len(name))
    linear = resized(logits, truth.shape) > 0
    begin = time.perf_counter()
    mask = refine(logits, image, shape=shape, kind="logits").mask
    seconds = time.perf_counter() - begin
    figures = [
        *(boundary_f(found, truth, tolerance=2) for found in (linear, mask)),
        *(iou(found, truth) for found in (linear, mask)),
        seconds,
    ]
    print(_line(name[-24:], blur, figures), flush=True)
    return {"set": name.split("/")[0], "name": name, "blur": blur, **dict(zip(_FIGURES, figures, strict=True))}


def coarse_logits(truth: Array, blur: float, noise: float, seed: int) -> Array:
    """Logits on a grid that is coarser by `FACTOR`: (h, w) float32."""
    share = resized(truth.astype(np.float32), tuple(n // FACTOR for n in truth.shape))
    share = np.clip(gaussian_filter(share, blur), 0.002, 0.998)
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(share.shape), 1.0)
    return (np.log(share / (1 - share)) + noise * field / field.std()).astype(np.float32)


def samples(folder: Path) -> Iterator[tuple[str, Array, Array]]:
    """Name, image and truth of a folder's images whose truth is known everywhere, cut to whole pixels of a map."""
    for path in sorted((folder / "images").iterdir()):
        truth = read_image(folder / "ground_truth" / f"{path.stem}.png")
        large = np.count_nonzero(truth == 255) >= _LEAST * FACTOR**2
        if large and np.isin(truth, (0, 255)).all():
            height, width = (n // FACTOR * FACTOR for n in truth.shape)
            yield f"{folder.name}/{path.stem}", read_image(path)[:height, :width], truth[:height, :width] == 255


def generated(count: int, side: int) -> Iterator[tuple[str, Array, Array]]:
    """Name, image (side, side, 3) and truth of generated images."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    for seed in range(count):
        rng = np.random.default_rng(seed)
        truth = np.zeros((side, side), bool)
        for _ in range(rng.integers(1, 4)):
            row, column = rng.uniform(-0.5, 0.5, 2)
            angle, radius = np.arctan2(y - row, x - column), rng.uniform(0.2, 0.4)
            waves = [rng.normal(0, 0.25 / n) * np.cos(n * angle + rng.uniform(0, 2 * np.pi)) for n in range(2, 8)]
            truth |= np.hypot(y - row, x - column) < radius * (1 + sum(waves))
        colour = rng.uniform(0.3, 0.7, 3)
        difference = rng.normal(size=3)
        difference *= rng.uniform(0.1, 0.25) / np.linalg.norm(difference)
        image = colour + np.where(truth[..., None], difference, -difference)
        image = image + _field(side, side / 12, 0.05, rng) + _field(side, side / 200, 0.04, rng)
        image = gaussian_filter(image, (side / 900, side / 900, 0)) + 0.03 * rng.standard_normal(image.shape)
        yield f"generated/{seed}", np.clip(image, 0, 1).astype(np.float32), truth


def _field(side: int, width: float, deviation: float, rng: np.random.Generator) -> Array:
    """Correlated noise in three channels: (side, side, 3)."""
    step = max(1, int(width / 4))
    cells = -(-side // step)
    smooth = gaussian_filter(rng.standard_normal((cells, cells, 3)), (width / step, width / step, 0))
    return np.stack([resized(smooth[..., c].astype(np.float32), (side, side)) for c in range(3)], -1) * (
        deviation / smooth.std()
    )


if __name__ == "__main__":
    raise SystemExit(main())
