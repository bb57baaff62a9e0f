"""Folders of samples: written here by Pillow, read back, and broken in every way."""

import numpy as np
import pytest
from PIL import Image

from varconvex.datasets.folders import read_folder
from varconvex.errors import FileFormatError

SIZE = (12, 16)


def save_indexed(path, values):
    image = Image.fromarray(values.astype(np.uint8)).convert("L")
    indexed = Image.new("P", image.size)
    indexed.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    indexed.putdata(list(values.ravel().tolist()))
    indexed.save(path)


@pytest.fixture
def folder(tmp_path, rng):
    """Two samples, b in colour and a in grey, with scribbles in two subfolders."""
    for part in ("images", "ground_truth", "scribbles", "scribbles2"):
        (tmp_path / part).mkdir()
    truth = np.zeros(SIZE, np.uint8)
    truth[3:9, 4:10] = 255
    truth[9, 4:10] = 128
    strokes = np.zeros(SIZE, np.uint8)
    strokes[5, 5:8], strokes[0] = 1, 2
    for name, shape in (("b", (*SIZE, 3)), ("a", SIZE)):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / "ground_truth" / f"{name}.png")
        save_indexed(tmp_path / "scribbles" / f"{name}.png", strokes)
        save_indexed(tmp_path / "scribbles2" / f"{name}.png", strokes.T.reshape(SIZE))
    return tmp_path


def test_reads_what_was_written(folder):
    (folder / "images" / "notes.txt").write_text("not an image")
    samples = list(read_folder(folder))
    assert [s.name for s in samples] == ["a", "b"]
    assert np.array_equal(samples[1].image, np.asarray(Image.open(folder / "images" / "b.png")))
    for s in samples:
        assert s.image.shape == (*SIZE, 3)
        assert s.image.dtype == np.uint8
        assert (s.scribbles[5, 5:8] == 2).all()
        assert (s.scribbles[0] == 1).all()
        assert (s.scribbles > 0).sum() == 3 + SIZE[1]
        assert s.truth.dtype == s.scored.dtype == bool
        assert s.truth.sum() == 36
        assert (~s.scored).sum() == 6
        assert not (s.truth & ~s.scored).any()


def test_other_scribbles_and_paths_as_text(folder):
    first, other = next(read_folder(str(folder))), next(read_folder(folder, "scribbles2"))
    assert np.array_equal(first.image, other.image)
    assert not np.array_equal(first.scribbles, other.scribbles)


@pytest.mark.parametrize("part", ["images", "ground_truth", "scribbles"])
def test_missing_subfolder_is_named_at_once(folder, part):
    (folder / part).rename(folder / "elsewhere")
    with pytest.raises(FileFormatError, match=f"has no {part}"):
        read_folder(folder)


def test_folder_without_images_is_named(folder):
    for path in (folder / "images").iterdir():
        path.unlink()
    with pytest.raises(FileFormatError, match="it has none"):
        read_folder(folder)


@pytest.mark.parametrize("part", ["ground_truth", "scribbles"])
def test_missing_file_is_named(folder, part):
    (folder / part / "b.png").unlink()
    with pytest.raises(FileFormatError, match=r"b\.png does not exist"):
        list(read_folder(folder))


@pytest.mark.parametrize("part", ["images", "ground_truth", "scribbles"])
def test_unreadable_file_is_named(folder, part):
    path = folder / part / "a.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(FileFormatError, match=r"a\.png"):
        list(read_folder(folder))


@pytest.mark.parametrize("part", ["ground_truth", "scribbles"])
def test_other_size_is_named(folder, part):
    Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(folder / part / "a.png")
    with pytest.raises(FileFormatError, match=r"image's size \(12, 16\); it has \(16, 12\)"):
        list(read_folder(folder))


@pytest.mark.parametrize(("part", "value"), [("ground_truth", 17), ("scribbles", 200)])
def test_other_values_are_named(folder, part, value):
    Image.fromarray(np.full(SIZE, value, np.uint8)).save(folder / part / "a.png")
    with pytest.raises(FileFormatError, match=rf"it has \[{value}\] as well"):
        list(read_folder(folder))


def test_deep_images_are_named(folder):
    Image.fromarray(np.full(SIZE, 1000, np.uint16)).save(folder / "images" / "a.png")
    with pytest.raises(FileFormatError, match="8 bits a channel"):
        list(read_folder(folder))
