"""A matrix of files by other libraries, formats by types by layouts: read as the numbers that these give back."""

import importlib.util

import numpy as np
import pytest
from written_by_others import CASES, WIDTH

from varconvex.errors import MissingExtraError
from varconvex.io import open_image

WITHOUT_CODECS = importlib.util.find_spec("imagecodecs") is None


def test_the_matrix_is_large():
    assert len(CASES) > 240


@pytest.mark.parametrize("name", CASES)
def test_files_are_read_as_their_library_reads_them(tmp_path, name):
    path = tmp_path / name
    expected = CASES[name](path)
    expected, keywords = expected if isinstance(expected, tuple) else (expected, {})
    if WITHOUT_CODECS and name.startswith("OpenCV") and name.endswith("channels u2.tif") and expected.ndim == 3:
        with pytest.raises(MissingExtraError, match="imagecodecs"):
            open_image(path)
        return
    file = open_image(path, **keywords)
    assert file.array.dtype == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(file.array, expected)
    assert file.array.dtype.isnative
    assert file.channel_axis == (-1 if file.array.shape[-1] in (3, 4, 5) and file.shape[-1] == WIDTH else None)


@pytest.mark.parametrize("name", [n for n in CASES if "tzc" in n or "tcz" in n or "animation" in n or "series" in n])
def test_time_is_refused_by_name(tmp_path, name):
    CASES[name](tmp_path / name)
    with pytest.raises(ValueError, match=r"one frame of .* can be read, which has .*t \d.*Pass frame= along time"):
        open_image(tmp_path / name)
