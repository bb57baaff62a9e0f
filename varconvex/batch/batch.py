"""`run`: many images cut and written, each whole or not at all; what is done is not done again."""

import inspect
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from .. import checks
from ..api import segment
from ..commands.options import NOT_IN_A_SHELL, files_of, keywords as as_keywords
from ..errors import FileFormatError, InvalidParameterError, VarconvexError
from ..foreign import is_path
from ..io.kinds import format_of
from ..io.opening import open_image
from ..io.scribble_files import read_scribbles
from ..keywords import check_keywords
from ..sessions.solver import settings_of
from ..signals import ended_by_sigterm
from ..threads import Interrupted
from .cut import cut
from .images import Item, Reference, Work, list_items, stem, target_of
from .keys import digest_of, key_of
from .manifest import Manifest, Record
from .page import PAGE, thumbnail_name, write_page
from .progress import Counter, Progress, duration
from .tasks import Prepared, Task, complete, way

_OF_AN_IMAGE = ("channel_axis", "rgba", "mask", "spacing", "nan_policy", "edge_weight", "features", "given")
"""Settings that can be wrong for one image and right for another."""


@dataclass(frozen=True)
class Summary:
    """Numbers of a batch that has ended, and its files.

    Attributes
    ----------
    images : int
        Images of the batch.
    done, failed, reused : int
        Images that were computed, that have failed, and that were there from an earlier run.
    failures : dict of str to str
        What went wrong, by the name of the result that there is not.
    seconds : float
    manifest, page : Path
        One line of JSON an image; thumbnails, the worst first.
    """

    images: int
    done: int
    failed: int
    reused: int
    failures: dict[str, str]
    seconds: float
    manifest: Path
    page: Path

    def to_dict(self) -> dict[str, Any]:
        """The summary in JSON's types."""
        return {**vars(self), "manifest": os.fspath(self.manifest), "page": os.fspath(self.page)}

    def __str__(self) -> str:
        text = f"{self.images} images in {duration(self.seconds)}: {self.done} done, {self.failed} failed"
        return text + f", {self.reused} were there" * bool(self.reused)


