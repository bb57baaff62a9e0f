"""Limits on size that keep the code readable: parameters, nesting, lines, and what tests may know of the inside."""

import ast
from pathlib import Path

import pytest

import varconvex

ROOT = Path(varconvex.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PUBLIC = {("api.py", "segment"), ("refinement.py", "refine"), ("regions.py", "segment_geodesic_contours")}
"""Public functions with more parameters than others: every one of them is a keyword that a user may want."""

MOST_LINES, MOST_PRIVATE = 350, 10


def is_kernel(path):
    return path.parent.name == "backends" and path.name.startswith("_numba")


def functions(path):
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def depth(node, above=0):
    """Number of blocks around the innermost statement of a function; an `elif` is no deeper than its `if`."""
    deepest = above
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            continue
        block = isinstance(child, ast.If | ast.For | ast.While | ast.With | ast.Try)
        chained = isinstance(child, ast.If) and isinstance(node, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child, above + (block and not chained)))
    return deepest


def private_names(path):
    """Names with a leading underscore, or from a module with one, that a file imports from the package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("varconvex"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("varconvex")]
        else:
            continue
        yield from (name for name in names if "._" in name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_are_small_enough_to_read(path):
    parameters, nesting = (20, 5) if is_kernel(path) else (14, 4)
    for function in functions(path):
        arguments = function.args
        count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
        assert count <= parameters or (path.name, function.name) in PUBLIC, f"{function.name} has {count} parameters"
        assert depth(function) <= nesting, f"{function.name} is nested {depth(function)} deep"
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_tests_know_little_of_the_inside():
    known = {name for path in Path(__file__).parent.rglob("*.py") for name in private_names(path)}
    assert len(known) < MOST_PRIVATE, sorted(known)
