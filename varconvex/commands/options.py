"""Keywords of our functions as options of a shell: declared once, for all commands and for tables of runs.

An option's value has two forms. The *given* one is a number or a text as in the shell, ready for JSON, a hash or a
cell of a table: `parse` makes it. The *keyword* is what `segment` takes: `keywords` makes it, and reads the files that
options name.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from ..errors import InvalidParameterError
from ..options import TV, Components, Kind, NanPolicy, Relaxation, Unify

NONE = "none"
"""The word that stands for None where None is a choice of its own."""


@dataclass(frozen=True)
class Option:
    """An option of the shell.

    Attributes
    ----------
    help : str
        What it means, in a line.
    metavar : str
        What its value is called in the help; "" for a switch, which has none.
    parse : callable
        From the shell's text to the given form; raises a ValueError.
    load : callable
        From the given form to the keyword.
    choices : tuple of str
        The only values there are; empty if there are others.
    file : bool
        Whether its value may name a file, whose content then matters.
    flags : tuple of str
        Further names.
    """

    help: str
    metavar: str = "NAME"
    parse: Callable[[str], Any] = str
    load: Callable[[Any], Any] = lambda value: value
    choices: tuple[str, ...] = ()
    file: bool = False
    flags: tuple[str, ...] = ()

    @property
    def switch(self) -> bool:
        """Whether it has no value."""
        return not self.metavar


def _numbers(text: str) -> float | list[float]:
    """One number, or several after commas."""
    found = [float(part) for part in text.replace("x", ",").split(",")]
    return found[0] if len(found) == 1 else found


def _axis(text: str) -> int | str:
    return NONE if text.lower() == NONE else int(text)


def _shapes(text: str) -> str:
    """The name of a shape, or ``2=convex,3=none``, checked for its form."""
    _by_label(text)
    return text


def _by_label(text: str) -> Any:
    """A shape's name, or shapes by label."""
    if "=" not in text:
        return None if text.lower() == NONE else text
    pairs = [part.partition("=") for part in text.split(",")]
    if len({int(label) for label, _, _ in pairs}) < len(pairs):
        raise ValueError("a label is named twice")
    return {int(label): None if name.lower() == NONE else name for label, _, name in pairs}


def _switch(text: str) -> bool:
    """A switch's value in a table."""
    known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}
    if text.lower() not in known:
        raise ValueError("a switch is yes or no")
    return known[text.lower()]


def _optional(value: Any) -> Any:
    return None if value == NONE else value


def _frames(text: str) -> int | list[int]:
    """One number, or several after commas."""
    found = [int(part) for part in text.split(",")]
    return found[0] if len(found) == 1 else found


