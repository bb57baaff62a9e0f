"""Files: read with named errors, written whole or not at all."""

import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from varconvex.errors import FileFormatError
from varconvex.io.reading import read_image, read_mask, read_scribbles
from varconvex.io.writing import write_mask, write_picture


@pytest.fixture
def photograph(rng):
    return rng.integers(60, 200, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_images_of_every_mode(tmp_path, photograph, mode):
    path = tmp_path / "image.png"
    if mode == "I;16":
        Image.fromarray(photograph[..., 0].astype(np.uint16) * 100).save(path)
    else:
        Image.fromarray(photograph).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == ((20, 30, 3) if mode in ("RGB", "RGBA", "P") else (20, 30))


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x89PNG\r\n\x1a\n truncated"])
@pytest.mark.parametrize("read", [read_image, read_mask, lambda p: read_scribbles(p, np.zeros((2, 2)))])
def test_what_is_no_image_is_named(tmp_path, content, read):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a readable image file was expected; .*broken\.png"):
        read(path)


def test_a_truncated_and_a_missing_file(tmp_path, photograph):
    path = tmp_path / "image.png"
    Image.fromarray(photograph).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FileFormatError, match="truncated"):
        read_image(path)
    for name in ("nothing.png", "nothing.npy"):
        with pytest.raises(FileFormatError, match=f"{name} does not exist"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_a_bomb_is_refused_from_its_header(tmp_path, bits):
    path = tmp_path / "bomb.png"

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, bits, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )
    start = time.perf_counter()
    with pytest.raises(FileFormatError, match=r"declares more pixels than that: \(50000, 50000\)"):
        read_image(path)
    assert time.perf_counter() - start < 1


def test_pickles_are_never_loaded(tmp_path):
    path = tmp_path / "objects.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match="Save it without objects"):
        read_image(path)


def test_masks_come_back(tmp_path):
    labels = np.ones((8, 9), int)
    labels[2:5, 3:6] = 2
    write_mask(tmp_path / "mask.png", labels, (1, 2))
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), labels == 2)
    np.testing.assert_array_equal(read_image(tmp_path / "mask.png"), np.where(labels == 2, 255, 0))
    labels[7] = 40000
    write_mask(tmp_path / "labels.png", labels, (1, 2, 40000))
    np.testing.assert_array_equal(read_image(tmp_path / "labels.png"), labels)
    write_mask(tmp_path / "labels.npy", labels, (1, 2, 40000))
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), labels)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.npy", "labels.png", "mask.png"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    labels = np.ones((3, 3), int)
    for name, match in [
        ("mask.jpg", "the output's name must end in .png, .tif, .tiff, .npy"),
        ("mask", "the output's name must end in"),
        ("no/mask.png", "cannot be written"),
    ]:
        with pytest.raises(FileFormatError, match=match):
            write_mask(tmp_path / name, labels, (1, 2))
    with pytest.raises(FileFormatError, match="labels up to 65535"):
        write_mask(tmp_path / "mask.png", labels, (1, 2, 70000))
    with pytest.raises(FileFormatError, match="the output's name must end in"):
        write_picture(tmp_path / "picture.what", Image.new("L", (2, 2)))

    class Failing:
        def save(self, file, format):
            file.write(b"half")
            raise OSError("disk full")

    with pytest.raises(FileFormatError, match=r"picture.png cannot be written \(disk full\)"):
        write_picture(tmp_path / "picture.png", Failing())
    assert not list(tmp_path.iterdir())
