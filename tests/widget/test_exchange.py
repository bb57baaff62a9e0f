"""What canvases send reaches the session, and what it finds reaches them, whatever they send and in which order."""

import threading
import time

import numpy as np
import pytest

from varconvex import Session, segment
from varconvex.widget.exchange import Exchange
from varconvex.widget.labels import first_labels
from varconvex.widget.messages import decode_runs, frame, unframe
from varconvex.widget.pictures import Planes, doubt


class Canvas:
    """A canvas without a browser: keeps what it is sent."""

    def __init__(self, session, view="aaaa0001", **more):
        self.view, self.id, self.messages = view, 0, []
        self.exchange = Exchange.of(session, lambda data: self.messages.append(unframe(data)), **more)

    def send(self, kind, parts=(), **header):
        self.id += 1
        return self.exchange.receive(frame(kind, {"view": self.view, "id": self.id, **header}, parts))

    def look(self, axis=0, index=0, mode="labels", fresh=True):
        header = {"view": self.view, "axis": axis, "index": index, "mode": mode, "fresh": fresh}
        self.exchange.receive(frame("view", header))

    def draw(self, label, *points, width=3, axis=0, index=0):
        line = np.array(points, "<f4").tobytes()
        return self.send("stroke", [line], label=label, width=width, axis=axis, index=index)

    def settle(self):
        assert self.exchange.wait(30)

    def last(self, kind):
        return next(((h, p) for h, p in reversed(self.messages) if h["kind"] == kind), None)

    def labels(self, kind="answer"):
        header, parts = self.last(kind)
        return decode_runs(parts[0], header["ids"], (header["rows"], header["columns"]))


@pytest.fixture
def canvas(two_blobs):
    made = Canvas(Session(two_blobs[0]))
    made.look()
    made.settle()
    yield made
    made.exchange.close()


OBJECT, SIDES = [(40, 30), (40, 50)], [(6, 6), (6, 110), (84, 110)]


def test_a_canvas_is_shown_the_image_and_told_what_there_is(canvas):
    header, (picture,) = canvas.last("image")
    assert (header["rows"], header["columns"], header["type"]) == (90, 120, "image/png")
    assert picture.startswith(b"\x89PNG")
    state = canvas.last("state")[0]
    assert [k["name"] for k in state["labels"]] == ["background", "object"]
    assert not state["ready"]
    assert {"convex", "ellipse"} <= set(state["shapes"])
    assert "frames" not in state["shapes"]
    assert canvas.last("answer") is None


def test_strokes_get_the_answer_of_segment(canvas, two_blobs):
    canvas.draw(1, *SIDES)
    canvas.draw(2, *OBJECT, width=5)
    canvas.settle()
    expected = segment(two_blobs[0], canvas.exchange.session.scribbles)
    np.testing.assert_array_equal(canvas.labels(), expected.labels)
    np.testing.assert_array_equal(canvas.labels("seeds"), expected.seeds)
    header = canvas.last("answer")[0]
    assert header["final"]
    assert header["acknowledged"] == canvas.id
    assert 0 <= header["gap"] <= 1e-3
    assert not canvas.last("state")[0]["busy"]


def told(canvas, seconds=30):
    """What canvases are told of the shapes that the objects nearly have, once they are."""
    end = time.monotonic() + seconds
    while not canvas.last("state")[0]["nearly"] and time.monotonic() < end:
        time.sleep(0.02)
    return canvas.last("state")[0]["nearly"]


def test_a_quiet_answer_is_followed_by_the_shapes_that_it_nearly_has(canvas, monkeypatch):
    monkeypatch.setattr("varconvex.widget.exchange._QUIET", 0.0)
    canvas.draw(1, *SIDES)
    assert canvas.last("state")[0]["nearly"] == ""
    canvas.draw(2, *OBJECT, width=5)
    canvas.settle()
    names = canvas.exchange.session.result.describe()[0]["nearly"]
    assert names[0] == "ellipse"  # a disc
    assert told(canvas) == "nearly " + ", ".join(names[:3])
    canvas.draw(1, (8, 8), (8, 60))  # while strokes are new, nothing is said of the old answer
    assert canvas.last("state")[0]["nearly"] == ""


def test_erase_undo_redo_and_clear(canvas):
    session = canvas.exchange.session
    canvas.draw(1, *SIDES)
    canvas.draw(2, *OBJECT)
    both = session.scribbles
    canvas.draw(0, *OBJECT, width=9)
    assert set(np.unique(session.scribbles)) == {0, 1}
    canvas.send("action", name="undo")
    np.testing.assert_array_equal(session.scribbles, both)
    canvas.settle()
    answer = canvas.labels()
    canvas.send("action", name="clear")
    canvas.settle()
    assert not canvas.labels("seeds").any()
    assert not canvas.last("state")[0]["ready"]
    canvas.send("action", name="undo")
    canvas.settle()
    np.testing.assert_array_equal(canvas.labels(), answer)
    canvas.send("action", name="undo")
    canvas.send("action", name="redo")
    np.testing.assert_array_equal(session.scribbles, both)


