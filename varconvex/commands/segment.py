"""The commands ``varconvex segment`` and ``varconvex project``: files in, files out."""

import argparse
from typing import TYPE_CHECKING, Any

from .console import Voice, with_voice
from .masks import target_of
from .options import PROJECT, SEGMENT, add_options, files_of, given, keywords
from .outputs import add_outputs, check_contents, check_names, print_numbers, write_outputs

if TYPE_CHECKING:
    from ..io.image_file import ImageFile
    from ..result import Segmentation


def add_to(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    segment = commands.add_parser("segment", help="cut an object out of an image with scribbles")
    segment.add_argument("image", metavar="IMAGE", help="image or volume (PNG, TIFF, JPEG, .npy, NIfTI, ...)")
    add_frame(segment)
    segment.add_argument(
        "scribbles",
        metavar="SCRIBBLES",
        help="labels as an indexed or grey PNG (0 none, 1 background, 2 object), or strokes painted on a copy",
    )
    add_outputs(segment)
    add_options(segment, SEGMENT)
    add_threads(segment)
    add_pens(segment)
    segment.set_defaults(run=with_voice(_segment))

    project = commands.add_parser("project", help="the nearest convex mask to a mask from any source")
    project.add_argument("target", metavar="MASK", help="mask with two values, labels, or probabilities")
    add_frame(project)
    add_outputs(project)
    project.add_argument("--label", type=int, metavar="N", help="the object's label, if there are several")
    project.add_argument("--probability", action="store_true", help="grey values are probabilities of the object")
    add_options(project, PROJECT)
    add_threads(project)
    project.set_defaults(run=with_voice(_project))


def add_pens(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what marks object and background in a file of strokes; `pens` reads them."""
    for part, label, colour in (("object", 2, "red"), ("background", 1, "blue")):
        told = f"label of the {part} (default: {label})"
        parser.add_argument(f"--{part}-label", type=int, metavar="N", help=told)
        told = f"of painted strokes (default: {colour})"
        parser.add_argument(f"--{part}-colour", metavar="COLOUR", help=told)


def pens(options: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `read_scribbles` that were given by the options of `add_pens`."""
    from ..io.painted import colour

    names = [f"{part}_{kind}" for part in ("object", "background") for kind in ("label", "colour")]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return {name: colour(value) if name.endswith("colour") else value for name, value in given.items()}


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the option for the number of threads; `use_threads` obeys it."""
    parser.add_argument("--threads", type=int, metavar="N", help="threads that compute (default: all processors)")


def add_frame(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to read of a file that holds more than one image."""
    parser.add_argument("--frame", type=int, metavar="N", help="frame of a file with several")
    parser.add_argument("--level", type=int, metavar="N", help="resolution level of a pyramid; 0 is the finest")


def use_threads(count: int | None) -> None:
    """Let kernels use so many threads; None leaves it as it is."""
    if count is None:
        return
    import numba

    from .. import checks

    numba.config.NUMBA_NUM_THREADS = checks.whole_number("threads", count, least=1)  # type: ignore[attr-defined]


def image_keywords(file: "ImageFile") -> dict[str, Any]:
    """Keywords of `segment` that a file says."""
    return {"channel_axis": file.channel_axis, "spacing": file.spacing}


def _segment(options: argparse.Namespace, voice: Voice) -> int:
    """Segment an image."""
    import numpy as np

    chosen = given(options)
    check_names(options, [options.image, options.scribbles, *files_of(chosen)])
    voice.say(f"reading {options.image}")
    use_threads(options.threads)
    from ..io.opening import open_image
    from ..io.reading import read_scribbles

    file = open_image(options.image, frame=options.frame, level=options.level)
    scribbles = read_scribbles(options.scribbles, file.array, **pens(options))
    ids = np.unique(scribbles)
    check_contents(options, np.ndim(scribbles), [int(i) for i in ids if i > 0])
    ready = {**image_keywords(file), **keywords(chosen)}
    voice.say("loading the solver")
    from ..api import segment

    result = segment(file.array, scribbles, callback=voice.progress, **ready)
    return _answer(options, result, file, ready)


def _project(options: argparse.Namespace, voice: Voice) -> int:
    """Project a mask onto the sets of a shape."""
    chosen = given(options, PROJECT)
    check_names(options, [options.target, *files_of(chosen)])
    voice.say(f"reading {options.target}")
    use_threads(options.threads)
    from ..io.opening import open_image
    from ..io.reading import read_mask

    file = open_image(options.target, frame=options.frame, level=options.level)
    values = read_mask(options.target, probability=options.probability)
    target = values if options.probability else target_of(values, options.target, options.label)
    check_contents(options, target.ndim, (1, 2))
    ready = {"spacing": file.spacing, **keywords(chosen)}
    voice.say("loading the solver")
    from ..api import project

    return _answer(options, project(target, **ready), file, ready)


def _answer(options: argparse.Namespace, result: "Segmentation", file: "ImageFile", ready: dict[str, Any]) -> int:
    """Write a result to the files that are asked for, and print its numbers."""
    own = getattr(options, "spacing", None) is not None
    place = (
        {"spacing": ready["spacing"]} if own else {"spacing": file.spacing, "unit": file.unit, "affine": file.affine}
    )
    write_outputs(options, result, file.path, **place)
    print_numbers(result, as_json=options.json)
    if options.figure and not options.json:
        print(f"picture          {options.figure}")
    return 0
