"""What README, ARCHITECTURE, CONTRIBUTING and the guide say that can be looked up: commands, names, files, links."""

import ast
import configparser
import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from varconvex import plots

ROOT = Path(__file__).parents[1]
SITE = ROOT / "notebooks" / "site"
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
        SITE / "guide.md",
        *sorted((ROOT / "benchmarks" / "results").glob("*.md")),
    )
}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    folder = ROOT if name == "notebooks/site/guide.md" else (ROOT / name).parent
    for target in re.findall(r"\]\(([^)#]+)", TEXTS[name]):
        if "://" not in target:
            places = (folder / target, (ROOT / name).parent / target, ROOT / "notebooks" / target)
            assert any(place.exists() for place in places) or target == "start.md", target


@pytest.mark.parametrize("name", TEXTS)
def test_commands_are_there(name):
    for module in re.findall(r"python -m (benchmarks\.\w+)", TEXTS[name]):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    for extra in re.findall(r'"\.\[([\w-]+)\]"', TEXTS[name]):
        assert extra in settings["options.extras_require"], extra


@pytest.mark.parametrize("name", TEXTS)
def test_code_names_what_there_is(name):
    names = {}
    for block in re.findall(r"```python\n(.+?)```", TEXTS[name], re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                names |= {alias.name: getattr(module, alias.name) for alias in node.names}
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names:
                known = inspect.signature(names[node.func.id]).parameters
                assert {keyword.arg for keyword in node.keywords} <= set(known), ast.unparse(node)
            elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) in ("result", "solution"):
                owner = importlib.import_module("varconvex")
                kind = owner.Segmentation if node.value.id == "result" else owner.Solution
                assert node.attr in (*dir(kind), *kind.__dataclass_fields__), node.attr


def test_architecture_is_short_and_names_files_that_exist():
    text = TEXTS["ARCHITECTURE.md"]
    assert len(text.splitlines()) <= 150
    assert max(map(len, text.splitlines())) <= 120
    folders = [ROOT, SITE, *(ROOT / name for name in ("benchmarks", "tests", "varconvex"))]
    folders += [path for path in (ROOT / "varconvex").iterdir() if path.is_dir()]
    for path in re.findall(r"`([\w./*-]+(?:\.\w+|/))`", text):
        if "." in path.rsplit("/", 1)[-1] and path.rsplit(".", 1)[1] not in ("py", "pyi", "cu", "md"):
            continue  # an attribute, not a file
        assert any(list(folder.glob(path)) for folder in folders), path


def test_the_readme_shows_a_small_picture_and_two_commands():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", TEXTS["README.md"])
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).stat().st_size < 150_000
        with Image.open(ROOT / picture) as image:
            assert image.width > 800
    for block in ("demo", "test"):
        assert re.search(rf"^<!-- {block} -->\n```sh\n.+\n```$", TEXTS["README.md"], re.MULTILINE)


def test_few_colours_keep_the_strokes():
    noise = np.random.default_rng(0).integers(0, 200, (60, 200, 3)).astype(np.uint8)
    noise[30] = (255, 64, 64)
    few = plots.few_colours(Image.fromarray(noise), 32)
    assert len(few.getcolors()) <= 32
    assert abs(np.asarray(few.convert("RGB"))[30].astype(int) - (255, 64, 64)).max() < 12


def test_the_oldest_releases_are_those_that_are_promised():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    promised = dict(line.split(">=") for line in settings["options"]["install_requires"].split())
    lines = (ROOT / "tests" / "oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert promised.keys() == oldest.keys()
    for name, version in promised.items():
        assert oldest[name] == version or oldest[name].startswith(f"{version}."), name


def test_the_citation_names_this_version():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert f"version: {settings['metadata']['version']}\n" in (ROOT / "CITATION.cff").read_text()