def _key(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _mask(path: str) -> Any:
    """A file's mask as bool array."""
    from ..io.reading import read_mask

    values = read_mask(path)
    if values.dtype.kind == "f" and not ((values == 0) | (values == 1)).all():
        raise InvalidParameterError(f"a mask must have two values; {path} has probabilities. Save it as {path} > 0.5.")
    return values > 0


def _colour(text: str) -> Any:
    """Red, green and blue of a colour."""
    from ..io.reading import colour

    return colour(text)


def _edge_weight(value: str) -> Any:
    """The word "contrast", None, or the array of a file."""
    from ..io.reading import read_image

    return _optional(value) if value in ("contrast", NONE) else read_image(value)


def _features(path: str) -> Any:
    """The path of a network, or a file's array."""
    from ..io.reading import read_image

    return path if path.endswith(".onnx") else read_image(path)


OPTIONS: dict[str, Option] = {
    "alpha": Option("weight of the boundary; bigger is smoother", "NUMBER", float),
    "shape": Option(
        "shape of the object: convex, polygon, ...; or of each label: 2=convex,3=none", "SHAPE", _shapes, _by_label
    ),
    "unify": Option("shape fitted after the energy, or both with the colours in turns", choices=get_args(Unify)),
    "predictor": Option("source of the probabilities: energy (default), fcn or cnn"),
    "likelihood": Option("nieuwenhuis_cremers (default), gaussian_mixture or histogram"),
    "edge_weight": Option(
        "cheaper boundaries at edges (contrast, default), or none, or a file with a weight for each pixel",
        "contrast|none|FILE",
        load=_edge_weight,
        file=True,
    ),
    "tv": Option("norm of the gradient in the total variation", choices=get_args(TV)),
    "relaxation": Option("of more than two labels: fast, or tighter where three meet", choices=get_args(Relaxation)),
    "components": Option("keep parts that hold no scribble, or not", choices=get_args(Components)),
    "channel_axis": Option("axis of the channels; none if there is none (default: as the file says)", "N|none",
                           _axis, _optional),
    "rgba": Option("a fourth channel is transparency and left out, or data", choices=("yes", "no"),
                   load=lambda value: value == "yes"),
    "mask": Option("where to segment: a mask", "FILE", load=_mask, file=True),
    "spacing": Option("distance between pixels along each axis, e.g. 2.5,1,1 (default: as the file says)",
                      "NUMBERS", _numbers),
    "nan_policy": Option("refuse pixels that are NaN or infinite, or leave them out", choices=get_args(NanPolicy)),
    "strict": Option("refuse strokes of different labels that cross", ""),
    "backend": Option("what computes", choices=("numba", "numpy", "cupy")),
    "max_iter": Option("most iterations", "N", int),
    "tol": Option("relative gap to stop at", "NUMBER", float),
    "time_limit": Option("most seconds for likelihood, solver and joint unification", "SECONDS", float),
    "certainty": Option("also find how certain each label is", ""),
    "random_state": Option("the same seed gives the same mask", "N", int, flags=("--seed",)),
    "inside": Option("pixels that must belong to the object: a mask", "FILE", load=_mask, file=True),
    "outside": Option("pixels that must not belong to the object: a mask", "FILE", load=_mask, file=True),
    "kind": Option("unit of a map of floats", choices=get_args(Kind)),
    "reach": Option("pixels of the map by which its outline may be off", "NUMBER", float),
    "features": Option("features: .npy (H, W, F), or a network, .onnx", "FILE", load=_features, file=True),
    "given": Option("map of probabilities, or mask, of another program: the predictor instead", "FILE", file=True),
}  # fmt: skip
"""Every option by its name: a keyword of `segment`, `project` or `refine`, or one of `PARTS`."""

FILE_OPTIONS: dict[str, Option] = {
    "frame": Option("frame of a file with a time axis, or page of one whose pages have no meaning", "N", _frames),
    "level": Option("resolution level of a pyramid; 0 is the finest", "N", int),
    "key": Option("name or number of the array in a file that holds several", "KEY", _key),
    "axes": Option("a letter for each axis of the file, where it does not tell: z, y, x, c, t", "LETTERS"),
    "large": Option("read what is larger than the memory there is", ""),
}
"""Options that are keywords of `open_image`."""

PENS: dict[str, Option] = {
    "object_label": Option("label of the object in SCRIBBLES (default: 2)", "N", int),
    "background_label": Option("label of the background in SCRIBBLES (default: 1)", "N", int),
    "object_colour": Option("colour of the object's painted strokes (default: as found)", "COLOUR", load=_colour),
    "background_colour": Option("colour of the background's painted strokes", "COLOUR", load=_colour),
}
"""Options that are keywords of `read_scribbles`, besides those of `open_image`."""

ON_DISK: dict[str, Option] = {
    "memory": Option("read the image by rows and use at most so much memory: 4G, 500M", "SIZE"),
    "scratch": Option("folder for files while it is read by rows; the same command goes on there", "DIR"),
}
"""Options for images that are larger than memory."""

ALL_OPTIONS = {**OPTIONS, **FILE_OPTIONS, **PENS, **ON_DISK}
"""Options by name, of all declarations."""

PARTS = ("given",)
"""Options that are no keywords but become one, `predictor`."""

NOT_IN_A_SHELL = ("image", "scribbles", "target", "callback", *ON_DISK)
"""Keywords that are no options of all commands: what is read, what watches the solver, and those of images on disk."""


SEGMENT = tuple(name for name in OPTIONS if name not in ("inside", "outside", "kind", "reach"))
"""Names of the options of commands that segment."""

PROJECT = ("shape", "inside", "outside", "spacing", "backend", "random_state")
"""Names of the options of commands that project."""

REFINE = (
    "shape", "kind", "reach", "alpha", "channel_axis", "rgba", "spacing", "backend", "max_iter", "tol", "random_state",
)  # fmt: skip
"""Names of the options of the command that refines."""


def flag(name: str) -> str:
    """An option's name in the shell."""
    return "--" + name.replace("_", "-")


def add_options(parser: argparse.ArgumentParser, names: Iterable[str] = SEGMENT) -> None:
    """Add options to a parser; what is not given is None in its namespace."""
    for name in names:
        option = ALL_OPTIONS[name]
        flags = (flag(name), *option.flags)
        if option.switch:
            parser.add_argument(*flags, dest=name, action="store_true", default=None, help=option.help)
        elif option.choices:
            parser.add_argument(*flags, dest=name, choices=option.choices, help=option.help)
        else:
            metavar, kind = option.metavar, _typed(name)
            parser.add_argument(*flags, dest=name, type=kind, metavar=metavar, help=option.help)


def _typed(name: str) -> Callable[[str], Any]:
    """`parse` of an option as argparse wants it."""

    def typed(text: str) -> Any:
        try:
            return parse(name, text)
        except InvalidParameterError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def parse(name: str, text: str) -> Any:
    """The given form of an option's text, as in the shell or in a table's cell.

    An InvalidParameterError if there is no such option (the nearest is named) or its text cannot be used.
    """
    option = _option(name)
    kind = f"one of {', '.join(option.choices)}" if option.choices else option.metavar or "yes or no"
    try:
        value = _switch(text) if option.switch else option.parse(text)
    except ValueError:
        value = None
    if value is None or (option.choices and value not in option.choices):
        raise InvalidParameterError(f"{name} must be {kind}; got {text!r}. Correct it.")
    return value


def _option(name: str) -> Option:
    """The option of a name, or an InvalidParameterError that names the nearest one."""
    if name not in ALL_OPTIONS:
        near = get_close_matches(str(name), ALL_OPTIONS, 1, 0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(ALL_OPTIONS)}."
        raise InvalidParameterError(f"an option must be a keyword of segment; got {name!r}. {hint}")
    return ALL_OPTIONS[name]


def _loaded(name: str, value: Any) -> Any:
    """The keyword's value of an option's given form."""
    try:
        return _option(name).load(value)
    except (TypeError, AttributeError) as error:
        raise InvalidParameterError(
            f"{name} must be as in the shell, a number or a text; got {value!r:.80}. Pass it as a keyword instead."
        ) from error


def given(options: argparse.Namespace | Mapping[str, Any], names: Iterable[str] = SEGMENT) -> dict[str, Any]:
    """The options that were given, in their given form, ready for JSON."""
    values = options if isinstance(options, Mapping) else vars(options)
    return {name: values[name] for name in names if values.get(name) is not None}


def files_of(options: Mapping[str, Any]) -> list[str]:
    """Files that given options name."""
    words = ("contrast", NONE)
    return [value for name, value in options.items() if _option(name).file and value not in words]


def keywords(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of `segment`, `project`, `open_image` or `read_scribbles` from given options; files they name are read.

    A FileFormatError if a file cannot be read, an InvalidParameterError if options do not go together.
    """
    ready = {name: _loaded(name, value) for name, value in options.items() if name not in PARTS}
    predictor = options.get("predictor", "energy")
    if predictor in ("given", "classifier") and "given" not in options:
        raise InvalidParameterError(
            f"a predictor's name must be enough in the shell, energy, fcn or cnn; got {predictor!r}. Pass the map of "
            "another program as --given FILE."
        )
    if "given" in options:
        from ..io.reading import read_mask
        from ..predictors.given import GivenPredictor

        if predictor not in ("energy", "given"):
            raise InvalidParameterError(f"given must be the only predictor; got {predictor!r} beside it. Leave it out.")
        ready["predictor"] = GivenPredictor(read_mask(options["given"], probability=True))
    return ready
