"""The page on files: its code runs, in its order, on files as it describes them, and what it names is there."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

PAGE = Path(__file__).parents[2] / "notebooks" / "site" / "files.md"


@pytest.fixture
def folder(tmp_path, rng, monkeypatch):
    inside = np.linalg.norm(np.mgrid[-4:4, -30:30, -32:32].transpose(1, 2, 3, 0) * (4, 1, 1), axis=-1) < 20
    cells = (inside * 150 + rng.integers(0, 60, inside.shape)).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "cells.tif",
        cells,
        imagej=True,
        resolution=(4, 4),
        metadata={"axes": "ZYX", "spacing": 2, "unit": "um"},
    )
    tifffile.imwrite(tmp_path / "film.tif", cells, imagej=True, metadata={"axes": "TYX"})
    np.savez(tmp_path / "arrays.npz", first=cells[0], second=cells[1])
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:
        writer.write(cells[4], subifds=1)
        writer.write(cells[4, ::2, ::2], subfiletype=1)
    photograph = np.repeat(cells[4][..., None], 3, axis=-1)
    Image.fromarray(photograph).save(tmp_path / "photo.png")
    painted = photograph.copy()
    painted[29:32, 20:41], painted[3:6, 4:61] = (0, 255, 0), (255, 255, 0)
    Image.fromarray(painted).save(tmp_path / "painted.png")
    layer = np.zeros((*inside.shape[1:], 4), np.uint8)
    layer[29:32, 20:41] = (200, 0, 90, 255)
    Image.fromarray(layer).save(tmp_path / "object.png")
    with open(tmp_path / "background.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [["index", "shape-type", "vertex-index", "axis-0", "axis-1"], [0, "path", 0, 4, 4], [0, "path", 1, 4, 60]]
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_runs(folder):
    names = {}
    for block in re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
        if "result" in names:
            assert names["file"].spacing == (2.0, 0.25, 0.25)
            assert names["file"].unit == "µm"
            assert 0.7 < names["result"].mask[:, 30, 32].mean() <= 1
        if "scribbles" in names:
            assert set(np.unique(names["scribbles"])) == {0, 1, 2}
            assert (names["scribbles"][30, 21:40] == 2).all()
            assert (names["scribbles"][4, 5:60] == 1).all()
    told = re.search(r"```json\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    (folder / "a.json").write_text(told)
    scribbles = names["read_scribbles"]("a.json", names["photograph"])
    np.testing.assert_array_equal(scribbles == 1, names["scribbles"] == 1)
    assert set(json.loads(told)) == {"object", "background"}
