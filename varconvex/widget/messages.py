"""Messages between a canvas in a browser and Python: bytes in both directions, checked before anything uses them.

A message is ``b"VCX1"``, the length of a header (uint32), the header (JSON in UTF-8) and binary parts, whose lengths
the header lists under "parts". All numbers are little-endian. A stroke is one message, and so is an answer.

Label images travel as runs of the flattened array, one uint32 each: the run's length times 256 plus an index: 0 for
label 0, k + 1 for the k-th of the label ids in the header, 255 for -1 (outside).
"""

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from ..errors import InvalidParameterError

MAGIC = b"VCX1"
LARGEST_HEADER = 1 << 16
MOST_POINTS = 1 << 16
LARGEST_MESSAGE = 8 + LARGEST_HEADER + 8 * MOST_POINTS
"""Bytes of the longest message that a canvas may send."""

LARGEST_LABEL, MOST_LABELS, LONGEST_NAME = 1000, 99, 80
FARTHEST, WIDEST = 1e6, 2000.0
"""Largest coordinate and brush, in pixels."""

LONGEST_RUN = (1 << 24) - 1
ACTIONS = ("undo", "redo", "clear", "cancel", "save", "end")
MODES = ("labels", "certainty")
_OUTSIDE = 255


@dataclass(frozen=True)
class Label:
    """A label of the canvas: its id (1 is the background), its name and its colour as ``#rrggbb``."""

    id: int
    name: str
    colour: str


@dataclass(frozen=True, eq=False)
class Stroke:
    """A stroke: points (n, 2) as (row, column) in the plane `index` across `axis`; label 0 erases; width in pixels."""

    view: str
    id: int
    label: int
    width: float
    axis: int
    index: int
    points: np.ndarray


@dataclass(frozen=True)
class Action:
    """One of `ACTIONS`."""

    view: str
    id: int
    name: str


@dataclass(frozen=True)
class View:
    """What a canvas shows: the plane `index` across `axis`, and labels or certainty; `fresh` asks for everything."""

    view: str
    axis: int
    index: int
    mode: str
    fresh: bool


@dataclass(frozen=True)
class ShapeChoice:
    """The shape that an object shall have; None for none."""

    view: str
    id: int
    label: int
    shape: str | None


@dataclass(frozen=True)
class LabelList:
    """All labels, with new names, colours or entries."""

    view: str
    id: int
    labels: tuple[Label, ...]


Message = Stroke | Action | View | ShapeChoice | LabelList


@dataclass(frozen=True)
class Limits:
    """What messages may refer to: the planes of an image of this `shape`, these label ids and names of shapes."""

    shape: tuple[int, ...]
    labels: tuple[int, ...]
    shapes: tuple[str, ...]


def frame(kind: str, header: Mapping[str, Any] | None = None, parts: Sequence[bytes] = ()) -> bytes:
    """The bytes of a message of this kind.

    Examples
    --------
    >>> unframe(frame("undo", {"id": 1}, [b"abc"]))
    ({'kind': 'undo', 'id': 1}, [b'abc'])
    """
    head = {"kind": kind, **(header or {}), "parts": [len(part) for part in parts]}
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    return b"".join([MAGIC, struct.pack("<I", len(text)), text, *parts])


