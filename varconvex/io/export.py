"""A part of a result into a file of another program's kind; see `Segmentation.export`."""

import os
from typing import Any

from .. import checks
from ..errors import FileFormatError
from ..options import Content
from .kinds import has_ending
from .outlines import OUTLINE_ENDINGS, write_outlines
from .writing import write_labels, write_mask, write_probability, write_table

TABLE_ENDINGS = (".csv",)


def export(path: str | os.PathLike, result: Any, content: Content | None = None, **place: Any) -> None:
    """Write labels, mask, probability, outlines or table of a segmentation; `place` is that of `write_labels`."""
    if content is None:
        content = "labels"
        for endings, what in ((OUTLINE_ENDINGS, "outlines"), (TABLE_ENDINGS, "table")):
            content = what if has_ending(path, endings) else content  # type: ignore[assignment]
    checks.one_of("content", content, Content)
    if content == "table":
        if not has_ending(path, TABLE_ENDINGS):
            raise FileFormatError(f"a table's name must end in .csv; got {os.fspath(path)}. Rename it.")
        write_table(path, result.table(place.get("unit")))
    elif content == "outlines":
        write_outlines(path, result.labels, result.label_ids[1:])
    elif content == "probability":
        write_probability(path, result.probability, channels=result.probability.ndim > result.labels.ndim, **place)
    elif content == "mask":
        write_mask(path, result.labels, result.label_ids, **place)
    else:
        write_labels(path, result.labels, **place)
