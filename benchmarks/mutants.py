"""Whether the tests would notice: small faults are put into the code, one at a time, and tests have to fail.

    python -m pip install cosmic-ray
    python -m benchmarks.mutants --most 130

Mutants are those of cosmic-ray, with the nearest replacements of each operator, and one more kind: a call whose result
nobody uses, as a check of an argument is, is left out. Annotations and the texts of errors and warnings are not
mutated. A mutant is never written to a file: each is imported in a process of its own, forked after other packages have
been loaded, which runs the tests of its module until one fails. Kernels are not mutated, since they come from Numba's
cache, but those of a group that is `plain`, which run as Python. Processes that tests start import the code as it is.
"""

import argparse
import ast
import importlib.abc
import importlib.metadata
import importlib.util
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

LEFT_OUT = "LeaveOutCall"

NEAREST = {
    "Add": ("Sub", "Mul"), "Sub": ("Add", "Mul"), "Mul": ("Div", "Add"), "Div": ("Mul", "FloorDiv"),
    "FloorDiv": ("Div", "Mul"), "Mod": ("FloorDiv", "Mul"), "Pow": ("Mul", "Div"), "LShift": ("RShift",),
    "RShift": ("LShift",), "BitOr": ("BitAnd", "BitXor"), "BitAnd": ("BitOr", "BitXor"), "BitXor": ("BitOr", "BitAnd"),
    "Lt": ("LtE", "GtE"), "LtE": ("Lt", "Gt"), "Gt": ("GtE", "LtE"), "GtE": ("Gt", "Lt"),
    "Eq": ("NotEq", "GtE", "LtE"), "NotEq": ("Eq", "Gt", "Lt"), "Is": ("IsNot",), "IsNot": ("Is",),
}  # fmt: skip
"""Replacements that are tried, by what is replaced."""

LOADED = ("numpy", "numba", "scipy.ndimage", "scipy.optimize", "scipy.spatial", "pytest", "PIL.Image",
          "xarray", "sklearn.mixture", "tifffile", "joblib", "threadpoolctl", "tqdm", "lazy_loader")  # fmt: skip
"""What is imported once, before the processes are forked."""


class Group(NamedTuple):
    """Modules and their tests, the quickest first."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()
    """Only these functions of the modules, if any are named."""
    plain: bool = False
    """Kernels run as Python."""


_INPUTS = ("tests/test_inputs.py", "tests/test_doors.py", "tests/test_found_by_fuzzing.py", "tests/test_coordinates.py")

GROUPS = {
    "certify": Group(
        ("geometry/certify.py", "geometry/hulls.py", "geometry/hulls_2d.py"),
        ("tests/geometry/test_certify.py", "tests/geometry/test_hulls_3d.py"),
    ),
    "hulls_3d": Group(("geometry/hulls_3d.py",), ("tests/geometry/test_hulls_3d.py",), plain=True),
    "checks": Group(
        ("checks.py", "keywords.py"),
        ("tests/test_checks.py", *_INPUTS, "tests/test_pdhg.py::test_bad_energies_are_named"),
    ),
    "scribbles": Group(("scribbles.py",), ("tests/test_scribbles.py", *_INPUTS)),
    "inputs": Group(
        ("inputs.py", "scene.py", "images.py", "coordinates.py"),
        (*_INPUTS, "tests/test_images.py", "tests/test_scene.py", "tests/test_memory.py"),
    ),
    "energies": Group(
        ("energies/_image.py", "energies/_linear.py", "energies/base.py", "energies/chan_vese.py",
         "energies/geodesic_contours.py", "energies/mumford_shah.py", "energies/potts.py", "energies/rof.py",
         "energies/total_variation.py", "energies/tv_l1.py", "energies/two_phase.py"),
        ("tests/test_pdhg.py::test_bad_energies_are_named",
         "tests/test_pdhg.py::test_octagonal_lengths_hold_in_every_direction",
         "tests/test_found_by_fuzzing.py", "tests/energies"),
    ),
    "gap": Group(
        ("solvers/solution.py",),
        (*(f"tests/test_pdhg.py::test_{name}" for name in (
            "a_warning_shows_digits_that_differ", "bad_energies_are_named",
            "out_of_patience_is_said_and_the_best_so_far_returned", "a_callback_sees_copies_and_may_stop",
            "no_iterations_evaluate_the_start", "an_optimum_of_zero_is_recognised",
            "the_bound_is_below_and_the_energy_is_what_it_says", "scaling_cost_and_alpha_scales_the_energy",
            "what_all_labels_cost_in_common_changes_nothing_but_the_energy")),
         "tests/test_gap.py", "tests/test_solution.py::test_labels_are_of_the_smallest_type",
         "tests/test_solution.py::test_labels_of_a_single_row",
         "tests/energies/test_bounds.py"),
    ),
    "values": Group(
        ("backends/base.py",),
        ("tests/test_primitives.py", "tests/energies/test_bounds.py", "tests/energies/test_mumford_shah.py",
         "tests/test_backends_agree.py"),
        ("primal_value", "_primal_sum", "_charged", "dual_value", "_dual_sum", "_least", "values", "primal_slices",
         "dual_slices", "threshold", "mean_size", "rounded"),
    ),
}  # fmt: skip


class Mutant(NamedTuple):
    """A fault: the module, where it is, its kind, and its number among those of its kind."""

    module: str
    line: int
    kind: str
    number: int

    def source(self) -> str:
        """The module's source with the fault."""
        source = (ROOT / "varconvex" / self.module).read_text()
        if self.kind == LEFT_OUT:
            node = list(unused_calls(ast.parse(source)))[self.number]
            lines = source.splitlines(keepends=True)
            first, last = node.lineno - 1, node.end_lineno - 1
            lines[first : last + 1] = [lines[first][: node.col_offset] + "pass" + lines[last][node.end_col_offset :]]
            return "".join(lines)
        from cosmic_ray.mutating import MutationVisitor
        from cosmic_ray.plugins import get_operator

        return MutationVisitor.mutate_code(source, get_operator(self.kind)(), self.number)

    def lines(self) -> tuple[str, str]:
        """The first line that differs, without and with the fault."""
        pairs = zip(
            (ROOT / "varconvex" / self.module).read_text().splitlines(), self.source().splitlines(), strict=False
        )
        before, after = next((a, b) for a, b in pairs if a != b)
        return before.strip(), after.strip()


