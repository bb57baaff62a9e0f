"""The arrows of ARCHITECTURE.md, kept by a test; and what importing the package costs."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import varconvex
from varconvex import families, project, segment
from varconvex.errors import InvalidParameterError, VarconvexWarning

ROOT = Path(varconvex.__file__).parent

# What each room may see of the package. `errors`, `checks`, `options` and `keywords` are open to all.
ARROWS = {
    "api": {
        "inputs", "likelihoods", "predictors", "shapes", "unify", "proposals", "assembly", "result", "energies",
        "coordinates", "margins", "settings", "solvers", "backends", "geometry", "threads",
        "logs", "large", "io",
    },
    "large": {
        "backends", "colour", "edges", "energies", "images", "likelihoods", "memory", "predictors", "result", "scene",
        "scribbles", "settings", "shapes", "solvers", "temporary", "threads", "geometry",
    },
    "convexification": {
        "assembly", "backends", "coordinates", "geometry", "inputs", "likelihoods", "logs", "predictors", "proposals",
        "result",
    },
    "refinement": {
        "assembly", "backends", "convexification", "inputs", "likelihoods", "logs", "objects", "predictors",
        "proposals", "result", "scribbles", "settings", "shapes", "solvers",
    },
    "settings": {
        "backends", "extractors", "families", "inputs", "likelihoods", "logs", "predictors", "shapes", "solvers",
    },
    "session": {"api", "backends", "inputs", "predictors", "result", "scribbles", "sessions", "settings"},
    "sessions": {
        "api", "backends", "families", "io", "inputs", "likelihoods", "predictors", "result", "scribbles",
        "settings", "threads",
    },
    "annotate": {"io", "napari", "plots", "result", "session", "widget"},
    "widget": {"families", "plots", "result", "scribbles", "session"},
    "batch": {
        "api", "commands", "foreign", "io", "memory", "plots", "result", "session", "sessions", "signals", "threads",
        "_version",
    },
    "cli": {"annotate", "batch", "commands", "demo", "doctor", "io", "reproduce", "signals", "temporary"},
    "commands": {"api", "convexification", "refinement", "families", "io", "logs", "predictors", "result"},
    "napari": {"demo", "families", "inputs", "result", "session", "solvers", "widget"},
    "demo": {"api", "result"},
    "doctor": {"backends", "compiling", "threads"},
    "objects": {"geometry", "inputs", "shapes"},
    "io": {"geometry", "memory", "scribbles"},
    "adapters": {"extractors", "inputs", "likelihoods", "predictors"},
    "torch": {"shapes", "threads"},
    "extractors": {"families", "foreign", "images", "io", "threads"},
    "coordinates": set(),
    "inputs": {"coordinates", "images", "memory", "scene", "scribbles"},
    "scribbles": set(),
    "checks": {"foreign"},
    "foreign": set(),
    "surroundings": set(),
    "options": set(),
    "geometry": {"compiling", "threads"},
    "margins": {"backends", "energies", "solvers"},
    "keywords": set(),
    "optimality": {"geometry", "result"},
    "memory": set(),
    "temporary": set(),
    "signals": {"threads"},
    "metrics": set(),
    "edges": {"colour", "extractors", "images", "threads"},
    "images": set(),
    "scene": {"colour", "edges"},
    "colour": {"threads"},
    "compiling": {"logs"},
    "threads": set(),
    "plots": {"geometry", "result"},
    "archive": {"io", "geometry", "margins", "result", "shapes"},
    "result": {"archive", "geometry", "margins", "shapes", "views"},
    "views": {"geometry", "io", "margins", "plots", "result", "tables"},
    "assembly": {"backends", "geometry", "inputs", "margins", "proposals", "result"},
    "regions": {"backends", "edges", "energies", "images", "solvers"},
    "restoration": {"backends", "energies", "images", "solvers"},
    "estimator": {"api", "families", "scribbles"},
    "tables": {"geometry", "plots", "result"},
    "logs": set(),
    "unify": {"inputs", "objects", "predictors", "proposals", "shapes", "solids", "solvers", "threads"},
    "solids": {"geometry", "objects", "predictors", "proposals", "shapes", "solvers", "threads"},
    "proposals": {"geometry", "inputs", "objects", "predictors", "shapes", "solvers", "threads"},
    "predictors": {
        "geometry", "inputs", "likelihoods", "energies", "shapes", "solvers", "backends", "edges", "colour",
        "extractors", "threads",
    },
    "likelihoods": {"compiling", "inputs", "backends", "logs", "threads"},
    "energies": {"backends"},
    "solvers": {"backends", "energies", "memory", "threads"},
    "shapes": {"geometry", "memory", "solvers", "backends", "threads"},
    "backends": {"compiling", "families", "threads"},
    "datasets": {"geometry", "io", "temporary"},
    "reproduce": {
        "adapters", "api", "batch", "extractors", "geometry", "datasets", "inputs", "io", "likelihoods", "metrics",
        "plots",
        "predictors", "shapes", "signals",
    },
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
    files = [ROOT / f"{room}.py"] if (ROOT / f"{room}.py").exists() else sorted((ROOT / room).rglob("*.py"))
    assert files
    allowed = ARROWS[room] | {room, "errors", "checks", "options", "keywords", "_lazy", "__version__"}
    for path in files:
        seen = {name[1] for name in imports_of(path) if name[0] == "varconvex" and len(name) > 1}
        assert seen <= allowed, f"{path.name} sees {sorted(seen - allowed)}"


def test_every_module_has_its_arrows():
    rooms = {p.stem for p in ROOT.glob("*.py")} | {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__", "_lazy", "_version", "errors", "families"} == set(ARROWS)


def test_networks_and_certificates_see_arrays_only():
    for name in ("shapes/icnn.py", "geometry/certify.py"):
        seen = {".".join(n) for n in imports_of(ROOT / name) if n[0] == "varconvex"}
        arrays = ("varconvex.errors", "varconvex.checks", "varconvex.keywords", "varconvex.geometry")
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
        "heavy = {'numpy', 'numba', 'cupy', 'sklearn', 'scipy', 'PIL', 'tqdm'} & set(sys.modules);"
        "print(s); assert not heavy, heavy"
    )
    run = [sys.executable, "-c", code]
    seconds = [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    assert min(seconds) < 0.1


PACKAGES = [
    "",
    ".batch",
    ".datasets",
    ".energies",
    ".extractors",
    ".geometry",
    ".likelihoods",
    ".predictors",
    ".shapes",
    ".solvers",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_there(package):
    module = importlib.import_module(f"varconvex{package}")
    assert len(module.__all__) == len(set(module.__all__)) > 2
    for name in module.__all__:
        assert not inspect.ismodule(getattr(module, name)), name
        assert name in dir(module)


@pytest.mark.parametrize("package", PACKAGES)
def test_names_stay_when_modules_are_imported_first(package):
    """`solvers.pdhg` is the function, whoever imports the module of this name before."""
    code = (
        "import importlib, inspect, pkgutil; package = importlib.import_module('varconvex%s');"
        "[importlib.import_module(f'{package.__name__}.{m.name}') for m in pkgutil.iter_modules(package.__path__)"
        " if m.name not in ('__main__', 'cupy_')];"
        "bad = [name for name in package.__all__ if inspect.ismodule(getattr(package, name))]; assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code % package], check=True)


def test_errors_and_warnings_are_public():
    errors = importlib.import_module("varconvex.errors")
    named = {name for name, thing in vars(errors).items() if inspect.isclass(thing) and issubclass(thing, Exception)}
    assert named <= set(varconvex.__all__)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="varconvex attribute segmnt"):
        varconvex.segmnt  # noqa: B018


def test_a_part_is_found_by_its_files_name():
    for family in ("likelihoods", "shapes", "backends", "predictors"):
        assert len(families.names(family)) >= 3
        for name in families.names(family):
            part = families.find(family, name)
            assert isinstance(part, type)
            if family != "backends":
                assert getattr(importlib.import_module(f"varconvex.{family}"), part.__name__) is part
    with pytest.raises(InvalidParameterError, match=r"likelihood must be one of gaussian_mixture, .*mean 'histogram'"):
        families.find("likelihoods", "histgram")


def test_public_functions_are_documented():
    for name in varconvex.__all__:
        thing = getattr(varconvex, name)
        assert len(thing.__doc__) > (40 if isinstance(thing, type) and issubclass(thing, Exception) else 80), name


@pytest.fixture
def other_distribution(tmp_path, monkeypatch):
    """An installed distribution that offers a shape, one with a name of ours, and one that cannot be imported."""
    (tmp_path / "stars.py").write_text(
        "from varconvex.shapes import HullShape\n\n\nclass TrefoilShape(HullShape):\n    pass\n"
    )
    metadata = tmp_path / "stars-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stars\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[varconvex.shapes]\ntrefoil = stars:TrefoilShape\nhull = stars:TrefoilShape\nbroken = stars:MoonShape\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("stars", None)


def test_parts_of_other_distributions_are_found(other_distribution, two_blobs):
    mask = np.zeros((12, 14), bool)
    mask[3:9, 3:6] = mask[3:5, 3:11] = True
    with pytest.warns(VarconvexWarning, match=r"stars:TrefoilShape has the name of a shape of varconvex, 'hull'"):
        ours = project(mask, "hull")
    np.testing.assert_array_equal(project(mask, "trefoil").mask, ours.mask)
    image, scribbles, _ = two_blobs
    result = segment(image, scribbles, shape="trefoil", max_iter=200)
    assert result.certificate.convex
    with pytest.raises(InvalidParameterError, match=r"'broken' must be importable from stars:MoonShape.*remove stars"):
        project(mask, "broken")
    with pytest.raises(
        InvalidParameterError, match=r"one of .*broken, .*hull, .*trefoil; got 'trefoi'.*mean 'trefoil'"
    ):
        project(mask, "trefoi")


def test_it_runs_from_a_zip_file(tmp_path):
    archive = tmp_path / "varconvex.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in ROOT.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, Path("varconvex") / path.relative_to(ROOT))
    code = (
        "import varconvex; from varconvex import segment; from varconvex.families import names\n"
        "from varconvex.backends.cuda import source; from varconvex.batch.keys import fingerprint\n"
        "assert '.zip' in varconvex.__file__ and len(source()) > 1000 and len(fingerprint()) == 64\n"
        "from varconvex.widget import part; assert 'Canvas' in part('canvas.js') and '.vc' in part('canvas.css')\n"
        "assert 'convex' in names('shapes') and 'numba' in names('backends') and len(names('likelihoods')) > 2\n"
        "image, lines = [[0.0] * 9 + [1.0] * 9] * 9, {1: [(4, 2)], 2: [(4, 15)]}\n"
        "print(segment(image, lines, shape='hull', backend='numpy').mask.sum())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(archive)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["81"]
