"""The command ``varconvex convexify``: a label image in, one of convex objects out."""

import argparse
from typing import Any

from .console import Voice, with_voice
from .options import FILE_OPTIONS, add_options, given, keywords
from .outputs import add_outputs, check_contents, check_names, print_numbers, write_outputs
from .segment import add_threads, use_threads


def add_to(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    convexify = commands.add_parser("convexify", help="every object of a label image made convex, none overlapping")
    convexify.add_argument("labels", metavar="LABELS", help="label image or volume of any program: 0 is no object")
    add_outputs(convexify)
    told = "the label that is no object (default: %(default)s)"
    convexify.add_argument("--background", type=int, default=0, metavar="N", help=told)
    add_options(convexify, ["spacing", *FILE_OPTIONS])
    add_threads(convexify)
    convexify.set_defaults(run=with_voice(_convexify))


def _convexify(options: argparse.Namespace, voice: Voice) -> int:
    """Make the objects of a label image convex."""
    check_names(options, [options.labels])
    voice.say(f"reading {options.labels}")
    use_threads(options.threads)
    from ..io.labels import plain_labels
    from ..io.opening import open_image

    file = open_image(options.labels, indices=True, **keywords(given(options, FILE_OPTIONS)))
    labels = plain_labels(file)
    check_contents(options, labels.ndim, (int(labels.max()),), mask=False)
    chosen = keywords(given(options, ["spacing"]))
    voice.say("loading the solver")
    from ..convexification import convexify

    result = convexify(labels, background=options.background, **{"spacing": file.spacing, **chosen})
    place = chosen or {"spacing": file.spacing, "unit": file.unit, "affine": file.affine}
    write_outputs(options, result, file.path, mask=False, **place)
    print_numbers(result, as_json=options.json)
    return 0
