"""Messages of the canvas: what is encoded is decoded, and nothing that a browser may send raises another error."""

import struct

import numpy as np
import pytest

from varconvex.errors import InvalidParameterError
from varconvex.widget import messages
from varconvex.widget.messages import Limits, decode, decode_runs, encode_runs, frame, unframe

FLAT, VOLUME = Limits((20, 30), (1, 2, 5), ("convex", "hull")), Limits((7, 20, 30), (1, 2), ("convex",))
PLACE = {"view": "a1b2c3d4", "id": 3}
STROKE = {**PLACE, "label": 2, "width": 4.5, "axis": 0, "index": 0}
LABELS = [{"id": k, "name": f"<b>{k}</b>", "colour": "#0080ff"} for k in (1, 2, 5)]


def points(*pairs):
    return np.array(pairs, "<f4").tobytes()


LINE = points((3, 4), (5.5, -6))


def test_a_stroke_arrives_as_it_was_sent():
    got = decode(frame("stroke", STROKE, [LINE]), FLAT)
    assert (got.view, got.id, got.label, got.width, got.axis, got.index) == ("a1b2c3d4", 3, 2, 4.5, 0, 0)
    np.testing.assert_array_equal(got.points, [[3, 4], [5.5, -6]])
    assert decode(frame("stroke", {**STROKE, "axis": 2, "index": 29}, [LINE]), VOLUME).index == 29
    assert decode(frame("stroke", {**STROKE, "label": 0}, [LINE]), FLAT).label == 0


def test_the_other_messages_arrive_as_they_were_sent():
    assert decode(frame("action", {**PLACE, "name": "undo"}), FLAT) == messages.Action("a1b2c3d4", 3, "undo")
    view = {"view": "a1b2c3d4", "axis": 1, "index": 19, "mode": "certainty", "fresh": True}
    assert decode(frame("view", view), VOLUME) == messages.View("a1b2c3d4", 1, 19, "certainty", True)
    shape = {**PLACE, "label": 5, "shape": "hull"}
    assert decode(frame("shape", shape), FLAT) == messages.ShapeChoice("a1b2c3d4", 3, 5, "hull")
    assert decode(frame("shape", {**shape, "shape": None}), FLAT).shape is None
    assert [k.name for k in decode(frame("labels", {**PLACE, "labels": LABELS}), FLAT).labels] == [
        "<b>1</b>", "<b>2</b>", "<b>5</b>"
    ]  # fmt: skip


@pytest.mark.parametrize("change", [
    {"label": 3}, {"label": -1}, {"label": "2"}, {"label": True}, {"label": 2.0}, {"label": None}, {"label": [2]},
    {"width": 0}, {"width": -1}, {"width": 1e9}, {"width": "9"}, {"width": True}, {"width": None},
    {"axis": 1}, {"axis": -1}, {"index": 1}, {"index": -1}, {"index": 2**70}, {"axis": 0.0},
    {"id": 0}, {"id": -5}, {"id": 2**60}, {"id": "1"}, {"id": True},
    {"view": "../.."}, {"view": ""}, {"view": 7}, {"view": "a" * 99}, {"more": 1},
])  # fmt: skip
def test_wrong_headers_are_refused(change):
    with pytest.raises(InvalidParameterError, match="a message of the canvas must hold"):
        decode(frame("stroke", {**STROKE, **change}, [LINE]), FLAT)


@pytest.mark.parametrize("part", [
    b"", LINE[:-1], LINE[:4], points((np.nan, 1)), points((1, np.inf)), points((-np.inf, 1)), points((1e7, 1)),
    b"\x01\x00\xa0\x7f" * 2, bytes(8 * messages.MOST_POINTS + 8),
])  # fmt: skip
def test_wrong_points_are_refused(part):
    with pytest.raises(InvalidParameterError):
        decode(frame("stroke", STROKE, [part]), FLAT)


@pytest.mark.parametrize("labels", [
    [], {}, "12", LABELS[:2], [*LABELS, LABELS[0]], [{**LABELS[0], "name": ""}], [1, 2, 5],
    *([*LABELS[:2], {**LABELS[2], **wrong}] for wrong in (
        {"name": "x" * 81}, {"name": "a\u202eb"}, {"name": "a\nb"}, {"name": "\ud800"}, {"name": 3},
        {"colour": "red"}, {"colour": "#12345"}, {"colour": "#12345g"}, {"colour": "url(x)"}, {"id": 0}, {"x": 1},
    )),
])  # fmt: skip
def test_wrong_labels_are_refused(labels):
    with pytest.raises(InvalidParameterError):
        decode(frame("labels", {**PLACE, "labels": labels}), FLAT)


