"""The command ``varconvex reproduce table1|table2``."""

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..datasets.collection import list_samples
from ..datasets.download import fetch
from ..datasets.folders import Entry
from ..errors import InvalidParameterError, ShapeWarning
from ..files import write_picture, write_text
from . import layout


def add_to(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser("reproduce", help="the paper's tables, on its data set or on any folder of samples")
    tables = parser.add_subparsers(required=True, metavar="TABLE")
    first = tables.add_parser("table1", help="networks taught by scribbles: sequential and joint, predictor and convex")
    _common(first, "varconvex-table1")
    first.add_argument("--inputs", nargs="+", metavar="INPUTS", help="of rgb+xy, rgb+features, rgb+xy+features")
    first.add_argument("--networks", nargs="+", choices=["fcn", "cnn"], help="only these")
    first.add_argument("--alone", action="store_true", help="networks without the energy that smooths them")
    first.add_argument("--features", type=Path, metavar="DIR", help="your own features, DIR/<image>.npy (H, W, F)")
    first.set_defaults(run=_quietly(_table1))
    second = tables.add_parser("table2", help="convex projections of masks of corrupted images")
    _common(second, "varconvex-table2")
    second.add_argument("--masks", type=Path, metavar="DIR", help="another model's, DIR/<corruption>/<image>.png")
    second.add_argument("--predictor", choices=["fcn", "cnn", "energy"], default="fcn", help="whose masks otherwise")
    second.add_argument("--severity", type=int, default=5, metavar="1-5", help="of the corruptions (default: 5)")
    second.set_defaults(run=_quietly(_table2))


def _common(parser: argparse.ArgumentParser, folder: str) -> None:
    parser.add_argument(
        "--data", required=True, metavar="DIR",
        help="the convexity data set (folder, zip file or the zip file's address), or a folder of samples",
    )  # fmt: skip
    parser.add_argument("--scribbles", default="scribbles", metavar="NAME", help="subfolder of the scribbles")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N", help="the paper's for table1: 42 47 131")
    parser.add_argument(
        "--out", type=Path, default=Path(folder), metavar="DIR",
        help="results, table and pictures; what is there is not computed again (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--pictures", type=int, default=3, metavar="N", help="images on the page (default: 3)")


def _quietly(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The command without a `ShapeWarning` for each image: its table shows how good the answers are."""

    def run_quietly(options: argparse.Namespace) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ShapeWarning)
            return run(options)

    return run_quietly


def _table1(options: argparse.Namespace) -> int:
    from .pictures import fig2
    from .table1 import INPUTS, NETWORKS, SEEDS, table1

    chosen = options.inputs or INPUTS
    odd = [name for name in chosen if name not in INPUTS]
    if odd:
        raise InvalidParameterError(f"--inputs must be among {', '.join(INPUTS)}; got {odd[0]!r}. Choose from these.")
    found, results = table1(
        _entries(options), options.out, seeds=options.seeds or SEEDS, inputs=chosen,
        networks=options.networks or NETWORKS, alone=options.alone, features=options.features,
        pictures=options.pictures,
    )  # fmt: skip
    _finish(found, options)
    if results.samples:
        write_picture(options.out / "figure2.png", fig2(results.samples, found["seeds"][0], options.features))
        print(f"pictures: {options.out / 'figure2.png'}")
    return 0


def _table2(options: argparse.Namespace) -> int:
    from .pictures import before_and_after
    from .table2 import table2

    found, results = table2(
        _entries(options), options.out, seeds=options.seeds or (42,), predictor=options.predictor,
        severity=options.severity, masks=options.masks, pictures=options.pictures,
    )  # fmt: skip
    _finish(found, options)
    if results.samples:
        settings = [
            {"corruption": c["corruption"], "seed": found["seeds"][0], "severity": options.severity,
             "predictor": None if options.masks else options.predictor}
            for c in found["cells"]
        ]  # fmt: skip
        whole = [s for s in results.samples if all(s.name in results.by_cell[n] for n in results.by_cell)]
        if whole:
            write_picture(options.out / "corruptions.png", before_and_after(whole, settings, options.masks))
            print(f"pictures: {options.out / 'corruptions.png'}")
    return 0


def _entries(options: argparse.Namespace) -> list[Entry]:
    """The samples that the command's options name."""
    source = options.data
    if "://" in source:
        source = fetch(source, options.out / "data")
    entries = list_samples(source, options.scribbles)
    if options.limit is not None and options.limit < 1:
        raise InvalidParameterError(f"--limit must be at least 1; got {options.limit}. Leave it out for all images.")
    return entries[: options.limit]


def _finish(found: dict[str, Any], options: argparse.Namespace) -> None:
    """Write and print a table."""
    text = layout.table(found)
    write_text(options.out / f"table{found['table']}.json", json.dumps(found, indent=1))
    write_text(options.out / f"table{found['table']}.txt", text + "\n")
    print(text)
    if found["reused"]:
        print(f"{found['reused']} results were there already")
