"""The command ``varconvex``: demo, segment, batch, annotate, project, reproduce, doctor.

Exit status: 0 done, 1 something is missing (doctor) or has failed (batch), 2 bad input or usage, 130 interrupted, 143
terminated (batch, reproduce).
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from . import __version__
from .batch import command as batch
from .errors import VarconvexError
from .options import TV, Components, Unify
from .reproduce import command as reproduce

if TYPE_CHECKING:
    from .result import Segmentation
    from .solvers.pdhg import Progress


_SEGMENT: dict[str, dict[str, Any]] = {
    "alpha": {"type": float, "help": "weight of the boundary; bigger is smoother"},
    "shape": {"help": "shape of the object: convex, polygon, ..."},
    "unify": {"choices": get_args(Unify), "help": "shape fitted after the energy, or both with the colours in turns"},
    "predictor": {"help": "source of the probabilities: energy (default), fcn or cnn"},
    "likelihood": {"help": "nieuwenhuis_cremers (default), gaussian_mixture or histogram"},
    "tv": {"choices": get_args(TV), "help": "norm of the gradient in the total variation"},
    "components": {"choices": get_args(Components), "help": "keep parts that hold no scribble, or not"},
    "tol": {"type": float, "help": "relative gap to stop at"},
    "max_iter": {"type": int, "help": "most iterations"},
    "time_limit": {"type": float, "metavar": "SECONDS", "help": "most seconds for the energy"},
}
"""Options of ``varconvex segment`` that are keywords of `segment`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(argv)
    try:
        return options.run(options)
    except VarconvexError as error:
        print(f"varconvex: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("varconvex: interrupted", file=sys.stderr)
        return 130
    except SystemExit as ending:
        if ending.code == 143:
            print("varconvex: terminated", file=sys.stderr)
        raise
    except BrokenPipeError:
        # The reader of the pipe has ended (`| head`); Python would fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varconvex", description="Segment an image from a few scribbles, with a certified gap and a convex object."
    )
    parser.add_argument("--version", action="version", version=f"varconvex {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="cut a dahlia out of a photograph that comes with scikit-learn")
    demo.add_argument(
        "--figure", default="varconvex-demo.png", metavar="FILE", help="the picture (default: %(default)s)"
    )
    demo.add_argument("--json", action="store_true", help="print the numbers as JSON")
    demo.set_defaults(run=partial(_answer, _demo))

    segment = commands.add_parser("segment", help="cut an object out of a photograph with scribbles")
    segment.add_argument("image", metavar="IMAGE", help="photograph (PNG, TIFF, JPEG, .npy)")
    segment.add_argument(
        "scribbles",
        metavar="SCRIBBLES",
        help="labels as an indexed or grey PNG (0 none, 1 background, 2 object), or strokes painted on a copy",
    )
    segment.add_argument("-o", "--output", required=True, metavar="MASK", help="mask to write (.png, .tif, .npy)")
    _settings(segment)
    _pens(segment)
    _common(segment, _segment)

    batch.add_to(commands, _of_many, lambda options: (_given(options), _reading(options)))

    annotate = commands.add_parser("annotate", help="draw strokes on a page of this machine, see the answer, save both")
    annotate.add_argument("image", metavar="IMAGE", help="photograph (PNG, TIFF, JPEG, .npy)")
    annotate.add_argument(
        "--scribbles", metavar="FILE", help="strokes to go on with and to write (default: IMAGE-scribbles.png)"
    )
    annotate.add_argument("-o", "--output", metavar="MASK", help="mask to write (default: IMAGE-mask.png)")
    annotate.add_argument("--no-browser", action="store_true", help="print the address only")
    _settings(annotate)
    _common(annotate, None)
    annotate.set_defaults(run=_annotate)

    project = commands.add_parser("project", help="the nearest convex mask to a mask from any source")
    project.add_argument("mask", metavar="MASK", help="mask with two values, or grey values with --probability")
    project.add_argument("-o", "--output", required=True, metavar="MASK", help="mask to write (.png, .tif, .npy)")
    project.add_argument("--probability", action="store_true", help="grey values are probabilities of the object")
    _common(project, _project)

    reproduce.add_to(commands)

    doctor = commands.add_parser("doctor", help="what is installed, what is missing, and what installs it")
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    doctor.set_defaults(run=_doctor)
    return parser


def _settings(parser: argparse.ArgumentParser) -> None:
    """Options that are keywords of `segment`."""
    for name, settings in _SEGMENT.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)
    parser.add_argument("--edge-weight", choices=["contrast", "none"], help="cheaper boundaries at edges, or not")