class Span(NamedTuple):
    """A part of a source, as (line, column) at both ends."""

    start: tuple[int, int]
    end: tuple[int, int]

    def holds(self, place: tuple[int, int]) -> bool:
        return self.start <= place < self.end


def span(node: ast.AST) -> Span:
    return Span((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))


def left_alone(tree: ast.AST) -> Iterator[Span]:
    """Annotations, and texts with what is computed for them alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield span(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield span(node.returns)
        elif isinstance(node, ast.Raise | ast.JoinedStr):
            yield span(node)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "warn_caller":
            yield Span(span(node.func).end, span(node).end)


def operators(tree: ast.AST) -> Iterator[Span]:
    """Between the two sides of each binary operator: elsewhere * and / are punctuation."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            yield Span(span(node.left).end, span(node.right).start)
        elif isinstance(node, ast.AugAssign):
            yield Span(span(node.target).end, span(node.value).start)


def wanted(name: str) -> bool:
    """Whether an operator of cosmic-ray is tried."""
    kind, *rest = name.split("/")[-1].split("_")
    if kind in ("ReplaceBinaryOperator", "ReplaceComparisonOperator"):
        return rest[1] in NEAREST.get(rest[0], ())
    if kind == "ReplaceUnaryOperator":
        return rest[0] == "Delete"
    return kind not in ("VariableReplacer", "VariableInserter", "NoOp")


