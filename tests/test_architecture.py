"""The arrows of ARCHITECTURE.md, kept by a test; and what importing the package costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import varconvex
from varconvex import _families
from varconvex.errors import InvalidParameterError

ROOT = Path(varconvex.__file__).parent

# What each room may see of the package. `errors` and `checks` are open to all.
ARROWS = {
    "api": {
        "inputs", "likelihoods", "predictors", "shapes", "unify", "geometry", "result", "energies", "solvers",
        "backends", "_families",
    },
    "cli": {"_families", "api", "demo", "doctor", "files", "reproduce", "result", "solvers"},
    "demo": {"api", "result"},
    "doctor": {"backends", "_threads"},
    "objects": {"geometry", "inputs", "shapes"},
    "files": set(),
    "inputs": {"scribbles"},
    "scribbles": set(),
    "checks": set(),
    "geometry": {"_threads"},
    "metrics": set(),
    "edges": {"_colour"},
    "_colour": set(),
    "_threads": set(),
    "plots": {"result"},
    "regions": {"backends", "edges", "energies", "inputs", "solvers"},
    "restoration": {"backends", "energies", "inputs", "solvers"},
    "result": {"geometry", "plots", "shapes"},
    "unify": {"geometry", "inputs", "objects", "predictors", "shapes"},
    "predictors": {
        "geometry", "inputs", "likelihoods", "energies", "shapes", "solvers", "backends", "edges", "_colour",
        "_threads",
    },
    "likelihoods": {"inputs", "_colour", "backends"},
    "energies": {"backends"},
    "solvers": {"backends", "energies"},
    "shapes": {"geometry", "solvers", "backends"},
    "backends": {"_families", "_threads"},
    "datasets": {"geometry", "files"},
    "reproduce": {"api", "geometry", "datasets", "files", "metrics", "plots", "predictors"},
}  # fmt: skip


def imports_of(path):
    """Names of the package's modules that a file imports, at its top or anywhere below."""
    package = ["varconvex", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            yield from ([*module, alias.name] for alias in node.names)


@pytest.mark.parametrize("room", sorted(ARROWS))
def test_rooms_see_only_what_they_may(room):
    files = [ROOT / f"{room}.py"] if (ROOT / f"{room}.py").exists() else sorted((ROOT / room).glob("*.py"))
    assert files
    allowed = ARROWS[room] | {room, "errors", "checks", "__version__"}
    for path in files:
        seen = {name[1] for name in imports_of(path) if name[0] == "varconvex" and len(name) > 1}
        assert seen <= allowed, f"{path.name} sees {sorted(seen - allowed)}"


def test_every_module_has_its_arrows():
    rooms = {p.stem for p in ROOT.glob("*.py")} | {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__", "errors", "_families"} == set(ARROWS)


def test_networks_and_certificates_see_arrays_only():
    for name in ("shapes/icnn.py", "geometry/certify.py"):
        seen = {".".join(n) for n in imports_of(ROOT / name) if n[0] == "varconvex"}
        arrays = ("varconvex.errors", "varconvex.checks", "varconvex.geometry")
        assert all(s.startswith(arrays) for s in seen), seen


def test_an_energy_is_a_small_file_without_a_kernel():
    files = sorted((ROOT / "energies").glob("[!_]*.py"))
    assert len(files) > 6
    for path in files:
        text = path.read_text()
        assert len(text.splitlines()) < 120, path.name
        seen = {name[0] for name in imports_of(path)}
        assert not seen & {"numba", "cupy", "scipy"}, path.name
        # What iterates over pixels or takes steps belongs to a backend: an energy only writes itself down.
        loops = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.While)]
        assert not loops, path.name
        assert not {"tau", "sigma"} & set(text.split()), path.name


def test_one_file_imports_cupy():
    users = [p.name for p in ROOT.rglob("*.py") if any(n[0] == "cupy" for n in imports_of(p))]
    assert users == ["cupy_.py"]


def test_importing_is_light():
    code = (
        "import sys, time; t = time.perf_counter(); import varconvex; s = time.perf_counter() - t;"
        "heavy = {'numba', 'cupy', 'sklearn', 'scipy', 'PIL', 'tqdm'} & set(sys.modules);"
        "print(s); assert not heavy, heavy"
    )
    run = [sys.executable, "-c", code]
    seconds = [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    assert min(seconds) < 0.3


def test_public_names_are_there():
    for name in varconvex.__all__:
        assert getattr(varconvex, name) is not None
        assert name in dir(varconvex)
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        varconvex.segmnt  # noqa: B018


def test_a_part_is_found_by_its_files_name():
    for family in ("likelihoods", "shapes", "backends", "predictors"):
        for name in _families.names(family):
            assert isinstance(_families.find(family, name), type)
    with pytest.raises(InvalidParameterError, match=r"likelihood must be one of gaussian_mixture, .*mean 'histogram'"):
        _families.find("likelihoods", "histgram")


def test_public_functions_are_documented():
    for name in varconvex.__all__:
        assert len(getattr(varconvex, name).__doc__) > 80, name