def _pens(parser: argparse.ArgumentParser) -> None:
    """Options that are keywords of `read_scribbles`."""
    for part, label, colour in (("object", 2, "red"), ("background", 1, "blue")):
        told = f"label of the {part} (default: {label})"
        parser.add_argument(f"--{part}-label", type=int, default=label, metavar="N", help=told)
        told = f"of painted strokes (default: {colour})"
        parser.add_argument(f"--{part}-colour", default=colour, metavar="COLOUR", help=told)


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `read_scribbles` that the command line names."""
    from .io.reading import colour

    return {
        "object_label": options.object_label,
        "background_label": options.background_label,
        "object_colour": colour(options.object_colour),
        "background_colour": colour(options.background_colour),
    }


def _of_many(parser: argparse.ArgumentParser) -> None:
    """Options of `segment` that hold for many images."""
    _settings(parser)
    _pens(parser)
    _machine(parser)


def _common(parser: argparse.ArgumentParser, compute: Callable[[argparse.Namespace], "Segmentation"] | None) -> None:
    _machine(parser)
    parser.add_argument("--figure", metavar="FILE", help="also draw a picture")
    if compute is not None:
        parser.set_defaults(run=partial(_answer, compute))


def _machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backend", choices=["numba", "numpy", "cupy"], help="what computes")
    parser.add_argument("--seed", type=int, dest="random_state", metavar="N", help="the same seed gives the same mask")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def _answer(compute: Callable[[argparse.Namespace], "Segmentation"], options: argparse.Namespace) -> int:
    """Compute a result, write it to the files that are asked for, and print its numbers."""
    from .io.writing import MASK_ENDINGS, PICTURE_ENDINGS, check_outputs, write_mask, write_picture

    given = vars(options)
    inputs = [given[name] for name in ("image", "scribbles", "mask") if name in given]
    check_outputs([(given.get("output"), MASK_ENDINGS), (options.figure, PICTURE_ENDINGS)], inputs)
    result = compute(options)
    if "output" in given:
        write_mask(options.output, result.labels, result.label_ids)
    if options.figure:
        write_picture(options.figure, result.plot())
    print(json.dumps(result.to_dict(), indent=2) if options.json else _table(result))
    if options.figure and not options.json:
        print(f"picture          {options.figure}")
    return 0


def _demo(options: argparse.Namespace) -> "Segmentation":
    from . import demo

    with _bar() as callback:
        return demo.run(callback=callback)


def _segment(options: argparse.Namespace) -> "Segmentation":
    from .api import segment
    from .io.reading import read_image, read_scribbles

    image = read_image(options.image)
    scribbles = read_scribbles(options.scribbles, image, **_reading(options))
    with _bar() as callback:
        return segment(image, scribbles, callback=callback, **_given(options))


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `segment` that the command line names."""
    names = (*_SEGMENT, "backend", "random_state")
    given: dict[str, Any] = {name: value for name in names if (value := getattr(options, name)) is not None}
    return {**given, "edge_weight": None} if options.edge_weight == "none" else given


def _annotate(options: argparse.Namespace) -> int:
    """Serve the page until it is closed; print the last answer's numbers and where everything is."""
    import webbrowser

    from .annotate import annotate
    from .io.writing import PICTURE_ENDINGS, check_outputs, write_picture

    def started(address: str) -> None:
        print(f"draw at {address}  (Ctrl-C saves and ends)", file=sys.stderr, flush=True)
        if not options.no_browser:
            webbrowser.open(address)

    check_outputs([(options.figure, PICTURE_ENDINGS)], [options.image])
    result, written = annotate(options.image, options.scribbles, options.output, started=started, **_given(options))
    if result is not None:
        if options.figure:
            write_picture(options.figure, result.plot())
        print(json.dumps(result.to_dict(), indent=2) if options.json else _table(result))
    print(
        "\n".join(f"written          {path}" for path in written) or "nothing drawn, nothing written", file=sys.stderr
    )
    return 0


def _project(options: argparse.Namespace) -> "Segmentation":
    from .api import project
    from .io.reading import read_mask

    target = read_mask(options.mask, probability=options.probability)
    return project(target, backend=options.backend, random_state=options.random_state)


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import examine

    report = examine()
    print(json.dumps(report.to_dict(), indent=2) if options.json else report)
    return 0 if report.healthy else 1


def _table(result: "Segmentation") -> str:
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
    if result.certificate is not None and result.shape is not None:
        rows.append(("certificate", str(result.certificate)))
        rows.append(("filled", f"{result.shape.n_filled} pixels by refinement and the exact check"))
    stages = "  ".join(f"{name} {seconds:.2f}" for name, seconds in result.seconds.items())
    rows.append(("seconds", f"{stages}  total {sum(result.seconds.values()):.2f}"))
    return "\n".join(f"{name:<16} {text}" for name, text in rows)


@contextmanager
def _bar() -> Iterator[Callable[["Progress"], None]]:
    """A progress bar on a terminal, as a callback: the relative gap's way from 1 to 1e-3 on a logarithmic scale."""
    from tqdm import tqdm

    # disable=None shows the bar only where standard error is a terminal.
    with tqdm(total=100, desc="solving", unit="%", leave=False, disable=None) as bar:

        def show(progress: "Progress") -> None:
            done = round(100 * min(1.0, max(0.0, -math.log10(max(progress.relative_gap, 1e-12)) / 3)))
            bar.set_postfix_str(f"gap {progress.relative_gap:.1e}")
            bar.update(max(0, done - bar.n))

        yield show
