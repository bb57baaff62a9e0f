"""Finds a part by its public name: one file a part, no registration.

``find("likelihoods", "histogram")`` is ``varconvex.likelihoods.histogram.HistogramLikelihood``: the class is called
after its file, in CamelCase, and after its family, in the singular. Adding a part is adding a file.
"""

import importlib
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from .errors import InvalidParameterError


def names(family: str) -> list[str]:
    """Public names of a family's parts: the files that hold a class called after them. None is imported."""
    return sorted(_parts(family))


def find(family: str, name: str) -> type:
    """The class of the part `name` of `family`.

    Raises
    ------
    InvalidParameterError
        If there is no such part; the message lists those there are, the nearest first.
    """
    known = _parts(family)
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(str(name), known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else "Choose one of them."
        raise InvalidParameterError(f"{family[:-1]} must be one of {', '.join(sorted(known))}; got {name!r}. {hint}")
    module = importlib.import_module(f"varconvex.{family}.{known[name]}")
    return getattr(module, _class(family, name))


@lru_cache  # the files are read once a process: a backend is asked for with every solve
def _parts(family: str) -> dict[str, str]:
    """File of each part by its public name."""
    parts = {}
    for path in (Path(__file__).parent / family).glob("[!_]*.py"):
        name = path.stem.removesuffix("_")
        # A base class, or a helper such as shapes/icnn.py, holds no class of that name.
        if f"\nclass {_class(family, name)}" in path.read_text(encoding="utf-8"):
            parts[name] = path.stem
    return parts


def _class(family: str, name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_")) + family[:-1].capitalize()
