"""The soft distance of the paper's eq. (4): `ConvexShape.distance` beside Adam in PyTorch, on soft maps.

    python -m benchmarks.soft [--side 48] [--hidden 130 130] [--scenes 1] [--seeds 3] [--json FILE]

Needs PyTorch, which is no part of varconvex: `pip install torch`. Ten soft maps a scene: blurred ellipses, soft ones
whose level sets are ellipses, noise, two ellipses that are not convex together, and correlated noise, in two scales
each. Adam trains the same network (PyTorch's initial weights, all pixels, weights Wz clamped at zero after each step)
for `--steps` steps from each of the seeds, its rate falling from .01 by a cosine, and the least distance it has seen
counts. Processor time is that of all its seeds. Both run on one thread; varconvex computes in float64, Adam in float32.
"""

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from varconvex import ConvexShape

from ._environment import describe

KINDS = ("blurred", "soft", "noisy", "nonconvex", "correlated")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.soft", description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=48, metavar="N", help="pixels along a side of a map")
    parser.add_argument("--hidden", type=int, nargs="+", default=[130, 130], metavar="N", help="widths of the network")
    parser.add_argument("--scenes", type=int, default=1, metavar="N", help="ten maps each; 3 are all")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="kinds of maps")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of Adam")
    parser.add_argument("--steps", type=int, default=5000, metavar="N", help="steps of Adam")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    hidden = tuple(options.hidden)
    ConvexShape(hidden).distance(soft_map("blurred", 0, 0, options.side))  # compiles
    rows = []
    print(f"{'map':<16}{'distance':>10}{'Adam':>10}{'ratio':>8}{'s':>8}{'Adam s':>9}{'times':>7}")
    for scene in range(options.scenes):
        for kind in options.kinds:
            for scale in (0, 1):
                target = soft_map(kind, scale, scene, options.side)
                begin = time.process_time()
                ours = ConvexShape(hidden).distance(target).distance
                spent = time.process_time() - begin
                begin = time.process_time()
                adam = min(adam_distance(target, hidden, seed, options.steps) for seed in range(options.seeds))
                theirs = time.process_time() - begin
                name = f"{kind} {scale} {scene}"
                rows.append({"map": name, "distance": ours, "adam": adam, "seconds": spent, "adam_seconds": theirs})
                print(
                    f"{name:<16}{ours:>10.4f}{adam:>10.4f}{ours / adam:>8.4f}{spent:>8.2f}{theirs:>9.1f}"
                    f"{theirs / spent:>7.0f}",
                    flush=True,
                )
    if options.json:
        settings = {name: value for name, value in vars(options).items() if name != "json"}
        options.json.write_text(json.dumps({"environment": describe(), "settings": settings, "rows": rows}, indent=1))
    return 0


def soft_map(kind: str, scale: int, scene: int, side: int) -> np.ndarray:
    """A map of `KINDS` of (side, side) pixels; of scale 0 or 1, the larger and softer one."""
    rng = np.random.default_rng([scene, scale, KINDS.index(kind)])
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    size = (0.3, 0.55)[scale]

    def radius(centre: np.ndarray, axes: np.ndarray, angle: float) -> np.ndarray:
        """Distance from the centre as a share of that of the ellipse in this direction."""
        dy, dx = y - centre[0], x - centre[1]
        along, across = np.cos(angle) * dy + np.sin(angle) * dx, np.cos(angle) * dx - np.sin(angle) * dy
        return np.hypot(along / axes[0], across / axes[1])

    def noise() -> np.ndarray:
        """Of deviation 1 a pixel, independent."""
        return rng.standard_normal((side, side))

    centre = rng.uniform(-0.2, 0.2, 2)
    first = radius(centre, size * rng.uniform(0.7, 1.3, 2), rng.uniform(0, np.pi))
    if kind == "blurred":
        return gaussian_filter((first < 1).astype(float), side * (0.02, 0.05)[scale])
    if kind == "soft":
        return 1 / (1 + np.exp((first - 1) / rng.uniform(0.05, 0.3)))
    if kind == "noisy":
        return np.clip(gaussian_filter((first < 1).astype(float), side * 0.02) + 0.25 * noise(), 0, 1)
    if kind == "correlated":
        smooth = gaussian_filter(noise(), side * 0.03) * side * 0.03 * 0.5
        return np.clip(0.5 + 0.4 * np.tanh(2 * (1 - first)) + smooth, 0, 1)
    place = centre + 0.45 * rng.standard_normal(2)
    second = radius(place, size * rng.uniform(0.4, 0.9, 2), rng.uniform(0, np.pi))
    return gaussian_filter((np.minimum(first, second) < 1).astype(float), side * 0.03)


def adam_distance(target: np.ndarray, hidden: tuple[int, ...], seed: int, steps: int, rate: float = 0.01) -> float:
    """Least distance that Adam has seen in a training in PyTorch."""
    try:
        import torch
    except ImportError as error:
        raise SystemExit("this comparison needs PyTorch: pip install torch") from error
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    widths = [*hidden, 1]
    first: Any = torch.nn.Linear(2, hidden[0])
    on: Any = torch.nn.ModuleList(torch.nn.Linear(n, m) for n, m in pairwise(widths))
    skip: Any = torch.nn.ModuleList(torch.nn.Linear(2, m, bias=False) for m in widths[1:])
    points = np.stack(np.indices(target.shape), axis=-1).reshape(-1, 2) / (max(target.shape) - 1) * 2 - 1
    x, wanted = torch.tensor(points, dtype=torch.float32), torch.tensor(target.ravel(), dtype=torch.float32)
    adam = torch.optim.Adam([*first.parameters(), *on.parameters(), *skip.parameters()], rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps, rate / 100)
    least = np.inf
    for step in range(steps):
        z = torch.relu(first(x))
        for i, (layer, direct) in enumerate(zip(on, skip, strict=True)):
            z = layer(z) + direct(x)
            z = torch.relu(z) if i < len(on) - 1 else z
        loss = ((torch.sigmoid(-z[:, 0]) - wanted) ** 2).mean()
        if step:  # the first network is not convex yet
            least = min(least, loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
        falling.step()
        with torch.no_grad():
            for layer in on:
                layer.weight.clamp_(min=0)
    return float(np.sqrt(least * target.size))


if __name__ == "__main__":
    raise SystemExit(main())
