"""The classic models beside scikit-image, and Mumford-Shah in frames a second, interleaved in one run.

    python -m benchmarks.energies [--rounds 5] [--json FILE]

ROF: time until the energy is within 1e-3 of its minimum; ours stops at a certified gap, theirs at the least number of
iterations that reaches it. Chan-Vese: the defaults of both, and both masks' energies by one formula. Mumford-Shah:
640 x 480 in colour, stopped as fastms stops (mean change of a pixel at most 5e-5). Ratios of medians travel between
machines; milliseconds do not, and on a busy machine only those of the processor say anything.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from varconvex import ROF, ChanVese, MumfordShah, get_backend, pdhg, segment_chan_vese, stationary

from ._environment import describe

ALPHA = 0.1
SUBOPTIMAL = 1e-3


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.energies", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="interleaved repetitions (default: 5)")
    parser.add_argument("--size", type=int, default=512, metavar="N", help="side of the images (default: 512)")
    parser.add_argument(
        "--frame", type=int, nargs=2, default=(480, 640), metavar="N", help="height and width of a frame"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    try:
        import skimage
    except ImportError:
        parser.error("scikit-image is not installed; pip install scikit-image")
    environment = {**describe(), "scikit-image": skimage.__version__}
    print(f"{environment['processor']}, {environment['threads']} threads")
    figures = {
        "rof": rof(options.size, options.rounds),
        "chan_vese": chan_vese(options.size, options.rounds),
        "mumford_shah": mumford_shah(tuple(options.frame), options.rounds),
    }
    head = f"{'ours ms':>10}{'skimage ms':>12}{'ratio':>8}{'CPU ratio':>11}"
    print(f"\n{'ROF ' + str(options.size):<24}{head}\n{'camera, to 1e-3':<24}{_times(figures['rof'])}")
    print(f"\n{'Chan-Vese ' + str(options.size):<24}{head}{'our energy':>12}{'theirs':>10}")
    for row in figures["chan_vese"]:
        print(f"{row['image']:<24}{_times(row)}{row['energy']:>12.1f}{row['their_energy']:>10.1f}")
    print(f"\n{'Mumford-Shah, colour':<24}{'iterations':>10}{'ms':>12}{'frames/s':>10}{'CPU ms':>9}")
    for row in figures["mumford_shah"]:
        print(
            f"{row['image']:<24}{row['iterations']:>10}{row['seconds'] * 1e3:>12.1f}{1 / row['seconds']:>10.1f}"
            f"{row['cpu_seconds'] * 1e3:>9.1f}"
        )
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, **figures}, indent=2))
    return 0


def rof(size: int, rounds: int) -> dict[str, Any]:
    """Both solvers to the same suboptimality on a noisy photograph."""
    from skimage.restoration import denoise_tv_chambolle

    image = _grey("camera", size)
    image = image + np.random.default_rng(0).normal(scale=0.1, size=image.shape)
    best = pdhg(ROF(image, ALPHA), tol=1e-5, max_iter=20_000)
    judge, backend = ROF(image, ALPHA), get_backend()

    def theirs(iterations: int) -> np.ndarray:
        return denoise_tv_chambolle(image, weight=ALPHA, eps=0, max_num_iter=iterations)

    def suboptimal(u: np.ndarray) -> float:
        return judge.value(backend, u) / best.dual - 1

    enough = 25
    while suboptimal(theirs(enough)) > SUBOPTIMAL:
        enough *= 2
    too_few = enough // 2
    for _ in range(4):
        middle = (enough + too_few) // 2
        enough, too_few = (middle, too_few) if suboptimal(theirs(middle)) <= SUBOPTIMAL else (enough, middle)
    ours = pdhg(ROF(image, ALPHA), tol=SUBOPTIMAL)
    times = _interleave(
        rounds, "ROF", ours=lambda: pdhg(ROF(image, ALPHA), tol=SUBOPTIMAL), theirs=lambda: theirs(enough)
    )
    return {
        "iterations": ours.iterations, "suboptimal": suboptimal(ours.u), "their_iterations": enough,
        "they_are_suboptimal": suboptimal(theirs(enough)), **times,
    }  # fmt: skip


def chan_vese(size: int, rounds: int) -> list[dict[str, Any]]:
    """Both segmentations with their defaults, and their energies by one formula."""
    from skimage.segmentation import chan_vese as peer

    rows = []
    for name in ("camera", "coins", "moon"):
        image = _grey(name, size)
        image = (image - image.min()) / np.ptp(image)
        masks = {"energy": segment_chan_vese(image), "their_energy": peer(image).astype(int)}
        times = _interleave(
            rounds, name, ours=lambda image=image: segment_chan_vese(image), theirs=lambda image=image: peer(image)
        )
        rows.append({"image": name, **{key: _energy(image, mask) for key, mask in masks.items()}, **times})
    return rows


def _energy(image: np.ndarray, mask: np.ndarray) -> float:
    """Chan and Vese's, with the mask's own means, alpha = mu = 0.25."""
    means = [image[mask == k].mean() if (mask == k).any() else 0.0 for k in (0, 1)]
    return ChanVese(image, means, 0.25).value(get_backend(), mask)


def mumford_shah(frame: tuple[int, int], rounds: int) -> list[dict[str, Any]]:
    """Frames in colour, from the array to the array."""
    from skimage import data
    from skimage.transform import resize

    rows = []
    for name in ("astronaut", "coffee", "chelsea"):
        image = resize(getattr(data, name)() / 255.0, frame, anti_aliasing=True).astype(np.float32)
        solve: Callable[[], Any] = lambda image=image: stationary(MumfordShah(image, channel_axis=-1))  # noqa: E731
        answer = solve()
        times = _interleave(rounds, name, ours=solve)
        rows.append(
            {"image": name, "iterations": answer.iterations, "change": answer.change, "energy": answer.energy, **times}
        )
    return rows


def _grey(name: str, size: int) -> np.ndarray:
    from skimage import data
    from skimage.transform import resize

    image = getattr(data, name)() / 255.0
    return image if image.shape == (size, size) else resize(image, (size, size), anti_aliasing=True)


def _interleave(rounds: int, title: str, **calls: Callable[[], Any]) -> dict[str, float]:
    """Medians of seconds, of the clock and of the processor: `seconds`, and `their_seconds` of a second call."""
    keys = dict(zip(calls, ("", "their_"), strict=False))
    taken: dict[str, list[float]] = {}
    for _ in tqdm(range(rounds), desc=title, leave=False, disable=None):
        for name, call in calls.items():
            clock, processor = time.perf_counter(), time.process_time()
            call()
            taken.setdefault(f"{keys[name]}seconds", []).append(time.perf_counter() - clock)
            taken.setdefault(f"{keys[name]}cpu_seconds", []).append(time.process_time() - processor)
    return {key: float(np.median(values)) for key, values in taken.items()}


def _times(row: dict[str, Any]) -> str:
    ratio, processor = row["their_seconds"] / row["seconds"], row["their_cpu_seconds"] / row["cpu_seconds"]
    return f"{row['seconds'] * 1e3:>10.1f}{row['their_seconds'] * 1e3:>12.1f}{ratio:>8.1f}{processor:>11.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
