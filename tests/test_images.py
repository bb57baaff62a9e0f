"""The unit of an image's numbers: what integers of each type are divided by, and that floats stay as they are."""

import numpy as np
import pytest

from varconvex.errors import DataTermWarning
from varconvex.images import intensities


@pytest.mark.parametrize(
    ("dtype", "largest", "unit"),
    [("u1", 1, 1), ("u2", 2, 255), ("u2", 200, 255), ("i4", 256, 1023), ("u2", 1024, 4095), ("u2", 9000, 16383),
     ("i4", 65535, 65535), ("i8", 65536, 2**32 - 1), ("u8", 2**32 - 1, 2**32 - 1)],
)  # fmt: skip
def test_integers_are_divided_by_the_largest_of_the_next_kind(dtype, largest, unit):
    image = np.array([[0, largest], [1, 0]], dtype)
    with pytest.warns(DataTermWarning, match=f"divided by {unit}\\."):
        found = intensities(image, None, None)
    np.testing.assert_array_equal(found, image / unit)


@pytest.mark.parametrize(("dtype", "largest"), [("u1", 2), ("u1", 255), ("u2", 40_000), ("i2", 20_000), ("i8", 2**40)])
def test_integers_that_need_their_type_are_divided_by_its_largest_without_a_word(dtype, largest):
    image = np.array([[0, largest], [1, 0]], dtype)
    np.testing.assert_array_equal(intensities(image, None, None), image / np.iinfo(dtype).max)
    assert not intensities(image * 0, None, None).any()


def test_floats_and_masks_keep_their_numbers():
    image = np.array([[0.1, -7.0], [1e300, 3.0]])
    assert intensities(image, None, None) is image
    np.testing.assert_array_equal(intensities(image > 0.5, None, None), np.array([[0, 0], [1, 1]], np.float32))
