"""The guides of the site, run from their first line to their last."""

import importlib.util
from pathlib import Path

import pytest

SITE = Path(__file__).parents[1] / "notebooks" / "site"
SPEC = importlib.util.spec_from_file_location("guides", SITE / "guides.py")
guides = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(guides)

NEEDS = {
    "cells": "tifffile",
    "volume": "nibabel",
    "fiji": "roifile",
    "dask": "distributed",
    "large": "zarr",
    "networks": "torch",
}


def test_every_guide_is_listed_and_begins_with_its_picture():
    index = (SITE / "guides" / "index.md").read_text()
    for page in guides.PAGES:
        assert f"({page.name})" in index
        text = page.read_text()
        assert f"](../_static/guides/{page.stem}.jpg)" in "\n".join(text.splitlines()[:4])
        assert (SITE / "_static" / "guides" / f"{page.stem}.jpg").stat().st_size < 100_000


@pytest.mark.slow
@pytest.mark.parametrize("page", guides.PAGES, ids=lambda page: page.stem)
def test_a_guide_runs(page, tmp_path):
    pytest.importorskip(NEEDS.get(page.stem, "varconvex"))
    assert min(guides.run(page, tmp_path).size) > 50
