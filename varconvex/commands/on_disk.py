"""``varconvex segment slide.ome.zarr strokes.geojson -o labels.ome.zarr --memory 4G``: images larger than memory."""

import argparse
from typing import Any

from ..errors import InvalidParameterError
from .console import Voice
from .options import FILE_OPTIONS, ON_DISK, PENS, SEGMENT, flag, given, keywords
from .outputs import ENDINGS, check_names, print_numbers

_SMALL = 1024
"""Pixels along the longer side below which the labels' pyramid ends."""


def is_on_disk(options: argparse.Namespace) -> bool:
    """Whether the options are those of an image that is read by rows."""
    return bool(given(options, ON_DISK))


def segment_on_disk(options: argparse.Namespace, voice: Voice) -> int:
    """Segment an image from a store into labels as OME-Zarr with a pyramid."""
    _check(options)
    check_names(options, [options.image, options.scribbles])
    from ..io.grid import Grid
    from ..io.lazy import open_on_disk
    from ..io.ome_zarr import write_ome_zarr
    from ..io.scribble_files import strokes_on_disk

    voice.say(f"opening {options.image}")
    file = open_on_disk(options.image, **keywords(given(options, ("level", "key"))))
    scribbles = strokes_on_disk(options.scribbles)
    ready = {
        "channel_axis": file.channel_axis,
        "spacing": file.spacing,
        **keywords(given(options, (*SEGMENT, *ON_DISK))),
    }
    voice.say("loading the solver")
    from ..api import segment

    result = segment(file, scribbles, callback=voice.progress, **ready)
    voice.say(f"writing {options.output}")
    levels = 1 + max(0, (max(file.shape[:2]) - 1) // _SMALL).bit_length()
    grid = Grid.checked(2, ready["spacing"], file.unit if ready["spacing"] is file.spacing else None, None)
    write_ome_zarr(options.output, result.labels, grid, levels=levels)
    print_numbers(result, as_json=options.json)
    return 0


def _check(options: argparse.Namespace) -> None:
    """An error for options that images in memory have only."""
    values: dict[str, Any] = vars(options)
    others = [name for name in ENDINGS if name != "output"]
    others += [name for name in (*FILE_OPTIONS, *PENS) if name not in ("level", "key")]
    others += ["object", "background", "scribbles_frame"]
    if found := next((name for name in others if values.get(name) is not None), None):
        raise InvalidParameterError(
            f"with --memory or --scratch the image is read by rows, and labels are all that is written; got "
            f"{flag(found)}. Leave it out."
        )
    if options.scribbles is None:
        raise InvalidParameterError(
            "strokes must be in SCRIBBLES; got none. Name a file of lines, or a store of labels."
        )
    if not str(options.output).lower().endswith(".zarr"):
        raise InvalidParameterError(
            f"labels of an image on disk are written as OME-Zarr; got -o {options.output}. End the name in .ome.zarr."
        )