def unframe(data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Header and parts of a message; an InvalidParameterError if the bytes are not one."""
    data = bytes(data)
    if len(data) < 8 or data[:4] != MAGIC:
        _refuse("bytes that begin with VCX1", f"{len(data)} bytes that begin with {data[:4]!r}")
    (length,) = struct.unpack_from("<I", data, 4)
    if length > min(LARGEST_HEADER, len(data) - 8):
        _refuse(f"a header of at most {LARGEST_HEADER} bytes that is all there", f"{length} of {len(data) - 8} bytes")
    try:
        header = json.loads(data[8 : 8 + length].decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse("a header in JSON", f"{type(error).__name__}")
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        _refuse("a header that is an object with a kind", f"{type(header).__name__}")
    lengths = header.pop("parts", [])
    sound = isinstance(lengths, list) and all(type(n) is int and n >= 0 for n in lengths)
    if not sound or sum(lengths) != len(data) - 8 - length:
        _refuse("parts whose lengths add up", f"{str(lengths)[:60]} for {len(data) - 8 - length} bytes")
    parts, at = [], 8 + length
    for n in lengths:
        parts.append(data[at : at + n])
        at += n
    return header, parts


def decode(data: bytes, limits: Limits) -> Message:
    """The message that a canvas has sent, after all checks.

    Parameters
    ----------
    data : bytes
        The message.
    limits : Limits
        What it may refer to.

    Returns
    -------
    Stroke, Action, View, ShapeChoice or LabelList

    Raises
    ------
    InvalidParameterError
        If anything about it is wrong: lengths, types, NaN, unknown labels, planes outside of the image. It is a
        ValueError, and no other exception leaves this function.

    Examples
    --------
    >>> limits = Limits((20, 30), (1, 2), ("convex",))
    >>> points = np.array([[3, 4], [5, 6]], "<f4").tobytes()
    >>> header = {"view": "a1b2c3d4", "id": 1, "label": 2, "width": 5, "axis": 0, "index": 0}
    >>> decode(frame("stroke", header, [points]), limits).points.tolist()
    [[3.0, 4.0], [5.0, 6.0]]
    """
    if len(data) > LARGEST_MESSAGE:
        _refuse(f"at most {LARGEST_MESSAGE} bytes", f"{len(data)}")
    header, parts = unframe(data)
    kind = header.pop("kind")
    if kind not in _DECODERS:
        _refuse(f"one of {', '.join(_DECODERS)}", repr(kind[:40]))
    keys, wanted, read = _DECODERS[kind]
    if set(header) != {"view", *keys} or len(parts) != wanted:
        _refuse(f"a {kind} with {', '.join(['view', *keys])}", f"{', '.join(header)[:80]} and {len(parts)} parts")
    if not isinstance(header["view"], str) or not re.fullmatch(r"[a-z0-9]{4,32}", header["view"]):
        _refuse("a view named by 4 to 32 letters and digits", repr(header["view"])[:60])
    return read(header, parts, limits)


def encode_runs(labels: np.ndarray, ids: Sequence[int]) -> bytes:
    """A label image as runs; `ids` (at most 254) are the labels it may hold besides 0 and -1.

    Examples
    --------
    >>> decode_runs(encode_runs(np.array([[1, 1, 2], [2, 0, -1]]), (1, 2)), (1, 2), (2, 3)).tolist()
    [[1, 1, 2], [2, 0, -1]]
    """
    flat = np.asarray(labels).reshape(-1)
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]])) if flat.size else np.zeros(0, int)
    lengths = np.diff(np.append(starts, flat.size))
    values = flat[starts].astype(np.int64)
    order = np.array(sorted(ids), np.int64)
    index = np.searchsorted(order, values) + 1 if len(order) else np.zeros_like(values)
    index = np.where(values == 0, 0, np.where(values < 0, _OUTSIDE, index))
    pieces = -(-lengths // LONGEST_RUN)  # a run that is too long for 24 bits is cut
    index, full = np.repeat(index, pieces), np.full(int(pieces.sum()), LONGEST_RUN)
    full[np.cumsum(pieces) - 1] = lengths - LONGEST_RUN * (pieces - 1)
    return (full * 256 + index).astype("<u4").tobytes()


def decode_runs(data: bytes, ids: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """The label image of runs: (*shape) int64; an InvalidParameterError if they are not of that size."""
    if len(data) % 4:
        _refuse("runs of four bytes each", f"{len(data)} bytes")
    runs = np.frombuffer(data, "<u4").astype(np.int64)
    table = np.full(256, -2, np.int64)
    table[: len(ids) + 1], table[_OUTSIDE] = [0, *sorted(ids)], -1
    values = table[runs & 255]
    if (runs >> 8).sum() != math.prod(shape) or (values == -2).any():
        _refuse(f"runs of {math.prod(shape)} pixels with known labels", f"{int((runs >> 8).sum())} pixels")
    return np.repeat(values, runs >> 8).reshape(shape)


def checked_labels(given: Any) -> tuple[Label, ...]:
    """Labels from a list of {"id", "name", "colour"}, by ascending id; an InvalidParameterError if it is none."""
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_LABELS:
        _refuse(f"1 to {MOST_LABELS} labels", type(given).__name__)
    found = {}
    for entry in given:
        if not isinstance(entry, dict) or set(entry) != {"id", "name", "colour"}:
            _refuse("labels with id, name and colour", repr(entry)[:80])
        label = Label(_whole("label", entry["id"], 1, LARGEST_LABEL), entry["name"], entry["colour"])
        if not isinstance(label.name, str) or not 1 <= len(label.name) <= LONGEST_NAME or not label.name.isprintable():
            _refuse(f"a name of 1 to {LONGEST_NAME} printable characters", repr(label.name)[:80])
        if not isinstance(label.colour, str) or not re.fullmatch(r"#[0-9a-f]{6}", label.colour):
            _refuse("a colour as #rrggbb", repr(label.colour)[:40])
        found[label.id] = label
    if len(found) < len(given):
        _refuse("labels with different ids", f"{[entry['id'] for entry in given]}")
    return tuple(found[k] for k in sorted(found))


def _stroke(header: dict[str, Any], parts: list[bytes], limits: Limits) -> Stroke:
    """A stroke, whose part holds pairs of float32."""
    label = _known_label(header["label"], (0, *limits.labels))
    width = header["width"]
    if type(width) not in (int, float) or not 0 < width <= WIDEST:
        _refuse(f"a brush of more than 0 and at most {WIDEST:g} pixels", repr(width)[:40])
    n = len(parts[0]) // 8
    if len(parts[0]) % 8 or not 1 <= n <= MOST_POINTS:
        _refuse(f"1 to {MOST_POINTS} points of eight bytes", f"{len(parts[0])} bytes")
    with np.errstate(invalid="ignore"):  # a NaN is refused in the next line
        points = np.frombuffer(parts[0], "<f4").reshape(-1, 2).astype(np.float64)
    if not (np.abs(points) <= FARTHEST).all():  # a NaN is not below either
        _refuse(f"finite coordinates within {FARTHEST:g} pixels", "others")
    return Stroke(header["view"], _id(header), label, float(width), *_plane(header, limits), points)


def _action(header: dict[str, Any], _parts: list[bytes], _limits: Limits) -> Action:
    if header["name"] not in ACTIONS:
        _refuse(f"one of {', '.join(ACTIONS)}", repr(header["name"])[:40])
    return Action(header["view"], _id(header), header["name"])


def _view(header: dict[str, Any], _parts: list[bytes], limits: Limits) -> View:
    if header["mode"] not in MODES or type(header["fresh"]) is not bool:
        _refuse(f"a mode of {', '.join(MODES)}, and fresh true or false", repr(header["mode"])[:40])
    return View(header["view"], *_plane(header, limits), header["mode"], header["fresh"])


def _shape(header: dict[str, Any], _parts: list[bytes], limits: Limits) -> ShapeChoice:
    label, shape = _known_label(header["label"], tuple(k for k in limits.labels if k > 1)), header["shape"]
    if shape is not None and (not isinstance(shape, str) or shape not in limits.shapes):
        _refuse(f"null or one of {', '.join(limits.shapes)}", repr(shape)[:40])
    return ShapeChoice(header["view"], _id(header), label, shape)


def _labels(header: dict[str, Any], _parts: list[bytes], limits: Limits) -> LabelList:
    labels = checked_labels(header["labels"])
    missing = set(limits.labels) - {label.id for label in labels}
    if missing:
        _refuse("a list with all labels there are", f"one without {sorted(missing)}")
    return LabelList(header["view"], _id(header), labels)


_PLANE = ("axis", "index")
_DECODERS: dict[str, tuple[tuple[str, ...], int, Any]] = {
    "stroke": (("id", "label", "width", *_PLANE), 1, _stroke),
    "action": (("id", "name"), 0, _action),
    "view": ((*_PLANE, "mode", "fresh"), 0, _view),
    "shape": (("id", "label", "shape"), 0, _shape),
    "labels": (("id", "labels"), 0, _labels),
}
"""For each kind of message its keys besides the view, its number of parts, and what reads it."""


def _plane(header: dict[str, Any], limits: Limits) -> tuple[int, int]:
    """Axis and index of a plane; a 2-D image has one, across axis 0 with index 0."""
    flat = len(limits.shape) == 2
    axis = _whole("axis", header["axis"], 0, 0 if flat else len(limits.shape) - 1)
    return axis, _whole("index", header["index"], 0, 0 if flat else limits.shape[axis] - 1)


def _known_label(value: Any, known: tuple[int, ...]) -> int:
    if type(value) is not int or value not in known:
        _refuse(f"one of the labels {', '.join(map(str, known))}", repr(value)[:40])
    return value


def _id(header: dict[str, Any]) -> int:
    return _whole("id", header["id"], 1, 2**53)


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        _refuse(f"{name} as a whole number from {least} to {most}", repr(value)[:40])
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(expected: str, came: str) -> NoReturn:
    """Raise the error of a message that is not as it has to be."""
    raise InvalidParameterError(
        f"a message of the canvas must hold {expected}; got {came}. Is the page of another version? Load it again."
    )