def test_messages_count_once_and_in_their_order(canvas):
    """One that comes twice is left out, and one before which another was lost, until that comes."""
    canvas.draw(1, *SIDES)
    canvas.id -= 1
    canvas.draw(1, (60, 60), (70, 60))
    assert canvas.exchange.session.scribbles[65, 60] == 0
    canvas.id += 1
    canvas.draw(1, (60, 60), (70, 60))
    assert canvas.exchange.session.scribbles[65, 60] == 0
    canvas.settle()
    assert canvas.last("state")[0]["acknowledged"] == {canvas.view: 1}
    canvas.id -= 2
    for _ in range(2):
        canvas.draw(1, (60, 60), (70, 60))
    canvas.settle()
    assert canvas.exchange.session.scribbles[65, 60] == 1
    assert canvas.last("state")[0]["acknowledged"] == {canvas.view: 3}


def test_many_canvases_come_and_go(canvas):
    for k in range(40):
        canvas.view, canvas.id = f"cccc{k:04d}", 0
        canvas.look()
        canvas.draw(1, (2 * k, 3))
    canvas.settle()
    assert (canvas.exchange.session.scribbles[:80:2, 3] == 1).all()
    assert len(canvas.last("state")[0]["acknowledged"]) <= 16


def test_fifty_strokes_at_once_end_with_the_answer_of_all(canvas, two_blobs, rng):
    """The latest wins: no more solves than strokes, and what is shown last is the answer to all of them."""
    canvas.draw(1, *SIDES)
    begin = time.perf_counter()
    for _ in range(50):
        row, column = rng.uniform(34, 46), rng.uniform(34, 46)
        canvas.draw(2, (row, column), (row + 1, column + 1))
    assert time.perf_counter() - begin < 2
    canvas.settle()
    expected = segment(two_blobs[0], canvas.exchange.session.scribbles)
    np.testing.assert_array_equal(canvas.labels(), expected.labels)
    assert canvas.last("seeds")[0]["acknowledged"] == canvas.id


