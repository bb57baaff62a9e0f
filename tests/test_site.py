"""The documentation site's parts, and what its pages say; .ci/run builds the whole of it, without warnings."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import varconvex

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SITE = NOTEBOOKS / "site"
PAIRS = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture
def part(monkeypatch):
    """A module of the site's folder, which is no package, by its name."""
    monkeypatch.syspath_prepend(str(SITE))
    yield importlib.import_module
    for name in ("gallery", "links", "prose", "reference"):
        sys.modules.pop(name, None)


def test_links_that_lead_nowhere_are_found(part, tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#there"></a><a href="#gone"></a><a href="https://x.y"></a>')
    (tmp_path / "b.html").write_text('<p id="there"></p><img src="no.png"><a href="a.html"></a><a href="c.html"></a>')
    assert part("links").broken(tmp_path) == [("a.html", "#gone"), ("b.html", "no.png"), ("b.html", "c.html")]


def test_docstrings_mean_what_they_say(part):
    escaped = part("prose").escaped
    assert escaped("alpha |grad u| of `a_|b` and ``*c``, K* p") == r"alpha \|grad u\| of `a_|b` and ``*c``, K\* p"
    assert escaped("Amos, arXiv:1609.07152.") == "Amos, `arXiv:1609.07152 <https://arxiv.org/abs/1609.07152>`__."
    assert escaped("(Lee 2001, doi:10.1/a_9)") == "(Lee 2001, `doi:10.1/a_9 <https://doi.org/10.1/a_9>`__)"
    assert escaped(">>> a | b") == ">>> a | b"


def test_every_public_name_has_its_page(part, tmp_path):
    part("reference").write(tmp_path / "reference")
    index = (tmp_path / "reference" / "index.rst").read_text()
    for name in varconvex.__all__:
        assert f":: varconvex.{name}\n" in (tmp_path / "reference" / f"varconvex.{name}.rst").read_text()
        assert f":doc:`{name} <varconvex.{name}>`" in index


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_notebooks_are_pairs_executed_small_and_quiet(part, path):
    assert path.with_suffix(".py").exists()
    text = path.read_text(encoding="utf-8")
    assert len(text) < 700_000
    assert not re.search(r"/(?:home|tmp|root|work|Users)/", text)
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell["outputs"] if o.get("name") == "stderr" or o["output_type"] == "error"]
    with_picture = [k for k, cell in enumerate(code) if '"image/' in json.dumps(cell["outputs"])]
    assert with_picture[0] < 4
    assert "# Exercise" in "".join("".join(cell["source"]) for cell in cells)
    assert part("gallery").picture(cells).width > 100


def block(name):
    """The code of coming_from.md behind the comment <!-- NAME -->."""
    text = (SITE / "coming_from.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- {name} -->\n```python\n(.+?)```", text, re.DOTALL)[1]


@pytest.fixture
def disc():
    """A disc whose colours anybody can part, its strokes, and all of it."""
    inside = np.hypot(*np.mgrid[-24:24, -32:32]) < 15
    noise = np.random.default_rng(0).normal(scale=8, size=(*inside.shape, 3))
    image = np.clip(np.where(inside[..., None], (200, 80, 60), (60, 90, 180)) + noise, 0, 255).astype(np.uint8)
    labels = np.zeros(inside.shape, int)
    labels[20:28, 28:36], labels[2:4] = 2, 1
    return inside, image, labels


def agree(names, inside):
    """Both answers find the disc."""
    for answer in (names["before"], names["after"]):
        assert np.mean((np.asarray(answer) > answer.min() if answer.dtype != bool else answer) == inside) > 0.97


@pytest.mark.filterwarnings("ignore:The probability range:UserWarning")
@pytest.mark.filterwarnings("ignore:Changing the sparsity structure")  # by scikit-image, with old releases of SciPy
def test_coming_from_random_walker(disc):
    pytest.importorskip("skimage")
    inside, image, labels = disc
    names = {"np": np, "image": image, "labels": labels}
    exec(block("random_walker"), names)
    names["after"] = np.asarray(names["after"])
    agree(names, inside)


def test_coming_from_grabcut(disc):
    cv2 = pytest.importorskip("cv2")
    inside, image, labels = disc
    mask = np.full(labels.shape, cv2.GC_PR_BGD, np.uint8)
    mask[labels == 2], mask[labels == 1] = cv2.GC_FGD, cv2.GC_BGD
    names = {"np": np, "bgr": image[..., ::-1].copy(), "mask": mask}
    exec(block("grabcut"), names)
    agree(names, inside)


def test_coming_from_chan_vese(disc):
    pytest.importorskip("skimage")
    inside, image, _ = disc
    names = {"np": np, "grey": image[..., 0] / 255}
    exec(block("chan_vese"), names)
    agree(names, inside)
