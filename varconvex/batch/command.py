"""The command ``varconvex batch``."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_to(
    commands: Any,
    settings: Callable[[argparse.ArgumentParser], None],
    given: Callable[[argparse.Namespace], tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    """Add the command to the parser's subcommands.

    `settings` adds options of `segment` and of reading strokes, `given` returns what they name as keywords of `segment`
    and of `read_scribbles`.
    """
    parser = commands.add_parser("batch", help="cut objects out of many images; what is done is not done again")
    add = parser.add_argument
    source = "a folder, patterns, files, or a table (.csv: image, scribbles, output, alpha, ...)"
    add("images", nargs="+", metavar="IMAGES", help=source)
    add("--out", required=True, type=Path, metavar="DIR", help="labels, manifest.jsonl, and index.html with pictures")
    told = "a folder of strokes, or one file for all images (default: NAME-scribbles.png beside each image)"
    add("--scribbles", type=Path, metavar="PATH", help=told)
    told = "the image on which the strokes of --scribbles were drawn: their colours are applied to all images"
    add("--transfer", type=Path, metavar="IMAGE", help=told)
    add("--format", default=".png", dest="ending", metavar="ENDING", help="of the labels: .png, .tif, .npy")
    add("--jobs", type=int, default=1, metavar="N", help="worker processes (default: %(default)s)")
    add("--dask", metavar="ADDRESS", help="address of a Dask scheduler whose workers compute instead")
    settings(parser)
    parser.set_defaults(run=lambda options: _run(options, *given(options)))


def _run(options: argparse.Namespace, keywords: dict[str, Any], reading: dict[str, Any]) -> int:
    """Run the batch; 0 if all images are done, 1 if some have failed."""
    told = "the first image after an installation waits a minute for kernels to be compiled"
    print(f"results: {options.out} ({told})", file=sys.stderr, flush=True)
    from .batch import run
    from .progress import Reporter

    with Reporter() as progress:
        summary = run(
            options.images, options.out, options.scribbles, transfer=options.transfer, ending=options.ending,
            jobs=options.jobs, dask=options.dask, reading=reading, progress=progress, **keywords,
        )  # fmt: skip
    if options.json:
        print(json.dumps(summary.to_dict(), indent=2))
        return int(summary.failed > 0)
    for name, reason in list(summary.failures.items())[:20]:
        print(f"failed: {name}: {reason}", file=sys.stderr)
    print(f"{summary}\nmanifest: {summary.manifest}\npictures: {summary.page}")
    return int(summary.failed > 0)
