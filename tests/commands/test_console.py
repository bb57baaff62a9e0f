"""What a command says while it works, on a terminal and in a log; advice in words of the shell."""

import logging
import os
import re
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from PIL import Image

import varconvex
from varconvex import Progress
from varconvex.commands.console import Voice, in_shell_words, warnings_told
from varconvex.errors import ScribbleWarning
from varconvex.logs import COMPILING, LOGGER, compilation_logged
from varconvex.unify import JointProgress


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Repair them, or pass nan_policy='mask' to leave", "Repair them, or pass --nan-policy mask to leave"),
        ('pass nan_policy="mask".', "pass --nan-policy mask."),
        ("Pass rgba=True to leave it out, or rgba=False if", "Pass --rgba yes to leave it out, or --rgba no if"),
        ("pass channel_axis=-1 if its", "pass --channel-axis -1 if its"),
        ("(channel_axis=None)", "(--channel-axis none)"),
        ("Name them, e.g. shape={3: 'convex'}.", "Name them, e.g. --shape 3=convex."),
        ("or mark pixels to leave out with `mask=`.", "or mark pixels to leave out with --mask FILE."),
        ("raise max_iter or time_limit, or", "raise --max-iter or --time-limit, or"),
        ("(max_iter after 3 iterations)", "(max_iter after 3 iterations)"),
        ("spacing must hold 2; got [1]. Pass e.g. (1.0, 1.0).", "--spacing must hold 2; got [1]. Pass e.g. 1.0,1.0."),
        ("alpha must be a number", "--alpha must be a number"),
        ("Use unify='sequential'.", "Use --unify sequential."),
        ("the mask is empty; the shape too", "the mask is empty; the shape too"),
        ("scribbles must have the shape (3, 4) of it", "scribbles must have the shape (3, 4) of it"),
    ],
)
def test_advice_in_words_of_the_shell(message, expected):
    assert in_shell_words(message) == expected


def test_every_message_of_a_bad_image_is_in_words_of_the_shell(tmp_path, capsys, monkeypatch):
    from varconvex.cli import main

    monkeypatch.chdir(tmp_path)
    image = np.ones((6, 7))
    image[2, 3] = np.nan
    np.save("image.npy", image)
    np.save("rgba.npy", np.ones((6, 7, 4)))
    scribbles = np.zeros((6, 7), np.uint8)
    scribbles[0], scribbles[5] = 1, 2
    Image.fromarray(scribbles).save("scribbles.png")
    for name, advice in [("image.npy", "pass --nan-policy mask"), ("rgba.npy", "Pass --rgba yes")]:
        assert main(["segment", name, "scribbles.png", "-o", "out.png"]) == 2
        assert advice in capsys.readouterr().err
    assert main(["segment", "image.npy", "scribbles.png", "-o", "out.png", "--nan-policy", "mask"]) == 0
    assert "varconvex: warning: the image should vary" in capsys.readouterr().err


def test_a_log_has_lines(capsys):
    with Voice() as voice:
        voice.say("reading")
        voice.say("reading")
        logging.getLogger("varconvex").info("segmenting")
    assert capsys.readouterr().err == "varconvex: reading\nvarconvex: segmenting\n"
    with Voice(quiet=True) as voice:
        voice.say("reading")
        logging.getLogger("varconvex").info("segmenting")
        voice.progress(Progress(50, 1.0, 4.0, 3.0, 0.25, np.zeros(0)))
    assert capsys.readouterr() == ("", "")
    assert LOGGER.level == logging.NOTSET
    assert not any(isinstance(handler, Voice) for handler in LOGGER.handlers)


def test_what_lasts_is_said_again(capsys, monkeypatch):
    monkeypatch.setattr("varconvex.commands.console._EVERY", 0.2)
    with Voice() as voice:
        voice.say("solving")
        voice.progress(Progress(50, 1.0, 4.0, 3.0, 0.25, np.zeros(0)))
        time.sleep(0.7)
    assert re.search(r"varconvex: solving, [01] s, gap 2\.5e-01\n", capsys.readouterr().err)


def test_what_the_callback_shows_is_said_once(capsys):
    with Voice() as voice:
        for number in range(3):
            voice.progress(JointProgress(0, 1.0, 4.0, -np.inf, np.inf, np.zeros(0), round=number))
        voice.progress(Progress(50, 1.0, 4.0, 3.0, 0.25, np.zeros(0)))
        voice.progress(Progress(60, 1.0, 4.0, 4.0, 0.0, np.zeros(0)))
    assert capsys.readouterr().err.splitlines() == [
        "varconvex: unifying energy, shape and colours",
        "varconvex: solving",
    ]


def test_warnings_are_lines(capsys):
    with warnings_told():
        warnings.warn("pass strict=True to refuse them", ScribbleWarning, stacklevel=1)
    assert capsys.readouterr().err == "varconvex: warning: pass --strict to refuse them\n"


def first_words(arguments, folder, terminal):
    """Seconds until a command says something on standard error, and what."""
    ours, theirs = os.openpty() if terminal else os.pipe()
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    begin = time.monotonic()
    command = [sys.executable, "-m", "varconvex", *arguments]
    run = subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL, env=environment, cwd=folder)
    os.close(theirs)
    try:
        said = os.read(ours, 1000)
        seconds = time.monotonic() - begin
        while COMPILING.split(":")[0].encode() not in said and time.monotonic() - begin < 60:
            said += os.read(ours, 1000)
    finally:
        run.kill()
        run.wait()
        os.close(ours)
    return seconds, said.decode()


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
@pytest.mark.parametrize("terminal", [True, False])
def test_a_cold_start_says_something_within_two_seconds_and_that_kernels_are_compiled(tmp_path, terminal):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)).save(tmp_path / "image.png")
    scribbles = np.zeros((40, 40), np.uint8)
    scribbles[0], scribbles[20, 15:25] = 1, 2
    Image.fromarray(scribbles).save(tmp_path / "scribbles.png")
    seconds, said = first_words(["segment", "image.png", "scribbles.png", "-o", "mask.png"], tmp_path, terminal)
    assert seconds < 2
    assert "reading image.png" in said
    assert "compiling kernels" in said
    assert list(tmp_path.glob("mask*")) == []


def test_the_package_logs_its_stages(caplog):
    image = np.hypot(*np.mgrid[-9:10, -9:10]) < 5
    with caplog.at_level(logging.INFO, logger="varconvex"):
        varconvex.segment(image, {"object": [(9, 9)], "background": [(0, 0)]})
        varconvex.project(image)
    said = [record.getMessage() for record in caplog.records if "kernels" not in record.getMessage()]
    assert said[0] == "segmenting 19x19 pixels, labels 1, 2"
    assert said[1].startswith("segmented 19x19 pixels in ")
    assert said[2] == "projecting 19x19 pixels"


def test_kernels_that_are_compiled_are_counted(caplog):
    import numba

    with caplog.at_level(logging.INFO, logger="varconvex"), compilation_logged():
        numba.njit(lambda x: x + 1)(1)
    assert [record.getMessage()[:21] for record in caplog.records] == ["compiled 1 kernels in"]
    caplog.clear()
    with compilation_logged():
        numba.njit(lambda x: x + 2)(1)
    assert not caplog.records
