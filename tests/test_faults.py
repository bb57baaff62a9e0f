"""The table of faults in benchmarks/results/faults.md names tests that exist, at least one for each fault."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "benchmarks" / "results" / "faults.md").read_text()
ROWS = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", TABLE, re.MULTILINE)


def test_every_fault_is_in_the_table():
    assert [int(number) for number, _ in ROWS] == list(range(1, 55))


@pytest.mark.parametrize(("number", "tests"), ROWS)
def test_the_tests_of_a_fault_are_there(number, tests):
    for test in tests.split(", "):
        path, _, name = test.partition("::")
        functions = ast.walk(ast.parse((TESTS / path).read_text()))
        assert name in {node.name for node in functions if isinstance(node, ast.FunctionDef)}, test
