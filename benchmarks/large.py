"""Images on disk against the same in memory: peak memory, time, gap, labels, seams, and answers after kills.

    python -m benchmarks.large                     all of it: 16384^2, which takes an hour and 15 GB of disk
    python -m benchmarks.large --side 4096 --small 1024 --kills 5

Each call runs in a process of its own. Time is the wall's and the processors', in microseconds a pixel. The picture is
made: an object with a wavy outline and one alike, on textured ground, 8 of 255 grey levels of noise. Chunkings change
how the file is cut, and the last three, through `memory`, how the solver cuts it.
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

CHUNKS = ((512, 512, 3), (4096, 64, 3), (64, 4096, 3), (300, 700, 1), (512, 512, 3), (512, 512, 3), (1000, 1000, 3))
MEMORY = ("3G", "3G", "3G", "3G", "800M", "1200M", "2G")
SPARE = 2.0
"""Seconds by which the processes of a call that is killed differ."""


def picture(side: int, first: int, last: int, waves: float = 1.0) -> np.ndarray:
    """Rows of the picture: (last - first, side, 3) uint8; without waves the object is a disc."""
    y = (np.arange(first, last, dtype=np.float32)[:, None] + 0.5) / side
    x = (np.arange(side, dtype=np.float32)[None] + 0.5) / side
    angle, radius = np.arctan2(y - 0.5, x - 0.48), np.hypot(y - 0.5, x - 0.48)
    there = radius < 0.25 + waves * (0.05 * np.sin(5 * angle) + 0.015 * np.sin(23 * angle))
    there |= np.hypot(y - 0.12, x - 0.85) < 0.08
    out = np.empty((last - first, side, 3), np.uint8)
    for c, (inside, outside) in enumerate(((170, 100), (90, 110), (80, 120))):
        base = np.where(there, np.float32(inside), np.float32(outside)) + 20 * np.sin(40 * x + c) * np.cos(31 * y)
        for i in range(first, last):
            noise = np.random.default_rng((c, i)).normal(size=side).astype(np.float32)
            out[i - first, :, c] = np.clip(base[i - first] + 8 * noise, 0, 255)
    return out


def strokes(side: int) -> dict[str, list]:
    """Four strokes, two of them on the object."""
    lines = {
        "object": [[(0.45, 0.4), (0.5, 0.55)], [(0.6, 0.5), (0.55, 0.45)]],
        "background": [[(0.05, 0.05), (0.05, 0.6), (0.2, 0.9)], [(0.95, 0.1), (0.9, 0.9)]],
    }
    return {name: [[(side * a, side * b) for a, b in line] for line in found] for name, found in lines.items()}


def store(folder: Path, side: int, chunks: tuple[int, ...], waves: float = 1.0) -> Path:
    """The picture as an array of Zarr."""
    import zarr

    path = folder / f"{side}-{'x'.join(map(str, chunks))}{'' if waves else '-disc'}.zarr"
    if not (path / "whole").exists():
        made: Any = zarr.create_array(
            store=str(path), shape=(side, side, 3), chunks=tuple(min(n, side) for n in chunks), dtype="uint8",
            overwrite=True,
        )  # fmt: skip
        step = max(chunks[0], 256)
        for first in range(0, side, step):
            made[first : first + step] = picture(side, first, min(first + step, side), waves)
        (path / "whole").touch()
    return path


def child(kind: str, side: int, path: str, out: str, memory: str, scratch: str) -> None:
    """One call; its numbers into `out`.json, its labels into `out`.npy."""
    from varconvex import segment, warm_up

    warm_up()
    segment(picture(256, 0, 256), strokes(256))  # compiled and loaded
    image = picture(side, 0, side) if kind == "memory" else None
    begin, cpu = time.perf_counter(), time.process_time()
    if image is not None:
        found = segment(image, strokes(side))
    else:
        shape = "convex" if kind == "convex" else None
        found = segment(path, strokes(side), memory=memory, scratch=scratch or None, shape=shape)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    told = {"wall": wall, "cpu": cpu, "peak_gib": peak, "energy": found.energy, "gap": found.relative_gap,
            "seconds": dict(found.seconds), "iterations": found.history[-1][0],
            "certificate": str(found.certificate)}  # fmt: skip
    if side <= 8192:
        np.save(f"{out}.npy", np.asarray(found))
    Path(f"{out}.json").write_text(json.dumps(told))


def call(
    folder: Path, name: str, kind: str, side: int, path: Path | str = "", memory: str = "3G", scratch: str = ""
) -> dict:
    """The numbers of one call in a process of its own; with a scratch, kept from an earlier run."""
    out = folder / name
    if not Path(f"{out}.json").exists():
        subprocess.run(command(kind, side, path, out, memory, scratch), check=True)
    return json.loads(Path(f"{out}.json").read_text())


def command(kind: str, side: int, path: Any, out: Path, memory: str, scratch: str) -> list[str]:
    """The command line of a child."""
    return [sys.executable, "-m", "benchmarks.large", "--child", kind, str(side), str(path), str(out), memory, scratch]


def told(name: str, found: dict, side: int) -> str:
    """A line about one call."""
    pixel = 1e6 / side**2
    return (
        f"{name:<34} {found['wall']:8.1f} s  {found['wall'] * pixel:6.3f} us/pixel ({found['cpu'] * pixel:6.3f} of the "
        f"processors)  peak {found['peak_gib']:5.2f} GiB  gap {found['gap']:.1e}  {found['iterations']} iterations"
    )


def compare(folder: Path, side: int) -> None:
    """The picture in memory, and on disk in seven chunkings: labels, energies, seams."""
    known = call(folder, "memory", "memory", side)
    print(told(f"in memory {side}^2", known, side), flush=True)
    labels = np.load(folder / "memory.npy")
    for k, (chunks, memory) in enumerate(zip(CHUNKS, MEMORY, strict=True)):
        path = store(folder, side, chunks)
        found = call(folder, f"chunks-{k}", "disk", side, path, memory)
        wrong = np.load(folder / f"chunks-{k}.npy") != labels
        rim = np.zeros(wrong.shape, bool)
        for axis in (0, 1):
            near = np.arange(side) % min(chunks[axis], side)
            ends = (near == 0) | (near == min(chunks[axis], side) - 1)
            rim |= ends[:, None] if axis == 0 else ends[None]
        print(told(f"on disk {side}^2, {chunks}, {memory}", found, side))
        print(
            f"    energy differs by {abs(found['energy'] / known['energy'] - 1):.1e}, labels on {wrong.mean():.2e}; "
            f"along chunk borders {wrong[rim].mean():.2e}, elsewhere {wrong[~rim].mean():.2e}",
            flush=True,
        )


def kills(folder: Path, side: int, times: int) -> None:
    """The same call, killed at random moments and started again, against the undisturbed one."""
    path = store(folder, side, CHUNKS[0])
    whole = call(folder, "undisturbed", "disk", side, path, "800M", str(folder / "undisturbed"))
    rng, killed, rounds = random.Random(0), 0, 0
    same = True
    while killed < times:
        out, scratch = folder / f"killed-{rounds}", str(folder / f"killed-{rounds}")
        while not Path(f"{out}.json").exists():
            process = subprocess.Popen(command("disk", side, path, out, "800M", scratch), start_new_session=True)
            try:
                process.wait(SPARE + rng.uniform(0.3, 1.0) * whole["wall"] if killed < times else None)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                killed += 1
        same &= bool((np.load(f"{out}.npy") == np.load(folder / "undisturbed.npy")).all())
        same &= json.loads(Path(f"{out}.json").read_text())["energy"] == whole["energy"]
        rounds += 1
    print(f"killed {killed} times in {rounds} calls: {'the same' if same else 'ANOTHER'} answer", flush=True)


def main() -> None:
    """Print the lines that are asked for."""
    if sys.argv[1:2] == ["--child"]:
        kind, side, *rest = sys.argv[2:]
        child(kind, int(side), *rest)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--small", type=int, default=4096)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--memory", default="3G")
    parser.add_argument("--only", choices=("compare", "kills", "large", "convex"))
    parser.add_argument("--folder", help="where files stay, and where an interrupted run goes on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(exist_ok=True)
        if options.only in (None, "compare"):
            compare(folder, options.small)
        if options.only in (None, "kills"):
            kills(folder, options.small // 4, options.kills)
        if options.only in (None, "large"):
            path = store(folder, options.side, CHUNKS[0])
            scratch = str(folder / "scratch")
            found = call(folder, "large", "disk", options.side, path, options.memory, scratch)
            known = call(folder, "memory", "memory", options.small)
            print(told(f"on disk {options.side}^2", found, options.side))
            ratio = found["wall"] / options.side**2 / (known["wall"] / options.small**2)
            print(f"    {ratio:.2f} times the time a pixel of {options.small}^2 in memory; seconds {found['seconds']}")
        if options.only in (None, "convex"):
            path = store(folder, options.side, CHUNKS[0], waves=0.0)
            found = call(folder, "convex", "convex", options.side, path, options.memory, str(folder / "convex"))
            print(told(f"convex, on disk {options.side}^2", found, options.side))
            print(f"    {found['certificate']}; seconds {found['seconds']}")


if __name__ == "__main__":
    main()
