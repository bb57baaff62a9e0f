"""Batches: killed at random and resumed; throughput of processes and of a shell loop.

python -m benchmarks.batch kills --images 1000 --kills 50        each with SIGKILL, alternately to all of its processes
python -m benchmarks.batch throughput --images 200 --rounds 3    photographs: 1 and 2 jobs, and `varconvex segment` each
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from varconvex.batch import batch, cut as cutting

_LOG = "VARCONVEX_BENCHMARK_LOG"


def draw(folder: Path, count: int, side: int) -> None:
    """Write images of a disc on noise, each with its strokes beside it."""
    folder.mkdir(parents=True)
    for k in range(count):
        rng = np.random.default_rng(k)
        row, column = rng.integers(side // 3, 2 * side // 3, 2)
        rows, columns = np.mgrid[:side, :side]
        disc = np.hypot(rows - row, columns - column) < side * rng.uniform(0.15, 0.3)
        image = np.where(disc[..., None], (200, 80, 60), (60, 90, 180)) + rng.normal(scale=12, size=(side, side, 3))
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"{k:05}.png")
        strokes = np.zeros((side, side), np.uint8)
        strokes[row - 2 : row + 3, column - 2 : column + 3] = 2
        strokes[:2] = 1
        Image.fromarray(strokes).save(folder / f"{k:05}-scribbles.png")


def photographs(folder: Path, count: int, height: int = 160) -> None:
    """Write crops of scikit-learn's and scikit-image's photographs of `height` pixels, with strokes beside them."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    sources = [*load_sample_images().images, data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    width = height * 4 // 3
    folder.mkdir(parents=True)
    for k in range(count):
        rng = np.random.default_rng(k)
        source = sources[k % len(sources)]
        row, column = (int(rng.integers(n - m + 1)) for n, m in zip(source.shape, (height, width), strict=False))
        Image.fromarray(source[row : row + height, column : column + width]).save(folder / f"{k:05}.png")
        strokes = np.zeros((height, width), np.uint8)
        strokes[[3, -4]] = 1
        strokes[height // 2 - 2 : height // 2 + 3, width // 3 : 2 * width // 3] = 2
        Image.fromarray(strokes).save(folder / f"{k:05}-scribbles.png")


def logged(work: Any) -> Any:
    """`cut`, after a line in the log."""
    with open(os.environ[_LOG], "a") as log:
        log.write(f"{work.image.name}\n")
    return cutting.cut(work)


def child(folder: str, out: str, jobs: str) -> None:
    """A batch whose computations are logged."""
    batch.cut = logged  # type: ignore[attr-defined]
    batch.run(folder, out, jobs=int(jobs))


def measure(root: Path, images: int, kills: int, jobs: int, seed: int, side: int = 48) -> dict[str, Any]:
    """Kill a batch at random moments and resume it; what differs from an undisturbed one, and what was redone."""
    rng = np.random.default_rng(seed)
    folder, out, log = root / "images", root / "killed", root / "log"
    draw(folder, images, side)
    batch.run(folder, root / "undisturbed", jobs=jobs)
    redone = []
    for kill in range(kills):
        before = _lines(out), _lines(log, name="")
        with _started(folder, out, jobs, log) as process:
            _wait(process, out, before[0] + int(rng.integers(2 * (images - before[0]) // (kills - kill) + 1)))
            time.sleep(rng.uniform(0, 0.1) if kill % 5 else rng.uniform(0, 2))
            os.killpg(process.pid, signal.SIGKILL) if kill % 2 else process.kill()
            process.wait()
            time.sleep(0.2)  # its processes may just be starting something
        redone.append(_lines(log, name="") - before[1] - (_lines(out) - before[0]))
    left = images - _lines(out)
    with _started(folder, out, jobs, log) as process:
        assert process.wait() == 0
    whole = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    names = [path.name for path in (root / "undisturbed").glob("*.png")]
    different = [n for n in names if (root / "undisturbed" / n).read_bytes() != (out / n).read_bytes()]
    return {
        "images": images, "kills": kills, "jobs": jobs, "seed": seed, "different": len(different),
        "redone": _lines(log, name="") - images, "most_redone_a_kill": max(redone), "left_after_kills": left,
        "lines": len(whole), "files": len(list(out.glob("*.png"))),
    }  # fmt: skip


@contextlib.contextmanager
def _started(folder: Path, out: Path, jobs: int, log: Path) -> Any:
    """A child process with a batch; it has ended when the context has."""
    code = "import sys; from benchmarks import batch; batch.child(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(folder), str(out), str(jobs)]
    with subprocess.Popen(command, env={**os.environ, _LOG: str(log)}, start_new_session=True) as process:
        yield process


def _wait(process: subprocess.Popen, out: Path, lines: int) -> None:
    """Wait until the manifest has so many lines, or the process has ended."""
    while process.poll() is None and _lines(out) < lines:
        time.sleep(0.002)


def _lines(folder: Path, name: str = "manifest.jsonl") -> int:
    """Lines of a folder's manifest, or of a file."""
    path = folder / name if name else folder
    return path.read_bytes().count(b"\n") if path.exists() else 0


def throughput(root: Path, images: int, rounds: int, height: int) -> dict[str, Any]:
    """Images a second: with one and with two jobs, and by a shell loop of `varconvex segment` over some of them."""
    folder = root / "photographs"
    photographs(folder, images, height)
    rates: dict[str, list[float]] = {"jobs 1": [], "jobs 2": [], "shell loop": []}
    for k in range(rounds):
        for jobs in (1, 2):
            seconds = _seconds("batch", folder, "--out", root / f"{jobs}-{k}", "--jobs", jobs)
            rates[f"jobs {jobs}"].append(images / seconds)
        some = sorted(folder.glob("*[0-9].png"))[:: max(1, images // 10)]
        pairs = [(path, path.with_name(f"{path.stem}-scribbles.png")) for path in some]
        seconds = sum(_seconds("segment", *pair, "-o", root / "mask.png") for pair in pairs)
        rates["shell loop"].append(len(some) / seconds)
    middle = {name: float(np.median(found)) for name, found in rates.items()}
    return {
        "images": images, "height": height, "images_a_second": middle,
        "two_jobs_beside_one": float(np.median(np.divide(rates["jobs 2"], rates["jobs 1"]))),
        "one_process_beside_a_shell_loop": float(np.median(np.divide(rates["jobs 1"], rates["shell loop"]))),
    }  # fmt: skip


def _seconds(*arguments: object) -> float:
    """Seconds that the command takes, from its start to its end."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "varconvex", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "throughput"])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--height", type=int, default=160)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.what == "kills":
            found = measure(Path(folder), given.images, given.kills, given.jobs, given.seed)
        else:
            found = throughput(Path(folder), given.images, given.rounds, given.height)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
