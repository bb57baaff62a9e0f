"""Lazy public names: a package exports what its stub ``__init__.pyi`` imports, each loaded when first used."""

import ast
import pkgutil
from collections.abc import Callable
from typing import Any

import lazy_loader


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package, read from its stub.

    `lazy_loader.attach_stub` opens the stub by its path, which a package inside a zip file does not have; here the
    package's own loader reads it. ``__all__`` keeps the stub's order, without submodules and names with underscores.
    """
    stub = ast.parse(pkgutil.get_data(package, "__init__.pyi") or b"")
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    modules = {alias.name for node in imports if node.module is None for alias in node.names}
    names = {node.module: [alias.name for alias in node.names] for node in imports if node.module is not None}
    getter, lister, _ = lazy_loader.attach(package, modules, names)
    return getter, lister, [name for listed in names.values() for name in listed if not name.startswith("_")]
