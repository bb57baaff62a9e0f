"""The joint recipe beside the paper's own, on one image in one run: seconds and intersection over union.

    python -m benchmarks.paper DIR NAME [--iterations 20] [--train 1000] [--stride 3]

The paper's recipe, as its code has it: FCN with RGB and place, ICNN 130-130 on [0, 1]^2, one Adam at .02, cross-entropy
of both on the scribbles; from iteration 200 on also the squared difference of the two at all pixels, rate times .05;
3,000 iterations. It is timed over a stretch of iterations before and one after the switch, and extrapolated. With
--train it also goes through so many iterations, for the intersection over union; --stride takes every so many pixels,
for both.
Needs PyTorch, which is no part of this project.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from varconvex import segment
from varconvex.datasets.folders import Sample, list_samples
from varconvex.metrics import iou

from ._environment import describe

_ITERATIONS, _SWITCH = 3000, 200
_RATE, _LATER = 0.02, 0.05


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.paper", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DIR", help="a folder of samples")
    parser.add_argument("name", metavar="NAME", help="which of them")
    parser.add_argument("--iterations", type=int, default=20, metavar="N", help="timed (default: 20)")
    parser.add_argument("--train", type=int, default=0, metavar="N", help="iterations for the intersection over union")
    parser.add_argument("--stride", type=int, default=1, metavar="N", help="every so many pixels (default: 1)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="for both (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    sample = _strided(next(e.read() for e in list_samples(options.data) if e.name == options.name), options.stride)
    segment(sample.image[::4, ::4], sample.scribbles[::4, ::4], predictor="fcn", random_state=0)  # compiles
    wall, cpu = time.perf_counter(), time.process_time()
    ours = segment(sample.image, sample.scribbles, predictor="fcn", shape="convex", unify="joint", random_state=0)
    seconds = {"ours": time.perf_counter() - wall, "ours_cpu": time.process_time() - cpu}
    paper = Paper(sample, options.threads)
    before, before_cpu = paper.time(options.iterations, coupled=False)
    after, after_cpu = paper.time(options.iterations, coupled=True)
    seconds["paper"] = _SWITCH * before + (_ITERATIONS - _SWITCH) * after
    seconds["paper_cpu"] = _SWITCH * before_cpu + (_ITERATIONS - _SWITCH) * after_cpu
    score = {"ours": iou(ours.mask, sample.truth, ignore=~sample.scored)}
    if options.train:
        masks = Paper(sample, options.threads).train(options.train)
        score |= {name: iou(mask, sample.truth, ignore=~sample.scored) for name, mask in masks.items()}
    figures: dict[str, Any] = {
        "image": sample.name, "shape": sample.truth.shape, "environment": describe(), "seconds": seconds,
        "ratio": seconds["paper"] / seconds["ours"], "ratio_cpu": seconds["paper_cpu"] / seconds["ours_cpu"],
        "iou": score, "trained": options.train,
    }  # fmt: skip
    print(f"{sample.name}, {sample.truth.shape}")
    print(f"paper's recipe, {_ITERATIONS} iterations, extrapolated: {seconds['paper']:10.1f} s")
    print(f"ours, FCN + ICNN, joint:                     {seconds['ours']:10.1f} s")
    print(f"ratio, wall: {figures['ratio']:.0f}, processor time: {figures['ratio_cpu']:.0f}")
    print("intersection over union: " + ", ".join(f"{name} {value:.3f}" for name, value in score.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


def _strided(sample: Sample, stride: int) -> Sample:
    arrays = (sample.image, sample.scribbles, sample.truth, sample.scored)
    return Sample(sample.name, *(array[::stride, ::stride] for array in arrays))


class Paper:
    """The paper's joint recipe for one image."""

    def __init__(self, sample: Sample, threads: int, seed: int = 42):
        import torch
        from torch import nn

        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        self.torch = torch
        height, width = sample.truth.shape
        rows, columns = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
        place = np.stack([columns, rows], axis=-1).reshape(-1, 2)
        colours = sample.image.reshape(-1, 3) / 255
        self.place = torch.tensor(place, dtype=torch.float32)
        self.seen = torch.tensor(np.concatenate([colours, place], axis=1), dtype=torch.float32)
        strokes = sample.scribbles.ravel()
        self.known = torch.tensor(np.flatnonzero(strokes))
        # In the paper's code the object is 0 and the background 1.
        self.target = torch.tensor(strokes[strokes > 0] == 1, dtype=torch.float32)
        layers: list[Any] = [nn.Linear(5, 16), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Linear(16, 16), nn.ReLU()]
        self.network = nn.Sequential(*layers, nn.Linear(16, 1), nn.Sigmoid())
        self.first, self.second, self.last = nn.Linear(2, 130), nn.Linear(130, 130), nn.Linear(130, 1)
        self.skips = nn.ModuleList([nn.Linear(2, 130, bias=False), nn.Linear(2, 1, bias=False)])
        self.shape = nn.ModuleList([self.first, self.second, self.last, self.skips])
        parameters = [*self.network.parameters(), *self.shape.parameters()]
        self.adam = torch.optim.Adam(parameters, lr=_RATE)
        self.size = (height, width)

    def convex(self) -> Any:
        """sigma(G) at every pixel."""
        z = self.torch.relu(self.first(self.place))
        z = self.torch.relu(self.second(z) + self.skips[0](self.place))
        return self.torch.sigmoid(self.last(z) + self.skips[1](self.place))[:, 0]

    def step(self, coupled: bool) -> None:
        """One iteration on all pixels, as in the paper's code for images."""
        entropy = self.torch.nn.functional.binary_cross_entropy
        s, c = self.network(self.seen)[:, 0], self.convex()
        loss = entropy(s[self.known], self.target) + entropy(c[self.known], self.target)
        if coupled:
            loss = loss + ((c - s) ** 2).mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        with self.torch.no_grad():
            for layer in (self.second, self.last):
                layer.weight.clamp_(min=0)

    def time(self, iterations: int, coupled: bool) -> tuple[float, float]:
        """Seconds an iteration, by the clock and of the processors; the first two are not counted."""
        for _ in range(2):
            self.step(coupled)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(iterations):
            self.step(coupled)
        return (time.perf_counter() - wall) / iterations, (time.process_time() - cpu) / iterations

    def train(self, iterations: int) -> dict[str, np.ndarray]:
        """The masks after so many iterations."""
        for i in range(iterations):
            if i == _SWITCH:
                for group in self.adam.param_groups:
                    group["lr"] *= _LATER
            self.step(i >= _SWITCH)
        with self.torch.no_grad():
            found = {"paper, predictor": self.network(self.seen)[:, 0], "paper, convex": self.convex()}
        return {name: (value.numpy() < 0.5).reshape(self.size) for name, value in found.items()}


if __name__ == "__main__":
    raise SystemExit(main())
