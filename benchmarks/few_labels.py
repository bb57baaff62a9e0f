"""What eq. (4) adds to the training of a small U-Net that has few labels: `varconvex.torch.ConvexityLoss`.

    python -m benchmarks.few_labels [--labels 4] [--others 40] [--epochs 20] [--weight 1] [--seeds 3] [--json FILE]

Needs PyTorch: `pip install "varconvex[torch]"`. Images of 48 x 48 pixels hold an ellipse among smaller bright patches,
behind bars that hide parts of it, with shading and noise. A few have labels; the others have none and enter through the
convexity of what is found in them. Two networks begin with the same weights and see the same batches: cross-entropy on
the labelled images, and the same plus `--weight` times the loss on the others, from a fifth of the epochs on. Printed
is the mean IoU on 60 further images, of the network's masks and of their projections (`ConvexProjection`).
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from varconvex.metrics import iou

from ._environment import describe

Array = np.ndarray

SIDE, BATCH = 48, 8


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.few_labels", description=__doc__.split("\n")[0])
    parser.add_argument("--labels", type=int, default=4, metavar="N", help="images with labels")
    parser.add_argument("--others", type=int, default=40, metavar="N", help="images without")
    parser.add_argument("--epochs", type=int, default=20, metavar="N", help="times that each of those is seen")
    parser.add_argument("--weight", type=float, default=1.0, metavar="NUMBER", help="weight of the term")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    rows = []
    print(f"{'seed':<6}{'weight':>7}{'IoU':>8}{'projected':>11}{'distance':>10}{'seconds':>9}")
    for seed in range(options.seeds):
        for weight in (0.0, options.weight):
            rows.append(trained(seed, weight, options.labels, options.others, options.epochs))
            row = rows[-1]
            print(
                f"{seed:<6}{weight:>7.2f}{row['iou']:>8.3f}{row['projected']:>11.3f}{row['distance']:>10.2f}"
                f"{row['seconds']:>9.1f}",
                flush=True,
            )
    for weight in (0.0, options.weight):
        means = [np.mean([row[key] for row in rows if row["weight"] == weight]) for key in ("iou", "projected")]
        print(f"{'mean':<6}{weight:>7.2f}{means[0]:>8.3f}{means[1]:>11.3f}")
    if options.json:
        settings = {name: value for name, value in vars(options).items() if name != "json"}
        options.json.write_text(json.dumps({"environment": describe(), "settings": settings, "rows": rows}, indent=1))
    return 0


def trained(seed: int, weight: float, labels: int, others: int, epochs: int) -> dict[str, Any]:
    """A network trained with this weight of the term, and its figures on further images."""
    import torch

    from varconvex.torch import ConvexityLoss, ConvexProjection

    torch.set_num_threads(1)  # maps so small are slower on several
    torch.manual_seed(seed)
    images, truths = (torch.tensor(part) for part in scenes(labels + others, seed))
    model, convexity, cross_entropy = unet(), ConvexityLoss(), torch.nn.BCEWithLogitsLoss()
    adam = torch.optim.Adam(model.parameters(), 5e-3)
    order, begin = torch.Generator().manual_seed(seed), time.perf_counter()
    for epoch in range(epochs):
        for some in torch.randperm(others, generator=order).split(BATCH):
            keys = labels + some
            loss = cross_entropy(model(images[:labels]), truths[:labels])
            if weight and epoch >= epochs // 5:
                loss = loss + weight * convexity(torch.sigmoid(model(images[keys])), keys=keys)
            adam.zero_grad()
            loss.backward()
            adam.step()
    seconds = time.perf_counter() - begin
    model.eval()
    images, truths = (torch.tensor(part) for part in scenes(60, seed + 1000))
    with torch.no_grad():
        maps = torch.sigmoid(model(images))
        masks, projected = maps > 0.5, ConvexProjection()(maps) > 0.5
        distance = ConvexityLoss(reduction="none", max_iter=10)(maps).sqrt().mean()
    scores = [
        np.mean([iou(a[0], b[0] > 0.5) for a, b in zip(found, truths, strict=True)]) for found in (masks, projected)
    ]
    return {
        "seed": seed,
        "weight": weight,
        "iou": float(scores[0]),
        "projected": float(scores[1]),
        "distance": float(distance),
        "seconds": seconds,
    }


def unet() -> Any:
    """A U-Net of two levels, 8 and 16 channels."""
    import torch
    from torch.nn import Conv2d, GroupNorm, MaxPool2d, Module, ReLU, Sequential, Upsample

    def block(n: int, m: int) -> Sequential:
        layers = [(Conv2d(a, m, 3, padding=1), GroupNorm(4, m), ReLU()) for a in (n, m)]
        return Sequential(*layers[0], *layers[1])

    class UNet(Module):
        """Two levels down and up again."""

        def __init__(self) -> None:
            super().__init__()
            self.down, self.low, self.lower = block(1, 8), block(8, 16), block(16, 16)
            self.mid, self.up, self.last = block(32, 16), block(24, 8), Conv2d(8, 1, 1)
            self.pool, self.enlarge = MaxPool2d(2), Upsample(scale_factor=2, mode="bilinear")

        def forward(self, x: Any) -> Any:
            first = self.down(x)
            second = self.low(self.pool(first))
            third = self.enlarge(self.lower(self.pool(second)))
            second = self.enlarge(self.mid(torch.cat([third, second], 1)))
            return self.last(self.up(torch.cat([second, first], 1)))

    return UNet()


def scenes(count: int, seed: int) -> tuple[Array, Array]:
    """Images and truths: (n, 1, SIDE, SIDE) float32."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE * 2 - 1
    images, truths = [], []

    def ellipse(centre: Array, axes: Array, turn: float) -> Array:
        down, across = y - centre[0], x - centre[1]
        along, beside = np.cos(turn) * down + np.sin(turn) * across, np.cos(turn) * across - np.sin(turn) * down
        return np.hypot(along / axes[0], beside / axes[1]) < 1

    for _ in range(count):
        truth = ellipse(rng.uniform(-0.3, 0.3, 2), rng.uniform(0.3, 0.6, 2), rng.uniform(0, np.pi))
        bright = truth.astype(float)
        for _ in range(rng.integers(2, 5)):
            patch = ellipse(rng.uniform(-0.9, 0.9, 2), rng.uniform(0.05, 0.2, 2), rng.uniform(0, np.pi))
            bright = np.maximum(bright, patch * rng.uniform(0.6, 1.0))
        for _ in range(rng.integers(1, 3)):
            turn, offset = rng.uniform(0, np.pi), rng.uniform(-0.4, 0.4)
            bright[np.abs(np.cos(turn) * y + np.sin(turn) * x - offset) < rng.uniform(0.02, 0.07)] = rng.uniform(0, 0.4)
        shade = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 12)
        image = gaussian_filter(bright, 0.7) + 0.25 * shade / shade.std() + 0.25 * rng.standard_normal((SIDE, SIDE))
        images.append(image)
        truths.append(truth)
    return np.array(images, np.float32)[:, None], np.array(truths, np.float32)[:, None]


if __name__ == "__main__":
    raise SystemExit(main())
