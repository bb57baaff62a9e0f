"""What a scene answers about its seeds and its sizes; which axes are spatial where no scribbles say so."""

import numpy as np
import pytest

from varconvex.inputs import blank_scene, prepare

SEEDS = np.array([[-1, 5, 0, 9], [0, 7, 0, 0], [-1, 0, 0, -1]])


@pytest.fixture
def scene(rng):
    return prepare(rng.random(SEEDS.shape), SEEDS, spacing=(2, 1), channel_axis=None)


def test_a_label_holds_its_seeds_and_avoids_those_of_others_and_what_is_outside(scene):
    assert scene.labels == (5, 7, 9)
    for k, label in enumerate(scene.labels):
        inside, outside = scene.held(k)
        np.testing.assert_array_equal(inside, label == SEEDS)
        np.testing.assert_array_equal(outside, (label != SEEDS) & (SEEDS != 0))


def test_other_scribbles_leave_outside_what_is_outside(scene):
    other = scene.with_scribbles(np.array([[0, 0, 3, 8], [0, 0, 0, 0], [0, 8, 3, 0]]), (3, 8))
    assert other.labels == (3, 8)
    np.testing.assert_array_equal(other.seeds, [[-1, 0, 1, 2], [0, 0, 0, 0], [-1, 2, 1, -1]])


def test_widths_are_shares_of_the_side_of_what_is_inside(scene):
    assert scene.side == pytest.approx(9**0.5)  # 12 pixels, 3 of them outside
    assert scene.widths(0.1) == pytest.approx([0.3 / 2**0.5, 0.3 * 2**0.5])


@pytest.mark.parametrize(
    ("shape", "axis", "spatial"),
    [((5, 6), ..., (5, 6)), ((5, 6, 3), ..., (5, 6)), ((5, 6, 7), ..., (5, 6, 7)), ((4, 5, 6, 3), ..., (4, 5, 6)),
     ((5, 6, 7), 2, (5, 6)), ((3, 5, 6), 0, (5, 6))],
)  # fmt: skip
def test_a_short_last_axis_has_channels_where_nothing_says_what_it_is(rng, shape, axis, spatial):
    scene = blank_scene(rng.random(shape), channel_axis=axis)
    assert scene.seeds.shape == scene.image.shape[:-1] == spatial
