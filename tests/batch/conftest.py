"""A folder of small images with strokes beside them."""

import numpy as np
import pytest
from PIL import Image


def _draw(folder, name, seed=0, side=24, ending=".png"):
    """A disc on noise with strokes beside it; the disc."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    row, column = rng.integers(side // 3, 2 * side // 3, 2)
    rows, columns = np.mgrid[:side, :side]
    disc = np.hypot(rows - row, columns - column) < side / 4
    image = np.where(disc[..., None], (200, 80, 60), (60, 90, 180)) + rng.normal(scale=5, size=(side, side, 3))
    Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"{name}{ending}")
    strokes = np.zeros((side, side), np.uint8)
    strokes[row - 1 : row + 2, column - 1 : column + 2] = 2
    strokes[0] = 1
    Image.fromarray(strokes).save(folder / f"{name}-scribbles.png")
    return disc


@pytest.fixture
def draw():
    """Function that writes an image (folder, name, seed, side, ending) and its strokes, and returns the object."""
    return _draw


@pytest.fixture
def photos(tmp_path):
    """A folder with the images a, b and c; and their discs by name."""
    folder = tmp_path / "photos"
    return folder, {name: _draw(folder, name, seed) for seed, name in enumerate("abc")}
