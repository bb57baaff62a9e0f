"""Layouts of data sets, robot, download and corruptions: written here, read back, and broken in every way."""

import hashlib
import sys
import time
import zipfile
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.error import HTTPError

import numpy as np
import pytest
from PIL import Image

from varconvex.datasets.corruptions import CORRUPTIONS, corrupt
from varconvex.datasets.download import fetch
from varconvex.datasets.folders import list_convexity, list_samples
from varconvex.datasets.robot import robot_scribbles
from varconvex.errors import (
    FileFormatError,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    MissingExtraError,
)
from varconvex.geometry.certify import fill_hull


@pytest.fixture
def convexity(tmp_path, two_blobs):
    """The convexity data set's layout with images 2 and 10, below a folder as in its archive."""
    image, scribbles, disc = two_blobs
    root = tmp_path / "data" / "convexity"
    for part in ("img", "ground_truth", "user_scribbles"):
        (root / part).mkdir(parents=True)
    levels = np.array([0, 128, 255], np.uint8)  # none, background, object
    for k in (10, 2):
        Image.fromarray((image * 255).astype(np.uint8)).save(root / "img" / f"img_{k}.png")
        Image.fromarray(disc.astype(np.uint8) * 255).save(root / "ground_truth" / f"GT_{k}.png")
        Image.fromarray(levels[scribbles]).save(root / "user_scribbles" / f"scribbleMask_{k}.png")
    return tmp_path / "data"


def zipped(folder):
    path = folder.parent / "convexity.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("how", ["folder", "inner", "zip"])
def test_the_convexity_data_set_from_folder_and_zip(convexity, two_blobs, how):
    _, scribbles, disc = two_blobs
    source = {"folder": convexity, "inner": convexity / "convexity", "zip": convexity}[how]
    entries = list_samples(zipped(source) if how == "zip" else source)
    assert [entry.name for entry in entries] == ["img_2", "img_10"]
    sample = entries[1].read()
    np.testing.assert_array_equal(sample.scribbles, scribbles)
    np.testing.assert_array_equal(sample.truth, disc)
    assert sample.scored.all()


def test_what_was_unpacked_goes_with_its_entries(convexity):
    entries = list_convexity(zipped(convexity))
    folder = entries[0].read.args[-1].folder
    assert folder.is_dir()
    del entries
    assert not folder.exists()


@pytest.mark.parametrize(
    ("part", "name"),
    [("ground_truth", "GT_2"), ("user_scribbles", "scribbleMask_2"), ("img", "img_2")],
)
def test_one_broken_file_hides_no_other(convexity, part, name):
    path = convexity / "convexity" / part / f"{name}.png"
    path.write_bytes(path.read_bytes()[:30])
    first, second = list_samples(convexity)
    with pytest.raises(FileFormatError, match=rf"{name}\.png"):
        first.read()
    assert second.read().name == "img_10"


def test_missing_files_sizes_and_levels_are_named(convexity):
    root = convexity / "convexity"
    (root / "ground_truth" / "GT_2.png").unlink()
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(root / "user_scribbles" / "scribbleMask_10.png")
    first, second = list_samples(convexity)
    with pytest.raises(FileFormatError, match=r"GT_2\.png does not exist"):
        first.read()
    with pytest.raises(FileFormatError, match=r"image's size \(90, 120\); it has \(5, 5\)"):
        second.read()
    Image.fromarray(np.zeros((90, 120), np.uint8)).save(root / "user_scribbles" / "scribbleMask_10.png")
    with pytest.raises(FileFormatError, match=r"three grey levels.*it has|has 1"):
        second.read()
    (root / "img" / "img_10.png").rename(root / "img" / "last.png")
    with pytest.raises(FileFormatError, match=r"named img_<number>; got 'last'"):
        list_samples(convexity)


