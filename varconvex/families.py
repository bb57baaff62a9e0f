"""Finds a part by its public name: ours by their module's name, those of other distributions by entry points.

``find("likelihoods", "histogram")`` is ``varconvex.likelihoods.histogram.HistogramLikelihood``: the class is called
after its module, in CamelCase, and after its family, in the singular. A new part is a new module. A distribution
offers parts in its metadata, one group a family::

    [project.entry-points."varconvex.shapes"]
    trefoil = "trefoils:TrefoilShape"
"""

import importlib
import pkgutil
import sys
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from .checks import warn_caller
from .errors import InvalidParameterError, VarconvexWarning


def names(family: str, ndim: int | None = None) -> list[str]:
    """Public names of a family's parts; the family's modules are imported, those of other distributions are not.

    With `ndim` without ours whose `dimensions` it is not among: shapes that have no sets in images of so many axes.
    """
    parts = ((name, _part(family, name)) for name in _modules(family))
    ours = (name for name, part in parts if part and ndim in (None, *getattr(part, "dimensions", (ndim,))))
    return sorted({*ours, *_offered(family, tuple(sys.path))})


def find(family: str, name: str) -> type:
    """The class of the part `name` of `family`.

    An InvalidParameterError if there is no such part (the message lists all, the nearest first), or another
    distribution's cannot be loaded.
    """
    offered = _offered(family, tuple(sys.path))
    if isinstance(name, str):
        if name in _modules(family) and (part := _part(family, name)):
            return part
        if name in offered:
            try:
                return offered[name].load()
            except Exception as error:
                raise InvalidParameterError(
                    f"{family[:-1]} {name!r} must be importable from {offered[name].value}; got {error!r}. Update or "
                    f"remove {getattr(offered[name].dist, 'name', 'the distribution')}, which offers it."
                ) from error
    known = names(family)
    near = get_close_matches(str(name), known, 1)
    hint = f"Did you mean {near[0]!r}?" if near else "Choose one of them."
    raise InvalidParameterError(f"{family[:-1]} must be one of {', '.join(known)}; got {name!r}. {hint}")


@lru_cache
def _modules(family: str) -> dict[str, str]:
    """Module of each possible part by its public name; the package's own loader lists them, in a zip file as well."""
    path = importlib.import_module(f"varconvex.{family}").__path__
    found = (info.name for info in pkgutil.iter_modules(path))
    return {name.removesuffix("_"): name for name in found if not name.startswith("_")}


def _part(family: str, name: str) -> type | None:
    """The class that the module of this name defines; None of helpers such as ``shapes/icnn.py``, which have none."""
    module = importlib.import_module(f"varconvex.{family}.{_modules(family)[name]}")
    return getattr(module, "".join(part.capitalize() for part in (*name.split("_"), family[:-1])), None)


@lru_cache
def _offered(family: str, _path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Entry points of other distributions by name, read once for each state of ``sys.path``."""
    found = {entry.name: entry for entry in entry_points(group=f"varconvex.{family}")}
    for name in sorted(found.keys() & _modules(family).keys()):
        if _part(family, name):
            theirs = found.pop(name).value
            message = f"{theirs} has the name of a {family[:-1]} of varconvex, {name!r}, which is used instead."
            warn_caller(message, VarconvexWarning)
    return found
