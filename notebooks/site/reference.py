"""Pages of the reference, written from the package itself: one a public name, one a module behind them."""

import importlib
import inspect
import pkgutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import prose

import varconvex

HEADINGS = {
    "api": "In one call", "regions": "In one call", "restoration": "In one call", "result": "Results",
    "geometry": "Certificates", "edges": "Energies", "datasets": "Data", "errors": "Errors and warnings",
}  # fmt: skip
"""Heading of a module's public names; those of other modules stand under the module's own name."""

NOT_SHOWN = {
    "annotate",
    "batch",
    "cli",
    "doctor",
    "demo",
    "inputs",
    "scribbles",
    "checks",
    "geometry",
    "napari",
    "reproduce",
    "widget",
}
"""Modules without anything to call from outside, apart from the command line's."""

SHOWN = {"batch.batch", "batch.progress", "geometry.certify", "widget", "widget.notebook"}
"""Modules that are shown although their package is not."""

NEEDS = {"torch.convexity": "torch"}
"""Modules that are shown where the package that they are written in is installed."""


def public() -> dict[str, Any]:
    """Every public name and what it stands for."""
    return {name: getattr(varconvex, name) for name in varconvex.__all__}


def modules() -> dict[str, dict[str, Any]]:
    """Functions and classes without underscore, by the module that defines them, which are no public names."""
    known = {id(thing) for thing in public().values()}
    found = {}
    for info in pkgutil.walk_packages(varconvex.__path__, "varconvex."):
        parts = info.name.split(".")[1:]
        # A file called xyz_.py is a backend, and needs the package xyz to be imported.
        name = ".".join(parts)
        hidden = (parts[0] in NOT_SHOWN and name not in SHOWN) or not find_spec(NEEDS.get(name, "varconvex"))
        if hidden or any(part.startswith("_") or part.endswith("_") for part in parts):
            continue
        module = importlib.import_module(info.name)
        things = {
            name: thing
            for name, thing in vars(module).items()
            if (inspect.isclass(thing) or inspect.isfunction(thing))
            and thing.__module__ == info.name
            and not name.startswith("_")
            and id(thing) not in known
        }
        if things:
            found[info.name] = things
    return found


def names() -> dict[str, str]:
    """Where each name that a docstring may mention is described: its full name in the reference."""
    described = {f"varconvex.{name}": thing for name, thing in public().items()}
    for module, things in modules().items():
        described |= {f"{module}.{name}": thing for name, thing in things.items()}
    found = {full.rpartition(".")[2]: full for full in reversed(described)}
    for full, thing in described.items():
        for member in members(thing):
            found[f"{full.rpartition('.')[2]}.{member}"] = f"{full}.{member}"
    return found


def members(thing: Any) -> list[str]:
    """Documented methods and properties of a class that its docstring does not list and its protocol does not ask for."""
    if not inspect.isclass(thing):
        return []
    listed = inspect.getdoc(thing) or ""
    listed = listed.partition("Attributes\n")[2]
    asked: set[str] = set()
    if thing.__module__.startswith("varconvex.energies.") and not getattr(thing, "_is_protocol", False):
        asked = {name for name in vars(importlib.import_module("varconvex.energies.base").Energy) if name[0] != "_"}
    own = [name for base in thing.__mro__ if base.__module__.startswith("varconvex") for name in vars(base)]
    return [
        name
        for name in dict.fromkeys(own)
        if not name.startswith("_")
        and name not in asked
        and f"\n{name} :" not in listed
        and not isinstance(inspect.getattr_static(thing, name), (int, float, str, bool, type(None)))
        and not type(inspect.getattr_static(thing, name)).__module__.startswith("sklearn.")  # its own, put in there
        and inspect.getdoc(getattr(thing, name))
        and (callable(getattr(thing, name)) or not isinstance(getattr(thing, name), tuple))
    ]


def entry(full: str, thing: Any) -> str:
    """The directive that describes one name."""
    if not inspect.isclass(thing):
        return f".. autofunction:: {full}\n"
    signature = "()" if getattr(thing, "_is_protocol", False) else ""
    lines = [f".. autoclass:: {full}{signature}"]
    if members(thing):
        lines.append(f"   :members: {', '.join(members(thing))}")
    return "\n".join(lines) + "\n"


def write(folder: Path) -> None:
    """All pages, and an index that lists them by heading."""
    folder.mkdir()
    headings: dict[str, list[str]] = {}
    for name, thing in public().items():
        (folder / f"varconvex.{name}.rst").write_text(f"{_title(name)}\n{entry(f'varconvex.{name}', thing)}")
        module = thing.__module__.split(".")[1]
        headings.setdefault(HEADINGS.get(module, module.capitalize()), []).append(name)
    index = [_title("Reference"), (
        "Every public name, by what it is for. All of them are had from the top: ``from varconvex import segment``. "
        "Behind them stand the modules with the protocols that new parts answer.\n"
    )]  # fmt: skip
    for heading, listed in headings.items():
        index += [_title(heading, "-"), _list({f"varconvex.{n}": getattr(varconvex, n) for n in listed})]
    index += [
        _title("Modules", "-"),
        "Protocols, parts that are found by their names, errors, and what results consist of.\n",
    ]
    index.append(_toctree(list(modules())))
    (folder / "index.rst").write_text("\n".join(index))
    for module, things in modules().items():
        text = inspect.getdoc(importlib.import_module(module)) or ""
        body = [entry(f"{module}.{name}", thing) for name, thing in things.items()]
        (folder / f"{module}.rst").write_text(
            "\n".join([_title(module.partition(".")[2]), prose.page(text), "", *body])
        )


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n"


def _list(things: dict[str, Any]) -> str:
    """Names with the first sentence of their docstring."""
    rows = []
    for full, thing in things.items():
        said = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
        rows.append(f":doc:`{full.rpartition('.')[2]} <{full}>`\n   {prose.escaped(said)}\n")
    return "\n".join(rows) + "\n" + _toctree(list(things), hidden=True)


def _toctree(pages: list[str], hidden: bool = False) -> str:
    option = "   :hidden:\n" if hidden else "   :maxdepth: 1\n"
    return ".. toctree::\n" + option + "\n" + "".join(f"   {page}\n" for page in pages)
