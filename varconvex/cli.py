"""The command ``varconvex``: demo, segment, project, refine, convexify, batch, annotate, reproduce, doctor.

Exit status: 0 done, 1 something is missing (doctor) or has failed (batch), 2 bad input or usage, 130 interrupted, 143
terminated.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn, get_args

from . import __version__
from .batch import command as batch
from .commands import maps, segment
from .commands.console import Voice, in_shell_words, warnings_told, with_voice
from .commands.options import FILE_OPTIONS, SEGMENT, add_options, files_of, given, keywords
from .errors import VarconvexError
from .options import Viewer
from .reproduce import command as reproduce
from .signals import ctrl_c_as_ever, ended_by_signals
from .temporary import remove_folders


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(argv)
    try:
        with warnings_told(), ended_by_signals():
            return options.run(options)
    except VarconvexError as error:
        print(f"varconvex: error: {in_shell_words(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of the pipe has ended (`| head`); Python would fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"varconvex: error: {error}. Check the path and its permissions.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("varconvex: interrupted", file=sys.stderr)
        return 130
    except SystemExit as ending:
        if ending.code == 143:
            print("varconvex: terminated", file=sys.stderr)
        raise


def command() -> NoReturn:
    """The command itself: `main` in a process of its own.

    One that was interrupted ends at once, its files closed, its workers and temporary folders gone. To take an
    interpreter with compiled kernels apart would take 0.4 s of processor time, and what the interrupt found half
    released might be released twice.
    """
    _streams()
    try:
        status = main()
    except SystemExit as ending:
        if ending.code != 143:
            raise
        status = 143
    if status in (130, 143):
        remove_folders()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


def _streams() -> None:
    """Standard output and error that can be written to: to nowhere where one is closed, with escapes for odd names."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the whole process
        elif stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varconvex", description="Segment an image from a few scribbles, with a certified gap and a convex object."
    )
    parser.add_argument("--version", action="version", version=f"varconvex {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="cut a dahlia out of a photograph that comes with scikit-learn")
    figure = "the picture (default: %(default)s)"
    demo.add_argument("--figure", default="varconvex-demo.png", metavar="FILE", help=figure)
    demo.add_argument("--json", action="store_true", help="print the numbers as JSON")
    demo.add_argument("-q", "--quiet", action="store_true", help="say nothing while it works")
    demo.set_defaults(run=with_voice(_demo))

    segment.add_to(commands)
    maps.add_to(commands)
    batch.add_to(commands)

    annotate = commands.add_parser("annotate", help="draw strokes, see the answer, save both")
    annotate.add_argument("image", metavar="IMAGE", help="image or volume (PNG, TIFF, JPEG, .npy, NIfTI, ...)")
    annotate.add_argument(
        "--scribbles", metavar="FILE", help="strokes to go on with and to write (default: IMAGE-scribbles.png)"
    )
    annotate.add_argument("-o", "--output", metavar="MASK", help="mask to write (default: IMAGE-mask.png)")
    told = "where to draw (default: napari where it is installed, or else a page of this machine)"
    annotate.add_argument("--viewer", choices=get_args(Viewer), help=told)
    annotate.add_argument("--no-browser", action="store_true", help="serve the page and print its address only")
    annotate.add_argument("--figure", metavar="FILE", help="also draw a picture")
    annotate.add_argument("--json", action="store_true", help="print the numbers as JSON")
    add_options(annotate, [*FILE_OPTIONS, *SEGMENT])
    segment.add_threads(annotate)
    annotate.set_defaults(run=_annotate)

    reproduce.add_to(commands)

    doctor = commands.add_parser("doctor", help="what is installed, what is missing, and what installs it")
    doctor.add_argument("--json", action="store_true", help="print it as JSON")
    doctor.set_defaults(run=_doctor)
    return parser


def _demo(options: argparse.Namespace, voice: Voice) -> int:
    """Segment the demonstration's photograph and draw it."""
    from .commands.outputs import check_names, print_numbers, write_outputs

    check_names(options, [])
    voice.say("loading the solver")
    from . import demo

    result = demo.run(callback=voice.progress)
    write_outputs(options, result)
    print_numbers(result, as_json=options.json)
    if not options.json:
        print(f"picture          {options.figure}")
    return 0


def _annotate(options: argparse.Namespace) -> int:
    """Open napari or serve the page until it is closed; print the last answer's numbers and where everything is."""
    print(f"varconvex: reading {options.image}", file=sys.stderr, flush=True)
    import webbrowser

    from .annotate import annotate
    from .commands.outputs import print_numbers
    from .io.writing import PICTURE_ENDINGS, check_outputs, write_picture

    def started(address: str) -> None:
        print(f"draw at {address}  (Ctrl-C saves and ends)", file=sys.stderr, flush=True)
        if not options.no_browser:
            webbrowser.open(address)

    chosen = given(options)
    check_outputs([(options.figure, PICTURE_ENDINGS)], [options.image, *files_of(chosen)])
    segment.use_threads(options.threads)
    viewer: Viewer | None = "page" if options.no_browser else options.viewer
    files = (options.image, options.scribbles, options.output)
    opening = keywords(given(options, FILE_OPTIONS))
    with ctrl_c_as_ever():
        result, written = annotate(*files, viewer=viewer, started=started, opening=opening, **keywords(chosen))
    if result is not None:
        if options.figure:
            write_picture(options.figure, result.plot())
        print_numbers(result, as_json=options.json)
    print(
        "\n".join(f"written          {path}" for path in written) or "nothing drawn, nothing written", file=sys.stderr
    )
    return 0


def _doctor(options: argparse.Namespace) -> int:
    """Say what is installed."""
    from .doctor import examine

    report = examine()
    print(json.dumps(report.to_dict(), indent=2) if options.json else report)
    return 0 if report.healthy else 1