def run(
    images: str | os.PathLike | Iterable[str | os.PathLike],
    out: str | os.PathLike,
    scribbles: str | os.PathLike | None = None,
    *,
    transfer: str | os.PathLike | None = None,
    ending: str = ".png",
    jobs: int | None = None,
    threads: int | None = None,
    dask: str | None = None,
    reading: Mapping[str, Any] | None = None,
    opening: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[Progress], object] | None = None,
    **keywords: Any,
) -> Summary:
    """Cut the objects out of many images, and write a label image for each.

    A second run into the same folder computes what has changed: images, strokes, settings or version, by SHA-256; what
    was deleted or changed in the folder; and what failed. An interruption (Ctrl-C, SIGTERM, a crash) loses what was
    being computed; everything else is whole, and the next run goes on. An image that fails does not stop the others.

    Parameters
    ----------
    images : path or iterable of paths
        A folder, patterns (``photos/*.jpg``, with ``**`` for all levels of folders), files, or a table (.csv, .tsv)
        with a row an image: its file ``image``, and optionally ``scribbles``, ``output`` (the result's name) and any
        option of ``varconvex segment``, such as ``alpha``. Paths in a table are relative to its folder.
    out : path
        Folder for the results, made if need be: ``<name><ending>`` for each image, ``manifest.jsonl`` with numbers,
        digests and errors, ``index.html`` with thumbnails. One run at a time writes to it.
    scribbles : path, optional
        Folder with a file of strokes for each image, named as the image; or one file, whose strokes hold for all of
        them. By default strokes lie beside each image, as ``<name>-scribbles.png``.
    transfer : path, optional
        The image on which the strokes of the file `scribbles` were drawn. Their colours are applied to all images,
        which need no strokes then (`Session.transfer`).
    ending : str
        Of the results, as in `varconvex.io.write_labels`: .png, .tif, .npy, .nii.gz, .ome.zarr, ...
    jobs : int, optional
        Worker processes; -1 is one for each processor. One that dies concerns its image only, which is tried once
        more. By default images are computed in this process. A script that asks for processes calls `run` under
        ``if __name__ == "__main__":``.
    threads : int, optional
        Of each worker process. By default one, which is most efficient where there are more images than processors, or
        an equal share of NUMBA_NUM_THREADS where that is set.
    dask : str, optional
        Address of a Dask scheduler, whose workers compute instead. They see the same files as this machine.
    reading : dict, optional
        How strokes are read: keywords of `varconvex.io.read_scribbles`.
    opening : dict, optional
        How images are read: keywords of `varconvex.io.open_image`.
    options : dict, optional
        Options of ``varconvex segment`` with their values as in the shell, such as ``{"mask": "brain.nii.gz"}``. They
        go before `keywords`, a table's before both.
    progress : callable, optional
        Called with a `Progress` at the start and after each image.
    **keywords
        Those of `segment`, except `callback`.

    Returns
    -------
    Summary

    Raises
    ------
    FileFormatError
        If there are no images, two of them would have one result, or the folder is in use or cannot be written.
    InvalidParameterError, UnknownKeywordError
        If a setting is wrong for every image.
    BackendUnavailableError, MissingExtraError
        If the Dask cluster does not answer, or a package is missing.

    Examples
    --------
    >>> from varconvex import batch
    >>> batch.run("photos", "masks", jobs=2, shape="convex")  # doctest: +SKIP
    """
    folder = Path(checks.path("out", out))
    scribbles, transfer = (
        None if value is None else checks.path(name, value)
        for name, value in (("scribbles", scribbles), ("transfer", transfer))
    )
    checks.function("progress", progress)
    reading, opening, options = (
        checks.mapping(name, value)
        for name, value in (("reading", reading), ("opening", opening), ("options", options))
    )
    for function, given in ((read_scribbles, reading), (open_image, opening)):
        check_keywords(function.__name__, given, list(inspect.signature(function).parameters))
    format_of(f"labels{ending}")
    reference = _reference(transfer, scribbles)
    items = list_items(images, folder, ending, None if scribbles is None else Path(scribbles), reference is not None)
    counter = Counter(len(items), progress)
    counter.tell()
    _check_keywords(keywords, options)
    mapped = way(jobs, dask, threads=threads, count=len(items))
    records: list[Record] = []
    with ended_by_sigterm(), Manifest(folder) as manifest:
        parts, former = _fresh(manifest.own / "parts"), dict(manifest.records)
        settings = {"keywords": keywords, "reading": reading, "opening": opening, "options": options}
        tasks = [Task(i.output, partial(_prepare, i, settings, reference, parts)) for i in items]
        found = complete(
            manifest, tasks, cut, mapped, publish=partial(_publish, folder, parts), whole=partial(_whole, folder)
        )
        try:
            with closing(found):
                for kind, record in found:
                    _withdraw(folder, former.get(record["name"]) if kind == "failed" else None)
                    records.append(record)
                    counter.tell(kind, record["name"])
        except (KeyboardInterrupt, SystemExit, Interrupted):
            with suppress(FileFormatError):
                _summary(manifest, counter, records, "interrupted: ")
            raise
        finally:
            shutil.rmtree(parts, ignore_errors=True)
        return _summary(manifest, counter, records)


def _summary(manifest: Manifest, counter: Counter, records: list[Record], before: str = "") -> Summary:
    """The summary, after the page was written."""
    failures = {r["name"]: f"{r['error']}: {r['message']}" for r in records if r["status"] == "failed"}
    summary = Summary(
        counter.total, **counter.counts, failures=failures, seconds=round(counter.seconds, 3), manifest=manifest.path,
        page=manifest.folder / PAGE,
    )  # fmt: skip
    write_page(manifest.folder, records, f"{before}{summary}")
    return summary


def _reference(transfer: str | os.PathLike | None, scribbles: str | os.PathLike | None) -> Reference | None:
    """The image whose colours are applied to all others, with its strokes, if one is named."""
    if transfer is None:
        return None
    if scribbles is None or not os.path.isfile(scribbles):
        raise InvalidParameterError(
            f"transfer needs the file of the strokes that were drawn on {os.fspath(transfer)!r}; got scribbles "
            f"{scribbles!r}. Pass it as scribbles."
        )
    try:
        digests = {"transfer": digest_of(transfer), "transfer_scribbles": digest_of(scribbles)}
    except OSError as error:
        raise FileFormatError(f"{os.fspath(transfer)} cannot be read ({error.strerror}). Check the path.") from error
    return Reference(Path(transfer), Path(scribbles), digests)