@pytest.mark.parametrize(("kind", "header"), [
    ("shape", {**PLACE, "label": 1, "shape": None}), ("shape", {**PLACE, "label": 2, "shape": "cube"}),
    ("shape", {**PLACE, "label": 2, "shape": ["hull"]}), ("action", {**PLACE, "name": "__init__"}),
    ("action", {**PLACE, "name": {}}), ("action", PLACE), ("view", {**PLACE, "axis": 0}), ("nothing", PLACE),
    ("view", {"view": "a1b2c3d4", "axis": 0, "index": 0, "mode": "labels", "fresh": 1}),
    ("view", {"view": "a1b2c3d4", "axis": 0, "index": 0, "mode": "all", "fresh": True}),
])  # fmt: skip
def test_wrong_choices_are_refused(kind, header):
    with pytest.raises(InvalidParameterError):
        decode(frame(kind, header), FLAT)


def raw(text, rest=b"", length=None):
    return b"VCX1" + struct.pack("<I", len(text) if length is None else length) + text + rest


@pytest.mark.parametrize("data", [
    b"", b"VCX1", b"VCX2" + bytes(20), raw(b"{}", length=99), raw(b"{}", length=2**32 - 1), raw(b"[]"), raw(b"null"),
    raw(b"\xff\xfe"), raw(b'{"kind": 1}'), raw(b"[" * 60_000), raw(b'{"kind": "stroke", "parts": [9]}', b"12"),
    raw(b'{"kind": "stroke", "parts": [-2, 4]}', b"12"), raw(b'{"kind": "stroke", "parts": [true]}', b"1"),
    raw(b'{"kind": "stroke", "parts": 2}', b"12"), raw(b'{"kind": "action", "id": NaN}'), raw(b"9" * 5000),
    bytes(messages.LARGEST_MESSAGE + 1), raw(b'{"kind": "stroke", "parts": [1e3]}', b"1"),
])  # fmt: skip
def test_what_is_no_message_is_refused(data):
    with pytest.raises(InvalidParameterError):
        decode(data, FLAT)


def test_spoilt_messages_are_read_or_refused_but_never_break(rng):
    """Single bytes changed, cut and inserted, and JSON values replaced at random: only the one error comes out."""
    whole = frame("stroke", STROKE, [LINE])
    values = [None, True, -1, 0.5, 2**80, "", "x" * 300, [], {}, [[]], {"a": []}]
    read = 0
    for turn in range(3000):
        data = bytearray(whole)
        if turn % 3:
            at = int(rng.integers(len(data)))
            data[at : at + int(rng.integers(3))] = rng.bytes(int(rng.integers(3)))
        else:
            header = {**STROKE, rng.choice(list(STROKE)): values[int(rng.integers(len(values)))]}
            data = frame("stroke", header, [rng.bytes(int(rng.integers(40)))])
        try:
            stroke = decode(bytes(data), FLAT)
        except InvalidParameterError:
            continue
        read += 1
        if isinstance(stroke, messages.Stroke):
            assert np.isfinite(stroke.points).all()
            assert stroke.label in (0, 1, 2, 5)
    assert 0 < read < 2000


def test_frames_hold_any_parts(rng):
    parts = [rng.bytes(n) for n in (0, 1, 1000)]
    header, got = unframe(frame("answer", {"gap": None, "text": "ü\u2028<"}, parts))
    assert header == {"kind": "answer", "gap": None, "text": "ü\u2028<"}
    assert got == parts
    with pytest.raises(ValueError, match="not JSON compliant"):
        frame("answer", {"gap": float("nan")})


@pytest.mark.parametrize("shape", [(1, 1), (13, 17), (1, 500)])
def test_runs_bring_label_images_back(rng, shape):
    ids = (1, 2, 7, 900)
    for smooth in (1, 5):
        labels = np.repeat(rng.choice([-1, 0, *ids], shape), smooth, axis=1)
        back = decode_runs(encode_runs(labels, ids), ids, labels.shape)
        np.testing.assert_array_equal(back, labels)
    np.testing.assert_array_equal(decode_runs(encode_runs(np.zeros(shape, int), ()), (), shape), 0)


def test_long_runs_are_cut(monkeypatch):
    monkeypatch.setattr(messages, "LONGEST_RUN", 10)
    labels = np.repeat([[1, 2, 1]], [30, 1, 29], axis=1)
    runs = encode_runs(labels, (1, 2))
    assert len(runs) == 4 * (3 + 1 + 3)
    np.testing.assert_array_equal(decode_runs(runs, (1, 2), labels.shape), labels)


@pytest.mark.parametrize("runs", [b"123", b"", struct.pack("<I", 7 << 8), struct.pack("<I", (6 << 8) + 9)])
def test_wrong_runs_are_refused(runs):
    with pytest.raises(InvalidParameterError):
        decode_runs(runs, (1, 2), (2, 3))


def test_a_large_label_image_is_small_as_runs():
    labels = 1 + (np.hypot(*np.mgrid[-500:500, -500:500]) < 300)
    assert len(encode_runs(labels, (1, 2))) < 10_000
