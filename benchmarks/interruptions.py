"""How soon Ctrl-C and SIGTERM end what is being computed, at random moments, and whether all works afterwards.

    python -m benchmarks.interruptions --times 20

Calls are interrupted by SIGINT, commands by SIGINT and SIGTERM, each of them `times` times, at moments between its
start and the time that it takes undisturbed; signals that came before or after are not counted. What counts is the
time from the signal to the exception at the caller, or to the end of the process, whose status has to be 130 or 143.
Afterwards the same call works; no process and no partial file are left; and batches and tables that were interrupted
again and again end with the same bytes as undisturbed. On a machine that is busy with something else the time on the
wall says little; beside it stands the processor time that was spent from the signal on.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import varconvex

LIMIT = 0.5

STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143}

TEARDOWN = 1.0
"""Seconds of processor time after which a process that had already done its work when the signal came has ended."""

SHARE = 0.3
"""Of the time that a whole batch takes: it goes on where it was, so that it meets several signals."""


def noisy_disc(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An image (H, W) in [0, 1] of a disc in noise, and scribbles on both sides."""
    rows, columns = np.mgrid[:size, :size]
    radius = np.hypot(rows - size / 2, columns - size / 2)
    noise = np.random.default_rng(seed).normal(scale=0.3, size=radius.shape)
    strokes = np.where(radius < size / 20, 2, np.where(rows < size // 50 + 1, 1, 0)).astype(np.uint8)
    return np.clip((radius < size / 4) + noise, 0, 1), strokes


class Delay(NamedTuple):
    """Seconds from a signal to the end, on the wall and of processor time."""

    wall: float
    processor: float


# Calls


def calls(size: int) -> dict[str, Callable[[], object]]:
    """Calls to be interrupted, by name."""
    (image, strokes), small = noisy_disc(size), noisy_disc(size // 2)
    return {
        "segment": lambda: varconvex.segment(image, strokes, tol=1e-5),
        "joint": lambda: varconvex.segment(image, strokes, shape="convex"),
        "networks": lambda: varconvex.segment(*small, predictor="fcn"),
        "project": lambda: varconvex.project(image > 0.5),
        "denoise": lambda: varconvex.denoise_rof(image, 0.3, tol=1e-6),
    }


def interrupted(call: Callable[[], object], after: float) -> Delay | None:
    """From a SIGINT, `after` seconds from now, to KeyboardInterrupt; None if the call was faster."""
    due, spent = time.perf_counter() + after, time.process_time()

    def interrupt(*_: object) -> None:
        nonlocal spent
        spent = time.process_time()
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        call()
    except KeyboardInterrupt:
        return Delay(time.perf_counter() - due, time.process_time() - spent)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def of_calls(chosen: str, times: int, size: int, rng: np.random.Generator) -> dict:
    """Delays of the calls that have `chosen` in their names."""
    report = {}
    for name, call in calls(size).items():
        if chosen not in name:
            continue
        call()  # compiles
        begin = time.perf_counter()
        call()
        alone, delays = time.perf_counter() - begin, []
        for _ in range(4 * times):
            delay = interrupted(call, rng.uniform(0, alone))
            delays += [] if delay is None else [delay]
            if len(delays) == times:
                break
        call()  # still works
        report[f"{name}, SIGINT"] = told(f"{name}, SIGINT", alone, delays)
    return report


def told(name: str, alone: float, delays: list[Delay]) -> dict:
    """A line of the report, printed."""
    walls, processor = ([delay[k] for delay in delays] or [0.0] for k in range(2))
    load = os.getloadavg()[0]
    print(
        f"{name:27} {alone:6.2f} s alone, {len(delays):3d} interrupted, out after {np.median(walls):.3f} s, at most "
        f"{max(walls):.3f} s; of processor time {np.median(processor):.3f} and {max(processor):.3f} s; load {load:.1f}",
        flush=True,
    )
    return {
        "seconds alone": alone, "interrupted": len(delays), "median": float(np.median(walls)), "slowest": max(walls),
        "median of processor time": float(np.median(processor)), "most processor time": max(processor), "load": load,
    }  # fmt: skip


# Commands


@dataclass(frozen=True)
class Command:
    """A command to be interrupted: its words, and what it writes (a file, or a folder in which it goes on)."""

    words: list[str]
    output: str
    resumes: bool = False


def commands(folder: Path, size: int) -> dict[str, Command]:
    """Write what the commands read into the folder."""
    image, strokes = noisy_disc(size)
    np.save(folder / "image.npy", image)
    np.save(folder / "strokes.npy", strokes)
    np.save(folder / "mask.npy", image > 0.5)
    for part in ("many", "data/images", "data/ground_truth", "data/scribbles"):
        (folder / part).mkdir(parents=True)
    for k in range(24):
        grey, drawn = noisy_disc(150, k)
        Image.fromarray((grey * 255).astype(np.uint8)).save(folder / f"many/{k:02}.png")
        Image.fromarray(drawn).save(folder / f"many/{k:02}-scribbles.png")
    for k in range(6):
        grey, drawn = noisy_disc(100, k)
        parts = {"images": (grey * 255).astype(np.uint8), "ground_truth": (drawn == 2) * np.uint8(255)}
        for part, content in {**parts, "scribbles": np.array([0, 2, 1], np.uint8)[drawn]}.items():
            Image.fromarray(content).save(folder / f"data/{part}/{k}.png")
    of_one = ["segment", "image.npy", "strokes.npy", "-q", "-o", "found.npy"]
    return {
        "varconvex segment": Command([*of_one, "--tol=1e-6"], "found.npy"),
        "... --shape convex": Command([*of_one, "--shape=convex"], "found.npy"),
        "varconvex project": Command(["project", "mask.npy", "-q", "-o", "found.npy"], "found.npy"),
        "varconvex batch": Command(["batch", "many", "-q", "--shape=convex", "--jobs=2", "--out=out"], "out", True),
        "... reproduce": Command(
            ["reproduce", "table1", "--data=data", "--seeds=42", "--networks=fcn", "--out=out"], "out", True
        ),
    }


def begun(command: Command, folder: Path) -> subprocess.Popen:
    """The command, in a process group of its own, as a terminal starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "varconvex", *command.words], cwd=folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def left_behind(group: int) -> bool:
    """Whether a process of the group still runs after ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def results(folder: Path, command: Command) -> dict[str, bytes]:
    """The pictures, tables and masks that a command wrote, hidden files and those with times in them left out."""
    there = folder / command.output
    files = (
        [there] if there.is_file() else [file for file in there.rglob("*") if file.suffix in (".png", ".md", ".npy")]
    )
    return {str(file): file.read_bytes() for file in files if not any(part[0] == "." for part in file.parts[-3:])}


def removed(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def spent_by(process: subprocess.Popen) -> float:
    """Processor time of a process and of its children so far."""
    import psutil

    try:
        root = psutil.Process(process.pid)
        return sum(sum(one.cpu_times()[:2]) for one in (root, *root.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0.0


def spent_by_children() -> float:
    """Processor time of all processes that have ended."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def ended(command: Command, folder: Path, number: signal.Signals, after: float) -> tuple[Delay, int]:
    """From the signal to the end of the process, and its exit status."""
    earlier = spent_by_children()
    process = begun(command, folder)
    time.sleep(after)
    spent = spent_by(process)
    begin = time.perf_counter()
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, errors = process.communicate()
    delay = Delay(time.perf_counter() - begin, spent_by_children() - earlier - spent)
    assert process.returncode or delay.processor < TEARDOWN, f"the signal was ignored: {errors}"
    if process.returncode not in (0, -number):
        assert process.returncode == STATUSES[number], (process.returncode, errors)
        assert "Traceback" not in errors, errors
    assert not left_behind(process.pid), "processes were left behind"
    return delay, process.returncode


def of_command(name: str, command: Command, folder: Path, times: int, rng: np.random.Generator) -> dict:
    """Delays of one command, by both signals."""
    output, begin = folder / command.output, time.perf_counter()
    subprocess.run([sys.executable, "-m", "varconvex", "--version"], check=True, stdout=subprocess.DEVNULL)
    start = time.perf_counter() - begin
    for _ in range(2):  # compiles
        removed(output)
        begin = time.perf_counter()
        process = begun(command, folder)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    alone, expected = time.perf_counter() - begin, results(folder, command)
    assert expected, f"{name} wrote nothing"
    before, report = sorted(os.listdir(folder)), {}
    for number in STATUSES:
        delays: list[Delay] = []
        for _ in range(6 * times):
            after = rng.uniform(start, start + (alone - start) * (SHARE if command.resumes else 1))
            if not command.resumes:
                removed(output)
            delay, status = ended(command, folder, number, after)
            assert sorted({*os.listdir(folder), command.output}) == before, os.listdir(folder)
            if status == 0:
                assert results(folder, command) == expected, f"{name} ended with another result"
                removed(output)
            elif status > 0:
                assert command.resumes or not output.exists(), "a file was written in part"
                delays.append(delay)
            if len(delays) == times:
                break
        process = begun(command, folder)
        assert process.wait() == 0
        assert results(folder, command) == expected, f"{name} ended with another result"
        removed(output)
        report[f"{name}, {number.name}"] = told(f"{name}, {number.name}", alone, delays)
    return report


def main() -> None:
    """Interrupt, and print the delays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="interruptions of each call and command by each signal")
    parser.add_argument("--size", type=int, default=700, help="side of the image in pixels")
    parser.add_argument("--only", metavar="NAME", default="", help="calls and commands with this in their names")
    parser.add_argument("--json", metavar="FILE", help="also write the report")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it, and so would children
    warnings.simplefilter("ignore", varconvex.VarconvexWarning)
    rng, report = np.random.default_rng(1), {}
    report |= of_calls(options.only, options.times, options.size, rng)
    with tempfile.TemporaryDirectory() as name:
        for line, command in commands(Path(name), options.size).items():
            if options.only in line:
                report |= of_command(line, command, Path(name), options.times, rng)
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    print(f"{sum(found['interrupted'] for found in report.values())} interruptions")
    late = {name: found["slowest"] for name, found in report.items() if found["slowest"] > LIMIT}
    sys.exit(f"later than {LIMIT} s: {late}" if late else 0)


if __name__ == "__main__":
    main()