def _check_keywords(keywords: dict[str, Any], options: dict[str, Any]) -> None:
    """An error for keywords that are wrong for every image."""
    known = [name for name in inspect.signature(segment).parameters if name not in NOT_IN_A_SHELL]
    check_keywords("run", keywords, known)
    if hasattr(keywords.get("random_state"), "bit_generator"):
        raise InvalidParameterError(
            "random_state must be a number in a batch, so that results do not depend on the order; got a generator. "
            "Pass a seed."
        )
    of_all = as_keywords({name: value for name, value in options.items() if name not in _OF_AN_IMAGE})
    of_all |= {name: value for name, value in keywords.items() if name not in _OF_AN_IMAGE and name not in options}
    settings_of(of_all)
    checks.boolean("strict", of_all.get("strict", False))


def _fresh(folder: Path) -> Path:
    """An empty folder of this run for unfinished files; those of runs that were killed are deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    own = folder / f"{os.getpid()}-{os.urandom(4).hex()}"
    try:
        own.mkdir(parents=True)
    except OSError as error:
        raise FileFormatError(f"{folder} cannot be made ({error.strerror}). Choose another folder.") from error
    return own


def _prepare(item: Item, settings: dict[str, Any], reference: Reference | None, parts: Path) -> Prepared:
    """An image's work, with the digests of its files."""
    options = {**settings["options"], **item.options}
    keywords = {name: value for name, value in settings["keywords"].items() if name not in options}
    digests = {name: digest_of(path) for name in ("image", "scribbles") if (path := getattr(item, name)) is not None}
    network: Any = keywords.get("features")
    networks = [os.fspath(network)] if is_path(network) and os.path.isfile(network) else []
    digests |= {path: digest_of(path) for path in (*files_of(options), *networks)}
    digests |= reference.digests if reference else {}
    files = [name for name, value in options.items() if value in files_of(options)]
    meant = {**keywords, **as_keywords({name: value for name, value in options.items() if name not in files})}
    told = {
        "keywords": _told(meant, segment), "files": {name: options[name] for name in files},
        "opening": settings["opening"], "reading": _told(settings["reading"], read_scribbles),
    }  # fmt: skip
    key = key_of(told, *(f"{name} {digest}" for name, digest in digests.items()))
    name = PurePath(item.output)
    part = parts / (PurePath(thumbnail_name(item.output)).stem + name.name.removeprefix(stem(name)))
    facts = {
        "image": os.fspath(item.image), "scribbles": os.fspath(item.scribbles) if item.scribbles else None,
        "settings": {name: value if _plain(value) else repr(value) for name, value in {**keywords, **options}.items()},
        "digests": digests,
    }  # fmt: skip
    how = (keywords, options, settings["opening"], settings["reading"])
    return Prepared(key, Work(item.image, item.scribbles, *how, part, reference, item.output), facts)


def _told(keywords: dict[str, Any], function: Callable[..., Any]) -> dict[str, Any]:
    """Keywords without those that are as the function has them by default; 2.0 is told as 2."""
    defaults = {name: known.default for name, known in inspect.signature(function).parameters.items()}
    told = {k: v for k, v in keywords.items() if not (_plain(v) and _plain(defaults.get(k)) and v == defaults.get(k))}
    return {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in told.items()}


def _publish(folder: Path, parts: Path, name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Move a result to its place; what is recorded of it."""
    if "unwritable" in value:
        raise FileFormatError(f"{value['unwritable']} Make room, and run again to go on.")
    part, target, picture = parts / value["part"], target_of(folder, name), folder / thumbnail_name(name)
    digest = digest_of(part)
    for path in (target, picture):
        path.parent.mkdir(parents=True, exist_ok=True)
    (parts / "thumbnail").write_bytes(value["thumbnail"])
    os.replace(parts / "thumbnail", picture)
    if part.is_dir() and target.is_dir():
        os.replace(target, parts / "replaced")  # a folder takes the place of an empty one only
        shutil.rmtree(parts / "replaced", ignore_errors=True)
    os.replace(part, target)
    return {"outputs": {name: digest}, "result": value["result"]}


def _whole(folder: Path, record: Record) -> bool:
    """Whether a record's results are there as they were written."""
    name = record["name"]
    try:
        same = digest_of(target_of(folder, name)) == record["outputs"][name]
        return same and (folder / thumbnail_name(name)).exists()
    except (OSError, VarconvexError, LookupError, TypeError):
        return False


def _withdraw(folder: Path, former: Record | None) -> None:
    """Delete the result of an earlier run, of an image that has changed and cannot be cut any more."""
    if former is not None and _whole(folder, former):
        target = target_of(folder, former["name"])
        shutil.rmtree(target) if target.is_dir() else target.unlink()


def _plain(value: Any) -> bool:
    """Whether JSON can hold a value."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
