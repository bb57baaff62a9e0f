"""The images of a batch: what is cut, with which strokes and settings, and the name of each result.

    a folder, glob patterns, files        one result an image, named as the image
    a table (.csv, .tsv)                  columns image, scribbles, output, and options of `varconvex segment`

Results stay in the output folder, and no two have one name, also where a file system does not tell case or the two
forms of an accent apart.
"""

import glob
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from .. import checks
from ..errors import FileFormatError
from ..io.kinds import LABEL_ENDINGS, has_ending
from .manifest import OWN
from .table import read_table

IMAGES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".npy", ".nii", ".nii.gz", ".dcm", ".zarr",
)  # fmt: skip
"""Endings of images that are looked for in a folder; others can be named."""

_TABLES = (".csv", ".tsv")
_DOUBLE = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")
_BESIDE = ("-scribbles", "-mask")
"""Endings of the names of the strokes and masks that `varconvex annotate` writes beside an image."""


@dataclass(frozen=True)
class Item:
    """An image of a batch: its file, that of its strokes or None, its result's name below the output folder, and the
    options that are its own, as in the shell.
    """

    image: Path
    scribbles: Path | None
    output: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """An image with strokes whose colours are applied to others, and the digests of both files."""

    image: Path
    scribbles: Path
    digests: dict[str, str]


@dataclass(frozen=True)
class Work:
    """An image to cut: the files, keywords of `segment`, options that go before them, keywords of `open_image` and of
    `read_scribbles`, and the file to write.

    With a `reference` the image needs no strokes of its own. `output` is the result's name below the output folder.
    """

    image: Path
    scribbles: Path | None
    keywords: dict[str, Any]
    options: dict[str, Any]
    opening: dict[str, Any]
    reading: dict[str, Any]
    part: Path
    reference: Reference | None = None
    output: str = ""


def list_items(
    images: str | os.PathLike | Iterable[str | os.PathLike],
    out: Path,
    ending: str,
    scribbles: Path | None,
    taught: bool = False,
) -> list[Item]:
    """The images of a batch in the order of their results' names, at least one.

    `scribbles` is a folder with a file for each image, named as it is, or a file for all of them; by default each
    image's strokes lie beside it, as ``<name>-scribbles.*``. Where they are `taught` by another image they need none. A
    FileFormatError if nothing is found, or a result would not stay in the folder `out`, or would take the place of an
    input or of another result.
    """
    given = images if isinstance(images, Iterable) and not isinstance(images, str | bytes) else [images]
    sources = [checks.path("images", path) for path in given]
    bases: list[Path] = []
    files: list[Path] = []
    rows: list[tuple[Path, Path | None, str | None, dict[str, Any]]] = []
    for source in map(Path, sources):
        if source.suffix.lower() in _TABLES:
            found = read_table(source)
            within = all(_below(row.image, source.parent) for row in found)
            bases += [source.parent] if within else [row.image.parent for row in found]
            rows += [(row.image, row.scribbles, row.output, row.options) for row in found]
        else:
            base, found_here = _files(source, out)
            bases.append(base)
            files += found_here
    rows += [(file, None, None, {}) for file in _unmade(files)]
    if not rows:
        told = ", ".join(map(str, sources))
        raise FileFormatError(f"images were expected ({', '.join(IMAGES)}); got none from {told!r}. Check the path.")
    common = _common(bases)
    listed = lru_cache(maxsize=None)(_by_stem)
    items = {}
    for image, strokes, output, options in rows:
        below = PurePath(os.path.relpath(image, common)) if common else PurePath(image.name)
        output = _inside(output) if output else (below.parent / (stem(below) + ending)).as_posix()
        if strokes is None and not taught:
            shared = scribbles if scribbles and not os.path.isdir(scribbles) else None
            strokes = shared or _strokes(image, below, scribbles, listed)
        items[os.path.abspath(image), output] = Item(image, strokes, output, options)  # named twice: once
    ordered = sorted(items.values(), key=lambda item: item.output)
    if not taught and not any(item.scribbles for item in ordered):
        image = ordered[0].image
        raise FileFormatError(
            f"strokes were expected, as {stem(image)}-scribbles.png beside {image.name}, or as a file of the image's "
            "name in a folder of strokes; got none for any image. Name the folder or the file."
        )
    _check(ordered, out, [Path(s) for s in sources])
    return ordered


def stem(path: PurePath) -> str:
    """A file's name without its ending, or without both parts of endings such as .nii.gz."""
    for ending in _DOUBLE:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem


