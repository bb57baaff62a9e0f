"""Finds a part by its public name: one file a part, no registration.

``find("likelihoods", "histogram")`` is ``varconvex.likelihoods.histogram.HistogramLikelihood``: the class is called
after its file, in CamelCase, and after its family, in the singular. Adding a part is adding a file.
"""

import importlib
import pkgutil
from difflib import get_close_matches

from .errors import InvalidParameterError

_SUFFIX = {
    "likelihoods": "Likelihood",
    "shapes": "Shape",
    "backends": "Backend",
    "predictors": "Predictor",
}


def names(family: str) -> list[str]:
    """Public names of a family's parts: its files, but for ``base`` and private ones."""
    package = importlib.import_module(f"varconvex.{family}")
    found = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name == "base" or info.name.startswith("_"):
            continue
        found.append(info.name.removesuffix("_"))
    return sorted(found)


def find(family: str, name: str) -> type:
    """The class of the part `name` of `family`.

    Raises
    ------
    InvalidParameterError
        If there is no such part; the message lists those there are, the nearest first.
    """
    known = names(family)
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(str(name), known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise InvalidParameterError(f"{family[:-1]} must be one of {', '.join(known)}; got {name!r}.{hint}")
    package = importlib.import_module(f"varconvex.{family}")
    file = next(m.name for m in pkgutil.iter_modules(package.__path__) if m.name.removesuffix("_") == name)
    module = importlib.import_module(f"varconvex.{family}.{file}")
    camel = "".join(part.capitalize() for part in name.split("_"))
    return getattr(module, camel + _SUFFIX[family])
