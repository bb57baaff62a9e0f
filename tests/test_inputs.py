"""Bad input gets a named error, good input in any form gives the same scene, and nobody's array is changed."""

import warnings

import numpy as np
import pytest

from varconvex import segment
from varconvex.errors import (
    DataTermWarning,
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    ScribbleConflictError,
    ScribbleWarning,
    UnsupportedTypeError,
)
from varconvex.inputs import prepare, probability_map


@pytest.fixture
def image(rng):
    return rng.random((12, 15, 3))


@pytest.fixture
def scribbles():
    seeds = np.zeros((12, 15), int)
    seeds[2, 2:6] = 1
    seeds[8, 8:12] = 2
    return seeds


# Arrays


@pytest.mark.parametrize(
    ("bad", "first"), [(np.nan, r"\(3, 4, 1\)"), (np.inf, r"\(3, 4, 1\)"), (-np.inf, r"\(3, 4, 1\)")]
)
def test_non_finite_pixels_are_counted_and_located(image, scribbles, bad, first):
    image[3, 4, 1] = image[5, 5, 0] = bad
    with pytest.raises(
        InvalidImageError, match=rf"image must be finite everywhere; got 2 .* the first at index {first}"
    ):
        prepare(image, scribbles)


def test_non_finite_pixels_can_be_left_out(image, scribbles):
    image[3, 4, 1] = np.nan
    image[0, 0] = np.inf
    scene = prepare(image, scribbles, nan_policy="mask")
    assert np.isfinite(scene.image).all()
    assert np.argwhere(~scene.valid).tolist() == [[0, 0], [3, 4]]


@pytest.mark.parametrize("nan_policy", ["raise", "mask"])
def test_an_image_without_a_finite_pixel_is_refused(scribbles, nan_policy):
    with pytest.raises(InvalidImageError, match="finite"):
        prepare(np.full((12, 15), np.nan), scribbles, nan_policy=nan_policy)


def test_a_constant_image_warns(scribbles):
    with pytest.warns(DataTermWarning, match="the data term says nothing"):
        scene = prepare(np.full((12, 15), 7.0), scribbles)
    assert (scene.image == 0).all()


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 5, 3), (5, 5, 0)])
def test_an_empty_axis_is_refused(shape):
    with pytest.raises((InvalidImageError, InvalidScribblesError), match=r"axis of length 0|spatial shape"):
        prepare(np.zeros(shape), np.zeros(shape[:2], int))


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2, 2, 2)])
def test_other_dimensions_list_what_is_allowed(scribbles, shape):
    with pytest.raises(InvalidImageError, match="image must be 2-D or 3-D or 4-D; got shape"):
        prepare(np.zeros(shape), scribbles)
    with pytest.raises(InvalidImageError, match="scribbles must be 2-D or 3-D; got shape"):
        prepare(np.zeros((12, 15)), np.zeros(shape, int))


def test_the_scribbles_say_which_axes_are_spatial(rng, scribbles):
    assert prepare(rng.random((12, 15)), scribbles).image.shape == (12, 15, 1)
    assert prepare(rng.random((12, 15, 3)), scribbles).image.shape == (12, 15, 3)
    assert prepare(rng.random((3, 12, 15)), scribbles, channel_axis=0).image.shape == (12, 15, 3)
    volume = np.stack([scribbles] * 5, axis=-1)
    assert prepare(rng.random((12, 15, 5)), volume).image.shape == (12, 15, 5, 1)
    with pytest.raises(InvalidScribblesError, match="scribbles must have the image's spatial shape"):
        prepare(rng.random((12, 15, 3)), scribbles, channel_axis=None)
    with pytest.raises(InvalidParameterError, match="channel_axis must be None or an axis"):
        prepare(rng.random((12, 15, 3)), scribbles, channel_axis=5)


