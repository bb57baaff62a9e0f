"""A table of images: a row an image, with its strokes, its result's name, and options of ``varconvex segment``."""

import csv
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..commands.options import OPTIONS, SEGMENT, files_of, parse
from ..errors import FileFormatError, InvalidParameterError
from ..io.formats.base import readable

FILES = ("image", "scribbles", "output")


@dataclass(frozen=True)
class Row:
    """An image, its strokes and its result's name where the table has them, and its options as in the shell."""

    image: Path
    scribbles: Path | None
    output: str | None
    options: dict[str, Any] = field(default_factory=dict)


def read_table(path: Path) -> list[Row]:
    """The rows of a table with a header, in UTF-8, with commas, semicolons or tabs between columns.

    Paths are relative to the table's folder. Options are named and written as in the shell, an empty cell leaves one
    out. A FileFormatError names the line that is wrong.
    """
    with readable(path, "a table in UTF-8", "Repair it."), path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        lines = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
        rows = [(lines.line_num, [cell.strip() for cell in line]) for line in lines if any(map(str.strip, line))]
    if not rows:
        raise FileFormatError(f"a table with a header was expected; {path} is empty. Add the column image, and rows.")
    (_, header), *rest = rows
    _check_header(path, header)
    return [_row(path, number, dict(zip(header, cells, strict=True))) for number, cells in _aligned(path, header, rest)]


def _check_header(path: Path, header: list[str]) -> None:
    """A FileFormatError if a column is unknown, named twice, or that of images is missing."""
    known = (*FILES, *SEGMENT)
    for name in header:
        if name not in known or header.count(name) > 1:
            near = get_close_matches(name, known, 1, 0.5)
            hint = f"Did you mean {near[0]!r}?" if near and name not in known else f"Known are {', '.join(known)}."
            raise FileFormatError(f"columns of a table must be known and differ; {path} has {name!r}. {hint}")
    if "image" not in header:
        raise FileFormatError(f"a table of images must have the column image; {path} has {', '.join(header)}. Add it.")


def _aligned(path: Path, header: list[str], rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows, each of as many cells as the header has; a FileFormatError for one with more."""
    for number, cells in rows:
        if len(cells) > len(header):
            raise FileFormatError(
                f"line {number} of {path} must have {len(header)} cells as its header has; it has {len(cells)}. Put "
                "quotes around cells with a comma."
            )
        cells += [""] * (len(header) - len(cells))
    return rows


def _row(path: Path, number: int, cells: dict[str, str]) -> Row:
    """A row of cells by their columns' names."""
    if not cells["image"]:
        raise FileFormatError(f"line {number} of {path} must name an image; it is empty. Fill it in.")
    image, scribbles = (path.parent / cells[name] if cells.get(name) else None for name in FILES[:2])
    try:
        options = {name: parse(name, text) for name, text in cells.items() if name in SEGMENT and text}
    except InvalidParameterError as error:
        raise FileFormatError(f"line {number} of {path}: {error}") from error
    named = files_of(options)
    options |= {n: str(path.parent / v) for n, v in options.items() if OPTIONS[n].file and v in named}
    return Row(image, scribbles, cells.get("output") or None, options)  # type: ignore[arg-type]
