"""The solver's benchmark: its problems are what they say, its peers solve what they say, its figures add up."""

import json
import sys

import numpy as np
import pytest
from oracles import mask_energy, minimum_cut

from benchmarks import asv_solver, children, peers, problems, solver, verdict


def test_another_size_is_the_same_problem():
    small, large = problems.segmentation(128), problems.segmentation(512)
    blocks = large.cost.reshape(128, 4, 128, 4).mean(axis=(1, 3))
    assert np.corrcoef(small.cost.ravel(), blocks.ravel())[0, 1] > 0.99
    assert abs(small.cost.mean() - large.cost.mean()) < 0.02 * abs(large.cost).mean()
    assert small.cost.dtype == np.float32
    assert problems.hard(128).alpha == 2 * small.alpha


def test_strokes_say_what_the_costs_say():
    two, five = problems.segmentation(256), problems.labels(256)
    assert two.cost[two.strokes == 2].mean() < 0 < two.cost[two.strokes == 1].mean()
    for k in range(5):
        assert five.cost[:, five.strokes == k + 1].mean(axis=1).argmin() == k


@pytest.mark.parametrize("count", [8, 16])
def test_cut_lengths_are_near_to_euclids(count):
    radius = 60
    disc = np.hypot(*np.mgrid[-70:71, -70:71]) < radius
    length = peers.cut_length(disc, peers.neighbourhood(count, 1.0))
    assert length == pytest.approx(2 * np.pi * radius, rel=0.01)


def test_weights_of_8_neighbours_have_their_closed_form():
    weights = peers.neighbourhood(8, 1.0)
    assert weights[0, 1] == pytest.approx(np.pi / 8)
    assert weights[1, -1] == pytest.approx(np.pi / 8 / np.sqrt(2))


def test_the_graph_cut_is_the_minimum_cut(rng):
    pytest.importorskip("maxflow")
    cost = rng.integers(-9, 10, size=(12, 15))
    weights = peers.neighbourhood(4, 3.0)
    mask = peers.maxflow(cost, weights)
    energy = cost[mask].sum() + peers.cut_length(mask, weights)
    assert energy == minimum_cut(cost, 3) == mask_energy(cost, mask, 3, isotropic=False)


@pytest.mark.slow
def test_the_whole_benchmark_runs_and_adds_up(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    sizes = [64, 96, 128]
    arguments = ["--sizes", *map(str, sizes), "--side", "64", "--rounds", "1", "--peers", "--output", str(tmp_path)]
    parts = ["masks", "iterations", "rof", "labels", "memory", "interrupt"]
    assert solver.main([*arguments, "--parts", *parts]) == 0
    record = json.loads((tmp_path / "solver.json").read_text())
    assert [case["side"] for case in record["masks"]] == sizes
    for case in record["masks"]:
        for tol in (1e-2, 1e-3, 1e-4):
            row = case["contenders"][f"isotropic {tol:g}"]
            assert row["gap"] <= tol
            assert row["true_gap"] == pytest.approx(row["gap"], abs=1e-5)
            assert row["bytes"] >= 28 * row["iterations"] * case["pixels"]
            assert sum(row["shares"].values()) == pytest.approx(1, abs=0.01)
        # No mask is better than the minimum cut, and no bound lies above it: lengths that have a graph are exact.
        for tv, cut in (("anisotropic", "maxflow4"), ("octagonal", "maxflow8")):
            if tv in case["bounds"]:
                ours = case["contenders"][f"{tv} 0.0001"]["above"][tv]
                assert 0 <= ours < 1e-3
                if cut in case["contenders"]:
                    assert 0 <= case["contenders"][cut]["above"][tv] <= ours + 1e-6
    for name, row in record["rof"]["contenders"].items():
        assert row["suboptimality"] <= float(name.split()[-1]), name
    assert max(record["interrupt"]["seconds"]) < 5
    text = capsys.readouterr().out
    for line in verdict.lines(record):
        assert str(line) in text
    figures = (tmp_path / "figures.md").read_text(encoding="utf-8")
    took = record["masks"][-1]["contenders"]["isotropic 0.001"]
    assert f"{took['seconds']:.3g} ({took['cpu_seconds']:.3g})" in figures
    assert all(str(line).rstrip() in figures for line in verdict.lines(record))
    assert all((tmp_path / f"{name}.png").stat().st_size > 5000 for name in ("gap", "time", "roofline"))


def test_threads_are_measured_in_a_child():
    assert children.ask("threads", "workqueue", 3, 4, NUMBA_THREADING_LAYER="workqueue")["answers"] == 1


def test_a_child_that_dies_is_reported():
    assert "KeyError: 'nothing'" in children.ask("nothing")["error"]


def test_a_missing_peer_is_named_with_what_installs_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "odl", None)
    assert solver.main(["--sizes", "64", "--rounds", "1", "--parts", "iterations", "--peers", "odl"]) == 0
    assert "odl left out" in (text := capsys.readouterr().out)
    assert "pip install '.[bench-odl]'" in text


def test_another_number_of_threads_is_refused_once_they_run():
    with pytest.raises(SystemExit, match=r"threads must be pinned before Numba is imported; it runs on .*, not on 63"):
        solver.main(["--threads", "63", "--parts", "rof"])


def test_the_verdict_compares_figures_with_aims():
    times = {"maxflow4": {"seconds": 7.0, "cpu_seconds": 7.0}, "isotropic 0.001": {"seconds": 1.0, "cpu_seconds": 2.0}}
    case = {"name": "512² alpha 8", "side": 512, "alpha": 8, "pixels": 512**2, "contenders": times}
    lines = verdict.lines({"masks": [case]})
    assert (lines[0].figure, lines[0].met) == ("7.0 (of CPU time 3.5)", True)
    assert {line.met for line in lines[1:]} == {None}
    times["maxflow4"]["seconds"] = 5.0
    assert "MISSED" in str(verdict.lines({"masks": [case]})[0])


def test_the_exponent_is_fitted():
    cases = [
        {"alpha": 8, "side": n, "pixels": n * n, "contenders": {"isotropic 0.001": {"seconds": 3e-7 * n**2.4}}}
        for n in (64, 100, 400)
    ]
    assert verdict.exponent({"masks": cases}) == pytest.approx(1.2)


@pytest.mark.parametrize("suite", [asv_solver.TwoRegions, asv_solver.FiveLabels, asv_solver.Denoising])
def test_what_asv_would_run_runs(suite):
    case = suite()
    case.setup(64)
    names = [n for n in dir(case) if n.startswith(("time_", "peakmem_", "track_"))]
    assert names
    for name in names:
        value = getattr(case, name)(64)
        assert (value is not None and value >= 0) == name.startswith("track_"), name