def target_of(out: Path, output: str) -> Path:
    """The path of a result; a FileFormatError if links lead out of the folder."""
    target = out / output
    if not _below(Path(os.path.realpath(target.parent)), Path(os.path.realpath(out))):
        raise FileFormatError(f"results must stay in {out}; a link leads {output!r} out of it. Remove the link.")
    return target


def _files(source: Path, out: Path) -> tuple[Path, list[Path]]:
    """The images that a folder, a file's path or a glob pattern means, and the folder that their names begin in."""
    if os.path.isdir(source) and source.suffix.lower() != ".zarr":
        if os.path.realpath(source) == os.path.realpath(out):
            raise FileFormatError(f"results must be in another folder than images; got {out} for both. Choose one.")
        base, found = source, [p for p in source.iterdir() if has_ending(p, IMAGES)]
    elif os.path.exists(source):
        return source.parent, [source]
    elif glob.has_magic(str(source)):
        parts = source.parts
        first = next(k for k, part in enumerate(parts) if glob.has_magic(part))
        base, found = Path(*parts[:first]), [Path(name) for name in glob.glob(str(source), recursive=True)]
        found = [path for path in found if os.path.isfile(path) or path.suffix.lower() == ".zarr"]
    else:
        raise FileFormatError(f"an image, a folder, a pattern or a table was expected; {source} is not there.")
    return base, sorted(p for p in found if not p.name.startswith(".") and not _below(p, out))


def _unmade(files: Sequence[Path]) -> list[Path]:
    """Files without those that belong to others: strokes and masks that `varconvex annotate` has written."""
    stems = {path.with_name(stem(path)) for path in files}

    def made(path: Path) -> bool:
        ends = [end for end in _BESIDE if stem(path).endswith(end)]
        return any(path.with_name(stem(path).removesuffix(end)) in stems for end in ends)

    return [path for path in files if not made(path)]


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    """A folder's visible files by their names without endings."""
    found: dict[str, list[Path]] = {}
    if os.path.isdir(folder):
        for path in sorted(folder.iterdir()):
            if not path.name.startswith("."):
                found.setdefault(stem(path), []).append(path)
    return found


def _strokes(image: Path, below: PurePath, folder: Path | None, listed: Any) -> Path | None:
    """The strokes of an image: beside it, or in a folder of strokes; None if there are none."""
    files = listed(folder / below.parent if folder else image.parent)
    names = [stem(image) + "-scribbles"] + [stem(image)] * (folder is not None)
    found = [path for name in names for path in files.get(name, []) if os.path.abspath(path) != os.path.abspath(image)]
    if len(found) > 1:
        raise FileFormatError(
            f"one file of strokes was expected for {image}; got {found[0]} and {found[1]}. Remove one, or name it in a "
            "table with the columns image and scribbles."
        )
    return found[0] if found else None


def _inside(output: str) -> str:
    """A result's name that a table gives: a path below the output folder."""
    path = PurePath(output)
    if path.is_absolute() or path.drive or not path.name or {"..", OWN} & {part.casefold() for part in path.parts}:
        raise FileFormatError(f"results must stay in the output folder; got output {output!r}. Name a file below it.")
    if not has_ending(path, LABEL_ENDINGS):
        raise FileFormatError(f"the output's name must end in {', '.join(LABEL_ENDINGS)}; got {output!r}. Rename it.")
    return path.as_posix()


def _check(items: Sequence[Item], out: Path, sources: Sequence[Path]) -> None:
    """A FileFormatError if a result would replace an input or another result, or leave the folder."""
    inputs = {os.path.realpath(p): p for i in items for p in (i.image, i.scribbles) if p is not None}
    inputs |= {os.path.realpath(path): path for path in sources}
    taken: dict[str, Item] = {}
    for item in items:
        name = unicodedata.normalize("NFC", item.output).casefold()
        other = taken.setdefault(name, item)
        if other is not item:
            raise FileFormatError(
                f"each image must have a result of its own; {other.image} and {item.image} would both become "
                f"{item.output!r}. Rename one, or name the results in a table with the columns image and output."
            )
        target = target_of(out, item.output)
        if os.path.join(os.path.realpath(target.parent), target.name) in inputs:
            raise FileFormatError(f"{target} is an input of this batch. Choose another folder for the results.")


def _common(folders: Sequence[Path]) -> str | None:
    """The folder that holds all of these; None if there is none, on several drives."""
    try:
        return os.path.commonpath([os.path.abspath(folder) for folder in folders])
    except ValueError:
        return None


def _below(path: Path, folder: Path) -> bool:
    """Whether a path is that of a folder or leads below it, links aside."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))
