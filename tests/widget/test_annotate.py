"""``varconvex annotate``: files in, a page, files out."""

import json
import sys
import threading
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from PIL import Image
from test_page import ask

from varconvex import annotate, segment
from varconvex.cli import main
from varconvex.errors import MissingExtraError
from varconvex.io.opening import open_image
from varconvex.io.reading import read_image, read_labels
from varconvex.io.writing import write_labels, write_probability
from varconvex.widget.messages import frame


@pytest.fixture
def photo(tmp_path, two_blobs):
    Image.fromarray((two_blobs[0] * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def drawing(monkeypatch):
    """Has the page, once it is served, drawn on and closed from another thread: a list of (label, points)."""
    strokes, troubles = [], []

    class Page(annotate.Page):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            threading.Thread(target=self.draw, daemon=True).start()

        def draw(self):
            send = f"/{self.token}/send"
            for number, (label, line) in enumerate([*strokes, ("end", None)], 1):
                where = {"view": "aaaa0001", "id": number}
                if label == "end":
                    assert self.exchange.wait(30)
                    ask(self, send, "POST", frame("action", {**where, "name": "end"}))
                else:
                    header = {**where, "label": label, "width": 4, "axis": 0, "index": 0}
                    troubles.append(ask(self, send, "POST", frame("stroke", header, [np.array(line, "<f4").tobytes()])))

    monkeypatch.setattr(annotate, "Page", Page)
    yield strokes
    assert all(status == 204 for status, _, _ in troubles)


STROKES = [(1, [(6, 6), (6, 110), (84, 110)]), (2, [(40, 30), (40, 50)])]


def test_strokes_and_mask_are_written(photo, drawing, capsys, two_blobs):
    drawing += STROKES
    assert main(["annotate", str(photo), "--no-browser", "--json"]) == 0
    said = capsys.readouterr()
    assert "draw at http://127.0.0.1:" in said.err
    assert json.loads(said.out)["converged"]
    seeds, mask = read_labels(photo.with_name("photo-scribbles.png")), read_image(photo.with_name("photo-mask.png"))
    assert set(np.unique(seeds)) == {0, 1, 2}
    np.testing.assert_array_equal(mask == 255, segment(read_image(photo), seeds).mask)


def test_strokes_are_gone_on_with(photo, drawing, capsys):
    drawing += STROKES[:1]
    names = ["--scribbles", str(photo.with_name("s.npy")), "-o", str(photo.with_name("m.npy"))]
    assert main(["annotate", str(photo), "--no-browser", *names]) == 0
    assert not photo.with_name("m.npy").exists()
    drawing[:] = STROKES[1:]
    assert main(["annotate", str(photo), "--no-browser", "--shape", "hull", *names]) == 0
    assert "certificate" in capsys.readouterr().out
    assert set(np.unique(np.load(photo.with_name("s.npy")))) == {0, 1, 2}
    assert set(np.unique(np.load(photo.with_name("m.npy")))) == {1, 2}


def test_strokes_and_mask_of_a_volume_are_files_like_it_with_its_spacing(tmp_path, drawing, capsys, rng):
    z, y, x = np.mgrid[:6, :30, :40]
    image = (np.hypot(y - 15, x - 20) < 9) + rng.normal(scale=0.1, size=z.shape)
    write_probability(tmp_path / "cell.ome.tif", image, spacing=(2.0, 0.5, 0.5), unit="um")
    drawing += [(1, [(3, 3), (3, 37), (27, 37)]), (2, [(12, 18), (18, 22)])]
    assert main(["annotate", str(tmp_path / "cell.ome.tif"), "--no-browser", "--json"]) == 0
    strokes, mask = (open_image(tmp_path / f"cell.ome-{name}.tif") for name in ("scribbles", "mask"))
    assert strokes.spacing == mask.spacing == (2.0, 0.5, 0.5)
    assert set(np.unique(strokes.array)) == {0, 1, 2}
    expected = segment(open_image(tmp_path / "cell.ome.tif").array, strokes.array, spacing=(2.0, 0.5, 0.5))
    np.testing.assert_array_equal(mask.array == 255, expected.mask)
    assert main(["annotate", str(tmp_path / "cell.ome.tif"), "-o", str(tmp_path / "m.png"), "--no-browser"]) == 2
    assert "m.png" in capsys.readouterr().err


def test_nothing_drawn_nothing_written(photo, drawing, capsys):
    assert main(["annotate", str(photo), "--no-browser"]) == 0
    assert "nothing drawn, nothing written" in capsys.readouterr().err
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


def test_ctrl_c_saves(photo, monkeypatch):
    def interrupted(address):
        raise KeyboardInterrupt

    write_labels(photo.with_name("s.png"), np.pad([[1, 2]], ((40, 49), (30, 88))), ["#0000ff", "#ff0000"])
    result, written = annotate.annotate(
        photo, photo.with_name("s.png"), photo.with_name("m.png"), viewer="page", started=interrupted
    )
    assert result is not None
    assert [path.name for path in written] == ["s.png", "m.png"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["-o", "photo.png"], "already an input or an output"),
        (["--scribbles", "photo.png"], "already an input or an output"),
        (["--scribbles", "colours.png"], "has colours"),
        (["--scribbles", "small.png"], "must have the image's"),
        (["-o", "mask.jpg"], "must end in .png"),
        (["--shape", "cube"], "shape must be one of"),
        ([], "Name the output"),
    ],
)
def test_bad_files_are_named_before_a_page_opens(photo, capsys, monkeypatch, arguments, match):
    monkeypatch.chdir(photo.parent)
    monkeypatch.setattr(annotate, "Page", None)
    photo.with_name("photo-mask.png").write_bytes(b"somebody's")
    Image.new("RGB", (120, 90), "red").save("colours.png")
    Image.new("L", (12, 9)).save("small.png")
    assert main(["annotate", "photo.png", "--no-browser", *arguments]) == 2
    assert match in capsys.readouterr().err
    assert photo.with_name("photo-mask.png").read_bytes() == b"somebody's"


def test_napari_is_opened_where_it_is_and_can_be_seen(photo, monkeypatch):
    monkeypatch.setattr(annotate.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for spec in (None, ModuleSpec("napari", None), ModuleSpec("napari", None, origin="napari/__init__.py")):
        monkeypatch.setattr(annotate, "find_spec", lambda _name, spec=spec: spec)
        assert annotate.usual_viewer() == "page"
        monkeypatch.setenv("DISPLAY", ":0")
        assert annotate.usual_viewer() == ("napari" if spec is not None and spec.origin else "page")
        monkeypatch.delenv("DISPLAY")
    monkeypatch.setitem(sys.modules, "napari", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"napari.*--viewer page"):
        annotate.annotate(photo, viewer="napari")


def test_labels_travel_through_files(tmp_path, rng):
    labels = rng.integers(0, 7, (20, 30))
    for name in ("a.png", "a.tif", "a.npy"):
        write_labels(tmp_path / name, labels, ["#0080ff", "#ff4040"])
        np.testing.assert_array_equal(read_labels(tmp_path / name), labels)
