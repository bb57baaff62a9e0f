"""The GPU's benchmark: what it says where no GPU is, and that every part of it runs."""

import json
import time

import pytest

from benchmarks import gpu, gpu_shapes
from varconvex.backends import cuda
from varconvex.errors import BackendUnavailableError


def test_it_says_plainly_that_nothing_was_measured(monkeypatch, tmp_path, capsys):
    def no_device(name):
        raise BackendUnavailableError("backend 'cupy' needs a CUDA device; CuPy found none")

    monkeypatch.setattr(gpu, "get_backend", no_device)
    assert gpu.main(["--json", str(tmp_path / "none.json")]) == 2
    said = capsys.readouterr()
    assert "nothing was measured, since no GPU can be used here: backend 'cupy' needs a CUDA device" in said.err
    assert not said.out
    assert not list(tmp_path.iterdir())


def once(_, call, rounds):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


@pytest.mark.slow
def test_every_part_runs_on_the_pretended_device(fake_cupy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu, "_ITERATIONS", 4)
    monkeypatch.setattr(gpu, "_AGREEMENT", ((17, 30), (3, 5, 8)))
    monkeypatch.setattr(gpu, "_TILES", ((32, 2, 4), (64, 8, 8)))
    monkeypatch.setattr(gpu_shapes, "median_seconds", once)  # a fiber is no thread
    monkeypatch.setattr(gpu_shapes, "PROJECTION", 64)
    monkeypatch.setattr(gpu_shapes, "PHOTOGRAPH", (60, 80))
    monkeypatch.setattr(gpu_shapes, "_POINTS", 100)
    monkeypatch.setattr(gpu_shapes, "_LOOKED_AT", 300)
    monkeypatch.setattr(gpu, "bandwidth", lambda *_: 1.0)  # a gigabyte is no test
    path = tmp_path / "gpu.json"
    options = ["--sizes", "40", "--batch", "2", "--rounds", "1", "--no-tests", "--tiles", "--json", str(path)]
    assert gpu.main(options) == 0
    figures = json.loads(path.read_text())
    assert figures["device"]["name"] == "pretended"
    assert {row["case"] for row in figures["agreement"]} >= {"isotropic", "octagonal", "five labels", "volume"}
    assert max(row["difference"] for row in figures["agreement"]) <= 1e-5
    assert figures["iteration"][0]["tile_ms"] > 0
    assert figures["solve"][0]["bounds_hold"]
    assert {row["case"] for row in figures["agreement"]} >= {"network, plane", "network, the paper's"}
    assert [row["case"] for row in figures["network"]] == ["plane", "volume", "two layers", "the paper's"]
    for part, aim in (("projection", 10), ("joint", 50)):
        assert figures[part]["aim_ms"] == aim
        assert figures[part]["within"] == (figures[part]["ms"] <= aim)
        assert figures[part]["iou_with_cpu"] >= 0.98
        assert figures[part]["convex"]
    assert figures["batch"]["ratio"] == pytest.approx(figures["batch"]["alone_ms"] / figures["batch"]["ms"])
    assert [row["side"] for row in figures["tiles"]] == [32, 64]
    assert (cuda.SIDE, cuda.ROWS, cuda.DEPTH) == (64, 4, 8)
    assert str(path) in capsys.readouterr().out


def test_failures_of_the_test_suite_are_counted(monkeypatch):
    class Run:
        stdout = "..F\nFAILED tests/test_x.py::test_y[cupy]\n1 failed, 70 passed, 5 skipped in 3.21s\n"

    monkeypatch.setattr(gpu.subprocess, "run", lambda *_, **__: Run)
    assert gpu.run_tests() == {"passed": 70, "failed": 1, "failures": ["FAILED tests/test_x.py::test_y[cupy]"]}
    Run.stdout = "12 passed in 1.0s"
    assert gpu.run_tests() == {"passed": 12, "failed": 0}
    Run.stdout = "no tests ran in 0.1s"
    assert gpu.run_tests()["passed"] == 0
