"""The commands ``varconvex segment`` and ``varconvex project``: files in, files out."""

import argparse
from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import InvalidParameterError, VarconvexWarning
from .console import Voice, with_voice
from .on_disk import is_on_disk, segment_on_disk
from .options import FILE_OPTIONS, ON_DISK, PENS, PROJECT, SEGMENT, add_options, files_of, given, keywords
from .outputs import add_outputs, check_contents, check_names, print_numbers, write_outputs

if TYPE_CHECKING:
    from ..io.image_file import ImageFile
    from ..result import Segmentation


def add_to(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    segment = commands.add_parser("segment", help="cut an object out of an image with scribbles")
    segment.add_argument("image", metavar="IMAGE", help="image or volume (PNG, TIFF, JPEG, .npy, NIfTI, ...)")
    add_scribbles(segment)
    add_outputs(segment)
    add_options(segment, SEGMENT)
    add_options(segment, FILE_OPTIONS)
    add_options(segment, ON_DISK)
    add_threads(segment)
    segment.set_defaults(run=with_voice(_segment))

    project = commands.add_parser("project", help="the nearest convex mask to a mask from any source")
    project.add_argument("target", metavar="MASK", help="mask with two values, labels, or probabilities")
    add_outputs(project)
    project.add_argument("--label", type=int, metavar="N", help="the object's label, if there are several")
    project.add_argument("--probability", action="store_true", help="grey values are probabilities of the object")
    add_options(project, PROJECT)
    add_options(project, FILE_OPTIONS)
    add_threads(project)
    project.set_defaults(run=with_voice(_project))


def add_scribbles(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where scribbles are; `scribbles_of` reads them."""
    told = "labels (0 none, 1 background, 2 object), strokes painted on a copy or a layer, GeoJSON, polylines"
    parser.add_argument("scribbles", nargs="?", metavar="SCRIBBLES", help=told)
    parser.add_argument("--object", metavar="FILE", help="the object's strokes, in a file of their own: any pen")
    parser.add_argument("--background", metavar="FILE", help="the background's strokes, in a file of their own")
    parser.add_argument("--scribbles-frame", type=int, metavar="N", help="frame of the scribbles' file")
    add_options(parser, PENS)


def scribbles_of(options: argparse.Namespace, photograph: "ImageFile") -> Any:
    """The label image of the scribbles that are named; an InvalidParameterError if none are, or too many."""
    from ..io.reading import read_scribble_pair, read_scribbles

    pair = (options.object, options.background)
    if options.scribbles is not None and pair == (None, None):
        chosen = keywords(given(options, PENS))
        return read_scribbles(options.scribbles, photograph, frame=options.scribbles_frame, **chosen)
    if options.scribbles is None and None not in pair:
        return read_scribble_pair(*pair, photograph, frame=options.scribbles_frame)
    named = [name for name in ("scribbles", "object", "background") if getattr(options, name) is not None]
    raise InvalidParameterError(
        f"strokes must be in SCRIBBLES, or in --object FILE and --background FILE; got {', '.join(named) or 'none'}. "
        "Name one file, or these two."
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add the option for the number of threads; `use_threads` obeys it."""
    parser.add_argument("--threads", type=int, metavar="N", help="threads that compute (default: all processors)")


def use_threads(count: int | None) -> None:
    """Let kernels use so many threads; None leaves it as it is."""
    if count is None:
        return
    import numba

    numba.config.NUMBA_NUM_THREADS = checks.whole_number("threads", count, least=1)  # type: ignore[attr-defined]


def image_keywords(file: "ImageFile") -> dict[str, Any]:
    """Keywords of `segment` that a file says."""
    return {"channel_axis": file.channel_axis, "spacing": file.spacing}


def _segment(options: argparse.Namespace, voice: Voice) -> int:
    """Segment an image."""
    if is_on_disk(options):
        use_threads(options.threads)
        return segment_on_disk(options, voice)
    import numpy as np

    chosen = given(options)
    named = [path for path in (options.scribbles, options.object, options.background) if path is not None]
    check_names(options, [options.image, *named, *files_of(chosen)])
    voice.say(f"reading {options.image}")
    use_threads(options.threads)
    from ..io.opening import open_image

    file = open_image(options.image, **keywords(given(options, FILE_OPTIONS)))
    if file.alpha is not None and "mask" not in chosen and (hidden := int(np.count_nonzero(file.alpha == 0))):
        told = "are read with the colours that are stored behind. To leave them out, name a mask: --mask FILE."
        checks.warn_caller(f"{hidden} pixels of {file.path} are transparent, and {told}", VarconvexWarning)
    scribbles = scribbles_of(options, file)
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

    which = keywords(given(options, FILE_OPTIONS))
    file = open_image(options.target, **which)
    target = read_mask(options.target, probability=options.probability, label=options.label, **which)
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
