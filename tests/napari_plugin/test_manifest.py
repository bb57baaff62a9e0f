"""The manifest by which napari finds the plugin, and its sample data; napari itself is not needed."""

import ast
import configparser
import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import varconvex
from varconvex import Session
from varconvex.napari import samples

ROOT = Path(varconvex.__file__).parent
MANIFEST = ROOT / "napari" / "napari.yaml"
COMMANDS = re.findall(r"python_name: (\S+):(\S+)", MANIFEST.read_text())


def test_it_is_in_the_wheel_and_offered_to_napari():
    setup = configparser.ConfigParser()
    setup.read(ROOT.parent / "setup.cfg")
    assert "napari/*.yaml" in setup["options.package_data"]["varconvex"].split()
    assert "varconvex = varconvex.napari:napari.yaml" in setup["options.entry_points"]["napari.manifest"]
    required = setup["options"]["install_requires"] + setup["options.extras_require"]["test"]
    assert "napari" not in required
    assert "napari" in setup["options.extras_require"]["napari"]


@pytest.mark.parametrize(("module", "name"), COMMANDS)
def test_every_command_is_there(module, name):
    tree = ast.parse(Path(find_spec(module).origin).read_text())
    assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if module.endswith("samples") or find_spec("napari"):
        assert callable(getattr(importlib.import_module(module), name))


def test_every_contribution_has_its_command():
    npe2 = pytest.importorskip("npe2", reason="the manifest is validated by npe2, which comes with napari")
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    known = {command.id for command in manifest.contributions.commands}
    used = [entry.command for entry in (*manifest.contributions.widgets, *manifest.contributions.sample_data)]
    assert len(COMMANDS) == len(known) == len(used)
    assert set(used) == known


SAMPLES = [name for module, name in COMMANDS if module.endswith("samples")]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_can_be_segmented(name):
    (image, shown, kind), (strokes, _, labels) = getattr(samples, name)()
    assert (kind, labels) == ("image", "labels")
    spatial = image.shape[:2] if shown.get("scale") is None else image.shape
    assert strokes.shape == spatial
    channels = -1 if image.ndim > strokes.ndim else None
    session = Session(image, spacing=shown.get("scale"), channel_axis=channels, max_iter=300, tol=0.1)
    for label in np.unique(strokes[strokes > 0]):
        session.add(strokes == label, int(label))
    result = session.preview()
    assert {1, 2} <= set(result.label_ids)
    for label in result.label_ids[1:]:
        assert 0.01 < (result.labels == label).mean() < 0.4