def unused_calls(tree: ast.AST) -> Iterator[ast.Expr]:
    """Calls whose result nobody uses."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))


def mutants_of(module: str, functions: tuple[str, ...]) -> Iterator[Mutant]:
    """All mutants of a module of the package."""
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    source = (ROOT / "varconvex" / module).read_text()
    tree, nodes = ast.parse(source), list(ast_nodes(get_ast(source)))
    alone, between = list(left_alone(tree)), list(operators(tree))
    within = [span(n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in functions]

    def taken(kind: str, place: tuple[int, int]) -> bool:
        if any(part.holds(place) for part in alone) or (within and not any(part.holds(place) for part in within)):
            return False
        return "Binary" not in kind or any(part.holds(place) for part in between)

    places = {LEFT_OUT: [span(node).start for node in unused_calls(tree)]}
    for kind in filter(wanted, plugins.operator_names()):
        operator = plugins.get_operator(kind)()
        places[kind] = [start for node in nodes for start, _ in operator.mutation_positions(node)]
    for kind, starts in places.items():
        yield from (Mutant(module, place[0], kind, k) for k, place in enumerate(starts) if taken(kind, place))


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from code that is given."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = "varconvex." + mutant.module.removesuffix(".py").replace("/", ".")
        self.path = ROOT / "varconvex" / mutant.module
        self.code = compile(mutant.source(), str(self.path), "exec")

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        spec = importlib.util.spec_from_loader(name, self, origin=str(self.path))
        spec.has_location = True
        return spec

    def exec_module(self, module):
        exec(self.code, vars(module))


class Run(NamedTuple):
    """A process that runs tests; None as its mutant is the code as it is."""

    mutant: Mutant | None
    output: Path
    begin: float


def start(mutant: Mutant | None, tests: Iterable[str], plain: bool, folder: Path) -> tuple[int, Run]:
    """Fork a process that imports the mutant and runs the tests."""
    output = Path(tempfile.mkstemp(dir=folder)[1])
    pid = os.fork()
    if pid:
        return pid, Run(mutant, output, time.monotonic())
    code = 70
    try:
        import numba
        import pytest

        os.setpgid(0, 0)
        numba.config.DISABLE_JIT = plain
        file = os.open(output, os.O_WRONLY)
        os.dup2(file, 1)
        os.dup2(file, 2)
        if mutant is not None:
            assert not any(name.startswith("varconvex") for name in sys.modules), "the package is there already"
            sys.meta_path.insert(0, Finder(mutant))
        options = ["-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
        code = int(pytest.main([*options, "-k", "not cuda and not scikit", f"--basetemp={output}.d", *tests]))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def outcomes(
    mutants: Sequence[Mutant | None], tests: Sequence[str], plain: bool, limit: float, processes: int
) -> Iterator[tuple[Mutant | None, bool, float, str]]:
    """Each mutant with whether it survived, the seconds that took, and what failed."""
    waiting, running = list(reversed(mutants)), {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < processes:
                pid, run = start(waiting.pop(), tests, plain, Path(folder))
                running[pid] = run
            time.sleep(0.02)
            for pid, run in list(running.items()):
                done, status = os.waitpid(pid, os.WNOHANG)
                seconds = time.monotonic() - run.begin
                if not done and seconds < limit:
                    continue
                if not done:
                    os.killpg(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                del running[pid]
                lines = run.output.read_text(errors="replace").splitlines()
                failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
                what = "time" if not done else failed[0][:200] if failed else "\n".join(lines[-3:])
                yield run.mutant, bool(done) and status == 0, seconds, what


def judge(name: str, group: Group, options: argparse.Namespace) -> dict[str, object]:
    """Counts of a group, and its survivors."""
    everything = [m for module in group.modules for m in mutants_of(module, group.functions)]
    chosen, tests = everything, options.tests or group.tests
    if options.again:
        known = json.loads(options.again.read_text())[name]["modules"].values()
        alive = [Mutant(*m["mutant"]) for module in known for m in module["survivors"]]
        chosen = [m for m in everything if m in alive]
    elif options.most and len(everything) > options.most:
        chosen = sorted(random.Random(options.seed).sample(everything, options.most), key=everything.index)
    print(f"{name}: {len(chosen)} of {len(everything)} mutants", flush=True)
    if options.count or not chosen:
        return {}
    # Twice: the first compiles what is not in the cache yet.
    for _ in range(2):
        ((_, passed, seconds, what),) = outcomes([None], tests, group.plain, 600, 1)
        if not passed:
            raise SystemExit(f"tests of {name} fail without any fault: {what}")
    print(f"{name}: {seconds:.1f} s without a fault", flush=True)
    survivors = []
    for mutant, survived, took, what in outcomes(chosen, tests, group.plain, 4 * seconds + 10, options.processes):
        survivors += [mutant] * survived
        if options.verbose or survived:
            before, after = mutant.lines()
            place = f"{mutant.module}:{mutant.line} {mutant.kind} {mutant.number}"
            print(
                f"{what if not survived else 'SURVIVED'} ({took:.1f} s)  {place}\n    {before}\n    {after}", flush=True
            )
    modules = {}
    for module in group.modules:
        of, tried, alive = ([m for m in which if m.module == module] for which in (everything, chosen, survivors))
        told = [{"mutant": m, "lines": m.lines()} for m in sorted(alive, key=chosen.index)]
        modules[module] = {"of": len(of), "tried": len(tried), "killed": len(tried) - len(alive), "survivors": told}
        print(f"{module}: {len(tried)} of {len(of)}, {len(alive)} survived", flush=True)
    return {"modules": modules, "tests": tests}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", default=list(GROUPS), help=", ".join(GROUPS))
    parser.add_argument("--most", type=int, default=0, help="mutants of a group, drawn at random; 0 is all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--again", type=Path, help="only what survived, by such a file")
    parser.add_argument("--tests", nargs="+", help="other tests than those of the group")
    parser.add_argument("--count", action="store_true", help="only count mutants")
    parser.add_argument("--verbose", action="store_true", help="print what killed each")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # loading those of other packages takes longer than most tests
    for name in LOADED:
        importlib.import_module(name)
    found: dict[str, object] = {"tool": f"cosmic-ray {importlib.metadata.version('cosmic-ray')}"}
    for name in options.groups:
        found[name] = judge(name, GROUPS[name], options)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