def test_a_fourth_channel_is_never_used_by_accident(rng, scribbles):
    image = rng.random((12, 15, 4))
    with pytest.raises(InvalidImageError, match=r"the last may be transparency\. Pass rgba=True"):
        prepare(image, scribbles)
    assert prepare(image, scribbles, rgba=True).image.shape[-1] == 3
    assert prepare(image, scribbles, rgba=False).image.shape[-1] == 4


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "u4", "f2", "f4", "f8", ">f8", ">u2"])
def test_every_dtype_gives_the_same_scene(rng, scribbles, dtype):
    levels = rng.integers(0, 256, (12, 15, 3))
    expected = prepare(levels.astype(np.float64), scribbles).image
    np.testing.assert_allclose(prepare(levels.astype(dtype), scribbles).image, expected, atol=1e-6)


def test_a_boolean_image_is_zeros_and_ones(rng, scribbles):
    image = rng.random((12, 15)) > 0.5
    np.testing.assert_array_equal(prepare(image, scribbles).image[..., 0], image.astype(np.float32))


@pytest.mark.parametrize("dtype", [complex, object, "U3", "datetime64[s]", "S2"])
def test_what_holds_no_intensities_is_a_type_error(scribbles, dtype):
    with pytest.raises(TypeError, match="image must hold bools, integers or floats; got dtype"):
        prepare(np.zeros((12, 15), dtype=dtype), scribbles)
    with pytest.raises(UnsupportedTypeError, match="scribbles must hold"):
        prepare(np.zeros((12, 15)), np.zeros((12, 15), dtype=dtype))


@pytest.mark.parametrize("scale", [1e300, 1e-310, 1.7e308])
def test_extreme_ranges_stay_finite(rng, scribbles, scale):
    image = rng.random((12, 15)) * scale
    image[0, 0] = -image[0, 1]
    scene = prepare(image, scribbles)
    assert scene.image.min() == 0
    assert scene.image.max() == pytest.approx(1)


def test_any_memory_layout_is_accepted_and_left_unchanged(image, scribbles):
    expected = prepare(image, scribbles).image
    wide = np.repeat(image, 2, axis=1)
    flipped = image[::-1].copy()
    read_only = image.copy()
    read_only.flags.writeable = False
    forms = [np.asfortranarray(image), wide[:, ::2], flipped[::-1], read_only, np.ma.array(image), image.tolist()]
    for form in forms:
        before = np.array(form, copy=True)
        np.testing.assert_array_equal(prepare(form, scribbles).image, expected)
        np.testing.assert_array_equal(np.asarray(form), before)


def test_a_memory_map_is_accepted(tmp_path, image, scribbles):
    path = tmp_path / "image.npy"
    np.save(path, image)
    scene = prepare(np.load(path, mmap_mode="r"), scribbles)
    np.testing.assert_array_equal(scene.image, prepare(image, scribbles).image)


def test_masked_pixels_are_not_dropped_in_silence(image, scribbles):
    masked = np.ma.array(image, mask=np.zeros(image.shape, bool))
    masked[0, 0] = np.ma.masked
    with pytest.raises(UnsupportedTypeError, match="a masked array with 3 masked entries"):
        prepare(masked, scribbles)


def test_ragged_lists_are_a_type_error(scribbles):
    with pytest.raises(UnsupportedTypeError, match="image must be an array of numbers; got list"):
        prepare([[1, 2], [3]], scribbles)


def test_image_and_scribbles_may_share_memory():
    shared = np.zeros((9, 9), int)
    shared[1, 1:4], shared[6, 3:6] = 1, 2
    before = shared.copy()
    prepare(shared, shared)
    np.testing.assert_array_equal(shared, before)


# Scribbles


@pytest.mark.parametrize(("value", "found"), [(0, "none"), (1, "1"), (5, "5")])
def test_fewer_than_two_labels_are_refused(image, value, found):
    with pytest.raises(InvalidScribblesError, match=f"at least two labels .* got labels: {found}"):
        prepare(image, np.full((12, 15), value))


def test_a_wrong_shape_names_both_and_guesses_the_transpose(image, scribbles):
    with pytest.raises(InvalidScribblesError, match=r"spatial shape \(12, 15\); got \(15, 12\).*transposed\?"):
        prepare(image, scribbles.T)
    with pytest.raises(InvalidScribblesError, match=r"spatial shape \(12, 15\); got \(11, 15\)"):
        prepare(image, scribbles[1:])


