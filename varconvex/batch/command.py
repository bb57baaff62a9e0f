"""The command ``varconvex batch``."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..commands.console import in_shell_words
from ..commands.options import FILE_OPTIONS, PENS, SEGMENT, add_options, given, keywords
from ..io.kinds import LABEL_ENDINGS

_MOST_TOLD = 20
"""Failures that are listed on the screen."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser("batch", help="cut objects out of many images; what is done is not done again")
    add = parser.add_argument
    source = "a folder, patterns, files, or a table (.csv: image, scribbles, output, alpha, ...)"
    add("images", nargs="+", metavar="IMAGES", help=source)
    add("--out", required=True, type=Path, metavar="DIR", help="labels, manifest.jsonl, and index.html with pictures")
    told = "a folder of strokes, or one file for all images (default: NAME-scribbles.png beside each image)"
    add("--scribbles", type=Path, metavar="PATH", help=told)
    told = "the image on which the strokes of --scribbles were drawn: their colours are applied to all images"
    add("--transfer", type=Path, metavar="IMAGE", help=told)
    add("--format", default=".png", dest="ending", metavar="ENDING", help=f"of the labels: {', '.join(LABEL_ENDINGS)}")
    add("--jobs", type=int, default=-1, metavar="N", help="worker processes (default: one for each processor)")
    add("--threads", type=int, metavar="N", help="threads of each worker process (default: one, if images are many)")
    add("--dask", metavar="ADDRESS", help="address of a Dask scheduler whose workers compute instead")
    add("--json", action="store_true", help="print the summary as JSON")
    add("-q", "--quiet", action="store_true", help="say nothing while it works")
    add_options(parser, SEGMENT)
    add_options(parser, FILE_OPTIONS)
    add_options(parser, PENS)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Run the batch; 0 if all images are done, 1 if some have failed."""
    if not options.quiet:
        told = "the first image after an installation waits a minute for kernels to be compiled"
        print(f"results: {options.out} ({told})", file=sys.stderr, flush=True)
    from .batch import run
    from .progress import Reporter

    opening, reading = (keywords(given(options, names)) for names in (FILE_OPTIONS, PENS))
    with Reporter() as reporter:
        summary = run(
            options.images, options.out, options.scribbles, transfer=options.transfer, ending=options.ending,
            jobs=options.jobs, threads=options.threads, dask=options.dask, reading=reading, opening=opening,
            options=given(options), progress=None if options.quiet else reporter,
        )  # fmt: skip
    if options.json:
        print(json.dumps(summary.to_dict(), indent=2))
        return int(summary.failed > 0)
    for name, reason in list(summary.failures.items())[:_MOST_TOLD]:
        print(f"failed: {name!r}: {in_shell_words(reason)}", file=sys.stderr)
    if summary.failed > _MOST_TOLD:
        print(f"... and {summary.failed - _MOST_TOLD} more, in the manifest", file=sys.stderr)
    print(f"{summary}\nmanifest: {summary.manifest}\npictures: {summary.page}")
    return int(summary.failed > 0)
