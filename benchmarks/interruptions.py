"""How soon Ctrl-C and SIGTERM end what is being computed, at random moments, and whether the next call works.

    python -m benchmarks.interruptions --times 200

Each call is interrupted at a moment between its start and the time that it takes undisturbed; what counts is the time
from the signal to the exception at the caller. SIGTERM is sent to the command line, whose exit status has to be 143.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import varconvex

LIMIT = 0.5


def problems(size: int) -> dict:
    """Calls to be interrupted, by name."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    disc = np.hypot(rows - size / 2, columns - size / 2) < size / 4
    image = np.clip(disc + rng.normal(scale=0.3, size=disc.shape), 0, 1)
    strokes = {"object": [(size / 2, size / 2 - 9), (size / 2, size / 2 + 9)], "background": [(5, 5), (5, size - 5)]}
    return {
        "segment": lambda: varconvex.segment(image, strokes, tol=1e-5),
        "joint": lambda: varconvex.segment(image, strokes, shape="convex"),
        "networks": lambda: varconvex.segment(image[: size // 2, : size // 2], strokes_of(size // 2), predictor="fcn"),
        "project": lambda: varconvex.project(image > 0.5),
        "denoise": lambda: varconvex.denoise_rof(image, 0.3, tol=1e-6),
    }


def strokes_of(size: int) -> dict:
    """Strokes on the upper left quarter of the image."""
    return {"object": [(size - 9, size - 9), (size - 4, size - 4)], "background": [(5, 5), (5, size - 5)]}


def interrupted(call, after: float) -> float | None:
    """Seconds from a SIGINT, `after` seconds from now, to KeyboardInterrupt; None if the call was faster."""
    due = time.perf_counter() + after
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        call()
    except KeyboardInterrupt:
        return time.perf_counter() - due
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def command_line(folder: Path, times: int, rng: np.random.Generator) -> tuple[list[float], list[int]]:
    """Seconds from SIGTERM to the end of ``varconvex segment``, and exit statuses; nothing may be left behind."""
    size = 900
    rows, columns = np.mgrid[:size, :size]
    disc = np.hypot(rows - 450, columns - 450) < 200
    np.save(folder / "image.npy", disc + rng.normal(scale=0.3, size=disc.shape))
    np.save(folder / "strokes.npy", np.where(np.hypot(rows - 450, columns - 450) < 9, 2, rows < 9).astype(np.uint8))
    command = [sys.executable, "-m", "varconvex", "segment", "image.npy", "strokes.npy", "-o", "mask.npy", "--tol=1e-7"]
    before = sorted(os.listdir(folder))
    seconds, statuses = [], []
    for _ in range(times):
        process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(2.0, 4.0))
        begin = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        statuses.append(process.wait())
        seconds.append(time.perf_counter() - begin)
        left = sorted(set(os.listdir(folder)) - set(before))
        assert not left or statuses[-1] == 0, left
        (folder / "mask.npy").unlink(missing_ok=True)
    return seconds, statuses


def main() -> None:
    """Interrupt, and print the delays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=200, help="interruptions in all")
    parser.add_argument("--size", type=int, default=700, help="side of the image in pixels")
    parser.add_argument("--json", metavar="FILE", help="also write the report")
    options = parser.parse_args()
    warnings.simplefilter("ignore", varconvex.VarconvexWarning)
    rng = np.random.default_rng(1)
    calls = problems(options.size)
    report: dict = {}
    for name, call in calls.items():
        call()  # compiles
        begin = time.perf_counter()
        call()
        alone = time.perf_counter() - begin
        delays = []
        for _ in range(max(1, options.times // (len(calls) + 1))):
            delay = interrupted(call, rng.uniform(0, alone))
            if delay is not None:
                delays.append(delay)
        call()  # still works
        report[name] = {"seconds alone": alone, "interrupted": len(delays), "slowest": max(delays, default=0.0)}
        print(f"{name:10} {alone:6.2f} s alone, {len(delays)} interrupted, slowest {max(delays, default=0):.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        seconds, statuses = command_line(Path(folder), max(1, min(8, options.times // 20)), rng)
    report["command line, SIGTERM"] = {"statuses": statuses, "slowest": max(seconds)}
    print(f"SIGTERM to the command line: statuses {statuses}, slowest {max(seconds):.3f} s")
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    late = {name: found["slowest"] for name, found in report.items() if found["slowest"] > LIMIT}
    sys.exit(f"later than {LIMIT} s: {late}" if late else 0)


if __name__ == "__main__":
    main()
