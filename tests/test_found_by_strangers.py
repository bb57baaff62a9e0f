"""Things that nobody had thought of: each ended in a bare error, a foreign warning, a hang or a wrong answer."""

import decimal
import os
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

import varconvex
from varconvex import (
    EnergyPredictor,
    GaussianMixtureLikelihood,
    GivenPredictor,
    HistogramLikelihood,
    HullShape,
    Potts,
    ScribbleClassifier,
    Segmentation,
    Session,
    TwoPhase,
    certify,
    denoise_rof,
    pdhg,
    pixel_table,
    project,
    segment,
    threads,
    warm_up,
)
from varconvex.batch import run as run_batch
from varconvex.cli import main
from varconvex.datasets import fetch, list_folder, list_samples
from varconvex.errors import (
    FileFormatError,
    InvalidParameterError,
    InvalidScribblesError,
    UnsupportedTypeError,
    VarconvexError,
)
from varconvex.geometry.mirrors import mirrored
from varconvex.io import (
    open_image,
    read_labels,
    read_scribbles,
    write_labels,
    write_outlines,
    write_picture,
    write_text,
)
from varconvex.shapes import ICNN

IMAGE, SCRIBBLES = np.arange(12.0).reshape(3, 4), np.array([[1, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
NO_NUMBERS = [
    np.complex128(1 + 2j), np.ma.masked, bytearray(b"1"), memoryview(b"1"), np.array("3"), np.array([3.0]),
    np.timedelta64(3, "s"), decimal.Decimal("sNaN"), "3",
]  # fmt: skip


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_single_real_number_is_refused(value):
    for call in (
        lambda: denoise_rof(IMAGE, value),
        lambda: segment(IMAGE, SCRIBBLES, tol=value),
        lambda: HistogramLikelihood(sigma=value),
        lambda: pdhg(TwoPhase(IMAGE, 1.0), max_iter=value),
    ):
        with pytest.raises(InvalidParameterError, match=r"must be a (finite )?number"):
            call()


@pytest.mark.parametrize("number", [decimal.Decimal("0.5"), Fraction(1, 2), np.array(0.5), np.float16(0.5)])
def test_every_kind_of_real_number_is_one(number):
    for part in (HistogramLikelihood, GaussianMixtureLikelihood):
        name = "sigma" if part is HistogramLikelihood else "reg_covar"
        found, expected = (
            segment(IMAGE, SCRIBBLES, likelihood=part(**{name: value}), max_iter=0) for value in (number, 0.5)
        )
        np.testing.assert_array_equal(found.costs, expected.costs)


def test_seeds_beyond_53_bits_differ():
    one, two = (varconvex.checks.generator(2**60 + k).integers(2**60) for k in range(2))
    assert one != two


def test_large_integers_keep_their_differences():
    small = np.arange(12).reshape(3, 4)
    expected = segment(small, SCRIBBLES, max_iter=20)
    for offset, dtype in ((2**62, np.int64), (-(2**63), np.int64), (2**64 - 20, np.uint64)):
        image = np.array([[offset + int(n) for n in row] for row in small], dtype)
        np.testing.assert_array_equal(segment(image, SCRIBBLES, max_iter=20).costs, expected.costs)


@pytest.mark.parametrize("axis", [(2**31, 0, 2**31 * 5), (2**40, 1, 3), (-(2**33), 2**33, 2**34)])
def test_mirror_axes_of_large_integers_are_exact(axis):
    """By fractions: the image of a pixel is where the formula says, in integers of any size."""
    shape, (p, q, o) = (6, 7), axis
    square = p * p + q * q
    for y, x in np.ndindex(shape):
        twice = 2 * (p * y + q * x) - o
        place = [(2 * (n * square - twice * k) + square) // (2 * square) for n, k in ((y, p), (x, q))]
        there = all(0 <= n < side for n, side in zip(place, shape, strict=True))
        assert mirrored(shape, axis)[y, x] == (place[0] * shape[1] + place[1] if there else -1)


def test_a_certificate_about_a_large_axis_is_that_of_the_same_small_one():
    mask = np.zeros((6, 7), bool)
    mask[1:5, 2:4] = True
    for scale in (1, 2**31, 2**40):
        assert certify(mask, "symmetric", axis=(scale, 0, 5 * scale))
        assert not certify(mask, "symmetric", axis=(scale, 0, 4 * scale))


@pytest.mark.parametrize(
    "points", [np.array([[True, False]]), [[True, False]], np.array([[1 + 1j, 2]]), np.ma.masked_equal([[1, 2]], 2)]
)
def test_points_that_are_none_are_refused(points):
    with pytest.raises(InvalidScribblesError, match=r"polyline must be finite points .* and type"):
        segment(IMAGE, {1: points, 2: [(2, 2)]})


def test_labelled_arrays_that_hold_no_image_are_named():
    xarray = pytest.importorskip("xarray")
    for odd in (xarray.DataArray(3.0), xarray.Dataset({"a": (("y", "x"), IMAGE)})):
        with pytest.raises(VarconvexError, match="must be"):
            segment(odd, SCRIBBLES)


class Odd:
    """Has dims and coords as an xarray, and values by a method."""

    dims, coords = ("y",), ()

    def values(self):
        raise NotImplementedError


def test_what_only_looks_like_a_labelled_array_is_named():
    with pytest.raises(UnsupportedTypeError, match="image must"):
        segment(Odd(), SCRIBBLES)


def test_an_axis_is_no_truth_value():
    with pytest.raises(InvalidParameterError, match="channel_axis must be None or an axis"):
        denoise_rof(np.zeros((3, 4, 5)), channel_axis=True)


@pytest.mark.parametrize("value", [3, True, 2.5, ["a.png"], None])
def test_what_is_no_path_is_named_at_every_door(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.ones((3, 4), int)
    for call in (
        open_image, read_labels, list_folder, list_samples, Segmentation.load, Session.load,
        lambda path: read_scribbles(path, IMAGE), lambda path: write_labels(path, labels),
        lambda path: write_text(path, "a"), lambda path: run_batch("a.png", path), project(IMAGE > 3).save,
        lambda path: fetch("file:///no.zip", path), lambda path: segment(IMAGE, SCRIBBLES, scratch=path or 0),
    ):  # fmt: skip
        with pytest.raises(UnsupportedTypeError, match="must be a path"):
            call(value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["pipe", "pipe.json", "pipe.csv", "pipe.npz"])
def test_pipes_are_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    calls = [lambda path: read_scribbles(path, IMAGE), Segmentation.load, Session.load, open_image]
    if name.endswith(".csv"):
        calls.append(lambda path: run_batch(path, tmp_path / "out"))
    for call in calls:
        failed = []

        def work(call=call, failed=failed):
            with pytest.raises(FileFormatError, match="pipe or a device"):
                call(tmp_path / name)
            failed.append(True)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(20)
        assert failed


def test_links_in_a_circle_are_named(tmp_path, capsys):
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    np.save(tmp_path / "mask.npy", IMAGE > 3)
    for argv in (
        ["project", str(loop), "-o", str(tmp_path / "out.png")],
        ["project", str(tmp_path / "mask.npy"), "-o", str(loop)],
        ["batch", str(tmp_path / "mask.npy"), "--out", str(loop)],
    ):
        assert main([*argv, "-q"]) == 2
        assert "varconvex: error:" in capsys.readouterr().err


def test_a_picture_may_be_named_by_its_ending_alone(tmp_path):
    write_picture(tmp_path / ".png", project(IMAGE > 3).plot())
    assert open_image(tmp_path / ".png").array.ndim == 3


def test_labels_in_half_precision_are_read_without_a_word(tmp_path):
    np.save(tmp_path / "labels.npy", SCRIBBLES.astype(np.float16))
    np.testing.assert_array_equal(read_labels(tmp_path / "labels.npy"), SCRIBBLES)


def test_contents_of_files_of_another_kind_are_named(tmp_path):
    labels = np.ones((3, 4), int)
    with pytest.raises(UnsupportedTypeError, match="text must be one"):
        write_text(tmp_path / "a.txt", 3)
    with pytest.raises(UnsupportedTypeError, match="picture must be"):
        write_picture(tmp_path / "a.png", labels)
    for colours in (["red"], ["#12345"], [1]):
        with pytest.raises(InvalidParameterError, match="colours must be texts #rrggbb"):
            write_labels(tmp_path / "a.png", labels, colours)
    with pytest.raises(InvalidParameterError, match="object_ids must be a sequence of labels"):
        write_outlines(tmp_path / "a.json", labels, 1)


def test_arguments_of_another_kind_are_named():
    mask, cost = IMAGE > 3, np.stack([IMAGE, -IMAGE])
    result = project(mask)
    fitted = HullShape().fit(mask)
    for call, match in (
        (lambda: HullShape().fit(mask, spacing="a"), "spacing must"),
        (lambda: HullShape().fit(mask, callback=3), "callback must"),
        (lambda: HullShape().fit(np.ma.masked_equal(IMAGE / 11, 0)), "target must be a plain array"),
        (lambda: fitted.rasterize(3), "shape must be two positive integers"),
        (lambda: fitted.rasterize((3, "a")), "shape must be two positive integers"),
        (lambda: certify(mask, ["convex"]), "shape must be one of"),
        (lambda: result.area_interval(label=[2]), "label must be an object"),
        (lambda: varconvex.certify_optimality(result, label=np.array([2, 3])), "label must be one of"),
        (lambda: warm_up(ndim=10**9), "ndim must be at most 3"),
        (lambda: Potts(cost, 1.0, upper=np.ma.masked), "upper must be"),
        (lambda: pdhg(TwoPhase(IMAGE, 1.0), coarse_to_fine=np.zeros(2)), "coarse_to_fine must be True or False"),
        (lambda: varconvex.pdhg_batch(3), "energies must be several"),
        (lambda: ICNN(2, dtype="int8"), "dtype must be float32 or float64"),
        (lambda: ICNN(2**63), "dim must be at most"),
        (lambda: EnergyPredictor("histogram", 1.0), "likelihood must be an object"),
        (lambda: GivenPredictor(IMAGE / 11, energy=1.0), "energy must be None or an EnergyPredictor"),
        (lambda: Session(IMAGE, strict="no"), "strict must be True or False"),
        (lambda: setattr(Session(IMAGE), "certainty", "no"), "certainty must be True or False"),
        (lambda: ScribbleClassifier(options=3).fit(IMAGE, SCRIBBLES), "options must be None or a dict"),
        (lambda: ScribbleClassifier().fit(np.ma.masked_equal(IMAGE, 3), SCRIBBLES), "X must be a plain array"),
        (lambda: pixel_table(IMAGE.astype(complex), SCRIBBLES), "image must hold"),
        (lambda: HistogramLikelihood(outliers=5e-324), "outliers must be"),
        (lambda: run_batch("a.png", "out", progress=3), "progress must be None or a function"),
    ):
        with pytest.raises(VarconvexError, match=match):
            call()


def test_a_session_names_labels_that_are_none():
    session = Session(IMAGE, {"object": "hull"}, likelihood="histogram")
    session.add([(0, 0)], 1)
    session.add([(2, 3)], 2)
    with pytest.raises(InvalidParameterError, match="shape must name labels of objects, 2; got 'object'"):
        session.result  # noqa: B018


def python(code, **environment):
    """A run of Python on a piece of code, with its output."""
    environment = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=100)


@pytest.mark.parametrize("value", ["0", "-1", "many", ""])
def test_a_number_of_threads_that_is_none_is_said_and_left_out(value):
    run = python(
        "import varconvex.threads as t, os; print(t.n_threads() >= 1, 'NUMBA_NUM_THREADS' in os.environ)",
        NUMBA_NUM_THREADS=value,
    )
    assert run.stdout.split() == ["True", "False"], run.stderr
    assert run.stderr.count("NUMBA_NUM_THREADS must be a whole number, at least 1; got") == 1
    assert "Traceback" not in run.stderr


def test_no_more_threads_are_started_than_a_machine_could_have(monkeypatch):
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 10**6)
    assert 1 < threads.n_threads() <= 1024


def test_at_the_interpreters_end_one_thread_computes():
    code = (
        "import atexit; from varconvex.threads import run\n"
        "atexit.register(lambda: print(run(lambda k: k * k, [(k,) for k in range(4)])))\n"
        "run(lambda k: k, [(0,), (1,)])\n"
    )
    run = python(code, NUMBA_NUM_THREADS="2")
    assert (run.stdout, run.stderr) == ("[0, 1, 4, 9]\n", "")


def test_a_path_in_bytes_is_named_where_bytes_are_warned_of():
    code = "from varconvex import denoise_rof\ntry: denoise_rof(b'a.png')\nexcept TypeError as e: print(e)"
    run = subprocess.run([sys.executable, "-bb", "-c", code], capture_output=True, text=True)
    assert "got the path 'a.png'" in run.stdout, run.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
def test_a_command_works_where_nobody_listens(tmp_path, closed):
    np.save(tmp_path / "mask.npy", IMAGE > 3)
    command = f"{sys.executable} -m varconvex project mask.npy --shape hull -o out.png --json {closed}"
    run = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out.png").exists()
    assert closed != "2>&-" or run.stdout.startswith("{")


@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path):
    np.save(tmp_path / "mask.npy", IMAGE > 3)
    command = [sys.executable, "-m", "varconvex", "project", "mask.npy", "--shape", "hull", "-o", "out.png"]
    run = subprocess.run(
        [*command, "--figure", "ü.png"],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert r"\xfc.png" in run.stdout
