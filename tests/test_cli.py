"""The command line, as a user types it."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from varconvex.cli import main
from varconvex.io.reading import read_image


@pytest.fixture
def files(tmp_path, two_blobs):
    """A photograph and its indexed scribbles on disk."""
    image, scribbles, _ = two_blobs
    Image.fromarray((image * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    Image.fromarray(scribbles.astype(np.uint8)).save(tmp_path / "scribbles.png")
    return tmp_path


def test_segment_writes_the_mask_the_picture_and_the_numbers(files, capsys, two_blobs):
    disc = two_blobs[2]
    arguments = ["segment", f"{files}/photo.png", f"{files}/scribbles.png", "-o", f"{files}/mask.png"]
    assert main([*arguments, "--shape", "convex", "--json", "--figure", f"{files}/picture.png", "--seed", "1"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["certificate"]["convex"]
    assert numbers["gap"] >= 0
    assert numbers["relative_gap"] <= 1e-3
    mask = read_image(files / "mask.png") == 255
    assert (mask & disc).sum() / (mask | disc).sum() > 0.9
    assert read_image(files / "picture.png").shape[1] > 400


def test_segment_with_every_option(files, capsys):
    arguments = ["segment", f"{files}/photo.png", f"{files}/scribbles.png", "-o", f"{files}/mask.npy", "--alpha", "2"]
    arguments += ["--likelihood", "histogram", "--edge-weight", "none", "--tv", "anisotropic", "--backend", "numpy"]
    arguments += ["--tol", "1e-2", "--max-iter", "5000", "--time-limit", "100"]
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert "relative gap" in table
    assert set(np.unique(np.load(files / "mask.npy"))) == {1, 2}


def test_segment_joint(files, capsys):
    arguments = ["segment", f"{files}/photo.png", f"{files}/scribbles.png", "-o", f"{files}/mask.png", "--json"]
    assert main([*arguments, "--shape", "convex", "--unify", "joint"]) == 0
    assert len(json.loads(capsys.readouterr().out)["objective"]) >= 2


def test_swapped_labels(files):
    out = []
    for labels in (["2", "1"], ["1", "2"]):
        arguments = ["segment", f"{files}/photo.png", f"{files}/scribbles.png", "-o", f"{files}/mask.png"]
        assert main([*arguments, "--object-label", labels[0], "--background-label", labels[1]]) == 0
        out.append(read_image(files / "mask.png") == 255)
    assert (out[0] != out[1]).mean() > 0.95


def test_project(files, capsys, two_blobs):
    Image.fromarray((two_blobs[2] * 255).astype(np.uint8)).save(files / "disc.png")
    assert main(["project", f"{files}/disc.png", "-o", f"{files}/out.png", "--figure", f"{files}/picture.png"]) == 0
    assert "convex" in capsys.readouterr().out
    mask = read_image(files / "out.png") == 255
    assert (mask != two_blobs[2]).mean() < 0.01
    grey = np.clip(two_blobs[2] * 0.8 + 0.1, 0, 1)
    Image.fromarray((grey * 255).astype(np.uint8)).save(files / "grey.png")
    assert main(["project", f"{files}/grey.png", "-o", f"{files}/out.png", "--probability", "--backend", "numpy"]) == 0


def test_errors_are_sentences_not_traces(files, capsys):
    assert main(["segment", f"{files}/nothing.png", f"{files}/scribbles.png", "-o", f"{files}/mask.png"]) == 2
    assert "varconvex: error: a readable image file was expected" in capsys.readouterr().err
    assert main(["segment", f"{files}/photo.png", f"{files}/photo.png", "-o", f"{files}/mask.png"]) == 2
    assert "the pens found in it are: none" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["segment"])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("output", "figure", "match"),
    [
        ("photo.png", "f.png", "already an input or an output"),
        ("mask.png", "mask.png", "already an input or an output"),
        ("no/mask.png", "f.png", "no such folder"),
        ("mask.jpg", "f.png", "the output's name must end in .png"),
        ("mask.png", "f.txt", "the output's name must end in .png"),
    ],
)
def test_outputs_are_judged_before_anything_is_computed(files, capsys, monkeypatch, output, figure, match):
    monkeypatch.setattr("varconvex.api.segment", None)
    before = (files / "photo.png").read_bytes()
    arguments = ["segment", f"{files}/photo.png", f"{files}/scribbles.png", "-o", f"{files}/{output}"]
    assert main([*arguments, "--figure", f"{files}/{figure}"]) == 2
    assert match in capsys.readouterr().err
    assert (files / "photo.png").read_bytes() == before
    assert sorted(p.name for p in files.iterdir()) == ["photo.png", "scribbles.png"]


@pytest.mark.parametrize(
    ("labels", "match"), [(("0", "1"), "0 is what is not labelled"), (("9", "1"), "got 9"), (("1", "1"), "two labels")]
)
def test_labels_that_are_not_there_are_named(files, capsys, labels, match):
    arguments = ["segment", f"{files}/photo.png", f"{files}/scribbles.png", "-o", f"{files}/mask.png"]
    assert main([*arguments, "--object-label", labels[0], "--background-label", labels[1]]) == 2
    assert match in capsys.readouterr().err


def test_an_interrupt_is_quiet(monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("varconvex.doctor.examine", interrupt)
    assert main(["doctor"]) == 130
    assert "interrupted" in capsys.readouterr().err


_INTERRUPTED = """
import atexit
from pathlib import Path
from varconvex import cli, temporary

class Owner: pass

owner = Owner()
Path("folder").write_text(str(temporary.folder(owner)))
atexit.register(Path("taken-apart").touch)
cli.main = lambda: 130
cli.command()
"""


def test_an_interrupted_command_ends_at_once_and_leaves_no_folder(tmp_path):
    """Exit functions of libraries would release again what was just being released: "double free detected"."""
    assert subprocess.run([sys.executable, "-c", _INTERRUPTED], cwd=tmp_path).returncode == 130
    assert not Path((tmp_path / "folder").read_text()).exists()
    assert not (tmp_path / "taken-apart").exists()


def test_doctor(capsys, monkeypatch):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "numba" in text
    assert "threads" in text
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["healthy"]
    monkeypatch.setattr("varconvex.doctor._version", lambda name: None)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "pip install numba" in text
    assert "extra plot: pip install matplotlib" in text


def test_doctor_without_metadata_says_so(capsys, monkeypatch):
    def unknown(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("varconvex.doctor.requires", unknown)
    assert main(["doctor"]) == 0
    assert "varconvex is not installed" in capsys.readouterr().out


def test_demo_finds_the_dahlia_that_was_meant(tmp_path, capsys):
    figure = tmp_path / "demo.png"
    assert main(["demo", "--figure", str(figure), "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["relative_gap"] <= 1e-3
    assert numbers["certificate"]["convex"]
    assert read_image(figure).shape[1] > 1000


def test_the_module_runs_as_the_command():
    run = subprocess.run([sys.executable, "-m", "varconvex", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("varconvex ")
