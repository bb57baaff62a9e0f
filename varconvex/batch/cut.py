"""One image of a batch, in the process that has been given it: read, segmented, written."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..api import segment
from ..commands.options import keywords
from ..commands.segment import image_keywords
from ..errors import FileFormatError
from ..io.opening import open_image
from ..io.scribble_files import read_scribbles
from ..io.writing import check_labels, write_mask
from ..plots import summary
from ..result import Segmentation
from ..session import Session
from .images import Reference, Work
from .keys import key_of
from .tasks import UNWRITABLE

SIDE = 240
"""Longer side of a thumbnail, in pixels."""


def cut(work: Work) -> dict[str, Any]:
    """Cut an image and write its labels to a file; the result's numbers, and a thumbnail in JPEG."""
    try:
        return _cut(work)
    except FileFormatError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in UNWRITABLE:
            return {"unwritable": str(error)}
        raise


def _cut(work: Work) -> dict[str, Any]:
    file = open_image(work.image, **work.opening)
    own = {**work.keywords, **keywords(work.options)}
    if work.reference is not None:
        teacher = _taught(work.reference, {"spacing": file.spacing, **own}, work)
        session = teacher.transfer(file.array)
        _check(work, session.scribbles.ndim, teacher.labels)
        result = session.result
        assert result is not None  # it needs no stroke
    elif work.scribbles is None:
        raise FileFormatError(
            f"strokes were expected for {work.image.name}; got no file of that name. Draw them, e.g. with `varconvex "
            "annotate`."
        )
    else:
        strokes = read_scribbles(work.scribbles, file, **work.reading)
        ids = [int(label) for label in np.unique(strokes) if label > 0]
        _check(work, strokes.ndim, ids)
        result = segment(file.array, strokes, **{**image_keywords(file), **own})
    place: dict[str, Any] = {"spacing": file.spacing, "unit": file.unit, "affine": file.affine}
    if "spacing" in own:
        place = {"spacing": own["spacing"]}
    write_mask(work.part, result.labels, result.label_ids, **place)
    return {"part": work.part.name, "result": result.to_dict(), "thumbnail": thumbnail(result)}


def _check(work: Work, ndim: int, ids: Sequence[int]) -> None:
    """A FileFormatError if labels of so many axes do not go into the file, before they are computed."""
    told = f"{work.output}. Pass ending='.tif'; in a table with a column output, name a file that ends so."
    check_labels(work.part, ndim, ids, mask=True, told=told)


_sessions: dict[str, Session] = {}
"""The reference's session of this process, by what it depends on."""


def _taught(reference: Reference, settings: dict[str, Any], work: Work) -> Session:
    """A session on the reference image with its strokes."""
    key = key_of([settings, work.opening, work.reading], *reference.digests.values())
    if key not in _sessions:
        image = open_image(reference.image, **work.opening)
        strokes = read_scribbles(reference.scribbles, image, **work.reading)
        session = Session(image.array, **{"channel_axis": image.channel_axis, **settings})
        for label in np.unique(strokes[strokes > 0]).tolist():
            session.add(strokes == label, label)
        _sessions.clear()
        _sessions[key] = session
    return _sessions[key]


def thumbnail(result: Segmentation) -> bytes:
    """The picture of a result at thumbnail size."""
    step = max(1, max(result.labels.shape) // (2 * SIDE))
    if result.labels.ndim == 2 and step > 1:  # drawn on fewer pixels, which is as good
        shown = (slice(None, None, step), slice(None, None, step))
        image = None if result.image is None else result.image[shown]
        result = replace(result, labels=result.labels[shown], unconstrained=result.unconstrained[shown], image=image)
    picture = summary(result).convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=80)
    return buffer.getvalue()
