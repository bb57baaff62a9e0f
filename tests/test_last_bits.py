"""The same input gives the same bits, whether kernels have just been compiled or come from the cache, in any order."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import varconvex

ROOT = Path(varconvex.__file__).parent

CALLS = """
import hashlib, sys, warnings
import numpy as np
import varconvex as v
from varconvex.errors import VarconvexWarning

warnings.simplefilter("ignore", VarconvexWarning)
rng = np.random.default_rng(0)
rows, columns = np.mgrid[:72, :80]
disc = np.hypot(rows - 36, columns - 36) < 20
image = disc[..., None] * np.array([0.5, 0.3, 0.1]) + 0.2 + rng.normal(scale=0.1, size=(*disc.shape, 3))
strokes = {"object": [(36, 30), (36, 44)], "background": [(5, 5), (5, 70)]}


def bits(*arrays):
    return hashlib.md5(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def segmented(*args, **keywords):
    found = v.segment(*args, **keywords)
    return bits(found.costs, found.unconstrained, found.probability, found.labels, found.energy, found.dual)


CALLS = {
    "default": lambda: segmented(image, strokes),
    "convex": lambda: segmented(image, strokes, shape="convex", random_state=0),
    "soft": lambda: bits(v.ConvexShape().distance(disc * 0.8 + 0.1).fitted),
}


for name in sorted(CALLS, reverse="reversed" in sys.argv):
    print(name, CALLS[name]())
"""


def test_kernels_with_fastmath_call_inlined_functions_only():
    """Copies of a function that is not inlined may round differently; the first that is loaded serves all callers."""
    kinds, callers = {}, {}
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        loose = "fastmath" in path.read_text() or "_numba_kernels import" in path.read_text()
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            told = {ast.unparse(decorator) for decorator in function.decorator_list}
            if told & {"compiled", "_compiled", "inlined", "_inlined", "row_function"} and loose:
                kinds[function.name] = told.pop()
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                        callers.setdefault(node.func.id, function.name)
    called = {name: kinds[name] for name in callers if name in kinds}
    assert len(called) > 30
    # `copy_state` computes nothing; two functions are called `spans`, of which one calls the other.
    plain = {name for name, kind in called.items() if kind in ("compiled", "_compiled")} - {"copy_state", "spans"}
    assert not plain, "decorate with `inlined` what other kernels call"


@pytest.mark.slow
def test_the_cache_and_the_order_of_calls_change_no_bit(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    answers = []
    for argument in ("first", "again", "reversed"):
        command = [sys.executable, "-c", CALLS, argument]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        answers.append(sorted(run.stdout.splitlines()))
    assert len(answers[0]) == 3
    assert answers[0] == answers[1] == answers[2]
