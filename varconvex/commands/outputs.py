"""Files that a command writes: their options, the checks before anything is computed, and the writing."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.kinds import LABEL_ENDINGS, PROBABILITY_ENDINGS, check_format
from ..io.outlines import OUTLINE_ENDINGS, check_outlines, write_outlines
from ..io.writing import (
    PICTURE_ENDINGS,
    check_labels,
    check_outputs,
    write_labels,
    write_mask,
    write_probability,
    write_table,
)

if TYPE_CHECKING:
    from ..result import Segmentation

ENDINGS = {
    "output": LABEL_ENDINGS,
    "save_probability": PROBABILITY_ENDINGS,
    "outlines": OUTLINE_ENDINGS,
    "table": (".csv",),
    "save": (".npz",),
    "figure": PICTURE_ENDINGS,
}
"""Options that name a file to write, and how it must end."""


def add_outputs(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options for files to write."""
    add = parser.add_argument
    kinds = ", ".join(LABEL_ENDINGS)
    add("-o", "--output", required=required, metavar="MASK", help=f"mask to write ({kinds})")
    add("--save-probability", metavar="FILE", help="also write the map of probabilities, in float32")
    add("--outlines", metavar="FILE", help="also write outlines: .geojson, .json (COCO), .zip or .roi (ImageJ)")
    add("--table", metavar="FILE", help="also write a table of the objects: .csv")
    add("--save", metavar="FILE", help="also write the whole result, for Segmentation.load: .npz")
    add("--figure", metavar="FILE", help="also draw a picture")
    add("--json", action="store_true", help="print the numbers as JSON")
    add("-q", "--quiet", action="store_true", help="say nothing while it works")


def check_names(options: argparse.Namespace, inputs: Sequence[Any]) -> None:
    """Check the outputs' names, folders and packages; errors are those of `check_outputs`."""
    given = vars(options)
    check_outputs([(given.get(name), endings) for name, endings in ENDINGS.items()], inputs)


def check_contents(options: argparse.Namespace, ndim: int, label_ids: Sequence[int], *, mask: bool = True) -> None:
    """Check that the outputs can hold labels with so many axes; errors are those of `check_labels`."""
    given = vars(options)
    if given.get("output"):
        check_labels(options.output, ndim, label_ids, mask=mask)
    if given.get("save_probability"):
        check_format(options.save_probability, ndim, floats=True)
    if given.get("outlines"):
        check_outlines(options.outlines, ndim)


def write_outputs(
    options: argparse.Namespace, result: "Segmentation", source: Any = None, *, mask: bool = True, **place: Any
) -> list[str]:
    """Write the files that are asked for, and return their names; `place` is that of `write_labels`.

    A single object is 255 in a picture where a `mask` is asked for; its id otherwise.
    """
    given, several = vars(options), result.probability.ndim > result.labels.ndim
    ids = result.label_ids
    name = "" if source is None else Path(source).name
    writers = {
        "output": lambda path: (
            write_mask(path, result.labels, ids, **place) if mask else write_labels(path, result.labels, **place)
        ),
        "save_probability": lambda path: write_probability(path, result.probability, channels=several, **place),
        "outlines": lambda path: write_outlines(path, result.labels, ids[1:], image_name=name),
        "table": lambda path: write_table(path, result.table(unit=place.get("unit"))),
        "save": result.save,
        "figure": result.plot,
    }
    written = [(path, write) for option, write in writers.items() if (path := given.get(option))]
    for path, write in written:
        write(path)
    return [path for path, _ in written]


def print_numbers(result: "Segmentation", *, as_json: bool) -> None:
    """Print a result's numbers on standard output."""
    print(json.dumps(result.to_dict(), indent=2, allow_nan=False) if as_json else numbers(result))


def numbers(result: "Segmentation") -> str:
    """The numbers of a result, one line each."""
    rows = []
    shape = " and shape" if result.shape else ""
    if result.history:  # a predictor without an energy has no bound
        rows += [
            ("energy", f"{result.energy:,.1f} nats  (of the mask)"),
            *[("without shape", f"{result.unconstrained_energy:,.1f} nats  (energy alone)")] * bool(result.shape),
            ("lower bound", f"{result.dual:,.1f} nats  (no mask of any shape can be below)"),
            ("relative gap", f"{result.relative_gap:.2e}  ({result.status} after {result.history[-1][0]} iterations)"),
            ("integrality gap", f"{result.integrality_gap:,.1f} nats  (bound on the loss by rounding{shape})"),
        ]
    if len(result.certificates) > 1:
        found = result.certificates.values()
        what = "convex" if all(certificate.shape == "convex" for certificate in found) else "certified"
        rows.append(("certificates", f"{sum(map(bool, found))} of {len(found)} objects {what}, none overlapping"))
    if result.certificate is not None and result.shape is not None:
        rows.append(("certificate", str(result.certificate)))
        rows.append(("filled", f"{result.shape.n_filled} pixels by refinement and the exact check"))
    stages = "  ".join(f"{name} {seconds:.2f}" for name, seconds in result.seconds.items())
    rows.append(("seconds", f"{stages}  total {sum(result.seconds.values()):.2f}"))
    return "\n".join(f"{name:<16} {text}" for name, text in rows)
