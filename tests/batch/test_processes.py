"""Worker processes: the same results, one that dies, interruptions, kills, threads, what cannot be passed on."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from varconvex.batch import run
from varconvex.batch.tasks import way
from varconvex.batch.workers import here, in_processes
from varconvex.errors import InvalidParameterError, InvalidScribblesError


def work(item):
    """What a worker of these tests does."""
    kind, value = item
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "die once" and not Path(value).exists():
        Path(value).write_text("")
        os._exit(3)
    if kind == "raise":
        raise InvalidScribblesError(value)
    if kind == "fail":
        raise OSError(value)
    if kind == "threads":
        import numba

        return numba.config.NUMBA_NUM_THREADS, os.environ["OMP_NUM_THREADS"]
    return value


def test_a_worker_that_dies_concerns_its_item_only(tmp_path):
    items = [("ok", 1), ("die", 0), ("die once", str(tmp_path / "died")), ("raise", "no"), ("fail", "odd"), ("ok", 2)]
    found = dict(in_processes(work, [(item, item) for item in items], 2, 3))
    assert len(found) == len(items)
    assert (found["ok", 1].value, found["ok", 2].value, found["die once", items[2][1]].value) == (1, 2, items[2][1])
    assert found["die once", items[2][1]].attempts == 2
    died = found["die", 0]
    assert died.attempts == 2
    assert died.error[0] == "WorkerDied"
    assert "signal 9" in died.error[1]
    assert found["raise", "no"].error == ("InvalidScribblesError", "no")
    assert found["raise", "no"].traceback is None
    assert "raise OSError(value)" in found["fail", "odd"].traceback
    alone = dict(here(work, [(items[3], items[3])]))
    assert alone[items[3]].error == found[items[3]].error


def test_threads_are_shared_out_and_nothing_is_left(tmp_path):
    before = {child.pid for child in psutil.Process().children()}
    outcomes = in_processes(work, [(k, ("threads", k)) for k in range(9)], 1, 3)
    assert next(outcomes)[1].value == (3, "3")
    outcomes.close()
    left = [child for child in psutil.Process().children() if child.pid not in before]
    assert all("resource_tracker" in " ".join(child.cmdline()) for child in left)


def test_processors_are_shared_out(monkeypatch):
    monkeypatch.setattr("varconvex.threads.n_threads", lambda: 8)
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    monkeypatch.setattr("varconvex.batch.tasks.available", lambda: 1 << 40)
    assert way(None) is here

    def chosen(*arguments, **keywords):
        return way(*arguments, **keywords).keywords

    assert chosen(2, count=100) == {"jobs": 2, "threads": 1}
    assert chosen(2, threads=3) == {"jobs": 2, "threads": 3}
    assert chosen(-1, count=100) == {"jobs": 8, "threads": 1}
    assert chosen(-1, count=3) == {"jobs": 3, "threads": 2}
    monkeypatch.setattr("varconvex.batch.tasks.available", lambda: 3 << 30)
    assert chosen(-1, count=100) == {"jobs": 3, "threads": 2}
    monkeypatch.setattr("varconvex.batch.tasks.available", lambda: None)
    assert chosen(-1, count=100) == {"jobs": 8, "threads": 1}
    monkeypatch.setenv("NUMBA_NUM_THREADS", "8")
    assert chosen(3, count=100) == {"jobs": 3, "threads": 2}
    for wrong in (0, -2, 1.5):
        with pytest.raises(InvalidParameterError, match="jobs must be"):
            way(wrong)


def test_what_cannot_be_passed_to_a_process_is_named():
    with pytest.raises(InvalidParameterError, match="settings must be such that they can be passed"):
        list(in_processes(work, [(0, lambda: 0)], 1, 1))


SCRIPT = "from varconvex import batch\nbatch.run({!r}, {!r}, jobs=1)\n"


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(photos, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT.format(str(photos[0]), str(tmp_path / "out")))
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'call varconvex.batch.run under `if __name__ == "__main__":`' in done.stderr


IMAGES = 80


def start(folder, out, jobs=2):
    """The command in a process of its own, whose group can be signalled."""
    arguments = ["batch", str(folder), "--out", str(out), "--jobs", str(jobs)]
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "varconvex", *arguments],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background ignores it
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def lines_of(out):
    manifest = out / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def until_lines(process, out, count):
    """Wait until the manifest has so many lines."""
    deadline = time.monotonic() + 180
    while lines_of(out) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def gone(pids):
    """Whether these processes have ended, within a moment."""
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=5)
    return [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize(
    ("number", "status", "told"),
    [
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGINT, 130, "interrupted"),
        pytest.param(signal.SIGKILL, -9, "", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_batch_leaves_whole_results_and_no_process(draw, tmp_path, number, status, told):
    folder, out = tmp_path / "photos", tmp_path / "out"
    for k in range(IMAGES):
        draw(folder, f"{k:03}", seed=k, side=20)
    process = start(folder, out)
    until_lines(process, out, 3)
    children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == status
    assert told in errors
    assert "Traceback" not in errors
    assert gone(children)
    finished = lines_of(out)
    assert 3 <= finished < IMAGES
    records = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert all((out / record["name"]).exists() for record in records)
    assert len(list(out.glob("*.png"))) <= finished + 2
    summary = run(folder, out)
    assert (summary.reused, summary.done) == (finished, IMAGES - finished)
    assert not list((out / ".varconvex" / "parts").iterdir())


@pytest.mark.slow
def test_killed_at_random_and_resumed_it_ends_as_if_undisturbed(tmp_path):
    """`python -m benchmarks.batch kills --images 1000 --kills 50` is the same at length."""
    from benchmarks.batch import measure

    found = measure(tmp_path, images=120, kills=8, jobs=2, seed=random.randrange(1000))
    assert found["different"] == 0
    assert found["most_redone_a_kill"] <= 2
