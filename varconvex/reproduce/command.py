"""The command ``varconvex reproduce table1|table2``."""

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from ..errors import InvalidParameterError, ShapeWarning


def add_to(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser("reproduce", help="the paper's tables, on its data set or on any folder of samples")
    tables = parser.add_subparsers(required=True, metavar="TABLE")
    add = _table(tables, "table1", "networks taught by scribbles: sequential and joint, predictor and convex")
    add("--inputs", nargs="+", metavar="INPUTS", help="of rgb+xy, rgb+features, rgb+xy+features")
    add("--networks", nargs="+", choices=["fcn", "cnn"], help="only these")
    add("--alone", action="store_true", help="networks without the energy that smooths them")
    add("--recipe", choices=["ours", "paper"], help="paper: beside ours also by the training that the paper describes")
    add("--balanced", action="store_true", help="in the paper's recipe both labels' strokes weigh alike")
    add("--features", type=Path, metavar="DIR", help="your own features, DIR/<image>.npy (H, W, F)")
    add = _table(tables, "table2", "convex projections of masks of corrupted images")
    add("--masks", type=Path, metavar="DIR", help="another model's, DIR/<corruption>/<image>.png")
    add("--sam", type=Path, metavar="DIR", help="a Segment Anything model as transformers saves it, to give the masks")
    add("--predictor", choices=["fcn", "cnn", "energy"], help="whose masks otherwise (default: fcn)")
    add("--severity", type=int, metavar="1-5", help="of the corruptions (default: 5)")


def _table(tables: Any, name: str, text: str) -> Any:
    """Add a table with the options of both; its method for further ones, which are keywords of its function."""
    parser = tables.add_parser(name, help=text, argument_default=argparse.SUPPRESS)
    parser.set_defaults(run=_run, table=name)
    add = parser.add_argument
    source = "the convexity data set (folder, zip file or the zip file's address), or a folder of samples"
    results = "results, table and pictures; what is there is not computed again (default: %(default)s)"
    add("--data", required=True, metavar="DIR", help=source)
    told = "checksum that an archive from an address must have (default: that of the first download)"
    add("--sha256", default=None, metavar="HEX", help=told)
    add("--scribbles", default="scribbles", metavar="NAME", help="subfolder of the scribbles")
    add("--limit", type=int, default=None, metavar="N", help="only the first N images")
    add("--seeds", type=int, nargs="+", metavar="N", help="the paper's for table1: 42 47 131")
    add("--out", type=Path, default=Path(f"varconvex-{name}"), metavar="DIR", help=results)
    add("--jobs", type=int, metavar="N", help="worker processes (default: this one)")
    add("--pictures", type=int, default=3, metavar="N", help="images on the page (default: 3)")
    return add


def _run(options: argparse.Namespace) -> int:
    """Compute a table, write and print it, and draw its page of pictures."""
    print(f"varconvex: results in {options.out}", file=sys.stderr, flush=True)
    from ..datasets.download import fetch
    from ..datasets.folders import list_samples
    from ..io.writing import write_picture, write_text
    from . import layout, table1, table2

    compute, draw, page = {
        "table1": (table1.table1, layout.fig2, "figure2.png"),
        "table2": (table2.table2, layout.before_and_after, "corruptions.png"),
    }[options.table]
    common = ("run", "table", "data", "sha256", "scribbles", "limit", "out")
    chosen = {name: value for name, value in vars(options).items() if name not in common}
    source = fetch(options.data, options.out / "data", sha256=options.sha256) if "://" in options.data else options.data
    entries = list_samples(source, options.scribbles)
    if options.limit is not None and options.limit < 1:
        raise InvalidParameterError(f"--limit must be at least 1; got {options.limit}. Leave it out for all images.")
    with warnings.catch_warnings():
        # Not one for each image: the table shows how good the answers are.
        warnings.simplefilter("ignore", ShapeWarning)
        found, results = compute(entries[: options.limit], options.out, **chosen)  # type: ignore[operator]
        text = layout.table(found)
        write_text(options.out / f"{options.table}.json", json.dumps(found, indent=1))
        write_text(options.out / f"{options.table}.txt", text + "\n")
        print(text)
        if found["reused"]:
            print(f"{found['reused']} results were there already")
        picture = draw(found, results, chosen.get("features") or chosen.get("masks") or chosen.get("sam"))
        if picture is not None:
            write_picture(options.out / page, picture)
            print(f"pictures: {options.out / page}")
    return 0