def test_float_labels_must_be_whole(image, scribbles):
    np.testing.assert_array_equal(prepare(image, scribbles.astype(float)).seeds, scribbles)
    with pytest.raises(InvalidScribblesError, match=r"scribbles must hold whole numbers; got 4 others, the first 0\.5"):
        prepare(image, np.where(scribbles == 1, 0.5, scribbles))
    with pytest.raises(InvalidImageError, match="scribbles must be finite"):
        prepare(image, np.where(scribbles == 1, np.nan, scribbles))


def test_label_ids_are_kept(image, scribbles):
    scribbles = np.where(scribbles == 2, 65000, scribbles)
    scribbles[10, 0:3] = 7
    scene = prepare(image, scribbles.astype(np.uint16))
    assert scene.labels == (1, 7, 65000)
    assert sorted(np.unique(scene.seeds)) == [0, 1, 2, 3]


def test_labels_below_minus_one_are_refused(image, scribbles):
    scribbles[0, 0] = -2
    with pytest.raises(InvalidScribblesError, match=r"-1 \(outside\), 0 \(unlabelled\) or labels from 1 on; got -2"):
        prepare(image, scribbles)


def test_a_pair_of_masks(image, scribbles):
    scene = prepare(image, (scribbles == 2, scribbles == 1))
    np.testing.assert_array_equal(scene.seeds, scribbles)
    with pytest.raises(InvalidScribblesError, match="got one boolean mask"):
        prepare(image, scribbles == 2)
    with pytest.raises(InvalidScribblesError, match="must have one shape"):
        prepare(image, (scribbles == 2, scribbles[1:] == 1))


def test_a_pair_of_nested_lists(image, scribbles):
    pair = [(scribbles == 2).tolist(), (scribbles == 1).tolist()]
    np.testing.assert_array_equal(prepare(image, pair).seeds, scribbles)


def test_a_photograph_is_no_label_image(rng, image):
    with pytest.raises(InvalidScribblesError, match=r"at most 100 labels; got 1\d\d. Is it a photograph\?"):
        prepare(image, rng.permutation(180).reshape(12, 15))


@pytest.mark.parametrize("label", [2.0**63, -1e30])
def test_labels_that_are_no_integers_of_64_bits(image, scribbles, label):
    with pytest.raises(InvalidScribblesError, match="labels must be at most 9007199254740992 in size"):
        prepare(image, np.where(scribbles == 2, label, scribbles))


def test_what_does_not_fit_into_a_double_is_infinite(image, scribbles):
    with pytest.raises(InvalidImageError, match="image must be finite everywhere; got 1 NaN or infinite"):
        prepare(np.where(np.arange(15) + 15 * np.arange(12)[:, None] == 7, np.longdouble("1e4000"), 1), scribbles)


def test_warnings_point_at_the_caller(scribbles):
    with pytest.warns(DataTermWarning) as caught:
        prepare(np.zeros((12, 15)), scribbles)
    assert caught[0].filename == __file__


def test_contradicting_masks_the_later_wins_with_a_warning(image, scribbles):
    inside, outside = scribbles == 2, scribbles == 1
    outside[8, 8] = True
    with pytest.warns(ScribbleWarning, match=r"1 pixels with label 1 on top of another, the first at \(8, 8\)"):
        assert prepare(image, (inside, outside)).seeds[8, 8] == 1
    with pytest.raises(ScribbleConflictError, match="Erase one of the strokes") as caught:
        prepare(image, (inside, outside), strict=True)
    assert caught.value.pixels.tolist() == [[8, 8]]


def test_polylines(image):
    scene = prepare(image, {"object": [(2, 3), (9, 3)], "background": [[(1, 10), (10, 10)], [(10, 12), (10, 13)]]})
    assert (scene.seeds[2:10, 2:5] == 2).all()
    assert (scene.seeds[2:10, 9:12] == 1).all()
    assert scene.labels == (1, 2)
    assert prepare(image, {1: [(0, 0)], 9: [(5, 5)]}).labels == (1, 9)