def test_what_is_no_data_set_is_named(tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(FileFormatError, match="is neither"):
        list_samples(tmp_path / "broken.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FileFormatError, match="subfolders img, ground_truth and user_scribbles"):
        list_samples(tmp_path / "other.zip")
    with pytest.raises(FileFormatError, match="is not there"):
        list_samples(tmp_path / "nowhere")
    with pytest.raises(FileFormatError, match="has no images"):
        list_samples(tmp_path)


def test_an_archive_that_would_fill_the_disk_is_refused(convexity, monkeypatch):
    monkeypatch.setattr("varconvex.datasets.folders._LARGEST", 1000)
    with pytest.raises(FileFormatError, match="would unpack to"):
        list_samples(zipped(convexity))


def test_without_scribbles_a_robot_scribbles(tmp_path, two_blobs):
    image, _, disc = two_blobs
    for part in ("images", "ground_truth"):
        (tmp_path / part).mkdir()
    Image.fromarray((image * 255).astype(np.uint8)).save(tmp_path / "images" / "a.png")
    Image.fromarray(disc.astype(np.uint8) * 255).save(tmp_path / "ground_truth" / "a.png")
    one, two = (list_samples(tmp_path)[0].read() for _ in range(2))
    np.testing.assert_array_equal(one.scribbles, two.scribbles)
    assert disc[one.scribbles == 2].all()


def test_the_robot_keeps_to_its_sides_on_any_shape(rng):
    from scipy.ndimage import gaussian_filter, label

    for seed in range(20):
        field = gaussian_filter(rng.normal(size=(60, 80)), 6)
        field[:3] = field[:, :3] = field[-3:] = field[:, -3:] = -np.inf
        truth = field > np.quantile(field, 0.8)
        scribbles = robot_scribbles(truth, random_state=seed)
        assert truth[scribbles == 2].all()
        assert (scribbles == 2).any()
        assert (scribbles == 1).any()
        assert not (fill_hull(truth) & (scribbles == 1)).any()
        assert label(scribbles == 2, structure=np.ones((3, 3)))[1] == 1


def test_the_robot_draws_three_arcs():
    from scipy.ndimage import label

    truth = np.hypot(*np.mgrid[-100:101, -100:101]) < 40
    parts = label(robot_scribbles(truth) == 1, structure=np.ones((3, 3)))[1]
    assert parts == 3


@pytest.mark.parametrize("truth", [np.zeros((9, 9), bool), np.ones((9, 9), bool)])
def test_a_robot_without_object_or_background_says_so(truth):
    with pytest.raises(InvalidScribblesError, match="a robot needs an object and background to scribble on"):
        robot_scribbles(truth)


def test_a_download_is_kept_and_its_checksum_recorded(tmp_path, convexity):
    archive = zipped(convexity)
    path = fetch(archive.as_uri(), tmp_path / "kept")
    recorded = path.with_name("convexity.zip.sha256").read_text()
    assert len(recorded.strip()) == 64
    archive.unlink()  # what is there is not fetched again
    assert fetch(archive.as_uri(), tmp_path / "kept") == path
    assert len(list_samples(path)) == 2
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(FileFormatError, match="must have the checksum recorded"):
        fetch(archive.as_uri(), tmp_path / "kept")


@contextmanager
def served(answer):
    """The address of a server that answers one request by a function of its handler."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(OSError):
                answer(self)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/a.zip"


def short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1500")
    handler.end_headers()
    handler.wfile.write(b"x" * 500)


def page(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"<html>moved</html>")


def slow(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):  # a byte now and then, each before any socket's time is over
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def slow_head(handler):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
    for _ in range(40):
        handler.wfile.write(b"X: y\r\n")
        time.sleep(0.05)


def missing(handler):
    handler.send_error(404)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (short, r"500 bytes came of 1500"),
        (page, "18 bytes came that are no zip file"),
        (slow, r"more than 0\.3 seconds"),
        (slow_head, r"more than 0\.3 seconds"),
        (missing, "404"),
    ],
)
def test_a_download_that_is_not_whole_and_in_time_is_not_kept(tmp_path, answer, match):
    with served(answer) as url, pytest.raises(FileFormatError, match=rf"could not be fetched .*{match}") as caught:
        fetch(url, tmp_path, time_limit=0.3)
    assert not list(tmp_path.iterdir())
    cause = caught.value.__cause__.__cause__.__cause__
    assert not isinstance(cause, HTTPError) or cause.fp.closed  # it would keep its connection


def test_a_checksum_that_is_known_beforehand(tmp_path, convexity):
    archive = zipped(convexity)
    known = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(FileFormatError, match=f"its SHA-256 is {known}, and 0000"):
        fetch(archive.as_uri(), tmp_path / "kept", sha256="0" * 64)
    assert not list((tmp_path / "kept").iterdir())
    assert fetch(archive.as_uri(), tmp_path / "kept", sha256=known.upper()).name == "convexity.zip"
    with pytest.raises(FileFormatError, match="or asked for, 0000"):
        fetch(archive.as_uri(), tmp_path / "kept", sha256="0" * 64)
    for wrong in ("", "12", "g" * 64):
        with pytest.raises(InvalidParameterError, match="64 hexadecimal digits"):
            fetch(archive.as_uri(), tmp_path / "kept", sha256=wrong)


def test_a_folder_in_the_place_of_a_download_is_named(tmp_path, convexity):
    (tmp_path / "kept" / "convexity.zip").mkdir(parents=True)
    with pytest.raises(FileFormatError, match="a folder is there"):
        fetch(zipped(convexity).as_uri(), tmp_path / "kept")


@pytest.mark.parametrize(
    "url",
    ["ftp://host/a.zip", "convexity.zip", "https://host/", "file:///no/such/thing.zip", "http://127.0.0.1:1/a b/c.zip",
     "file:///tmp/..", "https://host/.", "https://host/a b.zip", "https://host/a\nb.zip", "https://host:port/a.zip",
     "https://[::1/a.zip", "file:///etc", "", "https://host/x/..."],
)  # fmt: skip
def test_what_cannot_be_fetched_is_named(tmp_path, url):
    with pytest.raises(FileFormatError, match=r"an address of a file was expected|could not be fetched"):
        fetch(url, tmp_path)
    assert not list(tmp_path.glob("*"))


@pytest.fixture
def photograph(two_blobs):
    return (two_blobs[0] * 255).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_repeat_grow_and_leave_the_world_alone(photograph, name):
    pytest.importorskip("imagecorruptions")
    kept = photograph.copy()
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    one, two = (corrupt(photograph, name, 5, random_state=1) for _ in range(2))
    assert np.random.random() == expected  # noqa: NPY002
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(photograph, kept)
    assert one.shape == photograph.shape
    assert one.dtype == np.uint8
    change = [np.abs(corrupt(photograph, name, s, random_state=1).astype(float) - kept).mean() for s in (1, 5)]
    assert change[1] > change[0] > 0


def test_corruptions_have_imagenet_cs_constants(photograph):
    pytest.importorskip("imagecorruptions")
    x = photograph / 255
    means = x.mean(axis=(0, 1))
    expected = np.clip((x - means) * 0.05 + means, 0, 1) * 255
    assert np.abs(corrupt(photograph, "contrast", 5) - expected).max() < 1
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = corrupt(grey, "gaussian_noise", 1, random_state=0) / 255
    assert noise.std() == pytest.approx(0.08, rel=0.02)
    shot = corrupt(grey, "shot_noise", 1, random_state=0) / 255
    assert shot.std() == pytest.approx(np.sqrt(128 / 255 / 60), rel=0.03)
    impulse = corrupt(grey, "impulse_noise", 5, random_state=0)
    assert np.isin(impulse, (0, 255)).mean() == pytest.approx(0.27, rel=0.03)


@pytest.mark.parametrize(
    ("image", "name", "severity", "error", "match"),
    [
        (np.zeros((40, 40, 3), np.uint8), "frost", 5, InvalidParameterError, "name must be one of 'spatter'"),
        (np.zeros((40, 40, 3), np.uint8), "contrast", 6, InvalidParameterError, "severity must be one of '1'"),
        (np.zeros((40, 40, 3), np.uint8), "contrast", 0, InvalidParameterError, "severity must be a finite number"),
        (np.zeros((40, 40, 3)), "contrast", 5, InvalidImageError, "got float64"),
        (np.zeros((31, 40, 3), np.uint8), "contrast", 5, InvalidImageError, "at least 32 pixels"),
        (np.zeros((40, 40), np.uint8), "contrast", 5, InvalidImageError, "three channels"),
    ],
)
def test_corruptions_judge_what_they_get(image, name, severity, error, match):
    with pytest.raises(error, match=match):
        corrupt(image, name, severity)


def test_a_missing_package_is_named(photograph, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)
    with pytest.raises(MissingExtraError, match="pip install imagecorruptions-imaug"):
        corrupt(photograph, "contrast")
