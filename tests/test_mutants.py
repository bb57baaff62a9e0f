"""The faults that `python -m benchmarks.mutants` tries: their modules and tests exist, and texts are left alone."""

import ast
from pathlib import Path

import pytest

from benchmarks import mutants

ROOT = Path(__file__).parents[1]

SOURCE = """
def f(a: int | None, *, b: float = 2 * 3) -> int | None:
    check(a)
    if a < 1:
        raise ValueError(f"{a + 1} is less")
    warn_caller("more" if a > 9 else "less")
    return g(*a, **b) ** 2
"""


def functions(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", mutants.GROUPS)
def test_modules_and_tests_are_there(name):
    group = mutants.GROUPS[name]
    known = set().union(*(functions(ROOT / "varconvex" / module) for module in group.modules))
    assert known >= set(group.functions)
    for test in group.tests:
        path, _, function = test.partition("::")
        assert (ROOT / path).exists()
        assert not function or function in functions(ROOT / path)


def test_annotations_and_texts_are_left_alone():
    tree = ast.parse(SOURCE)
    alone = list(mutants.left_alone(tree))

    def place(text):
        line = next(k for k, line in enumerate(SOURCE.splitlines()) if text in line)
        return line + 1, SOURCE.splitlines()[line].index(text)

    for text in ("int |", "ValueError", "a + 1", "> 9"):
        assert any(part.holds(place(text)) for part in alone), text
    for text in ("2 * 3", "check", "a < 1", "** 2"):
        assert not any(part.holds(place(text)) for part in alone), text
    found = [SOURCE.splitlines()[part.start[0] - 1][part.start[1] : part.end[1]] for part in mutants.operators(tree)]
    assert sorted(map(str.strip, found)) == ["*", "**", "+", "|", "|"]
    assert next(ast.unparse(node) for node in mutants.unused_calls(tree)) == "check(a)"
