"""The commands ``varconvex refine`` and ``varconvex convexify``: maps and label images of other programs in."""

import argparse
from typing import Any

from .console import Voice, with_voice
from .options import FILE_OPTIONS, REFINE, add_options, given, keywords
from .outputs import add_outputs, check_contents, check_names, print_numbers, write_outputs
from .segment import add_scribbles, add_threads, image_keywords, scribbles_of, use_threads


def add_to(commands: Any) -> None:
    """Add the commands to the parser's subcommands."""
    refine = commands.add_parser("refine", help="clean outlines for the mask or map of another model, by its image")
    refine.add_argument("target", metavar="MAP", help="mask, label image, probabilities or logits; may be coarser")
    refine.add_argument("image", metavar="IMAGE", help="image or volume (PNG, TIFF, JPEG, .npy, NIfTI, ...)")
    add_scribbles(refine)
    refine.add_argument("--probability", action="store_true", help="grey values of MAP are probabilities of the object")
    add_outputs(refine)
    add_options(refine, [*REFINE, *FILE_OPTIONS])
    add_threads(refine)
    refine.set_defaults(run=with_voice(_refine))

    convexify = commands.add_parser("convexify", help="every object of a label image made convex, none overlapping")
    convexify.add_argument("labels", metavar="LABELS", help="label image or volume of any program: 0 is no object")
    convexify.add_argument("--image", metavar="FILE", help="image in which the objects were found: its edges count")
    add_outputs(convexify)
    told = "the label that is no object (default: %(default)s)"
    convexify.add_argument("--background", type=int, default=0, metavar="N", help=told)
    add_options(convexify, ["spacing", *FILE_OPTIONS])
    add_threads(convexify)
    convexify.set_defaults(run=with_voice(_convexify))


def _refine(options: argparse.Namespace, voice: Voice) -> int:
    """Refine a map by its image."""
    strokes = [path for path in (options.scribbles, options.object, options.background) if path is not None]
    check_names(options, [options.target, options.image, *strokes])
    voice.say(f"reading {options.image}")
    use_threads(options.threads)
    from ..io.labels import plain_labels, read_mask
    from ..io.opening import open_image

    file = open_image(options.image, **keywords(given(options, FILE_OPTIONS)))
    if options.probability:
        target = read_mask(options.target, probability=True)
    else:
        read = open_image(options.target, indices=True)
        target = read.array if read.array.dtype.kind == "f" else plain_labels(read)
    scribbles = scribbles_of(options, file) if strokes else None
    labels = int(target.max()) if target.dtype.kind in "iu" else 2
    check_contents(options, target.ndim, (1, max(labels, 2)), mask=False)
    chosen = keywords(given(options, REFINE))
    voice.say("loading the solver")
    from ..refinement import refine

    result = refine(target, file.array, scribbles, callback=voice.progress, **{**image_keywords(file), **chosen})
    return _answer(options, result, file, chosen, mask=result.label_ids == (1, 2))


def _convexify(options: argparse.Namespace, voice: Voice) -> int:
    """Make the objects of a label image convex."""
    check_names(options, [options.labels, *filter(None, [options.image])])
    voice.say(f"reading {options.labels}")
    use_threads(options.threads)
    from ..io.labels import plain_labels
    from ..io.opening import open_image

    which = keywords(given(options, FILE_OPTIONS))
    file = open_image(options.labels, indices=True, **which)
    labels = plain_labels(file)
    check_contents(options, labels.ndim, (int(labels.max()),), mask=False)
    chosen = keywords(given(options, ["spacing"]))
    ready = {"spacing": file.spacing, **chosen}
    image = None
    if options.image:
        seen = open_image(options.image, **which)
        image, ready["channel_axis"] = seen.array, seen.channel_axis
    voice.say("loading the solver")
    from ..convexification import convexify

    result = convexify(labels, image, background=options.background, **ready)
    return _answer(options, result, file, chosen, mask=False)


def _answer(options: argparse.Namespace, result: Any, file: Any, chosen: dict[str, Any], *, mask: bool) -> int:
    """Write a result to the files that are asked for, and print its numbers."""
    place = {"spacing": file.spacing, "unit": file.unit, "affine": file.affine}
    if "spacing" in chosen:
        place = {"spacing": chosen["spacing"]}
    write_outputs(options, result, file.path, mask=mask, **place)
    print_numbers(result, as_json=options.json)
    return 0