def test_strokes_from_many_threads_are_all_there(canvas):
    def draw(view):
        for k in range(10):
            line = np.array([(8 * int(view[-1]) + 4, 10 * k + 5)], "<f4").tobytes()
            header = {"view": view, "id": k + 1, "label": 2, "width": 1, "axis": 0, "index": 0}
            canvas.exchange.receive(frame("stroke", header, [line]))

    threads = [threading.Thread(target=draw, args=(f"bbbb000{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (canvas.exchange.session.scribbles == 2).sum() == 80


def test_nonsense_is_answered_and_changes_nothing(canvas):
    canvas.draw(1, *SIDES)
    before = canvas.exchange.session.scribbles
    assert not canvas.exchange.receive(b"nonsense")
    assert not canvas.draw(9, (1, 1))
    assert not canvas.draw(2, (np.nan, 1))
    header = canvas.last("said")[0]
    assert "a message of the canvas must hold" in header["text"]
    np.testing.assert_array_equal(canvas.exchange.session.scribbles, before)
    assert canvas.draw(2, (-500, -500), (-400, -500))  # off the image: allowed, and draws nothing
    np.testing.assert_array_equal(canvas.exchange.session.scribbles, before)


def test_contradictions_are_said_and_the_next_stroke_mends_them(two_blobs):
    canvas = Canvas(Session(two_blobs[0], shape="convex"))
    canvas.look()
    canvas.draw(2, (40, 30), (40, 50))
    canvas.draw(1, (40, 40), width=1)
    canvas.settle()
    state = canvas.last("state")[0]
    assert state["trouble"]
    assert not state["busy"]
    assert "convex" in state["text"]
    canvas.send("action", name="undo")
    canvas.draw(1, *SIDES)
    canvas.settle()
    assert not canvas.last("state")[0]["trouble"]
    assert canvas.last("answer")[0]["certified"] == ["certified convex"]
    canvas.exchange.close()


@pytest.mark.filterwarnings("ignore::varconvex.errors.ConvergenceWarning")
def test_warnings_of_the_answer_are_said_with_it(two_blobs):
    canvas = Canvas(Session(two_blobs[0], max_iter=1, tol=1e-9))
    canvas.look()
    canvas.draw(1, *SIDES)
    canvas.settle()
    assert not canvas.last("state")[0]["warning"]
    canvas.draw(2, *OBJECT)
    canvas.settle()
    said = canvas.last("state")[0]
    assert "max_iter" in said["text"]
    assert said["warning"]
    assert not said["trouble"]
    canvas.send("action", name="undo")
    canvas.settle()
    assert not canvas.last("state")[0]["text"]
    canvas.exchange.close()


def test_each_object_has_a_shape_of_its_own(canvas):
    canvas.send(
        "labels", labels=[{"id": k, "name": n, "colour": "#00ff00"} for k, n in ((1, "b"), (2, "a"), (3, "<i>"))]
    )
    canvas.draw(1, *SIDES)
    canvas.draw(2, *OBJECT)
    canvas.draw(3, (55, 90), (65, 100))
    canvas.send("shape", label=3, shape="hull")
    canvas.settle()
    assert canvas.exchange.session.shape == {3: "hull"}
    assert set(canvas.exchange.session.result.certificates) == {3}
    assert canvas.last("state")[0]["chosen"] == {"3": "hull"}
    canvas.send("shape", label=3, shape=None)
    canvas.settle()
    assert not canvas.exchange.session.result.certificates
    assert [k["name"] for k in canvas.last("state")[0]["labels"]] == ["b", "a", "<i>"]
    canvas.send("action", name="undo")  # a shape is no step of the history
    assert set(np.unique(canvas.exchange.session.scribbles)) == {0, 1, 2}


def test_a_canvas_that_comes_later_sees_everything(canvas):
    """As after a page is loaded again: image, strokes, labels and answer are sent anew, and only to it."""
    canvas.draw(1, *SIDES)
    canvas.draw(2, *OBJECT)
    canvas.settle()
    answer, count = canvas.labels(), len(canvas.messages)
    canvas.view, canvas.id = "cccc0001", 0
    canvas.look()
    canvas.settle()
    later = [(h, p) for h, p in canvas.messages[count:] if h["kind"] != "state"]
    assert [h["kind"] for h, _ in later] == ["image", "seeds", "answer"]
    assert {h["view"] for h, _ in later} == {"cccc0001"}
    assert later[0][0]["strokes"]
    np.testing.assert_array_equal(canvas.labels(), answer)


def test_certainty_is_a_picture_of_doubt(canvas):
    canvas.draw(1, *SIDES)
    canvas.draw(2, *OBJECT)
    canvas.settle()
    assert not canvas.exchange.session.certainty
    canvas.look(mode="certainty", fresh=False)
    canvas.settle()
    header, parts = canvas.last("answer")
    assert len(parts) == 2
    assert parts[1].startswith(b"\x89PNG")
    result = canvas.exchange.session.result
    assert result.certainty is not None
    assert header["next"] == (None if result.next_stroke() is None else list(result.next_stroke()))
    canvas.look(mode="labels", fresh=False)
    canvas.settle()
    assert not canvas.exchange.session.certainty
    assert len(canvas.last("answer")[1]) == 1


def test_doubt_is_opaque_where_nothing_is_certain():
    import io

    from PIL import Image

    shades = np.ones((2, 3), np.float32)
    shades[1, 1], shades[0, 2] = 0, 0.8
    alpha = np.asarray(Image.open(io.BytesIO(doubt(shades))).convert("RGBA"))[..., 3]
    np.testing.assert_array_equal(alpha, [[0, 0, 51], [0, 255, 0]])


def test_strokes_in_a_volume_stay_in_their_plane(rng):
    volume = rng.normal(size=(8, 20, 24))
    volume[2:6, 5:15, 6:18] += 6
    canvas = Canvas(Session(volume, spacing=(2, 1, 1)))
    canvas.look(axis=0, index=3)
    canvas.settle()
    offered = canvas.last("state")[0]["shapes"]
    assert {"convex", "frames", "star"} <= set(offered)
    assert not {"ellipse", "symmetric"} & set(offered)
    assert canvas.last("image")[0]["step"] == [1, 1]
    canvas.draw(2, (10, 9), (10, 14), width=5, axis=0, index=3)
    canvas.draw(1, (2, 2), (2, 20), axis=1, index=1)
    seeds = canvas.exchange.session.scribbles
    assert set(np.argwhere(seeds == 2)[:, 0]) == {3}
    assert set(np.argwhere(seeds == 1)[:, 1]) == {1}
    canvas.settle()
    labels = canvas.exchange.session.result.labels
    np.testing.assert_array_equal(canvas.labels(), labels[3])
    canvas.look(axis=2, index=10, fresh=False)
    canvas.settle()
    assert canvas.last("image")[0]["step"] == [2, 1]
    np.testing.assert_array_equal(canvas.labels(), labels[:, :, 10])
    canvas.exchange.close()


@pytest.mark.parametrize("kind", ["uint8", "uint16", "bool", "float", "nan", "constant", "two channels"])
def test_any_image_can_be_shown(rng, kind):
    import io

    from PIL import Image

    grey = rng.integers(0, 256, (30, 40))
    image = {
        "uint8": grey.astype(np.uint8), "uint16": (grey * 200).astype(np.uint16), "bool": grey > 99,
        "float": grey / 7 - 3, "nan": np.where(grey > 250, np.nan, grey), "constant": np.full((30, 40), 3.0),
        "two channels": np.stack([grey, grey[::-1]], -1) / 9,
    }[kind]  # fmt: skip
    before = image.copy()
    media, data = Planes(image, (30, 40)).picture(0, 0)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(int)
    assert media == "image/png"
    assert shown.shape == (30, 40)
    if kind == "uint8":
        np.testing.assert_array_equal(shown, image)
    elif kind != "constant":
        assert shown.max() - shown.min() > 200
    np.testing.assert_array_equal(image, before)


def test_first_labels_have_different_colours():
    labels = first_labels({2: "cell", 3: "nucleus"}, [5])
    assert [(k.id, k.name) for k in labels] == [(1, "background"), (2, "cell"), (3, "nucleus"), (5, "object 4")]
    assert len({k.colour for k in labels}) == 4