def test_strokes_that_cross_and_strokes_off_the_image(image):
    crossing = {"object": [(2, 2), (9, 9)], "background": [(9, 2), (2, 9)]}
    with pytest.warns(ScribbleWarning, match="The later stroke wins"):
        prepare(image, crossing)
    with pytest.raises(ScribbleConflictError):
        prepare(image, crossing, strict=True)
    with pytest.warns(ScribbleWarning, match=r"lie on the image of shape \(12, 15\).*clipped"):
        scene = prepare(image, {"object": [(5, 5), (5, 40)], "background": [(1, 1)]})
    assert scene.seeds[5, 14] == 2


@pytest.mark.parametrize(
    ("strokes", "match"),
    [
        ({}, "got an empty dict"),
        ({"thing": [(1, 1)]}, "a label must be 'background', 'object' or a whole number"),
        ({0: [(1, 1)]}, "a whole number from 1 on; got 0"),
        ({1: [(1, 1)], 2: []}, "finite points of shape"),
        ({1: [(1, 1)], 2: [(1, np.nan)]}, "finite points of shape"),
        ({1: [(1, 1, 1)], 2: [(1, 1)]}, "one coordinate for each of the"),
        ({1: "here", 2: [(1, 1)]}, "finite points of shape"),
    ],
)
def test_bad_polylines_are_named(image, strokes, match):
    with pytest.raises(InvalidScribblesError, match=match):
        prepare(image, strokes)


def test_a_region_of_interest(image, scribbles):
    region = np.zeros((12, 15), bool)
    region[:, :13] = True
    scene = prepare(image, scribbles, mask=region)
    assert (scene.seeds[:, 13:] == -1).all()
    assert not scene.valid[:, 13:].any()
    for bad, match in [
        (region[1:], "mask must have the spatial shape"),
        (region * 3.0, "mask must be boolean"),
        (~(region | True), "mask must mark the pixels"),
    ]:
        with pytest.raises(InvalidImageError, match=match):
            prepare(image, scribbles, mask=bad)


def test_only_ratios_of_the_spacing_matter(image, scribbles):
    one, two = (prepare(image, scribbles, spacing=s).spacing for s in ((1, 4), (5e-3, 2e-2)))
    assert one == pytest.approx(two)
    assert one == pytest.approx((0.5, 2.0))


# Targets of a projection


def test_targets():
    mask = np.eye(5, dtype=bool)
    for form in (mask, mask.astype(int), mask * np.uint8(255), mask.astype(np.float32)):
        np.testing.assert_array_equal(probability_map(form), mask)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(probability_map(np.zeros((3, 3), np.uint8)), 0)


@pytest.mark.parametrize(
    ("target", "error", "match"),
    [
        (np.arange(9).reshape(3, 3), InvalidImageError, "target of integers must be a mask"),
        (np.full((3, 3), 1.5), InvalidImageError, r"probabilities in \[0, 1\]; got values from 1.5 to 1.5"),
        (np.full((3, 3), np.nan), InvalidImageError, "target must be finite"),
        (np.zeros((3, 3, 3, 3)), InvalidImageError, "target must be 2-D or 3-D"),
        (np.zeros((3, 3), complex), UnsupportedTypeError, "target must hold"),
    ],
)
def test_bad_targets_are_named(target, error, match):
    with pytest.raises(error, match=match):
        probability_map(target)


@pytest.mark.parametrize("shape", [(20, 30), (7, 12), (8, 9, 10)])
def test_the_border_stands_for_strokes(shape):
    point = [tuple(n // 2 for n in shape)]
    image = np.random.default_rng(0).random(shape)
    scene = prepare(image, {"background": "border", "object": [point]}, channel_axis=None)
    deep = np.min([np.minimum(axis, n - 1 - axis) for axis, n in zip(np.indices(shape), shape, strict=True)], axis=0)
    free = scene.seeds != 2
    assert scene.seeds[point[0]] == 2
    np.testing.assert_array_equal((scene.seeds == 1)[free], (deep < 2)[free])


def test_one_stroke_and_the_border_give_the_object():
    disc = np.hypot(*np.mgrid[-30:31, -40:41]) < 15
    found = segment(disc.astype(float), {"object": [[(30, 38), (30, 42)]], "background": "border"})
    np.testing.assert_array_equal(found.mask, disc)
